"""The event study over school years, with simultaneous bands and what its joint test could have found."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from leapstudy.did.comparison import comparison_label
from leapstudy.did.contrasts import event_time, start_of
from leapstudy.did.design import Sample
from leapstudy.did.permutation import ALPHA
from leapstudy.did.spread import LEAST_NOISE, POWER, mde_factor

BAND_DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class EventStudy:
    """An event study over years, in percentage points.

    `table` has one row a year: year, event_time, estimate_pp, se_pp, low_pp, high_pp (pointwise), low_sup_pp,
    high_sup_pp (simultaneous), mde_pp, is_reference; the reference year is a row of zeros with empty se.
    `joint_p` tests that every coefficient before the program is zero, `slope_mde_pp` is the linear differential
    trend (points a year) that this test would have found with 80% power.
    """

    outcome: str
    comparison: str
    edition: str
    n_treated: int
    n_comparison: int
    reference: str
    table: pd.DataFrame
    sup_t: float
    joint_f: float
    joint_df: tuple[float, float]
    joint_p: float
    slope_mde_pp: float
    covariance: pd.DataFrame

    @property
    def start(self) -> str:
        """The treated districts' first school year with the program, also where the table ends before it."""
        first = self.table.iloc[0]
        return start_of(str(first["year"]), int(first["event_time"]))


def event_study(sample: Sample, reference: str) -> EventStudy:
    """Return the yearly differences between the two sides, less that of the reference year.

    Parameters
    ----------
    sample
        A complete sample over all years shown, in points.
    reference
        The year that is set to zero.

    Notes
    -----
    With one treated district the covariance of its coefficients is that of the comparison districts' own deviations,
    ``S (1 + 1/C)``; no cluster-robust variance exists. Bands: sup-t from the multivariate t distribution (Montiel Olea
    and Plagborg-Moller 2019). Joint test: Hotelling's T squared as F.
    """
    years = [year for year in sample.years if year != reference]
    treated, comparison = (
        _from_reference(sample, y, years, reference) for y in (sample.y_treated, sample.y_comparison)
    )
    values = sample.weights_treated @ treated - sample.weights_comparison @ comparison
    covariance, df = _covariance(sample, treated, comparison)
    se = np.sqrt(np.diag(covariance))
    sup_t = sup_t_value(covariance, df, sample.spec.seed)
    before = [place for place, year in enumerate(years) if event_time(year, sample.start) < 0]
    joint_f, joint_df, joint_p, slope = np.nan, (0.0, df), np.nan, np.nan
    if before:
        joint_f, joint_df, joint_p = joint_test(values[before], covariance[np.ix_(before, before)], df)
        drift = np.array([event_time(years[place], reference) for place in before], dtype=float)
        slope = detectable_slope(drift, covariance[np.ix_(before, before)], df)
    spec = sample.spec
    table = _table(sample, reference, years, values, se, float(stats.t.ppf(1 - ALPHA / 2, df)), sup_t, df)
    return EventStudy(
        spec.outcome,
        comparison_label(spec.comparison),
        spec.edition,
        len(sample.treated),
        len(sample.comparison),
        reference,
        table,
        sup_t,
        joint_f,
        joint_df,
        joint_p,
        slope,
        pd.DataFrame(covariance, index=years, columns=years),
    )


def _from_reference(sample: Sample, y: np.ndarray, years: list[str], reference: str) -> np.ndarray:
    return y[:, sample.columns(years)] - y[:, sample.columns([reference])]


def _covariance(sample: Sample, treated: np.ndarray, comparison: np.ndarray) -> tuple[np.ndarray, float]:
    around = _mean_covariance(comparison, sample.weights_comparison)
    if len(treated) == 1:
        weights = sample.weights_comparison
        return around / float(weights @ weights) + around, len(comparison) - 1.0
    return _mean_covariance(treated, sample.weights_treated) + around, float(min(len(treated), len(comparison)) - 1)


def _mean_covariance(changes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    n, residual = len(changes), (changes - weights @ changes) * weights[:, None]
    return residual.T @ residual * n / (n - 1)


def sup_t_value(covariance: np.ndarray, df: float, seed: int) -> float:
    """Return the 95% point of the largest absolute t over all coefficients, drawn with `seed`."""
    scale = np.sqrt(np.diag(covariance))
    moving = scale > 0  # two or three districts may have changed by the same tenth of a point
    scale, covariance = scale[moving], covariance[np.ix_(moving, moving)]
    correlation = covariance / np.outer(scale, scale)
    rng = np.random.default_rng(seed)
    draws = rng.multivariate_normal(np.zeros(len(scale)), correlation, BAND_DRAWS, method="eigh")
    draws /= np.sqrt(rng.chisquare(df, BAND_DRAWS) / df)[:, None]
    return float(np.quantile(np.abs(draws).max(axis=1), 1 - ALPHA))


def joint_test(values: np.ndarray, covariance: np.ndarray, df: float) -> tuple[float, tuple[float, float], float]:
    """Return F, its degrees of freedom and p-value for all coefficients being zero (Hotelling 1931).

    NaN where too few districts, or districts that moved alike, leave nothing to test by.
    """
    k = len(values)
    left = df - k + 1
    if left < 1 or _singular(covariance):
        return float("nan"), (k, left), float("nan")
    f = float(values @ np.linalg.solve(covariance, values)) * left / (df * k)
    return f, (k, left), float(stats.f.sf(f, k, left))


def _singular(covariance: np.ndarray) -> bool:
    scale = np.sqrt(np.diag(covariance))
    if scale.min(initial=1.0) < LEAST_NOISE:
        return True
    return bool(np.linalg.cond(covariance / np.outer(scale, scale)) > 1e12)


def detectable_slope(drift: np.ndarray, covariance: np.ndarray, df: float) -> float:
    """Return the linear differential trend, a year, that the joint test finds with 80% power (after Roth 2022).

    The covariance is taken as known, as power computations do.
    """
    k, left = len(drift), df - len(drift) + 1
    if left < 1 or _singular(covariance):
        return float("nan")
    cut = stats.f.ppf(1 - ALPHA, k, left)
    noncentrality = optimize.brentq(lambda size: stats.ncf.sf(cut, k, left, size) - POWER, 1e-6, 1e4)
    information = float(drift @ np.linalg.solve(covariance, drift))
    return float(np.sqrt(noncentrality / information))


def _table(
    sample: Sample,
    reference: str,
    years: list[str],
    values: np.ndarray,
    se: np.ndarray,
    t: float,
    sup_t: float,
    df: float,
) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "year": years,
            "estimate_pp": values,
            "se_pp": se,
            "low_pp": values - t * se,
            "high_pp": values + t * se,
            "low_sup_pp": values - sup_t * se,
            "high_sup_pp": values + sup_t * se,
            "mde_pp": mde_factor(df) * se,
            "is_reference": False,
        }
    )
    zero = pd.DataFrame({"year": [reference], "estimate_pp": [0.0], "is_reference": [True]})
    table = pd.concat([rows, zero], ignore_index=True).set_index("year").loc[list(sample.years)].reset_index()
    table.insert(1, "event_time", [event_time(year, sample.start) for year in table["year"]])
    return table.astype({"is_reference": bool})
