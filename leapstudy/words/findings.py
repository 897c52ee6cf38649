"""What a notebook prints under an exhibit: one sentence each, made by rule, every number with its uncertainty."""

import math
import textwrap

import pandas as pd

from leapstudy.core.frames import extremes, records
from leapstudy.core.phrases import (
    between,
    comparison_words,
    counted,
    number,
    outcome_words,
    points,
    probability,
    short,
)
from leapstudy.data.describe import edition_differences
from leapstudy.did.answer import EventStudy, PooledAnswer, Rebound
from leapstudy.did.sensitivity import Adjusted
from leapstudy.figures.common import Answer, contrast_rows, treated_words
from leapstudy.figures.exhibit import LINE
from leapstudy.study.public import Study


def say(text: str) -> None:
    """Print a sentence in lines that fit a notebook and a page."""
    print(textwrap.fill(text, LINE))


def answer(study: Study) -> str:
    """Say the effect with its interval, p-value, placebo and smallest detectable effect in one breath."""
    main = study.answer.main
    holds_zero = main.ci_low_pp is None or main.ci_high_pp is None or main.ci_low_pp <= 0 <= main.ci_high_pp
    verdict = "cannot tell an effect from none" if holds_zero else "differ from no effect"
    return (
        f"{treated_words(study.answer)}: {outcome_words(main.outcome)} changed by {points(main.estimate_pp)} points more than in "
        f"{counted(main.n_comparison, 'comparison district')} ({comparison_words(main.comparison)}); 95 % interval "
        f"{between(main.ci_low_pp, main.ci_high_pp)}, {probability(main.p_value or 1.0)}{_headline(study.answer)}. These figures {verdict}: effects below "
        f"{number(study.answer.detectable.mde_t_pp)} points would mostly go unseen. {placebo(study)}"
    )


def _headline(answer: Answer) -> str:
    """Add the p-value of the test that holds its size, where another than the permutation of the estimate leads."""
    if isinstance(answer, PooledAnswer) or answer.headline.name == "permutation":
        return ""
    return f" by permutation and {probability(answer.headline.p_value or 1.0)} by the test that holds its size here ({answer.headline.label.lower()})"


def placebo(study: Study) -> str:
    """Say what the same comparison finds before the program."""
    rows = contrast_rows(study.answer)
    same = rows[(rows["role"] == "placebo") & (rows["comparison"] == study.answer.main.comparison)]
    if same.empty:
        return "No placebo could be formed for this comparison."
    row = same.iloc[0]
    return (
        f"The placebo, 2019-20 to 2020-21 before any visit, gives {points(row['estimate_pp'])} points "
        f"({between(row['ci_low_pp'], row['ci_high_pp'])}, {probability(row['p_value'])}), where zero is due."
    )


def could_we_see_it(study: Study) -> str:
    """Say how many of the published effects this design could have found."""
    power = study.evidence.power
    diluted = [item.diluted_pp for item in power.published]
    return (
        f"LEAP visited {power.coverage:.1%} of students, so its published effects come to {number(min(diluted))} to {number(max(diluted))} points of the "
        f"average; this design finds {number(power.mde_pp)} points with 80 % power, and so could have seen {power.could_see} of {len(diluted)} of them. "
        f"{power.assumption}"
    )


def raw_means(study: Study) -> str:
    """Say how the treated side and its comparison group moved, without a model."""
    rows = study.answer.raw_means
    groups = [rows["group"].iloc[0], *[name for name in ("alliance", "others") if name in set(rows["group"])]]
    parts = []
    for group in groups:
        own = rows[rows["group"] == group].set_index("year")["rate_pct"]
        parts.append(
            f"{short(rows.loc[rows['group'] == group, 'label'].iloc[0])} went from {own['2020-21']:.1f} to {own['2021-22']:.1f} percent"
        )
    return f"From 2020-21 to 2021-22, {'; '.join(parts)}."


def chance(study: Study) -> str:
    """Say how often the same computation finds as much where nothing was done, and the least p-value possible."""
    main, floor = study.answer.main, study.answer.detectable.floor
    verdict = (
        "No single district could pass a correction for 15 districts (0.0033)."
        if main.n_treated == 1 and floor > 0.05 / 15
        else ""
    )
    where = "comparison districts put in its place" if main.n_treated == 1 else "shuffled labels"
    return f"Among {where}, {probability(main.p_value or 1.0)}; the smallest p-value that this test can give is {floor:.4f}. {verdict}".strip()


def trends(study: EventStudy) -> str:
    """Say whether the two sides moved together before, and what drift would have been found."""
    if math.isnan(study.joint_p):
        return f"Equal movement of {outcome_words(study.outcome)} before the program cannot be tested: there are too few years or districts."
    verdict = "rejected" if study.joint_p < 0.05 else "not rejected"
    return (
        f"Equal movement of {outcome_words(study.outcome)} before the program is {verdict} ({probability(study.joint_p)}); the test would have found a "
        f"drift of {number(study.slope_mde_pp)} points a year with 80 % power, and smaller ones may be there."
    )


def comparisons(study: Study) -> str:
    """Say how far the answer depends on whom and when one compares."""
    rows = contrast_rows(study.answer)
    kept = rows[rows["role"] != "placebo"]
    above = int((kept["estimate_pp"] > 0).sum())
    return (
        f"{above} of {len(kept)} estimates are above zero, from {points(kept['estimate_pp'].min())} to {points(kept['estimate_pp'].max())} points: "
        "a single one of them, picked for its size, would mislead."
    )


def editions(study: Study) -> str:
    """Say what each edition of the state's file gives."""
    found = [
        f"{points(row['estimate_pp'])} ({between(row['ci_low_pp'], row['ci_high_pp'])}) on the {row['edition']} edition"
        for row in records(study.answer.editions)
    ]
    return f"The same comparison gives {'; '.join(found)}."


def rebound(study: Study) -> str:
    """Say what regression to the mean alone would give."""
    shown = study.answer.rebound
    share = f"{-shown.slope:.0%} (95 % interval {-shown.slope_high:.0%} to {-shown.slope_low:.0%})"
    return (
        f"{counted(shown.n, 'comparison district')} won back {share} of what they had lost in 2020-21; against that line the treated side is "
        f"{_beyond(study.answer.sensitivity.recovery, shown)}"
    )


def _beyond(found: Adjusted | None, shown: Rebound) -> str:
    """Say how far the treated side lies from the line, with its interval."""
    if found is None:
        return f"{points(shown.mean_gap_pp)} points off; too few comparison districts for an interval."
    interval = between(found.low_pp, found.high_pp)
    return f"{points(found.estimate_pp)} points off (95 % interval {interval}, {probability(found.p_value)}). {found.note}".strip()


def leave_one_out(study: Study) -> str:
    """Say how far one district can move the answer."""
    rows = study.answer.leave_one_out
    low, high = extremes(rows, "estimate_pp")
    return (
        f"Without one district the estimate lies between {points(low['estimate_pp'])} (without {short(low['district'])}) and "
        f"{points(high['estimate_pp'])} points (without {short(high['district'])})."
    )


def grade(study: Study) -> str:
    """Say what the evidence amounts to by the field's own rules."""
    evidence = study.evidence
    label = evidence.essa.label
    return f"ESSA {label}, by the study's own count. {evidence.wwc.statement} {evidence.wwc.why}"


def days(study: Study) -> str:
    """Say what the effect is in days, and what a day cost or why that cannot be said."""
    cost = study.evidence.cost
    average = cost.days_average
    gained = f"{points(average.value, 1)} days a year per average student ({between(average.low, average.high, 1)})"
    if cost.dollars_per_day is None:
        return f"{gained}. {cost.refusal}"
    money = cost.dollars_per_day
    return f"{gained}; ${money.value:,.0f} for each extra day attended (${money.low:,.0f} to ${money.high:,.0f}). {cost.assumption}"


def districts(study: Study, by_district: pd.DataFrame) -> str:
    """Say how the districts' own estimates lie, next to the pooled one."""
    excludes = int(((by_district["ci_low_pp"] > 0) | (by_district["ci_high_pp"] < 0)).sum())
    above = int((by_district["estimate_pp"] > 0).sum())
    return (
        f"{above} of {len(by_district)} districts are above zero and {len(by_district) - above} below; {excludes} of {len(by_district)} intervals leave zero out. "
        f"One district alone would have to move by {number(by_district['mde_pp'].min())} points to be seen."
    )


def disagreement(study: Study) -> str:
    """Say how far the state's two editions disagree on 2020-21."""
    rows = edition_differences(study.data).query("year == '2020-21'")
    moved = int((rows["moved_pp"].abs().round(6) >= 1).sum())
    low, high = extremes(rows, "moved_pp")
    return (
        f"{moved} of {len(rows)} districts' 2020-21 figures moved by a point or more between the editions, from {points(low['moved_pp'])} points "
        f"({short(low['district'])}) to {points(high['moved_pp'])} ({short(high['district'])})."
    )
