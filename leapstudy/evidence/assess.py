"""Everything that the evidence room says about one district, or about all together, in one frozen record."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.core.names import ALL_DISTRICTS, Comparison, Weights
from leapstudy.data import Facts, StudyData, leap_districts
from leapstudy.did.answer import DistrictAnswer, PooledAnswer
from leapstudy.did.comparison import comparison_codes, comparison_label, treated_codes
from leapstudy.did.design import Spec, build_sample
from leapstudy.evidence.baseline import COX, BaselineRow, baseline_equivalence
from leapstudy.evidence.cost import CostBlock, Range, cost_block
from leapstudy.evidence.essa import EssaFacts, EssaGrade, essa_grade
from leapstudy.evidence.power import PowerBlock, detectable_grid, power_block
from leapstudy.evidence.program import Program, program
from leapstudy.evidence.wwc import Category, confounding_reason

STATEMENT = (
    "A self-assessment against the thresholds of WWC 5.0, made by this study; only the clearinghouse itself rates."
)
NO_EFFECT_SIZE = (
    "A Hedges' g and an improvement index of the effect are not possible because the state publishes no spread of "
    "attendance between students."
)
ATTENDANCE_UNKNOWN = "Attendance itself cannot be held against the threshold: no spread between students is published."
NOT_ADJUSTED = (
    "Difference-in-differences subtracts earlier attendance, but the estimate is not adjusted for chronic absence."
)
Eligibility = Literal["eligible", "eligible if adjusted", "not eligible"]
NO_CLUSTER_CORRECTION = (
    "No cluster correction is needed: districts are both what was chosen for LEAP and what is analyzed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WwcBlock:
    """The self-assessment against WWC 5.0.

    `eligibility` is for "meets WWC standards with reservations", the best that a study without lots can reach, and
    `why` says what it rests on. `category` is the baseline category of the comparison group used.
    """

    statement: str
    eligibility: Eligibility
    why: str
    confounding: str
    category: Category | None
    baseline: tuple[BaselineRow, ...]
    not_possible: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Could we have seen it, what grade does it carry, what did it cost: the blocks of `result.json`.

    `reach` is what it would have taken to see the published effects, see `power.detectable_grid`.
    """

    district_code: str
    district: str
    power: PowerBlock
    reach: pd.DataFrame
    wwc: WwcBlock
    essa: EssaGrade
    cost: CostBlock


def assess(data: StudyData, facts: Facts, answer: DistrictAnswer | PooledAnswer) -> Evidence:
    """Grade an answer of the public track; one district by the p-value of the test that holds its size."""
    seen, main = answer.detectable, answer.main
    if isinstance(answer, DistrictAnswer):
        main = replace(main, p_value=answer.headline.p_value)
    return assess_row(
        data,
        program(data, facts),
        main,
        treated=_treated(data, answer.main),
        spec=answer.spec,
        mde_pp=seen.mde_t_pp,
        se_pp=seen.se_pp,
        df=seen.df,
        placebo_p=placebo_p(answer.estimates, answer.main),
    )


def _treated(data: StudyData, main: Estimate) -> tuple[str, ...]:
    if main.district_code != ALL_DISTRICTS:
        return (main.district_code,)
    return tuple(item.code for item in leap_districts(data.districts))


def placebo_p(estimates: Iterable[Estimate], main: Estimate) -> float | None:
    """Return the p-value of the placebo contrast made the same way as `main`, or None where there is none."""
    same = ("outcome", "comparison", "edition", "estimator")
    for row in estimates:
        if row.role == "placebo" and all(getattr(row, name) == getattr(main, name) for name in same):
            return row.p_value
    return None


def assess_row(
    data: StudyData,
    figures: Program,
    main: Estimate,
    *,
    treated: Sequence[str],
    spec: Spec,
    mde_pp: float,
    se_pp: float,
    df: float,
    placebo_p: float | None,
) -> Evidence:
    """Grade one estimate.

    Parameters
    ----------
    data, figures
        The study's tables and the program's published figures.
    main
        The estimate, with its interval.
    treated, spec
        What it was made from.
    mde_pp, se_pp, df
        Its smallest detectable effect, standard error and degrees of freedom.
    placebo_p
        P-value of the contrast before LEAP.
    """
    kept = treated_codes(data, spec.comparison, treated)
    wwc = wwc_block(data, kept, spec.comparison, spec.weights, spec.edition)
    enrolled = [figures.enrollment[code] for code in kept]
    published = figures.published_for(main.district_code)
    power = power_block(
        served=figures.served,
        enrolled=figures.enrolled,
        published=published,
        mde_pp=mde_pp,
        se_pp=se_pp,
        df=df,
        enrollment=sum(enrolled) / len(enrolled),
    )
    return Evidence(
        district_code=main.district_code,
        district=main.district,
        power=power,
        reach=_reach(data, spec, kept, published, figures.coverage),
        wwc=wwc,
        essa=_essa(data, main, kept, spec.comparison, wwc.category, placebo_p),
        cost=_cost(figures, main, kept, published),
    )


def _reach(
    data: StudyData, spec: Spec, treated: Sequence[str], published: Sequence[tuple[str, float]], coverage: float
) -> pd.DataFrame:
    """Return the grid of power from the comparison districts' own changes, in points, and their median enrollment."""
    sample = build_sample(data, replace(spec, scale="points"), treated)
    spread = float(np.std(sample.change_comparison, ddof=1))
    typical = float(np.nanmedian(sample.students_comparison))
    return detectable_grid(spread, typical, [effect for _, effect in published], coverage)


def wwc_block(
    data: StudyData,
    treated: Sequence[str],
    comparison: Comparison,
    weights: Weights = "equal",
    edition: str = "2022-23",
) -> WwcBlock:
    """Hold a design against WWC 5.0: confounding, and likeness to every named comparison group and the one used."""
    groups: list[Comparison] = [comparison, *(name for name in data.state.groups if name != comparison)]
    rows: list[BaselineRow] = []
    missing = [NO_EFFECT_SIZE, NO_CLUSTER_CORRECTION]
    for group in groups:
        try:
            rows += baseline_equivalence(data, treated, group, weights, edition)
        except BadInput as error:
            if group == comparison:
                raise
            missing.append(f"Baseline equivalence with {comparison_label(group)} is not possible: {error}")
    category = next(row.category for row in rows if row.yardstick == COX)
    confounding = confounding_reason(len(treated))
    eligibility, why = _eligibility(category, confounding)
    return WwcBlock(
        statement=STATEMENT,
        eligibility=eligibility,
        why=why,
        confounding=confounding,
        category=category,
        baseline=tuple(rows),
        not_possible=tuple(missing),
    )


def _eligibility(category: Category | None, confounding: str) -> tuple[Eligibility, str]:
    if confounding:
        return "not eligible", confounding
    if category is None:
        return "not eligible", "The Cox index of chronic absence 2019-20 does not exist: a group's share is 0 or 100 %."
    found = f"By chronic absence 2019-20 the baseline category is '{category}'. {ATTENDANCE_UNKNOWN}"
    if category == "not satisfied":
        return "not eligible", found
    if category == "satisfied":
        return "eligible", found
    return "eligible if adjusted", f"{found} {NOT_ADJUSTED}"


def _essa(
    data: StudyData,
    main: Estimate,
    treated: Sequence[str],
    comparison: Comparison,
    category: Category | None,
    placebo: float | None,
) -> EssaGrade:
    codes = [*treated, *comparison_codes(data, comparison)]
    students = data.districts.set_index("district_code")["students_2019_20"].reindex(codes)
    return essa_grade(
        EssaFacts(
            estimate_pp=main.estimate_pp,
            p_value=main.p_value,
            baseline=category,
            adjusted=False,  # earlier attendance is subtracted, chronic absence is not adjusted for
            n_students=int(students.sum()),
            n_groups=main.n_treated + main.n_comparison,
            n_treated_sites=len(treated),
            placebo_p=placebo,
            rationale=True,  # research on home visits exists, and the state has LEAP evaluated
        )
    )


def _cost(
    figures: Program, main: Estimate, treated: Sequence[str], published: Sequence[tuple[str, float]]
) -> CostBlock:
    dollars, served = figures.money_and_visits(treated)
    low, high = (float("nan") if end is None else end for end in (main.ci_low_pp, main.ci_high_pp))
    effect = Range(main.estimate_pp, low, high)
    return cost_block(dollars, served, figures.coverage, effect, published, figures.ingredients)
