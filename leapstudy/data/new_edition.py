"""A newer file of a source held against what is pinned; nothing is overwritten before `accept`."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.files import sha256_bytes, write_bytes_atomic, write_text_atomic
from leapstudy.data.differences import Differences, differences, with_rows
from leapstudy.data.intake import FILE as INTAKE
from leapstudy.data.intake import PUBLISHED, Recipe, Source, read_recipes, read_source, school_year_of, tidy
from leapstudy.data.pin import Replacement, as_csv, pin, replace_pinned
from leapstudy.data.raw import as_text, read_bytes
from leapstudy.data.schema import checked
from leapstudy.data.sheets import as_table, header_line, read_sheets
from leapstudy.data.state import State
from leapstudy.data.tables import Table

INTAKE_HEAD = "# How the published files are read into the study's tables; see README.md.\n"


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace's folders: the figures, and the parameters."""

    raw: Path
    params: Path


@dataclass(frozen=True, slots=True)
class NewEdition:
    """A file read as a table of the study, what it moves, and what keeps it from being accepted."""

    table: Table
    file: Path
    content: bytes
    moved: Differences
    faults: tuple[str, ...]
    recipe: Recipe | None


def new_edition(state: State, place: Place, file: Path, name: str = "", *, add: bool = False) -> NewEdition:
    """Read a file as the newer edition of a table, and compare it cell by cell with what is pinned.

    Parameters
    ----------
    state
        What is true of the study.
    place
        Its folders.
    file
        The new file: in the shape of the pinned one, or of the published file that the table was read from.
    name
        The table; may be left out where only one fits.
    add
        The file holds further rows (next year's), and takes none away.

    Raises
    ------
    BadInput
        If the file cannot be read as the table.
    """
    recipes = read_recipes(place.params / INTAKE)
    table = _table(state, recipes, file, name)
    old = as_text(read_bytes(place.raw, table.file)[0])
    recipe = recipes.get(table.name)
    key = [table.column(part).source_name for part in table.key]
    if recipe:
        recipe = _with_source(recipe, file, add)
        new = _tidied(recipe, place, file)
    else:
        new = _as_pinned(table, file)
        new = with_rows(old, new, key) if add else new
    content = file.read_bytes() if not recipe and not add and file.suffix == ".csv" else as_csv(new)
    return NewEdition(
        table, file, content, differences(old, new, key), tuple(checked(table, new, state.unit.code)[1]), recipe
    )


def _table(state: State, recipes: dict[str, Recipe], file: Path, name: str) -> Table:
    if name:
        if name not in state.tables:
            raise bad_value("table", name, state.tables, "params/state.yml declares them.")
        return state.tables[name]
    own = [table for table in state.tables.values() if table.name in recipes] or list(state.tables.values())
    if len(own) > 1:
        sheet = next(iter(read_sheets(file).values()))
        names = set(as_table(sheet, header_line(sheet))[0].columns)
        own = [table for table in own if {column.source_name for column in table.columns} == names] or own
    if len(own) > 1:
        raise BadInput(f"{file.name} may be any of {', '.join(table.name for table in own)}. Say which with --table.")
    return own[0]


def _with_source(recipe: Recipe, file: Path, add: bool) -> Recipe:
    """Return the recipe with the file in the place of the source of its name, of the only source, or added."""
    names = [source.file for source in recipe.sources]
    if file.name in names:
        place = names.index(file.name)
    elif add or len(names) == 1:
        place = len(names) if add else 0
    else:
        raise BadInput(
            f"{recipe.folder} is read from {len(names)} files ({', '.join(names)}). Give the new file the name of the "
            "one that it replaces, or say --add if it is a further one."
        )
    sources = [*recipe.sources]
    sources[place : place + 1] = [_like(sources[min(place, len(names) - 1)], file, recipe.single_year)]
    return recipe.model_copy(update={"sources": tuple(sources)})


def _like(known: Source, file: Path, single_year: str) -> Source:
    """Return how a file is read that has the shape of a known source."""
    sheets = read_sheets(file)
    sheet = known.sheet if known.sheet in sheets else next(iter(sheets))
    year = school_year_of(sheet, single_year) or school_year_of(file.stem, single_year) if known.year else ""
    return Source(file=file.name, sheet=sheet, header=header_line(sheets[sheet]), year=year)


def _tidied(recipe: Recipe, place: Place, file: Path) -> pd.DataFrame:
    folder = place.raw / recipe.folder / PUBLISHED
    frames = [read_source(file.parent if source.file == file.name else folder, source) for source in recipe.sources]
    return tidy(recipe, frames).table


def _as_pinned(table: Table, file: Path) -> pd.DataFrame:
    """Return a file that has the pinned file's own columns; units' codes and all other cells stay text."""
    if file.suffix == ".csv":
        return as_text(file.read_bytes())
    rows = next(iter(read_sheets(file).values()))
    frame = as_table(rows, header_line(rows))[0]
    wanted = [column.source_name for column in table.columns]
    return frame[wanted] if set(frame.columns) == set(wanted) else frame


def accept(edition: NewEdition, place: Place, when: str) -> Path:
    """Put a new edition in the place of the pinned one, with its hash and a record; return the list of moved cells.

    Raises
    ------
    BadInput
        If it has faults: nothing is changed then.
    """
    if edition.faults:
        faults = "\n".join(f"- {fault}" for fault in edition.faults)
        raise BadInput(f"{edition.file.name} is not accepted, and nothing was changed:\n{faults}")
    if edition.recipe:
        keep_published(place.raw / edition.recipe.folder / PUBLISHED, edition.file)
        recipes = read_recipes(place.params / INTAKE) | {edition.table.name: edition.recipe}
        write_recipes(place.params / INTAKE, recipes)
    made = Replacement(edition.file.name, when, edition.moved)
    folder = place.raw / edition.table.folder
    return replace_pinned(folder, Path(edition.table.file).name, edition.content, made)


def keep_published(folder: Path, file: Path) -> None:
    """Copy a published file as it is, and pin it."""
    content = file.read_bytes()
    write_bytes_atomic(folder / file.name, content)
    pin(folder, {file.name: sha256_bytes(content)})


def write_recipes(path: Path, recipes: dict[str, Recipe]) -> None:
    """Write the recipes without what is left at its default."""
    plain = {name: recipe.model_dump(mode="json", exclude_defaults=True) for name, recipe in recipes.items()}
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)
    write_text_atomic(path, INTAKE_HEAD + text)
