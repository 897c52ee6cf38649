"""What notebook 20 prints under an exhibit: one sentence each, by rule; SIMULATED stands first where it is so."""

import textwrap

import numpy as np

from leapstudy.core.estimate import SCHOOL_DAYS, Estimate
from leapstudy.core.phrases import between, counted, number, percent, points, probability
from leapstudy.figures.exhibit import LINE
from leapstudy.figures.students_common import SIMULATED, design_label
from leapstudy.students.disclosure import MIN_GROUP
from leapstudy.students.referral_rule import NO_REFERRAL
from leapstudy.study.result import jsonable
from leapstudy.study.student_results import DesignAnswer, StudentBounds
from leapstudy.study.students import StudentStudy
from leapstudy.words.bounds import breakdown_words


def say(study: StudentStudy, text: str) -> None:
    """Print a sentence in lines that fit a page; made from SIMULATED students it begins by saying so."""
    print(textwrap.fill(f"{SIMULATED}: {text}" if study.simulated else text, LINE))


def answer(study: StudentStudy) -> str:
    """Say the effect with its interval, its placebo and what the textbook design would have said, in one breath."""
    if study.answer.lottery is not None:
        return lottery(study)
    design, textbook = study.answer.design(), study.answer.design("never")
    if design.main is None:
        return f"{study.name}: no effect can be estimated. {_refusals(design)}"
    verdict = study.verdict
    lead = VERDICTS[verdict.kind].format(name=study.name) if verdict else ""
    return (
        f"{lead} Over {design.main.post} since the first visit attendance of visited students changed by "
        f"{_with_interval(design.main)} points more than that of students at risk in the same month with the same "
        f"absence before. {_placebo_words(design)} {_control_words(study.answer.control)} The textbook comparison "
        f"with never visited students gives {_value(textbook.main)}, and {_value(textbook.placebo)} where nobody was "
        "visited."
    )


def lottery(study: StudentStudy) -> str:
    """Say what the draw shows: of the offer, of being visited, how sure, and what was promised beforehand."""
    drawn = study.answer.lottery
    if drawn is None:
        return (
            "Nobody drew lots, so that every comparison on this page rests on students who look alike in the figures. "
            "`leapstudy draw` draws lots for the next visits."
        )
    offer = drawn.offer
    promised = drawn.promised or offer.outcome.replace("_", " ")
    return (
        f"{LOTTERY_VERDICTS[drawn.verdict.kind]} Over {offer.post} attendance of students who were offered visits by "
        f"lot changed by {_with_interval(offer)} points more than that of students who waited "
        f"({probability(offer.p_value)}, {offer.p_method}). "
        f"Promised beforehand: {promised}, closed until {drawn.outcomes_from}. "
        f"{dict(drawn.card)['Being visited']} Evidence: {drawn.essa.label}."
    )


LOTTERY_VERDICTS = {
    "positive": "The offer of visits raised attendance.",
    "negative": "The offer of visits lowered attendance.",
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


def _with_interval(estimate: Estimate) -> str:
    return f"{points(estimate.estimate_pp)} ({between(estimate.ci_low_pp, estimate.ci_high_pp)})"


def _value(estimate: Estimate | None) -> str:
    return "nothing, since it is refused" if estimate is None else f"{points(estimate.estimate_pp)} points"


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


def funnel(study: StudentStudy) -> str:
    """Say how many were reached."""
    steps = dict(zip(study.funnel["step"], study.funnel["students"], strict=True))
    if np.isnan(steps["visited"]) or np.isnan(steps["referred"]):
        return "Some of these counts are hidden, since they could point to a few students."
    return (
        f"{steps['referred']:,.0f} of {steps['enrolled']:,.0f} students were referred "
        f"({percent(steps['referred'] / steps['enrolled'])}) and {steps['visited']:,.0f} of those were met "
        f"({percent(steps['visited'] / steps['referred'])}). Who is met is selected once more: the effect is that on "
        "students who were met."
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


def rebound(study: StudentStudy) -> str:
    """Say how far attendance comes back by itself."""
    design = study.answer.design("before_after")
    if design.placebo is None:
        return "The file has too few months before the first visit to show the rebound."
    return (
        "Students whom this rule would have picked before there was any visit rise by "
        f"{_with_interval(design.placebo)} points on average over {study.headline_words} after it. A bad month ends "
        "by itself; whoever picks students in a bad month sees them rise."
    )


def raw_paths(study: StudentStudy) -> str:
    """Say what to look for in the raw paths."""
    groups = [group for group in study.answer.raw_paths["group"].unique() if group != "never visited"]
    if not groups:
        return "Every season of first visits has too few students to be shown."
    return (
        f"{counted(len(groups), 'season')} of first visits can be shown. The fall before a visit is the referral rule "
        "at work, so the rise after it is in part rebound."
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


def bounds(study: StudentStudy) -> str:
    """Say how far trends may depart before the effect can no longer be told from none."""
    found = study.answer.bounds
    if found is None:
        return (
            "Robust bounds are made for all districts together; one district's months before the visit are too "
            "noisy to measure by."
        )
    robust = found.table.iloc[-1]
    return (
        f"If from month to month the difference may depart by as much as it did at most in {found.months} months "
        f"before the visit ({number(found.largest_before_pp)} points), the effect over {study.headline_words} lies "
        f"within {between(robust['low_pp'], robust['high_pp'])}; {_broken(found)}. Months before the visit differ by "
        "chance as well, so that this is a severe yardstick."
    )


def _broken(found: StudentBounds) -> str:
    return breakdown_words({**jsonable(found), "kind": "relative_magnitudes"})


def designs(study: StudentStudy) -> str:
    """Say which designs pass their placebo."""
    judged = [item for item in study.answer.designs if item.main is not None and item.placebo is not None]
    passed = [design_label(item.name) for item in judged if _includes_zero(item.placebo)]
    if not judged:
        return "No design can be held against a placebo here."
    biggest = max(judged, key=lambda item: abs(item.placebo.estimate_pp if item.placebo else 0.0))
    return (
        f"{len(passed)} of {len(judged)} designs find nothing where nobody was visited"
        f"{' (' + '; '.join(passed) + ')' if passed else ''}. The farthest off is '{design_label(biggest.name)}' with "
        f"{_value(biggest.placebo)}: so much of the {_value(biggest.main)} that it says of visited students is rebound."
    )


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
    scale = f"The published effects run from {points(published.min(), 0)} to {points(published.max(), 0)} points."
    if study.true_headline is None or main is None:
        return f"The truth is not known here. {scale}"
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
