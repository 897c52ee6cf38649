"""Commands that take files in: a draft of another state's study, and new editions of the published figures."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leapstudy.cli.typed import say
from leapstudy.core import paths
from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import SIMULATION

if TYPE_CHECKING:
    from leapstudy.data.new_edition import NewEdition
    from leapstudy.data.new_study import Draft

EXAMPLE = "data/examples/schools_simulated.csv"
# What every workspace starts from as it is in this one, beside the notebooks.
COPIED = ("params/students.yml", f"params/{SIMULATION}", "requirements.lock", EXAMPLE)


def new(
    folder: Annotated[Path, typer.Argument(help="Folder of the new study; it must not exist, or be empty.")],
    more: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="Further files, after the first.")] = None,
    files: Annotated[
        list[Path] | None, typer.Option("--from", help="The state's own files: CSV, TSV or Excel, several with spaces.")
    ] = None,
    unit: Annotated[str, typer.Option(help="Who has a start, in one word: district, school, parish.")] = "district",
    column: Annotated[
        list[str] | None, typer.Option("--column", help="name=COLUMN where the guess is wrong, may be repeated.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", help="COLUMN=VALUE of the rows that count, may be repeated.")
    ] = None,
    sheet: Annotated[
        list[str] | None, typer.Option("--sheet", help="Sheet of a workbook that counts, may be repeated.")
    ] = None,
    pad: Annotated[int, typer.Option(min=0, help="Length of a code that lost zeros in front.")] = 0,
    restated: Annotated[
        bool, typer.Option("--restated", help="Where two files differ, the later named one counts.")
    ] = False,
) -> None:
    """Draft a study of another state from its own files; TODO stands wherever the files do not say."""
    from leapstudy.data.intake import look
    from leapstudy.data.new_study import Asked, draft

    paths_given = [*(files or []), *(more or [])]
    if not paths_given:
        raise BadInput("Name the state's own files: leapstudy new DIR --from FILE...")
    if not unit.isalpha():
        raise BadInput(f"The unit {unit!r} is no single word. Name who has a start: district, school, county, parish.")
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder.name} is not empty. Name a folder that does not exist yet.")
    if len({file.name for file in paths_given}) < len(paths_given):
        raise BadInput("Two files have the same name. Give each a name of its own.")
    request = Asked(unit.lower(), pairs("--column", column), pairs("--keep", keep), pad)
    sheets = {name for file in paths_given for name in _sheets(file)}
    if strange := [name for name in sheet or [] if name not in sheets]:
        raise bad_value("sheet", strange[0], sheets)
    tables = [table for file in paths_given for table in look(file, sheet or ())]
    study = draft(tables, request, folder.name, restated=restated)
    write(study, folder, paths_given)
    read = {(source.file, source.sheet) for source, _ in tables}
    aside = [
        f"sheet {name!r} of {file.name} is not used"
        for file in paths_given
        for name in _sheets(file)
        if (file.name, name) not in read
    ]
    for line in [*study.told, *aside]:
        say(line)
    todo = sum(text.count("TODO") for text in study.texts.values())
    say(f"{folder.name} is drafted, with {todo} TODOs. Next: leapstudy --study {folder} check")


def _sheets(file: Path) -> list[str]:
    from leapstudy.data.sheets import read_sheets

    return list(read_sheets(file))


def pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    """Return name -> value of an option that is given as NAME=VALUE, and may be repeated."""
    given_pairs = [text.partition("=") for text in texts or []]
    if wrong := [name for name, sign, value in given_pairs if not (sign and value)]:
        raise BadInput(f"{option} needs NAME=VALUE, got {wrong[0]!r}.")
    return {name: value for name, _, value in given_pairs}


def write(study: "Draft", folder: Path, files: list[Path]) -> None:
    """Write a drafted study: published files as they are, tables with their hashes, parameters, notebooks."""
    from leapstudy.batch.copied import copy
    from leapstudy.core.files import sha256_bytes, write_bytes_atomic, write_text_atomic
    from leapstudy.data.intake import FILE, PUBLISHED
    from leapstudy.data.new_edition import UNITS as UNITS_FILE
    from leapstudy.data.new_edition import keep_published, write_recipes
    from leapstudy.data.raw import as_csv
    from leapstudy.data.raw import pin as keep

    raw = folder / "data" / "raw"
    for file in files:
        keep_published(raw / study.recipe.folder / PUBLISHED, file)
    for name, table in (("attendance.csv", study.tables.table), (UNITS_FILE, study.tables.units)):
        write_bytes_atomic(raw / study.recipe.folder / name, as_csv(table))
        keep(raw / study.recipe.folder, {name: sha256_bytes(as_csv(table))})
    for name, text in study.texts.items():
        write_text_atomic(folder / name, text)
    register = raw / "program" / "units.csv"
    keep(register.parent, {register.name: sha256_bytes(register.read_bytes())})
    write_recipes(folder / "params" / FILE, {"attendance": study.recipe})
    bring(folder)
    copy(folder / "notebooks")


def bring(folder: Path) -> None:
    """Copy what every workspace starts from, beside the notebooks, into one; what is there stays."""
    for name in COPIED:
        if not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(paths.own_root() / name, folder / name)


app = typer.Typer(no_args_is_help=True, help="New editions of the published figures.")
# Cells of each kind that are printed; --list writes all of them.
LISTED = 20


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
    from leapstudy.core.files import write_bytes_atomic
    from leapstudy.data import new_edition as editions
    from leapstudy.data.raw import as_csv
    from leapstudy.data.state import load_state

    place = editions.Place(paths.raw(), paths.params())
    edition = editions.new_edition(load_state(), place, file, table, add=add, renamed=pairs("--column", column))
    say(_edition_words(edition))
    if listing:
        write_bytes_atomic(listing, as_csv(edition.moved.cells))
    if not accept:
        if edition.faults:
            raise BadInput("It does not fit the declaration:\n" + "\n".join(f"- {fault}" for fault in edition.faults))
        say("Nothing was changed. --accept takes it over.")
        return
    old_file = editions.accept(edition, place, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    say(f"data/raw/{edition.table.file} is replaced and pinned; every moved cell: {old_file.name}.")
    kept_too = editions.unread(place, edition)
    for line in [*kept_too, *editions.newer_than_its_name(load_state(), edition), "Next: leapstudy check"]:
        say(line)


@app.command(epilog="Example: leapstudy data pin program/units.csv")
def pin(file: Annotated[str, typer.Argument(help="A file below data/raw/ that you keep by hand.")]) -> None:
    """Take over the hash of a file that you keep yourself, such as the file of starts."""
    from leapstudy.core.files import sha256_file
    from leapstudy.data.raw import SUMS, listed
    from leapstudy.data.raw import pin as keep

    path = paths.raw() / file
    if not (path.is_file() and paths.real(path.parent).is_relative_to(paths.real(paths.raw()))):
        raise BadInput(f"data/raw/{file} is no file. Name it below data/raw/, such as program/units.csv.")
    old = listed(path.parent).get(path.name, "none") if (path.parent / SUMS).is_file() else "none"
    new = sha256_file(path)
    keep(path.parent, {path.name: new})
    say(f"data/raw/{file}: SHA-256 {old[:12]} is now {new[:12]}. Next: leapstudy check")


def _edition_words(edition: "NewEdition") -> str:
    from leapstudy.data.raw import KINDS

    changes = edition.moved
    lines = [f"{edition.file.name} against data/raw/{edition.table.file}: {changes.counts}."]
    for kind in KINDS:
        rows = changes.cells[changes.cells["kind"] == kind]
        for row in rows.head(LISTED).to_dict("records"):
            where = ", ".join(str(row[name]) for name in changes.cells.columns[1:-3])
            lines.append(f"  {kind}: {where}, {row['column']}: {row['old'] or 'blank'} -> {row['new'] or 'blank'}")
        if len(rows) > LISTED:
            lines.append(f"  {kind}: {len(rows) - LISTED:,} more (--list FILE writes all)")
    return "\n".join(lines)
