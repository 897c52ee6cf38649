"""Who was referred, tried, met, and how often: pupils counted inside the engine, one number a group.

The counts are exact and for programs. Before a page shows one, `leapstudy.evidence.privacy.protect` hides the small
ones, over all districts and tables at once.
"""

import ibis
import pandas as pd
from ibis.expr.types import BooleanValue, DateValue, StringValue, Table

from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.pupils.contract import GRADES, SUPPORTS
from leapstudy.pupils.engine import keep, sealed
from leapstudy.pupils.groups import DIMENSIONS, VISIT_COUNTS, VISITED
from leapstudy.pupils.handle import PupilData, engine_table, visit_table

_OF_ALL: tuple[tuple[str, ...], ...] = ((), ("status",))
_OF_VISITED: tuple[tuple[str, ...], ...] = (("cohort",), ("visits",), ("grade_band",))


def grade_band(grade: StringValue) -> StringValue:
    """Return a grade's band as an engine expression; empty where the grade is."""
    early = GRADES[: GRADES.index("06")]
    return ibis.cases((grade.isin(early), "PK-5"), (grade.isin(GRADES), "6-12"), else_=ibis.null("string"))


def _given(visits: Table, support: str) -> BooleanValue:
    listed = (ibis.literal(";") + visits.supports.fill_null("") + ";").contains(f";{support};")
    return (visits.completed & listed).any()


def _log_by_pupil(visits: Table) -> Table:
    supports = {name: _given(visits, name) for name in SUPPORTS}
    tried, met = visits.visit_date.notnull().any(), visits.completed.sum()
    return visits.group_by("pupil").agg(tried=tried, met=met, **supports)


def _cohort(month: DateValue) -> StringValue:
    """Return the season of the first visit, in the order of time: 2021 summer, 2021 autumn, 2022 spring."""
    season = ibis.cases((month.month().isin((7, 8)), "summer"), (month.month() > 8, "autumn"), else_="spring")
    return month.year().cast("string") + " " + season


def _pupils(panel: Table, visits: Table) -> Table:
    """Return one row per pupil with every dimension, district and grade being those of its first month.

    It never leaves the engine.
    """
    own = panel.group_by("pupil").agg(
        district_code=panel.district_code.argmin(panel.month),
        grade=panel.grade.argmin(panel.month),
        first=panel.first_visit_month.max(),
    )
    both = own.left_join(_log_by_pupil(visits), "pupil", rname="{name}_log")
    status = ibis.cases(
        (both.first.notnull(), VISITED),
        (both.tried, "tried, not met"),
        (both.pupil_log.notnull(), "referred, not tried"),
        else_="not referred",
    )
    many = ibis.ifelse(both.met >= len(VISIT_COUNTS), VISIT_COUNTS[-1], both.met.cast("string"))
    supports = {name: ibis.ifelse(both[name].fill_null(False), "yes", "no") for name in SUPPORTS}
    return both.select(
        "district_code", status=status, cohort=_cohort(both.first), visits=many,
        grade_band=grade_band(both.grade), **supports,
    )  # fmt: skip


def _counted(pupils: Table, by: tuple[str, ...]) -> Table:
    """Return the pupils by group; every dimension that is not named is its total."""
    counts = pupils.filter([pupils[name].notnull() for name in by]).group_by(by).agg(pupils=ibis._.count())
    totals = {name: ibis.literal(ALL) for name in DIMENSIONS if name not in by}
    return counts.mutate(**totals).select(*DIMENSIONS, "pupils")


def visit_counts(data: PupilData) -> pd.DataFrame:
    """Count pupils by how far the programme got with them, from one aggregate query.

    Supports are counted for all districts together only: seven more splits of a district's visited pupils would leave
    little that may be shown.

    Parameters
    ----------
    data
        Opened with its visit log.

    Returns
    -------
    pandas.DataFrame
        The columns `DIMENSIONS` (``ALL`` = total) and `pupils`; the rows of all districts together come last.

    Raises
    ------
    BadInput
        If there is no log.
    """
    panel = engine_table(data)
    pupils = keep(panel.get_backend(), "reading the visits", _pupils(panel, visit_table(data)))
    visited = pupils.filter(pupils.status == VISITED)
    by_district = [_counted(pupils, ("district_code", *by)) for by in _OF_ALL]
    by_district += [_counted(visited, ("district_code", "status", *by)) for by in _OF_VISITED]
    supports = [_counted(visited, ("status", name)) for name in SUPPORTS]
    counts = sealed("counting the visits", lambda: ibis.union(*by_district, *supports).to_pandas())
    rest = [name for name in DIMENSIONS if name != "district_code"]
    single = counts["district_code"] != ALL
    together = counts[single].groupby(rest, as_index=False)["pupils"].sum().assign(district_code=ALL)
    columns, by_place = [*DIMENSIONS, "pupils"], counts[single].sort_values(list(DIMENSIONS))
    return pd.concat([by_place, together[columns], counts[~single].sort_values(rest)], ignore_index=True)
