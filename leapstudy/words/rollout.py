"""What a design of a rollout says in words: who may be drawn, what would be found, what the money reaches."""

import math

from leapstudy.core.phrases import counted, number, percent
from leapstudy.study.rollout.scenarios import AVERAGE, Design, Scenario
from leapstudy.words.sentences import Finding

OUTCOMES = {"attendance": "attendance", "chronic_absence": "chronic absence"}
LARGEST = 100.0
"""Points; no effect on attendance is larger."""
MARK = "SIMULATED students. "


def outcome_words(name: str) -> str:
    """Return an outcome as people say it."""
    return OUTCOMES.get(name, name.replace("_", " "))


def scenario_words(item: Scenario) -> str:
    """Return a scenario in a few words: ``25% offered in 2 phases``."""
    return f"{percent(item.offered, 0)} offered {phase_words(item.phases)}"


def phase_words(phases: int) -> str:
    """Return how a rollout is spread over time."""
    return "at once" if phases == 1 else f"in {phases} phases"


def _mark(design: Design) -> str:
    return MARK if design.simulated else ""


def eligible(design: Design) -> Finding:
    """Return who may be drawn, and which past periods stand for the future."""
    return Finding(
        design.eligible.rstrip("."),
        f"{_mark(design)}The program was dealt by lot into periods in which there was none: {design.past}. Whatever "
        "such a deal finds is chance.",
    )


def money(design: Design) -> Finding:
    """Return what the budget reaches."""
    budget, reach = design.chosen.budget, design.reach
    if design.whom == AVERAGE:
        return Finding("The study's tables have no number of students, so that no budget can be set against them")
    offered = (
        f", offered to {reach.offered:,} because {percent(budget.met, 0)} of the families are met"
        if design.chosen.track == "students"
        else ""
    )
    return Finding(
        f"${budget.dollars:,.0f} reach {counted(reach.visited, 'student')}{offered}",
        f"${budget.per_visited_student:,.0f} a visited student.",
    )


def recommendation(design: Design) -> Finding:
    """Return which scenario to take, what it would find, and whether that is enough."""
    best, matters = design.best, design.chosen.budget.matters_pp
    size, dealt = best.detectable_visited, best.dealt
    enough = size <= matters
    title = (
        f"Offer visits to {percent(best.offered, 0)} of them by lot, {phase_words(best.phases)}: an effect of "
        f"{number(size, 1)} points on {design.whom} would be found"
        if enough
        else f"No scenario within the budget finds an effect of {number(matters, 1)} points on {design.whom}"
    )
    least = "none, however large" if size > LARGEST else f"{number(size, 1)} points"
    detail = (
        f"{_mark(design)}{'' if enough else f'The best, {scenario_words(best)}, finds {least}. '}"
        f"Outcome: {outcome_words(best.outcome)}; {dealt.n_offered:,} of {dealt.n_units:,} offered, the others wait. "
        f"{_found(dealt.detectable)} on the average of all offered. "
        f"The effect that would matter is {number(matters, 1)} points. {false_alarms(best)}"
    )
    return Finding(title, detail, size)


def _found(detectable: float) -> str:
    """Return what four in five lotteries find, where they find anything."""
    if not math.isfinite(detectable):
        return "No effect, however large, would be found"
    return f"Four in five such lotteries find {number(detectable, 1)} points"


def false_alarms(item: Scenario) -> str:
    """Return how often the planned test sees an effect where there is none."""
    planned, ordinary = item.dealt.false_positive, item.dealt.false_positive_t
    told = (
        f"Where there is no effect the planned test (randomization inference) sees one in {percent(planned)} by "
        f"construction. An ordinary 95% CI saw one in {percent(ordinary)} of "
        f"{len(item.dealt.estimates):,} such deals."
    )
    return told + (" Do not trust the latter with so few units." if ordinary > 0.08 else "")


def why_by_lot(design: Design) -> Finding:
    """Return what picking the worst off instead would show though nothing was done."""
    best = design.best
    size, better = number(abs(best.picked_pp), 1), best.picked_pp > 0
    why = (
        "Whoever is picked in a bad spell is better off afterwards without any visit"
        if better
        else "The worst off moved away from the others without any program"
    )
    return Finding(
        f"Picking the {percent(best.offered, 0)} worst off instead would show {outcome_words(best.outcome)} "
        f"{'better' if better else 'worse'} by {size} points though nothing was done",
        f"{_mark(design)}{why}: the same comparison, in the same past periods. A lottery shows 0 on average.",
    )


def refusals(design: Design) -> Finding | None:
    """Return which scenarios could not be tried; None where all could."""
    if not design.refused:
        return None
    return Finding(f"{counted(len(design.refused), 'scenario')} could not be tried", " ".join(design.refused))
