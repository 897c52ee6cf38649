"""Points of the student track's appendix whose answer has figures, from aggregates alone; what is hidden stays so."""

from typing import Any

import pandas as pd

from leapstudy.core.phrases import probability, probability_cell
from leapstudy.core.table import Table
from leapstudy.evidence.verdict import direction
from leapstudy.students.disclosure import MIN_COUNT, MIN_GROUP, in_time
from leapstudy.study.student_results import DESIGN_LABELS, RECOMMENDED
from leapstudy.words.appendix_source import ENDS, Answer, Source, ends, headed
from leapstudy.words.findings_sensitivity import breakdown_words

BANDS = {"low_sup_pp": "Low, all months", "high_sup_pp": "High, all months"}
NO_DESIGN = "recommended design"
DESIGNS = ["Design", "Estimate", "Low", "High", "p", "Months", "Compared with"]


def estimand(source: Source) -> Answer:
    """Say what is estimated, with its card."""
    reading = source.reading
    outcome = "attendance" if reading.outcome == "attendance_rate" else reading.outcome.replace("_", " ")
    if reading.draw is not None:
        return source.say("estimand_lottery", outcome=outcome), _card(source.at("answer", "lottery"), "The draw")
    if source.at("answer", "primary") is not None:
        return source.say("estimand_primary", outcome=outcome)
    return source.say("estimand"), _card(design_of(source), "The estimand card")


def _card(of: dict[str, Any], caption: str) -> Table:
    return Table(pd.DataFrame(of["card"], columns=["What", "Value"]), caption)


def comparison(source: Source) -> str:
    """Say with whom the design that all points but the first are of compares, whatever leads the pages."""
    own = design_of(source)["main"]
    return source.say("comparison", own=own) if own else source.absent(NO_DESIGN)


def trends(source: Source) -> str:
    """Say what that design assumes."""
    own = design_of(source)["main"]
    return source.say("trends", own=own) if own else source.absent(NO_DESIGN)


def unit(source: Source) -> str:
    """Say what a row is, and of which months."""
    return source.say("unit", period=source.at("period") or "period not kept")


def anticipation(source: Source) -> str:
    """Say from when on something may have changed."""
    return source.say("anticipation", months=int(dict(design_of(source)["card"]).get("Anticipation (months)", 0)))


def raw(source: Source) -> Answer:
    """Show mean attendance before any model."""
    rows = source.frame("answer", "raw_paths")
    if rows is None:
        return source.say("raw_none")
    wide = rows.pivot(index="month", columns="group", values="rate_pct")
    wide = wide[sorted(wide, key=in_time)].reset_index(names="Month")
    return source.say("raw"), Table(wide, "Mean attendance by month and season of the first visit, percent", 1)


def event_study(source: Source) -> Answer:
    """Show the effect by month."""
    heads = {"event_time": "Months since the visit", **ENDS, **BANDS}
    own = design_of(source)["main"]
    if not own:
        return source.absent(NO_DESIGN)
    rows = pd.DataFrame(design_of(source)["path"])
    return source.say("event_study", own=own), headed(rows, heads, "Effect by month since the first visit, points")


def baseline(source: Source) -> str:
    """Say how much students of the same kind attended where nobody was visited."""
    rows = source.frame("answer", "rebound")
    before = None if rows is None else rows[rows["event_time"] < 0]
    if before is None or before.empty:
        return source.say("baseline_none")
    # earlier months are of fewer students where the files begin late, so that a mean of months is of nobody
    return source.say("baseline", last=before.sort_values("event_time").iloc[-1])


def pre_trend(source: Source) -> str:
    """Say the joint test of earlier months and its power."""
    test = source.at("answer", "pre_trend")
    return source.say("pre_trend", test=test) if test else source.say("pre_trend_none")


def not_rejected(source: Source) -> str:
    """Say what that test allows one to say."""
    test = source.at("answer", "pre_trend")
    if not test:
        return source.say("not_rejected_none")
    return source.say("rejected" if test["p_value"] < 0.05 else "not_rejected")


def bounds(source: Source) -> Answer:
    """Say how far trends may depart, and how strong a reason that nobody recorded must be."""
    sets, strength = source.at("answer", "bounds"), source.at("unobserved")
    unobserved = source.say("unobserved", found=strength) if strength else ""
    if not sets:
        together = source.reading.code == "ALL"
        return source.say("bounds_refused" if together else "bounds_none", unobserved=unobserved)
    table = pd.DataFrame(sets["table"]).set_axis(["Departure, times the largest before", "Low", "High"], axis=1)
    breakdown = breakdown_words({**sets, "kind": "relative_magnitudes"})
    caption = "Robust intervals of the headline (Rambachan and Roth, relative magnitudes), points"
    return source.say("bounds", found=sets, broken=breakdown, unobserved=unobserved), Table(table, caption)


def inference(source: Source) -> str:
    """Say whose chance the errors are of."""
    draw, primary = source.reading.draw, source.at("answer", "primary")
    leads = source.say("inference_lottery") if draw else source.say("inference_primary") if primary else ""
    own = design_of(source)["main"]
    if not own:
        return f"{leads} {source.absent(NO_DESIGN)}".strip()
    p = "" if own["p_value"] is None else f"{probability(own['p_value'])}, "
    beside = source.say("inference_undrawn") if draw else source.say("inference_beside") if primary else "Errors"
    sentence = source.say("inference", errors=beside, p=p, ends=ends(own, "ci_low_pp", "ci_high_pp"))
    return f"{leads} {sentence}".strip()


def others(source: Source) -> Answer:
    """Show the designs side by side."""
    rows = [_row(item, item["main"]) for item in source.at("answer", "designs") if item["main"]]
    return source.say("others"), _designs(rows, "The designs side by side, points")


def covariates(source: Source) -> str:
    """Say the estimate without bands of absence beside that with them."""
    own, plain = design_of(source)["main"], design_of(source, "not_yet")["main"]
    return source.say("covariates", own=own, plain=plain) if plain else source.absent("design without strata")


def placebos(source: Source) -> Answer:
    """Show what each design finds where nobody was visited."""
    rows = [_row(item, item["placebo"]) for item in source.at("answer", "designs") if item["placebo"]]
    if control := source.at("answer", "control"):
        rows.append(("referred and not met", *_row(design_of(source), control)[1:]))
    if not rows:
        return source.say("placebos_none")
    return source.say("placebos"), _designs(rows, "What each design finds where nobody was visited, points")


def _designs(rows: list[tuple[Any, ...]], caption: str) -> Table:
    return Table(pd.DataFrame(rows, columns=DESIGNS), caption)


def _row(item: dict[str, Any], row: dict[str, Any]) -> tuple[Any, ...]:
    label, p = DESIGN_LABELS[item["name"]], probability_cell(row["p_value"])
    return label, row["estimate_pp"], row["ci_low_pp"], row["ci_high_pp"], p, row["post"], row["comparison"]


def rebound(source: Source) -> str:
    """Say how far attendance comes back by itself."""
    placebo = design_of(source, "before_after")["placebo"]
    if not placebo:
        return source.say("rebound_none")
    low, high = ends(placebo, "ci_low_pp", "ci_high_pp")
    way = direction(placebo["estimate_pp"], low, high)
    meaning = source.say("rebound_rise" if way == "rise" else "rebound_fall" if way == "fall" else "rebound_unclear")
    return source.say("rebound", found=placebo, ends=(low, high), meant=meaning)


def composition(source: Source) -> str:
    """Say which visited students the estimate covers, and which counts are hidden."""
    own = design_of(source)
    reasons = " ".join(own["refused"]) or source.say("composition_whole")
    return source.say("composition", own=own, refused=reasons, fewest=MIN_COUNT, fewest_in_group=MIN_GROUP)


def reach(source: Source) -> Answer:
    """Say which published effects could have been seen."""
    mde, published = source.reading.mde, source.frame("published")
    if mde is None:
        return source.absent("smallest detectable effect")
    if published is None or source.reading.draw:
        return source.say("reach_lottery" if source.reading.draw else "reach")
    heads = {"who": "Published effect on", "month": "Month", "effect_pp": "Points", "seen": "Large enough to be seen"}
    rows = published.assign(seen=published["effect_pp"].abs() >= mde)
    return source.say("reach"), headed(rows, heads, "Published effects beside what can be detected", 0)


def together(source: Source) -> str:
    """Say how districts stand together."""
    return source.say("together" if source.reading.code == "ALL" else "together_one")


def design_of(source: Source, name: str = RECOMMENDED) -> dict[str, Any]:
    """Return one design of the result, the recommended one by default."""
    return next(item for item in source.at("answer", "designs") if item["name"] == name)
