"""Effect sizes, baseline categories and attrition of the What Works Clearinghouse (WWC), and the evidence tier of ESSA.

Formulas: What Works Clearinghouse Procedures and Standards Handbook, Version 5.0 (2022). What is printed from them is a
self-assessment against the handbook's thresholds, never a WWC rating: only the clearinghouse rates.

How much attrition a randomized rollout may have before its estimate counts as biased serves a state that draws lots for
who is visited first. The boundary is the published table, not a formula: Standards Handbook, Version 4.0 (2017), table
II.1, "highest differential attrition rate for a sample to maintain low attrition". It was not compared with the printed
table of version 5.0; check there before a submission. The table comes from a model of attrition bias of at most 0.05
standard deviations (Deke and Chiang 2017), which the tests hold it against.

ESSA, the Every Student Succeeds Act: each condition ticked or "not met because ...". Law: 20 U.S.C. 7801(21)(A).
Reading of "large" and "multi-site": U.S. Department of Education, Non-Regulatory Guidance: Using Evidence to Strengthen
Education Investments (350 students, or 50 groups of at least 10; more than one site). Where the law's words leave room
("statistical controls for selection bias"), the reason says how the study reads them.
"""

import math
from dataclasses import dataclass
from typing import Literal

from leapstudy.core.errors import BadInput
from leapstudy.core.phrases import number, points, probability
from leapstudy.evidence.verdict import Verdict, can_reject, rejects

COX_SCALE = 1.65
SATISFIED = 0.05
WITH_ADJUSTMENT = 0.25

Category = Literal["satisfied", "satisfied with adjustment", "not satisfied"]


def pooled_sd(sd_treated: float, sd_comparison: float, n_treated: int, n_comparison: int) -> float:
    """Return the pooled within-group standard deviation.

    A group of one has no spread of its own: its variance counts with weight zero and its `sd` is not read.
    """
    own = 0.0 if n_treated == 1 else (n_treated - 1) * sd_treated**2
    other = 0.0 if n_comparison == 1 else (n_comparison - 1) * sd_comparison**2
    freedom = n_treated + n_comparison - 2
    if freedom < 1:
        raise BadInput(f"A pooled standard deviation needs three units; {n_treated} and {n_comparison} were given.")
    return math.sqrt((own + other) / freedom)


def cox_index(share_treated: float, share_comparison: float) -> float | None:
    """Return the Cox index of a yes-or-no outcome: the difference in log-odds over 1.65.

    Parameters
    ----------
    share_treated, share_comparison
        Shares from 0 to 1 (not percent).

    Returns
    -------
    float or None
        None where a share is 0 or 1: its log-odds do not exist.

    Raises
    ------
    BadInput
        For a share outside 0 to 1, the usual sign of a percent.
    """
    for share in (share_treated, share_comparison):
        if not 0 <= share <= 1:
            raise BadInput(f"The Cox index takes shares from 0 to 1, not {share!r}. Divide a percent by 100.")
        if share in (0, 1):
            return None
    return (_logit(share_treated) - _logit(share_comparison)) / COX_SCALE


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def baseline_category(effect_size: float) -> Category:
    """Return what the handbook asks for at this baseline difference; both edges are inclusive."""
    size = abs(effect_size)
    # a difference that is the edge itself up to rounding belongs to the better side
    if size <= SATISFIED or math.isclose(size, SATISFIED):
        return "satisfied"
    if size <= WITH_ADJUSTMENT or math.isclose(size, WITH_ADJUSTMENT):
        return "satisfied with adjustment"
    return "not satisfied"


def confounding_reason(n_treated_units: int) -> str:
    """Return why the handbook's confounding rule fails the design, or an empty text where it does not.

    Where one side of the comparison is a single unit, the program and all else that is peculiar to that unit cannot
    be told apart.
    """
    if n_treated_units > 1:
        return ""
    return (
        "Only one unit is treated, so the program and everything else that is special about that unit cannot "
        "be told apart: a confounding factor under WWC 5.0, whatever the p-value. Only the pooled estimate is eligible."
    )


# Percentage points of differential attrition, for overall attrition of 0, 1, ... 57 percent; the cautious boundary, for
# programs that may themselves move who leaves (a family that refuses visits).
_CAUTIOUS = """
5.7 5.8 5.9 5.9 6.0 6.1 6.2 6.3 6.3 6.3 6.3 6.2 6.2 6.1 6.0 5.9 5.9 5.8 5.7 5.5 5.4 5.3 5.2 5.1 4.9 4.8 4.7 4.5 4.4
4.3 4.1 4.0 3.8 3.6 3.5 3.3 3.2 3.1 2.9 2.8 2.6 2.5 2.3 2.1 2.0 1.8 1.6 1.5 1.3 1.2 1.0 0.9 0.7 0.6 0.4 0.3 0.2 0.0
"""
HIGHEST_DIFFERENTIAL = tuple(float(value) for value in _CAUTIOUS.split())
HIGHEST_OVERALL = len(HIGHEST_DIFFERENTIAL) - 1


@dataclass(frozen=True, slots=True)
class Attrition:
    """Overall and differential attrition in percent, the boundary's limit at that overall rate, and the verdict."""

    overall_pct: float
    differential_pct: float
    limit_pct: float
    low: bool


def attrition(
    randomized_treated: int, analyzed_treated: int, randomized_comparison: int, analyzed_comparison: int
) -> Attrition:
    """Compare the attrition of a randomized rollout with the published boundary.

    Parameters
    ----------
    randomized_treated, randomized_comparison
        Students (or districts) that were assigned to each side.
    analyzed_treated, analyzed_comparison
        Those of them who are in the analysis.

    Notes
    -----
    Between two whole percents of overall attrition the stricter of the two limits holds.

    Raises
    ------
    BadInput
        For counts that cannot be, and for overall attrition beyond the table (57 percent).
    """
    pairs = ((randomized_treated, analyzed_treated), (randomized_comparison, analyzed_comparison))
    if any(not 0 <= analyzed <= assigned or assigned < 1 for assigned, analyzed in pairs):
        raise BadInput(f"Analyzed students must be 0 to the number assigned on each side; got {pairs!r}.")
    assigned, analyzed = randomized_treated + randomized_comparison, analyzed_treated + analyzed_comparison
    lost = assigned - analyzed
    below, above = 100 * lost // assigned, -(-100 * lost // assigned)
    if above > HIGHEST_OVERALL:
        raise BadInput(
            f"Overall attrition of {100 * lost / assigned:.1f} percent is beyond the table kept here "
            f"({HIGHEST_OVERALL} percent). Read the handbook's own table."
        )
    differential = 100 * abs(analyzed_treated / randomized_treated - analyzed_comparison / randomized_comparison)
    limit = min(HIGHEST_DIFFERENTIAL[below], HIGHEST_DIFFERENTIAL[above])
    return Attrition(100 * lost / assigned, differential, limit, differential <= limit)


LARGE_STUDENTS = 350
LARGE_GROUPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class EssaFacts:
    """What the tier depends on.

    `verdict` is the study's own, so that both say the same. `n_students` counts both sides, `n_groups` the schools or
    districts of at least ten students, `n_treated_sites` the treated districts. `adjusted` says whether baseline
    differences within the WWC's adjustment range are adjusted for, `rationale` the research that the program rests
    on, empty where none is named, `drawn` whether lots were drawn, `randomized` whether with low attrition. `unit` is
    what the effect is counted in.
    """

    verdict: Verdict
    baseline: Category | None
    adjusted: bool
    n_students: int
    n_groups: int
    n_treated_sites: int
    rationale: str
    randomized: bool = False
    drawn: bool = False
    unit: str = "points"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of one or more tiers; `reason` begins "met: " or "not met because "."""

    name: str
    tiers: tuple[int, ...]
    met: bool
    reason: str


@dataclass(frozen=True, slots=True)
class EssaGrade:
    """The strongest tier (1 to 4) whose conditions are all met, or None, and every condition."""

    tier: int | None
    label: str
    conditions: tuple[Condition, ...]


LABELS = {
    1: "tier 1, strong evidence",
    2: "tier 2, moderate evidence",
    3: "tier 3, promising evidence",
    4: "tier 4, demonstrates a rationale",
    None: "no tier",
}


def essa_grade(facts: EssaFacts) -> EssaGrade:
    """Return the tier that the facts carry: a self-assessment, not a finding of the Department of Education."""
    conditions = (
        _randomized(facts),
        _favorable(facts),
        _confounding(facts),
        _equivalent(facts),
        _large(facts),
        _multi_site(facts),
        _selection(facts),
        _rationale(facts),
    )
    tiers = [tier for tier in (1, 2, 3, 4) if all(item.met for item in conditions if tier in item.tiers)]
    tier = tiers[0] if tiers else None
    return EssaGrade(tier, LABELS[tier], conditions)


def _condition(name: str, tiers: tuple[int, ...], met: bool, yes: str, no: str) -> Condition:
    return Condition(name, tiers, met, f"met: {yes}" if met else f"not met because {no}")


def _randomized(facts: EssaFacts) -> Condition:
    return _condition(
        "a well-run experiment",
        (1,),
        facts.randomized,
        "visits were assigned by lot, with low attrition",
        "too many of those who were drawn are lost to follow-up"
        if facts.drawn
        else "this comparison does not rest on a draw by lot",
    )


def _favorable(facts: EssaFacts) -> Condition:
    verdict, name = facts.verdict, "a favorable effect at the 5% level"
    if not can_reject(verdict.p_floor):
        why = f"it cannot be tested: the smallest p-value possible is {number(verdict.p_floor or 0, 3)}"
        return _condition(name, (1, 2, 3), False, "", why)
    p = probability(verdict.p_value)
    result = f"the estimate is {points(verdict.estimate_pp)} {facts.unit} with {p} by the preferred test"
    if verdict.kind == "one_of_many":
        result += f", and {probability(verdict.p_adjusted)} once all that were looked at are counted"
    met = verdict.gain_pp > 0 and rejects(verdict.p_value) and verdict.kind != "one_of_many"
    return _condition(name, (1, 2, 3), met, result, result)


def _confounding(facts: EssaFacts) -> Condition:
    reason = confounding_reason(facts.n_treated_sites)
    yes = f"{facts.n_treated_sites} sites are treated"
    return _condition("no confounding factor", (1, 2), not reason, yes, reason[:1].lower() + reason[1:])


def _equivalent(facts: EssaFacts) -> Condition:
    within = facts.baseline == "satisfied with adjustment" and facts.adjusted
    met = facts.baseline == "satisfied" or within
    need = ", and the estimate is not adjusted for it" if facts.baseline == "satisfied with adjustment" else ""
    no = "it cannot be assessed" if facts.baseline is None else f"the baseline category is '{facts.baseline}'{need}"
    return _condition("alike before the program", (2,), met, f"the baseline category is '{facts.baseline}'", no)


def _large(facts: EssaFacts) -> Condition:
    size = f"the sample has {facts.n_students:,} students in {facts.n_groups} sites"
    met = facts.n_students >= LARGE_STUDENTS or facts.n_groups >= LARGE_GROUPS
    no = f"{size}, below {LARGE_STUDENTS} students or {LARGE_GROUPS} groups"
    return _condition("a large sample", (1, 2), met, size, no)


def _multi_site(facts: EssaFacts) -> Condition:
    met = facts.n_treated_sites > 1
    sites = f"{facts.n_treated_sites} treated {'sites' if met else 'site'}"
    return _condition("more than one site", (1, 2), met, sites, f"there is {sites}")


def _selection(facts: EssaFacts) -> Condition:
    how = "differences between units and between years are removed"
    yes = f"{how}, and no earlier contrast is rejected (which is not proof)"
    no = (
        "no earlier contrast could be tested"
        if facts.verdict.before == "untested"
        else "an earlier contrast is rejected"
    )
    return _condition("controls for selection", (2, 3), facts.verdict.before == "passed", yes, f"{how}, but {no}")


def _rationale(facts: EssaFacts) -> Condition:
    return _condition(
        "a rationale and a study under way",
        (4,),
        bool(facts.rationale),
        f"{facts.rationale} supports it, and its effects are being studied",
        "no research that it rests on is named (`program: research`)",
    )
