"""A newer file of a source held against what is pinned; nothing is overwritten before `accept`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.files import sha256_bytes, write_bytes_atomic, write_text_atomic
from leapstudy.data.intake import FILE as INTAKE
from leapstudy.data.intake import PUBLISHED, Recipe, Shape, Source, Tidy, lacking, look, read_recipes, read_source, tidy
from leapstudy.data.raw import (
    Differences,
    Replacement,
    as_csv,
    as_text,
    differences,
    listed,
    pin,
    read_bytes,
    replace_pinned,
    with_rows,
)
from leapstudy.data.schema import checked
from leapstudy.data.sheets import as_table, header_line, read_sheets
from leapstudy.data.state import State
from leapstudy.data.tables import PublishedTable

Looked = list[tuple[Source, pd.DataFrame]]
# The table of units that is read together with the figures.
UNITS = "districts.csv"
INTAKE_HEAD = "# How the published files are read into the study's tables; see README.md.\n"


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace's folders: the figures, and the parameters."""

    raw: Path
    params: Path


@dataclass(frozen=True, slots=True)
class NewEdition:
    """A file read as a table of the study, what it moves, what keeps it from being accepted, and its further years."""

    table: PublishedTable
    file: Path
    content: bytes
    moved: Differences
    faults: tuple[str, ...]
    recipe: Recipe | None
    units: pd.DataFrame | None
    further: tuple[str, ...]


def new_edition(
    state: State,
    place: Place,
    file: Path,
    name: str = "",
    *,
    add: bool = False,
    renamed: Mapping[str, str] | None = None,
) -> NewEdition:
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
    renamed
        The study's name -> the column that holds it in this file, where it is called otherwise than before.

    Raises
    ------
    BadInput
        If the file cannot be read as the table.
    """
    recipes = read_recipes(place.params / INTAKE)
    table = _table(state, recipes, file, name)
    old = as_text(read_bytes(place.raw, table.file)[0], table.file)
    recipe = recipes.get(table.name)
    key = [table.column(part).source_name for part in table.key]
    units = None
    if recipe:
        tables = look(file, {source.sheet for source in recipe.sources} - {""})
        recipe = _with_file(recipe, file, tables, add, renamed or {})
        figures = _tidy(recipe, place, tables)
        new, units = figures.table, figures.units
    else:
        new = _as_pinned(table, file)
        new = with_rows(old, new, key) if add else new
    content = file.read_bytes() if not recipe and not add and file.suffix == ".csv" else as_csv(new)
    faults = tuple(checked(table, new, state.unit.code)[1])
    further = _further(table, old, new)
    return NewEdition(table, file, content, differences(old, new, key), faults, recipe, units, further)


def _further(table: PublishedTable, old: pd.DataFrame, new: pd.DataFrame) -> tuple[str, ...]:
    """Return the years, as published, that the pinned table does not have."""
    name = next((column.source_name for column in table.columns if column.kind == "year"), "")
    return tuple(sorted({*new.get(name, ())} - {*old.get(name, ())}))


def _table(state: State, recipes: dict[str, Recipe], file: Path, name: str) -> PublishedTable:
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


def _with_file(recipe: Recipe, file: Path, tables: Looked, add: bool, new_names: Mapping[str, str]) -> Recipe:
    """Return the recipe with a file's tables in the place of the file of its name, of the only one, or added."""
    names = recipe.files
    if file.name not in names and not add and len(names) > 1:
        raise BadInput(
            f"{recipe.folder} is read from {len(names)} files ({', '.join(names)}). Give the new file the name of the "
            "one that it replaces, or say --add if it is a further one."
        )
    old_name = file.name if file.name in names else "" if add else names[0]
    rest = [tuple(source for source in shape.sources if source.file != old_name) for shape in recipe.shapes]
    shapes = [shape.model_copy(update={"sources": own}) for shape, own in zip(recipe.shapes, rest, strict=True)]
    for source, frame in tables:
        place = _fitting(recipe, source, frame)
        shape = _with_new_names(recipe, source, frame, new_names) if place is None else shapes[place]
        with_it = shape.model_copy(update={"sources": (*shape.sources, source)})
        shapes = [*shapes, with_it] if place is None else [*shapes[:place], with_it, *shapes[place + 1 :]]
    shapes = [shape for shape in shapes if shape.sources]
    newest = (*(name for name in recipe.restated if name != file.name), file.name) if recipe.restated else ()
    return recipe.model_copy(update={"shapes": tuple(shapes), "restated": newest})


def _fitting(recipe: Recipe, source: Source, frame: pd.DataFrame) -> int | None:
    """Return the place of the shape that reads a table: that of its sheet's name, or the one that asks for most."""
    places = [place for place, shape in enumerate(recipe.shapes) if not lacking(shape, frame)]
    places_of_sheet = [
        place for place in places if source.sheet in {item.sheet for item in recipe.shapes[place].sources}
    ]
    return max(places_of_sheet or places, key=lambda place: len(recipe.shapes[place].asked), default=None)


def _with_new_names(recipe: Recipe, source: Source, frame: pd.DataFrame, new_names: Mapping[str, str]) -> Shape:
    """Return the nearest shape with the columns as a person calls them now, and no source; else `BadInput`."""
    nearest = min(reversed(recipe.shapes), key=lambda shape: len(lacking(shape, frame)) / len(shape.asked))
    shape = nearest.model_copy(update={"columns": {**nearest.columns, **new_names}, "sources": ()})
    if missing := lacking(shape, frame):
        names = {column: name for name, column in nearest.columns.items()}
        example = f"--column {names.get(missing[0], 'NAME')}=COLUMN"
        raise BadInput(
            f"{source.place} lacks the columns {', '.join(missing)}; it has {', '.join(sorted(frame))}. Say how a "
            f"column is called now ({example}), or add a shape to {INTAKE}."
        )
    return shape


def _tidy(recipe: Recipe, place: Place, tables: Looked) -> Tidy:
    folder, new = place.raw / recipe.folder / PUBLISHED, dict(tables)
    frames = {item: new[item] if item in new else read_source(folder, item) for item in recipe.sources}
    return tidy(recipe, frames)


def _as_pinned(table: PublishedTable, file: Path) -> pd.DataFrame:
    """Return a file that has the pinned file's own columns; units' codes and all other cells stay text."""
    if file.suffix == ".csv":
        return as_text(file.read_bytes(), file.name)
    rows = next(iter(read_sheets(file).values()))
    frame = as_table(rows, header_line(rows))[0]
    names = [column.source_name for column in table.columns]
    return frame[names] if set(frame.columns) == set(names) else frame


def newer_than_its_name(state: State, edition: NewEdition) -> list[str]:
    """Say which editions hold years beyond those that they held, since their names stay what plan and study ask for."""
    holding = [name for name, item in state.editions.items() if edition.table.name in (item.attendance, item.chronic)]
    return [
        f"The edition {name!r} now holds figures of {', '.join(edition.further)} too, and keeps its name, by which "
        f"params/study.yml and the frozen plan ask for it. Under `editions:` of params/state.yml say what pages cite "
        "now (`source`), and which years are not final (`preliminary`)."
        for name in holding
        if edition.further
    ]


def unread(place: Place, edition: NewEdition) -> list[str]:
    """Say which published files stay though no table is read from them any more."""
    if edition.recipe is None:
        return []
    folder = f"{edition.recipe.folder}/{PUBLISHED}"
    read = {file for recipe in read_recipes(place.params / INTAKE).values() for file in recipe.files}
    unread_files = sorted(set(listed(place.raw / folder)) - read)
    return [
        f"data/raw/{folder}/{name} is read no longer. It stays as the source of earlier figures; whoever does not need "
        f"it deletes the file and its line in SHA256SUMS."
        for name in unread_files
    ]


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
    if edition.recipe and edition.units is not None:
        keep_published(place.raw / edition.recipe.folder / PUBLISHED, edition.file)
        recipes = read_recipes(place.params / INTAKE) | {edition.table.name: edition.recipe}
        write_recipes(place.params / INTAKE, recipes)
        _replace(place, f"{edition.recipe.folder}/{UNITS}", as_csv(edition.units), edition.file.name, when)
    return _replace(place, edition.table.file, edition.content, edition.file.name, when, edition.moved)


def _replace(
    place: Place, file: str, content: bytes, origin: str, when: str, changes: Differences | None = None
) -> Path:
    """Replace one pinned file; the table of units is compared here, by its first column."""
    if changes is None:
        old, new = as_text(read_bytes(place.raw, file)[0], file), as_text(content, file)
        changes = differences(old, new, [new.columns[0]])
    path = place.raw / file
    if not len(changes.cells) and path.read_bytes() == content:
        return path
    return replace_pinned(path.parent, path.name, content, Replacement(origin, when, changes))


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
