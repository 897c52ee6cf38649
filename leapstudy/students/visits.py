"""Who was referred, tried, met, and how often, in all and by school and week: students counted inside the engine.

The counts are exact and for programs. Before a page shows one, `leapstudy.evidence.privacy.protect` and
`leapstudy.evidence.watch` hide the small ones, over all districts and tables at once. How a program runs (whose feed
stopped, who crossed over) looks at attendance only for whether it was sent.
"""

from dataclasses import dataclass
from datetime import date

import ibis
import pandas as pd
import pyarrow as pa
from ibis.expr.types import BooleanValue, DateValue, StringValue, Table

from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.students.contract import GRADES, LANGUAGES
from leapstudy.students.disclosure import BY, MIN_GROUP, STATUSES, VISIT_COUNTS, VISITED
from leapstudy.students.engine import keep, lent, sealed
from leapstudy.students.handle import StudentData, engine_table, visit_table
from leapstudy.students.lottery import Lottery, units_of

_OF_ALL: tuple[tuple[str, ...], ...] = ((), ("status",))
_OF_VISITED: tuple[tuple[str, ...], ...] = (("cohort",), ("visits",), ("grade_band",))


def grade_band(grade: StringValue) -> StringValue:
    """Return a grade's band as an engine expression; empty where the grade is."""
    early = GRADES[: GRADES.index("06")]
    return ibis.cases((grade.isin(early), "PK-5"), (grade.isin(GRADES), "6-12"), else_=ibis.null("string"))


def _has_support(visits: Table, support: str) -> BooleanValue:
    return (ibis.literal(";") + visits.supports.fill_null("") + ";").contains(f";{support};")


def _column(support: str) -> str:
    """Return a support's column inside the engine, where its bare name may be another column's (met, grade)."""
    return f"support {support}"


def log_by_student(visits: Table, supports: tuple[str, ...]) -> Table:
    """Return one row per student of the log: whether tried, days with a completed visit, and supports given."""
    support_flags = {_column(name): (visits.completed & _has_support(visits, name)).any() for name in supports}
    is_tried, met = visits.visit_date.notnull().any(), visits.visit_date.nunique(where=visits.completed)
    return visits.group_by("student").agg(tried=is_tried, met=met, **support_flags)


def _cohort(month: DateValue) -> StringValue:
    """Return the season of the first visit, in the order of time: 2021 summer, 2021 fall, 2022 spring."""
    season = ibis.cases((month.month().isin((7, 8)), "summer"), (month.month() > 8, "fall"), else_="spring")
    return month.year().cast("string") + " " + season


def _students(panel: Table, visits: Table, supports: tuple[str, ...]) -> Table:
    """Return one row per student with every dimension, district and grade being those of its first month.

    It never leaves the engine.
    """
    own = panel.group_by("student").agg(
        district_code=panel.district_code.argmin(panel.month),
        grade=panel.grade.argmin(panel.month),
        first=panel.first_visit_month.max(),
    )
    both = own.left_join(log_by_student(visits, supports), "student", rname="{name}_log")
    status = ibis.cases(
        (both.first.notnull(), STATUSES[3]),
        (both.tried, STATUSES[2]),
        (both.student_log.notnull(), STATUSES[1]),
        else_=STATUSES[0],
    )
    many = ibis.ifelse(both.met >= len(VISIT_COUNTS), VISIT_COUNTS[-1], both.met.cast("string"))
    support_columns = {
        column: ibis.ifelse(both[column].fill_null(False), "yes", "no") for column in map(_column, supports)
    }
    return both.select(
        "district_code",
        status=status,
        cohort=_cohort(both.first),
        visits=many,
        grade_band=grade_band(both.grade),
        **support_columns,
    )


def _counts(students: Table, by: tuple[str, ...], dimensions: tuple[str, ...]) -> Table:
    """Return the students by group; every dimension that is not named is its total."""
    counts = students.filter([students[name].notnull() for name in by]).group_by(by).agg(students=ibis._.count())
    totals = {name: ibis.literal(ALL) for name in dimensions if name not in by}
    return counts.mutate(**totals).select(*dimensions, "students")


def visit_counts(data: StudentData) -> pd.DataFrame:
    """Count students by how far the program got with them, from one aggregate query.

    Supports are counted for all districts together only: a further split of a district's visited students for each
    would leave little that may be shown.

    Parameters
    ----------
    data
        Opened with its visit log.

    Returns
    -------
    pandas.DataFrame
        The columns `BY`, one for each support that the parameters list (``ALL`` = total) and `students`; the rows of
        all districts together come last.

    Raises
    ------
    BadInput
        If there is no log.
    """
    panel, columns = engine_table(data), {_column(name): name for name in data.supports}
    dimensions = (*BY, *columns)
    log = visit_table(data)
    students = keep(panel.get_backend(), "reading the visits", _students(panel, log, data.supports))
    visited = students.filter(students.status == VISITED)
    by_district = [_counts(students, ("district_code", *by), dimensions) for by in _OF_ALL]
    by_district += [_counts(visited, ("district_code", "status", *by), dimensions) for by in _OF_VISITED]
    supports = [_counts(visited, ("status", name), dimensions) for name in columns]
    counts = sealed("counting the visits", lambda: ibis.union(*by_district, *supports).to_pandas())
    rest = [name for name in dimensions if name != "district_code"]
    single = counts["district_code"] != ALL
    together = counts[single].groupby(rest, as_index=False)["students"].sum().assign(district_code=ALL)
    order, by_place = [*dimensions, "students"], counts[single].sort_values(list(dimensions))
    every = pd.concat([by_place, together[order], counts[~single].sort_values(rest)], ignore_index=True)
    return every.rename(columns=columns)


# First events of a student; each happens at most once, and each is part of the one before.
FLOWS = ("referred", "tried", "met")
REACHED = ("referred, not tried", "tried, not met", "met")
NO_SCHOOL, NO_CODE, FEW = "no school", "no code of two or three letters", "schools of few students"


@dataclass(frozen=True, slots=True)
class Progress:
    """Exact counts up to a day.

    Attributes
    ----------
    schools : pandas.DataFrame
        district_code, school_code, status (`REACHED`), students, visits (completed).
    weeks : pandas.DataFrame
        week (its Monday, ``YYYY-MM-DD``), flow (`FLOWS`), students whose first event fell into it.
    feeds : pandas.DataFrame
        district_code, school_code, month (``YYYY-MM``), students seen.
    arms : pandas.DataFrame
        phase, students, met, too_early (met before the phase had its start); empty without a draw.
    attempts : pandas.DataFrame
        what (result, type, language, support), value, students with such an attempt, or visit with such a support.
    """

    schools: pd.DataFrame
    weeks: pd.DataFrame
    feeds: pd.DataFrame
    arms: pd.DataFrame
    attempts: pd.DataFrame


def progress(data: StudentData, until: date, lottery: Lottery | None = None) -> Progress:
    """Count how far the program has come by a day.

    Parameters
    ----------
    data
        Opened with its visit log.
    until
        Last day that counts; later rows of the log are not looked at.
    lottery
        The draw, if there was one.

    Raises
    ------
    BadInput
        If there is no log.
    """
    panel = _few_together(engine_table(data))
    latest = panel.group_by("student").agg(
        district_code=panel.district_code.argmax(panel.month),
        school_code=panel.school_code.argmax(panel.month).fill_null(NO_SCHOOL),
    )
    firsts = keep(
        panel.get_backend(), "reading the log", _firsts(visit_table(data), until).left_join(latest, "student")
    )
    feeds = panel.filter(panel.school_code.notnull() & (panel.days_enrolled > 0))
    feeds = feeds.mutate(month=feeds.month.strftime("%Y-%m")).group_by(["district_code", "school_code", "month"])
    return Progress(
        sealed("counting by school", _by_school(firsts).to_pandas),
        sealed("counting by week", _by_week(firsts).to_pandas),
        sealed("counting what was sent", lambda: feeds.agg(students=ibis._.student.nunique()).to_pandas()),
        _arms(data, firsts, lottery),
        sealed("counting the attempts", _attempts(visit_table(data), until, data.supports).to_pandas),
    )


def _few_together(panel: Table) -> Table:
    """Return the panel in which schools of few students have one name: it may be a student's where a column slipped."""
    school = panel.filter(panel.school_code.notnull()).group_by(["district_code", "school_code"])
    few = school.agg(size=ibis._.student.nunique()).filter(ibis._.size < MIN_GROUP)
    both = panel.left_join(few, ["district_code", "school_code"], rname="{name}_few")
    return both.mutate(school_code=ibis.ifelse(both["size"].notnull(), FEW, both.school_code)).select(*panel.columns)


def _attempts(log: Table, until: date, supports: tuple[str, ...]) -> Table:
    """Return how many students had an attempt of each result, type and language, and a visit with each support.

    A language that is no code is text that nobody checked, and is not told.
    """
    attempts = log.filter(log.visit_date <= ibis.literal(until))
    spelling = attempts.language.lower()
    language = ibis.cases(*((spelling == name, code) for name, code in LANGUAGES.items()), else_=spelling)
    code = ibis.ifelse(language.isnull() | language.re_search("^[a-z]{2,3}$"), language, NO_CODE)
    codes = {"result": attempts.result, "type": attempts.type, "language": code}
    parts = [
        attempts.select("student", what=ibis.literal(name), value=value.fill_null("not said"))
        for name, value in codes.items()
    ]
    parts += [
        attempts.filter(attempts.completed & _has_support(attempts, name)).select(
            "student", what=ibis.literal("support"), value=ibis.literal(name)
        )
        for name in supports
    ]
    rows = ibis.union(*parts)
    return rows.group_by(["what", "value"]).agg(students=rows.student.nunique()).order_by(["what", "value"])


def _firsts(log: Table, until: date) -> Table:
    """Return one row per student of the log: day of the first referral, attempt and completed visit, and visits."""
    day = ibis.literal(until)
    happened = log.filter((log.referral_date <= day) | (log.visit_date <= day))
    happened_by = happened.visit_date <= day
    met = happened.completed & happened_by
    return happened.group_by("student").agg(
        referred=ibis.coalesce(happened.referral_date, happened.visit_date).min(),
        tried=happened.visit_date.min(where=happened_by),
        met=happened.visit_date.min(where=met),
        visits=happened.visit_date.nunique(where=met),
    )


def _by_school(firsts: Table) -> Table:
    status = ibis.cases((firsts.met.notnull(), "met"), (firsts.tried.notnull(), REACHED[1]), else_=REACHED[0])
    rows = firsts.mutate(status=status)
    keys = ["district_code", "school_code", "status"]
    return rows.group_by(keys).agg(students=rows.count(), visits=rows.visits.sum()).order_by(keys)


def _by_week(firsts: Table) -> Table:
    flows = [
        firsts.filter(firsts[flow].notnull()).select(week=_monday(firsts[flow]), flow=ibis.literal(flow))
        for flow in FLOWS
    ]
    rows = ibis.union(*flows)
    return rows.group_by(["week", "flow"]).agg(students=rows.count()).order_by(["week", "flow"])


def _monday(day: DateValue) -> ibis.expr.types.StringValue:
    return day.cast("date").truncate("W").strftime("%Y-%m-%d")


def _arms(data: StudentData, firsts: Table, lottery: Lottery | None) -> pd.DataFrame:
    if lottery is None:
        return pd.DataFrame({"phase": [], "students": [], "met": [], "too_early": []})
    students = units_of(data, lottery).left_join(firsts.select("student", "met"), "student")
    starts = pd.DataFrame(
        {"phase": list(lottery.starts), "start": [pd.Timestamp(month) for month in lottery.starts.values()]}
    ).astype({"phase": "str", "start": "datetime64[s]"})
    with lent(engine_table(data).get_backend(), pa.Table.from_pandas(starts, preserve_index=False)) as when:
        rows = students.left_join(when, "phase")
        early = rows.met.notnull() & (rows.start.isnull() | (rows.met.cast("date") < rows.start.cast("date")))
        counts = rows.group_by("phase").agg(
            students=rows.count(), met=rows.count(where=rows.met.notnull()), too_early=rows.count(where=early)
        )
        return sealed("counting by phase", lambda: counts.order_by("phase").to_pandas())
