"""Absence before a referral, of the referred and of all at risk of it: counted inside the engine."""

import ibis
import pandas as pd
from ibis.expr.types import Table

from leapstudy.students.engine import keep, sealed
from leapstudy.students.handle import StudentData, engine_table, visit_table
from leapstudy.students.lookback import lookbacks
from leapstudy.students.referral_rule import WINDOWS


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
    kept = keep(panel.get_backend(), "reading the referrals", rows.select("district_code", "is_referred", *WINDOWS))
    return sealed(
        "counting the referrals", lambda: ibis.union(*(_histogram(kept, name) for name in WINDOWS)).to_pandas()
    )


def _histogram(rows: Table, window: str) -> Table:
    seen = rows.filter(rows[window].notnull())
    cells = seen.group_by("district_code", percent=seen[window].floor().cast("int64"))
    counts = cells.agg(at_risk=seen.count(), referred=seen.is_referred.sum())
    return counts.mutate(window=ibis.literal(window)).select(
        "district_code", "window", "percent", "at_risk", "referred"
    )
