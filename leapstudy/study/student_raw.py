"""Mean attendance before any model: by month and season of first visit, and around the month of being picked.

Means are rounded by the number of students behind them (`leapstudy.students.disclosure`): beside the placebo's changes,
levels to a hundredth of a point would tell the single month of a student to who knows those never visited.
"""

import numpy as np
import pandas as pd

from leapstudy.students.disclosure import MIN_GROUP, rounded_mean
from leapstudy.students.groups import season
from leapstudy.students.moments.record import NEVER, Moments

NEVER_VISITED = "never visited"


def _sums(moments: Moments, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return students and summed attendance by period of some cells, shapes (T,)."""
    students = moments.students[rows] @ moments.seen[rows]
    weight = moments.weight[rows] @ moments.seen[rows]
    mean = np.divide(moments.total[rows].sum(axis=0), weight, out=np.zeros(len(weight)), where=weight > 0)
    return students, (mean + moments.shift) * students


def _may_be_shown(students: np.ndarray) -> np.ndarray:
    """Return where a group of all districts may be shown, from its students by district, shapes (D, T) to (T,).

    The districts in which it may not be shown are what all have more than those shown: nobody, or a group.
    """
    hidden = np.where(students < MIN_GROUP, students, 0).sum(axis=0)
    return (students.sum(axis=0) >= MIN_GROUP) & ((hidden == 0) | (hidden >= MIN_GROUP))


def _by_district(moments: Moments, rows: np.ndarray) -> np.ndarray:
    """Return the students of some cells by district and period, shape (D, T)."""
    places = np.unique(moments.district)
    return np.array([_sums(moments, rows & (moments.district == place))[0] for place in places])


def raw_paths(moments: Moments) -> pd.DataFrame:
    """Return mean attendance by month for each season of first visits and for the never visited.

    Parameters
    ----------
    moments
        Of one district, or of all.

    Returns
    -------
    pandas.DataFrame
        month (``YYYY-MM``), group, rate_pct. Months in which a group has too few students to be shown are left out.
    """
    groups = np.array([NEVER_VISITED if g == NEVER else season(int(g)) for g in moments.cohort])
    parts = [
        pd.DataFrame(
            {"month": pd.Series(dtype="str"), "group": pd.Series(dtype="str"), "rate_pct": pd.Series(dtype=float)}
        )
    ]
    for group in sorted(set(groups)):
        students, summed = _sums(moments, groups == group)
        shown = _may_be_shown(_by_district(moments, groups == group))
        months = [f"{period // 12}-{period % 12 + 1:02d}" for period in moments.periods[shown]]
        rates = rounded_mean(summed[shown] / students[shown], students[shown])
        parts.append(pd.DataFrame({"month": months, "group": group, "rate_pct": rates}))
    return pd.concat(parts, ignore_index=True)


def rebound(placebo: Moments) -> pd.DataFrame:
    """Return mean attendance around the month in which the rule would have picked a student, and that of the others.

    Parameters
    ----------
    placebo
        Moments of the placebo program: cohorts are months of being picked, nobody was visited.

    Returns
    -------
    pandas.DataFrame
        event_time, picked_pct, others_pct. The others are averaged over the same months, with the picked students'
        numbers as weights. Months with too few others, and event times with too few picked, are left out.
    """
    others_n, others_sum = _sums(placebo, placebo.cohort == NEVER)
    enough = others_n >= MIN_GROUP
    others = np.divide(others_sum, others_n, out=np.zeros(len(others_n)), where=enough)
    rows, counts = [], []
    for cohort in np.unique(placebo.cohort[placebo.cohort < NEVER]):
        own = placebo.cohort == cohort
        students, summed = (part * enough for part in _sums(placebo, own))
        since = (placebo.periods - cohort).astype(int)
        own_sums = {"event_time": since, "n": students, "picked": summed, "others": others * students}
        # a student's weight among the others is at most that of the month with the fewest of them
        rows.append(pd.DataFrame({**own_sums, "fewest": np.where(students > 0, others_n, np.inf)}))
        counts.append(pd.DataFrame((_by_district(placebo, own) * enough).T, index=since))
    if not rows:
        return pd.DataFrame(columns=["event_time", "picked_pct", "others_pct"], dtype=float)
    table = (
        pd.concat(rows)
        .groupby("event_time", as_index=False)
        .agg({"n": "sum", "picked": "sum", "others": "sum", "fewest": "min"})
    )
    table = table[_may_be_shown(pd.concat(counts).groupby(level=0).sum().to_numpy().T)]
    return pd.DataFrame(
        {
            "event_time": table["event_time"],
            "picked_pct": rounded_mean(table["picked"] / table["n"], table["n"]),
            "others_pct": rounded_mean(table["others"] / table["n"], table["fewest"]),
        }
    ).reset_index(drop=True)
