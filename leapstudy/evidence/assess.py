"""Everything that the evidence room says about one district, or about all together, in one frozen record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.estimate import Estimate
from leapstudy.core.names import ALL_DISTRICTS, Comparison
from leapstudy.core.phrases import capital
from leapstudy.core.table import records
from leapstudy.data import Facts, StudyData, treated_side
from leapstudy.data.names import outcome_unit, outcome_words
from leapstudy.data.state import CHRONIC, Outcome
from leapstudy.did.answer import Answer, DistrictAnswer, contrast_rows
from leapstudy.did.comparison import comparison_codes, comparison_label, treated_codes
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.nested import LOTTERY
from leapstudy.did.spread import Detectable
from leapstudy.evidence.comparison_finder import COX, BaselineRow, baseline_equivalence
from leapstudy.evidence.cost import CostBlock, Program, Range, cost_block, program
from leapstudy.evidence.power import PowerBlock, detectable_grid, power_block
from leapstudy.evidence.standards import (
    Attrition,
    Category,
    EssaFacts,
    EssaGrade,
    attrition,
    confounding_reason,
    essa_grade,
)
from leapstudy.evidence.verdict import Verdict, Window, decide, size_of

STATEMENT = (
    "A self-assessment against the thresholds of WWC 5.0, made by this study; only the clearinghouse itself rates."
)
NO_EFFECT_SIZE = (
    "A Hedges' g and an improvement index of the effect are not possible because the state publishes no spread of "
    "{} between students."
)
NOT_SIZED = "A Cox index and an improvement index of the effect on {} are not given: the effect is in points."
OUTCOME_UNKNOWN = "{} cannot be held against the threshold: no spread between students is published."
NOT_ADJUSTED = "Difference-in-differences subtracts earlier {}, but the estimate is not adjusted for chronic absence."
SUBTRACTED = "Difference-in-differences subtracts earlier {}; the estimate is not adjusted for it in another way."
NOT_GRADED = "not graded: the contrast that was asked lies before the program"
NOT_PRICED = {
    "placebo": (
        "Cost per extra day is not named: the contrast that was asked lies before the program, when nothing was paid."
    ),
    "failed_placebo": "Cost per extra day cannot be bounded: the comparison shows a difference where zero is expected.",
    "one_of_many": (
        "Cost per extra day is not named: the effect does not stand out once all that were looked at are counted."
    ),
    "cannot_test": "Cost per extra day cannot be bounded: no effect of any size could be told from none.",
}
PART_VISITED = (
    "How many of the students whom this outcome counts were visited is not published, nor what was spent on them."
)
Eligibility = Literal["eligible", "eligible if adjusted", "not eligible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WwcBlock:
    """The self-assessment against WWC 5.0.

    `eligibility` is for "meets WWC standards with reservations", the best that a study without lots can reach, and
    `why` says what it rests on. `category` is the baseline category of the comparison group used.
    """

    eligibility: Eligibility
    why: str
    category: Category | None
    baseline: tuple[BaselineRow, ...]
    not_possible: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Could we have seen it, what grade does it carry, what did it cost: the blocks of `result.json`.

    `reach` is what it would have taken to see the published effects, see `power.detectable_grid`. Where nothing is
    published of visits and money, `power` and `cost` are None and `reach` is empty. `attrition` is that of the lottery
    that this comparison rests on; None where it rests on none, or too many are lost for the published table.
    """

    district_code: str
    district: str
    verdict: Verdict
    power: PowerBlock | None
    reach: pd.DataFrame
    wwc: WwcBlock
    essa: EssaGrade
    cost: CostBlock | None
    attrition: Attrition | None


def assess(data: StudyData, facts: Facts, answer: Answer) -> Evidence:
    """Grade an answer of the public track, by the preferred test."""
    outcome = data.state.outcomes[answer.spec.outcome]
    one = [] if answer.main.district_code == ALL_DISTRICTS else [answer.main.district_code]
    return assess_row(
        data,
        program(data, facts) if outcome.in_days else None,  # what is published of effects and days is of attendance
        answer.main,
        treated=treated_side(data.districts, *one),
        spec=answer.spec,
        detectable=answer.detectable,
        verdict=verdict_of(answer, outcome),
    )


def verdict_of(answer: Answer, outcome: Outcome | None = None) -> Verdict:
    """Return the one verdict of an answer: from preferred test, placebo windows, earlier trends and multiplicity."""
    main = answer.main
    test = (main.ci_low_pp, main.ci_high_pp, main.p_value)
    floor, adjusted, looked_at = main.p_floor, None, 1
    if leading := answer.headline:
        test, floor = (leading.low_pp, leading.high_pp, leading.p_value), leading.p_floor
    among = answer.among if isinstance(answer, DistrictAnswer) else None
    if among is not None and main.district_code in set(among.districts["district_code"]):
        rows = among.districts.set_index("district_code")
        adjusted, looked_at = float(rows.loc[main.district_code, "p_bh"]), len(rows)
    return decide(
        main.estimate_pp,
        *test,
        p_floor=floor,
        windows=_windows(answer),
        pre_trend_p=answer.event_study.joint_p,
        pre_trend_fits=main.n_treated > 1,
        p_adjusted=adjusted,
        looked_at=looked_at,
        role=main.role,
        lower_is_better=outcome is not None and outcome.better == "down",
        size=size_of(outcome),
    )


def _windows(answer: Answer) -> list[Window]:
    """Return the placebo contrast of the outcome, and those of chronic absence in earlier years."""
    rows = contrast_rows(answer)
    own = rows[(rows["role"] == "placebo") & (rows["comparison"] == answer.main.comparison)]
    table = answer.sensitivity.in_time
    others = table[table["outcome"] != answer.main.outcome]
    windows = [_window(row, row["ci_low_pp"], row["ci_high_pp"], p_floor=row["p_floor"]) for row in records(own)]
    return windows + [_window(row, row["low_pp"], row["high_pp"], own=False) for row in records(others)]


def _window(row: Mapping[str, Any], low: float | None, high: float | None, **more: Any) -> Window:
    years = f"{row['pre'].replace('+', ' and ')} to {row['post']}"
    name, unit = f"{capital(outcome_words(row['outcome']))}, {years}", outcome_unit(row["outcome"])
    return Window(name, row["estimate_pp"], low, high, row["p_value"], unit=unit, **more)


def assess_row(
    data: StudyData,
    figures: Program | None,
    main: Estimate,
    *,
    treated: Sequence[str],
    spec: Spec,
    detectable: Detectable,
    verdict: Verdict,
) -> Evidence:
    """Grade one estimate."""
    treated_side = treated_codes(data, spec.comparison, treated)
    wwc, lost = wwc_block(data, treated_side, spec), _attrition(data, main, treated_side, spec.comparison)
    power, reach, cost = None, pd.DataFrame(), None
    if figures is not None:
        published = figures.published_for(main.district_code)
        unknown = PART_VISITED if data.state.outcomes[spec.outcome].of_part else ""
        power = power_block(figures.coverage, published, detectable, main.estimate_pp, verdict.high_pp)
        reach, cost = _reach(data, spec, treated_side), _cost(figures, verdict, treated_side, published, unknown)
    return Evidence(
        district_code=main.district_code,
        district=main.district,
        verdict=verdict,
        power=power,
        reach=reach,
        wwc=wwc,
        essa=_essa(data, main, treated_side, spec.comparison, wwc.category, verdict, lost),
        cost=cost,
        attrition=lost,
    )


def _attrition(data: StudyData, main: Estimate, treated: Sequence[str], comparison: Comparison) -> Attrition | None:
    """Return how many of the units that drew lots have no figure in a year of the contrast."""
    if main.p_method != LOTTERY:
        return None
    n_comparison = len(comparison_codes(data, comparison))
    return attempt(attrition, len(treated), main.n_treated, n_comparison, main.n_comparison)[0]


def _reach(data: StudyData, spec: Spec, treated: Sequence[str]) -> pd.DataFrame:
    """Return the grid of power from the comparison districts' own changes, in points, and their median enrollment."""
    sample = build_sample(data, replace(spec, scale="points"), treated)
    spread = float(np.std(sample.change_comparison, ddof=1))
    return detectable_grid(spread, float(np.nanmedian(sample.students_comparison)))


def wwc_block(data: StudyData, treated: Sequence[str], spec: Spec) -> WwcBlock:
    """Hold a design against WWC 5.0: confounding, and likeness to every named comparison group and the one used."""
    comparison, outcome = spec.comparison, data.state.outcomes[spec.outcome]
    groups: list[Comparison] = [comparison, *(name for name in data.state.groups if name != comparison)]
    rows: list[BaselineRow] = []
    missing = [
        (NOT_SIZED if spec.outcome == CHRONIC else NO_EFFECT_SIZE).format(outcome.words),
        f"No cluster correction is needed: {data.state.unit.noun['en'][1]} are both what was chosen for "
        f"{data.state.program.short} and what is analyzed.",
    ]
    for group in groups:
        try:
            rows += baseline_equivalence(data, treated, replace(spec, comparison=group))
        except BadInput as error:
            if group == comparison:
                raise
            missing.append(f"Baseline equivalence with {comparison_label(group)} is not possible: {error}")
    cox = next((row for row in rows if row.yardstick == COX), None)
    category = cox.category if cox else None
    confounding = confounding_reason(len(treated))
    eligibility, why = _eligibility(category, confounding, cox.year if cox else "", outcome)
    return WwcBlock(
        eligibility=eligibility, why=why, category=category, baseline=tuple(rows), not_possible=tuple(missing)
    )


def _eligibility(category: Category | None, confounding: str, year: str, outcome: Outcome) -> tuple[Eligibility, str]:
    if confounding:
        return "not eligible", confounding
    if not year:
        return "not eligible", "No chronic absence is published, so that the groups cannot be compared on it."
    if category is None:
        return "not eligible", f"The Cox index of chronic absence {year} does not exist: a group's share is 0 or 100%."
    is_chronic = bool(outcome.group or outcome.table)  # chronic absence, which has neither, is what was held just now
    itself = f"{capital(outcome.words)} itself" if outcome.in_days else f"The outcome itself, {outcome.words},"
    reason = f"By chronic absence {year} the baseline category is '{category}'."
    reason += f" {OUTCOME_UNKNOWN.format(itself)}" if is_chronic else ""
    if category == "not satisfied":
        return "not eligible", reason
    if category == "satisfied":
        return "eligible", reason
    return "eligible if adjusted", f"{reason} {(NOT_ADJUSTED if is_chronic else SUBTRACTED).format(outcome.words)}"


def _essa(
    data: StudyData,
    main: Estimate,
    treated: Sequence[str],
    comparison: Comparison,
    category: Category | None,
    verdict: Verdict,
    lost: Attrition | None,
) -> EssaGrade:
    if verdict.kind == "placebo":
        return EssaGrade(None, NOT_GRADED, ())
    codes = [*treated, *comparison_codes(data, comparison)]
    students = data.districts.set_index("district_code")[data.state.unit.students].reindex(codes)
    return essa_grade(
        EssaFacts(
            verdict=verdict,
            baseline=category,
            adjusted=False,  # earlier attendance is subtracted, chronic absence is not adjusted for
            n_students=int(students.sum()),
            n_groups=main.n_treated + main.n_comparison,
            n_treated_sites=len(treated),
            rationale=data.state.program.research,
            randomized=lost is not None and lost.low,
            drawn=main.p_method == LOTTERY,
            unit=outcome_unit(main.outcome),
        )
    )


def _cost(
    figures: Program, verdict: Verdict, treated: Sequence[str], published: Sequence[tuple[str, float]], unknown: str
) -> CostBlock | None:
    if not figures.has_grants(treated):  # a later start whose money nobody has published
        return None
    dollars, served = figures.money_and_visits(treated)
    low, high = (float("nan") if end is None else end for end in (verdict.low_pp, verdict.high_pp))
    effect = Range(verdict.estimate_pp, low, high)
    refusal = NOT_PRICED.get(verdict.kind, "")
    return cost_block(
        dollars, served, figures.coverage, effect, published, figures.ingredients, refusal=refusal, unknown=unknown
    )
