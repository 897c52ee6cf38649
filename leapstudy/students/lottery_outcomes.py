"""What became of the units of a draw: attendance and visits by period, as numbers without names for the estimators.

The periods are those between the starts: all months before the first, from each start to the next, and from the last
start on. Numbers of single students are held here in memory, since randomization inference deals them anew; the record
shows none of them, and nothing of it is written anywhere.
"""

from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
from ibis.expr.types import BooleanValue, FloatingScalar, IntegerValue, Table

from leapstudy.core.errors import BadInput
from leapstudy.core.names import WAITING, check_option
from leapstudy.students.eligible import CHRONIC_PERCENT, Outcome
from leapstudy.students.engine import sealed
from leapstudy.students.handle import StudentData, engine_table, visit_table
from leapstudy.students.lottery import HOMES, Lottery, units_of

# Points of the whole: a student who misses no day, or all students of a group.
TOP = 100.0


@dataclass(frozen=True, slots=True, repr=False)
class LotteryOutcomes:
    """N units and P periods, in the order of the list; its repr shows no number of a unit.

    Attributes
    ----------
    outcome : ndarray, shape (N, P)
        In points: attendance, all days of a period together, or the share of students who are chronically absent by the
        days of the period; NaN where a unit is not seen.
    visited, visits : ndarray, shape (N, P)
        Share of the unit's students visited by the end of the period, and completed visits a student by then.
    start : ndarray of int, shape (N,)
        First period with the offer; P for those who wait.
    strata : ndarray of int, shape (N,)
    students : ndarray of int, shape (N,)
        Students of each unit before the first start; 1 where students were drawn.
    districts : int
        Districts in which anybody was offered visits.
    level : str
    first, last : str
        First month with the offer, and the last month of the files, ``YYYY-MM``.
    name : str
        The outcome: attendance or chronic_absence.
    """

    outcome: np.ndarray
    visited: np.ndarray
    visits: np.ndarray
    start: np.ndarray
    strata: np.ndarray
    students: np.ndarray
    districts: int
    level: str
    first: str
    last: str
    name: str = "attendance"

    def __repr__(self) -> str:
        return f"LotteryOutcomes({self.outcome.shape[0]} units, {self.outcome.shape[1]} periods; numbers are not shown)"


def lottery_outcomes(data: StudentData, lottery: Lottery, name: str = "attendance", until: str = "") -> LotteryOutcomes:
    """Sum the outcome and the visits of the units of a draw by period.

    Parameters
    ----------
    data
        Opened with its visit log.
    lottery
        From `read_lottery`.
    name
        The outcome that the plan names as primary, counted as `leapstudy design` counts it (`eligible.Past`).
    until
        Last month that counts, ``YYYY-MM``; the last of the files if empty.

    Raises
    ------
    BadInput
        If fewer than half of the units are in the files, or a period holds no school month.
    """
    last = until or data.size.last_month
    require_reach(lottery, data.size.first_month, last)
    members = units_of(data, lottery)
    panel = engine_table(data)
    rows = panel.filter(_by(panel.month, last)).join(members, "student")
    by_student = rows.group_by(["unit", "student", period_of(rows.month, lottery).name("period")]).agg(
        enrolled=rows.days_enrolled.sum(), attended=rows.days_attended.sum()
    )
    by_student = by_student.filter(by_student.enrolled > 0)
    place = pd.Series(np.arange(len(lottery.units)), index=lottery.units["unit"].to_numpy())
    periods = len(lottery.starts) + 1
    rates = by_student.group_by(["unit", "period"]).agg(y=_points(by_student, name))
    table = sealed("summing the outcomes of the draw", rates.to_pandas)
    outcome = np.full((len(place), periods), np.nan)
    outcome[place[table["unit"]].to_numpy(), table["period"]] = table["y"].astype(float)
    _check(outcome, lottery)
    sizes = sealed("counting the units", members.group_by("unit").agg(students=ibis._.count()).to_pandas)
    students = np.zeros(len(place), dtype=int)
    students[place[sizes["unit"]].to_numpy()] = sizes["students"]
    visited, visits = _visits(data, members, lottery, place, students, last)
    return LotteryOutcomes(
        outcome,
        visited,
        visits,
        (lottery.starts_of_units + 1).to_numpy(),
        pd.factorize(lottery.units["stratum"])[0],
        students,
        _districts(rows),
        lottery.level,
        lottery.first,
        last,
        name,
    )


def _points(days: Table, name: str) -> FloatingScalar:
    """Return a group's outcome in points from its students' days."""
    check_option("outcome of students", name, Outcome)
    if name == "attendance":
        return TOP * days.attended.sum() / days.enrolled.sum()
    missed = days.enrolled - days.attended
    chronic = TOP * (TOP * missed).round() >= CHRONIC_PERCENT * (TOP * days.enrolled).round()
    return TOP * chronic.cast("float64").mean()


def period_of(month: ibis.expr.types.DateValue, lottery: Lottery) -> IntegerValue:
    """Return the period of a day: 0 before the first start, then one more with each start."""
    number = ibis.literal(0, "int64")
    for start in lottery.starts.values():
        number = number + (month.cast("date") >= ibis.literal(f"{start}-01").cast("date")).cast("int64")
    return number


def _by(day: ibis.expr.types.DateValue, last: str) -> BooleanValue:
    """Return which days are of a month or an earlier one."""
    return day.cast("date").truncate("M") <= ibis.literal(f"{last}-01").cast("date")


def _districts(rows: Table) -> int:
    offered = rows.filter(rows.phase != WAITING)
    return int(sealed("counting the districts of the draw", lambda: offered.district_code.nunique().execute()))


def require_reach(lottery: Lottery, first: str, last: str) -> None:
    """Refuse starts that the months from `first` to `last`, both ``YYYY-MM``, do not lie around."""
    if not first < lottery.first or list(lottery.starts.values())[-1] > last:
        raise BadInput(
            f"The months that count, {first} to {last}, do not lie around the starts of the draw, "
            f"{', '.join(lottery.starts.values())}: they must begin before the first and reach the last. Bring more "
            "months, or mend `starts:` under `rollout:` in params/students.yml."
        )


def require_files(panel: Table, lottery: Lottery) -> None:
    """Refuse a list of schools or districts of which these files hold too few, or not the months around the starts."""
    ends = sealed("listing the months", panel.agg(first=panel.month.min(), last=panel.month.max()).to_pyarrow)
    require_reach(lottery, *(f"{day:%Y-%m}" for day in ends.to_pylist()[0].values()))
    codes = panel[HOMES[lottery.level]].name("unit")
    present = sealed("listing the units", panel.select(codes).distinct().to_pyarrow)["unit"].to_pylist()
    _require_half(lottery.units["unit"].isin(present).to_numpy())


def _require_half(present: np.ndarray) -> None:
    if present.mean() < 1 / 2:
        raise BadInput(
            f"Fewer than half of the {len(present)} units of the draw are in the student files. Is it the list of "
            "these files, drawn by the same kind of unit and under the same key?"
        )


def _check(outcome: np.ndarray, lottery: Lottery) -> None:
    observed = np.isfinite(outcome)
    _require_half(observed.any(axis=1))
    if not observed.any(axis=0).all():
        raise BadInput(
            f"No unit of the draw is seen in one of the periods before and after {', '.join(lottery.starts)}. "
            "The files must begin before the first start and end after the last."
        )


def _visits(
    data: StudentData, members: Table, lottery: Lottery, place: pd.Series, students: np.ndarray, last: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of students visited and the visits a student, both by the end of each period."""
    log = visit_table(data)
    met = log.filter(log.completed & log.visit_date.notnull() & _by(log.visit_date, last)).join(members, "student")
    met = met.mutate(period=period_of(met.visit_date, lottery))
    met = met.select("unit", "student", "visit_date", "period").distinct()  # a day is one visit
    by_student = met.group_by(["unit", "student"]).agg(first=met.period.min())
    firsts = by_student.group_by(["unit", "first"]).agg(number=ibis._.count()).rename(period="first")
    first = sealed("counting the visited of the draw", firsts.to_pandas)
    every = sealed(
        "counting the visits of the draw", met.group_by(["unit", "period"]).agg(number=ibis._.count()).to_pandas
    )
    shape = (len(place), len(lottery.starts) + 1)
    tables = []
    for counts in (first, every):
        numbers = np.zeros(shape)
        numbers[place[counts["unit"]].to_numpy(), counts["period"].to_numpy(int)] = counts["number"]
        tables.append(numbers.cumsum(axis=1) / np.maximum(students, 1)[:, None])
    return tables[0], tables[1]
