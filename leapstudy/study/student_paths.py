"""From effects by event time to what a page shows: the path with its bands, the headline, and means before any model.

Means are by month and season of first visit, and around the month of being picked. They are rounded by the number of
students behind them (`leapstudy.students.disclosure`): beside the placebo's changes, levels to a hundredth of a point
would tell the single month of a student to who knows those never visited.
"""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.did.at_risk import HEADLINE
from leapstudy.did.eventstudy import bands
from leapstudy.did.honest import breakdown, honest_bounds, honest_path
from leapstudy.did.permutation import ALPHA
from leapstudy.did.spread import t_critical
from leapstudy.did.staggered.effects import Context, Effects, estimate_rows
from leapstudy.students.disclosure import MIN_GROUP, rounded_mean, season
from leapstudy.students.moments.record import NEVER, Moments
from leapstudy.study.student_results import PATH_COLUMNS, StudentBounds

# Months before the visit in the joint test: half a school year and more.
MONTHS_TESTED = 6
# Months before the visit that are shown.
MONTHS_BEFORE = 9


def path_frame(effects: Effects, months_after: int, seed: int | None) -> pd.DataFrame:
    """Return the path from `MONTHS_BEFORE` the visit to `months_after` it, with its intervals.

    `seed` is that of the draws behind the simultaneous band; None leaves that band empty.
    """
    window = np.flatnonzero((effects.key >= -MONTHS_BEFORE) & (effects.key <= months_after))
    estimate, covariance = effects.estimate[window], effects.covariance[np.ix_(window, window)]
    se = effects.se[window]
    reach = t_critical(effects.df) * se
    ends: tuple[np.ndarray, ...] = (estimate - reach, estimate + reach, *np.full((2, len(window)), np.nan))
    if seed is not None:
        band = bands(estimate, covariance, effects.df, seed)
        ends = band.low, band.high, band.low_sup, band.high_sup
    columns = (effects.key[window].astype(int), estimate, se, *ends)
    return pd.DataFrame(dict(zip(PATH_COLUMNS, columns, strict=True)))


def headline_row(effects: Effects, context: Context, seed: int | None = None) -> Estimate:
    """Return the mean over the months of `HEADLINE` as a row of `estimates.csv`; `seed` where a draw made the sample.

    `post` names the months that are in it, which are fewer where the file ends early.
    """
    return replace(estimate_rows(effects, context)[-1], post=months_words(effects.key), seed=seed)


def months_words(key: np.ndarray) -> str:
    """Return which of the headline's months are among the event times, such as "months 1 to 4" or "months 1, 3, 4"."""
    inside = [int(event) for event in key if HEADLINE[0] <= event <= HEADLINE[1]]
    if len(inside) == 1:
        return f"month {inside[0]}"
    if inside == list(range(inside[0], inside[-1] + 1)):
        return f"months {inside[0]} to {inside[-1]}"
    return f"months {', '.join(map(str, inside))}"


def months_named(words: str) -> list[int]:
    """Return the event times that `months_words` names.

    Examples
    --------
    >>> months_named("months 1 to 4"), months_named("months 1, 3, 4"), months_named("month 2")
    ([1, 2, 3, 4], [1, 3, 4], [2])
    """
    months = [int(number) for number in re.findall(r"\d+", words)]
    return list(range(months[0], months[-1] + 1)) if " to " in words else months


def month_rows(effects: Effects, context: Context, months_after: int) -> list[Estimate]:
    """Return the rows by month since the first visit, from `MONTHS_BEFORE` it to `months_after` it."""
    rows = estimate_rows(effects, context)[:-1]
    return [row for row in rows if row.event_time is not None and -MONTHS_BEFORE <= row.event_time <= months_after]


# Departures shown, in multiples of the largest one before; each takes 1.5 s.
SHOWN = (0.5, 1.0)
# Where the search for the breakdown value ends.
FARTHEST = 2.0


def headline_bounds(effects: Effects | None) -> StudentBounds | None:
    """Bound the mean effect over the headline's months; None where a month around the visit is missing.

    Parameters
    ----------
    effects
        The recommended design by event time, its overall effect last.

    Notes
    -----
    Relative magnitudes, through `did.honest`. A step is one month of the path; cohorts of early fall have a summer
    between base and visit, which counts as one step too.
    """
    if effects is None:
        return None
    try:
        path = honest_path(effects, (-MONTHS_TESTED, HEADLINE[1]), HEADLINE)
    except BadInput:
        return None
    reach = ndtri(1 - ALPHA / 2) * effects.se[-1]
    plain = pd.DataFrame({"m": [0.0], "low_pp": effects.estimate[-1] - reach, "high_pp": effects.estimate[-1] + reach})
    robust = honest_bounds(path, "relative_magnitudes", SHOWN).rename(columns={"bound": "m"})
    breakdown_at = breakdown(path, "relative_magnitudes", FARTHEST)
    return StudentBounds(
        pd.concat([plain, robust[list(plain)]], ignore_index=True),
        breakdown_at if np.isfinite(breakdown_at) else None,
        float(np.abs(np.diff(np.append(path.estimate[: path.n_pre], 0.0))).max()),
        path.n_pre,
    )


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
        students, sums = _sums(moments, groups == group)
        publishable = _may_be_shown(_by_district(moments, groups == group))
        months = [f"{period // 12}-{period % 12 + 1:02d}" for period in moments.periods[publishable]]
        rates = rounded_mean(sums[publishable] / students[publishable], students[publishable])
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
        students, sums = (part * enough for part in _sums(placebo, own))
        since = (placebo.periods - cohort).astype(int)
        own_sums = {"event_time": since, "n": students, "picked": sums, "others": others * students}
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
