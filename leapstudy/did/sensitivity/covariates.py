"""Regression adjustment: what the comparison districts' changes say a district with these traits would have done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.data import StudyData
from leapstudy.data.describe import traits_of_units
from leapstudy.did.contrasts import contrast_between
from leapstudy.did.design import Sample
from leapstudy.did.effect import points_per_unit, to_points
from leapstudy.did.nested import clusters_of, covariance, jackknifed
from leapstudy.did.rebound import LEAST_DISTRICTS, around_start, steps
from leapstudy.did.sample import subset
from leapstudy.did.spread import LEAST_NOISE, Spread

# Condition number of the traits from which their coefficients cannot be distinguished.
MOST_COLLINEAR = 1e8
# Comparison districts beyond the coefficients; with fewer the regression follows single districts.
LEAST_DF = 5


@dataclass(frozen=True, slots=True)
class Adjusted:
    """An effect estimated another way, with its t interval.

    Attributes
    ----------
    estimate_pp, se_pp, low_pp, high_pp : float
        The effect, its standard error and 95% interval. With one treated district the error is that of a prediction.
    df, p_value : float
        Degrees of freedom, and the two-sided p-value.
    n_treated, n_comparison : int
        Districts on each side; a comparison district without a covariate is left out.
    note : str
        What the estimate rests on here, in one sentence.
    """

    estimate_pp: float
    se_pp: float
    low_pp: float
    high_pp: float
    df: float
    p_value: float
    n_treated: int
    n_comparison: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fit:
    """An adjusted effect on the sample's scale, and how far the treated side lies outside the comparison districts."""

    estimate: float
    spread: Spread
    beyond: tuple[int, ...]


CHRONIC_TRAIT = "chronic_before_pct"


def traits_before(data: StudyData) -> pd.DataFrame:
    """Return the declared traits by district code and chronic absence before; NaN where the state publishes none.

    Chronic absence is that of the base year of its event study, counted from the first start: no unit had begun.
    """
    units = data.districts.set_index("district_code")
    table = pd.DataFrame(traits_of_units(data, adjust=True), index=units.index)
    if data.chronic.empty:
        return table
    chronic = data.chronic[data.chronic["year"] == chronic_year(data)].set_index("district_code")["percent"]
    return table.assign(**{CHRONIC_TRAIT: chronic.reindex(units.index)})


def chronic_year(data: StudyData) -> str:
    """Return the school year of chronic absence that is a trait."""
    return data.state.calendar.shift(min(data.starts.values()), data.state.outcomes["chronic_absence"].reference)


def trait_words(data: StudyData) -> dict[str, str]:
    """Return the columns of `traits_before` in words."""
    words = {name: trait.words for name, trait in data.state.unit.traits.items() if trait.adjust}
    return words if data.chronic.empty else {**words, CHRONIC_TRAIT: f"chronic absence {chronic_year(data)}"}


def traits_of(traits: pd.DataFrame, codes: Sequence[str]) -> np.ndarray:
    """Return the traits of the districts as a matrix, shape (districts, traits)."""
    return traits.reindex(list(codes)).to_numpy(float)


def adjust(sample: Sample, treated: np.ndarray, comparison: np.ndarray) -> tuple[Fit, Sample]:
    """Return the adjusted fit, and the sample of districts with every trait that it was made from.

    Parameters
    ----------
    sample
        A complete sample.
    treated, comparison : ndarray, shape (districts, traits)
        Traits of either side, see `traits_of`; NaN where unknown.

    Raises
    ------
    BadInput
        If a treated district lacks a trait, or too few comparison districts have all of them.
    """
    incomplete = [code for code, row in zip(sample.treated, treated, strict=True) if np.isnan(row).any()]
    if incomplete:
        raise BadInput(
            f"{', '.join(incomplete)} lacks one of the traits from before the program, so that its change cannot "
            "be predicted from them; leave the covariates out."
        )
    has_traits = ~np.isnan(comparison).any(axis=1)
    least = comparison.shape[1] + 1 + LEAST_DF
    if has_traits.sum() < least:
        raise BadInput(
            f"{has_traits.sum()} comparison units have every trait, and {comparison.shape[1]} covariates take at least "
            f"{least}. Choose a larger comparison group or leave the covariates out."
        )
    complete = sample if has_traits.all() else _complete(sample, has_traits)
    return regression_adjusted(complete, treated, comparison[has_traits]), complete


def _complete(sample: Sample, has_traits: np.ndarray) -> Sample:
    dropped = tuple(code for code, keep in zip(sample.comparison, has_traits, strict=True) if not keep)
    keep = np.concatenate([np.ones(len(sample.treated), dtype=bool), has_traits])
    nested = sample.nested
    if nested is not None:
        strata, clusters = (tuple(np.array(names)[keep]) if names else () for names in (nested.strata, nested.clusters))
        nested = replace(nested, strata=strata, clusters=clusters, raw=subset(nested.raw, keep))
    return replace(subset(sample, keep), left_out=(*sample.left_out, *dropped), nested=nested)


def regression_adjusted(sample: Sample, treated: np.ndarray, comparison: np.ndarray) -> Fit:
    """Return the treated side's mean change less the change that the comparison districts predict for it.

    Parameters
    ----------
    sample
        A complete sample.
    treated, comparison : ndarray, shape (districts, traits)
        Traits of either side, in the sample's order; with no column the result is the plain difference of means.

    Notes
    -----
    Outcome regression of Heckman, Ichimura and Todd (1997): ``mean change of the treated - x'b``, with b from the
    comparison districts alone. It is ``mean change - sum of a_j change_j`` with weights ``a = W X (X'WX)^-1 x``. One
    treated district: prediction error ``s^2 (1 + a'a)`` with C - k degrees of freedom, its own noise taken to be that
    of the comparison districts. Several: their own variance around the prediction, plus ``C / (C - k) sum of a_j^2
    e_j^2``. Where errors are by cluster: the jackknife over clusters, with `nested.covariance`'s degrees of freedom.

    Raises
    ------
    BadInput
        If there are not more comparison districts than coefficients, or they do not differ in the traits.
    """
    x, x_treated = _design(comparison, comparison), _design(treated, comparison)
    n, k = x.shape
    if n <= k:
        raise BadInput(f"{n} comparison units are too few for {k} coefficients. Choose a larger comparison group.")
    if (comparison.std(axis=0) < LEAST_NOISE).any() or np.linalg.cond(x) > MOST_COLLINEAR:
        raise BadInput(
            "The comparison units do not differ in what is adjusted for, or differ in all of it together, so that "
            "no line can be drawn through them. Choose a larger comparison group."
        )
    w, clusters = sample.weights_comparison, clusters_of(sample)
    coefficients = np.linalg.solve(
        x.T @ (w[:, None] * x), np.column_stack([x.T @ (w * sample.change_comparison), x_treated.T])
    )
    predicted = x_treated @ coefficients[:, 0]
    share = w * (x @ (coefficients[:, 1:] @ sample.weights_treated))
    residual = sample.change_comparison - x @ coefficients[:, 0]
    gaps = sample.change_treated - predicted
    estimate = float(sample.weights_treated @ gaps)
    spread = (
        _spread(sample, gaps - estimate, residual, share, n - k)
        if clusters is None
        else _by_cluster(sample, x_treated, x, clusters)
    )
    return Fit(estimate, spread, _beyond(treated, comparison))


def _by_cluster(sample: Sample, x_treated: np.ndarray, x: np.ndarray, clusters: np.ndarray) -> Spread:
    """Return the spread of the adjusted effect from leaving out one cluster at a time."""
    n = len(x_treated)
    df = covariance(sample, sample.change_treated[:, None], sample.change_comparison[:, None])[1]

    def without(keep: np.ndarray) -> float:
        """Return the effect of some of the units."""
        on, off = keep[:n], keep[n:]
        root = np.sqrt(sample.weights_comparison[off])
        line = np.linalg.lstsq(root[:, None] * x[off], root * sample.change_comparison[off], rcond=None)[0]
        return float(np.average(sample.change_treated[on] - x_treated[on] @ line, weights=sample.weights_treated[on]))

    if min(len(set(clusters[:n])), len(set(clusters[n:]))) < 2:
        raise BadInput("All units of one side are of one cluster, so that their error cannot be had by leaving it out.")
    return Spread(jackknifed(clusters, without), df)


def _design(traits: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Return a column of ones and the traits in standard deviations of the comparison districts."""
    return np.column_stack([np.ones(len(traits)), (traits - around.mean(axis=0)) / around.std(axis=0)])


def _spread(sample: Sample, own: np.ndarray, residual: np.ndarray, share: np.ndarray, residual_df: int) -> Spread:
    n, w = len(residual), sample.weights_comparison
    if len(own) == 1:
        between = float((w**2 @ residual**2) / (w @ w)) * n / residual_df
        return Spread(float(np.sqrt(between * (1 + share @ share))), float(residual_df))
    variance = float(share**2 @ residual**2) * n / residual_df
    own_variance = float(sample.weights_treated**2 @ own**2) * len(own) / (len(own) - 1)
    df = (own_variance + variance) ** 2 / (own_variance**2 / (len(own) - 1) + variance**2 / residual_df)
    return Spread(float(np.sqrt(own_variance + variance)), float(df))


def _beyond(treated: np.ndarray, comparison: np.ndarray) -> tuple[int, ...]:
    """Return the columns of the traits in which the treated mean lies outside all comparison units."""
    mean = treated.mean(axis=0)
    outside = (mean < comparison.min(axis=0)) | (mean > comparison.max(axis=0))
    return tuple(int(place) for place in np.flatnonzero(outside))


def adjusted(sample: Sample, traits: pd.DataFrame, words: Mapping[str, str] = MappingProxyType({})) -> Adjusted:
    """Return the sample's effect with regression adjustment for `traits`, in percentage points; see `adjust`."""
    fit, complete = adjust(sample, traits_of(traits, sample.treated), traits_of(traits, sample.comparison))
    beyond = " and ".join(words.get(name := str(traits.columns[place]), name) for place in fit.beyond)
    note = f"In {beyond} the treated side lies outside all comparison units: the prediction is an extrapolation."
    return in_points(fit, complete, note if beyond else "")


def in_points(fit: Fit, sample: Sample, note: str) -> Adjusted:
    """Return a fit on the sample's scale in percentage points."""
    low, high = fit.spread.interval(fit.estimate)
    return Adjusted(
        to_points(fit.estimate, sample),
        points_per_unit(sample) * fit.spread.se,
        to_points(low, sample),
        to_points(high, sample),
        fit.spread.df,
        fit.spread.p_value(fit.estimate),
        len(sample.treated),
        len(sample.comparison),
        note,
    )


BEYOND = "It fell further than any comparison unit, or less far: the prediction is an extrapolation."


def beyond_recovery(sample: Sample) -> Adjusted:
    """Return the treated side's change to the first year less what its fall in the year before predicts, with its
    uncertainty.

    Parameters
    ----------
    sample
        A complete sample over the two years before the start and the first one, in points with equal weights.

    Notes
    -----
    Regression adjustment (`regression_adjusted`) for one trait, the fall itself: the estimate is the mean of
    `rebound`'s gap_pp. One treated district: the interval is that of a prediction. A fall is a noisy trait, which pulls
    the slope towards zero and leaves part of the recovery in the estimate.
    """
    if len(sample.comparison) < LEAST_DISTRICTS:
        raise BadInput(
            f"Adjusting for rebound takes {LEAST_DISTRICTS} comparison units or more; here "
            f"are {len(sample.comparison)}."
        )
    _, last, first = around_start(sample)
    recovery = replace(sample, contrast=contrast_between((last,), (first,), "sensitivity"))
    fitted = regression_adjusted(
        recovery, *(steps(sample, y)[0][:, None] for y in (sample.y_treated, sample.y_comparison))
    )
    return in_points(fitted, recovery, BEYOND if fitted.beyond else "")
