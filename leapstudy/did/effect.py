"""Cells of the study: an effect with its uncertainty in percentage points, from one sample.

A question has the effect that is asked, and those of every other contrast, comparison group, edition and outcome.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.estimate import Estimate
from leapstudy.core.names import Comparison, Role
from leapstudy.core.table import records
from leapstudy.data import StudyData
from leapstudy.did.comparison import comparison_label
from leapstudy.did.contrasts import Clock, clock_of, years_label
from leapstudy.did.design import Panel, Sample, Spec, build_panel, build_sample, sample_from_panel
from leapstudy.did.eventstudy import EventStudy
from leapstudy.did.nested import dealt, method_of
from leapstudy.did.permutation import DRAWS, Permutation, exact, shuffled, shuffled_starts
from leapstudy.did.spread import Spread, spread_of

GetPanel = Callable[[str, str], Panel]


@dataclass(frozen=True, slots=True)
class Effect:
    """A fitted 2x2: test and spread on the sample's scale, the rest in percentage points."""

    sample: Sample
    test: Permutation
    spread: Spread
    estimate_pp: float
    se_pp: float
    ci_low_pp: float
    ci_high_pp: float


def to_points(effect: float, sample: Sample) -> float:
    """Return an effect in percentage points: as it is, or from log-odds at the treated side's rate before.

    On log-odds the effect e moves a rate p to ``logit^-1(logit p + e)``; the difference depends on p, and the treated
    districts' mean rate in the pre years is taken.
    """
    if sample.spec.scale == "points" or not np.isfinite(effect):
        return effect
    base = sample.base_rate / 100
    return 100 * float(1 / (1 + np.exp(-(np.log(base / (1 - base)) + effect))) - base)


def points_per_unit(sample: Sample) -> float:
    """Return percentage points per unit of the scale: 1, or the slope ``100 p (1 - p)`` of the logistic curve."""
    base = sample.base_rate / 100
    return 1.0 if sample.spec.scale == "points" else 100 * base * (1 - base)


def fit(sample: Sample, draws: int = DRAWS) -> Effect:
    """Estimate the effect of a sample with the inference that fits its number of treated districts.

    One treated district: exact permutation, interval by inversion. More: shuffled labels for the p-value (`draws` of
    them; none where only estimate and interval are wanted) and the unequal-variance interval.
    """
    spread = spread_of(sample)
    if len(sample.treated) == 1:
        test = exact(
            float(sample.change_treated[0]),
            sample.change_comparison,
            float(sample.sizes_treated[0]),
            sample.sizes_comparison,
        )
        low, high = test.low, test.high
    else:
        test = _deal(sample, draws)
        low, high = spread.interval(test.estimate)
    per_unit = points_per_unit(sample)
    ends = (to_points(low, sample), to_points(high, sample))
    return Effect(sample, test, spread, to_points(test.estimate, sample), per_unit * spread.se, *ends)


# An effect with its error, interval and p-value, as tables name them.
FIGURES = ("estimate_pp", "se_pp", "ci_low_pp", "ci_high_pp", "p_value")


def by_interval(sample: Sample) -> dict[str, float]:
    """Return estimate_pp, se_pp, ci_low_pp, ci_high_pp and p_value of a sample without any shuffle.

    The p-value is that of the exact permutation of one treated unit, and of the t interval of several. An end that is
    infinite is NaN, and where the units do not vary all but the estimate is.
    """
    effect, _ = attempt(fit, sample, draws=0)
    if effect is None:
        return dict(zip(FIGURES, (to_points(sample.difference, sample), *[np.nan] * 4), strict=True))
    several = len(sample.treated) > 1
    p = effect.spread.p_value(effect.test.estimate) if several else effect.test.p_value
    ends = (end if np.isfinite(end) else np.nan for end in (effect.ci_low_pp, effect.ci_high_pp))
    return dict(zip(FIGURES, (effect.estimate_pp, effect.se_pp, *ends, p), strict=True))


def _deal(sample: Sample, draws: int) -> Permutation:
    """Deal the labels among all units, with their starts where these differ; see `nested.dealt` for what is nested."""
    if sample.nested is not None:
        return dealt(sample, draws)
    sizes = np.concatenate([sample.sizes_treated, sample.sizes_comparison])
    own = sample.by_start
    if own is None:
        return shuffled(sample.change_treated, sample.change_comparison, sample.spec.seed, sizes, draws)
    post, pre = sample.columns(sample.contrast.post), sample.columns(sample.contrast.pre)
    changes = own.y[:, :, post].mean(axis=2) - own.y[:, :, pre].mean(axis=2)
    return shuffled_starts(changes, own.started, sample.spec.seed, sizes, draws)


def row_of(
    sample: Sample,
    code: str,
    district: str,
    estimator: str,
    interval: tuple[float | None, float | None, float | None, float | None],
    role: Role = "sensitivity",
    **more: Any,
) -> Estimate:
    """Return one row of `estimates.csv` about a sample.

    Parameters
    ----------
    sample, code, district
        Whose estimate it is; `district` is the name of the treated one, or of all together.
    estimator, role
        As in `core.estimate.Estimate`.
    interval
        Estimate, standard error and the ends of the 95% interval in percentage points. An infinite end is left empty.
    more
        Further fields, or others than the sample's own: p_value, p_method, pre, post, n_treated, ...
    """
    spec, (estimate, se, *ends) = sample.spec, interval
    low, high = map(finite, ends)
    fields: dict[str, Any] = {
        "track": "public",
        "district_code": code,
        "district": district,
        "outcome": spec.outcome,
        "comparison": comparison_label(spec.comparison),
        "n_treated": len(sample.treated),
        "n_comparison": len(sample.comparison),
        "edition": spec.edition,
        "pre": years_label(sample.contrast.pre),
        "post": years_label(sample.contrast.post),
        "estimator": estimator,
        "role": role,
        "estimate_pp": estimate,
        "se_pp": se,
        "ci_low_pp": low,
        "ci_high_pp": high,
    }
    return Estimate(**(fields | more))


def finite(value: float | None) -> float | None:
    """Return a number as it is, and None for an infinite end of an interval or none at all."""
    return None if value is None or not np.isfinite(value) else value


def row(effect: Effect, code: str, district: str, role: Role) -> Estimate:
    """Return the effect as a row of `estimates.csv`."""
    sample, test = effect.sample, effect.test
    pooled = len(sample.treated) > 1
    return row_of(
        sample,
        code,
        district,
        own_estimator(sample),
        (effect.estimate_pp, effect.se_pp, effect.ci_low_pp, effect.ci_high_pp),
        role,
        p_value=test.p_value,
        p_method=method_of(sample) if pooled else "permutation",
        p_floor=test.floor,
        seed=sample.spec.seed if pooled else None,
    )


def own_estimator(sample: Sample) -> str:
    """Return the study's own estimator as `estimates.csv` names it, on the sample's scale."""
    return "did" if sample.spec.scale == "points" else "did_logodds"


def placements(effect: Effect, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the effect under every placement of the label (one treated district) or under every shuffle.

    Returns
    -------
    DataFrame
        placebo_pp, in percentage points on either scale; for one treated district also district_code, district (by
        `names`) and is_treated.
    """
    sample, test = effect.sample, effect.test
    placebos = [to_points(value, sample) for value in test.placebos.tolist()]
    if len(sample.treated) > 1:
        return pd.DataFrame({"placebo_pp": placebos})
    codes = (*sample.treated, *sample.comparison)
    own = {"is_treated": [True] + [False] * len(sample.comparison)}
    columns = {"district": [names[code] for code in codes], "placebo_pp": [effect.estimate_pp, *placebos]}
    return pd.DataFrame({"district_code": codes, **columns, **own})


def _every_spec(data: StudyData, spec: Spec, clock: Clock, panel: GetPanel) -> Iterator[Spec]:
    comparisons: list[Comparison] = [*data.state.groups]
    if spec.comparison not in comparisons:
        comparisons.append(spec.comparison)
    outcomes = list(data.state.outcomes)
    contrasts = clock.contrasts()
    yield spec
    for outcome, edition in product(outcomes, data.state.editions):
        years = _years(panel, outcome, edition, clock)
        for comparison, contrast in product(comparisons, contrasts):
            other = replace(spec, outcome=outcome, edition=edition, comparison=comparison, contrast=contrast)
            if other != spec and years.issuperset(contrasts[contrast].years):
                yield other


def _years(panel: GetPanel, outcome: str, edition: str, clock: Clock) -> frozenset[str]:
    """Return the years of an outcome that an edition was published with; none where it was not."""
    published, _ = attempt(panel, outcome, edition)
    return frozenset(clock.usable(published.years)) if published else frozenset()


def every_effect(data: StudyData, spec: Spec, treated: Sequence[str]) -> tuple[dict[Spec, Effect], tuple[str, ...]]:
    """Return the effect of every spec that can be asked, the spec's own among them, and why others cannot.

    Raises
    ------
    BadInput
        If the spec itself cannot be asked.
    """
    effects: dict[Spec, Effect] = {}
    reasons: dict[str, None] = {}
    # the spec's own sample first: it refuses what cannot be asked before any panel is made
    build_sample(data, spec, treated)
    panel: GetPanel = cache(partial(build_panel, data))
    for other in _every_spec(data, spec, clock_of(data.state, data.starts, treated), panel):
        try:
            effects[other] = fit(sample_from_panel(panel(other.outcome, other.edition), data, other, treated))
        except BadInput as reason:
            if other == spec:
                raise
            reasons[str(reason)] = None
    return effects, tuple(reasons)


def _role(effect: Effect, spec: Spec, headline: Spec) -> Role:
    role = effect.sample.contrast.role
    if spec == headline:
        return "placebo" if role == "placebo" else "main"
    return "placebo" if role == "placebo" else "sensitivity"


def main_row(effects: dict[Spec, Effect], spec: Spec, code: str, name: str) -> Estimate:
    """Return the row of the spec itself."""
    return row(effects[spec], code, name, _role(effects[spec], spec, spec))


def contrast_rows(
    effects: dict[Spec, Effect], spec: Spec, code: str, name: str, study: EventStudy
) -> tuple[Estimate, ...]:
    """Return a row for every effect, and one for every year of the event study."""
    rows = [row(effect, code, name, _role(effect, other, spec)) for other, effect in effects.items()]
    return (*rows, *_event_rows(study, code, name))


def _event_rows(study: EventStudy, code: str, name: str) -> Iterator[Estimate]:
    for year in records(study.table[~study.table["is_reference"]]):
        yield Estimate(
            track="public",
            district_code=code,
            district=name,
            outcome=study.outcome,
            comparison=study.comparison,
            n_treated=study.n_treated,
            n_comparison=study.n_comparison,
            edition=study.edition,
            pre=study.reference,
            post=year["year"],
            event_time=year["event_time"],
            estimator="event_study",
            role="placebo" if year["event_time"] < 0 else "sensitivity",
            estimate_pp=year["estimate_pp"],
            se_pp=year["se_pp"],
            ci_low_pp=year["low_pp"],
            ci_high_pp=year["high_pp"],
        )


def editions(effects: dict[Spec, Effect], spec: Spec) -> pd.DataFrame:
    """Return the spec's effect on each edition of the state's file that has its years."""
    rows = []
    for edition in dict.fromkeys(other.edition for other in effects):
        effect = effects.get(replace(spec, edition=edition))
        if effect is not None:
            figures = (effect.estimate_pp, effect.se_pp, effect.ci_low_pp, effect.ci_high_pp, effect.test.p_value)
            rows.append((edition, *figures))
    return pd.DataFrame(rows, columns=["edition", *FIGURES])
