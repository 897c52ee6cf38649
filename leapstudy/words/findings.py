"""What each exhibit of the public track shows: one finding, told as title, sentence and alternative text."""

import math
import textwrap
from dataclasses import dataclass

from leapstudy.core.estimate import SCHOOL_DAYS
from leapstudy.core.frames import extremes, records
from leapstudy.core.phrases import (
    agree,
    between,
    counted,
    interval_words,
    missing,
    number,
    percent,
    points,
    probability,
)
from leapstudy.data.describe import TREATED, edition_differences, final_in_both, group_labels
from leapstudy.data.names import (
    comparison_words,
    counted_units,
    outcome_words,
    program_name,
    short,
    study_names,
    unit_noun,
    unit_nouns,
    year_words,
    years_words,
)
from leapstudy.did.answer import Answer, DistrictAnswer, PooledAnswer, contrast_rows, outcome_rows
from leapstudy.did.contrasts import clock_from, event_time
from leapstudy.did.eventstudy import EventStudy
from leapstudy.did.glance import Glance
from leapstudy.did.nested import LOTTERY
from leapstudy.did.rebound import Rebound
from leapstudy.did.sensitivity.covariates import Adjusted
from leapstudy.did.spread import Detectable
from leapstudy.evidence.assess import STATEMENT
from leapstudy.evidence.cost import VISITED_ASSUMPTION
from leapstudy.evidence.power import COVERAGE_ASSUMPTION, PART_ASSUMPTION, PowerBlock
from leapstudy.evidence.verdict import SMALL_PP, WIDE_PP, Kind, Verdict
from leapstudy.study.public import Study

LINE = 100
"""Characters of a printed line, in a notebook and on a page."""
ALT_LONGEST = 300
"""Characters of alternative text: short enough to be heard in one breath."""
VERDICTS: dict[Kind, str] = {
    "positive": "These figures show that {outcome} {gained} more, or {lost} less, than chance explains.",
    "negative": "These figures show that {outcome} {gained} less, or {lost} more, than chance explains.",
    "precise_null": "These figures show little or no difference: less than {small} either way.",
    "imprecise_null": "These figures cannot tell an effect from none.",
    "no_interval": (
        "These figures cannot tell an effect from none, and the test that leads puts no bounded interval around it."
    ),
    "cannot_test": "These figures cannot tell an effect from none: with so few of them no test can reject.",
    "one_of_many": "Alone this would stand out, but not once all that were looked at are counted.",
    "failed_placebo": (
        "The comparison shows a difference where zero is expected, so that no effect can be read from it."
    ),
    "placebo": "This contrast lies before the program, where zero is expected.",
}
"""The verdict in one sentence, the same wherever a notebook says it; see `verdict_words`."""
TOO_WIDE = f"The interval is so wide that it says nothing: {WIDE_PP:g} points either way are inside."
OFTEN = 0.25
"""Share of comparison districts that moved as far, from which a move is called well within theirs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one exhibit shows.

    Attributes
    ----------
    title
        The finding in one clause, as it stands in the picture; no full stop.
    detail
        The sentences that give it its uncertainty.
    value, low, high
        The number that it is about and its 95% interval, points; None where there is none.

    Examples
    --------
    >>> finding = Finding("Together 0.20 points, not distinguishable from zero", "95% CI -1.00 to 1.40.", 0.2, -1.0,
    1.4)
    >>> str(finding)
    'Together 0.20 points, not distinguishable from zero. 95% CI -1.00 to 1.40.'
    """

    title: str
    detail: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """Return title and detail as running text."""
        return f"{self.title}. {self.detail}".strip()

    @property
    def alt(self) -> str:
        """The title and as many sentences of the detail as can be heard in one breath."""
        text = f"{self.title}."
        for sentence in self.detail.split(". "):
            longer = f"{text} {sentence.removesuffix('.')}." if sentence else text
            if len(longer) > ALT_LONGEST:
                break
            text = longer
        return text


def say(finding: Finding | str) -> None:
    """Print a finding in lines that fit a notebook and a page."""
    print(textwrap.fill(str(finding), LINE))


def treated_words(answer: Answer | Glance) -> str:
    """Return the treated side: the district's name, or how many districts."""
    main = answer.main
    return short(main.district) if main.n_treated == 1 else counted_units(main.n_treated, program_name())


def moved(value: float) -> str:
    """Return a difference as one says it: ``0.34 percentage points less``."""
    if round(value, 2) == 0:
        return "as much"
    return f"{number(abs(value))} percentage points {'more' if value > 0 else 'less'}"


def zero_words(low: float | None, high: float | None) -> str:
    """Return what an interval says of zero."""
    if missing(low) or missing(high) or low <= 0 <= high:  # type: ignore[operator]
        return "not distinguishable from zero"
    return "distinguishable from zero"


def chance_of(power: float) -> str:
    """Return a power as a chance that a reader can picture."""
    if power >= 0.8:
        return "at least 4 chances in 5"
    if power >= 0.45:
        return "about an even chance" if power < 0.55 else "somewhat more than an even chance"
    if power < 0.05:
        return "no chance" if power < 0.005 else "less than 1 chance in 20"
    return f"about {max(round(10 * power), 1)} chance{'s' if round(10 * power) > 1 else ''} in 10"


def verdict_words(verdict: Verdict, outcome: str) -> str:
    """Return the verdict on an outcome in one sentence, in the direction that is better for it."""
    small = f"{number(SMALL_PP)} points" if verdict.lower_is_better else "a day a year"
    gained, lost = ("fell", "rose") if verdict.lower_is_better else ("rose", "fell")
    told = VERDICTS[verdict.kind].format(gained=gained, lost=lost, small=small, outcome=outcome_words(outcome))
    return f"{told} {TOO_WIDE}" if verdict.wide else told


def answer(study: Study) -> Finding:
    """Say the effect with its interval, p-value, placebo and smallest detectable effect in one breath."""
    main, verdict = study.answer.main, study.evidence.verdict
    low, high, _ = leading(study.answer)
    name = treated_words(study.answer)
    detail = (
        f"{outcome_words(main.outcome).capitalize()} in {'the ' if main.n_treated > 1 else ''}{name} changed "
        f"{moved(main.estimate_pp)} than in {counted_units(main.n_comparison, 'comparison')} "
        f"({comparison_words(main.comparison)}; {leading_words(study.answer)}). {verdict_words(verdict, main.outcome)} "
        f"{power_words(study.answer.detectable)} {placebo(study)}"
    )
    title = district_title(study.answer) if main.n_treated == 1 else best_title(main.estimate_pp, low, high)
    return Finding(title, detail, main.estimate_pp, low, high)


def power_words(detectable: Detectable) -> str:
    """Say which effects the test that leads finds in half and in four of five such studies."""
    if not math.isfinite(detectable.mde_pp):
        return "The test that leads cannot reject here, however large the effect."
    return (
        f"An effect of {number(detectable.half_pp)} points would be detected in half of such studies, one of "
        f"{number(detectable.mde_pp)} points in 80%."
    )


def best_title(value: float, low: float | None, high: float | None) -> str:
    """Return an effect and what else fits the data."""
    head = f"Best estimate of {program_name()}'s effect: {number(value)} points"
    if missing(low) or missing(high):
        return f"{head}; no range can be put around it"
    return f"{head}; the data also fit anything from {between(low, high)}"


def district_title(answer: Answer | Glance) -> str:
    """Return how far one district moved beside how far comparison districts move themselves."""
    main, rows = answer.main, answer.permutation
    others = rows.loc[~rows["is_treated"].astype(bool), "placebo_pp"].abs()
    as_far = int((others >= abs(main.estimate_pp) - 1e-12).sum())
    if as_far == 0:
        beside = f"further than any of the {len(others)} moved themselves"
    elif as_far >= OFTEN * len(others):
        beside = "well within how far they move themselves"
    else:
        beside = f"as far as {as_far} of {len(others)} moved themselves"
    much = moved(main.estimate_pp).replace("percentage points", "points")
    return f"{short(main.district)} moved {much} than comparison {unit_nouns()}, {beside}"


def leading(answer: Answer | Glance) -> tuple[float | None, float | None, float | None]:
    """Return low, high and p of the test that leads: the one interval that pages and figures show of an answer."""
    if isinstance(answer, DistrictAnswer):
        return answer.headline.low_pp, answer.headline.high_pp, answer.headline.p_value
    return answer.main.ci_low_pp, answer.main.ci_high_pp, answer.main.p_value


def leading_words(answer: Answer | Glance) -> str:
    """Say interval and p-value of the test that leads, and which test that is where it is not the permutation."""
    low, high, p = leading(answer)
    by = f", {answer.headline.label.lower()}" if isinstance(answer, DistrictAnswer) else ""
    return f"{interval_words(low, high)}{'' if p is None else f', {probability(p)}'}{by}"


def placebo(study: Study) -> str:
    """Say what the same comparison finds before the program."""
    rows, main = contrast_rows(study.answer), study.answer.main
    same = rows[(rows["role"] == "placebo") & (rows["comparison"] == main.comparison)]
    same = same[(same["pre"] != main.pre) | (same["post"] != main.post)]
    if same.empty:
        return "The contrast that was asked is the placebo itself." if main.role == "placebo" else no_placebo(study)
    row = same.iloc[0]
    return (
        f"In the years before {program_name()} the same comparison should show no difference; from "
        f"{years_words(row['pre'])} to {years_words(row['post'])} it shows {number(row['estimate_pp'])} points "
        f"({interval_words(row['ci_low_pp'], row['ci_high_pp'])}, {probability(row['p_value'])})."
    )


def no_placebo(study: Study) -> str:
    """Say why the same comparison cannot be made before the program."""
    shown = study.answer.event_study
    contrasts = clock_from(study_names(), shown.start).contrasts().values()
    needed = {year for item in contrasts if item.role == "placebo" for year in item.years}
    if not needed:
        return "No placebo is made: the study declares no contrast of years before the program."
    lacking = sorted(needed - set(shown.table["year"]), key=lambda year: event_time(year, shown.start))
    where = (
        f"figures of {' and '.join(map(year_words, lacking))} are lacking" if lacking else "too few have its figures"
    )
    return f"No placebo could be formed for this comparison: {where}."


def could_we_see_it(study: Study) -> Finding:
    """Say how many of the published effects this design could have detected, and how likely the largest was."""
    power = study.evidence.power
    if power is None:
        return _detects_only(study)
    diluted = [item.diluted_pp for item in power.published]
    detects = (
        "can detect no effect, however large"
        if not math.isfinite(power.mde_pp)
        else (
            f"detects effects of {number(power.mde_pp)} points or more, and so could have seen {power.could_see} of "
            f"{len(diluted)} of them"
        )
    )
    largest = max(power.published, key=lambda item: item.diluted_pp)
    where = (
        f"in this {unit_noun()}" if study.answer.main.n_treated == 1 else f"in {treated_words(study.answer)} together"
    )
    of_whom = PART_ASSUMPTION if study_names().of_part(study.answer.main.outcome) else ""
    detail = (
        f"{program_name()} visited {percent(power.coverage)} of students, so its published effects come to "
        f"{number(min(diluted))} to {number(max(diluted))} "
        f"points of the average. With 80% power the test that leads {detects}. "
        f"{_excluded_words(power)}{COVERAGE_ASSUMPTION}{of_whom}"
    )
    title = f"{program_name()}'s largest published effect had {chance_of(largest.power)} to show {where}"
    return Finding(title, detail, power.mde_pp if math.isfinite(power.mde_pp) else None)


def _detects_only(study: Study) -> Finding:
    """Say what the design detects where no effect on visited students and no coverage is published."""
    mde = study.answer.detectable.mde_pp
    main, unknown = study.answer.main, "How many students were visited is not published."
    if study.evidence.verdict.lower_is_better:
        unknown = f"No published effect can be held against {outcome_words(main.outcome)}."
    if not math.isfinite(mde):
        return Finding("The test that leads can detect no effect here, however large", unknown)
    title = f"An effect of {number(mde)} points had 4 chances in 5 to show"
    return Finding(title, f"{power_words(study.answer.detectable)} {unknown}", mde)


def _excluded_words(power: PowerBlock) -> str:
    """Say which published effects the interval rules out, under the coverage that is assumed."""
    if not power.excluded:
        return ""
    least = min((item for item in power.published if item.excluded), key=lambda item: item.diluted_pp)
    return (
        f"If that share is right, the interval rules out {power.excluded} of {len(power.published)}: the smallest of "
        f"them, {number(least.effect_pp, 0)} points on visited students, comes to {number(least.diluted_pp)} (an "
        f"effect as large: one-sided {probability(least.p_as_large)}; smaller than that either way: two one-sided "
        f"tests {probability(least.p_equivalent)}). "
    )


def raw_means(study: Study) -> str:
    """Say how the treated side and its comparison group moved, without a model."""
    rows, names = study.answer.raw_means, study_names()
    if rows.empty:
        return "No attendance rate is published, so no raw means of it are shown."
    before, after = names.before_start(), names.starts[-1]
    others = [name for name in group_labels(names.state) if name != TREATED and name in set(rows["group"])]
    parts = []
    for group in dict.fromkeys([rows["group"].iloc[0], *others]):
        own = rows[rows["group"] == group].set_index("year")["rate_pct"]
        label = short(rows.loc[rows["group"] == group, "label"].iloc[0])
        parts.append(f"{label} went from {own[before]:.1f} to {own[after]:.1f} percent")
    return f"From {before} to {after}, {'; '.join(parts)}."


def chance(study: Study) -> Finding:
    """Say how often the same computation finds as much where nothing was done, and the least p-value possible."""
    return chance_of_answer(study.answer, len(study.data.starts))


def chance_of_answer(answer: Answer | Glance, n: int = 1) -> Finding:
    """Say it of an answer, of which there are `n` alike; see `chance`."""
    main, floor = answer.main, answer.detectable.floor
    single = main.n_treated == 1
    rows = answer.permutation
    others = rows.loc[~rows["is_treated"].astype(bool), "placebo_pp"] if single else rows["placebo_pp"]
    as_far = (others.abs() >= abs(main.estimate_pp) - 1e-12).mean() if len(others) else float("nan")
    if single:
        title = (
            f"{round(as_far * len(others))} of {counted_units(len(others), 'comparison')} moved as far as "
            f"{short(main.district)}"
        )
    else:
        title = f"{number(100 * as_far, 0)} of 100 random relabelings give a gap at least this large"
    cut = 0.05 / n
    passing = f"No single {unit_noun()} could pass a correction for {counted_units(n)} ({cut:.4f})."
    passing = passing if single and floor > cut and n > 1 else ""
    where = f"comparison {unit_nouns()} put in its place" if single else "shuffled labels"
    detail = (
        f"Among {where}, {probability(main.p_value)}; the smallest p-value that this test can give is {floor:.4f}. "
        f"{passing}"
    )
    return Finding(title, detail.strip(), main.p_value)


def movement(answer: Answer) -> str:
    """Say of the outcome that was asked, and of chronic absence, whether the two sides moved together before."""
    return " ".join(dict.fromkeys(map(trends, filter(None, (answer.event_study, answer.chronic)))))


def trends(study: EventStudy) -> str:
    """Say whether the two sides moved together before, and what drift would have been found."""
    if math.isnan(study.joint_p):
        return (
            f"Equal movement of {outcome_words(study.outcome)} before the program cannot be tested: there are too "
            f"few years or {unit_nouns()}."
        )
    verdict = "rejected" if study.joint_p < 0.05 else "not rejected"
    return (
        f"Equal movement of {outcome_words(study.outcome)} before the program is {verdict} "
        f"({probability(study.joint_p)}); the test would have found a drift of {number(study.slope_mde_pp)} points a "
        "year with 80% power, and smaller ones may be there."
    )


def comparisons(study: Study) -> str:
    """Say how far the answer depends on whom and when one compares."""
    rows = contrast_rows(study.answer)
    kept = rows[rows["role"] != "placebo"]
    above = int((kept["estimate_pp"] > 0).sum())
    are = agree(above, "is", "are")
    return (
        f"{above} of {len(kept)} estimates {are} above zero, from {points(kept['estimate_pp'].min())} to "
        f"{points(kept['estimate_pp'].max())} points: "
        "a single one of them, picked for its size, would mislead."
    )


def drawn(study: Study) -> str:
    """Say whether lots decided who had the program, and what the lottery itself then shows."""
    lottery, answer, units, program = study.data.state.program.lottery, study.answer, unit_nouns(), program_name()
    if lottery is None:
        return (
            f"Nobody drew lots for which {units} have {program}, so that this comparison rests on {units} that look "
            "alike in the figures."
        )
    lead = f"Lots decided which {units} have {program}, and when ({lottery.source})"
    if answer.main.p_method != LOTTERY:
        return f"{lead}; this comparison is not all that drew with all that wait, so that the lots do not serve it."
    within = f" within {' by '.join(lottery.within)}" if lottery.within else ""
    text = f"{lead}. So the test deals the lots anew{within}: {probability(answer.main.p_value)}."
    found = answer.drawn if isinstance(answer, PooledAnswer) else None
    if found is not None:
        text += (
            f" The most precise estimate for starts drawn by lot (Roth and Sant'Anna 2023) is "
            f"{points(found.estimate)} points ({interval_words(found.redraw_low, found.redraw_high)}, "
            f"{probability(found.p_value)}; {found.n_offered} of {counted_units(found.n_units)} with a figure in every "
            "year drew a start)."
        )
    return f"{text} {_attrition_words(study)}"


def _attrition_words(study: Study) -> str:
    lost = study.evidence.attrition
    if lost is None:
        return f"More {unit_nouns()} that drew lots have no figures than the published boundary of attrition covers."
    verdict = "low" if lost.low else "high, so that the lots no longer protect against selection"
    return (
        f"Of the {unit_nouns()} that drew, {lost.overall_pct:.1f}% have no figure in a year of the contrast, the two "
        f"sides apart by {lost.differential_pct:.1f} points: attrition is {verdict} (at most {lost.limit_pct:.1f} "
        "points by the cautious boundary of the WWC)."
    )


def outcomes(study: Study) -> str:
    """Say what the same question gives for the other outcomes, corrected for their number."""
    rows, asked = outcome_rows(study.answer), outcome_words(study.answer.main.outcome)
    if rows.empty:
        return f"No other outcome is published for this question: {asked} stands alone."
    told = "; ".join(
        f"{outcome_words(row['outcome'])} {points(row['estimate_pp'])} points "
        f"({interval_words(row['ci_low_pp'], row['ci_high_pp'])}, corrected {probability(row['p_holm'])})"
        for row in records(rows)
    )
    return f"Beside {asked}, which was asked, {counted(len(rows), 'other outcome')} (Holm's correction): {told}."


def editions(study: Study) -> str:
    """Say what each edition of the state's file gives."""
    found = [
        f"{points(row['estimate_pp'])} ({between(row['ci_low_pp'], row['ci_high_pp'])}) on the {row['edition']} edition"
        for row in records(study.answer.editions)
    ]
    return f"The same comparison gives {'; '.join(found)}."


def rebound(study: Study) -> Finding:
    """Say how much of a rise goes with a fall the year before, as the slope that it is."""
    shown = study.answer.rebound
    if shown is None:
        reason = next(text for text in study.answer.not_possible if "rise follows a fall" in text)
        return Finding(f"Too few comparison {unit_nouns()} fell differently to say how a rise follows a fall", reason)
    _, fell, rose = map(year_words, shown.years)
    more = f"Each point {'more' if shown.slope < 0 else 'less'} of a fall in {fell}"
    detail = (
        f"{more} went with {number(abs(shown.slope))} points more of a rise in {rose} among "
        f"{counted_units(shown.n, 'comparison')} "
        f"(slope {number(shown.slope)}, 95% CI {between(shown.slope_low, shown.slope_high)}). Against that line the "
        f"treated side is "
        f"{_beyond(study.answer.sensitivity.recovery, shown)}"
    )
    title = (
        f"{unit_nouns().capitalize()} that fell furthest in {fell} rose most, with or without {program_name()}"
        if shown.slope_high < 0
        else f"How far each {unit_noun()} fell in {fell} does not tell how far it rose the year after"
    )
    return Finding(title, detail, shown.slope, shown.slope_low, shown.slope_high)


def _beyond(gap: Adjusted | None, shown: Rebound) -> str:
    """Say how far the treated side lies from the line, with its interval."""
    if gap is None:
        return f"{points(shown.mean_gap_pp)} points off; too few comparison {unit_nouns()} for an interval."
    return (
        f"{points(gap.estimate_pp)} points off (95% CI {between(gap.low_pp, gap.high_pp)}, "
        f"{probability(gap.p_value)}). {gap.note}"
    ).strip()


def caveats(study: Study) -> str:
    """Say how days were counted in which year, where the state declares it."""
    told = "; ".join(f"{year} {what}" for year, what in study.data.state.calendar.caveats.items())
    return f"Days were not counted alike in all years: {told}." if told else "Days were counted alike in all years."


def notes(study: Study, part: str) -> str:
    """Return the study's own notes for one part of a page (`data`, `limits_district`, `limits_pooled`)."""
    return " ".join(study.data.state.notes.get(part, ())) or "The study declares nothing else here."


def leave_one_out(study: Study) -> Finding:
    """Say which single district moves the answer most."""
    rows, main = study.answer.leave_one_out, study.answer.main
    if rows.empty:
        return Finding(f"No {unit_noun()} can be left out: one on each side is all there is", "", main.estimate_pp)
    low, high = extremes(rows, "estimate_pp")
    most = max((low, high), key=lambda row: abs(row["estimate_pp"] - main.estimate_pp))
    detail = (
        f"Without one {unit_noun()} the estimate lies between {number(low['estimate_pp'])} (without "
        f"{short(low['district'])}) and {number(high['estimate_pp'])} points (without {short(high['district'])}); "
        f"with all of them it is {number(main.estimate_pp)}."
    )
    title = (
        f"Without {short(most['district'])} the estimate is {number(most['estimate_pp'])} points instead of "
        f"{number(main.estimate_pp)}"
    )
    return Finding(title, detail, most["estimate_pp"])


def grade(study: Study) -> str:
    """Say what the evidence amounts to by the field's own rules."""
    evidence = study.evidence
    label = evidence.essa.label
    counted_by = ", by the study's own count" if evidence.essa.conditions else ""
    return f"ESSA {label}{counted_by}. {STATEMENT} {evidence.wwc.why}"


def days(study: Study) -> str:
    """Say what the effect is in days, and what a day cost or why that cannot be said."""
    cost = study.evidence.cost
    if study.evidence.verdict.lower_is_better:
        what = outcome_words(study.answer.main.outcome).capitalize()
        return f"{what} counts students, not days, so that no day has a price."
    if cost is None:
        return f"{_days_on_average(study)}. What a day cost is not known: no money and no visits are published."
    average = cost.days_average
    gained = f"{points(average.value, 1)} days a year per average student ({between(average.low, average.high, 1)})"
    if cost.dollars_per_day is None:
        return f"{gained}. {cost.refusal}"
    money = cost.dollars_per_day
    return (
        f"{gained}; ${money.value:,.0f} for each extra day attended (${money.low:,.0f} to ${money.high:,.0f}). "
        f"{VISITED_ASSUMPTION}"
    )


def _days_on_average(study: Study) -> str:
    main, per_point = study.evidence.verdict, SCHOOL_DAYS / 100
    low, high = (None if end is None else per_point * end for end in (main.low_pp, main.high_pp))
    days_each = points(per_point * main.estimate_pp, 1)
    return f"{days_each} days a year per average student ({between(low, high, 1)})"


def forest(answer: PooledAnswer) -> Finding:
    """Say the pooled effect, and whether any district stands out once all of them are counted."""
    main, rows = answer.main, answer.by_district
    together = f"Together {number(main.estimate_pp)} points, {zero_words(main.ci_low_pp, main.ci_high_pp)}"
    above = int((rows["estimate_pp"] > 0).sum())
    clear = int(((rows["ci_low_pp"] > 0) | (rows["ci_high_pp"] < 0)).sum())
    exclude = agree(clear, "excludes", "exclude")
    if answer.pooling is None:
        title = f"{together}; {clear} of {len(rows)} single intervals {exclude} zero"
    else:
        out = answer.caterpillar.loc[answer.caterpillar["p_bh"] <= 0.05, "district"]
        names = " and ".join(short(name) for name in out) or f"no {unit_noun()}"
        title = f"{together}; {names} {'stand' if len(out) > 1 else 'stands'} out once all {len(rows)} are counted"
    detail = (
        f"{above} of {counted_units(len(rows))} {agree(above, 'is', 'are')} above zero and {len(rows) - above} below; "
        f"{clear} of {len(rows)} intervals {exclude} zero. "
        f"One {unit_noun()} alone would have to move by {number(rows['mde_pp'].min())} points to be detected."
    )
    return Finding(title, detail, main.estimate_pp, main.ci_low_pp, main.ci_high_pp)


def disagreement(study: Study) -> Finding:
    """Say how far the state's two newest editions disagree on the last year that is final in both."""
    rows = edition_differences(study.data)
    if rows.empty:
        return Finding("There is one edition of the state's figures, so that none can disagree with it")
    year = final_in_both(study.data.state, rows["year"])
    rows = rows[rows["year"] == year]
    changed = int((rows["moved_pp"].abs().round(6) >= 1).sum())
    treated = rows[rows["treated"].astype(bool)]
    low, high = extremes(treated if len(treated) > 1 else rows, "moved_pp")
    title = (
        f"The state moved {short(low['district'])}'s {year} attendance by {points(low['moved_pp'], 1)} points and "
        f"{short(high['district'])}'s by {points(high['moved_pp'], 1)}"
    )
    detail = f"{changed} of {len(rows)} {year} figures moved by a point or more between the editions."
    return Finding(title, detail, low["moved_pp"])


def state_curve(fewer: float, visited: float) -> Finding:
    """Say the state's fall in chronically absent students beside the students ever visited."""
    title = (
        f"The state's fall is {number(fewer / visited, 1)} times the number of students {program_name()} ever visited"
    )
    return Finding(title, f"{fewer:,.0f} fewer students were chronically absent; {visited:,.0f} were visited.", fewer)
