"""The first draft of a study from a state's own files: what they say is filled in, what they do not say is a TODO."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from leapstudy.core.errors import BadInput
from leapstudy.data.districts import COLUMNS
from leapstudy.data.guess import Asked, guess_shape, is_number
from leapstudy.data.intake import MEASURES, Recipe, Shape, Source
from leapstudy.data.state import school_year
from leapstudy.data.tables import Kind, PublishedColumn
from leapstudy.data.tidy import Tidy, tidy
from leapstudy.data.values import NUMBER, bounds_of, code_pattern, marks, whole_state_code

WORDS = {
    "students": "Students enrolled",
    "rate": "Attendance rate: days attended / days enrolled",
    "chronic": "Students who were chronically absent",
}
Looked = Sequence[tuple[Source, pd.DataFrame]]


@dataclass(frozen=True, slots=True)
class Draft:
    """A study that is not yet whole: the recipe, the tables, the texts of its files, and what was guessed, in words."""

    recipe: Recipe
    tables: Tidy
    texts: dict[str, str]
    told: tuple[str, ...]


def draft(looked: Looked, asked: Asked, name: str) -> Draft:
    """Return the draft of a study.

    Parameters
    ----------
    looked
        Every table of every published file.
    asked
        What the person says of them.
    name
        Name of the workspace's folder.

    Raises
    ------
    BadInput
        If a file cannot be understood; what to say then is part of the message.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "study"
    _all_columns_exist(looked, asked)
    shapes = _merged([guess_shape(source, frame, asked) for source, frame in looked])
    pad = max(shape.pad for shape in shapes)
    recipe = Recipe(folder="figures", shapes=tuple(shape.model_copy(update={"pad": pad}) for shape in shapes))
    tables = tidy(recipe, dict(looked))
    whole_state = whole_state_code(tables.units)
    if whole_state:
        recipe = recipe.model_copy(update={"whole_state": whole_state})
        tables = tidy(recipe, dict(looked))
    facts = _facts(tables, recipe, asked.unit) | {"study": slug, "name": name, "files": ", ".join(recipe.files)}
    return Draft(recipe, tables, _texts(facts), tuple(_told(recipe, tables, facts)))


def _all_columns_exist(looked: Looked, asked: Asked) -> None:
    there = {column for _, frame in looked for column in frame}
    given = [*(asked.columns or {}).values(), *(asked.keep or {})]
    if strange := [name for name in given if name not in there and "{year}" not in name]:
        raise BadInput(f"No file has a column {strange[0]!r}. Columns: {', '.join(sorted(there))}.")


def _merged(shapes: Sequence[Shape]) -> list[Shape]:
    """Return the shapes, with the sources of those put together that are read alike."""
    alike: dict[str, Shape] = {}
    for shape in shapes:
        key = shape.model_copy(update={"sources": (), "pad": 0}).model_dump_json()
        known = alike.get(key)
        alike[key] = shape.model_copy(update={"sources": (*known.sources, *shape.sources)}) if known else shape
    return list(alike.values())


def _facts(tables: Tidy, recipe: Recipe, unit: str) -> dict[str, Any]:
    """Return what the files say, as the templates need it."""
    table, units = tables.table, tables.units
    years = sorted(table["year"].unique())
    every = [school_year(first) for first in range(int(years[0][:4]), int(years[-1][:4]))]
    measures = [_measure(name, table[name]) for name in MEASURES if name in table]
    measured = [item.name for item in measures]
    if not {"rate", "chronic"} & set(measured):
        raise BadInput("No file holds an attendance rate or chronic absence; name it: --column rate=COLUMN.")
    return {
        "folder": recipe.folder,
        "years": years,
        "gap": [year for year in every if year not in years],
        "unit": unit,
        "pattern": code_pattern(units["district_code"]),
        "example": units["district_code"].iloc[0],
        "whole_state": recipe.whole_state,
        "measures": measures,
        "measured": measured,
        "groups": sorted(table["group"].unique()),
        "units": [_trait(name, units[name]) for name in units.columns[1:]],
        "has_students": bool((units["students"] != "").any()),
        "outcome": "attendance_rate" if "rate" in measured else "chronic_absence",
    }


def _measure(name: str, cells: pd.Series) -> PublishedColumn:
    """Return a column of figures: its unit by its largest value, and what its cells that are no numbers are."""
    blank, hidden = "TODO: what an empty cell means" if (cells == "").any() else "", marks(cells)
    if name == "students":
        return PublishedColumn(
            name=name, kind="count", unit=name, means=WORDS[name], blank=blank, suppressed=tuple(hidden)
        )
    is_percent = pd.to_numeric(cells, errors="coerce").max() > 1
    bounds = {mark: ends for mark in hidden if (ends := bounds_of(mark, 100 if is_percent else 1))}
    return PublishedColumn(
        name=name,
        kind="percent" if is_percent else "fraction",
        unit="percent 0 to 100" if is_percent else "fraction 0 to 1",
        means=WORDS[name],
        blank=blank,
        suppressed=tuple(mark for mark in hidden if mark not in bounds),
        bounded=bounds,
    )


def _trait(name: str, cells: pd.Series) -> PublishedColumn:
    """Return a column of the table of units: its name, its students, or what does not change."""
    blank = "not published" if (cells == "").any() else ""
    if name == "students":
        odd = tuple(cell for cell in dict.fromkeys(cells) if cell and not NUMBER.fullmatch(cell))
        means = "Students enrolled in the first year"
        return PublishedColumn(name=name, kind="count", unit=name, means=means, blank=blank, suppressed=odd)
    if name == "district":
        return PublishedColumn(name=name, kind="text", unit="", means="Name", blank=blank)
    number = is_number(cells)
    hidden = tuple(marks(cells)) if number else ()
    kind: Kind = "number" if number else "choice"
    return PublishedColumn(name=name, kind=kind, unit="", means=f"As published: {name}", blank=blank, suppressed=hidden)


def _texts(facts: dict[str, Any]) -> dict[str, str]:
    environment = Environment(
        loader=PackageLoader("leapstudy.data", "scaffold"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    files = {
        "params/state.yml": "state.yml",
        "params/study.yml": "study.yml",
        "params/plan.yml": "plan.yml",
        "params/rollout.yml": "rollout.yml",
        "README.md": "README.md",
    }
    texts = {path: environment.get_template(f"{name}.j2").render(facts) for path, name in files.items()}
    return texts | {"data/raw/program/units.csv": ",".join(COLUMNS) + "\n"}


def _told(recipe: Recipe, tables: Tidy, facts: dict[str, Any]) -> list[str]:
    """Return what was read and guessed, one line a fact."""
    lines = []
    for shape in recipe.shapes:
        read = [f"{name} from {column!r}" for name, column in shape.columns.items()]
        read += [f"{name} from the columns {form!r}" for name, form in shape.wide.items()]
        read += [f"{name} as {top!r} / {bottom!r}" for name, (top, bottom) in shape.ratios.items()]
        read += [f"trait {name} from {column!r}" for name, column in shape.traits.items()]
        files = ", ".join(dict.fromkeys(source.file for source in shape.sources))
        lines.append(f"{files}: {'; '.join(read)}")
        lines += [f"  only rows with {column} = {value}" for column, value in shape.keep.items()]
        lines += [f"  student group {published!r} is {name!r}" for published, name in shape.groups.items()]
    used = ", ".join(f"{n:,} {reason}" for reason, n in tables.accounts.items())
    lines.append(f"{tables.rows_in:,} published rows: {used}")
    lines.append(
        f"{len(tables.units):,} {facts['unit']}s, codes like {facts['example']!r}, {len(facts['years'])} school years"
    )
    lines += [
        f"codes of fewer digits were filled with zeros to {pad}; --pad says another length" for pad in _padded(recipe)
    ]
    for what, part in (("not shown", "suppressed"), ("published as bounds", "bounded")):
        found = sorted({mark for item in facts["measures"] for mark in getattr(item, part)})
        lines.append(f"marks of figures that are {what}: {', '.join(found) or 'none'}")
    return lines


def _padded(recipe: Recipe) -> list[int]:
    """Return the length that codes were filled to; nothing where every code had it."""
    return [recipe.shapes[0].pad] if recipe.shapes[0].pad else []
