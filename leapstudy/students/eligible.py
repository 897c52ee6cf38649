"""Students who meet a referral rule: who they are for a lottery, and what they did in months without a program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr.types import NumericScalar, StringValue, Table

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import check_option
from leapstudy.students.chronic import ChronicRule
from leapstudy.students.engine import keep, sealed
from leapstudy.students.handle import StudentData, engine_table, visit_table
from leapstudy.students.lookback import lookbacks, school_months
from leapstudy.students.referral_rule import WINDOWS, WORDS
from leapstudy.students.visits import grade_band

Stratum = Literal["district_code", "school_code", "grade_band", "high_needs"]
"""Traits in the month that the rule ends with, within which lots are drawn."""

Outcome = Literal["attendance", "chronic_absence"]
JOIN = " / "
BEFORE = 6
"""School months up to the decision whose attendance stands for the time before."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may be offered visits: `percent` or more of days missed in a `window` (one of `WINDOWS`).

    Raises
    ------
    BadInput
        If the window is unknown or the percentage is not between 0 and 100.
    """

    window: str
    percent: float

    def __post_init__(self) -> None:
        """Refuse what is no rule."""
        if self.window not in WINDOWS:
            raise bad_value("window of a referral rule", self.window, WINDOWS)
        if not 0 <= self.percent <= 100:
            raise BadInput(f"A referral rule needs a percentage of days missed, 0 to 100; got {self.percent!r}.")

    def words(self) -> str:
        """Return the rule as a person would state it."""
        return f"{self.percent:g}% or more of days missed {WORDS[self.window]}"


@dataclass(frozen=True, slots=True)
class Past:
    """Students who met the rule at one past decision, without a program, and how often they came afterwards.

    Attributes
    ----------
    month : str
        Last month that the rule looked at.
    missed : ndarray, shape (students, periods)
        Share of enrolled days missed, percent: before the decision, then in each block of months after it.
    strata : ndarray of str, shape (students,)
    left : int
        Students who met the rule and were not enrolled in each period; they are not in `missed`.
    """

    month: str
    missed: np.ndarray
    strata: np.ndarray
    left: int

    def outcome(self, name: Outcome, chronic: ChronicRule) -> np.ndarray:
        """Return the outcome in points, higher is better: attendance, or the negative of being chronically absent."""
        check_option("outcome of students", name, Outcome)
        return 100 - self.missed if name == "attendance" else -100.0 * (self.missed >= chronic.percent)


def months(data: StudentData) -> tuple[str, ...]:
    """Return the school months of the files, in order, as ``2031-03``."""
    found = sealed("listing the months", school_months(engine_table(data)).order_by("position").to_pyarrow)
    return tuple(f"{month:%Y-%m}" for month in found["month"].to_pylist())


def months_without_program(data: StudentData) -> tuple[str, ...]:
    """Return the school months before the first visit of anybody; all months where nobody was visited."""
    panel = engine_table(data)
    first = sealed("finding the first visit", panel.first_visit_month.min().to_pyarrow).as_py()
    return tuple(month for month in months(data) if first is None or month < f"{first:%Y-%m}")


def _meeting(data: StudentData, rule: Rule, month: str, strata: Sequence[Stratum]) -> Table:
    """Return student, position and stratum of those who meet the rule at the end of a month, not yet referred."""
    for name in strata:
        check_option("stratum of students", name, Stratum)
    panel = engine_table(data)
    day = ibis.date(f"{month}-01")
    traits = panel.filter(panel.month == day)
    known: dict[str, StringValue] = {
        "district_code": traits.district_code,
        "school_code": traits.school_code,
        "grade_band": grade_band(traits.grade),
        "high_needs": traits.high_needs.cast("string"),
    }
    parts = [known[name].cast("string").fill_null("not known") for name in strata]
    stratum = ibis.literal(JOIN).join(parts) if parts else ibis.literal("all")
    own = traits.select("student", "first_visit_month", stratum=stratum)
    rows = lookbacks(panel, to_come=True)
    rows = rows.filter((rows.month == day) & (rows[rule.window] >= rule.percent)).select("student", "position")
    rows = rows.join(own, "student")
    rows = rows.filter(rows.first_visit_month.isnull() | (rows.first_visit_month > day)).drop("first_visit_month")
    if data.has_log:
        log = visit_table(data)
        rows = rows.anti_join(log.filter(log.referral_date.truncate("M") <= day), "student")
    return rows.distinct()


def eligible_ids(data: StudentData, rule: Rule, month: str, strata: Sequence[Stratum]) -> dict[str, str]:
    """Return pseudonym -> stratum of the students who may be drawn. For the private list of a lottery, nothing else.

    Parameters
    ----------
    data
        The students; with a visit log, those referred or visited by then are not among them.
    rule, month
        The rule, and the last month that it looks at.
    strata
        Within which lots will be drawn.

    Raises
    ------
    BadInput
        If the files do not have the month.
    """
    _check_month(data, month)
    found = sealed("listing who meets the rule", _meeting(data, rule, month, strata).to_pyarrow)
    return dict(zip(found["student"].to_pylist(), found["stratum"].to_pylist(), strict=True))


def _check_month(data: StudentData, month: str) -> None:
    known = months(data)
    if month not in known:
        raise bad_value("month", month, [known[0], "...", known[-1]], "The files have these school months.")


def past_decisions(data: StudentData, after: int, window: str) -> tuple[str, ...]:
    """Return the months after which a decision can be dealt: a window up to them, `after` months without visits then.

    Raises
    ------
    BadInput
        If there is none.
    """
    least = {"last_two_months": 2, "last_three_months": 3}.get(window, 1)
    free = months_without_program(data)
    usable = free[least - 1 : len(free) - after]
    if not usable:
        raise BadInput(
            f"{len(free)} school months come before the first visit; the rule and {after} months after it take "
            f"{least + after}. Add the attendance of an earlier school year, or give fewer months after."
        )
    return usable


def past(data: StudentData, rule: Rule, month: str, after: int, blocks: int, strata: Sequence[Stratum]) -> Past:
    """Return what students did who met the rule at a past decision, in `blocks` equal parts of the months after it.

    Parameters
    ----------
    data
        The students.
    rule, month
        The rule, and the last month that it looks at; one of `past_decisions`.
    after
        School months after the decision.
    blocks
        Periods that they are cut into: one for each phase of a rollout.
    strata
        Within which lots would be drawn.

    Raises
    ------
    BadInput
        If the months cannot be cut so, the files lack the month, or nobody meets the rule.
    """
    if blocks < 1 or after < blocks:
        raise BadInput(f"{after} months after the decision cannot be cut into {blocks} parts of a month or more.")
    _check_month(data, month)
    rows = sealed("counting days around a decision", _days(data, rule, month, after, blocks, strata).to_pyarrow)
    enrolled, missed = (_matrix(rows, letter, blocks + 1) for letter in "em")
    there = (enrolled > 0).all(axis=1)
    if not there.any():
        raise BadInput(f"Nobody who meets the rule in {month} is enrolled in each of the {after} months after it.")
    strata_of = np.array(rows["stratum"].to_pylist(), dtype=str)
    return Past(month, 100 * missed[there] / enrolled[there], strata_of[there], int((~there).sum()))


def _days(data: StudentData, rule: Rule, month: str, after: int, blocks: int, strata: Sequence[Stratum]) -> Table:
    panel = engine_table(data)
    chosen = keep(panel.get_backend(), "finding who meets the rule", _meeting(data, rule, month, strata))
    rows = panel.join(school_months(panel).select("month", "position"), "month")
    rows = rows.join(chosen, "student", rname="{name}_decision")
    since = rows.position - rows.position_decision
    rows = rows.mutate(period=ibis.ifelse(since <= 0, 0, 1 + ((since - 1) * blocks / after).floor().cast("int64")))
    rows = rows.filter((since > -BEFORE) & (since <= after))
    sums: dict[str, NumericScalar] = {}
    for k in range(blocks + 1):
        own = rows.period == k
        sums |= {
            f"e{k}": rows.days_enrolled.sum(where=own).fill_null(0),
            f"m{k}": (rows.days_enrolled - rows.days_attended).sum(where=own).fill_null(0),
        }
    # in an order that depends on no thread: by the students' own days
    return rows.group_by("student", "stratum").agg(**sums).order_by("student").drop("student")


def _matrix(rows: pa.Table, letter: str, periods: int) -> np.ndarray:
    return np.stack([np.asarray(rows[f"{letter}{k}"].to_numpy(), dtype=float) for k in range(periods)], axis=1)
