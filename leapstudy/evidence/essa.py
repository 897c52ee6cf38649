"""The evidence tier of the Every Student Succeeds Act (ESSA), each condition ticked or "not met because ...".

Law: 20 U.S.C. 7801(21)(A). Reading of "large" and "multi-site": U.S. Department of Education, Non-Regulatory Guidance:
Using Evidence to Strengthen Education Investments (350 students, or 50 groups of at least 10; more than one site).
Where the law's words leave room ("statistical controls for selection bias"), the reason says how the study reads them.
"""

from dataclasses import dataclass

from leapstudy.core.phrases import number, points, probability
from leapstudy.evidence.verdict import Verdict, can_reject, rejects
from leapstudy.evidence.wwc import Category, confounding_reason

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
