"""The specification curve: every reasonable way to ask the same question, and how many of them agree."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.names import Comparison, Scale, Weights
from leapstudy.data import StudyData
from leapstudy.did.comparison import comparison_codes, comparison_label, treated_codes
from leapstudy.did.design import Sample, Spec, build_panel, sample_of_codes
from leapstudy.did.effect import fit, to_points
from leapstudy.did.permutation import ALPHA
from leapstudy.did.sensitivity.covariates import adjust, traits_before, traits_of

# Columns of the curve that name a choice.
CHOICES = ("comparison", "contrast", "weights", "edition", "scale", "covariates")


class Found(NamedTuple):
    """One specification's estimate and interval in percentage points, its p-value, that of its t test, and its
    districts.
    """

    estimate_pp: float
    low_pp: float
    high_pp: float
    p_value: float
    p_t: float
    n_treated: int
    n_comparison: int


Sides = tuple[tuple[str, ...], tuple[str, ...]]
Find = Callable[[Spec, bool], Found | None]


def specification_curve(data: StudyData, spec: Spec, treated: Sequence[str]) -> pd.DataFrame:
    """Return every specification of the spec's outcome for the treated districts.

    Returns
    -------
    DataFrame
        One row a specification, in the order of `CHOICES`: these choices, estimate_pp, low_pp, high_pp (95%; NaN
        where the test can never reject), p_value, n_treated, n_comparison, placebo_pp, placebo_p (the same choices
        over the study's placebo contrast, where zero is expected; p-value of the t test, which has no floor),
        fair_before (that placebo is not rejected at 5%, which does not prove that trends were parallel) and is_main
        (the spec itself). What the data cannot be asked is left out.

    Notes
    -----
    Specification curve: Simonsohn, Simmons and Nelson (2020). Without covariates each row is what `effect.fit` gives
    (one treated district: exact permutation; several: unequal variances), with covariates `covariates.adjust`.
    """
    sides = _sides(data, spec, treated)
    find = _finder(data, sides)
    placebo = next((name for name, contrast in data.state.contrasts.items() if contrast.role == "placebo"), None)
    rows = [_row(other, covariates, find, spec, placebo) for other, covariates in _every(data, spec, sides)]
    return pd.DataFrame([row for row in rows if row is not None])


def _every(data: StudyData, spec: Spec, sides: Mapping[Comparison, Sides]) -> Iterator[tuple[Spec, bool]]:
    contrasts = [name for name, contrast in data.state.contrasts.items() if contrast.role != "placebo"]
    choices = (contrasts, get_args(Weights), data.state.editions, get_args(Scale), (False, True))
    for group, contrast, weights, edition, scale, covariates in product(sides, *choices):
        changes: dict[str, Any] = {"contrast": contrast, "weights": weights, "edition": edition, "scale": scale}
        yield replace(spec, comparison=group, **changes), covariates


def _sides(data: StudyData, spec: Spec, treated: Sequence[str]) -> dict[Comparison, Sides]:
    """Return both sides' codes for each comparison group in which the treated districts have a peer."""
    groups: list[Comparison] = [*data.state.groups]
    groups += [] if spec.comparison in groups else [spec.comparison]
    sides = {}
    for group in groups:
        try:
            sides[group] = treated_codes(data, group, treated), comparison_codes(data, group)
        except BadInput:
            continue
    return sides


def _finder(data: StudyData, sides: Mapping[Comparison, Sides]) -> Find:
    """Return a function that fits a specification once; None where the data cannot be asked."""
    panel, traits = cache(partial(build_panel, data)), cache(partial(traits_of, traits_before(data)))

    @cache
    def sample(spec: Spec) -> Sample | None:
        """Return the sample of a specification; None where it cannot be formed."""
        own, _ = attempt(panel, spec.outcome, spec.edition)
        return attempt(sample_of_codes, own, spec, *sides[spec.comparison])[0] if own else None

    @cache
    def find(spec: Spec, covariates: bool) -> Found | None:
        """Return what a specification finds; None where it cannot be asked."""
        its_sample = sample(spec)
        if its_sample is None:
            return None
        return attempt(_adjusted, its_sample, traits)[0] if covariates else attempt(_plain, its_sample)[0]

    return find


def _plain(sample: Sample) -> Found:
    effect = fit(sample, draws=0)
    by_t = effect.spread.p_value(effect.test.estimate)
    p = by_t if len(sample.treated) > 1 else effect.test.p_value
    sides = len(sample.treated), len(sample.comparison)
    return Found(effect.estimate_pp, _finite(effect.ci_low_pp), _finite(effect.ci_high_pp), p, by_t, *sides)


def _adjusted(sample: Sample, traits: Callable[[tuple[str, ...]], np.ndarray]) -> Found:
    estimate, complete = adjust(sample, traits(sample.treated), traits(sample.comparison))
    low, high = estimate.spread.interval(estimate.estimate)
    ends = [to_points(value, complete) for value in (estimate.estimate, low, high)]
    p = estimate.spread.p_value(estimate.estimate)
    return Found(ends[0], ends[1], ends[2], p, p, len(complete.treated), len(complete.comparison))


def _finite(end: float) -> float:
    return end if np.isfinite(end) else float("nan")


def _row(spec: Spec, covariates: bool, find: Find, headline: Spec, placebo_name: str | None) -> dict[str, Any] | None:
    estimate = find(spec, covariates)
    if estimate is None:
        return None
    placebo = find(replace(spec, contrast=placebo_name), covariates) if placebo_name else None
    return {
        "comparison": comparison_label(spec.comparison),
        "contrast": spec.contrast,
        "weights": spec.weights,
        "edition": spec.edition,
        "scale": spec.scale,
        "covariates": "with" if covariates else "without",
        **{name: value for name, value in estimate._asdict().items() if name != "p_t"},
        "placebo_pp": float("nan") if placebo is None else placebo.estimate_pp,
        "placebo_p": float("nan") if placebo is None else placebo.p_t,
        "fair_before": placebo is not None and placebo.p_t > ALPHA,
        "is_main": spec == headline and not covariates,
    }


def summary(curve: pd.DataFrame) -> dict[str, int]:
    """Count a curve: specifications, on which side of zero, with an interval that excludes zero; all, and fair ones.

    Keys: n, above, below, clear_above, clear_below (the interval excludes zero), fair (the placebo is not rejected),
    fair_above, fair_clear_above, fair_clear_below.
    """
    above, fair = curve["estimate_pp"] > 0, curve["fair_before"].astype(bool)
    clear_above, clear_below = curve["low_pp"] > 0, curve["high_pp"] < 0
    counts = {
        "n": len(curve),
        "above": above.sum(),
        "below": (curve["estimate_pp"] < 0).sum(),
        "clear_above": clear_above.sum(),
        "clear_below": clear_below.sum(),
        "fair": fair.sum(),
        "fair_above": (above & fair).sum(),
        "fair_clear_above": (clear_above & fair).sum(),
        "fair_clear_below": (clear_below & fair).sum(),
    }
    return {name: int(count) for name, count in counts.items()}
