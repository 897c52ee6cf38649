"""Points of the technical appendix on how sure: trends, bounds, tests, other estimators, placebos, all districts
together.
"""

import pandas as pd

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
from leapstudy.core.table import Table
from leapstudy.data.names import (
    counted_units,
    parent_noun,
    parent_nouns,
    program_name,
    short,
    study_names,
    unit_noun,
    unit_nouns,
    year_words,
)
from leapstudy.did.nested import LOTTERY
from leapstudy.words.appendix_source import Answer, Source, absent, curve_words, named
from leapstudy.words.bounds import bound_words


def pre_trend(source: Source) -> str:
    """The joint test of earlier trends and its power."""
    told = []
    for name, what in (("event_study", "Attendance"), ("chronic", "Chronic absence")):
        study = source.at("answer", name)
        if study:
            what = f"{what}, {study['table']['year'][0]} to {study['table']['year'][-1]}"
        if study and study["joint_p"] is None:
            told.append(f"{what}: cannot be tested, there are too few years or {unit_nouns()}, or they moved alike.")
        elif study:
            told.append(
                f"{what}: joint {probability(study['joint_p'])}; a linear drift of {number(study['slope_mde_pp'])} "
                "points a year would have been found with 80% power."
            )
    return " ".join(told) or absent("event study")


def not_rejected(source: Source) -> str:
    """What that test allows one to say."""
    p = source.at("answer", "event_study", "joint_p")
    if p is None:
        return absent("event study")
    verdict = "rejected" if p < 0.05 else "not rejected"
    return (
        f"Equal trends are {verdict} ({probability(p)}). Not rejected is not the same as true: see what the test "
        f"could have found."
    )


def bounds(source: Source) -> str:
    """Bounds on departures from parallel trends."""
    found = source.at("answer", "sensitivity", "bounds")
    if not found:
        return absent("Rambachan-Roth bounds")
    reasons = [
        text for text in source.at("answer", "sensitivity", "not_possible") or [] if text.startswith("Robust bounds")
    ]
    return " ".join([*(bound_words(item) for item in found), *reasons])


def inference(source: Source) -> Answer:
    """Inference that fits the design."""
    r = source.reading
    if r.p_value is None or r.verdict.p_floor is None:
        return absent("permutation test")
    label = f"Permutation of the label {program_name()}"
    what = {
        "permutation": f"Placebo permutation over the comparison {unit_nouns()}",
        LOTTERY: f"Randomization inference, the lots for {program_name()} dealt anew among the {unit_nouns()}",
        "cluster_permutation": f"{label} among whole {parent_nouns()}",
        "stratum_permutation": f"{label} among {unit_nouns()} of the same {parent_noun()}",
    }.get(r.p_method, f"{label} among {unit_nouns()}")
    text = (
        f"{what}: {probability(r.p_value)}, {interval_words(r.effect.low, r.effect.high)}; the smallest "
        f"p-value possible is {number(r.verdict.p_floor, 4)}."
    )
    methods = source.frame("answer", "methods")
    if methods is None:
        return text
    leading = methods[methods["is_headline"]].iloc[0]
    refused = " ".join(item["refusal"] for item in source.at("answer", "inference", "methods") if item["refusal"])
    shown = methods[["method", "estimate_pp", "ci_low_pp", "ci_high_pp", "p_value", "p_floor"]].set_axis(
        ["Test", "Estimate", "Low", "High", "p", "Smallest possible p"], axis=1
    )
    why = source.at("answer", "headline_why")
    told = (
        f"{text} The test that leads is {leading['method'].lower()}: {probability(leading['p_value'])}. {why} {refused}"
    )
    return told, Table(shown, "The same question under every test")


def others(source: Source) -> Answer:
    """A second and a third estimator."""
    main = source.reading
    rows = pd.DataFrame(source.result.get("estimates") or [])
    same = rows[(rows["outcome"] == main.outcome) & (rows["comparison"] == main.comparison) & rows["event_time"].isna()]
    same = same[(same["pre"] == main.pre) & (same["post"] == main.post) & (same["edition"] == main.edition)]
    same = same[same["district_code"] == main.code]
    if same["estimator"].nunique() < 2:
        return absent("second estimator")
    shown = same[["estimator", "estimate_pp", "se_pp", "ci_low_pp", "ci_high_pp", "p_value", "p_method"]].set_axis(
        ["Estimator", "Estimate", "Standard error", "Low", "High", "p", "Test"], axis=1
    )
    low, high = same["estimate_pp"].min(), same["estimate_pp"].max()
    text = (
        f"{same['estimator'].nunique()} estimators of the same contrast, from {points(low)} to {points(high)} "
        f"points; the names are those of estimates.csv."
    )
    return text, Table(shown, "Estimators side by side")


def covariates(source: Source) -> str:
    """With and without covariates."""
    found = source.at("answer", "sensitivity", "covariates")
    told = []
    if found:
        ends = between(found["low_pp"], found["high_pp"])
        told = [f"With them the main contrast is {points(found['estimate_pp'])} points ({ends}).", found["note"]]
    traits = [trait.words for trait in study_names().state.unit.traits.values() if trait.adjust]
    if source.at("answer", "chronic"):
        traits.append("chronic absence before the program")
    named_ = "; ".join(traits) or f"none is declared for {unit_nouns()}"
    lead = f"Only traits from before the program may enter: {named_}."
    return " ".join(filter(None, [lead, *told, curve_words(source, "covariates")]))


def placebos(source: Source) -> Answer:
    """Placebos in time and in space, and leaving one out."""
    r, rows = source.reading, source.frame("answer", "leave_one_out")
    earlier = source.frame("answer", "sensitivity", "in_time")
    told = []
    if r.placebo is not None:
        years = "" if earlier is None else f", {earlier['pre'].iloc[0]} to {earlier['post'].iloc[0]}"
        ends = between(r.placebo.low, r.placebo.high)
        told.append(f"In time{years}: {points(r.placebo.value)} points ({ends}), where zero is expected.")
    if earlier is not None:
        away = int(((earlier["low_pp"] > 0) | (earlier["high_pp"] < 0)).sum())
        beside = f"With {counted(len(earlier) - 1, 'year')} of chronic absence beside it, " if len(earlier) > 1 else ""
        exclude = agree(away, "excludes", "exclude")
        told.append(capital(f"{beside}{away} of {len(earlier)} placebo intervals {exclude} zero."))
    told.append("In space: the permutation of point 12.")
    if rows is None or rows.empty:
        return " ".join(told)
    low, high = rows["estimate_pp"].min(), rows["estimate_pp"].max()
    told.append(f"Leaving out one {unit_noun()} moves the estimate between {points(low)} and {points(high)}.")
    return " ".join(told), Table(named(rows.sort_values("estimate_pp")), f"The estimate without each {unit_noun()}", 2)


def rebound(source: Source) -> str:
    """Regression to the mean."""
    found, left = source.at("answer", "rebound"), source.at("answer", "sensitivity", "recovery")
    if not found:
        return absent("rebound")
    gap = f"{points(found['mean_gap_pp'])} points off"
    if left:
        gap = (
            f"{points(left['estimate_pp'])} points off ({interval_words(left['low_pp'], left['high_pp'])}, "
            f"{probability(left['p_value'])})"
        )
    first, fell, rose = map(year_words, found["years"])
    return (
        f"Among {counted_units(found['n'])} without {program_name()} the change to {rose} is "
        f"{number(found['slope'])} per point of change from {first} to {fell} ("
        f"{interval_words(found['slope_low'], found['slope_high'])}). Against that line the treated side is {gap}."
    )


def together(source: Source) -> Answer:
    """All districts together."""
    rows = source.frame("answer", "by_district")
    if rows is None:
        others = source.frame("answer", "among", "districts")
        n = "others" if others is None else f"other {len(others) - 1}"
        return f"See the page of all together; one {unit_noun()}'s own p-value must be read with the {n} in mind."
    shrunken, model = source.frame("answer", "caterpillar"), source.at("answer", "pooling", "shrinkage")
    if shrunken is None or not model:
        return absent("partial pooling"), _named(rows, ALONE, f"Every {unit_noun()}")
    mean = between(model["mu_low_pp"], model["mu_high_pp"])
    text = (
        f"Partial pooling: mean effect {points(model['mu_pp'])} points ({mean}), above zero with probability "
        f"{percent(model['mu_above_zero'], 0)}; standard deviation between {unit_nouns()} {number(model['tau_pp'])} "
        f"({number(model['tau_low_pp'])} to {number(model['tau_high_pp'])}); prior on the mean: "
        f"{model['prior']['source']}."
    )
    return text, _named(
        shrunken, SHRUNKEN, f"Every {unit_noun()} on its own, adjusted for {len(rows)} looks, and shrunken"
    )


ALONE = {
    "district": "Name",
    "estimate_pp": "Estimate",
    "ci_low_pp": "Low",
    "ci_high_pp": "High",
    "p_value": "p",
    "p_floor": "Smallest possible p",
}
SHRUNKEN = {
    "district": "Name",
    "estimate_pp": "Estimate",
    "p_value": "p",
    "p_bh": "p, Benjamini-Hochberg",
    "p_rw": "p, Romano-Wolf",
    "shrunken_pp": "Shrunken",
    "shrunken_low_pp": "Low",
    "shrunken_high_pp": "High",
    "p_above": "P(above zero)",
}


def _named(rows: pd.DataFrame, names: dict[str, str], title: str) -> Table:
    """Return the columns of `names` under their headings, with short names of districts."""
    return Table(rows[list(names)].assign(district=rows["district"].map(short)).rename(columns=names), title)


def again(source: Source) -> Answer:
    """Making it again, and what was planned."""
    made = source.result.get("made") or {}
    rows = [
        ("leapstudy", made.get("leapstudy")),
        ("package", made.get("package_hash")),
        ("lock file", made.get("lock_hash")),
    ]
    rows += [("Python", made.get("python")), *(made.get("packages") or {}).items()]
    rows += [*(made.get("data_hashes") or {}).items(), *(source.result.get("params") or {}).items()]
    shown = pd.DataFrame(
        [(name, "" if value is None else str(value)) for name, value in rows], columns=["What", "Value"]
    )
    text = (
        f"Every number of this page comes from one result file; `leapstudy run` makes it again. {_planned(source)}"
    ).strip()
    return text, Table(shown, "What made this result")


def _planned(source: Source) -> str:
    check, rows = source.at("plan"), source.frame("standings")
    if not check or rows is None:
        return ""
    told = "; ".join(
        f"{item['key']} {item['used']} instead of {item['planned']} ({item['kind']})" for item in check["deviations"]
    )
    count = rows.groupby("standing")["rows"].sum()
    parts = ", ".join(f"{int(number_)} {name}" for name, number_ in count.items())
    return (
        f"Plan of record {check['plan_sha256'][:12]} ({check['status']}). Deviations: {told or 'none'}. Rows of "
        f"estimates.csv: {parts}."
    ) + "".join(f" Added after the plan, and so exploratory: {item}." for item in check.get("additions") or ())
