"""Every contrast, comparison group, edition and outcome that a question has, and their rows of `estimates.csv`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product

import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.core.names import Comparison, Role
from leapstudy.core.table import records
from leapstudy.data import StudyData
from leapstudy.did.contrasts import Clock, clock_of
from leapstudy.did.design import Panel, Spec, build_panel, build_sample, sample_from_panel
from leapstudy.did.effect import Effect, fit, row
from leapstudy.did.eventstudy import EventStudy

GetPanel = Callable[[str, str], Panel]


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
    try:
        return frozenset(clock.usable(panel(outcome, edition).years))
    except BadInput:
        return frozenset()


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
            rows.append(
                {
                    "edition": edition,
                    "estimate_pp": effect.estimate_pp,
                    "se_pp": effect.se_pp,
                    "ci_low_pp": effect.ci_low_pp,
                    "ci_high_pp": effect.ci_high_pp,
                    "p_value": effect.test.p_value,
                }
            )
    return pd.DataFrame(rows)
