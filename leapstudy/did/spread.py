"""Standard errors of a 2x2 that fit the number of treated districts, and what they make detectable by Student's t.

`scipy.stats` hands quantiles and tails on to `scipy.special` unchanged, and takes 0.7 s to import, half of what a
command waits for.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from scipy import special

from leapstudy.core.errors import BadInput
from leapstudy.did.nested import covariance
from leapstudy.did.permutation import ALPHA, Permutation
from leapstudy.did.sample import Sample

Number = TypeVar("Number", float, np.ndarray)
POWER = 0.80
# rates have four digits: a smaller spread than this is rounding, not noise
LEAST_NOISE = 1e-6


def t_critical(df: Number) -> Number:
    """Return how many standard errors a 95% CI reaches to each side; NaN where no degree of freedom is left.

    Examples
    --------
    >>> round(t_critical(17.0), 4)
    2.1098
    """
    return t_quantile(1 - ALPHA / 2, df)


def t_quantile(share: float, df: Number) -> Number:
    """Return the value that a t-statistic stays below with chance `share`.

    Examples
    --------
    >>> round(t_quantile(0.8, 17.0), 4)
    0.8633
    """
    return special.stdtrit(df, share)


def t_above(value: Number, df: float) -> Number:
    """Return the chance of a t-statistic above `value`.

    Examples
    --------
    >>> round(t_above(2.1098, 17.0), 4)
    0.025
    """
    return special.stdtr(df, -value)


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard error and degrees of freedom of a difference of mean changes, on the sample's scale."""

    se: float
    df: float

    def interval(self, estimate: float) -> tuple[float, float]:
        """Return the 95% interval around `estimate`."""
        reach = self.se * t_critical(self.df)
        return estimate - reach, estimate + reach

    def p_value(self, estimate: float) -> float:
        """Return the two-sided p-value of `estimate`."""
        return float(2 * t_above(abs(estimate) / self.se, self.df))


def mean_variance(changes: np.ndarray, weights: np.ndarray) -> float:
    """Return the variance of a weighted mean; with equal weights it is the sample variance over n."""
    n, residual = len(changes), changes - weights @ changes
    return float((weights**2 @ residual**2) * n / (n - 1))


def spread_of(sample: Sample) -> Spread:
    """Return the standard error of the effect.

    With one treated district its own noise cannot be measured, and is taken to be that of the comparison districts:
    ``s sqrt(1 + sum of squared weights)`` with C - 1 degrees of freedom (Donald and Lang 2007). With more, the two
    sides have variances of their own (Welch 1947); nested ones have `nested.covariance`.

    Raises
    ------
    BadInput
        With one comparison district, or if the districts do not vary at all.
    """
    changes, weights = sample.change_comparison, sample.weights_comparison
    n_comparison, n_treated = len(changes), len(sample.treated)
    if n_comparison < 2:
        raise BadInput("One comparison unit cannot show how far units move by themselves. Add others to the group.")
    variance = mean_variance(changes, weights)
    if n_treated == 1:
        between = (
            float(np.var(changes, ddof=1)) if sample.spec.weights == "equal" else variance / float(weights @ weights)
        )
        return Spread(_positive(between + variance), n_comparison - 1)
    if sample.nested is not None and sample.nested.own_covariance:
        own_covariance, df = covariance(sample, sample.change_treated[:, None], changes[:, None])
        return Spread(_positive(float(own_covariance[0, 0])), df)
    own = mean_variance(sample.change_treated, sample.weights_treated)
    se = _positive(own + variance)
    df = (own + variance) ** 2 / (own**2 / (n_treated - 1) + variance**2 / (n_comparison - 1))
    return Spread(se, float(df))


def _positive(variance: float) -> float:
    se = float(np.sqrt(variance))
    if not se >= LEAST_NOISE:
        raise BadInput(
            "No variation: the units compared all changed by the same amount, so that nothing shows how far "
            "units move by themselves. Add others to the comparison group."
        )
    return se


@dataclass(frozen=True, slots=True)
class Detectable:
    """What the preferred test could have detected at 5%, in percentage points.

    Attributes
    ----------
    mde_pp, half_pp : float
        The gain found in 80% and in 50% of such studies; infinite where the test cannot reject whatever the effect.
    mde_t_pp : float
        (t(0.975) + t(0.8)) standard errors: what a t test would take, a yardstick for planning.
    se_pp, df : float
        Standard error of the effect and its degrees of freedom.
    floor : float
        The smallest p-value possible.
    keeps_low_pp, keeps_high_pp : float
        Estimates between which the test does not reject zero.
    """

    mde_pp: float
    half_pp: float
    mde_t_pp: float
    se_pp: float
    df: float
    floor: float
    keeps_low_pp: float
    keeps_high_pp: float

    def power(self, effect_pp: float) -> float:
        """Return the chance that the test rejects zero under an effect, in points.

        The estimate's error is t distributed with the study's standard error; what the comparison districts did is
        taken as it was. With a t test it is Bloom's (1995) approximation, 80% at `mde_t_pp`.
        """
        ends = [(end - effect_pp) / self.se_pp for end in (self.keeps_low_pp, self.keeps_high_pp)]
        return float(t_above(-ends[0], self.df) + t_above(ends[1], self.df))


@lru_cache(maxsize=1024)
def mde_factor(df: float) -> float:
    """Return t(0.975) + t(0.80): the standard errors that 80% power at 5% takes (Bloom 1995)."""
    return float(t_critical(df) + t_quantile(POWER, df))


def detectable(spread: Spread, test: Permutation, points_per_unit: float) -> Detectable:
    """Return what a test detects.

    Parameters
    ----------
    spread
        Standard error and degrees of freedom, on the sample's scale.
    test
        The preferred test, of the same sample. Where it has no interval of its own (shuffled labels) the t interval's,
        whose statistic it permutes.
    points_per_unit
        Percentage points per unit of the scale: 1 for points.

    Notes
    -----
    A test keeps zero exactly where its interval, moved with the estimate, includes it: between ``estimate - high`` and
    ``estimate - low``.
    """
    low, high = spread.interval(test.estimate) if np.isnan(test.low) else (test.low, test.high)
    keeps = test.estimate - high, test.estimate - low
    return Detectable(
        mde_pp=points_per_unit * (keeps[1] + t_quantile(POWER, spread.df) * spread.se),
        half_pp=points_per_unit * keeps[1],
        mde_t_pp=points_per_unit * mde_factor(spread.df) * spread.se,
        se_pp=points_per_unit * spread.se,
        df=spread.df,
        floor=test.floor,
        keeps_low_pp=points_per_unit * keeps[0],
        keeps_high_pp=points_per_unit * keeps[1],
    )
