"""What a design of a rollout says in words: who may be drawn, what would be found, what the money reaches."""

import math
from typing import Any

from leapstudy.data.names import outcome_unit, study_names
from leapstudy.data.names import outcome_words as declared_words
from leapstudy.study.rollout.scenarios import AVERAGE, Design, Scenario
from leapstudy.words.sentences import Catalog, Finding

CATALOG = Catalog("rollout")
# Points; no effect on a share is larger.
LARGEST = 100.0


def outcome_words(name: str) -> str:
    """Return an outcome as people say it."""
    return declared_words(name) if study_names().other(name) else name.replace("_", " ")


def can_be(item: Scenario) -> bool:
    """Say whether an effect can be as large as the smallest that a scenario finds."""
    return possible(item.detectable_visited, item.outcome)


def possible(size: float, outcome: str) -> bool:
    """Say whether an effect on an outcome can be of a size; no share moves by more than all of it."""
    return math.isfinite(size) and (size <= LARGEST or outcome_unit(outcome) != "points")


def scenario_words(item: Scenario) -> str:
    """Return a scenario in a few words: ``25% offered in 2 phases``."""
    return CATALOG.say("scenario", item=item, phases=phase_words(item.phases))


def phase_words(phases: int) -> str:
    """Return how a rollout is spread over time."""
    return CATALOG.say("at_once") if phases == 1 else CATALOG.say("phases", n=phases)


def _mark(design: Design) -> str:
    return CATALOG.say("mark") if design.simulated else ""


def eligible(design: Design) -> Finding:
    """Return who may be drawn, and which past periods stand for the future."""
    return CATALOG.finding("eligible", who=design.eligible.rstrip("."), design=design, mark=_mark(design))


def money(design: Design) -> Finding:
    """Return what the budget reaches."""
    slots: dict[str, Any] = {"budget": design.chosen.budget, "reach": design.reach}
    if design.whom == AVERAGE:
        return CATALOG.finding("money_none")
    offered = CATALOG.say("money_offered", **slots) if design.chosen.track == "students" else ""
    budget = design.chosen.budget
    enough = budget.dollars >= budget.per_visited_student * (design.reach.visited + 1)
    does = CATALOG.say("money_enough" if enough else "money_reach")
    return CATALOG.finding("money", does=does, offered=offered, **slots)


def recommendation(design: Design) -> Finding:
    """Return which scenario to take, what it would find, and whether that is enough."""
    best = design.best
    matters = design.chosen.budget.matters(best.outcome)
    size, dealt = best.detectable_visited, best.dealt
    bounded = possible(dealt.detectable, best.outcome)
    slots: dict[str, Any] = {"design": design, "mark": _mark(design), "asked": best.outcome}
    slots["planned"] = CATALOG.say(
        "planned",
        outcome=outcome_words(best.outcome),
        asked=best.outcome,
        dealt=dealt,
        found=CATALOG.say("found", detectable=dealt.detectable, asked=best.outcome)
        if bounded
        else CATALOG.say("found_none"),
        matters=matters,
        alarms=false_alarms(best),
    )
    if size <= matters:
        return CATALOG.finding("recommendation", size, best=best, phases=phase_words(best.phases), **slots)
    return CATALOG.finding(
        "recommendation_none",
        size,
        matters=matters,
        scenario=scenario_words(best),
        least=CATALOG.say("least", size=size, asked=best.outcome)
        if can_be(best)
        else CATALOG.say("least_none", design=design),
        **slots,
    )


def false_alarms(item: Scenario) -> str:
    """Return how often the planned test sees an effect where there is none."""
    sentence = CATALOG.say("alarms", dealt=item.dealt, n=len(item.dealt.estimates))
    return sentence + (CATALOG.say("alarms_many") if item.dealt.false_positive_t > 0.08 else "")


def why_by_lot(design: Design) -> Finding:
    """Return what picking the worst off instead would show though nothing was done."""
    best = design.best
    better = best.picked_pp > 0
    return CATALOG.finding(
        "why_by_lot",
        best=best,
        outcome=outcome_words(best.outcome),
        how="better" if better else "worse",
        size=abs(best.picked_pp),
        mark=_mark(design),
        why=CATALOG.say("why_better" if better else "why_worse"),
    )


def refusals(design: Design) -> Finding | None:
    """Return which scenarios could not be tried; None where all could."""
    if not design.refused:
        return None
    return CATALOG.finding("refused", n=len(design.refused), told=" ".join(design.refused))


def unfrozen(why: str) -> str:
    """Return that these choices would not be frozen as a plan, and why; empty where they would."""
    return CATALOG.say("unfrozen", why=why) if why else ""


def starts_written(file: str, name: str, n: int, later: int) -> str:
    """Return what is to be written by hand once a draw's starts are in the file of starts."""
    wait = CATALOG.say("starts_later", n=later) if later else ""
    if not n:
        return wait
    nouns = study_names().state.unit.noun
    sentence = CATALOG.say("starts", file=file, name=name, n=n, several=nouns["en"][1], varias=nouns["es"][1])
    return f"{sentence}\n{wait}".strip()
