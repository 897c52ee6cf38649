"""The first draft of a study from a state's own files: what they say is filled in, what they do not say is a TODO."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.phrases import counted, plural
from leapstudy.data.districts import COLUMNS
from leapstudy.data.guess import Asked, guess_shape, is_number
from leapstudy.data.intake import JOIN, MEASURES, READ, Recipe, Shape, Source
from leapstudy.data.sheets import NUMBER, bounds_of, code_pattern, marks, whole_state_code
from leapstudy.data.state import school_year
from leapstudy.data.tables import Kind, PublishedColumn
from leapstudy.data.tidy import Tidy, tidy

WORDS = {
    "students": "Students enrolled",
    "rate": "Attendance rate: days attended / days enrolled",
    "chronic": "Students who were chronically absent",
    "figure": "TODO: what is counted",
}
# Which outcome a measure is; the first of them that is there is the study's own.
OUTCOMES = {"rate": "attendance_rate", "chronic": "chronic_absence", "figure": "own_outcome"}
SPANISH = {"district": ("distrito", "distritos"), "school": ("escuela", "escuelas"), "county": ("condado", "condados")}
Looked = Sequence[tuple[Source, pd.DataFrame]]


@dataclass(frozen=True, slots=True)
class Draft:
    """A study that is not yet whole: the recipe, the tables, the texts of its files, and what was guessed, in words."""

    recipe: Recipe
    tables: Tidy
    texts: dict[str, str]
    told: tuple[str, ...]


def draft(looked: Looked, request: Asked, name: str, *, restated: bool = False) -> Draft:
    """Return the draft of a study.

    Parameters
    ----------
    looked
        Every table of every published file.
    request
        What the person says of them.
    name
        Name of the workspace's folder.
    restated
        A later file's figure counts where two files differ.

    Raises
    ------
    BadInput
        If a file cannot be understood; what to say then is part of the message.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "study"
    _all_columns_exist(looked, request)
    shapes = _merge([guess_shape(source, frame, request) for source, frame in looked])
    pad = max(shape.pad for shape in shapes)
    own_shapes = tuple(shape.model_copy(update={"pad": pad}) for shape in shapes)
    files = tuple(dict.fromkeys(source.file for source, _ in looked)) if restated else ()
    recipe = Recipe(folder="figures", shapes=own_shapes, restated=files)
    tables = tidy(recipe, dict(looked))
    further = {"whole_state": whole_state_code(tables.units), "fractions": _fractions(tables.table)}
    if any(further.values()):
        recipe = recipe.model_copy(update=further)
        tables = tidy(recipe, dict(looked))
    if not {"rate", "chronic", "figure"} & set(tables.table):
        names = ", ".join(sorted({column for _, frame in looked for column in frame}))
        raise BadInput(
            "No file holds an attendance rate or chronic absence of a school year; name it: --column rate=COLUMN, "
            "--column chronic=COLUMN, or --column figure=COLUMN of another outcome; of columns that are a year each, "
            "--column rate='RATE{year}'. "
            f"Columns: {names}."
        )
    facts = _facts(tables, recipe, request.unit) | {"study": slug, "name": name, "files": ", ".join(recipe.files)}
    return Draft(recipe, tables, _texts(facts), tuple(_report_lines(recipe, tables, facts)))


def _all_columns_exist(frames: Looked, request: Asked) -> None:
    legal_columns = {column for _, frame in frames for column in frame}
    columns = [part for column in (request.columns or {}).values() for part in _parts(column, legal_columns)]
    columns += request.keep or {}
    legal = {name: MEASURES if "{year}" in column else READ for name, column in (request.columns or {}).items()}
    if odd := [name for name in legal if name not in legal[name]]:
        raise bad_value("name of a column", odd[0], legal[odd[0]], "Say --column name=COLUMN.")
    if strange := [name for name in columns if name not in legal_columns and "{year}" not in name]:
        raise BadInput(f"No file has a column {strange[0]!r}. Columns: {', '.join(sorted(legal_columns))}.")


def _parts(column: str, columns: set[str]) -> list[str]:
    return [column] if column in columns else column.split(JOIN)


def _fractions(table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return the years whose rates are fractions where those of other years are percents: files change their unit."""
    ones = {}
    for name in {"rate", "chronic"} & set(table):
        largest = pd.to_numeric(table[name], errors="coerce").groupby(table["year"]).max()
        if (largest > 1).any() and (largest <= 1).any():
            ones[name] = tuple(largest.index[largest <= 1])
    return ones


def _merge(shapes: Sequence[Shape]) -> list[Shape]:
    """Return the shapes, with the sources of those put together that are read alike."""
    alike: dict[str, Shape] = {}
    for shape in shapes:
        key = shape.model_copy(update={"sources": (), "pad": 0}).model_dump_json()
        twin = alike.get(key)
        alike[key] = shape.model_copy(update={"sources": (*twin.sources, *shape.sources)}) if twin else shape
    return list(alike.values())


def _facts(tables: Tidy, recipe: Recipe, unit: str) -> dict[str, Any]:
    """Return what the files say, as the templates need it."""
    table, units = tables.table, tables.units
    years = sorted(table["year"].unique())
    measures = [name for name in MEASURES if name in table]
    every = [school_year(first) for first in range(int(years[0][:4]), int(years[-1][:4]))]
    return {
        "folder": recipe.folder,
        "years": years,
        "gap": [year for year in every if year not in years],
        "unit": unit,
        "units_en": plural(unit),
        "units_es": SPANISH.get(unit, ("unidad", "unidades")),
        "pattern": code_pattern(units["district_code"]),
        "example": units["district_code"].iloc[0],
        "whole_state": recipe.whole_state,
        "measures": [_measure(name, table[name]) for name in measures],
        "measured": measures,
        "groups": sorted(table["group"].unique()),
        "units": [_trait(name, units[name]) for name in units.columns[1:]],
        "has_students": bool((units["students"] != "").any()),
        "outcome": next(OUTCOMES[name] for name in OUTCOMES if name in measures),
    }


def _measure(name: str, cells: pd.Series) -> PublishedColumn:
    """Return a column of figures: its unit by its largest value, and what its cells that are no numbers are."""
    blank, hidden = "TODO: what an empty cell means" if (cells == "").any() else "", tuple(marks(cells))
    if name in ("students", "figure"):
        kind: Kind = "count" if name == "students" else "number"
        unit = name if name == "students" else ""
        return PublishedColumn(name=name, kind=kind, unit=unit, means=WORDS[name], blank=blank, suppressed=hidden)
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


def _report_lines(recipe: Recipe, tables: Tidy, facts: dict[str, Any]) -> list[str]:
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
    lines += [f"{name} is a fraction in {', '.join(of)}, taken times 100" for name, of in recipe.fractions.items()]
    if tables.restated:
        lines.append(f"{counted(tables.restated, 'cell')} of earlier files replaced by what a later one says")
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in tables.accounts.items())
    lines.append(f"{tables.rows_in:,} published rows: {reasons}")
    units = counted(len(tables.units), facts["unit"], facts["units_en"])
    lines.append(f"{units}, codes like {facts['example']!r}, {len(facts['years'])} school years")
    lines += [
        f"codes of fewer digits were filled with zeros to {pad}; --pad says another length" for pad in _padded(recipe)
    ]
    for what, part in (("not shown", "suppressed"), ("published as bounds", "bounded")):
        signs = sorted({mark for item in facts["measures"] for mark in getattr(item, part)})
        lines.append(f"marks of figures that are {what}: {', '.join(signs) or 'none'}")
    return lines


def _padded(recipe: Recipe) -> list[int]:
    """Return the length that codes were filled to; nothing where every code had it."""
    return [recipe.shapes[0].pad] if recipe.shapes[0].pad else []
