"""What an outcome over many years shows: one finding for the picture, and one for what flagged years do to the
headline.
"""

import math

from leapstudy.core.estimate import Estimate
from leapstudy.core.phrases import between, capital, interval_words, number, points, probability
from leapstudy.data.names import comparison_short, comparison_words, outcome_words, study_names, unit_noun, unit_nouns
from leapstudy.evidence.verdict import can_reject, rejects
from leapstudy.study.over_years import OverYears
from leapstudy.words.sentences import Finding


def side_words(answer: OverYears) -> str:
    """Return the treated side as a sentence names it: the district, or how many districts of the program."""
    names = study_names()
    return answer.name if answer.n_treated == 1 else names.units(answer.n_treated, names.program)


def comparison_side(answer: OverYears) -> str:
    """Return the comparison side with its number: ``19 districts without the program``."""
    names = study_names()
    if answer.comparison in names.state.groups:
        return f"{answer.n_comparison} {comparison_words(answer.comparison)}"
    return f"{names.units(answer.n_comparison)} {comparison_short(answer.comparison)}"


def over_years(answer: OverYears) -> Finding:
    """Say how the difference since the last year before the program moved, on both scales, since they can disagree."""
    in_points, in_odds = (study.table[study.table["event_time"] >= 0] for study in (answer.points, answer.odds))
    levels = answer.levels[answer.levels["group"] == "treated"].set_index("year")["percent"]
    moved = "rose" if levels[answer.after[-1]] >= levels[answer.before[-1]] else "fell"
    told = [_more(table["estimate_pp"].tolist(), moved) for table in (in_points, in_odds)]
    how = f"{told[0]} in points and in odds" if told[0] == told[1] else f"{told[0]} in points, {told[1]} in odds"
    clear = [any(map(_excludes_zero, published(answer, name).values())) for name in ("did", "did_logodds")]
    tail = {
        (False, False): "no later year is distinguishable from zero",
        (True, True): "some later years exclude zero on both scales",
        (True, False): "some later years exclude zero in points, none in odds",
        (False, True): "some later years exclude zero in odds, none in points",
    }[clear[0], clear[1]]
    title = (
        f"{outcome_words(answer.outcome).capitalize()} {moved} {how} in {side_words(answer)} than in the "
        f"comparison; {tail}"
    )
    last = published(answer)[answer.after[-1]]
    return Finding(title, _detail(answer), last.estimate_pp, last.ci_low_pp, last.ci_high_pp)


def published(answer: OverYears, estimator: str = "did") -> dict[str, Estimate]:
    """Return each later year's row of `estimates.csv`: its interval is that of the test that leads."""
    base = answer.before[-1]
    own = (row for row in answer.estimates if row.estimator == estimator and row.comparison == answer.comparison)
    return {row.post: row for row in own if row.pre == base and row.post in answer.after}


def _excludes_zero(row: Estimate) -> bool:
    return (row.ci_low_pp or 0) > 0 or (row.ci_high_pp or 0) < 0


def in_short(answer: OverYears) -> str:
    """Say in two sentences what the first and the last later year show since the last year before the program."""
    base, ends = answer.before[-1], (answer.after[0], answer.after[-1])
    rows = [row for year, row in published(answer).items() if year in ends]
    told = " and ".join(
        f"{points(row.estimate_pp)} ({interval_words(row.ci_low_pp, row.ci_high_pp)}) by {row.post}" for row in rows
    )
    apart = any(map(_excludes_zero, rows))
    verdict = "at least one interval excludes zero" if apart else "neither is statistically distinguishable from zero"
    return (
        f"{outcome_words(answer.outcome).capitalize()}, where more is worse, was added after the plan. From {base} it "
        f"moved in {side_words(answer)}, beyond the change in {comparison_side(answer)}, by {told} percentage points; "
        f"{verdict if len(rows) > 1 or apart else 'it is not statistically distinguishable from zero'}. {answer.later}"
    )


def _more(values: list[float], moved: str) -> str:
    """Return ``more``, ``less`` or ``as much`` by the sign of all later years; a fall of more is a lower value."""
    up = sum(value > 0 for value in values)
    if 0 < up < len(values):
        return "more in some years and less in others"
    return "more" if (up > 0) == (moved == "rose") else "less"


def _detail(answer: OverYears) -> str:
    odds = answer.odds.table.set_index("year")
    sentences = []
    for year, row in published(answer).items():
        its = odds.loc[year]
        ratio = ", ".join(f"×{math.exp(its[name]):.2f}" for name in ("estimate_pp", "low_pp", "high_pp"))
        first, low, high = ratio.split(", ")
        sentences.append(
            f"{year}: {points(row.estimate_pp)} points ({interval_words(row.ci_low_pp, row.ci_high_pp)}), odds {first} "
            f"({low} to {high})"
        )
    told = f"Change since {answer.before[-1]} beyond {comparison_side(answer)}, more is worse. {'. '.join(sentences)}."
    for row in answer.unflagged[answer.unflagged["scale"] == "points"].itertuples():
        told += (
            f" Without {flagged_names(answer, row.year)}, whose {row.year} figure is flagged, {row.year} is "
            f"{points(row.estimate)} points."
        )
    return f"{told} {answer.later}"


def flagged_names(answer: OverYears, year: str) -> str:
    """Return the treated districts whose figure of a year is flagged."""
    codes = answer.unflagged.loc[answer.unflagged["year"] == year, "units"].iloc[0].split(", ")
    names = answer.flags.drop_duplicates("unit").set_index("unit")["district"]
    return " and ".join(str(names[code]) for code in codes)


def flagged_headline(answer: OverYears) -> Finding | None:
    """Say what the planned main estimate is without treated districts whose figures are flagged; None without such."""
    if not answer.headline_without:
        return None
    told = "; ".join(
        f"{row.district} {points(row.estimate_pp)} points ({interval_words(row.ci_low_pp, row.ci_high_pp)})"
        for row in answer.headline_without
    )
    return Finding(
        "Some published figures look like recording faults, and the answer depends on them",
        f"The main estimate is {told}. A flagged figure stays in the answer: a flag is a question to the "
        f"{unit_noun()}, not a verdict.",
    )


def flagged_district(answer: OverYears) -> Finding | None:
    """Say on a district's own page that one of its figures is flagged; None where none is."""
    own = answer.flags[answer.flags["unit"] == answer.code]
    if own.empty:
        return None
    told = "; ".join(
        f"{outcome_words(row.outcome)} {row.year} is unusually {row.direction} ({row.pattern})"
        for row in own.itertuples()
    )
    return Finding(
        f"{answer.name}: published figures that look like recording faults",
        f"{capital(told)}. The screen compares with the changes of other {unit_nouns()} and its own "
        f"history; it does not know the reason. Without that year nothing can be estimated for this {unit_noun()} "
        "alone.",
    )


def synthetic(answer: OverYears) -> Finding | None:
    """Say what weights of the comparison districts, fitted to the years before, give for one district."""
    if answer.synthetic is None:
        return None
    did, control = answer.synthetic.methods
    if did.estimate_pp is None or did.p_value is None:
        return Finding(f"No weighted comparison of {answer.name} can be made", did.refusal)
    ends = f"95% CI {between(did.low_pp, did.high_pp)}, " if did.low_pp is not None and did.high_pp is not None else ""
    years = f"mean of the {len(answer.before)} years before to the mean of the {len(answer.after)} later ones"
    told = (
        f"Synthetic difference-in-differences, {years}: {points(did.estimate_pp)} points ({ends}placebo "
        f"{probability(did.p_value)}, at least {number(did.p_floor or 0)}). Synthetic control: "
    )
    if control.estimate_pp is None:
        told += f"refused. {control.refusal}"
    else:
        told += f"{points(control.estimate_pp)} points (placebo {probability(control.p_value)}). {control.note}"
    clear = rejects(did.p_value)
    told += " One such test in 20 excludes zero by chance." if clear else ""
    verdict = f"{'is' if clear else 'is not'} statistically distinguishable from zero"
    verdict = verdict if can_reject(did.p_floor) else "cannot be tested at 5%: too few of them can stand in its place"
    return Finding(
        f"Against comparison {unit_nouns()} weighted to move as {answer.name} did before, the change in "
        f"{outcome_words(answer.outcome)} {verdict}",
        told,
    )


def told(answer: OverYears | None) -> str:
    """Return every sentence of a page: the finding, and what flagged figures do to the answer."""
    if answer is None:
        if not any(outcome.long for outcome in study_names().state.outcomes.values()):
            return "The study declares no outcome over many years."
        return (
            "The outcome over many years cannot be formed for this question: figures are lacking, or there is no peer."
        )
    findings = (over_years(answer), synthetic(answer), flagged_headline(answer), flagged_district(answer))
    return " ".join(str(finding) for finding in findings if finding is not None)
