"""Students who meet a referral rule: who they are for a lottery, and what they did in months without a program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import ibis
import numpy as np
from ibis.expr.types import NumericScalar, StringValue, Table

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import check_option
from leapstudy.students.engine import keep, sealed
from leapstudy.students.handle import StudentData, engine_table, visit_table
from leapstudy.students.lookback import SPANS, first_day, lookbacks, months_behind, school_months
from leapstudy.students.referral_rule import WINDOWS, WORDS
from leapstudy.students.visits import grade_band

# Traits in the month that the rule ends with, within which lots are drawn.
Stratum = Literal["district_code", "school_code", "grade_band", "high_needs"]

Outcome = Literal["attendance", "chronic_absence"]
# A student who missed this share of the enrolled days, or more, is chronically absent.
CHRONIC_PERCENT = 10
JOIN = " / "
# School months up to the decision whose attendance stands for the time before.
BEFORE = 6
# Months of a school year; until files of a first one hold as many, months still to come are its own but for these.
SCHOOL_YEAR, SUMMER = 10, {"07", "08"}


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
    enrolled, missed : ndarray, shape (students, 1 + months)
        Days: in all months before the decision together, then in each school month after it.
    strata : ndarray of str, shape (students,)
    """

    month: str
    enrolled: np.ndarray
    missed: np.ndarray
    strata: np.ndarray

    def outcome(self, name: str, blocks: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the outcome before and in `blocks` equal parts of the months after, and the strata.

        Shape (students, 1 + blocks), in points, higher is better: attendance, or the negative of being chronically
        absent. Students who are not enrolled in each part have left, and are not in it.

        Raises
        ------
        BadInput
            If there are fewer months than parts.
        """
        check_option("outcome of students", name, Outcome)
        after = self.enrolled.shape[1] - 1
        if not 1 <= blocks <= after:
            raise BadInput(f"{after} months after the decision cannot be cut into {blocks} parts of a month or more.")
        first = [0, *(1 + -(-after * k // blocks) for k in range(blocks))]
        enrolled, missed = (np.add.reduceat(days, first, axis=1) for days in (self.enrolled, self.missed))
        stay = (enrolled > 0).all(axis=1)
        if name == "chronic_absence":
            return -100.0 * is_chronic(missed[stay], enrolled[stay]), self.strata[stay]
        return 100 - 100 * missed[stay] / enrolled[stay], self.strata[stay]


def is_chronic(missed: np.ndarray, enrolled: np.ndarray) -> np.ndarray:
    """Return who missed `CHRONIC_PERCENT` or more of the enrolled days, as booleans; days in any shape.

    In whole hundredths of a day: as floats 17.1 of 19 days attended are less than a tenth missed.

    Examples
    --------
    >>> is_chronic(np.array([19 - 17.1, 19 - 17.2]), np.array([19.0, 19.0])).tolist()
    [True, False]
    """
    return 100 * np.rint(100 * missed) >= CHRONIC_PERCENT * np.rint(100 * enrolled)


def months(data: StudentData) -> tuple[str, ...]:
    """Return the school months of the files, in order, as ``2031-03``."""
    table = sealed("listing the months", school_months(engine_table(data)).order_by("position").to_pyarrow)
    return tuple(f"{month:%Y-%m}" for month in table["month"].to_pylist())


def school_months_after(known: Sequence[str], decided: str, count: int) -> tuple[str, ...]:
    """Return the next `count` school months after one: those of a year that the files have months of.

    Where the files hold less than a school year, months that they do not reach count too, but for those of summer.

    Examples
    --------
    >>> school_months_after(["2031-09", "2031-10", "2032-05", "2032-06", "2032-09"], "2032-09", 4)
    ('2032-10', '2033-05', '2033-06', '2033-09')
    >>> school_months_after(["2031-09", "2031-10"], "2031-10", 9)[-2:]
    ('2032-06', '2032-09')
    """
    of_year, year = {month[5:] for month in known}, int(decided[:4])
    if len(of_year) < SCHOOL_YEAR:
        first, last = (12 * int(month[:4]) + int(month[5:]) for month in (known[0], known[-1]))
        of_year |= {f"{place % 12 + 1:02d}" for place in range(last, first + 11)} - SUMMER
    every = (f"{year + place // 12}-{place % 12 + 1:02d}" for place in range(12 * (count + 1)))
    return tuple(month for month in every if month > decided and month[5:] in of_year)[:count]


def months_without_program(data: StudentData) -> tuple[str, ...]:
    """Return the school months before the first visit of anybody; all months where nobody was visited."""
    panel = engine_table(data)
    first = sealed("finding the first visit", panel.first_visit_month.min().to_pyarrow).as_py()
    return tuple(month for month in months(data) if first is None or month < f"{first:%Y-%m}")


def _meeting(data: StudentData, rule: Rule, of: Sequence[str], strata: Sequence[Stratum]) -> Table:
    """Return student, month, position and stratum of who meets the rule at the end of each month, not yet referred."""
    for name in strata:
        check_option("stratum of students", name, Stratum)
    panel = engine_table(data)
    days, every = [first_day(month) for month in of], months(data)
    near = sorted({each for month in of for each in months_behind(rule.window, month, every)})
    rows = lookbacks(panel, to_come=True, within=near)
    rows = rows.filter(rows.month.isin(days))
    rows = rows.filter(rows[rule.window] >= rule.percent).select("student", "month", "position")
    traits = panel.filter(panel.month.isin(days))
    traits = traits.filter(traits.first_visit_month.isnull() | (traits.first_visit_month > traits.month))
    columns: dict[str, StringValue] = {
        "district_code": traits.district_code,
        "school_code": traits.school_code,
        "grade_band": grade_band(traits.grade),
        "high_needs": traits.high_needs.cast("string"),
    }
    parts = [columns[name].fill_null("not known") for name in strata]
    stratum = ibis.literal(JOIN).join(parts) if parts else ibis.literal("all")
    rows = rows.join(traits.select("student", "month", stratum=stratum), ["student", "month"])
    if data.has_log:
        log = visit_table(data)
        first = log.group_by("student").agg(referral=log.referral_date.min().truncate("M"))
        rows = rows.left_join(first, "student", rname="{name}_log")
        rows = rows.filter(rows.referral.isnull() | (rows.referral > rows.month))
    return rows.select("student", "month", "position", "stratum").distinct()


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
    table = sealed("listing who meets the rule", _meeting(data, rule, [month], strata).to_pyarrow)
    return dict(zip(table["student"].to_pylist(), table["stratum"].to_pylist(), strict=True))


def _check_month(data: StudentData, month: str) -> None:
    months_held = months(data)
    if month not in months_held:
        raise bad_value("month", month, [months_held[0], "...", months_held[-1]], "The files have these school months.")


def past_decisions(data: StudentData, after: int, window: str) -> tuple[str, ...]:
    """Return the months after which a decision can be dealt: a window up to them, `after` months without visits then.

    Raises
    ------
    BadInput
        If there is none.
    """
    least = SPANS.get(window, 1)
    free = months_without_program(data)
    usable = free[least - 1 : max(len(free) - after, 0)]
    if not usable:
        raise BadInput(
            f"{len(free)} school months come before the first visit; the rule and {after} months after it take "
            f"{least + after}. Add the attendance of an earlier school year, or give fewer months after."
        )
    return usable


def past(data: StudentData, rule: Rule, of: Sequence[str], after: int, strata: Sequence[Stratum]) -> tuple[Past, ...]:
    """Return what students did who met the rule at past decisions, from one query.

    Parameters
    ----------
    data
        The students.
    rule, of
        The rule, and the last month that it looks at for each decision; of `past_decisions`.
    after
        School months after a decision.
    strata
        Within which lots would be drawn.

    Raises
    ------
    BadInput
        If the files lack a month, or nobody meets the rule at a decision.
    """
    for month in of:
        _check_month(data, month)
    rows = sealed("counting days around a decision", _days(data, rule, of, after, strata).to_pyarrow)
    months_of = np.array([f"{month:%Y-%m}" for month in rows["month"].to_pylist()])
    enrolled, missed = (
        np.stack([np.asarray(rows[f"{letter}{k}"].to_numpy(), dtype=float) for k in range(after + 1)], axis=1)
        for letter in "em"
    )
    strata_of = np.array(rows["stratum"].to_pylist(), dtype=str)
    months_empty = sorted(set(of) - set(months_of.tolist()))
    if months_empty:
        raise BadInput(f"Nobody meets the rule ({rule.words()}) in {', '.join(months_empty)}.")
    own = [(month, months_of == month) for month in of]
    return tuple(Past(month, enrolled[mask], missed[mask], strata_of[mask]) for month, mask in own)


def _days(data: StudentData, rule: Rule, of: Sequence[str], after: int, strata: Sequence[Stratum]) -> Table:
    panel = engine_table(data)
    eligible = keep(panel.get_backend(), "finding who meets the rule", _meeting(data, rule, of, strata))
    rows = panel.join(school_months(panel).select("month", "position"), "month")
    rows = rows.select("student", "position", "days_enrolled", "days_attended")
    rows = eligible.join(rows, "student", rname="{name}_day")
    rows = rows.mutate(since=rows.position_day - rows.position)
    rows = rows.filter((rows.since > -BEFORE) & (rows.since <= after))
    sums: dict[str, NumericScalar] = {}
    for k in range(after + 1):
        own = rows.since <= 0 if k == 0 else rows.since == k
        sums |= {
            f"e{k}": rows.days_enrolled.sum(where=own).fill_null(0),
            f"m{k}": (rows.days_enrolled - rows.days_attended).sum(where=own).fill_null(0),
        }
    # in an order that depends on no thread
    return rows.group_by("month", "student", "stratum").agg(**sums).order_by("month", "student").drop("student")
