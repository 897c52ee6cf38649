"""Intervals month by month, and bands that hold for all months at once, from the exact covariance."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from leapstudy.did.eventstudy import sup_t_value
from leapstudy.did.permutation import ALPHA

MANY = 1e6
"""Degrees of freedom that stand for infinitely many."""


@dataclass(frozen=True, slots=True)
class Bands:
    """Ends of the 95% intervals, each of shape (K,), in percentage points.

    Attributes
    ----------
    low, high : ndarray
        Pointwise.
    low_sup, high_sup : ndarray
        Simultaneous: they hold the whole path with 95%.
    sup_t : float
        Number of standard errors of the simultaneous band.
    seed : int
    """

    low: np.ndarray
    high: np.ndarray
    low_sup: np.ndarray
    high_sup: np.ndarray
    sup_t: float
    seed: int


def bands(estimate: np.ndarray, covariance: np.ndarray, df: float, seed: int) -> Bands:
    """Return pointwise and simultaneous intervals.

    Parameters
    ----------
    estimate, covariance
        Shapes (K,) and (K, K). An estimate without variance (a reference) gets an interval of no width.
    df
        Degrees of freedom; infinity for student clusters.
    seed
        Of the draws behind the simultaneous band.

    Notes
    -----
    Montiel Olea and Plagborg-Moller (2019): the 95% point of the largest absolute t, drawn from the covariance; no
    bootstrap of students is needed.
    """
    se = np.sqrt(np.diag(covariance))
    t = float(stats.t.ppf(1 - ALPHA / 2, df))
    free = np.flatnonzero(se > 0)
    sup_t = sup_t_value(covariance[np.ix_(free, free)], min(df, MANY), seed) if len(free) else t
    # one estimate: the drawn point is the quantile itself, up to the draws' noise
    sup_t = t if len(free) == 1 else sup_t
    return Bands(estimate - t * se, estimate + t * se, estimate - sup_t * se, estimate + sup_t * se, sup_t, seed)
