"""How a program runs: who was referred, tried and met by school and week, whose feed stopped, who crossed over.

Nothing here looks at attendance beyond whether it was sent. Counts are exact and for programs;
`leapstudy.evidence.watch` hides the small ones before anything is shown.
"""

from dataclasses import dataclass
from datetime import date

import ibis
import pandas as pd
import pyarrow as pa
from ibis.expr.types import DateValue, Table

from leapstudy.students.engine import keep, lent, sealed
from leapstudy.students.handle import StudentData, engine_table, visit_table
from leapstudy.students.lottery import Lottery, units_of

FLOWS = ("referred", "tried", "met")
"""First events of a student; each happens at most once, and each is part of the one before."""
STATUSES = ("referred, not tried", "tried, not met", "met")
NO_SCHOOL = "no school"


@dataclass(frozen=True, slots=True)
class Progress:
    """Exact counts up to a day.

    Attributes
    ----------
    schools : pandas.DataFrame
        district_code, school_code, status (`STATUSES`), students, visits (completed).
    weeks : pandas.DataFrame
        week (its Monday, ``YYYY-MM-DD``), flow (`FLOWS`), students whose first event fell into it.
    feeds : pandas.DataFrame
        district_code, school_code, month (``YYYY-MM``), students seen.
    arms : pandas.DataFrame
        phase, students, met, too_early (met before the phase had its start); empty without a draw.
    """

    schools: pd.DataFrame
    weeks: pd.DataFrame
    feeds: pd.DataFrame
    arms: pd.DataFrame


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
    panel = engine_table(data)
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
    )


def _firsts(log: Table, until: date) -> Table:
    """Return one row per student of the log: day of the first referral, attempt and completed visit, and visits."""
    day = ibis.literal(until)
    happened = log.filter((log.referral_date <= day) | (log.visit_date <= day))
    tried = happened.visit_date <= day
    met = happened.completed & tried
    return happened.group_by("student").agg(
        referred=ibis.coalesce(happened.referral_date, happened.visit_date).min(),
        tried=happened.visit_date.min(where=tried),
        met=happened.visit_date.min(where=met),
        visits=happened.student.count(where=met),
    )


def _by_school(firsts: Table) -> Table:
    status = ibis.cases((firsts.met.notnull(), "met"), (firsts.tried.notnull(), STATUSES[1]), else_=STATUSES[0])
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
