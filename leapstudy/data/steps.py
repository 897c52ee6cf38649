"""The first steps from a state's files to a study: files, columns, codes, starts; all faults at once.

Each step is held against the files as they are, whatever is wrong before it or further on. Later steps are held against
a study of the rows that are in order; nothing is estimated from it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from leapstudy.core.cache import of_last
from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.files import sha256_bytes
from leapstudy.core.parameter_file import read_mapping
from leapstudy.core.phrases import counted
from leapstudy.data.districts import NO_START, checked_starts, is_school_year
from leapstudy.data.intake import FILE as INTAKE
from leapstudy.data.intake import PUBLISHED, read_recipes
from leapstudy.data.load import StudyData, assemble
from leapstudy.data.raw import as_text, read_bytes
from leapstudy.data.schema import NUMERIC, RANGES, checked, code_fault, column_fault, parse
from leapstudy.data.state import FILE, Calendar, Program, State, Unit, checked_state, school_year
from leapstudy.data.tables import Code, PublishedColumn, PublishedTable

# Share of sound rows below which a table is wrong as a whole (a wrong unit, say) and later steps wait for it.
ENOUGH = 0.5
STEPS = ("files", "columns", "codes", "who started when", "groups", "contrasts", "parameters")
# Which parts of `params/state.yml` belong to which step.
PLACES = {
    "files": ("format", "study", "state"),
    "columns": ("tables", "the whole file"),
    "codes": ("unit", "calendar", "exclusions", "breaks"),
    "who started when": ("program",),
    "groups": ("groups",),
    "contrasts": ("contrasts", "outcomes", "editions"),
    "parameters": ("notes", "claims", "articles"),
}
# What a table says of its file.
OF_FILES = ("file", "title", "source", "rights")
TODO = "TODO"
WAITS = "waits until the steps above are mended"
# Parts of the file whose single entries may be set aside while they are not legal.
PARTS = ("groups", "contrasts", "outcomes")
NEXT = {
    "files": "say what the files are in params/state.yml; put back what changed, or `leapstudy data pin FILE` your own",
    "columns": "mend `tables:` in params/state.yml, or how the files are read in params/intake.yml",
    "codes": "mend `unit:` and `calendar:` in params/state.yml",
    "who started when": "fill the file of starts, one row a unit, then `leapstudy data pin FILE`; mend `program:`",
    "groups": "mend `groups:` in params/state.yml",
    "contrasts": "mend `contrasts:`, `outcomes:` and `editions:` in params/state.yml",
    "parameters": "mend what is named: parameters in params/, student files at their source",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it found in order, and everything that is not."""

    name: str
    told: str
    faults: tuple[str, ...]

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return STEPS.index(self.name) + 1

    def text(self) -> str:
        """Return the faults, one a line, and what to do next."""
        n = len(self.faults)
        head = f"Step {self.number} of {len(STEPS)}, {self.name}: {n} fault{'' if n == 1 else 's'}."
        faults = [f"- {fault}" for fault in self.faults]
        return "\n".join([head, *faults, f"Next: {NEXT[self.name]}."])


@dataclass(frozen=True, slots=True)
class Workspace:
    """What the steps look at: the folders, the file of what is true as a mapping, and its faults by step.

    `tables` are those whose declaration is legal; `state` is without the groups, contrasts and outcomes that are not,
    and None while anything else in the file is not; `todo` says which steps still have a TODO.
    """

    raw: Path
    params: Path
    values: Mapping[str, Any]
    state: State | None
    by_step: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, PublishedTable]
    todo: frozenset[str]


def look_at(raw: Path, params: Path) -> Workspace:
    """Return the workspace as far as its `state.yml` can be read.

    Raises
    ------
    BadInput
        If the file is missing or no mapping.
    """
    state, faults = checked_state(params / FILE)
    values = read_mapping(params / FILE)
    todo = dict(todos(values))
    rest = [(place, text) for place, text in faults if place not in todo]
    by_step: dict[str, tuple[str, ...]] = dict.fromkeys(STEPS, ())
    for place, text in [*todo.items(), *rest]:
        by_step[_step_of(place)] += (f"{place}: {text}",)
    parts = values.get("tables")
    declarations = parts.items() if isinstance(parts, dict) else ()
    tables = {
        name: _part(PublishedTable, {"name": name, **part}) for name, part in declarations if isinstance(part, dict)
    }
    legal = {name: table for name, table in tables.items() if table}
    state = state or _part(State, _without(values, [place for place, _ in faults]))
    return Workspace(raw, params, values, state, by_step, legal, frozenset(map(_step_of, todo)))


def _without(values: Mapping[str, Any], places: list[str]) -> dict[str, Any]:
    """Return the file without the groups, contrasts and outcomes in which a fault lies."""
    odd = {tuple(place.split(".")[:2]) for place in places}
    inside = {part: values[part] for part in PARTS if isinstance(values.get(part), dict)}
    legal = {part: {key: item for key, item in of.items() if (part, key) not in odd} for part, of in inside.items()}
    return {**values, **legal}


def todos(values: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Walk over every text that begins with TODO, with its place."""
    if isinstance(values, dict):
        for key, below in values.items():
            yield from todos(below, f"{place}.{key}" if place else str(key))
    elif isinstance(values, list):
        for number, below in enumerate(values):
            yield from todos(below, f"{place}.{number}")
    elif isinstance(values, str) and values.startswith(TODO):
        yield place, values


def _step_of(place: str) -> str:
    first, *rest = place.split(".")
    if first == "tables" and len(rest) == 2 and rest[1] in OF_FILES:
        return "files"
    return next((name for name, parts in PLACES.items() if first in parts), "columns")


def _part(kind: Callable[..., Any], values: Any) -> Any:
    """Return a part of the file, or None where it is not legal yet."""
    try:
        return kind.model_validate(values) if isinstance(values, dict) else None  # type: ignore[attr-defined]
    except ValidationError:
        return None


def steps(space: Workspace) -> Iterator[Step]:
    """Walk over the steps that need no sample, in order."""
    for name, check in (("files", _files), ("columns", _columns), ("codes", _codes), ("who started when", _starts)):
        words, faults = check(space)
        yield Step(name, words, (*space.by_step[name], *faults))


Checked = tuple[str, list[str]]


def _files(space: Workspace) -> Checked:
    """Every file is there, and as it was pinned."""
    files = [table.file for table in space.tables.values()]
    recipes = read_recipes(space.params / INTAKE)
    files += [f"{recipe.folder}/{PUBLISHED}/{file}" for recipe in recipes.values() for file in recipe.files]
    files += [_starts_file(space.values)]
    outcomes = space.state.outcomes.values() if space.state else ()
    files += [series.file for outcome in outcomes if outcome.long for series in outcome.long.series]
    names = [file for file in dict.fromkeys(files) if file]
    faults = [fault for file in names if (fault := attempt(read_bytes, space.raw, file)[1])]
    return f"{len(names)} files are as pinned", list(dict.fromkeys(faults))


def _starts_file(values: Mapping[str, Any]) -> str:
    program = values.get("program")
    return str(program.get("starts", "")) if isinstance(program, dict) else ""


@of_last
def _texts(space: Workspace) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Return the cells of every table that is there as text, pinned or not, and what is wrong with the others."""
    texts: dict[str, pd.DataFrame] = {}
    faults: list[str] = []
    for name, table in space.tables.items():
        if not (space.raw / table.file).is_file():
            continue  # the first step says so
        text, fault = attempt(as_text, (space.raw / table.file).read_bytes(), table.file)
        texts |= {} if text is None else {name: text}
        faults += [fault] if fault else []
    return texts, faults


def _columns(space: Workspace) -> Checked:
    """Every table has its columns, and every cell is what its column says; codes come in the next step."""
    any_code = Code(pattern="(?s:.*)", example="any")
    texts, unread = _texts(space)
    faults = [
        f"{space.tables[name].file}: {fault}"
        for name, text in texts.items()
        for fault in checked(space.tables[name], text, any_code)[1]
    ]
    n = sum(len(table.columns) for table in space.tables.values())
    return f"{n} columns of {len(space.tables)} tables hold what they say", [*unread, *faults]


def _codes(space: Workspace) -> Checked:
    """Every code has the declared form, and every unit of a table of figures is in the table of units."""
    unit = _part(Unit, space.values.get("unit"))
    if unit is None:
        return WAITS, []
    if unit.table not in space.tables:
        return WAITS, [f"unit.table: {unit.table!r} is none of the tables ({', '.join(space.tables)})"]
    codes = _cells(space, "code")
    wrong = {name: code_fault(cells, unit.code) for name, cells in codes.items()}
    faults = [f"{space.tables[name].file}: {fault}" for name, fault in wrong.items() if fault]
    faults += _year_faults(space)
    if unit.table not in codes:
        return WAITS, faults
    legal_codes = {*codes[unit.table], unit.code.whole_state}
    strangers = {name: len(set(cells) - legal_codes) for name, cells in codes.items()}
    aside = [f"{counted(n, 'code')} of {name} not among them" for name, n in strangers.items() if n]
    return "; ".join([counted(len(codes[unit.table]), *unit.noun["en"]), *aside]), faults


def _cells(space: Workspace, kind: str) -> dict[str, pd.Series]:
    """Return the cells of every table's column of one kind, where the table has it and can be read."""
    own = {
        name: next((column.source_name for column in space.tables[name].columns if column.kind == kind), "")
        for name in space.tables
    }
    return {name: text[own[name]] for name, text in _texts(space)[0].items() if own[name] in text}


def _year_faults(space: Workspace) -> list[str]:
    """Return every year that no form of `calendar.written` reads; what `allowed` refuses is told with the columns."""
    calendar = _part(Calendar, space.values.get("calendar"))
    if calendar is None:
        return []
    odd = {
        name: sorted(label for label in set(cells) if not calendar.read(label))
        for name, cells in _cells(space, "year").items()
    }
    forms = ", ".join(calendar.written)
    return [
        f"{space.tables[name].file}: {', '.join(map(repr, labels))} is no school year as the files write them ({forms})"
        for name, labels in odd.items()
        if labels
    ]


def _announced_late(program: object, starts: list[str]) -> list[str]:
    """Return the fault of a program that is announced in a school year after the first of its starts.

    >>> _announced_late({"announced": "2009-09"}, ["2008-09"])
    ['program.announced: 2009-09 lies after the first start, 2008-09; one of the two is wrong']
    >>> _announced_late({"announced": "2009-06"}, ["2008-09"]), _announced_late({"announced": "TODO"}, ["2008-09"])
    ([], [])
    """
    month = str(program.get("announced", "")) if isinstance(program, Mapping) else ""
    if not (starts and re.fullmatch(r"\d{4}-\d{2}", month)):
        return []
    late = school_year(int(month[:4]) - (month[5:] < "07")) > starts[0]
    fault = f"program.announced: {month} lies after the first start, {starts[0]}; one of the two is wrong"
    return [fault] if late else []


def _oldest(space: Workspace) -> str:
    """Return the first school year of any table; empty where none can be read."""
    calendar = _part(Calendar, space.values.get("calendar"))
    labels = {label for cells in _cells(space, "year").values() for label in cells}
    return min(filter(None, map(calendar.read, labels)), default="") if calendar else ""


def _starts(space: Workspace) -> Checked:
    """Every start is a unit of the table, in a year that the study uses and has figures of."""
    unit, calendar = _part(Unit, space.values.get("unit")), _part(Calendar, space.values.get("calendar"))
    file = _starts_file(space.values)
    if not (unit and calendar and file and (space.raw / file).is_file()):
        return WAITS, []
    few = State.model_construct(program=Program.model_construct(starts=file), unit=unit, calendar=calendar)
    text, fault = attempt(as_text, (space.raw / file).read_bytes(), file)
    if text is None:
        return WAITS, [fault]
    starts, wrong = checked_starts(text, few)
    codes = _cells(space, "code")
    legal_codes = set(codes[unit.table]) if unit.table in codes else {item.code for item in starts}
    faults = [f"{file}: {fault}" for fault in (wrong if starts else [*wrong, NO_START])]
    strangers = [item.code for item in starts if unit.code.fits(item.code) and item.code not in legal_codes]
    faults += [f"{file}: {code} is not in the table of units" for code in strangers]
    years = sorted({item.start for item in starts})
    usable = [year for year in years if is_school_year(year) and (unit.hidden == "refuse" or year > _oldest(space))]
    faults += _announced_late(space.values.get("program"), usable)
    waves = [f"{sum(item.start == year for item in starts)} start in {year}" for year in years]
    return "; ".join(waves), faults


def sound_study(raw: Path, state: State) -> StudyData:
    """Return the study of every table's sound rows and of every start that is legal and listed.

    Raises
    ------
    BadInput
        If a table as a whole cannot be used.
    """
    read = {name: _sound_table(raw, table, state) for name, table in state.tables.items()}
    codes = set(read[state.unit.table][0]["district_code"])
    file = state.program.starts
    starts, _ = checked_starts(as_text((raw / file).read_bytes(), file), state)
    register = [item for item in starts if item.code in codes and state.calendar.shift(item.start, 0) == item.start]
    if not register:
        raise BadInput("No start is in order.")
    return assemble(state, list({item.code: item for item in register}.values()), lambda table: read[table.name])


def _sound_table(raw: Path, table: PublishedTable, state: State) -> tuple[pd.DataFrame, str]:
    if not (raw / table.file).is_file():
        raise BadInput(f"{table.file} is missing.")
    content = (raw / table.file).read_bytes()
    text = as_text(content, table.file)
    if wrong := column_fault(table, text):
        raise BadInput(f"{table.file}: {wrong}")
    rows = sound_rows(table, text, state)
    if len(rows) < ENOUGH * len(text):
        raise BadInput(f"{table.file}: {len(text) - len(rows)} of {len(text)} rows are not in order.")
    return parse(table, rows, state.unit.code), sha256_bytes(content)


def sound_rows(table: PublishedTable, text: pd.DataFrame, state: State) -> pd.DataFrame:
    """Return the rows of a table whose every cell is what its column says, and whose key is theirs alone."""
    fine = pd.Series(True, index=text.index)
    for column in table.columns:
        fine &= _fine(column, text[column.source_name], state)
    keys = [table.column(name).source_name for name in table.key]
    return text[fine].drop_duplicates(keys, keep=False).reset_index(drop=True)


def _fine(column: PublishedColumn, cells: pd.Series, state: State) -> pd.Series:
    """Say of each cell whether it is a declared mark, or what its column holds."""
    if column.kind == "code":
        return cells.map(state.unit.code.fits).astype(bool)
    fine = cells.isin(column.legal) if column.legal else cells != ""
    if column.kind == "year":
        fine &= cells.map(state.calendar.read) != ""
    if column.kind in NUMERIC:
        numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
        fine &= np.isfinite(numbers) & numbers.between(*RANGES.get(column.kind, (-np.inf, np.inf)))
        fine &= (numbers % 1 == 0) | (column.kind != "count")
    return fine | cells.isin([*column.suppressed, *column.bounded]) | ((cells == "") & bool(column.blank))
