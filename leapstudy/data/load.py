"""The public track's data: verified, validated, cleaned with a ledger of every change; and published facts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.data import clean
from leapstudy.data.districts import NO_START, Start, add_slugs, lot_files, read_lots, read_register
from leapstudy.data.long_series import load_long_series
from leapstudy.data.raw import checksums, read_bytes, read_table
from leapstudy.data.schema import BOUND
from leapstudy.data.state import CHRONIC, State, load_state
from leapstudy.data.tables import PublishedTable

ATTENDANCE_COLUMNS = ("district_code", "year", "edition", "group", "students", "rate", "measure")
CHRONIC_COLUMNS = ("district_code", "year", "percent", "students")


@dataclass(frozen=True, slots=True)
class OwnTable:
    """An outcome with a table of its own, with the columns of `StudyData.chronic`; `percent` is in its own unit.

    `whole` are the state's own rows, and `bounded` is the share of the figures that is published as a bound only.
    """

    rows: pd.DataFrame
    whole: pd.DataFrame
    bounded: float = 0.0


@dataclass(frozen=True, slots=True)
class StudyData:
    """Every public figure of the study, as clean frames.

    Attributes
    ----------
    attendance : DataFrame
        One row a district, edition, group and year: `students` (students), `rate` (fraction), `measure` (final or
        year_to_date).
    chronic : DataFrame
        One row a district and year: `percent` of students chronically absent, and `students` (NaN where the table has
        none).
    districts : DataFrame
        One row a district, sorted by code, with slug, flags and traits before the program; `in_draw` where the study
        names the list of a draw.
    state_attendance, state_chronic : DataFrame
        The state's own rows, with the same columns.
    ledger : DataFrame
        What each cleaning rule did: rule, table, reason, rows_before, rows_after, districts.
    hashes : dict
        Raw file -> SHA-256.
    state : State
        What is true of the study.
    starts, ends : dict
        Code -> first school year with the program, of every unit that has one; and last one, where it ended.
    bounded : dict
        Edition, or chronic absence -> share of the figures that is published as a bound only, which is no figure.
    own_tables : dict
        Outcome -> its figures, of each that has a table of its own.
    lots : dict
        Code -> stratum by the list of `leapstudy draw` that decided who starts; empty where the study names none.
    newest : str
        The newest school year of any table of figures; of those over many years only where lots decided who starts.
    """

    attendance: pd.DataFrame
    chronic: pd.DataFrame
    districts: pd.DataFrame
    state_attendance: pd.DataFrame
    state_chronic: pd.DataFrame
    ledger: pd.DataFrame
    hashes: dict[str, str]
    state: State
    starts: dict[str, str]
    ends: dict[str, str]
    bounded: dict[str, float]
    own_tables: dict[str, OwnTable] = field(default_factory=dict)
    lots: dict[str, str] = field(default_factory=dict)
    newest: str = ""

    def table_of(self, outcome: str) -> OwnTable | None:
        """Return the figures of an outcome that has one edition only; None where it is the editions' attendance."""
        if self.state.outcomes[outcome].in_days:
            return None
        return self.own_tables.get(outcome, OwnTable(self.chronic, self.state_chronic, self.bounded.get(CHRONIC, 0.0)))


def load_study(raw: Path | None = None, *, started: bool = True) -> StudyData:
    """Return `kept_study` with tables of one's own, to be changed at will."""
    return copied(kept_study(raw, started=started))


def copied(data: StudyData) -> StudyData:
    """Return the study with tables of its own; figures are copied where they are changed."""
    parts = {part.name: getattr(data, part.name) for part in fields(data)}
    frames = {name: part.copy(deep=False) for name, part in parts.items() if isinstance(part, pd.DataFrame)}
    return replace(data, **frames)


def kept_study(raw: Path | None = None, *, started: bool = True) -> StudyData:
    """Load, verify and clean every public table, again only where a file has changed; nobody may change what is kept.

    Parameters
    ----------
    raw
        Folder of the published figures; the workspace's own `data/raw/` by default.
    started
        Whether a unit must have a start: before a program starts none has one.

    Raises
    ------
    BadInput
        If a file is missing, was changed, or does not have the shape that its declaration promises; if nobody started.
    """
    folder, state = raw or paths.raw(), load_state()
    files = [*sorted(folder.rglob("*")), *lot_files(state)]
    stamps = tuple((file, file.stat().st_mtime_ns) for file in files)
    key = (id(state), stamps)
    if key not in _LOADED:
        _LOADED.clear()
        _LOADED[key] = _load(folder, state)
    study = _LOADED[key]
    if started and not study.starts:
        raise BadInput(f"{state.program.starts}: {NO_START}.")
    return study


# The tables as they were read last, by the state's declaration and the days of the files' last change.
_LOADED: dict[tuple[int, object], StudyData] = {}


def newest_figures(state: State) -> str:
    """Return the newest school year of any table of figures, whoever drew lots and has a start by now."""
    program = state.program.model_copy(update={"lottery": None})
    data = _load(paths.raw(), state.model_copy(update={"program": program}))
    return max(data.newest, _newest_long(state, data.districts))


def _newest_long(state: State, units: pd.DataFrame) -> str:
    """Return the newest school year of the outcomes over many years; empty where the study declares none."""
    codes, long = pd.Index(units["district_code"]), [name for name, item in state.outcomes.items() if item.long]
    return max((str(load_long_series(state, name, codes).rates.columns[-1]) for name in long), default="")


def _load(folder: Path, state: State) -> StudyData:
    return assemble(state, read_register(state, folder), lambda table: read_table(folder, table, state.unit.code))


def assemble(
    state: State, register: Sequence[Start], reader: Callable[[PublishedTable], tuple[pd.DataFrame, str]]
) -> StudyData:
    """Return the study's clean frames from its starts and a reader of its tables (frame and SHA-256)."""
    starts = {item.code: item.start for item in register}
    names_of = (
        state.unit.table,
        *(name for item in state.editions.values() for name in (item.attendance, item.chronic)),
        *(item.table for item in state.outcomes.values()),
    )
    tables = {name: state.tables[name] for name in dict.fromkeys(names_of) if name}
    read = {name: reader(table) for name, table in tables.items()}
    units = _districts(read[state.unit.table][0], starts, state)
    names = {code: state.unit.short(name) for code, name in zip(units["district_code"], units["district"], strict=True)}
    entries: list[clean.Entry] = []
    parts = [_attendance(read, edition, state, names, entries) for edition in state.editions]
    chronic = _chronic(read, state, names, entries)
    own = {name: _own_table(read, name, state, names, entries) for name, item in state.outcomes.items() if item.table}
    figures = [*(figures for figures, _, _ in parts), chronic.rows, *(item.rows for item in own.values())]
    oldest, newest = _span(figures)
    if state.program.lottery is not None:  # who waits, and what is closed, goes by all figures that there are
        newest = max(newest, _newest_long(state, units))
    units, starts = _within(oldest, newest, units, starts, state, entries)
    if lots := read_lots(state, units["district_code"], starts, newest):
        units = units.assign(in_draw=units["district_code"].isin(lots))
    return StudyData(
        attendance=pd.concat([districts for districts, _, _ in parts], ignore_index=True),
        chronic=chronic.rows,
        districts=units,
        state_attendance=pd.concat([state for _, state, _ in parts], ignore_index=True),
        state_chronic=chronic.whole,
        ledger=clean.ledger_frame(entries),
        hashes={tables[name].file: digest for name, (_, digest) in read.items()},
        state=state,
        starts=starts,
        ends={item.code: item.end for item in register if item.end},
        bounded={
            **{edition: share for edition, (_, _, share) in zip(state.editions, parts, strict=True)},
            CHRONIC: chronic.bounded,
        },
        own_tables=own,
        lots=lots,
        newest=newest,
    )


def _within(
    oldest: str, newest: str, units: pd.DataFrame, starts: dict[str, str], state: State, entries: list[clean.Entry]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return units and starts without those that the figures cannot show, where the study leaves them out."""
    if state.unit.hidden != "leave out":
        return units, starts
    drawn = state.program.lottery is not None
    late = _late(starts, newest)
    starts = {code: start for code, start in starts.items() if code not in late}
    early = () if drawn else _early(starts, oldest)
    if late:
        units, entry = clean.drop_late(units, state, late, drawn=drawn)
        entries.append(entry)
    if early:
        units, entry = clean.drop_early(units, state, early)
        entries.append(entry)
    return units, {code: start for code, start in starts.items() if code not in early}


def _late(starts: Mapping[str, str], newest: str) -> tuple[str, ...]:
    """Return the units that start after the newest figures, where others started before."""
    late = tuple(code for code, start in starts.items() if start > newest)
    return late if len(late) < len(starts) else ()


def _early(starts: Mapping[str, str], oldest: str) -> tuple[str, ...]:
    """Return the units that have no year of figures before their start, where others do."""
    early = tuple(code for code, start in starts.items() if start <= oldest)
    return early if len(early) < len(starts) else ()


Read = Mapping[str, tuple[pd.DataFrame, str]]


def _attendance(
    read: Read, edition: str, state: State, names: Mapping[str, str], entries: list[clean.Entry]
) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    own = state.editions[edition]
    table = state.tables[own.attendance]
    frame, years = clean.unify_years(read[table.name][0], table.name, state.calendar)
    frame, groups = clean.name_groups(frame, table)
    frame, sums = clean.add_up(frame, table)
    frame, label = clean.label_edition(frame, table.name, edition, own.preliminary)
    frame, whole, split = clean.split_state(frame, table.name, state)
    frame, exclusions = clean.drop_unusable(frame, table.name, state, names)
    frame, breaks = clean.note_breaks(frame, table.name, state, names)
    entries += [years, groups, *([sums] if table.add_up else []), label, split, exclusions, breaks]
    share = float(frame[f"rate{BOUND}"].mean()) if f"rate{BOUND}" in frame else 0.0
    rate = next((column for column in table.columns if column.name == "rate"), None)
    if rate is None:  # a state that publishes chronic absence alone: the rows give enrollment
        frame, whole = frame.assign(rate=np.nan), whole.assign(rate=np.nan)
    elif rate.suppressed or rate.blank or rate.bounded:
        frame, blanks = clean.drop_blank(frame, table.name, "rate", state.unit.noun["en"])
        entries.append(blanks)
    scale = 100.0 if rate and rate.kind == "percent" else 1.0
    tables = (clean.finish(part.assign(rate=part["rate"] / scale), ATTENDANCE_COLUMNS) for part in (frame, whole))
    return next(tables), next(tables), share


def _span(figures: Sequence[pd.DataFrame]) -> tuple[str, str]:
    """Return the first and the last school year of any table of figures; empty without any."""
    years = [str(year) for table in figures for year in (table["year"].min(), table["year"].max()) if len(table)]
    return min(years, default=""), max(years, default="")


def _chronic(read: Read, state: State, names: Mapping[str, str], entries: list[clean.Entry]) -> OwnTable:
    """Return chronic absence by unit and year, in percent, from the newest edition that has it, wide or long."""
    table = next((state.tables[item.chronic] for item in state.editions.values() if item.chronic), None)
    if table is None or CHRONIC not in state.outcomes:
        empty = pd.DataFrame({name: pd.Series(dtype="str") for name in CHRONIC_COLUMNS})
        empty = empty.astype({"percent": float, "students": float})
        return OwnTable(empty, empty)
    return _figures(_long(read[table.name][0], table, state), table, state, names, entries)


def _own_table(read: Read, name: str, state: State, names: Mapping[str, str], entries: list[clean.Entry]) -> OwnTable:
    """Return the figures of an outcome that has a table of its own, a share in percent."""
    outcome = state.outcomes[name]
    table = state.tables[outcome.table]
    frame, years = clean.unify_years(read[table.name][0], table.name, state.calendar)
    frame, groups = clean.name_groups(frame, table)
    if outcome.group:
        frame = frame[frame["group"] == outcome.group]
    entries += [item for item in (years, groups) if item not in entries]  # outcomes may share a table
    return _figures(clean.measured(frame, table, outcome), table, state, names, entries)


def _figures(
    shaped: clean.Cleaned, table: PublishedTable, state: State, names: Mapping[str, str], entries: list[clean.Entry]
) -> OwnTable:
    frame, shape = shaped
    bounded = float(frame[f"percent{BOUND}"].mean()) if f"percent{BOUND}" in frame else 0.0
    frame, whole, split = clean.split_state(frame, table.name, state)
    frame, blanks = clean.drop_blank(frame, table.name, "percent", state.unit.noun["en"])
    frame, exclusions = clean.drop_unusable(frame, table.name, state, names)
    entries += [shape, split, blanks, exclusions]
    return OwnTable(clean.finish(frame, CHRONIC_COLUMNS), clean.finish(whole, CHRONIC_COLUMNS), bounded)


def _long(frame: pd.DataFrame, table: PublishedTable, state: State) -> clean.Cleaned:
    if table.years:
        long, entry = clean.chronic_long(frame, table)
        return long.assign(students=float("nan")), entry
    frame, entry = clean.unify_years(frame, table.name, state.calendar)
    if table.add_up:
        rows, entry = clean.add_up(clean.name_groups(frame, table)[0], table)
        return rows.rename(columns={table.add_up.to: "percent"}), entry
    column = table.column(state.outcomes[CHRONIC].column or "percent")
    scale = 100.0 if column.kind == "fraction" else 1.0
    students = frame["students"] if "students" in frame else float("nan")
    bound_column = {f"percent{BOUND}": frame[f"{column.name}{BOUND}"]} if f"{column.name}{BOUND}" in frame else {}
    return frame.assign(percent=scale * frame[column.name], students=students, **bound_column), entry


def _districts(frame: pd.DataFrame, starts: Mapping[str, str], state: State) -> pd.DataFrame:
    unknown = sorted(set(starts) - set(frame["district_code"]))
    if unknown:
        raise BadInput(f"The file of starts names {', '.join(unknown)}, which the table of units does not have.")
    flag_names = [column.name for column in state.tables[state.unit.table].columns if column.kind == "flag"]
    flags = {name: frame[name].astype(bool) for name in flag_names}
    flags["treated"] = frame["district_code"].isin(starts)
    district = frame["district"].fillna(frame["district_code"])  # a file may leave a name out
    return (
        add_slugs(frame.assign(district=district, **flags), state.unit)
        .sort_values("district_code")
        .reset_index(drop=True)
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """One frame a file of the folder of the starts, named after it; every row names its source.

    A frame is empty where the folder lists no such file: nothing is published of that.
    """

    published_effects: pd.DataFrame
    state_chronic_long: pd.DataFrame
    claims: pd.DataFrame
    funding: pd.DataFrame
    comparable_programs: pd.DataFrame
    served: pd.DataFrame


def load_facts() -> Facts:
    """Load the facts after comparing their checksums; see `leapstudy.data.raw.read_bytes` for the errors."""
    return Facts(**{item.name: _read(paths.raw(), item.name) for item in fields(Facts)})


def _read(folder: Path, name: str) -> pd.DataFrame:
    place = load_state().program.starts.split("/")[0]
    if f"{name}.csv" not in checksums(folder / place):
        return pd.DataFrame()
    content, _ = read_bytes(folder, f"{place}/{name}.csv")
    return pd.read_csv(BytesIO(content))
