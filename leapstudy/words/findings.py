"""What each exhibit of the public track shows: one finding, told as title, sentence and alternative text.

The sentences are those of `catalog/public.yml`.
"""

import math
import textwrap

from leapstudy.core.estimate import SCHOOL_DAYS, Estimate
from leapstudy.core.names import ALL_DISTRICTS
from leapstudy.core.phrases import between, capital, interval_words, missing, number, probability
from leapstudy.core.table import extremes, records
from leapstudy.data.describe import TREATED, edition_differences, final_in_both, group_labels
from leapstudy.data.names import (
    counted_units,
    outcome_unit,
    outcome_words,
    program_name,
    short,
    study_names,
    unit_noun,
    year_words,
)
from leapstudy.did.answer import Answer, PooledAnswer, contrast_rows, outcome_rows
from leapstudy.did.answering import OneContrast
from leapstudy.did.contrasts import clock_from, event_time
from leapstudy.did.eventstudy import EventStudy
from leapstudy.did.nested import LOTTERY
from leapstudy.did.permutation import ALPHA
from leapstudy.did.rebound import Rebound
from leapstudy.did.sensitivity.covariates import Adjusted
from leapstudy.did.spread import Detectable
from leapstudy.evidence.assess import STATEMENT
from leapstudy.evidence.cost import VISITED_ASSUMPTION
from leapstudy.evidence.power import COVERAGE_ASSUMPTION, PART_ASSUMPTION, PowerBlock
from leapstudy.evidence.verdict import UNCLAIMED, Verdict, size_of
from leapstudy.study.public import Study
from leapstudy.words.sentences import LINE, Catalog, Finding

CATALOG = Catalog("public")
# Share of comparison districts that moved as far, from which a move is called well within theirs.
OFTEN = 0.25


def say(finding: Finding | str) -> None:
    """Print a finding in lines that fit a notebook and a page, its paragraphs apart."""
    print("\n\n".join(textwrap.fill(paragraph, LINE) for paragraph in str(finding).split("\n\n")))


def treated_words(answer: Answer | OneContrast) -> str:
    """Return the treated side: the district's name, or how many districts."""
    main = answer.main
    if main.n_treated > 1:
        return counted_units(main.n_treated, program_name())
    return short(main.district) if main.district_code != ALL_DISTRICTS else f"one {program_name()} {unit_noun()}"


def moved(value: float, outcome: str, form: str = "long") -> str:
    """Return a difference as one says it: ``0.34 percentage points less``; `form` as in `outcome_unit`."""
    if round(value, 2) == 0:
        return "as much"
    return f"{number(abs(value))} {outcome_unit(outcome, form)} {'more' if value > 0 else 'less'}"


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
    small = size_of(study_names().state.outcomes.get(outcome)).words
    better, lost = ("fell", "rose") if verdict.lower_is_better else ("rose", "fell")
    slots = {"gained": better, "lost": lost, "small": small, "outcome": outcome_words(outcome)}
    kind = "too_wide" if verdict.wide else verdict.kind
    return CATALOG.by("verdicts", kind, wide=f"{verdict.wide_pp:g}", asked=outcome, **slots)


def answer(study: Study) -> Finding:
    """Say the effect with its interval, p-value, placebo and smallest detectable effect in one breath."""
    main, verdict = study.answer.main, study.evidence.verdict
    low, high, _ = leading(study.answer)
    single = main.n_treated == 1
    article = "" if single and main.district_code != ALL_DISTRICTS else "the "
    return CATALOG.finding(
        "answer",
        main.estimate_pp,
        (low, high),
        title=district_title(study.answer) if single else best_title(main, low, high, verdict.kind not in UNCLAIMED),
        outcome=capital(outcome_words(main.outcome)),
        name=f"{article}{treated_words(study.answer)}",
        moved=moved(main.estimate_pp, main.outcome),
        main=main,
        leading=leading_words(study.answer),
        verdict=verdict_words(verdict, main.outcome),
        power=power_words(study.answer.detectable, main.outcome),
        placebo=placebo(study),
    )


def power_words(detectable: Detectable, outcome: str) -> str:
    """Say which effects the preferred test finds in half and in four of five such studies."""
    if not math.isfinite(detectable.mde_pp):
        return CATALOG.say("power_none")
    return CATALOG.say("power", detectable=detectable, asked=outcome)


def best_title(main: Estimate, low: float | None, high: float | None, claimed: bool = True) -> str:
    """Return an effect and what else fits the data; where none may be claimed, what the comparison gives."""
    slots = {"value": main.estimate_pp, "asked": main.outcome}
    if not claimed:
        return CATALOG.say("best_unclaimed", interval=between(low, high), **slots)
    if missing(low) or missing(high):
        return CATALOG.say("best_open", **slots)
    return CATALOG.say("best", ends=(low, high), **slots)


def district_title(answer: Answer | OneContrast) -> str:
    """Return how far one district moved beside how far comparison districts move themselves."""
    main, rows = answer.main, answer.permutation
    others = rows.loc[~rows["is_treated"].astype(bool), "placebo_pp"].abs()
    as_far, n = int((others >= abs(main.estimate_pp) - 1e-12).sum()), len(others)
    if as_far == 0:
        beside = CATALOG.say("district_further", n=n)
    elif as_far >= OFTEN * n:
        beside = CATALOG.say("district_within")
    else:
        beside = CATALOG.say("district_as_far", as_far=as_far, n=n)
    much = moved(main.estimate_pp, main.outcome, "")
    return CATALOG.say("district", name=capital(treated_words(answer)), much=much, beside=beside)


def leading(answer: Answer | OneContrast) -> tuple[float | None, float | None, float | None]:
    """Return low, high and p of the preferred test: the one interval that pages and figures show of an answer."""
    if not isinstance(answer, OneContrast) and answer.headline:
        return answer.headline.low_pp, answer.headline.high_pp, answer.headline.p_value
    return answer.main.ci_low_pp, answer.main.ci_high_pp, answer.main.p_value


def leading_words(answer: Answer | OneContrast) -> str:
    """Say interval and p-value of the preferred test, and which test that is where it is not the permutation."""
    low, high, p = leading(answer)
    by = "" if isinstance(answer, OneContrast) or not answer.headline else f", {answer.headline.label.lower()}"
    return f"{interval_words(low, high)}{'' if p is None else f', {probability(p)}'}{by}"


def placebo(study: Study) -> str:
    """Say what the same comparison finds before the program."""
    rows, main = contrast_rows(study.answer), study.answer.main
    same = rows[(rows["role"] == "placebo") & (rows["comparison"] == main.comparison)]
    same = same[(same["pre"] != main.pre) | (same["post"] != main.post)]
    if same.empty:
        return CATALOG.say("placebo_itself") if main.role == "placebo" else no_placebo(study)
    row = same.iloc[0]
    return CATALOG.say("placebo", row=row, ends=(row["ci_low_pp"], row["ci_high_pp"]))


def no_placebo(study: Study) -> str:
    """Say why the same comparison cannot be made before the program."""
    event_study = study.answer.event_study
    contrasts = clock_from(study_names(), event_study.start).contrasts().values()
    placebo_years = {year for item in contrasts if item.role == "placebo" for year in item.years}
    if not placebo_years:
        return CATALOG.say("placebo_undeclared")
    years_lacking = sorted(
        placebo_years - set(event_study.table["year"]), key=lambda year: event_time(year, event_study.start)
    )
    if not years_lacking:
        return CATALOG.say("placebo_few")
    return CATALOG.say("placebo_lacking", years=" and ".join(map(year_words, years_lacking)))


def could_we_see_it(study: Study) -> Finding:
    """Say how many of the published effects this design could have detected, and how likely the largest was."""
    power, answer = study.evidence.power, study.answer
    if power is None:
        return _detects_only(study)
    diluted, bounded = [item.diluted_pp for item in power.published], math.isfinite(power.mde_pp)
    largest = max(power.published, key=lambda item: item.diluted_pp)
    single = answer.main.n_treated == 1
    return CATALOG.finding(
        "power_published",
        power.mde_pp if bounded else None,
        chance=chance_of(largest.power),
        where=CATALOG.say("power_one") if single else CATALOG.say("power_all", name=treated_words(answer)),
        power=power,
        low=min(diluted),
        high=max(diluted),
        detects=CATALOG.say("power_detects", power=power, n=len(diluted)) if bounded else CATALOG.say("power_nothing"),
        excluded=_excluded_words(power),
        assumed=COVERAGE_ASSUMPTION + (PART_ASSUMPTION if study_names().of_part(answer.main.outcome) else ""),
    )


def _detects_only(study: Study) -> Finding:
    """Say what the design detects where no effect on visited students and no coverage is published."""
    detectable, unknown, outcome = study.answer.detectable, CATALOG.say("coverage_unknown"), study.answer.main.outcome
    if not study_names().in_days(outcome):
        unknown = CATALOG.say("outcome_unknown", outcome=outcome)
    if not math.isfinite(detectable.mde_pp):
        return CATALOG.finding("detects_none", unknown=unknown)
    power = power_words(detectable, outcome)
    slots = {"detectable": detectable, "power": power, "unknown": unknown, "asked": outcome}
    return CATALOG.finding("detects", detectable.mde_pp, **slots)


def _excluded_words(power: PowerBlock) -> str:
    """Say which published effects the interval rules out, under the coverage that is assumed."""
    if not power.excluded:
        return ""
    least = min((item for item in power.published if item.excluded), key=lambda item: item.diluted_pp)
    return CATALOG.say("excluded", power=power, n=len(power.published), least=least)


def raw_means(study: Study) -> str:
    """Say how one district, or all together, and each group of others moved from the last year before the program."""
    rows, names = study.answer.raw_means, study_names()
    if rows.empty:
        return CATALOG.say("raw_means_none")
    after = study.data.starts.get(study.answer.main.district_code, names.starts[-1])  # of all together: the last start
    before = names.state.calendar.shift(after, -1)
    others = [name for name in group_labels(names.state) if name != TREATED and name in set(rows["group"])]
    parts = []
    for group in dict.fromkeys([rows["group"].iloc[0], *others]):
        own = rows[rows["group"] == group].set_index("year")
        rates = own["rate_pct"]
        slots = {"label": own["label"].iloc[0], "first": rates[before], "last": rates[after]}
        parts.append(CATALOG.say("raw_means_one", asked=study.answer.main.outcome, **slots))
    return CATALOG.say("raw_means", before=before, after=after, told="; ".join(parts))


def chance(study: Study) -> Finding:
    """Say how often the same computation finds as much where nothing was done, and the least p-value possible."""
    return chance_of_answer(study.answer, len(study.data.starts))


def chance_of_answer(answer: Answer | OneContrast, n: int = 1) -> Finding:
    """Say it of an answer, of which there are `n` alike; see `chance`."""
    main, rows, floor = answer.main, answer.permutation, answer.detectable.floor
    single, cut = main.n_treated == 1, 0.05 / n
    others = rows.loc[~rows["is_treated"].astype(bool), "placebo_pp"] if single else rows["placebo_pp"]
    share = (others.abs() >= abs(main.estimate_pp) - 1e-12).mean() if len(others) else float("nan")
    if not single:
        return CATALOG.finding("chance", main.p_value, share=100 * share, main=main, floor=floor)
    return CATALOG.finding(
        "chance_one",
        main.p_value,
        as_far=round(share * len(others)),
        name=treated_words(answer),
        n=len(others),
        main=main,
        floor=floor,
        passing=CATALOG.say("chance_passing", n=n, cut=cut) if floor > cut and n > 1 else "",
    )


def movement(study: Study) -> str:
    """Say of the outcome that was asked, and of chronic absence, whether the two sides moved together before."""
    long = study.answer.chronic if study.years is None else study.years.points
    return " ".join(dict.fromkeys(map(trends, filter(None, (study.answer.event_study, long)))))


def trends(study: EventStudy) -> str:
    """Say whether the two sides moved together before, and what drift would have been found."""
    if math.isnan(study.joint_p):
        return CATALOG.say("trends_untested", study=study)
    return CATALOG.say("trends_rejected" if study.joint_p < 0.05 else "trends", study=study)


def comparisons(study: Study) -> str:
    """Say how far the answer depends on whom and when one compares."""
    rows = contrast_rows(study.answer)
    values = rows.loc[rows["role"] != "placebo", "estimate_pp"]
    above = int((values > 0).sum())
    outcome = study.answer.main.outcome
    return CATALOG.say("comparisons", above=above, n=len(values), low=values.min(), high=values.max(), asked=outcome)


def drawn(study: Study) -> str:
    """Say whether lots decided who had the program, and what the lottery itself then shows."""
    lottery, answer = study.data.state.program.lottery, study.answer
    if lottery is None:
        return CATALOG.say("not_drawn")
    record = f"; {study.lots.told}" if study.lots else ""
    lead = CATALOG.say("drawn_lead", lottery=lottery, record=record)
    if answer.main.p_method != LOTTERY:
        return CATALOG.say("drawn_elsewhere", lead=lead)
    row = answer.drawn if isinstance(answer, PooledAnswer) else None
    precise = (
        ""
        if row is None
        else CATALOG.say("drawn_precise", row=row, ends=(row.redraw_low, row.redraw_high), asked=answer.main.outcome)
    )
    strata = "the list's strata" if lottery.draw else " by ".join(lottery.within)
    within = f" within {strata}" if strata else ""
    attrition = _attrition_words(study)
    return CATALOG.say("drawn", lead=lead, within=within, main=answer.main, precise=precise, attrition=attrition)


def _attrition_words(study: Study) -> str:
    lost = study.evidence.attrition
    if lost is None:
        return CATALOG.say("attrition_beyond")
    return CATALOG.say("attrition", lost=lost, verdict=CATALOG.say("attrition_low" if lost.low else "attrition_high"))


def outcomes(study: Study) -> str:
    """Say what the same question gives for the other outcomes, corrected for their number."""
    rows, outcome = outcome_rows(study.answer), study.answer.main.outcome
    if rows.empty:
        return CATALOG.say("outcomes_none", asked=outcome)
    lines = [CATALOG.say("outcomes_one", row=row, ends=(row["ci_low_pp"], row["ci_high_pp"])) for row in records(rows)]
    return CATALOG.say("outcomes", asked=outcome, n=len(rows), told="; ".join(lines))


def editions(study: Study) -> str:
    """Say what each edition of the state's file gives."""
    rows = records(study.answer.editions)
    lines = [CATALOG.say("editions_one", row=row, ends=(row["ci_low_pp"], row["ci_high_pp"])) for row in rows]
    return CATALOG.say("editions", told="; ".join(lines))


def rebound(study: Study) -> Finding:
    """Say how much of a rise goes with a fall the year before, as the slope that it is."""
    line, outcome = study.answer.rebound, study.answer.main.outcome
    if line is None:
        reason = next(text for text in study.answer.not_possible if "rise follows a fall" in text)
        return CATALOG.finding("rebound_none", reason=reason)
    _, fell, rose = line.years
    title = CATALOG.say("rebound_rose" if line.slope_high < 0 else "rebound_unclear", fell=fell)
    return CATALOG.finding(
        "rebound",
        line.slope,
        (line.slope_low, line.slope_high),
        title=title,
        more="more" if line.slope < 0 else "less",
        size=abs(line.slope),
        fell=fell,
        rose=rose,
        line=line,
        asked=outcome,
        beyond=_beyond(study.answer.sensitivity.recovery, line, outcome),
    )


def _beyond(gap: Adjusted | None, line: Rebound, outcome: str) -> str:
    """Say how far the treated side lies from the line, with its interval."""
    if gap is None:
        return CATALOG.say("beyond_few", line=line, asked=outcome)
    return CATALOG.say("beyond", gap=gap, ends=(gap.low_pp, gap.high_pp), asked=outcome).strip()


def caveats(study: Study) -> str:
    """Say how days were counted in which year, where the state declares it."""
    words = "; ".join(f"{year} {what}" for year, what in study.data.state.calendar.caveats.items())
    return CATALOG.say("caveats", told=words) if words else CATALOG.say("caveats_none")


def notes(study: Study, part: str) -> str:
    """Return the study's own notes for one part of a page (`data`, `limits_district`, `limits_pooled`)."""
    return " ".join(study.data.state.notes.get(part, ())) or CATALOG.say("notes_none")


def leave_one_out(study: Study) -> Finding:
    """Say which single district moves the answer most."""
    rows, main = study.answer.leave_one_out, study.answer.main
    if rows.empty:
        return CATALOG.finding("leave_one_out_none", main.estimate_pp)
    low, high = extremes(rows, "estimate_pp")
    most = max((low, high), key=lambda row: abs(row["estimate_pp"] - main.estimate_pp))
    return CATALOG.finding("leave_one_out", most["estimate_pp"], most=most, low=low, high=high, main=main)


def grade(study: Study) -> str:
    """Say what the evidence amounts to by the field's own rules."""
    essa, why = study.evidence.essa, study.evidence.wwc.why
    by = ", by the study's own count" if essa.conditions else ""
    return CATALOG.say("grade", essa=essa, counted=by, statement=STATEMENT, why=why)


def days(study: Study) -> str:
    """Say what the effect is in days, and what a day cost or why that cannot be said."""
    cost, outcome, names = study.evidence.cost, study.answer.main.outcome, study_names()
    if not names.in_days(outcome):
        if names.other(outcome):
            return CATALOG.say("days_other")
        return CATALOG.say("days_none", outcome=capital(outcome_words(outcome)))
    if cost is None:
        return CATALOG.say("days_unknown", gained=_days_on_average(study))
    average = cost.days_average
    gain = CATALOG.say("days_gained", value=average.value, ends=(average.low, average.high))
    if cost.dollars_per_day is None:
        return f"{gain}. {cost.refusal}"
    return CATALOG.say("days", gained=gain, money=cost.dollars_per_day, assumed=VISITED_ASSUMPTION)


def _days_on_average(study: Study) -> str:
    main, per_point = study.evidence.verdict, SCHOOL_DAYS / 100
    low, high = (None if end is None else per_point * end for end in (main.low_pp, main.high_pp))
    return CATALOG.say("days_gained", value=per_point * main.estimate_pp, ends=(low, high))


def forest(answer: PooledAnswer) -> Finding:
    """Say the pooled effect, and whether any district stands out once all of them are counted."""
    main, rows = answer.main, answer.by_district
    n, above = len(rows), int((rows["estimate_pp"] > 0).sum())
    clear = int(((rows["ci_low_pp"] > 0) | (rows["ci_high_pp"] < 0)).sum())
    if answer.pooling is None:
        beside = CATALOG.say("forest_clear", clear=clear, n=n)
    else:
        out = answer.caterpillar.loc[answer.caterpillar["p_bh"] <= 0.05, "district"]
        names = " and ".join(short(name) for name in out) or f"no {unit_noun()}"
        beside = CATALOG.say("forest_out", names=names, stand="stand" if len(out) > 1 else "stands", n=n)
    return CATALOG.finding(
        "forest",
        main.estimate_pp,
        (main.ci_low_pp, main.ci_high_pp),
        main=main,
        zero=zero_words(main.ci_low_pp, main.ci_high_pp),
        beside=beside,
        above=above,
        below=n - above,
        n=n,
        clear=clear,
        rejected=int((rows["p_value"] < ALPHA).sum()),
        alone=CATALOG.say("forest_alone", least=rows["mde_pp"].min(), asked=main.outcome) if n > 1 else "",
    )


def disagreement(study: Study) -> Finding:
    """Say how far the state's two newest editions disagree on the last year that is final in both."""
    rows = edition_differences(study.data)
    if rows.empty:
        return CATALOG.finding("disagreement_none")
    year = final_in_both(study.data.state, rows["year"])
    rows = rows[rows["year"] == year]
    n_changed = int((rows["moved_pp"].abs().round(6) >= 1).sum())
    treated = rows[rows["treated"].astype(bool)]
    low, high = extremes(treated if len(treated) > 1 else rows, "moved_pp")
    return CATALOG.finding(
        "disagreement", low["moved_pp"], changed=n_changed, n=len(rows), year=year, low=low, high=high
    )


def state_curve(fewer: float, visited: float) -> Finding:
    """Say the state's fall in chronically absent students beside the students ever visited."""
    return CATALOG.finding("state_curve", fewer, times=fewer / visited, fewer=fewer, visited=visited)
