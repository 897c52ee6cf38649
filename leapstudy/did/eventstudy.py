"""The event study over school years, with simultaneous bands and what its joint test could have found."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leapstudy.did.coefficients import Bands, bands, joint_test
from leapstudy.did.comparison import comparison_label
from leapstudy.did.contrasts import event_time, start_of
from leapstudy.did.nested import covariance as nested_covariance
from leapstudy.did.sample import Sample
from leapstudy.did.spread import mde_factor


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
    before = [place for place, year in enumerate(years) if event_time(year, sample.start) < 0]
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


def _from_reference(sample: Sample, y: np.ndarray, years: list[str], reference: str) -> np.ndarray:
    return y[:, sample.columns(years)] - y[:, sample.columns([reference])]


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
    sample: Sample,
    reference: str,
    years: list[str],
    values: np.ndarray,
    se: np.ndarray,
    ends: Bands,
    df: float,
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
