"""How much of the time before a month a pupil had missed: what a district sees when it decides on a referral."""

import ibis
from ibis.expr.types import FloatingValue, NumericValue, Table

from leapstudy.pupils.chronic import school_year
from leapstudy.pupils.referral_rule import WINDOWS

_SPANS = {"last_month": 1, "last_two_months": 2, "last_three_months": 3}


def school_months(panel: Table) -> Table:
    """Return the months with any membership, in order: month, previous (empty for the first), position (from 0)."""
    months = panel.select("month").distinct()
    order = ibis.window(order_by=months.month)
    return months.mutate(previous=months.month.lag().over(order), position=ibis.row_number().over(order).cast("int64"))


def _percent(missed: NumericValue, enrolled: NumericValue) -> FloatingValue:
    return 100 * missed / enrolled.nullif(0)


def _years(rows: Table) -> Table:
    """Return each pupil's days by school year, numbered so that they join to the year after."""
    years = rows.group_by(["pupil", "school_year"]).agg(
        year_missed=rows.missed.sum(), year_enrolled=rows.enrolled.sum()
    )
    return years.mutate(school_year=years.school_year + 1)


def lookbacks(panel: Table) -> Table:
    """Return one row per pupil and month with the share of days missed in each of the `WINDOWS` before it.

    Parameters
    ----------
    panel
        The cleaned panel: one row per pupil and month.

    Returns
    -------
    Table
        pupil, district_code, month, previous, position, and for each window the percentage of enrolled days missed,
        empty where the pupil was not enrolled in it. An engine expression: it never leaves the engine.
    """
    missed = panel.days_enrolled - panel.days_attended
    rows = panel.mutate(missed=missed, enrolled=panel.days_enrolled, school_year=school_year(panel))
    rows = rows.join(school_months(panel), "month").left_join(
        _years(rows), ["pupil", "school_year"], rname="{name}_last"
    )
    so_far = ibis.window(group_by=[rows.pupil, rows.school_year], order_by=rows.position, range=(None, -1))
    last = _percent(rows.year_missed, rows.year_enrolled)
    windows = {
        "year_to_date": _percent(rows.missed.sum().over(so_far), rows.enrolled.sum().over(so_far)).coalesce(last)
    }
    for name, span in _SPANS.items():
        recent = ibis.window(group_by=rows.pupil, order_by=rows.position, range=(-span, -1))
        windows[name] = _percent(rows.missed.sum().over(recent), rows.enrolled.sum().over(recent))
    shares = rows.mutate(**windows, last_year=last)
    return shares.select("pupil", "district_code", "month", "previous", "position", *WINDOWS)
