"""Every contrast, comparison group, edition and outcome that a question has, and their rows of `estimates.csv`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from typing import get_args

import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.core.frames import records
from leapstudy.core.names import Comparison, ComparisonName, ContrastName, Edition, Outcome, Role
from leapstudy.data import StudyData
from leapstudy.did.contrasts import CONTRASTS
from leapstudy.did.design import GROUPS, Spec, build_panel, build_sample, sample_from_panel
from leapstudy.did.effect import Effect, fit, row
from leapstudy.did.records import EventStudy


def _every_spec(spec: Spec) -> Iterator[Spec]:
    comparisons: list[Comparison] = [*get_args(ComparisonName)]
    if spec.comparison not in comparisons:
        comparisons.append(spec.comparison)
    yield spec
    for outcome, edition, comparison, contrast in product(GROUPS, get_args(Edition), comparisons, CONTRASTS):
        other = replace(spec, outcome=outcome, edition=edition, comparison=comparison, contrast=contrast)
        if other != spec and _has_years(outcome, edition, contrast):
            yield other


def _has_years(outcome: Outcome, edition: Edition, contrast: ContrastName) -> bool:
    """Say whether an edition was published with the years; the older one has all students only and ends with 2021-22."""
    return edition == "2022-23" or (outcome == "attendance_rate" and "2022-23" not in CONTRASTS[contrast].years)


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
    panel = cache(partial(build_panel, data))
    for other in _every_spec(spec):
        try:
            effects[other] = fit(sample_from_panel(panel(other.outcome, other.edition), data.districts, other, treated))
        except BadInput as reason:
            if other == spec:
                raise
            reasons[str(reason)] = None
    return effects, tuple(reasons)


def _role(spec: Spec, asked: Spec) -> Role:
    declared = CONTRASTS[spec.contrast].role
    if spec == asked:
        return "placebo" if declared == "placebo" else "main"
    return "placebo" if declared == "placebo" else "sensitivity"


def main_row(effects: dict[Spec, Effect], spec: Spec, code: str, name: str) -> Estimate:
    """Return the row of the spec itself."""
    return row(effects[spec], code, name, _role(spec, spec))


def contrast_rows(
    effects: dict[Spec, Effect], spec: Spec, code: str, name: str, study: EventStudy
) -> tuple[Estimate, ...]:
    """Return a row for every effect, and one for every year of the event study."""
    rows = [row(effect, code, name, _role(other, spec)) for other, effect in effects.items()]
    return (*rows, *_event_rows(study, code, name))


def _event_rows(study: EventStudy, code: str, name: str) -> Iterator[Estimate]:
    for year in records(study.table[~study.table["is_reference"]]):
        yield Estimate(
            track="public", district_code=code, district=name, outcome=study.outcome, comparison=study.comparison, n_treated=study.n_treated,
            n_comparison=study.n_comparison, edition=study.edition, pre=study.reference, post=year["year"], event_time=year["event_time"],
            estimator="event_study", role="placebo" if year["event_time"] < 0 else "sensitivity", estimate_pp=year["estimate_pp"], se_pp=year["se_pp"],
            ci_low_pp=year["low_pp"], ci_high_pp=year["high_pp"],
        )  # fmt: skip


def editions(effects: dict[Spec, Effect], spec: Spec) -> pd.DataFrame:
    """Return the spec's effect on each edition of the state's file that has its years."""
    rows = []
    for edition in get_args(Edition):
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
