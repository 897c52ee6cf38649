"""The public track's data: verified, validated, cleaned, with a ledger of everything that was changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.data import clean
from leapstudy.data.districts import add_slugs
from leapstudy.data.raw import read_table
from leapstudy.data.register import read_register
from leapstudy.data.state import State, load_state
from leapstudy.data.tables import ATTENDANCE_2021_22, ATTENDANCE_2022_23, CHRONIC, DISTRICTS, Table

ATTENDANCE_COLUMNS = ("district_code", "year", "edition", "group", "students", "rate", "measure")
CHRONIC_COLUMNS = ("district_code", "year", "percent")
EDITIONS: dict[str, Table] = {"2022-23": ATTENDANCE_2022_23, "2021-22": ATTENDANCE_2021_22}


@dataclass(frozen=True, slots=True)
class StudyData:
    """Every public figure of the study, as clean frames.

    Attributes
    ----------
    attendance : DataFrame
        One row a district, edition, group and year: `students` (students), `rate` (fraction), `measure` (final or
        year_to_date).
    chronic : DataFrame
        One row a district and year: `percent` of students chronically absent.
    districts : DataFrame
        One row a district, sorted by code, with slug, flags and traits before the program.
    state_attendance, state_chronic : DataFrame
        The state's own rows, with the same columns.
    ledger : DataFrame
        What each cleaning rule did: rule, table, reason, rows_before, rows_after, districts.
    hashes : dict
        Raw file -> SHA-256.
    state : State
        What is true of the study.
    starts : dict
        Code -> first school year with the program, of every unit that has one.
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


def load_study(raw: Path | None = None) -> StudyData:
    """Load, verify and clean every public table.

    Parameters
    ----------
    raw
        Folder of the published figures; the workspace's own `data/raw/` by default.

    Raises
    ------
    BadInput
        If a file is missing, was changed, or does not have the shape that its declaration promises.
    """
    folder, state = raw or paths.raw(), load_state()
    starts = {item.code: item.start for item in read_register(state, folder)}
    read = {table.name: read_table(folder, table) for table in (*EDITIONS.values(), CHRONIC, DISTRICTS)}
    hashes = {table.file: read[table.name][1] for table in (*EDITIONS.values(), CHRONIC, DISTRICTS)}
    entries: list[clean.Entry] = []
    parts = [_attendance(read[table.name][0], table, edition, entries) for edition, table in EDITIONS.items()]
    chronic, state_chronic = _chronic(read[CHRONIC.name][0], entries)
    return StudyData(
        attendance=pd.concat([districts for districts, _ in parts], ignore_index=True),
        chronic=chronic,
        districts=_districts(read[DISTRICTS.name][0], starts),
        state_attendance=pd.concat([state for _, state in parts], ignore_index=True),
        state_chronic=state_chronic,
        ledger=clean.ledger_frame(entries),
        hashes=hashes,
        state=state,
        starts=starts,
    )


def _attendance(
    frame: pd.DataFrame, table: Table, edition: str, entries: list[clean.Entry]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    name = table.name
    frame, renamed = clean.unify_years(frame, name)
    frame, grouped = clean.name_groups(frame, name)
    frame, labeled = clean.label_edition(frame, name, edition)
    frame, state, split = clean.split_state(frame, name)
    frame, dropped = clean.drop_unusable(frame, name)
    frame, breaks = clean.note_breaks(frame, name)
    entries += [renamed, grouped, labeled, split, dropped, breaks]
    return clean.finish(frame, ATTENDANCE_COLUMNS), clean.finish(state, ATTENDANCE_COLUMNS)


def _chronic(wide: pd.DataFrame, entries: list[clean.Entry]) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame, melted = clean.chronic_long(wide)
    frame, state, split = clean.split_state(frame, CHRONIC.name)
    frame, blanks = clean.drop_blank(frame, CHRONIC.name, "percent")
    frame, dropped = clean.drop_unusable(frame, CHRONIC.name)
    entries += [melted, split, blanks, dropped]
    return clean.finish(frame, CHRONIC_COLUMNS), clean.finish(state, CHRONIC_COLUMNS)


def _districts(frame: pd.DataFrame, starts: Mapping[str, str]) -> pd.DataFrame:
    unknown = sorted(set(starts) - set(frame["district_code"]))
    if unknown:
        raise BadInput(f"The file of starts names {', '.join(unknown)}, which the table of units does not have.")
    flags = {name: frame[name].astype(bool) for name in ("alliance", "reform")}
    flags["leap"] = frame["district_code"].isin(starts)
    return add_slugs(frame.assign(**flags)).sort_values("district_code").reset_index(drop=True)
