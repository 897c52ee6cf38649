"""The first draft of a study from a state's own files: guessed from names and values, each guess said; else a TODO."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.phrases import counted, plural
from leapstudy.data.districts import COLUMNS
from leapstudy.data.intake import (
    JOIN,
    KEY,
    MEASURES,
    READ,
    Recipe,
    Shape,
    Source,
    Tidy,
    codes_of,
    columns_by_year,
    tidy,
)
from leapstudy.data.sheets import (
    NUMBER,
    ONE,
    SHORT,
    SHORT_SPAN,
    SPAN,
    bounds_of,
    code_pattern,
    figures_text,
    is_year,
    marks,
    school_year_of,
    whole_state_code,
)
from leapstudy.data.state import school_year
from leapstudy.data.tables import Kind, PublishedColumn

RATE = r"rate|percent|pct|%|share|proportion"
CHRONIC, ATTEND, DAYS = r"chron", r"attend|\batt\b|\batnd|\bada\b", r"days|membership|average daily|\bad[am]\b"
PRESENT = r"present|attended|in attendance|daily attendance|\bada\b"
ENROLLED = r"enrolled|member|possible|enrollment|\badm\b"
# What a count of chronically absent students is divided by, where its name says chronic too.
OF = r"eligible|enroll|denom|member|cohort"
STUDENTS = r"enroll|students?\b|denom|membership|\bn\b|count(?!y)|total|size"
UNIT = (
    r"(district|dstrct|dist|lea|school|campus|building|site|corp|org|entity|agency|system|unit|institution|division|"
    r"parish|county|region)"
)
CODE = rf"{UNIT}.*(code|\bcd\b|\bid\b|number|\bnum\b|\bnbr\b|\bno\b|#|irn)|^(code|id|leaid|irn|dbn|rcdts|aun)$"
NAME = rf"{UNIT}.*name|^{UNIT}$|^(name|organi[sz]ation|county name)$"
YEAR = r"year|^(yr|sy|fy)$"
GROUP = r"sub ?group|student ?group|demographic|category|population|reporting ?group|^group"
LEVEL = r"level|type|aggregat"
# Values of a level; of another unit those that begin with its noun.
LEVELS = {
    "district": r"^(district|lea\b|local education|corporation|division|d$)",
    "school": r"^(school|campus|building|s$)",
}
ALL = re.compile(r"(all|total|overall)\b.*|(state|district|school)[ -]?(total|wide)", re.IGNORECASE)
LARGER = r"county|region"
TAKEN = {*KEY, *MEASURES, "district"}
# A column of more different values is no trait.
MOST_VALUES = 40


def named(frame: pd.DataFrame, pattern: str, *taken: str) -> list[str]:
    """Return the columns whose name has a pattern; an underscore counts as a space."""
    plain = {name: re.sub(r"[_\s]+", " ", name).strip() for name in frame if name not in taken}
    return [name for name, words in plain.items() if re.search(pattern, words, re.IGNORECASE)]


def is_number(cells: pd.Series) -> bool:
    """Say whether at least half of a column's filled cells are numbers, a percent sign or separators set aside."""
    figures = figures_text(cells[cells != ""])
    return bool(len(figures)) and bool(figures.str.fullmatch(r"[-+]?[\d.]+").mean() >= 0.5)


def measures_of(
    frame: pd.DataFrame, taken: set[str], known: set[str]
) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Return the columns of figures, and the rates that have to be divided from two of them."""
    numeric = [name for name in frame if name not in taken and is_number(frame[name])]
    table = frame[numeric]
    chronic, attend, days = named(table, CHRONIC), named(table, ATTEND), named(table, DAYS)
    shares = [name for name in numeric if _is_share(name, frame[name])]
    counts_of = [name for name in numeric if not re.search(RATE, name, re.IGNORECASE) and name not in {*shares, *days}]
    students = [name for name in named(frame[counts_of], STUDENTS) if name not in chronic]
    under = [name for name in named(frame[chronic], OF) if name not in shares]
    options = {
        "chronic": [name for name in chronic if name in shares],
        "rate": [name for name in attend if name in shares and name not in chronic],
        "students": [name for name in students if name not in attend] or students or under,
    }
    columns = {name: candidates[0] for name, candidates in options.items() if candidates and name not in known}
    counts = {
        "chronic": (
            [name for name in chronic if name not in {*shares, *under}],
            next(iter(under), columns.get("students", "")),
        ),
        "rate": (named(frame[days], PRESENT), next(iter(named(frame[days], ENROLLED)), "")),
    }
    ratios = {
        name: (top[0], bottom)
        for name, (top, bottom) in counts.items()
        if name not in {*columns, *known} and top and bottom and top[0] != bottom
    }
    return columns, ratios


def _is_share(name: str, cells: pd.Series) -> bool:
    """Say whether a column may hold shares: its name or its cells say so, and no number is above 100."""
    signs = cells.str.endswith("%").any() or cells.str.fullmatch(r"\d*\.\d*[1-9]\d*").any()
    by_name = bool(re.search(RATE, name, re.IGNORECASE)) or bool(signs)
    return by_name and not pd.to_numeric(figures_text(cells), errors="coerce").max() > 100


def wide_of(frame: pd.DataFrame, source: Source, columns: Mapping[str, str]) -> dict[str, str]:
    """Return measure -> form of the columns that are a year each; nothing where a column holds the years."""
    forms: dict[str, list[str]] = {}
    if "year" in columns:
        return {}
    for name in frame:
        hit = next((hit for form in (SPAN, SHORT_SPAN, SHORT, ONE) if (hit := form.search(name))), None)
        if name not in columns.values() and hit and is_year(hit[0]) and is_number(frame[name]):
            forms.setdefault(name[: hit.start()] + "{year}" + name[hit.end() :], []).append(name)
    forms = {form: names for form, names in forms.items() if len(names) > 1}
    wide: dict[str, str] = {}
    for form, names in forms.items():
        cells = pd.concat([frame[name] for name in names])
        measure = _measure_of(form, f"{source.sheet} {source.file}", cells)
        if measure:
            wide.setdefault(measure, form)
    if forms and not wide:
        example = next(iter(forms))
        raise BadInput(
            f"{source.file}: what do the columns {example!r} hold? --column rate={example!r} for attendance, "
            "chronic=... for chronic absence, figure=... for any other outcome."
        )
    return wide


def _measure_of(form: str, place: str, cells: pd.Series) -> str:
    """Return which measure the columns of a form are, by their name, or else by the sheet's and the file's."""
    share = _is_share(form, cells)
    for words in (form, re.sub(r"[_\W]+", " ", place)):
        if re.search(CHRONIC, words, re.IGNORECASE) and share:
            return "chronic"
        if re.search(ATTEND, words, re.IGNORECASE) and share:
            return "rate"
        if re.search(STUDENTS, words, re.IGNORECASE) and not share:
            return "students"
    return ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person says of the files: the unit, columns by the study's name, and the rows that count."""

    unit: str = "district"
    columns: Mapping[str, str] | None = None
    keep: Mapping[str, str] | None = None
    pad: int = 0


def guess_shape(source: Source, frame: pd.DataFrame, request: Asked) -> Shape:
    """Return how a table of text is read, as far as its names and values say it.

    Parameters
    ----------
    source
        Where it is from; its name helps where columns are called by their year alone.
    frame
        Cells as text.
    request
        What the person says; it goes before every guess.

    Raises
    ------
    BadInput
        If no column looks like the unit's code, or none holds a figure.
    """
    own_columns = {
        name: column for name, column in (request.columns or {}).items() if column in frame or "{year}" in column
    }
    columns = {name: column for name, column in own_columns.items() if "{year}" not in column}
    code = columns["district_code"] = columns.get("district_code") or _code(frame, request.unit)
    frame = frame.assign(**{code: codes_of(Shape(sources=(source,), columns=columns), frame)})
    _first(columns, "district", [name for name in named(frame, NAME, code) if not _is_code(frame[name])], request.unit)
    _first(columns, "year", [name for name in named(frame, YEAR, code) if _all_years(frame[name])])
    wide = {name: form for name, form in own_columns.items() if "{year}" in form} or wide_of(frame, source, columns)
    columns_in_use = {
        *columns.values(),
        *(column for form in wide.values() for column in columns_by_year(frame, form, "spring").values()),
    }
    _first(columns, "group", [name for name in named(frame, GROUP, *columns_in_use) if _whole(frame[name])])
    columns_in_use |= {*named(frame, CODE), *(part for column in columns.values() for part in column.split(JOIN))}
    measures, ratios = measures_of(frame, columns_in_use, set(columns) | set(wide))
    columns |= measures
    dated = "year" in columns or source.year != ""
    if not dated and not wide and not ratios and set(columns) & set(MEASURES) == {"students"}:
        del columns["students"]
    is_list = not wide and not ratios and not set(columns) & set(MEASURES)
    if is_list and "year" in columns:
        raise BadInput(
            f"{source.file}: no column looks like an attendance rate, chronic absence or enrollment. Say which is: "
            "--column rate=COLUMN, --column chronic=COLUMN, --column students=COLUMN, or --column figure=COLUMN of "
            f"another outcome. {_columns(frame)}"
        )
    groups = {whole: "all"} if "group" in columns and (whole := _whole(frame[columns["group"]])) else {}
    keep = {**_keep(frame, columns, groups, request), **{k: v for k, v in (request.keep or {}).items() if k in frame}}
    pad = request.pad or _pad(frame[code])
    columns["district_code"] = _whole_code(frame, columns, keep, groups, request)
    shape = Shape(sources=(source,), keep=keep, columns=columns, wide=wide, ratios=ratios, groups=groups, pad=pad)
    return shape.model_copy(update={"traits": _traits(frame, shape, figures=is_list)})


def _first(columns: dict[str, str], name: str, candidates: Sequence[str], like: str = "") -> None:
    """Fill in the first candidate, one that names `like` before others, unless the person said which."""
    if name not in columns and candidates:
        columns[name] = next((item for item in candidates if like and like in item.lower()), candidates[0])


def _code(frame: pd.DataFrame, unit: str) -> str:
    code_columns = named(frame, CODE)
    codes = [name for name in [*code_columns, *named(frame, rf"^{UNIT}$")] if _is_code(frame[name])]
    nearest = [name for name in codes if not re.search(LARGER, name, re.IGNORECASE)]
    own = [name for name in code_columns if unit in name.lower()] or nearest or codes or code_columns
    if not own:
        raise BadInput(
            f"No column looks like a unit's code. Say which is: --column district_code=COLUMN. {_columns(frame)}"
        )
    return own[0]


def _whole_code(
    frame: pd.DataFrame, columns: Mapping[str, str], keep: Mapping[str, str], groups: Mapping[str, str], request: Asked
) -> str:
    """Return the column of codes, or the fewest of larger units in front of it that tell its rows apart."""
    code = columns["district_code"]
    rows = frame[frame[code] != ""]
    for name, value in {**keep, **({columns["group"]: next(iter(groups))} if groups else {})}.items():
        rows = rows[rows[name] == value]
    key = [columns[name] for name in ("year",) if name in columns]
    larger = [name for name in named(frame, CODE, code) if request.unit not in name.lower() and _is_code(frame[name])]
    larger = [name for name in larger if request.unit == "school" or re.search(LARGER, name, re.IGNORECASE)]
    for several in ([], *([name] for name in larger), larger):
        if not rows.duplicated([*several, code, *key]).any():
            return JOIN.join([*several, code])
    return code


def _columns(frame: pd.DataFrame) -> str:
    return f"Columns: {', '.join(frame.columns)}."


def _is_code(cells: pd.Series) -> bool:
    cells_with_text = cells[cells != ""]
    return bool(len(cells_with_text)) and bool(cells_with_text.str.fullmatch(r"[\dA-Z.-]*\d[\dA-Z.-]*").mean() > 0.9)


def _all_years(cells: pd.Series) -> bool:
    labels = cells[cells != ""].unique()
    return len(labels) > 0 and all(school_year_of(label) for label in labels)


def _whole(cells: pd.Series) -> str:
    """Return the value that stands for all students; empty where none does."""
    return next((value for value in cells.unique() if ALL.fullmatch(value)), "")


def _keep(frame: pd.DataFrame, columns: Mapping[str, str], groups: Mapping[str, str], request: Asked) -> dict[str, str]:
    """Return which rows count: those of the unit's level, and of all students in every other breakdown."""
    keep: dict[str, str] = {}
    level = LEVELS.get(request.unit, f"^{re.escape(request.unit)}")
    rows = frame[frame[columns["group"]].isin(groups)] if groups else frame
    for name in named(frame, LEVEL, *columns.values()):
        own = [value for value in frame[name].unique() if re.search(level, value, re.IGNORECASE)]
        if own and frame[name].nunique() > 1 and not keep:
            keep[name] = own[0]
            rows = rows[rows[name] == own[0]]
    key = [columns[name] for name in KEY if name in columns]
    for name in frame:
        if name in columns.values() or name in keep or not rows.duplicated(key).any():
            continue
        whole = _whole(frame[name]) if frame[name].nunique() <= MOST_VALUES else ""
        if whole:
            keep[name] = whole
            rows = rows[rows[name] == whole]
    return keep


def _pad(codes: pd.Series) -> int:
    """Return the length of the longest code where all are digits and some are shorter: those have lost zeros."""
    own_codes = codes[codes != ""]
    lengths = own_codes.str.len()
    return int(lengths.max()) if own_codes.str.fullmatch(r"\d+").all() and lengths.nunique() > 1 else 0


def _traits(frame: pd.DataFrame, shape: Shape, *, figures: bool) -> dict[str, str]:
    """Return the columns that are the same in all rows of a unit and differ between units; figures only of a list."""
    columns_in_use, codes = {*shape.asked, *shape.keep}, codes_of(shape, frame)
    rows = frame[codes != ""]
    for name, value in shape.keep.items():
        rows = rows[rows[name] == value]
    names = [name for name in frame if name not in columns_in_use and rows[name].nunique() > 1]
    names = [name for name in names if is_number(rows[name]) == figures or rows[name].nunique() <= MOST_VALUES]
    names = [name for name in names if figures or not is_number(rows[name])]
    constants = [name for name in names if rows.groupby(codes)[name].nunique().max() == 1]
    plain = {name: re.sub(r"\W+", "_", name.lower()).strip("_") for name in constants}
    return {f"listed_{word}" if word in TAKEN else word: name for name, word in plain.items()}


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
    if pad := recipe.shapes[0].pad:
        lines.append(f"codes of fewer digits were filled with zeros to {pad}; --pad says another length")
    for what, part in (("not shown", "suppressed"), ("published as bounds", "bounded")):
        signs = sorted({mark for item in facts["measures"] for mark in getattr(item, part)})
        lines.append(f"marks of figures that are {what}: {', '.join(signs) or 'none'}")
    return lines
