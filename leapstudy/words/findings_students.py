"""What the exhibits of the student track show, by rule: title and sentence; SIMULATED stands first where it is so.

The sentences are those of `catalog/students.yml`.
"""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from leapstudy.core.estimate import SCHOOL_DAYS, Estimate
from leapstudy.core.phrases import between, capital, number, points
from leapstudy.did.permutation import ALPHA
from leapstudy.evidence.verdict import SMALL_PP, UNCLAIMED, Verdict, direction, rejects
from leapstudy.students.disclosure import MIN_GROUP, in_time, season
from leapstudy.students.referral_rule import NO_REFERRAL, WORDS
from leapstudy.study.result import jsonable
from leapstudy.study.student_designs import NEVER_VISITED
from leapstudy.study.student_results import DESIGN_LABELS, DesignAnswer, LotteryAnswer, PrimaryAnswer
from leapstudy.study.students import StudentStudy
from leapstudy.words.findings_sensitivity import breakdown_words
from leapstudy.words.sentences import LINE, Catalog, Finding

SIMULATED = "SIMULATED"
CATALOG = Catalog("students")


def say(study: StudentStudy, text: Finding | str) -> None:
    """Print a finding in lines that fit a page; made from SIMULATED students it begins by saying so."""
    print(textwrap.fill(f"{SIMULATED}: {text}" if study.simulated else str(text), LINE))


def answer(study: StudentStudy) -> str:
    """Say the effect with its interval, its placebo and what the textbook design would have said, in one breath."""
    if study.answer.lottery is not None:
        return lottery(study)
    if study.answer.primary is not None:
        return _primary(study, study.answer.primary)
    design, textbook, verdict = study.answer.design(), study.answer.design("never"), study.verdict
    if design.main is None:
        return CATALOG.say("answer_none", name=capital(study.name), why=_refusals(design))
    return CATALOG.say(
        "answer",
        lead=CATALOG.by("verdicts", verdict.kind, name=capital(study.name)) if verdict else "",
        main=design.main,
        placebo=_placebo_words(design),
        control=_control_words(study.answer.control),
        textbook=_value(textbook.main),
        textbook_placebo=_value(textbook.placebo),
        elsewhere=_elsewhere(study),
    )


def _elsewhere(study: StudentStudy) -> str:
    """Say where the plan's primary outcome is answered, where it is not on this page."""
    outcome = study.answer.planned
    if outcome == "attendance" or not study.answer.leads_with_path:
        return ""
    return CATALOG.say("elsewhere", outcome=plain_outcome(outcome))


def _primary(study: StudentStudy, primary: PrimaryAnswer) -> str:
    """Say the plan's primary outcome with its interval, its control, and attendance beside it."""
    kind = "no_interval" if study.verdict is None else study.verdict.kind
    return CATALOG.say(
        "primary",
        lead=CATALOG.by("primary_verdicts", kind, name=capital(study.name)),
        outcome=plain_outcome(primary.main.outcome),
        main=primary.main,
        control=_control_words(primary.control),
        attendance=_value(study.answer.design().main),
    )


def plain_outcome(outcome: str) -> str:
    """Return an outcome of students as a sentence names it."""
    return "attendance" if outcome == "attendance_rate" else outcome.replace("_", " ")


def lottery(study: StudentStudy) -> str:
    """Say what the draw shows: of the offer, of being visited, how sure, and what was promised beforehand."""
    lottery_answer = study.answer.lottery
    if lottery_answer is None:
        return CATALOG.say("lottery_none")
    return CATALOG.say(
        "lottery",
        lead=_lottery_verdict(lottery_answer),
        offer=lottery_answer.offer,
        outcome=plain_outcome(lottery_answer.offer.outcome),
        promised=_promised(lottery_answer),
        drawn=lottery_answer,
        visited=dict(lottery_answer.card)["Being visited"],
    )


def _promised(lottery_answer: LotteryAnswer) -> str:
    question = lottery_answer.promised.rstrip(". ")
    if lottery_answer.late:
        return CATALOG.say("promised_late")
    if not (lottery_answer.on_record or question):
        return CATALOG.say("promised_none")
    question = question or plain_outcome(lottery_answer.offer.outcome)
    return CATALOG.say(
        "promised" if lottery_answer.on_record else "promised_told", question=question, drawn=lottery_answer
    )


def _lottery_verdict(lottery_answer: LotteryAnswer) -> str:
    verb = "raised" if lottery_answer.offer.estimate_pp > 0 else "lowered"
    return CATALOG.by(
        "lottery_verdicts", lottery_answer.verdict.kind, moved=verb, outcome=plain_outcome(lottery_answer.offer.outcome)
    )


def checks(study: StudentStudy) -> str:
    """Say whether the headline holds when it is adjusted for a continuous history, and what the offer came to."""
    table, main = study.answer.checks, study.answer.design().main
    if table is None or main is None:
        return CATALOG.say("checks_refused" if study.together else "checks_none")
    estimates = table[table["reason"] == ""].itertuples()
    lines = [f"{row.what}: {points(row.estimate_pp)} ({between(row.low_pp, row.high_pp)})" for row in estimates]
    return CATALOG.say("checks", main=main, told="; ".join(lines) or CATALOG.say("checks_not_made"))


# Visited students up to whom chronic absence leans toward zero: the table of docs/method.md, few students who stay
# unvisited to the end of a school year stand for many.
FEW_FOR_CHRONIC = 100


def outcomes(study: StudentStudy) -> str:
    """Say which further outcomes moved, once their number is counted."""
    table = study.answer.outcomes
    if table is None:
        if not study.has_outcomes:
            return CATALOG.say("outcomes_none")
        return CATALOG.say("outcomes_unanswered" if study.together else "outcomes_elsewhere")
    primary = table[table["primary"]]
    others = table[(table["reason"] == "") & ~table["primary"]]
    lines = [_outcome(row) for row in others.itertuples() if rejects(row.p_holm)]
    first = [CATALOG.say("outcomes_primary", outcome=_outcome(row)) for row in primary.itertuples()]
    if not primary.size and others.empty:
        reasons = "; ".join(f"{plain_outcome(row.outcome)}: {row.reason.rstrip('.')}" for row in table.itertuples())
        return CATALOG.say("outcomes_refused", refused=reasons)
    chronic = table[(table["outcome"] == "chronic_absence") & table["n_treated"].between(1, FEW_FOR_CHRONIC)]
    few = [CATALOG.say("outcomes_few", n=n) for n in chronic["n_treated"]]
    lead = first[0] if first else CATALOG.say("outcomes_attendance")
    unclaimed = lines and study.verdict is not None and study.verdict.kind in UNCLAIMED
    same = [CATALOG.say("outcomes_unclaimed")] if unclaimed else []
    return "".join([_secondary(lead, len(others), lines), *same, *few])


def _secondary(first: str, n: int, lines: Sequence[str]) -> str:
    """Say how many secondary outcomes stand beside the primary one, and which of them moved."""
    if not n:
        return CATALOG.say("outcomes_alone", first=first)
    if n == 1:
        still = CATALOG.say("outcomes_not_moved_one")
        movement = CATALOG.say("outcomes_moved", told=lines[0]) if lines else still
        return CATALOG.say("outcomes_one", first=first, moved=movement)
    movement = CATALOG.say("outcomes_moved", told="; ".join(lines)) if lines else CATALOG.say("outcomes_not_moved")
    return CATALOG.say("outcomes", first=first, n=n, moved=movement)


def _outcome(row: Any) -> str:
    return f"{row.outcome.replace('_', ' ')} {points(row.estimate_pp)} ({between(row.low_pp, row.high_pp)}) {row.unit}"


def unobserved(study: StudentStudy) -> str:
    """Say how strong an unseen reason must be, and what those show who were picked by the same people and not met."""
    strength, main = study.unobserved, study.answer.design().main
    if strength is None or main is None:
        return CATALOG.say("unobserved_none")
    return CATALOG.say("unobserved", strength=strength, main=main, control=_control_words(study.answer.control))


def power(study: StudentStudy) -> str:
    """Say what the preferred test could have found, and whether the effect is equivalent to none."""
    main = study.answer.leading
    if main is None or main.se_pp is None or study.mde_pp is None:
        return CATALOG.say("power_none")
    reach = float(ndtri(1 - ALPHA)) * main.se_pp
    ends = (main.estimate_pp - reach, main.estimate_pp + reach)
    margin = study.answer.margin_pp or SMALL_PP
    inside = max(-ends[0], ends[1]) < margin
    if study.answer.margin_pp is None:
        whose = CATALOG.say("power_fixed")
    else:
        whose = CATALOG.say("power_planned" if study.answer.lottery is None else "power_planned_offer")
    return CATALOG.say(
        "power",
        study=study,
        ends=ends,
        inside="lies within" if inside else "does not lie within",
        margin=margin,
        whose=whose,
        shown="shown" if inside else "not shown",
    )


def _value(estimate: Estimate | None) -> str:
    return CATALOG.say("value_none") if estimate is None else CATALOG.say("value", estimate=estimate)


def _placebo_words(design: DesignAnswer) -> str:
    if design.placebo is None:
        return CATALOG.say("placebo_none")
    verdict = CATALOG.say("placebo_zero" if _includes_zero(design.placebo) else "placebo_not_zero")
    return CATALOG.say("placebo", placebo=design.placebo, verdict=verdict)


def _control_words(control: Estimate | None) -> str:
    if control is None:
        return CATALOG.say("control_none")
    verdict = CATALOG.say("placebo_zero" if _includes_zero(control) else "control_not_zero")
    return CATALOG.say("control", control=control, verdict=verdict)


def _refusals(design: DesignAnswer) -> str:
    return design.refused[0] if design.refused else CATALOG.say("refused_all")


def design_label(name: str) -> str:
    """Return a design as a reader knows it."""
    return {str(key): label for key, label in DESIGN_LABELS.items()}[name]


def effect(study: StudentStudy) -> Finding:
    """Say the effect beside what the same design finds where nobody was visited, and whether it may be claimed."""
    design, verdict = study.answer.design(), study.verdict
    main = design.main
    if main is None or verdict is None:
        return CATALOG.finding("effect_none", study=study, why=_refusals(design))
    return CATALOG.finding(
        "effect",
        main.estimate_pp,
        main.ends,
        main=main,
        unclear=CATALOG.say("unclear") if _includes_zero(main) else "",
        beside=_held_against(study, verdict),
        refused=CATALOG.by("effect_refused", verdict.kind, ""),
        study=study,
        trends=trends(study),
    )


def _held_against(study: StudentStudy, verdict: Verdict) -> str:
    """Say what the same design finds where nobody was visited, or else what refutes the comparison."""
    placebo, control = study.answer.design().placebo, study.answer.control
    if verdict.kind == "failed_placebo" and (placebo is None or _includes_zero(placebo)):
        if control is not None and not _includes_zero(control):
            return CATALOG.say("effect_control", value=control.estimate_pp)
        return CATALOG.say("effect_trend")
    return "" if placebo is None else CATALOG.say("effect_beside", value=placebo.estimate_pp)


def leading(study: StudentStudy) -> Finding:
    """Say what a draw, or the plan's primary outcome without one, shows; as the title of the first picture."""
    main, verdict, by_lot = study.answer.leading, study.verdict, study.answer.lottery is not None
    if main is None or verdict is None:
        return effect(study)
    return CATALOG.finding(
        "leading",
        main.estimate_pp,
        main.ends,
        outcome=capital(plain_outcome(main.outcome)),
        who="students who were offered visits by lot" if by_lot else "visited students",
        compared="students who waited" if by_lot else "like students",
        unclear="" if verdict.clear else CATALOG.by("leading_refused", verdict.kind, CATALOG.say("unclear")),
        main=main,
    )


def picked(study: StudentStudy) -> Finding:
    """Say what those who were referred had missed, and how many of the others had missed as much."""
    rule, sentence = study.answer.rule, referral_rule(study)
    if rule is None or not rule.referred or not rule.found:
        return CATALOG.finding("picked_none", found=sentence)
    who = CATALOG.say("picked_nearly_all" if rule.nearly_all else "picked_share", share=rule.caught)
    who = CATALOG.say("picked_everyone") if rule.caught == 1 else who
    return CATALOG.finding(
        "picked", who=who, rule=rule, window=WORDS[rule.window], funnel=funnel(study), found=sentence
    )


def funnel(study: StudentStudy) -> str:
    """Say how many were reached."""
    steps = dict(zip(study.funnel["step"], study.funnel["students"], strict=True))
    if np.isnan(steps["visited"]) or np.isnan(steps["referred"]):
        return CATALOG.say("funnel_hidden")
    share_referred, met = steps["referred"] / steps["enrolled"], steps["visited"] / steps["referred"]
    return CATALOG.say("funnel", steps=steps, referred=share_referred, met=met)


def referral_rule(study: StudentStudy) -> str:
    """Say the rule that was found, how well it fits, and what it leaves to compare with."""
    rule = study.answer.rule
    if rule is None:
        return CATALOG.say("rule_few", fewest=MIN_GROUP)
    if not rule.referred:
        return NO_REFERRAL
    if not rule.found:
        return CATALOG.say("rule_none")
    overlap = CATALOG.say("rule_overlap" if rule.leaves_overlap else "rule_no_overlap")
    over = CATALOG.say("rule_over") if rule.nearly_all else ""
    return CATALOG.say("rule", words=rule.words(), rule=rule, left=overlap, over=over)


def rebound(study: StudentStudy) -> Finding:
    """Say how far attendance comes back by itself."""
    placebo = study.answer.design("before_after").placebo
    if placebo is None:
        return CATALOG.finding("rebound_none")
    way = _direction_of(placebo)
    return CATALOG.finding(
        "rebound_rise" if way == "rise" else "rebound_fall" if way == "fall" else "rebound_unclear",
        placebo.estimate_pp,
        placebo.ends,
        placebo=placebo,
    )


def raw_paths(study: StudentStudy) -> Finding:
    """Say what to look for in the raw paths."""
    groups = [group for group in study.answer.raw_paths["group"].unique() if group != NEVER_VISITED]
    if not groups:
        return CATALOG.finding("raw_paths_none")
    gaps = _beside_never_visited(study.answer.raw_paths)
    if gaps.empty:
        return CATALOG.finding("raw_paths_alone", n=len(groups))
    before, after = map(_beside, gaps.mean())
    return CATALOG.finding("raw_paths", n=len(groups), used=len(gaps), before=before, after=after)


def _beside(gap: float) -> str:
    return f"{number(abs(gap), 1)} points {'less' if gap < 0 else 'more'}"


def _beside_never_visited(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how far visited students stand from the never visited before and after their season of visits, points.

    One row a season that has shown months on both sides, of which the three next to it count; a summer has no months.
    """
    rates = rows.pivot(index="month", columns="group", values="rate_pct").sort_index()
    seasons = [in_time(season(12 * int(month[:4]) + int(month[5:]) - 1)) for month in rates.index]
    gaps = []
    for group in sorted(set(rates) - {NEVER_VISITED}) if NEVER_VISITED in rates else ():
        gap, own = rates[group] - rates[NEVER_VISITED], in_time(group)
        before, after = gap[[when < own for when in seasons]], gap[[when > own for when in seasons]]
        gaps.append((before.dropna().tail(3).mean(), after.dropna().head(3).mean()))
    return pd.DataFrame(gaps, columns=["before", "after"], dtype=float).dropna()


def trends(study: StudentStudy) -> str:
    """Say the pre-trend test with its power."""
    test = study.answer.pre_trend
    if test is None:
        return CATALOG.say("trends_none")
    return CATALOG.say("trends_rejected" if test.p_value <= 0.05 else "trends", test=test)


def bounds(study: StudentStudy) -> Finding:
    """Say how far trends may depart before the effect can no longer be told from none."""
    sets = study.answer.bounds
    if sets is None:
        return CATALOG.finding("bounds_refused" if study.together else "bounds_none")
    if sets.breakdown == 0:
        title = CATALOG.say("bounds_zero")
    elif sets.breakdown is None:
        title = CATALOG.say("bounds_hold")
    else:
        title = CATALOG.say("bounds_hold_until", breakdown=sets.breakdown)
    robust = sets.table.iloc[-1]
    breakdown = breakdown_words({**jsonable(sets), "kind": "relative_magnitudes"})
    inside = between(robust["low_pp"], robust["high_pp"])
    return CATALOG.finding("bounds", title=title, sets=sets, study=study, inside=inside, broken=breakdown)


def designs(study: StudentStudy) -> Finding:
    """Say which designs find an effect where nobody was visited."""
    designs_with_test = [item for item in study.answer.designs if item.main is not None and item.placebo is not None]
    if not designs_with_test:
        return CATALOG.finding("designs_none")
    labels = [design_label(item.name) for item in designs_with_test if _includes_zero(item.placebo)]
    biggest = max(designs_with_test, key=_off)
    farthest = {"label": design_label(biggest.name), "placebo": _value(biggest.placebo), "main": _value(biggest.main)}
    return CATALOG.finding(
        "designs",
        title=CATALOG.say("designs_off_one", would="would not" if labels else "would")
        if len(designs_with_test) == 1
        else CATALOG.say("designs_off", off=len(designs_with_test) - len(labels), n=len(designs_with_test)),
        passed="; ".join(labels) or "none",
        farthest=CATALOG.by("designs_farthest", _direction_of(biggest.placebo), **farthest),
        control=_control_words(study.answer.control),
    )


def _off(item: DesignAnswer) -> tuple[bool, float]:
    """Return how far a design is off where nobody was visited; what chance alone may be comes last."""
    placebo = item.placebo
    return (False, 0.0) if placebo is None else (not _includes_zero(placebo), abs(placebo.estimate_pp))


def _direction_of(estimate: Estimate | None) -> str:
    return "unclear" if estimate is None else direction(estimate.estimate_pp, *estimate.ends)


def paths(study: StudentStudy) -> Finding:
    """Say which design stays nearest to zero, month by month, where nobody was visited."""
    off = {
        design_label(item.name): float(item.placebo_path["estimate_pp"].abs().mean())
        for item in study.answer.designs
        if len(item.placebo_path)
    }
    if not off:
        return CATALOG.finding("paths_none")
    best, worst = min(off, key=lambda name: off[name]), max(off, key=lambda name: off[name])
    return CATALOG.finding("paths", best=best, worst=worst, off_best=off[best], off_worst=off[worst])


def published(study: StudentStudy) -> Finding:
    """Say whether the design recovers the true path, where it is known, and how published effects lie beside it."""
    path = study.answer.design().path
    if path.empty:
        return CATALOG.finding("published_no_path", why=_refusals(study.answer.design()))
    bands = path.set_index("event_time")
    rows = study.published[study.published["month"].isin(bands.index)]
    if rows.empty:
        return CATALOG.finding("published_none", truth=truth(study))
    above = _above(rows["effect_pp"].to_numpy() > bands.loc[rows["month"], "high_sup_pp"].to_numpy())
    if study.truth is None:
        return CATALOG.finding("published", above=capital(above), truth=truth(study))
    inside = study.truth[study.truth["event_time"].isin(bands.index)]
    band = bands.loc[inside["event_time"]]
    is_inside = inside["effect_pp"].between(band["low_sup_pp"].to_numpy(), band["high_sup_pp"].to_numpy()).all()
    head = CATALOG.say("published_inside" if is_inside else "published_outside")
    return CATALOG.finding("published_truth", head=head, above=above, truth=truth(study))


def _above(above: np.ndarray) -> str:
    """Say how many of the published effects lie above the band."""
    many = int(above.sum())
    if len(above) == 1:
        return CATALOG.say("published_above_one", lies="lies" if many else "does not lie")
    return CATALOG.say("published_above", above=many, n=len(above), lie="lies" if many == 1 else "lie")


def _includes_zero(estimate: Estimate | None) -> bool:
    if estimate is None or estimate.ci_low_pp is None or estimate.ci_high_pp is None:
        return False
    return estimate.ci_low_pp <= 0 <= estimate.ci_high_pp


def refused(study: StudentStudy) -> str:
    """Say how many visited students the recommended design covers, and what it refuses."""
    design = study.answer.design()
    if not design.refused:
        return CATALOG.say("refused_none", design=design)
    return CATALOG.say("refused", design=design, told=" ".join(design.refused))


def parts(study: StudentStudy) -> str:
    """Say the exploratory splits, and what was given."""
    rows = study.answer.parts.dropna(subset=["estimate_pp"])
    lines = [CATALOG.say("parts_one", row=row, ends=(row["low_pp"], row["high_pp"])) for row in rows.to_dict("records")]
    hidden = len(study.answer.parts) - len(rows)
    tail = CATALOG.say("parts_hidden", n=hidden) if hidden else ""
    return CATALOG.say("parts", told="; ".join(lines) or CATALOG.say("parts_none"), hidden=tail)


def supports(study: StudentStudy) -> str:
    """Say which supports were given most often; never by district, where the counts would be small."""
    table = study.supports
    if table.empty:
        return CATALOG.say("supports_none")
    most = table.iloc[0]
    return CATALOG.say("supports", most=most, name=most["support"].replace("_", " "), n=len(table))


def days(study: StudentStudy) -> str:
    """Say the effect in school days a year per visited student."""
    main = study.answer.design().main
    if main is None or main.ci_low_pp is None or main.ci_high_pp is None:
        return CATALOG.say("days_none")
    value, *ends = (end * SCHOOL_DAYS / 100 for end in (main.estimate_pp, main.ci_low_pp, main.ci_high_pp))
    if study.verdict is not None and study.verdict.kind in UNCLAIMED:
        return CATALOG.say("days_unclaimed", days=SCHOOL_DAYS, value=value, ends=ends)
    return CATALOG.say("days", days=SCHOOL_DAYS, value=value, ends=ends)


def truth(study: StudentStudy) -> str:
    """Say how the estimate compares with the truth, where it is known, and with the published effects."""
    main, textbook = study.answer.design().main, study.answer.design("never").main
    effects = study.published["effect_pp"]
    scale = CATALOG.say("scale", low=effects.min(), high=effects.max()) if len(effects) else CATALOG.say("scale_none")
    true = study.true_headline
    if true is None:
        return CATALOG.say("truth_unknown", scale=scale)
    if main is None:
        return CATALOG.say("truth_alone", study=study, scale=scale)
    beside = "" if textbook is None else CATALOG.say("truth_textbook", off=textbook.estimate_pp - true)
    return CATALOG.say("truth", study=study, off=main.estimate_pp - true, textbook=beside, scale=scale)
