"""What the exhibits of the student track show, by rule: title and sentence; SIMULATED stands first where it is so."""

import textwrap
from typing import Any

import numpy as np
from scipy import stats

from leapstudy.core.estimate import SCHOOL_DAYS, Estimate
from leapstudy.core.phrases import between, counted, number, percent, points, probability
from leapstudy.did.permutation import ALPHA
from leapstudy.evidence.verdict import SMALL_PP, rejects
from leapstudy.students.disclosure import MIN_GROUP
from leapstudy.students.referral_rule import NO_REFERRAL, WORDS
from leapstudy.study.result import jsonable
from leapstudy.study.student_results import DESIGN_LABELS, DesignAnswer, LotteryAnswer, PrimaryAnswer, StudentBounds
from leapstudy.study.students import StudentStudy
from leapstudy.words.bounds import breakdown_words
from leapstudy.words.findings import LINE, Finding

SIMULATED = "SIMULATED"


def say(study: StudentStudy, text: Finding | str) -> None:
    """Print a finding in lines that fit a page; made from SIMULATED students it begins by saying so."""
    print(textwrap.fill(f"{SIMULATED}: {text}" if study.simulated else str(text), LINE))


def answer(study: StudentStudy) -> str:
    """Say the effect with its interval, its placebo and what the textbook design would have said, in one breath."""
    if study.answer.lottery is not None:
        return lottery(study)
    if study.answer.primary is not None:
        return _primary(study, study.answer.primary)
    design, textbook = study.answer.design(), study.answer.design("never")
    if design.main is None:
        return f"{study.name}: no effect can be estimated. {_refusals(design)}"
    verdict = study.verdict
    lead = VERDICTS[verdict.kind].format(name=study.name) if verdict else ""
    return (
        f"{lead} Over {design.main.post} since the first visit attendance of visited students changed by "
        f"{_with_interval(design.main)} points more than that of students at risk in the same month with the same "
        f"absence before. {_placebo_words(design)} {_control_words(study.answer.control)} The textbook comparison "
        f"with never visited students gives {_value(textbook.main)}, and "
        f"{_value(textbook.placebo)} where nobody was visited.{_elsewhere(study)}"
    )


def _elsewhere(study: StudentStudy) -> str:
    """Say where the plan's primary outcome is answered, where it is not on this page."""
    planned = study.answer.planned
    if planned == "attendance" or not study.answer.leads_with_path:
        return ""
    return f" The plan's primary outcome is {plain_outcome(planned)}, answered for all districts together only."


def _primary(study: StudentStudy, primary: PrimaryAnswer) -> str:
    """Say the plan's primary outcome with its interval, its control, and attendance beside it."""
    verdict, main = study.verdict, primary.main
    kind = "no_interval" if verdict is None else verdict.kind
    return (
        f"{PRIMARY_VERDICTS[kind].format(name=study.name)} The primary outcome by plan, {plain_outcome(main.outcome)}, "
        f"changed by {_with_interval(main)} points more for visited students than for students at risk in the same "
        f"month with the same history ({main.p_method}, {probability(main.p_value)}). "
        f"{_control_words(primary.control)} Attendance, secondary: {_value(study.answer.design().main)}."
    )


def plain_outcome(outcome: str) -> str:
    """Return an outcome of students as a sentence names it."""
    return "attendance" if outcome == "attendance_rate" else outcome.replace("_", " ")


def lottery(study: StudentStudy) -> str:
    """Say what the draw shows: of the offer, of being visited, how sure, and what was promised beforehand."""
    drawn = study.answer.lottery
    if drawn is None:
        return (
            "Nobody drew lots, so that every comparison on this page rests on students who look alike in the figures. "
            "The command leapstudy draw draws lots for the next visits."
        )
    offer = drawn.offer
    promised = drawn.promised.rstrip("?. ") or offer.outcome.replace("_", " ")
    return (
        f"{_lottery_verdict(drawn)} Over {offer.post} {plain_outcome(offer.outcome)} of students who were offered "
        f"visits by lot changed by {_with_interval(offer)} points more than that of students who waited "
        f"({probability(offer.p_value)}, {offer.p_method}). "
        f"Promised beforehand: {promised}, closed until {drawn.outcomes_from}. "
        f"{dict(drawn.card)['Being visited']} Evidence: {drawn.essa.label}."
    )


def _lottery_verdict(drawn: LotteryAnswer) -> str:
    moved = "raised" if drawn.offer.estimate_pp > 0 else "lowered"
    return LOTTERY_VERDICTS[drawn.verdict.kind].format(moved=moved, outcome=plain_outcome(drawn.offer.outcome))


LOTTERY_VERDICTS = {
    "positive": "The offer of visits {moved} {outcome}.",
    "negative": "The offer of visits {moved} {outcome}.",
    "precise_null": "The offer of visits changed little or nothing.",
    "imprecise_null": "These figures cannot tell an effect of the offer from none.",
    "no_interval": "No interval can be formed, so that nothing can be said of the offer.",
    "cannot_test": "So few units were drawn that no test could find an effect.",
    "failed_placebo": "The two sides were not alike before, as a lottery makes them, so that no effect may be claimed.",
}
"""First sentence of a draw by verdict; the other kinds cannot arise."""


def checks(study: StudentStudy) -> str:
    """Say whether the headline holds when it is adjusted for a continuous history, and what the offer came to."""
    table, main = study.answer.checks, study.answer.design().main
    if table is None or main is None:
        return "See the page of all districts together: one district has too few schools."
    made = table[table["reason"] == ""].itertuples()
    told = [f"{row.what}: {points(row.estimate_pp)} ({between(row.low_pp, row.high_pp)})" for row in made]
    return (
        f"The headline is {points(main.estimate_pp)} points. {'; '.join(told) or 'No check could be made'}. The offer "
        "counts everybody who was referred, so that it is smaller than the effect on those who were met."
    )


def outcomes(study: StudentStudy) -> str:
    """Say which further outcomes moved, once their number is counted."""
    table = study.answer.outcomes
    if table is None:
        return "Attendance is the only outcome here. Name a table of others under `outcomes:` in params/students.yml."
    primary = table[table["primary"]]
    made = table[(table["reason"] == "") & ~table["primary"]]
    moved = [row for row in made.itertuples() if rejects(row.p_holm)]
    told = [_outcome(row) for row in moved]
    first = next((f"The primary outcome, by plan, is {_outcome(row)}" for row in primary.itertuples()), "")
    said = f"Distinguishable from zero: {'; '.join(told)}" if told else NONE_MOVED
    return (
        f"{first or 'Attendance is the primary outcome'}. Beside it stand {counted(len(made), 'secondary outcome')}, "
        f"corrected for their number (Holm). {said}."
    )


def _outcome(row: Any) -> str:
    return f"{row.outcome.replace('_', ' ')} {points(row.estimate_pp)} ({between(row.low_pp, row.high_pp)}) {row.unit}"


NONE_MOVED = "None of them is statistically distinguishable from zero"


def unobserved(study: StudentStudy) -> str:
    """Say how strong an unseen reason must be, and what those show who were picked by the same people and not met."""
    found, main = study.unobserved, study.answer.design().main
    if found is None or main is None:
        return "There is no effect that an unseen reason could explain away."
    return (
        f"A reason that nobody recorded, explaining {percent(found.to_zero)} of what is left of who was visited and as "
        f"much of later attendance, brings the effect to zero; {percent(found.to_include_zero)} lets its 95% CI "
        f"include zero. In points: students who were picked would have to come back by {points(main.estimate_pp)} more "
        f"than like students without any visit. {_control_words(study.answer.control)}"
    )


def power(study: StudentStudy) -> str:
    """Say what the test that leads could have found, and whether the effect is equivalent to none."""
    main, mde = study.answer.leading, study.mde_pp
    if main is None or main.se_pp is None or mde is None:
        return "Without a standard error neither power nor equivalence can be told."
    reach = float(stats.norm.ppf(1 - ALPHA)) * main.se_pp
    low, high = main.estimate_pp - reach, main.estimate_pp + reach
    margin = study.answer.margin_pp or SMALL_PP
    inside = "lies within" if max(-low, high) < margin else "does not lie within"
    whose = "is fixed for every study (a day a year)" if study.answer.margin_pp is None else _planned_margin(study)
    return (
        f"Power: with its own standard error the test that leads finds {number(mde)} points with 80% power at 5%. "
        f"Equivalence: the 90% CI ({between(low, high)}) {inside} {number(margin)} points either way, the "
        f"margin that {whose}, so that the effect is "
        f"{'' if inside == 'lies within' else 'not '}shown to be equivalent to none (two one-sided tests at 5%)."
    )


def _planned_margin(study: StudentStudy) -> str:
    times = "" if study.answer.lottery is None else ", times the share of those offered who are to be met"
    return f"the frozen plan names as the least that would matter on a visited student{times}"


VERDICTS = {
    "positive": "{name}: visited students came more often than like students.",
    "negative": "{name}: visited students came less often than like students.",
    "precise_null": "{name}: little or nothing changed.",
    "imprecise_null": "{name}: these figures cannot tell an effect from none.",
    "no_interval": "{name}: no interval can be formed, so that nothing can be said.",
    "failed_placebo": "{name}: the comparison fails its own test, so that no effect may be claimed.",
    "selection": "{name}: no effect may be claimed, since the picking of students may explain it.",
}
"""First sentence by verdict; the other kinds cannot arise for students."""

PRIMARY_VERDICTS = {
    **VERDICTS,
    "positive": "{name}: visited students missed a tenth of their days less often than like students.",
    "negative": "{name}: visited students missed a tenth of their days more often than like students.",
}
"""The same where chronic absence is the primary outcome."""


def _with_interval(estimate: Estimate) -> str:
    return f"{points(estimate.estimate_pp)} ({between(estimate.ci_low_pp, estimate.ci_high_pp)})"


def _value(estimate: Estimate | None) -> str:
    return "nothing, since it is refused" if estimate is None else f"{_with_interval(estimate)} points"


def _placebo_words(design: DesignAnswer) -> str:
    if design.placebo is None:
        return "Whether it removes the rebound cannot be tested."
    verdict = "not statistically distinguishable from zero" if _includes_zero(design.placebo) else "which is not zero"
    return (
        f"Rebound removal: drawn by the rule before any visit, students change by "
        f"{_with_interval(design.placebo)}, {verdict}."
    )


def _control_words(control: Estimate | None) -> str:
    if control is None:
        return "Too few students were referred and not met to see how staff picked."
    verdict = "not statistically distinguishable from zero" if _includes_zero(control) else "where zero is expected"
    return f"Students who were referred and not met change by {_with_interval(control)}, {verdict}."


def _refusals(design: DesignAnswer) -> str:
    return design.refused[0] if design.refused else "No visited student is seen before and after a visit."


def design_label(name: str) -> str:
    """Return a design as a reader knows it."""
    return {str(key): label for key, label in DESIGN_LABELS.items()}[name]


def effect(study: StudentStudy) -> Finding:
    """Say the effect beside what the same design finds where nobody was visited, and whether it may be claimed."""
    design, verdict = study.answer.design(), study.verdict
    main, placebo = design.main, design.placebo
    if main is None or verdict is None:
        return Finding(f"No effect on the students of {study.name} can be estimated", _refusals(design))
    much = number(abs(main.estimate_pp), 1)
    moved = f"Visited students' attendance {'rose' if main.estimate_pp > 0 else 'fell'} {much} points more"
    if _includes_zero(main):
        moved += ", not distinguishable from zero"
    beside = (
        "" if placebo is None else f"; the same design finds {number(placebo.estimate_pp, 1)} where nobody was visited"
    )
    refused = {
        "failed_placebo": ", so no effect may be claimed",
        "selection": "; how students were picked may explain it",
    }
    title = f"{moved}{beside}{refused.get(verdict.kind, '')}"
    detail = f"95% CI {between(main.ci_low_pp, main.ci_high_pp)} over {study.headline_words}. {trends(study)}"
    return Finding(title, detail, main.estimate_pp, main.ci_low_pp, main.ci_high_pp)


def leading(study: StudentStudy) -> Finding:
    """Say what a draw, or the plan's primary outcome without one, shows; as the title of the first picture."""
    main, verdict = study.answer.leading, study.verdict
    if main is None or verdict is None:
        return effect(study)
    who = "students who were offered visits by lot" if study.answer.lottery is not None else "visited students"
    moved = f"{plain_outcome(main.outcome).capitalize()} of {who} {'rose' if main.estimate_pp > 0 else 'fell'}"
    title = (
        f"{moved} {number(abs(main.estimate_pp), 1)} points more than that of {COMPARED[study.answer.lottery is None]}"
    )
    refused = {
        "failed_placebo": ", but no effect may be claimed",
        "selection": ", but how they were picked may explain it",
    }
    unclear = "" if verdict.clear else refused.get(verdict.kind, ", not distinguishable from zero")
    detail = f"95% CI {between(main.ci_low_pp, main.ci_high_pp)}, {probability(main.p_value)}; {main.post}."
    return Finding(f"{title}{unclear}", detail, main.estimate_pp, main.ci_low_pp, main.ci_high_pp)


COMPARED = {True: "like students", False: "students who waited"}


def picked(study: StudentStudy) -> Finding:
    """Say what those who were referred had missed, and how many of the others had missed as much."""
    rule = study.answer.rule
    if rule is None or not rule.referred or not rule.found:
        return Finding("The log shows no rule on absence by which students were picked", referral_rule(study))
    title = (
        f"{_share(rule.caught)} referred had missed {rule.percent}% or more {WORDS[rule.window]}; so had "
        f"{percent(rule.flagged, 0)} of the others"
    )
    return Finding(title, f"{funnel(study)} {referral_rule(study)}")


def _share(share: float) -> str:
    return "Everyone" if share >= 0.995 else f"{percent(share, 0)} of those"


def funnel(study: StudentStudy) -> str:
    """Say how many were reached."""
    steps = dict(zip(study.funnel["step"], study.funnel["students"], strict=True))
    if np.isnan(steps["visited"]) or np.isnan(steps["referred"]):
        return "Some of these counts are hidden, since they could point to a few students."
    return (
        f"{steps['referred']:,.0f} of {steps['enrolled']:,.0f} students were referred "
        f"({percent(steps['referred'] / steps['enrolled'])}) and {steps['visited']:,.0f} of those were met "
        f"({percent(steps['visited'] / steps['referred'])}). Who is met is selected once more: the effect is that on "
        f"students who were met."
    )


def referral_rule(study: StudentStudy) -> str:
    """Say the rule that was found, how well it fits, and what it leaves to compare with."""
    rule = study.answer.rule
    if rule is None:
        return f"Fewer than {MIN_GROUP} students were referred, too few to show by which rule."
    if not rule.referred:
        return NO_REFERRAL
    if not rule.found:
        return "The log follows no rule on absence; referrals look as if drawn without regard to it."
    left = (
        "so most who met the rule stay to compare with"
        if rule.leaves_overlap
        else "so too few like them stay to compare with"
    )
    return (
        f"The rule that fits the log best: {rule.words()}. {percent(rule.caught, 0)} of {rule.referred:,} referred "
        f"students meet it, and {percent(rule.flagged, 0)} of the others at risk (fit {number(rule.fit)}, where 1 is "
        f"perfect and 0 is chance). In a month {percent(rule.monthly, 0)} of those who meet it are referred, {left}."
    )


def rebound(study: StudentStudy) -> Finding:
    """Say how far attendance comes back by itself."""
    placebo = study.answer.design("before_after").placebo
    if placebo is None:
        return Finding(
            "What picking absent students gives by itself cannot be shown",
            "The file has too few months before the first visit to show the rebound.",
        )
    rises = f"rise {number(placebo.estimate_pp, 1)} points" if placebo.estimate_pp > 0 else "do not rise"
    why = "A bad month ends by itself; whoever picks students in a bad month sees them rise."
    why = why if placebo.estimate_pp > 0 else "This rule does not pick students in a bad month that ends by itself."
    return Finding(
        f"Picked students {rises} with no visit at all",
        f"Students whom this rule would have picked before there was any visit change by {_with_interval(placebo)} "
        f"points on average over {study.headline_words} after it. {why}",
        placebo.estimate_pp,
        placebo.ci_low_pp,
        placebo.ci_high_pp,
    )


def raw_paths(study: StudentStudy) -> Finding:
    """Say what to look for in the raw paths."""
    groups = [group for group in study.answer.raw_paths["group"].unique() if group != "never visited"]
    if not groups:
        return Finding("Every season of first visits has too few students to be shown")
    return Finding(
        "Attendance falls before a first visit and rises after it, part of which is rebound",
        f"{counted(len(groups), 'season')} of first visits can be shown. The fall before a visit is the referral rule "
        f"at work.",
    )


def trends(study: StudentStudy) -> str:
    """Say the pre-trend test with its power."""
    test = study.answer.pre_trend
    if test is None:
        return "Too few months precede the visits to test whether both sides moved together."
    verdict = "rejects equal movement" if test.p_value <= 0.05 else "does not reject equal movement"
    return (
        f"The joint test over {counted(test.months, 'month')} before the visit {verdict} "
        f"({probability(test.p_value)}); it would have found a drift of {number(test.mde_pp)} points a month with 80% "
        "power. A test that finds nothing does not show that there is nothing."
    )


def bounds(study: StudentStudy) -> Finding:
    """Say how far trends may depart before the effect can no longer be told from none."""
    sets = study.answer.bounds
    if sets is None:
        return Finding(
            "Robust bounds are made for all districts together",
            "One district's months before the visit are too noisy to measure a departure by.",
        )
    robust = sets.table.iloc[-1]
    until = "at any drift shown" if sets.breakdown is None else f"until drift reaches {number(sets.breakdown)} times"
    held = f"The answer holds {until}" + ("" if sets.breakdown is None else " the largest seen before")
    title = held if sets.breakdown != 0 else "The interval includes zero without any drift"
    detail = (
        f"If from month to month the difference may depart by as much as it did at most in {sets.months} months before "
        f"the visit ({number(sets.largest_before_pp)} points), the effect over {study.headline_words} lies within "
        f"{between(robust['low_pp'], robust['high_pp'])}; {_broken(sets)}. Months before the visit differ by chance as "
        f"well, so that this is a severe yardstick."
    )
    return Finding(title, detail)


def _broken(sets: StudentBounds) -> str:
    return breakdown_words({**jsonable(sets), "kind": "relative_magnitudes"})


def designs(study: StudentStudy) -> Finding:
    """Say which designs find an effect where nobody was visited."""
    judged = [item for item in study.answer.designs if item.main is not None and item.placebo is not None]
    if not judged:
        return Finding("No design can be held against a placebo here")
    passed = [design_label(item.name) for item in judged if _includes_zero(item.placebo)]
    off = len(judged) - len(passed)
    biggest = max(judged, key=lambda item: abs(item.placebo.estimate_pp if item.placebo else 0.0))
    detail = (
        f"Not distinguishable from zero there: {'; '.join(passed) or 'none'}. The farthest off is "
        f"'{design_label(biggest.name)}' with {_value(biggest.placebo)}: so much of the {_value(biggest.main)} that it "
        f"says of visited students is rebound. {_control_words(study.answer.control)}"
    )
    of = f"{_count(off)} of {_count(len(judged)).lower()} designs"
    return Finding(f"{of} find an effect where nobody was visited", detail)


COUNTS = {0: "None", 1: "One", 2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six"}


def _count(n: int) -> str:
    return COUNTS.get(n, str(n))


def paths(study: StudentStudy) -> Finding:
    """Say which design stays nearest to zero, month by month, where nobody was visited."""
    off = {
        item.name: float(item.placebo_path["estimate_pp"].abs().mean())
        for item in study.answer.designs
        if len(item.placebo_path)
    }
    if not off:
        return Finding("No placebo path could be formed: the file has too few months before the first visit")
    best, worst = min(off, key=lambda name: off[name]), max(off, key=lambda name: off[name])
    return Finding(
        f"Nearest to zero where nobody was visited: {design_label(best)}",
        f"On average it lies {number(off[best], 1)} points off; '{design_label(worst)}' {number(off[worst], 1)}.",
    )


def published(study: StudentStudy) -> Finding:
    """Say whether the design recovers the true path, where it is known, and how published effects lie beside it."""
    path = study.answer.design().path
    if path.empty:
        return Finding("No path can be set beside the published effects", _refusals(study.answer.design()))
    bands = path.set_index("event_time")
    rows = study.published[study.published["month"].isin(bands.index)]
    above = int((rows["effect_pp"] > bands.loc[rows["month"], "high_sup_pp"].to_numpy()).sum())
    if rows.empty:
        return Finding("No effect is published beside which the estimate could be set", truth(study))
    beside = f"{_count(above)} of {_count(len(rows)).lower()} published effects lie above its band"
    if study.truth is None:
        return Finding(beside, truth(study))
    inside = study.truth[study.truth["event_time"].isin(bands.index)]
    band = bands.loc[inside["event_time"]]
    held = inside["effect_pp"].between(band["low_sup_pp"].to_numpy(), band["high_sup_pp"].to_numpy()).all()
    head = "The design recovers the true path" if held else "The true path leaves the design's band"
    return Finding(f"{head}; {beside[0].lower()}{beside[1:]}", truth(study))


def _includes_zero(estimate: Estimate | None) -> bool:
    if estimate is None or estimate.ci_low_pp is None or estimate.ci_high_pp is None:
        return False
    return estimate.ci_low_pp <= 0 <= estimate.ci_high_pp


def refused(study: StudentStudy) -> str:
    """Say for how many visited students the recommended design speaks, and what it refuses."""
    design = study.answer.design()
    head = f"The recommended design covers {percent(design.overlap, 0)} of the visited students."
    if not design.refused:
        return f"{head} No cell was refused."
    return f"{head} Refused: {' '.join(design.refused)}"


def parts(study: StudentStudy) -> str:
    """Say the exploratory splits, and what was given."""
    shown = study.answer.parts.dropna(subset=["estimate_pp"])
    said = [
        f"{row['dimension']} {row['group']} {points(row['estimate_pp'])} ({between(row['low_pp'], row['high_pp'])})"
        for row in shown.to_dict("records")
    ]
    hidden = len(study.answer.parts) - len(shown)
    tail = f" {counted(hidden, 'group has', 'groups have')} too few students." if hidden else ""
    return f"Exploratory, not planned: {'; '.join(said) or 'nothing can be shown'}.{tail}"


def supports(study: StudentStudy) -> str:
    """Say which supports were given most often; never by district, where the counts would be small."""
    table = study.supports
    if table.empty:
        return "The log holds no supports."
    most = table.iloc[0]
    return (
        f"In all districts together {percent(most['share'], 0)} of visited students were given "
        f"{most['support'].replace('_', ' ')}, the most common of {len(table)} supports. Which support helps cannot "
        "be said: nobody drew lots for them."
    )


def days(study: StudentStudy) -> str:
    """Say the effect in school days a year per visited student."""
    main = study.answer.design().main
    if main is None or main.ci_low_pp is None or main.ci_high_pp is None:
        return "Without an estimate no days can be named."
    value, low, high = (end * SCHOOL_DAYS / 100 for end in (main.estimate_pp, main.ci_low_pp, main.ci_high_pp))
    return (
        f"Kept up for a whole year of {SCHOOL_DAYS} days, this is {points(value, 1)} days per visited student "
        f"({between(low, high, 1)})."
    )


def truth(study: StudentStudy) -> str:
    """Say how the estimate compares with the truth, where it is known, and with the published effects."""
    main = study.answer.design().main
    published = study.published["effect_pp"]
    scale = "No effect of this program is published."
    if len(published):
        scale = f"The published effects run from {points(published.min(), 0)} to {points(published.max(), 0)} points."
    if study.true_headline is None:
        return f"The truth is not known here. {scale}"
    if main is None:
        return f"There is no estimate to hold against the truth, {points(study.true_headline)} points. {scale}"
    textbook = study.answer.design("never").main
    off = (
        ""
        if textbook is None
        else f"; the textbook design is off by {points(textbook.estimate_pp - study.true_headline)}"
    )
    return (
        f"The true effect over {study.headline_words} is {points(study.true_headline)} points. The recommended design "
        f"is off by {points(main.estimate_pp - study.true_headline)}{off}. {scale} They are nominal here: a student "
        "who misses 5% of days cannot gain 15 points."
    )
