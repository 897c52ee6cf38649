"""Synthetic difference-in-differences (Arkhangelsky et al. 2021) of one treated district, through `diff-diff`."""

import warnings
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput, LeapstudyError
from leapstudy.did.design import Sample

PLACEBOS = 200
LEAST_YEARS = 2
MOST_DONORS = 40
# digits to which two placebos of one district agree whatever order the others came in
SAME = 8


@dataclass(frozen=True, slots=True)
class SyntheticDid:
    """Estimate and placebo inference on the sample's scale.

    `p_value` is the share of placebo districts at least as far from zero, the treated one included, `floor` is
    one over their number, and `low` to `high` is the estimate plus and minus 1.96 `se`. `donors` has district_code and weight, largest
    first; the weights sum to one. `year` is the year before that counts most, `year_weight` how much (1 at most).
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


def synthetic_did(sample: Sample, placebos: int = PLACEBOS) -> SyntheticDid:
    """Fit the synthetic difference with placebo inference over the comparison districts, seeded by the sample's spec.

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
    method with a comparison district in the treated one's place. A district that is drawn again gives the same effect,
    so that the p-value counts each once: with 200 draws all of 19 districts are in, and it is the exact enumeration.
    """
    years = sample.contrast.years
    if len(sample.treated) > 1:
        raise BadInput("The synthetic difference is made for one treated district at a time.")
    if sample.spec.weights != "equal":
        raise BadInput("Synthetic weights take the place of weights by students; use weights 'equal'.")
    if len(sample.contrast.pre) < LEAST_YEARS:
        raise BadInput("Synthetic weights match the years before; one year alone leaves nothing to match.")
    if len(sample.comparison) > MOST_DONORS:
        raise BadInput(
            f"Synthetic weights over {len(sample.comparison)} possible donors are not fitted here: a placebo for each takes "
            "seconds a district. Use a comparison group of at most 40, such as 'alliance' or 'drg_gh'."
        )
    y = np.concatenate([sample.y_treated, sample.y_comparison])[:, sample.columns(years)]
    fitted = fit_rows(
        long_rows(y, (*sample.treated, *sample.comparison), years), sample.contrast.post, placebos, sample.spec.seed
    )
    p_value, floor = placebo_p(fitted)
    low, high = (float(end) for end in fitted.conf_int)
    year, year_weight = max(fitted.time_weights.items(), key=itemgetter(1))
    donors = fitted.get_unit_weights_df().set_axis(["district_code", "weight"], axis=1).reset_index(drop=True)
    return SyntheticDid(float(fitted.att), float(fitted.se), low, high, p_value, floor, donors, year, year_weight)


def placebo_p(fitted: Any) -> tuple[float, float]:
    """Return the exact p-value of `diff-diff`'s placebos, each district counted once, and its floor."""
    placebo = np.unique(np.round(fitted.variance_effects, SAME))
    beyond = int(np.sum(np.abs(placebo) >= abs(fitted.att) - 10.0**-SAME))
    return (1 + beyond) / (len(placebo) + 1), 1 / (len(placebo) + 1)


def long_rows(y: np.ndarray, codes: tuple[str, ...], years: tuple[str, ...]) -> pd.DataFrame:
    """Return a panel of districts by years, the treated one first, as rows: district_code, year, y, treated."""
    return pd.DataFrame(
        {
            "district_code": np.repeat(codes, len(years)), "year": np.tile(years, len(codes)), "y": y.ravel(),
            "treated": np.repeat([1] + [0] * (len(codes) - 1), len(years)),
        }
    )  # fmt: skip


def fit_rows(rows: pd.DataFrame, post: tuple[str, ...], placebos: int, seed: int) -> Any:
    """Return `diff-diff`'s fit of the rows of `long_rows` with its placebos."""
    try:
        # imported here because it is slow to import and only this asks for it
        from diff_diff import SyntheticDiD
    except ImportError as reason:
        raise LeapstudyError("Synthetic difference-in-differences needs `diff-diff`; run `make setup`.") from reason
    with warnings.catch_warnings():
        # poor fit before and few years are said in the note of the method, in the study's own words
        warnings.simplefilter("ignore")
        return SyntheticDiD(n_bootstrap=placebos, seed=seed).fit(
            rows, "y", "treated", "district_code", "year", post_periods=list(post)
        )
