"""What a notebook prints under pictures of sensitivity, and what robust bounds come to: a sentence each, by rule."""

from collections.abc import Mapping
from typing import Any

from leapstudy.core.phrases import capital
from leapstudy.core.table import records
from leapstudy.data.names import outcome_unit, study_names
from leapstudy.did.answer import Answer, DistrictAnswer, PooledAnswer, estimator_rows
from leapstudy.did.shrinkage import FLAT
from leapstudy.study.choice import Choice
from leapstudy.study.public import Study
from leapstudy.study.result import jsonable
from leapstudy.words.findings import CATALOG


def bound_words(robust_bounds: Mapping[str, Any]) -> str:
    """Say what one event study's robust bounds come to; `robust_bounds` is a `Bounds` as `result.json` holds it."""
    parallel, zero = robust_bounds["kind"] == "parallel", robust_bounds["breakdown"] == 0
    place = 0 if parallel else robust_bounds["table"]["m"].index(largest_bound(robust_bounds))
    breakdown = CATALOG.say("bounds_zero" if zero else "bounds_unknown") if parallel else breakdown_words(robust_bounds)
    return CATALOG.by(
        "bounds",
        robust_bounds["kind"],
        what=CATALOG.say("bounds_what_placebo" if robust_bounds["is_placebo"] else "bounds_what", found=robust_bounds),
        found=robust_bounds,
        each=CATALOG.say("bounds_each", found=robust_bounds) if robust_bounds.get("steps", 1) > 1 else "",
        ends=(robust_bounds["table"]["low_pp"][place], robust_bounds["table"]["high_pp"][place]),
        broken=breakdown,
        before=CATALOG.say("bounds_one_before")
        if robust_bounds["n_pre"] == 1
        else CATALOG.say("bounds_before", found=robust_bounds),
    )


def breakdown_words(robust_bounds: Mapping[str, Any]) -> str:
    """Say at which departure a robust interval includes zero, measured by the largest one before."""
    if robust_bounds["breakdown"] == 0:
        return CATALOG.say("breakdown_zero")
    if robust_bounds["breakdown"] is None:
        return CATALOG.say("breakdown_none", times=robust_bounds["table"]["m"][-1] / largest_bound(robust_bounds))
    return CATALOG.say("breakdown", times=robust_bounds["breakdown"] / largest_bound(robust_bounds))


def largest_bound(robust_bounds: Mapping[str, Any]) -> float:
    """Return the size of departure, in the unit of `m`, that equals the largest one seen before."""
    return float(robust_bounds["largest_before"]) if robust_bounds["kind"] == "smoothness" else 1.0


def tests(answer: DistrictAnswer) -> str:
    """Say what the test that holds its size finds, and how far the others agree."""
    leading, p = answer.headline, answer.methods["p_value"].dropna()
    ends = [None if end is None or abs(end) == float("inf") else end for end in (leading.low_pp, leading.high_pp)]
    slots = {"leading": leading, "why": answer.headline_why, "n": len(answer.methods)}
    return CATALOG.say("tests", ends=ends, low=p.min(), high=p.max(), **slots)


def pooled(answer: PooledAnswer) -> str:
    """Say what all districts tell of each other, and how many survive a look at all of them."""
    if answer.pooling is None:
        return next(text for text in answer.not_possible if text.startswith("Partial pooling"))
    model, rows = answer.pooling.shrinkage, answer.pooling.districts
    above = rows["p_above_threshold"]
    return CATALOG.say(
        "pooled",
        lead="The" if model.prior == FLAT else f"With {CATALOG.say('prior', prior=model.prior)} the",
        model=model,
        asked=answer.main.outcome,
        gained="rose by" if study_names().falls(answer.main.outcome) else "gained",
        ends=(model.mu_low_pp, model.mu_high_pp),
        sure=int(((rows["shrunken_low_pp"] > 0) | (rows["shrunken_high_pp"] < 0)).sum()),
        n=len(rows),
        bh=rows["p_bh"].min(),
        rw=rows["p_rw"].min(),
        least=above.min(),
        most=above.max(),
        informed=_informed(answer),
    )


def _informed(answer: PooledAnswer) -> str:
    if answer.informed is None or answer.pooling is None:
        return ""
    model, flat = answer.informed, answer.pooling.shrinkage
    # the prior outweighs the figures where its standard deviation is below theirs, a quarter of the interval
    outweighs = model.prior.sd_pp < (flat.mu_high_pp - flat.mu_low_pp) / 4
    return CATALOG.say(
        "informed",
        prior=CATALOG.say("prior", prior=model.prior),
        model=model,
        ends=(model.mu_low_pp, model.mu_high_pp),
        outweighs=CATALOG.say("informed_outweighs") if outweighs else "",
    )


def curve(answer: Answer) -> str:
    """Say how many specifications lie on each side of zero, and how many of them had a fair start."""
    count, values = answer.sensitivity.summary, answer.sensitivity.curve["estimate_pp"]
    return CATALOG.say(
        "curve",
        count=count,
        share=count["above"] / count["n"],
        median=values.median(),
        asked=answer.main.outcome,
        ends=(values.min(), values.max()),
        fair=CATALOG.say("curve_fair", count=count) if count["fair"] else CATALOG.say("curve_unfair"),
    )


def in_time(answer: Answer) -> str:
    """Say how often the same computation finds an effect where none can be, and the largest in the outcome's unit."""
    table, unit = answer.sensitivity.in_time, outcome_unit(answer.main.outcome)
    away = int(((table["low_pp"] > 0) | (table["high_pp"] < 0)).sum())
    alike = table.loc[table["outcome"].map(outcome_unit) == unit, "estimate_pp"]
    slots: dict[str, Any] = {"n": len(table), "expected": 0.05 * len(table), "asked": answer.main.outcome}
    slots |= {"away": away, "largest": float(alike[alike.abs().idxmax()])}
    return CATALOG.say("in_time" if len(alike) == len(table) else "in_time_mixed", **slots)


def estimators(answer: Answer) -> str:
    """Say what the other estimators give, each with its interval, and where a prediction goes beyond what was seen."""
    rows = records(estimator_rows(answer))
    lines = [CATALOG.say("estimators_one", row=row, ends=(row["ci_low_pp"], row["ci_high_pp"])) for row in rows]
    others = (answer.sensitivity.covariates, answer.sensitivity.recovery)
    beyond = " ".join(item.note for item in others if item is not None and item.note)
    return CATALOG.say("estimators", told=capital("; ".join(lines)), beyond=beyond).strip()


def bounds(study: Study) -> str:
    """Say how far trends may depart before the answer changes, and what few years before can carry."""
    own, years = study.answer.sensitivity, study.years
    reasons = [text for text in own.not_possible if text.startswith("Robust bounds")]
    bounds_of = own.bounds
    if years is not None:
        bounds_of, reasons = (*bounds_of, *years.bounds), [*reasons, *years.bounds_refused]
    # where the outcome over many years leads the page, both have the same bounds
    return " ".join(dict.fromkeys([*(bound_words(jsonable(item)) for item in bounds_of), *reasons]))


def grade_conditions(study: Study) -> str:
    """Say which conditions of the evidence tiers are met, and why the others are not."""
    conditions = study.evidence.essa.conditions
    if not conditions:
        return CATALOG.say("conditions_none")
    missing = "; ".join(
        f"{item.name}: {item.reason.removeprefix('not met because ').rstrip('.')}"
        for item in conditions
        if not item.met
    )
    met = ", ".join(item.name for item in conditions if item.met)
    return CATALOG.say("conditions", met=met or "none", missing=missing or "none")


def plan(study: Study) -> str:
    """Say how this run stands to the plan of record, and how many of its rows were not planned."""
    check, count = study.plan, study.standings.groupby("standing")["rows"].sum()
    departures = "; ".join(CATALOG.say("plan_deviation", item=item) for item in check.deviations)
    names = ("as planned", "planned sensitivity", "exploratory")
    parts = ", ".join(f"{int(count.get(name, 0))} {name}" for name in names)
    slots = {"sha256": check.plan_sha256[:12], "told": departures or "none", "n": int(count.sum()), "parts": parts}
    additions = (CATALOG.say("plan_addition", item=item) for item in check.additions)
    return "".join([CATALOG.say("plan", check=check, **slots), *additions])


def choice(record: Choice) -> str:
    """Say which comparison group was chosen, when, and how like the treated districts it was."""
    others = ", ".join(CATALOG.say("choice_one", item=item) for item in record.sets)
    slots = {"sha256": record.sha256[:12], "n": len(record.sets), "others": others}
    return CATALOG.say("choice", chosen=record.chosen_set, record=record, **slots)
