"""The joint test that months before the visit show nothing, with what it could have found."""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from leapstudy.core.errors import BadInput
from leapstudy.did.permutation import ALPHA
from leapstudy.did.spread import POWER


@dataclass(frozen=True, slots=True)
class WaldTest:
    """Result of the test; say "not rejected", never "parallel trends hold".

    Attributes
    ----------
    key : ndarray, shape (k,)
        Event times tested.
    statistic : float
        Wald chi-squared, or the F made from it where `df` is finite.
    df : (float, float)
        k, and the denominator's (infinite for chi-squared).
    p_value : float
    slope : float
        Points a month: the smallest differential linear trend that the test finds with 80% power.
    """

    key: np.ndarray
    statistic: float
    df: tuple[float, float]
    p_value: float
    slope: float


def pretrend_test(
    key: np.ndarray, estimate: np.ndarray, covariance: np.ndarray, drift: np.ndarray, df: float, anticipation: int = 0
) -> WaldTest:
    """Test that all effects before the visit are zero.

    Parameters
    ----------
    key, estimate, covariance
        An event study: event times and their effects, shapes (K,), (K,), (K, K). Only event times below zero are used.
    drift
        What a differential trend of one point a month would put into each estimate, shape (K,): event time less that of
        the base; one where each month's base is the month before.
    df
        Degrees of freedom of the covariance; infinity for student clusters.
    anticipation
        Months before the visit in which an effect is allowed; they are not tested.

    Raises
    ------
    BadInput
        If there is no month before, or more months than the clusters can carry.

    Notes
    -----
    Wald test; with finite df Hotelling's T squared as F. Power against ``slope * drift`` takes the covariance as
    known (Roth 2022, American Economic Review: Insights).
    """
    before = np.flatnonzero((key < -anticipation) & (np.diag(covariance) > 0))
    k = len(before)
    left = df - k + 1
    if not k or left < 1:
        raise BadInput(
            f"The joint test of months before the visit has {k} months and {df:g} degrees of freedom; it needs at "
            "least one month and more degrees of freedom than months. Take students as clusters or a shorter window."
        )
    b, v = estimate[before], covariance[np.ix_(before, before)]
    wald = float(b @ np.linalg.solve(v, b))
    information = float(drift[before] @ np.linalg.solve(v, drift[before]))
    scale = left / (df * k) if np.isfinite(df) else 1.0
    return WaldTest(
        key[before],
        wald * scale,
        (k, left),
        _p_value(wald * scale, k, left),
        float(np.sqrt(_noncentrality(k, left) / information)),
    )


def _p_value(statistic: float, k: int, left: float) -> float:
    return float(stats.f.sf(statistic, k, left) if np.isfinite(left) else stats.chi2.sf(statistic, k))


def _noncentrality(k: int, left: float) -> float:
    """Return the noncentrality at which the test has 80% power."""
    if np.isfinite(left):
        cut = stats.f.ppf(1 - ALPHA, k, left)
        return float(optimize.brentq(lambda size: stats.ncf.sf(cut, k, left, size) - POWER, 1e-6, 1e4))
    cut = stats.chi2.ppf(1 - ALPHA, k)
    return float(optimize.brentq(lambda size: stats.ncx2.sf(cut, k, size) - POWER, 1e-6, 1e4))
