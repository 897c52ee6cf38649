"""The risk set of each month inside the engine: who was at risk of a first visit, and how each changed since the base.

A student stands in the risk set of every month up to the own first visit, so it may be comparison many times. What it
adds to an estimate is the sum over all of them, and only inside the engine can that sum be squared: the first query
returns sums by stratum, the second sums of products of influence. No row leaves.

A stratum is a district, a band of absence before the month, and whether the student was referred in an earlier month
and still waits: those who wait were picked before, and are compared with each other only. Who stays unvisited is no lot
either, for a rule picks whoever comes to be absent. So a comparison student who is still unvisited stands for those
alike who are not, by the inverse of the chance to have stayed (Robins and Finkelstein 2000, Biometrics 56: 779-788).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import ibis
import pandas as pd
from ibis.expr.types import FloatingValue, IntegerValue, Table

from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.students.engine import keep, sealed
from leapstudy.students.groups import VISIT_COUNTS
from leapstudy.students.handle import StudentData, engine_table, visit_table
from leapstudy.students.lookback import lookbacks
from leapstudy.students.moments.traits import month_number
from leapstudy.students.referral_rule import ReferralRule
from leapstudy.students.visits import grade_band

BAND_EDGES = (2, 5, 10, 15, 20, 30)
"""Percent of days missed in the rule's window at which a new absence band begins."""

MONTHS_AROUND = 9
"""Calendar months before and after the first visit for which changes are kept."""

Split = Literal["", "grade_band", "visits"]
"""Parts of the visited students; the comparison students are the same for each part."""

STRATUM = ("district_code", "band", "waiting")
CELL = ("g", "t", "treated", *STRATUM)


@dataclass(frozen=True, slots=True, repr=False)
class RiskChanges:
    """Changes of students at risk as an engine table; its repr holds no row.

    Columns: student, `CELL` (g, t = month numbers of risk set and outcome), base (its month number), change (points),
    weight (one for visited students and before g), grade_band, visits.
    """

    table: Table

    def __repr__(self) -> str:
        return "RiskChanges(rows stay in the engine)"


def risk_changes(data: StudentData, rules: Sequence[ReferralRule]) -> RiskChanges:
    """Form the risk set of each cohort and compute once how its students changed.

    At risk in month g are students seen in the last school month before g who had no visit before g. Their band is
    the share of days missed in the window that the own district's rule looks at. A student stops being comparison in
    the month of the own first visit. The base is the last school month before g.

    Parameters
    ----------
    data
        The students, or a placebo program.
    rules
        From `find_rules`; the rule of all districts, last, stands for districts without a referral.
    """
    panel = engine_table(data)
    ends = panel.risk_ends if "risk_ends" in panel.columns else panel.first_visit_month
    students = panel.group_by("student").agg(
        cohort=panel.first_visit_month.max(),
        ends=ends.max(),
        home=panel.district_code.argmin(panel.month),
        grade=panel.grade.argmin(panel.month),
    )
    cohorts = students.filter(students.ends.notnull()).select(g=students.ends).distinct()
    seen = lookbacks(panel)
    risk = seen.join(cohorts, [cohorts.g <= seen.decided, cohorts.g > seen.month])
    risk = risk.join(students, "student").left_join(_referrals(data), "student", rname="{name}_log")
    risk = risk.filter(risk.ends.isnull() | (risk.ends >= risk.g))
    share = _window_share(risk, rules)
    risk = risk.filter(share.notnull()).select(
        "student",
        "g",
        "cohort",
        "ends",
        base="month",
        district_code=risk.home,
        band=_band(share),
        waiting=(risk.referral < risk.g).fill_null(False),
        grade_band=grade_band(risk.grade),
    )
    risk = keep(
        panel.get_backend(), "forming the risk sets", risk.left_join(_visits(data), "student", rname="{name}_log")
    )
    stay = keep(panel.get_backend(), "weighing who stayed", _stay(risk, panel))
    return RiskChanges(keep(panel.get_backend(), "following the risk sets", _changes(risk, panel, stay)))


def _stay(risk: Table, panel: Table) -> Table:
    """Return student, at (month number) and the summed log-chance to have stayed at risk up to and in that month.

    The chance is the share of the stratum that is not picked in the month; a whole one that is leaves nobody to weigh.
    """
    left = (risk.ends == risk.g).fill_null(False).cast("float64")
    share = left.mean().over(ibis.window(group_by=[risk.g, *(risk[name] for name in STRATUM)]))
    picks = risk.select("student", at=month_number(risk.g), log=ibis.ifelse(share < 1, (1 - share).ln(), 0.0))
    months = panel.select("student", at=month_number(panel.month), log=ibis.literal(0.0))
    each = picks.union(months).group_by(["student", "at"]).agg(log=lambda rows: rows.log.sum())
    return each.mutate(log=each.log.sum().over(ibis.cumulative_window(group_by=each.student, order_by=each.at)))


def _referrals(data: StudentData) -> Table:
    """Return student and month of the first referral; in a program without a log nobody waits."""
    if not data.has_log:
        return engine_table(data).select("student", referral="month").limit(0)
    log = visit_table(data)
    return log.group_by("student").agg(referral=log.referral_date.min().truncate("M"))


def _window_share(rows: Table, rules: Sequence[ReferralRule]) -> FloatingValue:
    own = [(rows.home == rule.district_code, rows[rule.window]) for rule in rules if rule.district_code != ALL]
    common = rows[rules[-1].window]
    return ibis.cases(*own, else_=common) if own else common


def _band(share: FloatingValue) -> IntegerValue:
    number = ibis.literal(0, "int64")
    for edge in BAND_EDGES:
        number = number + (share >= edge).cast("int64")
    return number


def _visits(data: StudentData) -> Table:
    """Return student and number of completed visits as text; in a placebo program there are none."""
    if not data.has_log:
        return engine_table(data).select("student", visits=ibis.literal("0")).limit(0)
    log = visit_table(data)
    met = log.group_by("student").agg(met=log.completed.sum())
    return met.select(
        "student", visits=ibis.ifelse(met.met >= len(VISIT_COUNTS), VISIT_COUNTS[-1], met.met.cast("string"))
    )


def _changes(risk: Table, panel: Table, stay: Table) -> Table:
    points = panel.select("student", "month", y=100 * panel.days_attended / panel.days_enrolled.nullif(0))
    bases = points.rename(base_y="y", base="month")
    rows = risk.join(bases, ["student", "base"]).join(points, "student", rname="{name}_of")
    g, t = month_number(rows.g), month_number(rows.month)
    treated = (rows.cohort == rows.g).fill_null(False)
    rows = rows.filter(
        (rows.month != rows.base)
        & (t - g).between(-MONTHS_AROUND, MONTHS_AROUND)
        & (treated | rows.ends.isnull() | (rows.ends > rows.month))
    )
    rows = rows.select(
        "student",
        *STRATUM,
        "grade_band",
        "visits",
        g=month_number(rows.g),
        t=month_number(rows.month),
        base=month_number(rows.base),
        treated=(rows.cohort == rows.g).fill_null(False),
        change=rows.y - rows.base_y,
    )
    rows = rows.join(stay.rename(g="at", log_g="log"), ["student", "g"]).join(
        stay.rename(t="at", log_t="log"), ["student", "t"]
    )
    weight = ibis.ifelse(rows.treated | (rows.t < rows.g), 1.0, (rows.log_g - rows.log_t).exp())
    return rows.mutate(weight=weight).drop("log_g", "log_t")


def change_sums(changes: RiskChanges, split: Split = "") -> pd.DataFrame:
    """Return students, their weights and weighted changes by risk set, month, side and stratum.

    Parameters
    ----------
    changes
        From `risk_changes`.
    split
        Also by this part of the visited students; comparison students then have an empty `part`.

    Returns
    -------
    pandas.DataFrame
        The columns `CELL`, part, students, weight, total, base. Cells are small: for programs only.
    """
    rows = _with_part(changes.table, split)
    sums = rows.group_by([*CELL, "part"]).agg(
        students=rows.count(), weight=rows.weight.sum(), total=(rows.weight * rows.change).sum(), base=rows.base.min()
    )
    return sealed("summing the changes", lambda: sums.order_by([*CELL, "part"]).to_pandas())


def cohort_sizes(changes: RiskChanges, split: Split = "") -> pd.DataFrame:
    """Return the number of visited students by district_code, g and part."""
    rows = _with_part(changes.table, split)
    rows = rows.filter(rows.treated)
    sizes = rows.group_by(["district_code", "g", "part"]).agg(students=rows.student.nunique())
    return sealed("counting the cohorts", lambda: sizes.order_by(["district_code", "g", "part"]).to_pandas())


def comparison_students(changes: RiskChanges) -> pd.Series:
    """Return the number of students who are comparison at least once, by district code."""
    rows = changes.table.filter(~changes.table.treated)
    counts = rows.group_by("district_code").agg(students=rows.student.nunique())
    return sealed("counting the comparison students", lambda: counts.to_pandas()).set_index("district_code")["students"]


def _with_part(rows: Table, split: Split) -> Table:
    part = rows[split].fill_null("") if split else ibis.literal("")
    return rows.mutate(part=ibis.ifelse(rows.treated, part, ""))


def influence_products(
    changes: RiskChanges, coefficients: pd.DataFrame, shares: pd.DataFrame, split: Split = ""
) -> pd.DataFrame:
    """Square each student's summed influence inside the engine: the second pass.

    Parameters
    ----------
    changes
        From `risk_changes`.
    coefficients
        grp, `CELL`, part, key, intercept, slope: a student in such a cell moves the average `key` of the group `grp` by
        ``weight * (intercept + slope * change)``.
    shares
        grp, district_code, g, part, key, intercept: that cohort sizes are estimated moves it by so much for each
        visited student of the cohort.
    split
        As in `change_sums`.

    Returns
    -------
    pandas.DataFrame
        grp, key, key_of, product: the sum over students of the product of their influences.
    """
    rows = _with_part(changes.table, split)
    moved = rows.join(ibis.memtable(coefficients), [*CELL, "part"])
    moved = moved.select("grp", "student", "key", amount=moved.weight * (moved.intercept + moved.slope * moved.change))
    visited = rows.filter(rows.treated).select("student", "district_code", "g", "part").distinct()
    sized = visited.join(ibis.memtable(shares), ["district_code", "g", "part"])
    both = moved.union(sized.select("grp", "student", "key", amount=sized.intercept))
    each = both.group_by(["grp", "student", "key"]).agg(amount=both.amount.sum())
    kept = keep(changes.table.get_backend(), "summing each student's influence", each)
    pairs = kept.join(kept.view(), ["grp", "student"], rname="{name}_of")
    products = pairs.group_by(["grp", "key", "key_of"]).agg(product=(pairs.amount * pairs.amount_of).sum())
    return sealed("squaring each student's influence", lambda: products.to_pandas())
