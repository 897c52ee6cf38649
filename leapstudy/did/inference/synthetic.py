"""Synthetic difference-in-differences and synthetic control of one treated district, through `diff-diff`."""

import warnings
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.quiet import quiet
from leapstudy.did.design import Sample
from leapstudy.did.effect import to_points
from leapstudy.did.inference.record import Method, answer_of
from leapstudy.did.permutation import TIE
from leapstudy.did.spread import t_critical

LEAST_YEARS = 2
MOST_DONORS = 40


def synthetic_did(sample: Sample) -> Method:
    """Fit the synthetic difference with a placebo in the place of every comparison district.

    Raises
    ------
    BadInput
        With more than one treated district, weights by students, fewer than two years before, or more than 40
        possible donors, where placebos take seconds a district.

    Notes
    -----
    `diff-diff` chooses the weights and the regularization as the authors' R package does. Its placebos re-fit the
    method with a comparison district in the treated one's place (Arkhangelsky et al. 2021, algorithm 4), drawn at
    random there; here each district takes the place once, so that nothing is drawn. The error is the standard deviation
    of all C placebos, the interval the estimate plus and minus t with C - 1 degrees of freedom times it.
    """
    fitted = fit_rows(_rows_of(sample), sample.contrast.post)
    se = float(np.std(fitted.variance_effects, ddof=1))
    reach = t_critical(len(sample.comparison) - 1) * se
    year, year_weight = max(fitted.time_weights.items(), key=itemgetter(1))
    note = (
        f"Weights from {len(sample.contrast.pre)} years before: the largest of one unit is "
        f"{max(fitted.unit_weights.values()):.0%} (equal ones: {1 / len(sample.comparison):.0%}), and {year} "
        f"counts for {year_weight:.0%} of the years before."
    )
    att = float(fitted.att)
    return answer_of("sdid_placebo", sample, (att, att - reach, att + reach), *placebo_p(fitted), note, se)


def synthetic_control(sample: Sample) -> Method:
    """Fit the synthetic control with a placebo in the place of every comparison district.

    Raises
    ------
    BadInput
        As `synthetic_did`; and where the weighted districts miss the years before by more than the district's own mean
        does, since nothing was matched then.

    Notes
    -----
    Abadie, Diamond and Hainmueller (2010): weights that are not negative and sum to one, so that a district beyond all
    others cannot be matched. Every year before counts alike, scaled by its variance over districts (Abadie 2021,
    section 3.2a); the p-value is that of their section 2.4: the share of districts whose ratio of later to earlier
    misses is at least as large, the treated one included.
    """
    rows, pre, post = _rows_of(sample), sample.contrast.pre, sample.contrast.post
    # numbers in the order of the names: the package looks rows up by them thousands of times
    places = {"district_code": rows["district_code"].rank(method="dense"), "year": rows["year"].rank(method="dense")}
    late = rows["year"].isin(post)
    panel = rows.assign(treated=rows["treated"] * late, **places)
    fitted = _control_fit(panel, panel.loc[late, "year"].unique())
    miss, spread = float(fitted.pre_rmspe), float(np.std(sample.y_treated[0, sample.columns(pre)], ddof=1))
    if miss > spread:
        raise BadInput(
            f"No weights of the comparison units give the {len(pre)} years before: they miss them by {miss:.1f} a "
            f"year, more than those years differ among themselves ({spread:.1f})."
        )
    with quiet():
        fitted.in_space_placebo()
    largest = ", ".join(
        f"{weight:.0%}" for weight in sorted(fitted.donor_weights.values(), reverse=True)[:3] if weight >= 0.005
    )
    note = f"Misses the {len(pre)} years before by {miss:.2f} a year; largest weights {largest}."
    floor = 1 / (int(fitted.n_placebos) + 1)
    effect = to_points(float(fitted.att), sample)
    return Method("synthetic_control", effect, p_value=float(fitted.placebo_p_value), p_floor=floor, note=note)


def _rows_of(sample: Sample) -> pd.DataFrame:
    """Return the sample as `long_rows`; see `synthetic_did` for what is refused."""
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
    years = sample.contrast.years
    y = np.concatenate([sample.y_treated, sample.y_comparison])[:, sample.columns(years)]
    return long_rows(y, (*sample.treated, *sample.comparison), years)


def _control_fit(rows: pd.DataFrame, post: Sequence[float]) -> Any:
    # imported here because it is slow to import and only this asks for it
    from diff_diff import SyntheticControl

    with warnings.catch_warnings():
        # a poor fit before is said in the note of the method, in the study's own words
        warnings.simplefilter("ignore")
        return SyntheticControl(v_method="inverse_variance").fit(
            rows, "y", "treated", "district_code", "year", post_periods=list(post)
        )


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
    # imported here because it is slow to import and only this asks for it
    from diff_diff import SyntheticDiD

    class EveryPlacebo(SyntheticDiD):
        """Puts each comparison district in the treated one's place once, where the package draws some."""

        def _placebo_variance_se(self, before: np.ndarray, *others: Any, **options: Any) -> Any:
            order = np.arange(before.shape[1])
            each = np.array([[*order[order != last], last] for last in order])
            return super()._placebo_variance_se(before, *others, **{**options, "_placebo_indices": each})

    with warnings.catch_warnings():
        # poor fit before and few years are said in the note of the method, in the study's own words
        warnings.simplefilter("ignore")
        return EveryPlacebo().fit(rows, "y", "treated", "district_code", "year", post_periods=list(post))
