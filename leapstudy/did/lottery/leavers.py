"""Bounds for an effect where the offer may move who is still there to be measured.

Lee, D. S. (2009), Training, Wages, and Sample Selection: Estimating Sharp Bounds on Treatment Effects, Review of
Economic Studies 76(3). If the offer only keeps students (or only loses them), the side with more left is trimmed from
its top or its bottom by the difference, which brackets the effect on those who stay either way.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from leapstudy.core.errors import BadInput
from leapstudy.did.permutation import ALPHA

RESAMPLES = 999


@dataclass(frozen=True, slots=True, kw_only=True)
class LeeBounds:
    """Sharp bounds on the effect of the offer on those measured either way, on the outcome's scale.

    Attributes
    ----------
    lower, upper : float
    low, high : float
        95% interval of the effect itself (Imbens and Manski 2004), with bootstrap standard errors.
    """

    lower: float
    upper: float
    low: float
    high: float


def lee_bounds(outcome: np.ndarray, offered: np.ndarray, seed: int, resamples: int = RESAMPLES) -> LeeBounds:
    """Bound the effect of the offer with leavers on both sides.

    Parameters
    ----------
    outcome : ndarray, shape (units,)
        NaN for those who left.
    offered : ndarray of bool, shape (units,)
        Drawn by lot in one stratum; several strata are bounded one by one.
    seed, resamples
        Of the bootstrap, within either side.

    Raises
    ------
    BadInput
        If a side has fewer than two left.

    Notes
    -----
    A fraction of a unit is trimmed where the share asks for it, so that bounds do not jump with the number of units.

    Examples
    --------
    One of four waiting left; the offered side is trimmed by its best, then by its worst quarter:

    >>> y, z = np.array([1.0, 2, 3, 4, 1, 2, 3, np.nan]), np.repeat([True, False], 4)
    >>> bounds = lee_bounds(y, z, seed=1)
    >>> (bounds.lower, bounds.upper)
    (0.0, 1.0)
    """
    sides = outcome[offered], outcome[~offered]
    if min(np.isfinite(side).sum() for side in sides) < 2:
        raise BadInput("Bounds for leavers need at least two measured on either side.")
    lower, upper = _bounds(*sides)
    rng = np.random.default_rng(seed)
    again = np.array([_bounds(*(rng.choice(side, len(side)) for side in sides)) for _ in range(resamples)])
    lower_se, upper_se = np.nanstd(again, axis=0, ddof=1)
    reach = _imbens_manski(upper - lower, max(lower_se, upper_se))
    return LeeBounds(
        lower=lower,
        upper=upper,
        low=lower - reach * lower_se,
        high=upper + reach * upper_se,
    )


def _bounds(offered: np.ndarray, waiting: np.ndarray) -> tuple[float, float]:
    stay = np.isfinite(offered).mean(), np.isfinite(waiting).mean()
    on, off = (np.sort(side[np.isfinite(side)]) for side in (offered, waiting))
    if not len(on) or not len(off):
        return float("nan"), float("nan")
    share = 1 - min(stay) / max(stay)
    if stay[0] >= stay[1]:
        ends = _trimmed_mean(on, share) - off.mean(), -_trimmed_mean(-on[::-1], share) - off.mean()
    else:
        ends = on.mean() + _trimmed_mean(-off[::-1], share), on.mean() - _trimmed_mean(off, share)
    return float(ends[0]), float(ends[1])


def _trimmed_mean(outcomes: np.ndarray, share: float) -> float:
    """Return the mean of ascending values without the top `share` of them, a fraction of one value included."""
    size = len(outcomes) * (1 - share)
    whole = int(size + 1e-9)
    part = max(size - whole, 0.0)
    return float((outcomes[:whole].sum() + (part * outcomes[whole] if part > 1e-9 else 0.0)) / size)


def _imbens_manski(width: float, se: float) -> float:
    """Return c with ``Phi(c + width / se) - Phi(-c) = 0.95``: 1.96 for a point, 1.64 for a wide set."""
    if se <= 0:
        return 0.0
    # imported here because it is slow to import and only this asks for it
    from scipy.optimize import brentq

    return float(brentq(lambda c: ndtr(c + width / se) - ndtr(-c) - (1 - ALPHA), 0.0, 3.0))
