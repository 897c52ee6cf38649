"""The evidence tier of the Every Student Succeeds Act (ESSA), each condition ticked or "not met because ...".

Law: 20 U.S.C. 7801(21)(A). Reading of "large" and "multi-site": U.S. Department of Education, Non-Regulatory Guidance:
Using Evidence to Strengthen Education Investments (350 students, or 50 groups of at least 10; more than one site). Where
the law's words leave room ("statistical controls for selection bias"), the reason says how the study reads them.
"""

from dataclasses import dataclass

from leapstudy.evidence.wwc import Category, confounding_reason

LARGE_STUDENTS = 350
LARGE_GROUPS = 50
ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class EssaFacts:
    """What the tier depends on.

    `p_value` is two-sided and comes from the test that fits the design. `n_students` counts both sides, `n_groups` the
    schools or districts of at least ten students, `n_treated_sites` the treated districts. `placebo_p` is the p-value
    of the contrast before LEAP (None if there is none), `adjusted` says whether baseline differences within the WWC's
    adjustment range are adjusted for, `rationale` whether a logic model stands on research and its effects are being
    studied, `randomized` whether lots were drawn with low attrition.
    """

    estimate_pp: float
    p_value: float | None
    baseline: Category | None
    adjusted: bool
    n_students: int
    n_groups: int
    n_treated_sites: int
    placebo_p: float | None
    rationale: bool
    randomized: bool = False


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
        "nobody drew lots: districts were picked for their absence",
    )


def _favorable(facts: EssaFacts) -> Condition:
    found = f"the estimate is {facts.estimate_pp:+.2f} points with p = " + (
        "unknown" if facts.p_value is None else f"{facts.p_value:.3f}"
    )
    met = facts.estimate_pp > 0 and facts.p_value is not None and facts.p_value < ALPHA
    return _condition("a favorable effect at the 5 % level", (1, 2, 3), met, found, found)


def _confounding(facts: EssaFacts) -> Condition:
    reason = confounding_reason(facts.n_treated_sites)
    yes = f"{facts.n_treated_sites} districts are treated"
    return _condition("no confounding factor", (1, 2), not reason, yes, reason[:1].lower() + reason[1:])


def _equivalent(facts: EssaFacts) -> Condition:
    within = facts.baseline == "satisfied with adjustment" and facts.adjusted
    met = facts.baseline == "satisfied" or within
    need = ", and the estimate is not adjusted for it" if facts.baseline == "satisfied with adjustment" else ""
    no = "it cannot be assessed" if facts.baseline is None else f"the baseline category is '{facts.baseline}'{need}"
    return _condition("alike before the program", (2,), met, f"the baseline category is '{facts.baseline}'", no)


def _large(facts: EssaFacts) -> Condition:
    size = f"the sample has {facts.n_students:,} students in {facts.n_groups} districts"
    met = facts.n_students >= LARGE_STUDENTS or facts.n_groups >= LARGE_GROUPS
    no = f"{size}, below {LARGE_STUDENTS} students or {LARGE_GROUPS} groups"
    return _condition("a large sample", (1, 2), met, size, no)


def _multi_site(facts: EssaFacts) -> Condition:
    met = facts.n_treated_sites > 1
    sites = f"{facts.n_treated_sites} treated {'districts' if met else 'district'}"
    return _condition("more than one site", (1, 2), met, sites, f"there is {sites}")


def _selection(facts: EssaFacts) -> Condition:
    how = "differences between districts and between years are removed"
    if facts.placebo_p is None:
        return _condition(
            "controls for selection", (2, 3), False, "", f"{how}, but no earlier contrast could be tested"
        )
    met = facts.placebo_p >= ALPHA
    test = f"the placebo contrast before LEAP has p = {facts.placebo_p:.3f}"
    yes = f"{how}, and {test} (not rejected, which is not proof)"
    return _condition("controls for selection", (2, 3), met, yes, f"{how}, but {test}: the groups drifted apart before")


def _rationale(facts: EssaFacts) -> Condition:
    return _condition(
        "a rationale and a study under way",
        (4,),
        facts.rationale,
        "research on home visits supports it, and its effects are being studied",
        "no logic model resting on research, with a study under way, was declared",
    )
