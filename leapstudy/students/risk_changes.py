"""The risk set of each month inside the engine: who was at risk of a first visit, and how each changed since the base.

A student stands in the risk set of every month up to the own first visit, so it may be comparison many times. What it
adds to an estimate is the sum over all of them, and only inside the engine can that sum be squared: the first query
returns sums by absence band, the second sums of products of influence. No row leaves.
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

CELL = ("district_code", "g", "t", "treated", "band")


@dataclass(frozen=True, slots=True, repr=False)
class RiskChanges:
    """Changes of students at risk as an engine table; its repr holds no row.

    Columns: student, `CELL` (g, t = month numbers of risk set and outcome), base (its month number), change (points),
    grade_band, visits.
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
    students = panel.group_by("student").agg(
        cohort=panel.first_visit_month.max(),
        home=panel.district_code.argmin(panel.month),
        grade=panel.grade.argmin(panel.month),
    )
    cohorts = students.filter(students.cohort.notnull()).select(g=students.cohort).distinct()
    seen = lookbacks(panel)
    risk = seen.join(cohorts, [cohorts.g <= seen.decided, cohorts.g > seen.month])
    risk = risk.join(students, "student")
    risk = risk.filter(risk.cohort.isnull() | (risk.cohort >= risk.g))
    share = _window_share(risk, rules)
    risk = risk.filter(share.notnull()).select(
        "student",
        "g",
        "cohort",
        base="month",
        district_code=risk.home,
        band=_band(share),
        grade_band=grade_band(risk.grade),
    )
    risk = risk.left_join(_visits(data), "student", rname="{name}_log")
    return RiskChanges(keep(panel.get_backend(), "forming the risk sets", _changes(risk, panel)))


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


def _changes(risk: Table, panel: Table) -> Table:
    points = panel.select("student", "month", y=100 * panel.days_attended / panel.days_enrolled.nullif(0))
    bases = points.rename(base_y="y", base="month")
    rows = risk.join(bases, ["student", "base"]).join(points, "student", rname="{name}_of")
    since = month_number(rows.month) - month_number(rows.g)
    treated = (rows.cohort == rows.g).fill_null(False)
    rows = rows.filter(
        (rows.month != rows.base)
        & since.between(-MONTHS_AROUND, MONTHS_AROUND)
        & (treated | rows.cohort.isnull() | (rows.cohort > rows.month))
    )
    return rows.select(
        "student",
        "district_code",
        "band",
        "grade_band",
        "visits",
        g=month_number(rows.g),
        t=month_number(rows.month),
        base=month_number(rows.base),
        treated=(rows.cohort == rows.g).fill_null(False),
        change=rows.y - rows.base_y,
    )


def change_sums(changes: RiskChanges, split: Split = "") -> pd.DataFrame:
    """Return students and summed changes by district, risk set, month, side and band.

    Parameters
    ----------
    changes
        From `risk_changes`.
    split
        Also by this part of the visited students; comparison students then have an empty `part`.

    Returns
    -------
    pandas.DataFrame
        The columns `CELL`, part, students, total, base. Cells are small: for programs only.
    """
    rows = _with_part(changes.table, split)
    sums = rows.group_by([*CELL, "part"]).agg(students=rows.count(), total=rows.change.sum(), base=rows.base.min())
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
        grp, district_code, g, t, treated, band, part, key, intercept, slope: a student in such a cell moves the average
        `key` of the group `grp` by ``intercept + slope * change``.
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
    moved = moved.select("grp", "student", "key", amount=moved.intercept + moved.slope * moved.change)
    visited = rows.filter(rows.treated).select("student", "district_code", "g", "part").distinct()
    sized = visited.join(ibis.memtable(shares), ["district_code", "g", "part"])
    both = moved.union(sized.select("grp", "student", "key", amount=sized.intercept))
    each = both.group_by(["grp", "student", "key"]).agg(amount=both.amount.sum())
    kept = keep(changes.table.get_backend(), "summing each student's influence", each)
    pairs = kept.join(kept.view(), ["grp", "student"], rname="{name}_of")
    products = pairs.group_by(["grp", "key", "key_of"]).agg(product=(pairs.amount * pairs.amount_of).sum())
    return sealed("squaring each student's influence", lambda: products.to_pandas())
