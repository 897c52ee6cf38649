"""How far trends may depart before the student track's headline changes: robust bounds from the full covariance."""

import numpy as np
import pandas as pd
from scipy import stats

from leapstudy.core.errors import BadInput
from leapstudy.did.at_risk import HEADLINE
from leapstudy.did.honest import breakdown, honest_bounds
from leapstudy.did.permutation import ALPHA
from leapstudy.did.staggered.card import Effects
from leapstudy.did.staggered.robust import honest_path
from leapstudy.study.student_designs import MONTHS_TESTED
from leapstudy.study.student_results import StudentBounds

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
        path = honest_path(effects, (-MONTHS_TESTED, HEADLINE[1]), HEADLINE, even=False)
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
