"""What a notebook prints under the pictures of sensitivity: one sentence each, made by rule."""

from leapstudy.core.frames import records
from leapstudy.core.phrases import (
    agree,
    between,
    capital,
    counted,
    interval_words,
    number,
    percent,
    points,
    probability,
)
from leapstudy.data.names import counted_units, program_name, unit_noun, unit_nouns
from leapstudy.did.answer import Answer, DistrictAnswer, PooledAnswer, estimator_rows
from leapstudy.did.pooling.prior import FLAT, Prior
from leapstudy.study.choice import Choice
from leapstudy.study.public import Study
from leapstudy.study.result import jsonable
from leapstudy.words.bounds import bound_words


def tests(answer: DistrictAnswer) -> str:
    """Say what the test that holds its size finds, and how far the others agree."""
    made, leading = answer.methods, answer.headline
    p = made["p_value"].dropna()
    low, high = (None if end is None or abs(end) == float("inf") else end for end in (leading.low_pp, leading.high_pp))
    return (
        f"{leading.label} leads: {probability(leading.p_value)} ({between(low, high)}). {answer.headline_why} "
        f"{leading.note} Over {counted(len(made), 'method')} the p-values run from {probability(p.min())} to "
        f"{probability(p.max())}."
    )


def pooled(answer: PooledAnswer) -> str:
    """Say what all districts tell of each other, and how many survive a look at all of them."""
    found = answer.pooling
    if found is None:
        return next(text for text in answer.not_possible if text.startswith("Partial pooling"))
    model, rows = found.shrinkage, found.districts
    sure = int(((rows["shrunken_low_pp"] > 0) | (rows["shrunken_high_pp"] < 0)).sum())
    lead = "The" if model.prior == FLAT else f"With {_prior_words(model.prior)} the"
    return (
        f"{lead} mean effect over {unit_nouns()} is {points(model.mu_pp)} points ("
        f"{interval_words(model.mu_low_pp, model.mu_high_pp)}), above zero with probability "
        f"{number(model.mu_above_zero)}; {unit_nouns()} differ by a standard deviation of {number(model.tau_pp)} "
        f"({number(model.tau_low_pp)} to {number(model.tau_high_pp)}). {sure} of {len(rows)} shrunken intervals "
        f"{agree(sure, 'excludes', 'exclude')} zero; counting that {counted_units(len(rows))} were looked at, the "
        f"smallest p-values are "
        f"{probability(rows['p_bh'].min())} (Benjamini-Hochberg) and {probability(rows['p_rw'].min())} (Romano-Wolf). "
        f"The chance that one {unit_noun()} gained "
        f"{number(model.threshold_pp, 1)} points or more is {percent(rows['p_above_threshold'].min(), 0)} to "
        f"{percent(rows['p_above_threshold'].max(), 0)}.{_informed(answer)}"
    )


def _informed(answer: PooledAnswer) -> str:
    if answer.informed is None or answer.pooling is None:
        return ""
    model, flat = answer.informed, answer.pooling.shrinkage
    # the prior outweighs the figures where its standard deviation is below theirs, a quarter of the interval
    speaks = (
        ": there the prior speaks, not these figures"
        if model.prior.sd_pp < (flat.mu_high_pp - flat.mu_low_pp) / 4
        else ""
    )
    return (
        f" With {_prior_words(model.prior)} the mean effect is {points(model.mu_pp)} "
        f"({between(model.mu_low_pp, model.mu_high_pp)}){speaks}."
    )


def _prior_words(prior: Prior) -> str:
    return f"{prior.source} as prior ({points(prior.mean_pp)}, standard deviation {number(prior.sd_pp)})"


def curve(answer: Answer) -> str:
    """Say how many specifications lie on each side of zero, and how many of them had a fair start."""
    count, shown = answer.sensitivity.summary, answer.sensitivity.curve["estimate_pp"]
    share = percent(count["above"] / count["n"], 0)
    fair = (
        f"Of the {count['fair']} whose own placebo is not rejected, {count['fair_above']} "
        f"{agree(count['fair_above'], 'lies', 'lie')} above zero, and "
        f"{count['fair_clear_above']} above and {count['fair_clear_below']} below have an interval that excludes zero."
        if count["fair"]
        else "Not one of them has a placebo that is not rejected."
    )
    return (
        f"{count['above']} of {count['n']} specifications ({share}) "
        f"{agree(count['above'], 'lies', 'lie')} above zero, {count['below']} below; the "
        f"median is {points(shown.median())} points, the range {between(shown.min(), shown.max())}. "
        f"Intervals wholly above zero: {count['clear_above']}; wholly below: {count['clear_below']}. {fair}"
    )


def in_time(answer: Answer) -> str:
    """Say how often the same computation finds an effect where none can be."""
    table = answer.sensitivity.in_time
    expected = 0.05 * len(table)
    away = int(((table["low_pp"] > 0) | (table["high_pp"] < 0)).sum())
    return (
        f"{away} of {len(table)} placebos in years before the program "
        f"{agree(away, 'excludes', 'exclude')} zero, where about {number(expected, 1)} "
        f"would by chance; "
        f"the largest is {points(max(table['estimate_pp'].tolist(), key=abs))} points."
    )


def estimators(answer: Answer) -> str:
    """Say what the other estimators give, each with its interval, and where a prediction goes beyond what was seen."""
    told = [
        f"{row['label']} {points(row['estimate_pp'])} ({between(row['ci_low_pp'], row['ci_high_pp'])})"
        for row in records(estimator_rows(answer))
    ]
    others = (answer.sensitivity.covariates, answer.sensitivity.recovery)
    beyond = " ".join(item.note for item in others if item is not None and item.note)
    return (
        f"{capital('; '.join(told))}. A linear trend of two years before carries no check of its own. {beyond}"
    ).strip()


def bounds(answer: Answer) -> str:
    """Say how far trends may depart before the answer changes, and what few years before can carry."""
    reasons = [text for text in answer.sensitivity.not_possible if text.startswith("Robust bounds")]
    return " ".join([*(bound_words(jsonable(item)) for item in answer.sensitivity.bounds), *reasons])


def grade_conditions(study: Study) -> str:
    """Say which conditions of the evidence tiers are met, and why the others are not."""
    conditions = study.evidence.essa.conditions
    if not conditions:
        return "No condition of the evidence tiers is judged for a contrast before the program."
    missing = "; ".join(
        f"{item.name}: {item.reason.removeprefix('not met because ').rstrip('.')}"
        for item in conditions
        if not item.met
    )
    met = [item.name for item in conditions if item.met]
    return f"Met: {', '.join(met) or 'none'}. Not met: {missing or 'none'}."


def plan(study: Study) -> str:
    """Say how this run stands to the plan of record, and how many of its rows were not planned."""
    check, rows = study.plan, study.standings
    told = (
        "; ".join(f"{item.key} {item.used} instead of {item.planned} ({item.kind})" for item in check.deviations)
        or "none"
    )
    count = rows.groupby("standing")["rows"].sum()
    parts = [f"{int(count.get(name, 0))} {name}" for name in ("as planned", "planned sensitivity", "exploratory")]
    return (
        f"Plan of record {check.plan_sha256[:12]} ({check.status}). Deviations of this run: {told}. Of its "
        f"{int(count.sum())} rows, {', '.join(parts)}."
    ) + "".join(f" Added after the plan, and so exploratory: {item}." for item in check.additions)


def choice(record: Choice) -> str:
    """Say which comparison group was chosen, when, and how like the treated districts it was."""
    sets, chosen = record.sets, record.chosen_set
    others = ", ".join(f"{item.name} {number(item.mean_gap)}" for item in sets)
    return (
        f"{chosen.name} was put on record at {record.made_at} (record {record.sha256[:12]}), rank {chosen.rank} of "
        f"{len(sets)} by likeness before {program_name()}; mean "
        f"distance in standard deviations: {others}. {record.reason}"
    )
