"""The event study over school years: coefficients with their covariance, simultaneous bands, and a joint test."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from leapstudy.did.comparison import comparison_label
from leapstudy.did.contrasts import event_time, start_of
from leapstudy.did.nested import covariance as nested_covariance
from leapstudy.did.permutation import ALPHA
from leapstudy.did.sample import Sample
from leapstudy.did.spread import LEAST_NOISE, POWER, mde_factor, t_critical

DRAWS = 20_000
# Degrees of freedom that stand for infinitely many.
MANY = 1e6


@dataclass(frozen=True, slots=True)
class JointTest:
    """A test that k coefficients are all zero; say "not rejected", never "parallel trends hold".

    `slope` is the smallest differential linear trend, a period, that the test finds with 80% power. Both are NaN where
    too few units, or units that moved alike, leave nothing to test by.
    """

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
    k, denominator = len(values), df - len(values) + 1
    if not k or denominator < 1 or _singular(covariance):
        return JointTest(float("nan"), float("nan"))
    inverse_times = np.linalg.solve(covariance, np.column_stack([values, drift]))
    finite = bool(np.isfinite(df))
    statistic = float(values @ inverse_times[:, 0]) * (denominator / (df * k) if finite else 1.0)
    p_value = float(special.fdtrc(k, denominator, statistic) if finite else special.chdtrc(k, statistic))
    slope = float(np.sqrt(_noncentrality(k, denominator) / float(drift @ inverse_times[:, 1])))
    return JointTest(p_value, slope)


def _singular(covariance: np.ndarray) -> bool:
    scale = np.sqrt(np.diag(covariance))
    if scale.min(initial=1.0) < LEAST_NOISE:
        return True
    return bool(np.linalg.cond(covariance / np.outer(scale, scale)) > 1e12)


def _noncentrality(k: int, denominator: float) -> float:
    """Return the noncentrality at which the test has 80% power."""
    # imported here because it is slow to import and only this asks for it
    from scipy import optimize, stats

    if np.isfinite(denominator):
        cut = stats.f.ppf(1 - ALPHA, k, denominator)
        return float(optimize.brentq(lambda size: stats.ncf.sf(cut, k, denominator, size) - POWER, 1e-6, 1e4))
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
    t = t_critical(df)
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


@dataclass(frozen=True, slots=True)
class EventStudy:
    """An event study over years, in percentage points.

    `table` has one row a year: year, event_time, estimate_pp, se_pp, low_pp, high_pp (pointwise), low_sup_pp,
    high_sup_pp (simultaneous), mde_pp, is_reference; the reference year is a row of zeros with empty se.
    `df` are the degrees of freedom of the covariance, `joint_p` tests that every coefficient before the program is
    zero, `slope_mde_pp` is the linear differential trend (points a year) that this test finds with 80% power.
    """

    outcome: str
    comparison: str
    edition: str
    n_treated: int
    n_comparison: int
    reference: str
    table: pd.DataFrame
    sup_t: float
    df: float
    joint_p: float
    slope_mde_pp: float
    covariance: pd.DataFrame

    @property
    def start(self) -> str:
        """The treated districts' first school year with the program, also where the table ends before it."""
        first = self.table.iloc[0]
        return start_of(str(first["year"]), int(first["event_time"]))


def event_study(sample: Sample, reference: str, aside: Collection[str] = ()) -> EventStudy:
    """Return the yearly differences between the two sides, less that of the reference year.

    Parameters
    ----------
    sample
        A complete sample over all years shown, in points.
    reference
        The year that is set to zero.
    aside
        Years, such as incomplete ones, that are no part of the joint test.

    Notes
    -----
    With one treated district the covariance of its coefficients is that of the comparison districts' own deviations,
    ``S (1 + 1/C)``; no cluster-robust variance exists. Bands: sup-t from the multivariate t distribution (Montiel Olea
    and Plagborg-Moller 2019). Joint test: Hotelling's T squared as F.
    """
    years = [year for year in sample.years if year != reference]
    treated, comparison = (
        y[:, sample.columns(years)] - y[:, sample.columns([reference])] for y in (sample.y_treated, sample.y_comparison)
    )
    values = sample.weights_treated @ treated - sample.weights_comparison @ comparison
    covariance, df = _covariance(sample, treated, comparison)
    before = [place for place, year in enumerate(years) if event_time(year, sample.start) < 0 and year not in aside]
    # from a reference before the start these are the differences; from a later one, which the program may have moved,
    # they are taken from the last year before the start
    apart = np.eye(len(before))
    if event_time(reference, sample.start) >= 0:
        apart = (apart - apart[-1])[:-1]
    drift = apart @ np.array([event_time(years[place], reference) for place in before], dtype=float)
    test = joint_test(apart @ values[before], apart @ covariance[np.ix_(before, before)] @ apart.T, drift, df)
    ends = bands(values, covariance, df, sample.spec.seed)
    spec = sample.spec
    return EventStudy(
        spec.outcome,
        comparison_label(spec.comparison),
        spec.edition,
        len(sample.treated),
        len(sample.comparison),
        reference,
        _table(sample, reference, years, values, np.sqrt(np.diag(covariance)), ends, df),
        ends.sup_t,
        df,
        test.p_value,
        test.slope,
        pd.DataFrame(covariance, index=years, columns=years),
    )


def _covariance(sample: Sample, treated: np.ndarray, comparison: np.ndarray) -> tuple[np.ndarray, float]:
    around = _mean_covariance(comparison, sample.weights_comparison)
    if len(treated) == 1:
        weights = sample.weights_comparison
        return around / float(weights @ weights) + around, len(comparison) - 1.0
    if sample.nested is not None and sample.nested.own_covariance:
        return nested_covariance(sample, treated, comparison)
    return _mean_covariance(treated, sample.weights_treated) + around, float(min(len(treated), len(comparison)) - 1)


def _mean_covariance(changes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    n, residual = len(changes), (changes - weights @ changes) * weights[:, None]
    return residual.T @ residual * n / (n - 1)


def _table(
    sample: Sample, reference: str, years: list[str], values: np.ndarray, se: np.ndarray, ends: Bands, df: float
) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "year": years,
            "estimate_pp": values,
            "se_pp": se,
            "low_pp": ends.low,
            "high_pp": ends.high,
            "low_sup_pp": ends.low_sup,
            "high_sup_pp": ends.high_sup,
            "mde_pp": mde_factor(df) * se,
            "is_reference": False,
        }
    )
    zero = pd.DataFrame({"year": [reference], "estimate_pp": [0.0], "is_reference": [True]})
    table = pd.concat([rows, zero], ignore_index=True).set_index("year").loc[list(sample.years)].reset_index()
    table.insert(1, "event_time", [event_time(year, sample.start) for year in table["year"]])
    return table.astype({"is_reference": bool})
