"""The answers: every contrast, comparison group, edition and outcome for one district, and for all together."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from leapstudy.core.cache import of_last
from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.estimate import Estimate
from leapstudy.core.names import ALL_DISTRICTS
from leapstudy.core.phrases import counted
from leapstudy.data import StudyData, find_district, treated_side
from leapstudy.data.describe import TREATED, group_labels, raw_means, rows_of
from leapstudy.data.state import CHRONIC
from leapstudy.did.answer import DistrictAnswer, PooledAnswer
from leapstudy.did.comparison import comparison_label
from leapstudy.did.contrasts import clock_of, event_time
from leapstudy.did.design import Sample, Spec, build_sample, outcomes_over_years, sample_of_every_year
from leapstudy.did.effect import by_interval, contrast_rows, editions, every_effect, fit, main_row, placements, row
from leapstudy.did.eventstudy import EventStudy, event_study
from leapstudy.did.inference.compare import (
    detectable_of,
    each_by_itself,
    estimate_rows,
    headline,
    infer,
    lead,
    methods_table,
)
from leapstudy.did.lottery.visited import estimate_row, tried
from leapstudy.did.nested import furthest, without_unit
from leapstudy.did.pool import PooledDistricts, caterpillar_table, pool_districts
from leapstudy.did.pool import estimate_rows as pooled_rows
from leapstudy.did.rebound import YEARS, Rebound, rebound
from leapstudy.did.sensitivity.analyses import estimate_rows as sensitivity_rows
from leapstudy.did.sensitivity.analyses import examine
from leapstudy.did.shrinkage import FLAT, Prior
from leapstudy.did.spread import Detectable

# Units of a side that are left out one by one: of more, half of these that move the effect most either way.
MOST_LEFT_OUT = 200
# An effect on the average that would matter, unless the plan of record says otherwise.
THRESHOLD_PP = 0.5
NO_PRIOR = "No published effects were given to form the prior 'published' from; use the prior 'flat'."
NO_POOLING = "Partial pooling and adjusted p-values one by one are not made: {}"


def answer_district(data: StudyData, code: str, spec: Spec) -> DistrictAnswer:
    """Answer the question of `spec` for one treated district, with every row of `estimates.csv` that it has.

    Raises
    ------
    BadInput
        If the spec's own contrast cannot be formed for the district.
    """
    district = find_district(data.districts, code)
    sample, fields = _common(data, spec, district.code, district.name, [district.code])
    tests = infer(sample, synthetic=True)
    leading, why = headline(tests)
    among, reason = read_together(data, spec)
    fields = _with(fields, sample, estimate_rows(tests, sample, district.name), reason)
    return DistrictAnswer(
        **{**fields, "estimates": lead(fields["estimates"], fields["main"], leading)},
        raw_means=_raw_means(data, spec, district.code),
        inference=tests,
        methods=methods_table(tests),
        headline=leading,
        headline_why=why,
        among=among,
    )


@of_last
def read_together(data: StudyData, spec: Spec) -> tuple[PooledDistricts | None, tuple[str, ...]]:
    """Return all treated districts under one question with a flat prior, or why they cannot be read together."""
    codes = treated_side(data.districts)
    sample, refusal = attempt(build_sample, data, spec, codes)
    if sample is None:
        return None, (NO_POOLING.format(refusal),)
    pooled, reason = _pooled(sample, THRESHOLD_PP, FLAT)
    return pooled and replace(pooled, p_before=_least_before(data, spec, codes)), reason


def _least_before(data: StudyData, spec: Spec, codes: Sequence[str]) -> float | None:
    values = []
    for name in (name for name, rule in data.state.contrasts.items() if rule.role == "placebo"):
        with suppress(BadInput):  # the outcome may lack these years
            values.append(by_interval(build_sample(data, replace(spec, contrast=name), codes))["p_value"])
    return min(filter(math.isfinite, values), default=None)


def answer_all(
    data: StudyData,
    spec: Spec,
    threshold_pp: float = THRESHOLD_PP,
    published: Prior | None = None,
    *,
    robust: bool = True,
) -> PooledAnswer:
    """Answer the question of `spec` for all treated districts together; see `answer_district`.

    Parameters
    ----------
    data, spec
        The study's tables, and what is asked.
    threshold_pp
        The effect on the average that would matter.
    published
        What comparable programs say of the mean effect: the prior if the spec asks for it, else a second look beside
        the flat one.
    robust
        Whether robust bounds are made: they take longer than all the rest.

    Raises
    ------
    BadInput
        If the spec asks for the published prior and there is none.
    """
    codes = treated_side(data.districts)
    (sample, fields), names = _common(data, spec, ALL_DISTRICTS, all_name(data), codes, robust), unit_names(data)
    pooled, reason = _pooled(sample, threshold_pp, _leading(spec, published))
    beside = None if published is None or spec.prior == "published" else _pooled(sample, threshold_pp, published)[0]
    rows = [] if pooled is None else pooled_rows(pooled, sample, names)
    draw, why = tried(data, sample)
    rows += [] if draw is None else [estimate_row(draw, sample, ALL_DISTRICTS, all_name(data))]
    alone = infer(sample) if len(sample.treated) == 1 else None  # else its two pages would judge the one by two tests
    if alone is not None:
        tests = estimate_rows(alone, sample, all_name(data))
        rows += [replace(row, district_code=ALL_DISTRICTS) for row in tests]
    fields = _with(fields, sample, rows, (*reason, *why))
    if alone is not None:
        fields["estimates"] = lead(fields["estimates"], fields["main"], headline(alone)[0])
    return PooledAnswer(
        **fields,
        by_district=_by_district(sample, names),
        raw_means=_raw_means(data, spec, None),
        pooling=pooled,
        caterpillar=pd.DataFrame() if pooled is None else caterpillar_table(pooled, names),
        informed=None if beside is None else beside.shrinkage,
        drawn=draw,
        headline=None if alone is None else headline(alone)[0],
    )


def _leading(spec: Spec, published: Prior | None) -> Prior:
    if spec.prior == "flat":
        return FLAT
    if published is None:
        raise BadInput(NO_PRIOR)
    return published


def _pooled(sample: Sample, threshold_pp: float, prior: Prior) -> tuple[PooledDistricts | None, tuple[str, ...]]:
    pooled, reason = attempt(pool_districts, sample, threshold_pp, prior)
    return pooled, (NO_POOLING.format(reason),) if reason else ()


def _common(
    data: StudyData, spec: Spec, code: str, district: str, treated: Sequence[str], robust: bool = True
) -> tuple[Sample, dict[str, Any]]:
    """Return the sample that was asked for, and the fields that both answers have."""
    effects, reasons = every_effect(data, spec, treated)
    main, names = effects[spec], unit_names(data)
    points = replace(spec, scale="points")
    study = every_year(data, points, treated)[1]
    has_chronic = CHRONIC in outcomes_over_years(data, spec)
    chronic = every_year(data, replace(points, outcome=CHRONIC), treated)[1] if has_chronic else None
    rebound_line, without = _rebound(data, spec, treated, names)
    return main.sample, {
        "code": code,
        "district": district,
        "spec": spec,
        "main": main_row(effects, spec, code, district),
        "estimates": contrast_rows(effects, spec, code, district, study),
        "detectable": detectable_of(main),
        "comparison_districts": _listing(data, main.sample),
        "permutation": placements(main, names),
        "editions": editions(effects, spec),
        "leave_one_out": _leave_one_out(main.sample, names),
        "event_study": study,
        "chronic": chronic,
        "rebound": rebound_line,
        "not_possible": (*_left_out(data, main.sample, names), *reasons, *without),
        "sensitivity": examine(data, spec, treated, study, chronic, robust=robust),
    }


def _left_out(data: StudyData, sample: Sample, names: dict[str, str]) -> tuple[str, ...]:
    """Name the units with the program that are not in the sample, in one sentence; nothing where all are."""
    out = [names[code] for code in sample.left_out if code in data.starts]
    if not out:
        return ()
    program, (one, many) = data.state.program.short, data.state.unit.noun["en"]
    figures = f"without a figure of one of these years, or where {program} had ended"
    return (f"Left out {figures}: {counted(len(out), f'{program} {one}', f'{program} {many}')} ({', '.join(out)}).",)


def _with(fields: dict[str, Any], sample: Sample, rows: Sequence[Estimate], reasons: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields with further rows, those of the sensitivity analyses last, and further reasons."""
    adjusted = sensitivity_rows(fields["sensitivity"], sample, fields["code"], fields["district"])
    estimates = (*fields["estimates"], *rows, *adjusted)
    return {**fields, "estimates": estimates, "not_possible": (*fields["not_possible"], *reasons)}


def all_name(data: StudyData) -> str:
    """Return how all treated units together are called."""
    return f"All {data.state.program.short} {data.state.unit.noun['en'][1]}"


def unit_names(data: StudyData) -> dict[str, str]:
    """Return code -> name of every district."""
    return dict(zip(data.districts["district_code"], data.districts["district"], strict=True))


def _listing(data: StudyData, sample: Sample) -> pd.DataFrame:
    rows = data.districts[data.districts["district_code"].isin(sample.comparison)]
    unit = data.state.unit
    columns = list(dict.fromkeys(["district_code", "district", unit.students, *unit.listed]))
    return rows[columns].rename(columns={unit.students: "students"}).reset_index(drop=True)


def _raw_means(data: StudyData, spec: Spec, code: str | None) -> pd.DataFrame:
    means = raw_means(data, spec.edition, spec.outcome)
    parts = [_own(rows_of(data, spec.edition, spec.outcome, whole=True), "state", data.state.state.name)]
    if code is not None:
        rows = rows_of(data, spec.edition, spec.outcome)
        parts.insert(0, _own(rows[rows["district_code"] == code], "district", unit_names(data)[code]))
    order = [*(["district"] if code else []), *group_labels(data.state), "state"]
    measures = (
        data.attendance[data.attendance["edition"] == spec.edition].drop_duplicates("year").set_index("year")["measure"]
    )
    rows = pd.concat([means, *parts], ignore_index=True)
    rows = rows.assign(
        measure=rows["year"].map(measures), order=rows["group"].map({name: place for place, name in enumerate(order)})
    )
    return rows.sort_values(["order", "year"]).drop(columns="order").reset_index(drop=True)


def _own(rows: pd.DataFrame, name: str, label: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"group": name, "label": label, "year": rows["year"], "rate_pct": 100 * rows["rate"], "n_districts": 1}
    )


def _leave_one_out(sample: Sample, names: dict[str, str]) -> pd.DataFrame:
    rows = []
    for side in ("treated", "comparison"):
        codes = getattr(sample, side)
        for place in furthest(sample, side, MOST_LEFT_OUT // 2) if len(codes) > 1 else ():
            figures = by_interval(without_unit(sample, side, place))
            rows.append({"side": side, "district_code": codes[place], "district": names[codes[place]], **figures})
    return pd.DataFrame(rows, columns=["side", "district_code", "district", "estimate_pp", "ci_low_pp", "ci_high_pp"])


def every_year(data: StudyData, spec: Spec, treated: Sequence[str]) -> tuple[Sample, EventStudy]:
    """Return the complete sample over all years of the spec's outcome, and its event study.

    A year of which no treated unit has a figure is left out, and the last year before the start stands for a declared
    reference that is.
    """
    sample = sample_of_every_year(data, spec, treated)
    clock = clock_of(data.state, data.starts, sample.treated)
    before = [year for year in sample.years if event_time(year, sample.start) < 0]
    reference = clock.label(data.state.outcomes[spec.outcome].reference)
    return sample, event_study(sample, reference if reference in sample.years or not before else before[-1])


def _rebound(
    data: StudyData, spec: Spec, treated: Sequence[str], names: dict[str, str]
) -> tuple[Rebound | None, tuple[str, ...]]:
    try:
        years = list(map(clock_of(data.state, data.starts, treated).label, YEARS))
        return rebound(build_sample(data, replace(spec, scale="points"), treated, years), names), ()
    except BadInput as reason:
        return None, (str(reason),)


def _by_district(sample: Sample, names: dict[str, str]) -> pd.DataFrame:
    rows = each_by_itself(sample)
    rows.insert(1, "district", rows["district_code"].map(names))
    return rows.sort_values("estimate_pp", ascending=False).reset_index(drop=True)


@dataclass(frozen=True, slots=True)
class OneContrast:
    """The asked contrast alone; fields as in `DistrictAnswer`, all in percentage points.

    Attributes
    ----------
    raw_means : DataFrame
        group ('district' or 'treated', and the comparison group or 'custom'), label, year, rate_pct, n_districts: the
        two sides that are compared, with the weights of the spec, over the districts that have every year.
    """

    spec: Spec
    main: Estimate
    detectable: Detectable
    raw_means: pd.DataFrame
    permutation: pd.DataFrame
    event_study: EventStudy


def one_contrast(data: StudyData, treated: Sequence[str], spec: Spec) -> OneContrast:
    """Answer one question for one treated district, or for several together.

    Raises
    ------
    BadInput
        If the contrast cannot be formed.
    """
    names = unit_names(data)
    effect = fit(build_sample(data, spec, treated))
    one = len(treated) == 1
    code, name = (treated[0], names[treated[0]]) if one else (ALL_DISTRICTS, all_name(data))
    sample, study = every_year(data, replace(spec, scale="points"), treated)
    return OneContrast(
        spec,
        row(effect, code, name, "placebo" if effect.sample.contrast.role == "placebo" else "main"),
        detectable_of(effect),
        two_sides(sample, name if one else group_labels(data.state)[TREATED]),
        placements(effect, names),
        study,
    )


def two_sides(sample: Sample, name: str) -> pd.DataFrame:
    """Return the mean of either side by year, percent, with the sample's weights; `name` is the treated side's."""
    group = comparison_label(sample.spec.comparison)
    sides = (
        (
            "district" if len(sample.treated) == 1 else TREATED,
            name,
            sample.weights_treated @ sample.y_treated,
            len(sample.treated),
        ),
        (
            group if isinstance(sample.spec.comparison, str) else "custom",
            group,
            sample.weights_comparison @ sample.y_comparison,
            len(sample.comparison),
        ),
    )
    parts = [
        pd.DataFrame({"group": key, "label": label, "year": sample.years, "rate_pct": rates, "n_districts": n})
        for key, label, rates, n in sides
    ]
    return pd.concat(parts, ignore_index=True)
