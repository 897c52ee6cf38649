"""From effects by event time to what a page shows: the path with its bands, and the headline as a row of the table."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.did.at_risk import HEADLINE
from leapstudy.did.coefficients import bands
from leapstudy.did.honest import breakdown, honest_bounds, honest_path
from leapstudy.did.permutation import ALPHA
from leapstudy.did.staggered.card import Context, Effects, estimate_rows
from leapstudy.study.student_results import PATH_COLUMNS, StudentBounds

MONTHS_TESTED = 6
"""Months before the visit in the joint test: half a school year and more."""
MONTHS_BEFORE = 9
"""Months before the visit that are shown."""
MONTHS_TESTED = 6
"""Months before the visit in the joint test: half a school year and more."""


def path_frame(effects: Effects, months_after: int, seed: int | None) -> pd.DataFrame:
    """Return the path from `MONTHS_BEFORE` the visit to `months_after` it, with its intervals.

    `seed` is that of the draws behind the simultaneous band; None leaves that band empty.
    """
    shown = np.flatnonzero((effects.key >= -MONTHS_BEFORE) & (effects.key <= months_after))
    estimate, covariance = effects.estimate[shown], effects.covariance[np.ix_(shown, shown)]
    se = effects.se[shown]
    reach = float(stats.t.ppf(1 - ALPHA / 2, effects.df)) * se
    ends: tuple[np.ndarray, ...] = (estimate - reach, estimate + reach, *np.full((2, len(shown)), np.nan))
    if seed is not None:
        band = bands(estimate, covariance, effects.df, seed)
        ends = band.low, band.high, band.low_sup, band.high_sup
    columns = (effects.key[shown].astype(int), estimate, se, *ends)
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


def month_rows(effects: Effects, context: Context, months_after: int) -> list[Estimate]:
    """Return the rows by month since the first visit, from `MONTHS_BEFORE` it to `months_after` it."""
    rows = estimate_rows(effects, context)[:-1]
    return [row for row in rows if row.event_time is not None and -MONTHS_BEFORE <= row.event_time <= months_after]


SHOWN = (0.5, 1.0)
"""Departures shown, in multiples of the largest one before; each takes 1.5 s."""
FARTHEST = 2.0
"""Where the search for the breakdown value ends."""


def headline_bounds(effects: Effects | None) -> StudentBounds | None:
    """Bound the mean effect over the headline's months; None where a month around the visit is missing.

    Parameters
    ----------
    effects
        The recommended design by event time, its overall effect last.

    Notes
    -----
    Relative magnitudes, through `did.honest`. A step is one month of the path; cohorts of early autumn have a summer
    between base and visit, which counts as one step too.
    """
    if effects is None:
        return None
    try:
        path = honest_path(effects, (-MONTHS_TESTED, HEADLINE[1]), HEADLINE)
    except BadInput:
        return None
    reach = stats.norm.ppf(1 - ALPHA / 2) * effects.se[-1]
    plain = pd.DataFrame({"m": [0.0], "low_pp": effects.estimate[-1] - reach, "high_pp": effects.estimate[-1] + reach})
    robust = honest_bounds(path, "relative_magnitudes", SHOWN).rename(columns={"bound": "m"})
    broken = breakdown(path, "relative_magnitudes", FARTHEST)
    return StudentBounds(
        pd.concat([plain, robust[list(plain)]], ignore_index=True),
        broken if np.isfinite(broken) else None,
        float(np.abs(np.diff(np.append(path.estimate[: path.n_pre], 0.0))).max()),
        path.n_pre,
    )
