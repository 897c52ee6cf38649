"""Two programs without a visit, where zero is expected: one drawn by lot before the visits, one of those not met.

The placebo applies the district's own referral rule, by lot, to months before there was any visit: it tests whether a
design removes the rebound of students who were picked because they were absent. It cannot see why staff picked one
student rather than another. The control can: its students were referred by staff, and not met.
"""

from collections.abc import Sequence

import ibis
from ibis.expr.types import BooleanValue, Table

from leapstudy.core.errors import BadInput
from leapstudy.students.engine import keep, sealed
from leapstudy.students.handle import StudentData, engine_table, visit_table
from leapstudy.students.lookback import by_rule, lookbacks
from leapstudy.students.referral_rule import ReferralRule

# School months that a placebo cohort must be followed, so that a rebound has time to show.
MONTHS_AFTER = 3

HEX_DIGITS = 8


def _by_chance(rows: Table, rules: Sequence[ReferralRule], seed: int) -> BooleanValue:
    """Draw with the rule's monthly share by a hash of student, month and seed: the same on every engine and thread
    count.
    """
    text = rows.student + ":" + rows.position.cast("string") + f":{seed}"
    return text.hexdigest("md5").left(HEX_DIGITS) < by_rule(rows, rules, _threshold)


def _threshold(rule: ReferralRule) -> ibis.expr.types.StringValue:
    top = 16**HEX_DIGITS
    return ibis.literal(f"{min(int(rule.monthly * top), top - 1):0{HEX_DIGITS}x}")


def control_program(data: StudentData) -> StudentData:
    """Return the students as if a first referral were a first visit, each up to the month before any visit.

    Cohorts are months of a first referral that no visit followed in the same month. Students who are met later count
    until then; those who are met at once stand among the others until they are referred.

    Parameters
    ----------
    data
        The students of all districts, with their visit log.

    Raises
    ------
    BadInput
        If every referred student was met in the month of the referral.
    """
    panel, log = engine_table(data), visit_table(data)
    first = log.group_by("student").agg(referral=log.referral_date.min().truncate("M"))
    rows = panel.left_join(first, "student", rname="{name}_log")
    visit = rows.first_visit_month
    before = rows.filter(visit.isnull() | (rows.month < visit))
    waits = before.referral.notnull() & (
        before.first_visit_month.isnull() | (before.first_visit_month > before.referral)
    )
    referrals = before.mutate(
        first_visit_month=ibis.ifelse(waits, before.referral, ibis.null("date")),
        risk_ends=ibis.least(before.first_visit_month.fill_null(before.referral), before.referral),
        followed_until=before.first_visit_month,
    )
    columns = (*panel.columns, "risk_ends", "followed_until")
    control_rows = keep(panel.get_backend(), "finding the referred who were not met", referrals.select(*columns))
    control = StudentData(control_rows, None, data.simulated)
    if not control.size.visited:
        raise BadInput("Every referred student was met in the month of the referral, so nobody can serve as a control.")
    return control


def placebo_program(data: StudentData, rules: Sequence[ReferralRule], seed: int) -> StudentData:
    """Return the months before the first visit with placebo cohorts in the place of cohorts.

    Parameters
    ----------
    data
        The students of all districts.
    rules
        From `find_rules`, the rule of all districts last.
    seed
        Of the draw among those who meet the rule.

    Returns
    -------
    StudentData
        No student in it was ever visited; `first_visit_month` is the month in which the rule would have picked a
        student.

    Raises
    ------
    BadInput
        If too few school months precede the first visit.
    """
    panel = engine_table(data)
    before = panel.filter(panel.month < panel.first_visit_month.min().as_scalar())
    rows = lookbacks(before)
    last = rows.position.max().as_scalar() - MONTHS_AFTER
    meets = by_rule(rows, rules, lambda rule: rows[rule.window] >= rule.percent)
    sample = rows.filter(meets & _by_chance(rows, rules, seed) & (rows.position <= last))
    cohorts = sample.group_by("student").agg(first_visit_month=sample.decided.min())
    placebo_rows = before.drop("first_visit_month").left_join(cohorts, "student", rname="{name}_placebo")
    panel_rows = keep(panel.get_backend(), "making the placebo program", placebo_rows.select(*panel.columns))
    months = sealed("counting the months before", lambda: int(panel_rows.month.nunique().execute()))
    if months < 2 * MONTHS_AFTER:
        raise BadInput(
            f"Only {months} school months precede the first visit; the placebo program needs {2 * MONTHS_AFTER}. "
            "Add the attendance of an earlier school year."
        )
    return StudentData(panel_rows, None, data.simulated)
