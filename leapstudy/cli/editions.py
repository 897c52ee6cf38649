"""The commands of `leapstudy data`: what a new edition of a source moves, and taking it over on purpose."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leapstudy.core import paths
from leapstudy.core.errors import BadInput

if TYPE_CHECKING:
    from leapstudy.data.new_edition import NewEdition

app = typer.Typer(no_args_is_help=True, help="New editions of the published figures.")
LISTED = 20
"""Cells of each kind that are printed; --list writes all of them."""


@app.callback()
def _data() -> None:
    """New editions of the published figures."""


@app.command(epilog="Example: leapstudy data diff attendance_2026.csv --table attendance --add")
def diff(
    file: Annotated[Path, typer.Argument(help="The newer file: CSV, TSV or Excel.")],
    table: Annotated[str, typer.Option(help="Table of params/state.yml that it is a newer edition of.")] = "",
    add: Annotated[bool, typer.Option("--add", help="It holds further rows, such as next year's.")] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Put it in place and pin its hash, with a record.")] = False,
    column: Annotated[
        list[str] | None, typer.Option("--column", help="name=COLUMN where a column has a new name, may be repeated.")
    ] = None,
    listing: Annotated[Path | None, typer.Option("--list", help="CSV to write every moved cell to.")] = None,
) -> None:
    """Hold a newer file against the pinned figures, cell by cell; nothing is overwritten without --accept."""
    from leapstudy.cli.new import pairs
    from leapstudy.core.files import write_bytes_atomic
    from leapstudy.data import new_edition as editions
    from leapstudy.data.raw import as_csv
    from leapstudy.data.state import load_state

    place = editions.Place(paths.raw(), paths.params())
    edition = editions.new_edition(load_state(), place, file, table, add=add, renamed=pairs("--column", column))
    typer.echo(_told(edition))
    if listing:
        write_bytes_atomic(listing, as_csv(edition.moved.cells))
    if not accept:
        if edition.faults:
            raise BadInput("It does not fit the declaration:\n" + "\n".join(f"- {fault}" for fault in edition.faults))
        typer.echo("Nothing was changed. --accept takes it over.")
        return
    kept = editions.accept(edition, place, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    typer.echo(
        f"data/raw/{edition.table.file} is replaced and pinned; every moved cell: {kept.name}. Next: leapstudy check"
    )


@app.command(epilog="Example: leapstudy data pin program/units.csv")
def pin(file: Annotated[str, typer.Argument(help="A file below data/raw/ that you keep by hand.")]) -> None:
    """Take over the hash of a file that you keep yourself, such as the file of starts."""
    from leapstudy.core.files import sha256_file
    from leapstudy.data.raw import SUMS, listed
    from leapstudy.data.raw import pin as keep

    path = paths.raw() / file
    if not path.is_file():
        raise BadInput(f"data/raw/{file} is no file. Name it below data/raw/, such as program/units.csv.")
    old = listed(path.parent).get(path.name, "none") if (path.parent / SUMS).is_file() else "none"
    new = sha256_file(path)
    keep(path.parent, {path.name: new})
    typer.echo(f"data/raw/{file}: SHA-256 {old[:12]} is now {new[:12]}. Next: leapstudy check")


def _told(edition: "NewEdition") -> str:
    from leapstudy.data.differences import KINDS

    moved = edition.moved
    lines = [f"{edition.file.name} against data/raw/{edition.table.file}: {moved.counts}."]
    for kind in KINDS:
        rows = moved.cells[moved.cells["kind"] == kind]
        for row in rows.head(LISTED).to_dict("records"):
            where = ", ".join(str(row[name]) for name in moved.cells.columns[1:-3])
            lines.append(f"  {kind}: {where}, {row['column']}: {row['old'] or 'blank'} -> {row['new'] or 'blank'}")
        if len(rows) > LISTED:
            lines.append(f"  {kind}: {len(rows) - LISTED:,} more (--list FILE writes all)")
    return "\n".join(lines)
