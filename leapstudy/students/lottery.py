"""The list of a draw beside the student files: who belongs to a unit that was drawn, and when its visits start."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa
from ibis.expr.types import Table

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import WAITING, options
from leapstudy.core.phrases import counted
from leapstudy.students.engine import keep, lent
from leapstudy.students.guard import PATTERN
from leapstudy.students.handle import StudentData, engine_table
from leapstudy.students.pseudonyms import load_key, pseudonym
from leapstudy.students.settings import Level, StudentSettings

COLUMNS = ("unit", "stratum", "phase")
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
NEXT = f"Give its first month under `starts:` in `rollout:`; who is compared has the phase {WAITING!r}."
HOMES = {"school": "school_code", "district": "district_code"}


@dataclass(frozen=True, slots=True, repr=False)
class Lottery:
    """A draw: its units (unit, stratum, phase) in the order of the list, and the first month of each phase's visits.

    `starts` holds ``YYYY-MM`` by phase, in the order of time. Its repr names no unit.
    """

    level: Level
    units: pd.DataFrame
    starts: dict[str, str]

    def __repr__(self) -> str:
        return f"Lottery({len(self.units)} units by {self.level}, phases {', '.join(self.starts)}; units are not shown)"

    @property
    def first(self) -> str:
        """The first month in which anybody who was drawn is visited."""
        return next(iter(self.starts.values()))

    @property
    def starts_of_units(self) -> pd.Series:
        """Place of each unit's phase among the starts; the number of phases for those who wait."""
        places = {phase: place for place, phase in enumerate(self.starts)}
        return self.units["phase"].map(places).fillna(len(places)).astype(int)


def lottery_of(settings: StudentSettings) -> Lottery | None:
    """Return the draw that the parameters name, or None where nobody drew lots."""
    if not settings.draw:
        return None
    return read_lottery(paths.named(settings.draw), settings.rollout.level, settings.rollout.starts)


def read_lottery(path: Path, level: str, starts: Mapping[str, str]) -> Lottery:
    """Read the list file of a draw.

    Parameters
    ----------
    path
        CSV with the columns `COLUMNS` (others are passed over); lines that begin with ``#`` are notes.
    level
        What the units are. Students' own numbers become pseudonyms under the key of the workspace.
    starts
        Phase -> first month of its visits, ``YYYY-MM``; phases that are named by it need none.

    Raises
    ------
    BadInput
        If the file is missing or lacks a column, a unit stands in it twice, nobody waits, or a phase has no start.
        No message names a unit.
    """
    if level not in options(Level):
        raise bad_value("level of the draw", level, options(Level), "Write it under `rollout:` in params/students.yml.")
    if not path.is_file():
        raise BadInput(f"The list of the draw, {str(path.absolute())!r}, is missing. `leapstudy draw` writes it.")
    table = _cells(path)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise BadInput(f"{path.name} lacks the columns {missing}; the list of a draw has {', '.join(COLUMNS)}.")
    units = table[list(COLUMNS)]
    starts = dict(starts) or {phase: phase for phase in units["phase"].unique() if MONTH.fullmatch(phase)}
    _check(units, path.name, starts, level)
    if level == "student" and not units["unit"].str.fullmatch(PATTERN).all():
        key = load_key()
        units = units.assign(unit=[pseudonym(raw, key) for raw in units["unit"]])
    return Lottery(level, units, dict(sorted(starts.items(), key=lambda item: item[1])))  # type: ignore[arg-type]


def _cells(path: Path) -> pd.DataFrame:
    """Return a list's cells as text; of a list that is no table the line is told, and no cell."""
    try:
        return pd.read_csv(path, dtype="str", comment="#", keep_default_na=False)
    except UnicodeDecodeError:
        reason = "a letter in it is of another encoding"
    except pd.errors.EmptyDataError:
        reason = "it is empty"
    except pd.errors.ParserError as error:
        line = re.search(r"line \d+", str(error))
        reason = f"{line[0]} has more cells than the first" if line else "its quotes do not close"
    raise BadInput(f"{path.name} is not CSV in UTF-8: {reason}. Save the list of the draw again as 'CSV UTF-8'.")


def _check(units: pd.DataFrame, name: str, starts: Mapping[str, str], level: str) -> None:
    duplicates = int(units["unit"].duplicated().sum())
    if duplicates:
        raise BadInput(
            f"{name} has {counted(duplicates, 'unit')} more than once. A unit is drawn once; write the list again."
        )
    legal = (*starts, WAITING)
    odd = units.loc[~units["phase"].isin(legal), "phase"]
    if len(odd) and level == "student":  # a column that slipped would show one of them
        raise BadInput(f"The phase of {counted(len(odd), 'line')} of {name} is none of {', '.join(legal)}. {NEXT}")
    if len(odd):
        raise bad_value("phase of the draw", odd.iloc[0], legal, NEXT)
    for phase, month in starts.items():
        if not MONTH.fullmatch(month):
            raise BadInput(f"The start of phase {phase!r} is {month!r}; write year and month as YYYY-MM.")
        if phase not in set(units["phase"]):
            raise BadInput(f"`starts:` names the phase {phase!r}, which nobody drew. Take it out.")
    months = list(starts.values())
    twice = [phase for phase, month in starts.items() if months.count(month) > 1]
    if twice:
        raise BadInput(
            f"Of the phases {', '.join(twice)} some have one start. Who starts in one month is one phase: give each "
            "its own month under `starts:`, or one name in the list."
        )
    if WAITING not in set(units["phase"]):
        raise BadInput(f"Nobody in {name} has the phase {WAITING!r}, so that nobody is left to compare with.")


def units_of(data: StudentData, lottery: Lottery) -> Table:
    """Return student, unit, stratum and phase of every student who belongs to a unit of the draw, inside the engine.

    A student belongs to the school or district of the last month in which it is seen before the first start: who comes
    later may have come because of the visits.
    """
    panel = engine_table(data)
    con = panel.get_backend()
    units = pa.Table.from_pandas(lottery.units.astype("str"), preserve_index=False)
    with lent(con, units) as assignment:
        if lottery.level == "student":
            enrolled = panel.select(unit="student").distinct()
            return keep(con, "reading the draw", assignment.semi_join(enrolled, "unit").mutate(student=ibis._.unit))
        before = panel.filter(panel.month < ibis.literal(f"{lottery.first}-01").cast("date"))
        home = before.group_by("student").agg(unit=before[HOMES[lottery.level]].argmax(before.month))
        return keep(con, "reading the draw", home.join(assignment, "unit"))
