"""The panel after the rules: refused and set-aside rows out, small overruns capped, one row per student and month."""

import ibis
from ibis.expr.types import Table

from leapstudy.students import contract


def clean_panel(rows: Table) -> Table:
    """Return the panel that estimators read: one row per student and month.

    Days of two districts or schools in one month are added up (each weighs by its membership); district, school and
    grade are those with the most membership. `capped` says that attendance was cut to membership.

    Parameters
    ----------
    rows
        The rows that no rule leaves out, with the flag `bad_over_by_two`.
    """
    rows = rows.mutate(days_attended=ibis.least(rows.days_attended, rows.days_enrolled), capped=rows.bad_over_by_two)
    weight = rows.days_enrolled
    months = rows.group_by(["student", "month"]).agg(
        district_code=rows.district_code.argmax(weight),
        school_code=rows.school_code.argmax(weight),
        grade=rows.grade.argmax(weight),
        days_enrolled=weight.sum(),
        days_attended=rows.days_attended.sum(),
        first_visit_month=rows.first_visit_month.max(),
        high_needs=rows.high_needs.max(),
        status=rows.status.max(),
        capped=rows.capped.any(),
    )
    return months.select(*contract.STUDENT_MONTH.names, "capped")
