"""The answers: every contrast, comparison group, edition and outcome for one district, and for all together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from typing import get_args

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.core.frames import records
from leapstudy.core.names import (
    ALL_DISTRICTS,
    Comparison,
    ComparisonName,
    ContrastName,
    Edition,
    Outcome,
    Role,
)
from leapstudy.data import StudyData, find_district, leap_districts
from leapstudy.data.describe import GROUP_LABELS, raw_means
from leapstudy.did.answer import DistrictAnswer, EventStudy, PooledAnswer, Rebound
from leapstudy.did.contrasts import CONTRASTS
from leapstudy.did.design import GROUPS, Sample, Spec, build_panel, build_sample, sample_from_panel
from leapstudy.did.effect import Effect, fit, placements, row, to_points
from leapstudy.did.eventstudy import event_study
from leapstudy.did.rebound import YEARS, rebound
from leapstudy.did.two_by_two import difference_in_means, regression

ALL_NAME = "All LEAP districts"
ATTENDANCE_YEARS = ("2019-20", "2020-21", "2021-22", "2022-23")
CHRONIC_YEARS = tuple(f"{year}-{(year + 1) % 100:02d}" for year in range(2011, 2020))
ATTENDANCE_REFERENCE, CHRONIC_REFERENCE = "2020-21", "2018-19"


def answer_district(data: StudyData, code: str, spec: Spec) -> DistrictAnswer:
    """Answer the question of `spec` for one treated district, with every row of `estimates.csv` that it has.

    Raises
    ------
    BadInput
        If the spec's own contrast cannot be formed for the district.
    """
    district = find_district(data.districts, code)
    effects, not_possible = _every_effect(data, spec, [district.code])
    main = effects[spec]
    names = _names(data)
    studies = _event_studies(data, spec, [district.code])
    return DistrictAnswer(
        code=district.code, district=district.name, spec=spec, main=_main(effects, spec, district.code, district.name),
        estimates=_rows(effects, spec, district.code, district.name, studies[0]), detectable=main.detectable, regression_pp=regression(main.sample),
        comparison_districts=_listing(data, main.sample), raw_means=_raw_means(data, spec, district.code), permutation=placements(main, names),
        editions=_editions(effects, spec), leave_one_out=_leave_one_out(main.sample, names), event_study=studies[0], chronic=studies[1],
        rebound=_rebound(data, spec, [district.code], names), not_possible=not_possible,
    )  # fmt: skip


def answer_all(data: StudyData, spec: Spec) -> PooledAnswer:
    """Answer the question of `spec` for all treated districts together; see `answer_district`."""
    codes = [item.code for item in leap_districts(data.districts)]
    effects, not_possible = _every_effect(data, spec, codes)
    main = effects[spec]
    names = _names(data)
    studies = _event_studies(data, spec, codes)
    return PooledAnswer(
        code=ALL_DISTRICTS, district=ALL_NAME, spec=spec, main=_main(effects, spec, ALL_DISTRICTS, ALL_NAME),
        estimates=_rows(effects, spec, ALL_DISTRICTS, ALL_NAME, studies[0]), detectable=main.detectable, regression_pp=regression(main.sample),
        by_district=_by_district(data, spec, main.sample.treated, names), comparison_districts=_listing(data, main.sample),
        raw_means=_raw_means(data, spec, None), permutation=placements(main, names), editions=_editions(effects, spec),
        leave_one_out=_leave_one_out(main.sample, names), event_study=studies[0], chronic=studies[1],
        rebound=_rebound(data, spec, codes, names), not_possible=not_possible,
    )  # fmt: skip


def _names(data: StudyData) -> dict[str, str]:
    return dict(zip(data.districts["district_code"], data.districts["district"], strict=True))


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
    """Say whether an edition was published with the years; the older one has all pupils only and ends with 2021-22."""
    return edition == "2022-23" or (outcome == "attendance_rate" and "2022-23" not in CONTRASTS[contrast].years)


def _every_effect(data: StudyData, spec: Spec, treated: Sequence[str]) -> tuple[dict[Spec, Effect], tuple[str, ...]]:
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


def _main(effects: dict[Spec, Effect], spec: Spec, code: str, name: str) -> Estimate:
    return row(effects[spec], code, name, _role(spec, spec))


def _rows(effects: dict[Spec, Effect], spec: Spec, code: str, name: str, study: EventStudy) -> tuple[Estimate, ...]:
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


def _editions(effects: dict[Spec, Effect], spec: Spec) -> pd.DataFrame:
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


def _listing(data: StudyData, sample: Sample) -> pd.DataFrame:
    rows = data.districts[data.districts["district_code"].isin(sample.comparison)]
    return (
        rows[["district_code", "district", "students_2019_20", "drg"]]
        .rename(columns={"students_2019_20": "students"})
        .reset_index(drop=True)
    )


def _raw_means(data: StudyData, spec: Spec, code: str | None) -> pd.DataFrame:
    group = GROUPS[spec.outcome]
    means = raw_means(data, spec.edition, group)
    parts = [_own(data.state_attendance, spec.edition, group, "state", "Connecticut")]
    if code is not None:
        own = data.attendance[data.attendance["district_code"] == code]
        parts.insert(0, _own(own, spec.edition, group, "district", _names(data)[code]))
    order = [*(["district"] if code else []), *GROUP_LABELS, "state"]
    measures = (
        data.attendance[data.attendance["edition"] == spec.edition].drop_duplicates("year").set_index("year")["measure"]
    )
    rows = pd.concat([means, *parts], ignore_index=True)
    rows = rows.assign(
        measure=rows["year"].map(measures), order=rows["group"].map({name: place for place, name in enumerate(order)})
    )
    return rows.sort_values(["order", "year"]).drop(columns="order").reset_index(drop=True)


def _own(rows: pd.DataFrame, edition: str, group: str, name: str, label: str) -> pd.DataFrame:
    kept = rows[(rows["edition"] == edition) & (rows["group"] == group)]
    return pd.DataFrame(
        {"group": name, "label": label, "year": kept["year"], "rate_pct": 100 * kept["rate"], "n_districts": 1}
    )


def _without(sample: Sample, side: str, place: int) -> Sample:
    keep = np.arange(len(getattr(sample, side))) != place
    codes = tuple(code for code, kept in zip(getattr(sample, side), keep, strict=True) if kept)
    changed = {
        side: codes,
        f"y_{side}": getattr(sample, f"y_{side}")[keep],
        f"pupils_{side}": getattr(sample, f"pupils_{side}")[keep],
    }
    return replace(sample, **changed)


def _leave_one_out(sample: Sample, names: dict[str, str]) -> pd.DataFrame:

    rows = []
    for side in ("treated", "comparison"):
        codes = getattr(sample, side)
        for place, code in enumerate(codes if len(codes) > 1 else ()):
            rest = _without(sample, side, place)
            rows.append(
                {
                    "side": side,
                    "district_code": code,
                    "district": names[code],
                    "estimate_pp": to_points(difference_in_means(rest), rest),
                }
            )
    return pd.DataFrame(rows)


def _event_studies(data: StudyData, spec: Spec, treated: Sequence[str]) -> tuple[EventStudy, EventStudy]:
    points = replace(spec, scale="points")
    years = ATTENDANCE_YEARS if spec.edition == "2022-23" else ATTENDANCE_YEARS[:3]
    attendance = event_study(build_sample(data, points, treated, years), ATTENDANCE_REFERENCE)
    chronic = replace(points, outcome="chronic_absence")
    return attendance, event_study(build_sample(data, chronic, treated, CHRONIC_YEARS), CHRONIC_REFERENCE)


def _rebound(data: StudyData, spec: Spec, treated: Sequence[str], names: dict[str, str]) -> Rebound:
    return rebound(build_sample(data, replace(spec, scale="points"), treated, YEARS), names)


def _by_district(data: StudyData, spec: Spec, treated: Sequence[str], names: dict[str, str]) -> pd.DataFrame:
    rows = []
    for code in treated:
        effect = fit(build_sample(data, spec, [code]))
        rows.append(
            {
                "district_code": code, "district": names[code], "estimate_pp": effect.estimate_pp, "se_pp": effect.se_pp, "ci_low_pp": effect.ci_low_pp,
                "ci_high_pp": effect.ci_high_pp, "p_value": effect.test.p_value, "p_floor": effect.test.floor, "mde_pp": effect.detectable.mde_t_pp,
            }
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values("estimate_pp", ascending=False).reset_index(drop=True)
