"""Who was referred, tried, met, and how often: students counted inside the engine, one number a group.

The counts are exact and for programs. Before a page shows one, `leapstudy.evidence.privacy.protect` hides the small
ones, over all districts and tables at once.
"""

import ibis
import pandas as pd
from ibis.expr.types import BooleanValue, DateValue, StringValue, Table

from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.students.contract import GRADES, SUPPORTS
from leapstudy.students.disclosure import DIMENSIONS, STATUSES, VISIT_COUNTS, VISITED
from leapstudy.students.engine import keep, sealed
from leapstudy.students.handle import StudentData, engine_table, visit_table

_OF_ALL: tuple[tuple[str, ...], ...] = ((), ("status",))
_OF_VISITED: tuple[tuple[str, ...], ...] = (("cohort",), ("visits",), ("grade_band",))


def grade_band(grade: StringValue) -> StringValue:
    """Return a grade's band as an engine expression; empty where the grade is."""
    early = GRADES[: GRADES.index("06")]
    return ibis.cases((grade.isin(early), "PK-5"), (grade.isin(GRADES), "6-12"), else_=ibis.null("string"))


def _given(visits: Table, support: str) -> BooleanValue:
    listed = (ibis.literal(";") + visits.supports.fill_null("") + ";").contains(f";{support};")
    return (visits.completed & listed).any()


def _log_by_student(visits: Table) -> Table:
    supports = {name: _given(visits, name) for name in SUPPORTS}
    tried, met = visits.visit_date.notnull().any(), visits.completed.sum()
    return visits.group_by("student").agg(tried=tried, met=met, **supports)


def _cohort(month: DateValue) -> StringValue:
    """Return the season of the first visit, in the order of time: 2021 summer, 2021 autumn, 2022 spring."""
    season = ibis.cases((month.month().isin((7, 8)), "summer"), (month.month() > 8, "autumn"), else_="spring")
    return month.year().cast("string") + " " + season


def _students(panel: Table, visits: Table) -> Table:
    """Return one row per student with every dimension, district and grade being those of its first month.

    It never leaves the engine.
    """
    own = panel.group_by("student").agg(
        district_code=panel.district_code.argmin(panel.month),
        grade=panel.grade.argmin(panel.month),
        first=panel.first_visit_month.max(),
    )
    both = own.left_join(_log_by_student(visits), "student", rname="{name}_log")
    status = ibis.cases(
        (both.first.notnull(), STATUSES[3]),
        (both.tried, STATUSES[2]),
        (both.student_log.notnull(), STATUSES[1]),
        else_=STATUSES[0],
    )
    many = ibis.ifelse(both.met >= len(VISIT_COUNTS), VISIT_COUNTS[-1], both.met.cast("string"))
    supports = {name: ibis.ifelse(both[name].fill_null(False), "yes", "no") for name in SUPPORTS}
    return both.select(
        "district_code",
        status=status,
        cohort=_cohort(both.first),
        visits=many,
        grade_band=grade_band(both.grade),
        **supports,
    )


def _counted(students: Table, by: tuple[str, ...]) -> Table:
    """Return the students by group; every dimension that is not named is its total."""
    counts = students.filter([students[name].notnull() for name in by]).group_by(by).agg(students=ibis._.count())
    totals = {name: ibis.literal(ALL) for name in DIMENSIONS if name not in by}
    return counts.mutate(**totals).select(*DIMENSIONS, "students")


def visit_counts(data: StudentData) -> pd.DataFrame:
    """Count students by how far the program got with them, from one aggregate query.

    Supports are counted for all districts together only: seven more splits of a district's visited students would leave
    little that may be shown.

    Parameters
    ----------
    data
        Opened with its visit log.

    Returns
    -------
    pandas.DataFrame
        The columns `DIMENSIONS` (``ALL`` = total) and `students`; the rows of all districts together come last.

    Raises
    ------
    BadInput
        If there is no log.
    """
    panel = engine_table(data)
    students = keep(panel.get_backend(), "reading the visits", _students(panel, visit_table(data)))
    visited = students.filter(students.status == VISITED)
    by_district = [_counted(students, ("district_code", *by)) for by in _OF_ALL]
    by_district += [_counted(visited, ("district_code", "status", *by)) for by in _OF_VISITED]
    supports = [_counted(visited, ("status", name)) for name in SUPPORTS]
    counts = sealed("counting the visits", lambda: ibis.union(*by_district, *supports).to_pandas())
    rest = [name for name in DIMENSIONS if name != "district_code"]
    single = counts["district_code"] != ALL
    together = counts[single].groupby(rest, as_index=False)["students"].sum().assign(district_code=ALL)
    columns, by_place = [*DIMENSIONS, "students"], counts[single].sort_values(list(DIMENSIONS))
    return pd.concat([by_place, together[columns], counts[~single].sort_values(rest)], ignore_index=True)
