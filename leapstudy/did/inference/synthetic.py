"""Synthetic difference-in-differences and synthetic control of one treated district, through `diff-diff`."""

import warnings
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from leapstudy.core.errors import BadInput, LeapstudyError
from leapstudy.did.design import Sample
from leapstudy.did.permutation import ALPHA, TIE

LEAST_YEARS = 2
MOST_DONORS = 40


@dataclass(frozen=True, slots=True)
class SyntheticControl:
    """Estimate and placebo inference of the synthetic control, on the sample's scale.

    `miss` is the root mean square of what the weighted districts miss in the years before, and `spread` the standard
    deviation of the treated district's own years before. `p_value` is the share of districts whose ratio of later to
    earlier misses is at least as large, the treated one included, and `floor` one over their number. `donors` is as in
    `SyntheticDid`.
    """

    estimate: float
    miss: float
    spread: float
    p_value: float
    floor: float
    donors: pd.DataFrame

    @property
    def fits(self) -> bool:
        """Whether the weighted districts come nearer to the years before than the district's own mean does."""
        return self.miss <= self.spread


@dataclass(frozen=True, slots=True)
class SyntheticDid:
    """Estimate and placebo inference on the sample's scale.

    `p_value` is the share of placebo districts at least as far from zero, the treated one included, `floor` is one over
    their number, `se` the standard deviation of all C placebos, and `low` to `high` the estimate plus and minus t with
    C - 1 degrees of freedom times `se`. `donors` has district_code and weight, largest first; the weights sum to one.
    `year` is the year before that counts most, `year_weight` how much (1 at most).
    """

    estimate: float
    se: float
    low: float
    high: float
    p_value: float
    floor: float
    donors: pd.DataFrame
    year: str
    year_weight: float


def synthetic_did(sample: Sample) -> SyntheticDid:
    """Fit the synthetic difference with a placebo in the place of every comparison district.

    Raises
    ------
    BadInput
        With more than one treated district, weights by students, fewer than two years before, or more than 40
        possible donors, where placebos take seconds a district.
    LeapstudyError
        If `diff-diff` is not installed.

    Notes
    -----
    `diff-diff` chooses the weights and the regularization as the authors' R package does. Its placebos re-fit the
    method with a comparison district in the treated one's place (Arkhangelsky et al. 2021, algorithm 4), drawn at
    random there; here each district takes the place once, so that nothing is drawn.
    """
    years = sample.contrast.years
    _refuse(sample)
    y = np.concatenate([sample.y_treated, sample.y_comparison])[:, sample.columns(years)]
    fitted = fit_rows(long_rows(y, (*sample.treated, *sample.comparison), years), sample.contrast.post)
    p_value, floor = placebo_p(fitted)
    se = float(np.std(fitted.variance_effects, ddof=1))
    reach = float(stats.t.ppf(1 - ALPHA / 2, len(sample.comparison) - 1)) * se
    year, year_weight = max(fitted.time_weights.items(), key=itemgetter(1))
    donors = fitted.get_unit_weights_df().set_axis(["district_code", "weight"], axis=1).reset_index(drop=True)
    att = float(fitted.att)
    return SyntheticDid(att, se, att - reach, att + reach, p_value, floor, donors, year, year_weight)


def _refuse(sample: Sample) -> None:
    if len(sample.treated) > 1:
        raise BadInput("The synthetic difference is made for one treated unit at a time.")
    if sample.spec.weights != "equal":
        raise BadInput("Synthetic weights take the place of weights by students; use weights 'equal'.")
    if len(sample.contrast.pre) < LEAST_YEARS:
        raise BadInput("Synthetic weights match the years before; one year alone leaves nothing to match.")
    if len(sample.comparison) > MOST_DONORS:
        raise BadInput(
            f"Synthetic weights over {len(sample.comparison)} possible donors are not fitted here: a placebo for each "
            "takes seconds a unit. Use a comparison group of at most 40."
        )


def synthetic_control(sample: Sample) -> SyntheticControl:
    """Fit the synthetic control with a placebo in the place of every comparison district.

    Raises
    ------
    BadInput
        As `synthetic_did`.
    LeapstudyError
        If `diff-diff` is not installed.

    Notes
    -----
    Abadie, Diamond and Hainmueller (2010): weights that are not negative and sum to one, so that a district beyond all
    others cannot be matched (`fits` is False then). Every year before counts alike, scaled by its variance over
    districts (Abadie 2021, section 3.2a); the p-value is that of their section 2.4.
    """
    _refuse(sample)
    years, post = sample.contrast.years, sample.contrast.post
    y = np.concatenate([sample.y_treated, sample.y_comparison])[:, sample.columns(years)]
    rows = long_rows(y, (*sample.treated, *sample.comparison), years)
    fitted = _control_fit(rows.assign(treated=rows["treated"] * rows["year"].isin(post)), post)
    donors = pd.DataFrame(fitted.donor_weights.items(), columns=["district_code", "weight"])
    donors = donors.sort_values("weight", ascending=False, ignore_index=True)
    spread = float(np.std(y[0, : len(sample.contrast.pre)], ddof=1))
    floor = 1 / (int(fitted.n_placebos) + 1)
    return SyntheticControl(
        float(fitted.att), float(fitted.pre_rmspe), spread, float(fitted.placebo_p_value), floor, donors
    )


def _control_fit(rows: pd.DataFrame, post: tuple[str, ...]) -> Any:
    try:
        # imported here because it is slow to import and only this asks for it
        from diff_diff import SyntheticControl as Control
    except ImportError as reason:
        raise LeapstudyError("Synthetic control needs `diff-diff`; run `make setup`.") from reason
    with warnings.catch_warnings():
        # a poor fit before is said in the note of the method, in the study's own words
        warnings.simplefilter("ignore")
        fitted = Control(v_method="inverse_variance").fit(
            rows, "y", "treated", "district_code", "year", post_periods=list(post)
        )
        fitted.in_space_placebo()
    return fitted


def placebo_p(fitted: Any) -> tuple[float, float]:
    """Return the exact p-value of the placebos of `fit_rows`, and its floor."""
    placebos = np.asarray(fitted.variance_effects)
    beyond = int(np.sum(np.abs(placebos) >= abs(fitted.att) - TIE))
    return (1 + beyond) / (len(placebos) + 1), 1 / (len(placebos) + 1)


def long_rows(y: np.ndarray, codes: tuple[str, ...], years: tuple[str, ...]) -> pd.DataFrame:
    """Return a panel of districts by years, the treated one first, as rows: district_code, year, y, treated."""
    return pd.DataFrame(
        {
            "district_code": np.repeat(codes, len(years)),
            "year": np.tile(years, len(codes)),
            "y": y.ravel(),
            "treated": np.repeat([1] + [0] * (len(codes) - 1), len(years)),
        }
    )


def fit_rows(rows: pd.DataFrame, post: tuple[str, ...]) -> Any:
    """Return `diff-diff`'s fit of the rows of `long_rows`, with one placebo for each comparison district."""
    try:
        # imported here because it is slow to import and only this asks for it
        from diff_diff import SyntheticDiD
    except ImportError as reason:
        raise LeapstudyError("Synthetic difference-in-differences needs `diff-diff`; run `make setup`.") from reason

    class EveryPlacebo(SyntheticDiD):
        """Puts each comparison district in the treated one's place once, where the package draws some."""

        def _placebo_variance_se(self, before: np.ndarray, *others: Any, **named: Any) -> Any:
            order = np.arange(before.shape[1])
            each = np.array([[*order[order != last], last] for last in order])
            return super()._placebo_variance_se(before, *others, **{**named, "_placebo_indices": each})

    with warnings.catch_warnings():
        # poor fit before and few years are said in the note of the method, in the study's own words
        warnings.simplefilter("ignore")
        return EveryPlacebo().fit(rows, "y", "treated", "district_code", "year", post_periods=list(post))
