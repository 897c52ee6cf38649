"""Coefficients over time with their covariance: a joint test of those before a start, and bands around all of them."""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from leapstudy.did.permutation import ALPHA
from leapstudy.did.spread import LEAST_NOISE, POWER

DRAWS = 20_000
MANY = 1e6
"""Degrees of freedom that stand for infinitely many."""


@dataclass(frozen=True, slots=True)
class JointTest:
    """A test that k coefficients are all zero; say "not rejected", never "parallel trends hold".

    `statistic` is Wald's chi-squared, or the F made from it where `df` is finite; `df` is k and the denominator's.
    `slope` is the smallest differential linear trend, a period, that the test finds with 80% power. Statistic, p-value
    and slope are NaN where too few units, or units that moved alike, leave nothing to test by.
    """

    statistic: float
    df: tuple[int, float]
    p_value: float
    slope: float


def joint_test(values: np.ndarray, covariance: np.ndarray, drift: np.ndarray, df: float) -> JointTest:
    """Test that all coefficients are zero.

    Parameters
    ----------
    values, covariance
        Coefficients before the start, shapes (k,) and (k, k).
    drift
        What a differential trend of one point a period puts into each, shape (k,).
    df
        Degrees of freedom of the covariance; infinity for student clusters.

    Notes
    -----
    Wald test; with finite df Hotelling's (1931) T squared as F. Power against ``slope * drift`` takes the covariance as
    known (Roth 2022, American Economic Review: Insights).
    """
    k, left = len(values), df - len(values) + 1
    if not k or left < 1 or _singular(covariance):
        return JointTest(float("nan"), (k, left), float("nan"), float("nan"))
    solved = np.linalg.solve(covariance, np.column_stack([values, drift]))
    finite = bool(np.isfinite(df))
    statistic = float(values @ solved[:, 0]) * (left / (df * k) if finite else 1.0)
    p_value = float(stats.f.sf(statistic, k, left) if finite else stats.chi2.sf(statistic, k))
    slope = float(np.sqrt(_noncentrality(k, left) / float(drift @ solved[:, 1])))
    return JointTest(statistic, (k, left), p_value, slope)


def _singular(covariance: np.ndarray) -> bool:
    scale = np.sqrt(np.diag(covariance))
    if scale.min(initial=1.0) < LEAST_NOISE:
        return True
    return bool(np.linalg.cond(covariance / np.outer(scale, scale)) > 1e12)


def _noncentrality(k: int, left: float) -> float:
    """Return the noncentrality at which the test has 80% power."""
    if np.isfinite(left):
        cut = stats.f.ppf(1 - ALPHA, k, left)
        return float(optimize.brentq(lambda size: stats.ncf.sf(cut, k, left, size) - POWER, 1e-6, 1e4))
    cut = stats.chi2.ppf(1 - ALPHA, k)
    return float(optimize.brentq(lambda size: stats.ncx2.sf(cut, k, size) - POWER, 1e-6, 1e4))


@dataclass(frozen=True, slots=True)
class Bands:
    """Ends of 95% intervals, each of shape (K,): pointwise, and simultaneous ones that hold the whole path with 95%.

    `sup_t` is the number of standard errors of the simultaneous band.
    """

    low: np.ndarray
    high: np.ndarray
    low_sup: np.ndarray
    high_sup: np.ndarray
    sup_t: float


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
    # one estimate: the drawn point is the quantile itself, up to the draws' noise
    sup_t = _sup_t(covariance[np.ix_(free, free)], min(df, MANY), seed) if len(free) > 1 else t
    return Bands(estimate - t * se, estimate + t * se, estimate - sup_t * se, estimate + sup_t * se, sup_t)


def _sup_t(covariance: np.ndarray, df: float, seed: int) -> float:
    """Return the 95% point of the largest absolute t over all coefficients, drawn with `seed`."""
    scale = np.sqrt(np.diag(covariance))
    rng = np.random.default_rng(seed)
    draws = rng.multivariate_normal(np.zeros(len(scale)), covariance / np.outer(scale, scale), DRAWS, method="eigh")
    draws /= np.sqrt(rng.chisquare(df, DRAWS) / df)[:, None]
    return float(np.quantile(np.abs(draws).max(axis=1), 1 - ALPHA))
