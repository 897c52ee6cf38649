"""How much of the time before a month a student had missed: what a district sees when it decides on a referral.

And two programs without a visit that follow from it, where zero is expected. The placebo applies the district's own
referral rule, by lot, to months before there was any visit: it tests whether a design removes the rebound of students
who were picked because they were absent. It cannot see why staff picked one student rather than another. The control
can: its students were referred by staff, and not met.
"""

from collections.abc import Callable, Sequence
from datetime import date

import ibis
import pandas as pd
from ibis.expr.types import BooleanValue, FloatingValue, IntegerValue, NumericValue, Table, Value

from leapstudy.core.errors import BadInput
from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.students.engine import keep, sealed
from leapstudy.students.handle import StudentData, engine_table, visit_table
from leapstudy.students.referral_rule import WINDOWS, ReferralRule

# Windows of so many months before the decision; the others are of a school year.
SPANS = {"last_month": 1, "last_two_months": 2, "last_three_months": 3}


def school_months(panel: Table) -> Table:
    """Return the months with any membership, in order: month, decided (the next one, empty for the last), position."""
    months = panel.select("month").distinct()
    order = ibis.window(order_by=months.month)
    place = ibis.row_number().over(order).cast("int64")
    return months.mutate(decided=months.month.lead().over(order), position=place + 1)


def by_rule(rows: Table, rules: Sequence[ReferralRule], value: Callable[[ReferralRule], Value]) -> Value:
    """Return a value of the own district's rule; districts without a referral take that of the last rule, of all."""
    own = [(rows.district_code == rule.district_code, value(rule)) for rule in rules if rule.district_code != ALL]
    return ibis.cases(*own, else_=value(rules[-1])) if own else value(rules[-1])


def _percent(missed: NumericValue, enrolled: NumericValue) -> FloatingValue:
    return 100 * missed / enrolled.nullif(0)


def _years(rows: Table) -> Table:
    """Return each student's days by school year, numbered so that they join to the year after."""
    years = rows.group_by(["student", "school_year"]).agg(
        year_missed=rows.missed.sum(), year_enrolled=rows.enrolled.sum()
    )
    return years.mutate(school_year=years.school_year + 1)


def months_behind(window: str, month: str, months: Sequence[str]) -> tuple[str, ...]:
    """Return the months, of the school months in order as ``2031-03``, that a window up to a month looks at.

    Examples
    --------
    >>> months_behind("last_two_months", "2031-09", ["2031-05", "2031-06", "2031-09", "2031-10"])
    ('2031-06', '2031-09')
    """
    until = [each for each in months if each <= month]
    if window in SPANS:
        return tuple(until[-SPANS[window] :])
    year = int(month[:4]) - (month[5:] < "07") - (window == "last_year")
    return tuple(each for each in until if each >= f"{year}-07")


def lookbacks(panel: Table, *, to_come: bool = False, within: Sequence[str] = ()) -> Table:
    """Return, for each student and month of decision, the share of days missed in each of the `WINDOWS` before it.

    Parameters
    ----------
    panel
        The cleaned panel: one row per student and month.
    to_come
        Keep the last month too, whose referrals are decided in a month that the files do not have yet.
    within
        Months that are looked at, from `months_behind`; all by default. Windows that reach beyond them are not whole.

    Returns
    -------
    Table
        One row per student and school month in which the student is seen: student, district_code, month (that month),
        decided (the school month after it, in which a referral would be decided; its number is `position`, from 0), and
        for each window up to `month` the percentage of enrolled days missed. An engine expression: it never leaves.
    """
    # whole hundredths of a day: as floats 17.1 of 19 days would be less than a tenth missed, and miss its band
    enrolled = hundredths(panel.days_enrolled)
    missed = enrolled - hundredths(panel.days_attended)
    rows = panel.mutate(missed=missed, enrolled=enrolled, school_year=school_year(panel))
    rows = rows.filter(rows.month.isin([first_day(month) for month in within])) if within else rows
    rows = rows.join(school_months(panel), "month").left_join(
        _years(rows), ["student", "school_year"], rname="{name}_last"
    )
    if not to_come:
        rows = rows.filter(rows.decided.notnull())
    so_far = ibis.window(group_by=[rows.student, rows.school_year], order_by=rows.position, range=(None, 0))
    year = _percent(rows.missed.sum().over(so_far), rows.enrolled.sum().over(so_far))
    over = rows.month.month().isin(range(1, 7)) & (rows.decided.month() > 6)  # decided in a new school year
    windows = {
        "year_to_date": year,
        "last_year": ibis.ifelse(over, year, _percent(rows.year_missed, rows.year_enrolled)),
    }
    for name, span in SPANS.items():
        recent = ibis.window(group_by=rows.student, order_by=rows.position, range=(1 - span, 0))
        windows[name] = _percent(rows.missed.sum().over(recent), rows.enrolled.sum().over(recent))
    return rows.mutate(**windows).select("student", "district_code", "month", "decided", "position", *WINDOWS)


def first_day(month: str) -> date:
    """Return the first day of a month such as ``2031-03``."""
    return date.fromisoformat(f"{month}-01")


def at_risk_shares(data: StudentData) -> pd.DataFrame:
    """Count student-months at risk of a first referral by absence before them, from one aggregate query.

    Parameters
    ----------
    data
        Opened with its visit log.

    Returns
    -------
    pandas.DataFrame
        district_code, window, percent (whole, rounded down), at_risk, referred. Cells are small: for programs only.
    """
    panel, log = engine_table(data), visit_table(data)
    referral = log.group_by("student").agg(referral=log.referral_date.min().truncate("M"))
    period = referral.aggregate(first=referral.referral.min(), last=referral.referral.max())
    rows = lookbacks(panel).left_join(referral, "student", rname="{name}_log").cross_join(period)
    waiting = rows.referral.isnull() | (rows.referral > rows.month)
    rows = rows.filter(waiting & (rows.decided >= rows.first) & (rows.month < rows.last))
    rows = rows.mutate(is_referred=(rows.referral <= rows.decided).fill_null(False))
    referrals = keep(
        panel.get_backend(), "reading the referrals", rows.select("district_code", "is_referred", *WINDOWS)
    )
    return sealed(
        "counting the referrals", lambda: ibis.union(*(_histogram(referrals, name) for name in WINDOWS)).to_pandas()
    )


def _histogram(rows: Table, window: str) -> Table:
    rows_with = rows.filter(rows[window].notnull())
    cells = rows_with.group_by("district_code", percent=rows_with[window].floor().cast("int64"))
    counts = cells.agg(at_risk=rows_with.count(), referred=rows_with.is_referred.sum())
    return counts.mutate(window=ibis.literal(window)).select(
        "district_code", "window", "percent", "at_risk", "referred"
    )


def hundredths(days: NumericValue) -> IntegerValue:
    """Return days in whole hundredths, in which shares and thresholds are exact."""
    return (days.cast("float64") * 100).round().cast("int64")


def school_year(panel: Table) -> IntegerValue:
    """Return the calendar year in which a row's school year began (July counts to the new one)."""
    return panel.month.year() - ibis.ifelse(panel.month.month() < 7, 1, 0)


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
