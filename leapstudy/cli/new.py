"""The command that drafts a study of another state from its own files."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from leapstudy.core.errors import BadInput, bad_value

if TYPE_CHECKING:
    from leapstudy.data.new_study import Draft

EXAMPLE = "data/examples/schools_simulated.csv"
COPIED = ("params/students.yml", "params/simulation.yml", "requirements.lock", EXAMPLE)
"""What every workspace starts from as it is in this one, beside the notebooks."""


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
    from leapstudy.data.guess import Asked
    from leapstudy.data.intake import look
    from leapstudy.data.new_study import draft

    given = [*(files or []), *(more or [])]
    if not given:
        raise BadInput("Name the state's own files: leapstudy new DIR --from FILE...")
    if not unit.isalpha():
        raise BadInput(f"The unit {unit!r} is no single word. Name who has a start: district, school, county, parish.")
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder.name} is not empty. Name a folder that does not exist yet.")
    if len({file.name for file in given}) < len(given):
        raise BadInput("Two files have the same name. Give each a name of its own.")
    asked = Asked(unit.lower(), pairs("--column", column), pairs("--keep", keep), pad)
    there = {name for file in given for name in _sheets(file)}
    if strange := [name for name in sheet or [] if name not in there]:
        raise bad_value("sheet", strange[0], there)
    looked = [table for file in given for table in look(file, sheet or ())]
    made = draft(looked, asked, folder.name, restated=restated)
    write(made, folder, given)
    read = {(source.file, source.sheet) for source, _ in looked}
    aside = [
        f"sheet {name!r} of {file.name} is not used"
        for file in given
        for name in _sheets(file)
        if (file.name, name) not in read
    ]
    for line in [*made.told, *aside]:
        typer.echo(line)
    todo = sum(text.count("TODO") for text in made.texts.values())
    typer.echo(f"{folder.name} is drafted, with {todo} TODOs. Next: leapstudy --study {folder} check")


def _sheets(file: Path) -> list[str]:
    from leapstudy.data.sheets import read_sheets

    return list(read_sheets(file))


def pairs(option: str, given: list[str] | None) -> dict[str, str]:
    """Return name -> value of an option that is given as NAME=VALUE, and may be repeated."""
    given_pairs = [text.partition("=") for text in given or []]
    if wrong := [name for name, sign, value in given_pairs if not (sign and value)]:
        raise BadInput(f"{option} needs NAME=VALUE, got {wrong[0]!r}.")
    return {name: value for name, _, value in given_pairs}


def write(made: "Draft", folder: Path, files: list[Path]) -> None:
    """Write a drafted study: published files as they are, tables with their hashes, parameters, notebooks."""
    from leapstudy.core import paths
    from leapstudy.core.files import sha256_bytes, write_bytes_atomic, write_text_atomic
    from leapstudy.data.intake import FILE, PUBLISHED
    from leapstudy.data.new_edition import UNITS as UNITS_FILE
    from leapstudy.data.new_edition import keep_published, write_recipes
    from leapstudy.data.raw import as_csv, pin

    raw = folder / "data" / "raw"
    for file in files:
        keep_published(raw / made.recipe.folder / PUBLISHED, file)
    for name, table in (("attendance.csv", made.tables.table), (UNITS_FILE, made.tables.units)):
        write_bytes_atomic(raw / made.recipe.folder / name, as_csv(table))
        pin(raw / made.recipe.folder, {name: sha256_bytes(as_csv(table))})
    for name, text in made.texts.items():
        write_text_atomic(folder / name, text)
    register = raw / "program" / "units.csv"
    pin(register.parent, {register.name: sha256_bytes(register.read_bytes())})
    write_recipes(folder / "params" / FILE, {"attendance": made.recipe})
    own = paths.own_root()
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(own / name, folder / name)
    articles = yaml.safe_load((own / "params" / "state.yml").read_text(encoding="utf-8"))["articles"]
    (folder / "notebooks").mkdir()
    for path in sorted((own / "notebooks").glob("*.ipynb")):
        if path.stem not in articles:
            shutil.copy(path, folder / "notebooks" / path.name)
