"""Points of the technical appendix of districts whose answer has figures: their numbers, case by case, and tables."""

from typing import Any

import pandas as pd

from leapstudy.core.phrases import capital
from leapstudy.core.table import Table
from leapstudy.data.names import (
    OWN_YEAR,
    contrast_words,
    outcome_unit,
    outcome_words,
    short,
    study_names,
    unit_noun,
    unit_nouns,
    year_label,
)
from leapstudy.did.contrasts import event_time
from leapstudy.did.nested import LOTTERY
from leapstudy.evidence.power import PART_ASSUMPTION
from leapstudy.words.appendix_source import CI, ENDS, Answer, Source, ends, headed
from leapstudy.words.findings_sensitivity import bound_words
from leapstudy.words.reading import at, evidence_at

BANDS = {"low_sup_pp": "Low, all years", "high_sup_pp": "High, all years"}
FLOOR = {"p_floor": "Smallest possible p"}
LED = {"p_value": "p, preferred test"}
ALONE = {"estimate_pp": "Estimate", "ci_low_pp": "Low, t", "ci_high_pp": "High, t", "p_t": "p, t", **LED, **FLOOR}
ESTIMATORS = {"estimate_pp": "Estimate", "se_pp": "Standard error", **CI, "p_value": "p", "p_method": "Test"}
SHRUNKEN = {
    "estimate_pp": "Estimate",
    **LED,
    "p_bh": "p, Benjamini-Hochberg",
    "p_rw": "p, Romano-Wolf",
    "shrunken_pp": "Shrunken",
    "shrunken_low_pp": "Low",
    "shrunken_high_pp": "High",
    "p_above": "P(above zero)",
}
PUBLISHED = {
    "label": "Published effect",
    "effect_pp": "On visited students",
    "diluted_pp": "On the whole average",
    "power": "Chance to find it",
    "p_as_large": "p, effect as large",
    "p_equivalent": "p, two one-sided tests",
    "excluded": "Ruled out by the interval",
}


def comparison(source: Source) -> Answer:
    """Name the comparison group, why it is one, and its districts."""
    rows, groups, label = source.frame("answer", "comparison_districts"), study_names().state.groups, source.reading
    why = groups[label.comparison].why.rstrip(".") if label.comparison in groups else source.say("by_hand")
    text = source.say("comparison", why=why)
    return text, None if rows is None else _districts(rows, f"The comparison {unit_nouns()}", 0)


def unit(source: Source) -> str:
    """Say what a row is, which years are compared, and how districts are weighted."""
    weights = at(source.result, "params", "weights") or "equal"
    slots = {"contrast": contrast_words(source.reading.pre, source.reading.post), "curve": _curve(source, "weights")}
    sentence = source.say("unit", **slots) if weights == "equal" else source.say("unit_students", **slots)
    nested = at(source.result, "params", "nested") or "none"
    if nested == "none":
        return sentence
    alone = source.say("independent" if source.reading.single else "independent_pooled")
    return sentence + source.say("unit_cluster" if nested == "cluster" else "unit_stratum", independent=alone)


def trends(source: Source) -> str:
    """Say what is assumed of both sides, and where a lottery makes it so."""
    before, after = ("+" in years for years in (source.reading.pre, source.reading.post))
    first = source.say("trends_before" if before else "trends_from")
    last = source.say("trends_after" if after else "trends_year_after" if before else "trends_to")
    sentence = source.say("trends", before=first, after=last)
    lottery = study_names().state.program.lottery if source.reading.drawn else None
    if lottery is None:
        return sentence
    record = at(source.result, "blocks", "lots", "told")
    return sentence + source.say("trends_drawn", lots="; ".join(filter(None, (lottery.source, record))))


def anticipation(source: Source) -> str:
    """Say from when on something may have changed."""
    names = study_names()
    return source.say("anticipation", begun=names.state.program.begun, before=names.before_start())


def raw(source: Source) -> Answer:
    """Show mean attendance before any model."""
    rows = source.frame("answer", "raw_means")
    if rows is None:
        return source.absent("raw means")
    wide = rows.pivot(index="label", columns="year", values="rate_pct").reset_index()
    wide = wide.assign(label=wide["label"].map(short)).rename(columns={"label": "Group"})
    main = source.reading.outcome
    text = source.say("raw", running=study_names().running(source.reading.edition))
    return text, Table(wide, f"{_outcome(source)} by year, mean in {outcome_unit(main, 'level')}, before any model", 1)


def _outcome(source: Source) -> str:
    return capital(outcome_words(str(source.at("answer", "main")["outcome"])))


def event_study(source: Source) -> Answer:
    """Show the event study."""
    rows = source.frame("answer", "event_study", "table")
    if rows is None:
        return source.absent("event study")
    text = source.say("event_study", study=source.at("answer", "event_study"))
    rows = rows.assign(year=rows["year"].map(year_label))
    unit = outcome_unit(source.reading.outcome)
    return text, headed(rows, {"year": "Year", **ENDS, **BANDS}, f"{_outcome(source)}, event study, {unit}")


def baseline(source: Source) -> str:
    """Say the treated side's mean before; where starts differ, before the first start."""
    rows = source.frame("answer", "raw_means")
    if rows is None:
        return source.absent("raw means")
    years, names = source.reading.pre.split("+"), study_names()
    own = [event_time(year, f"{OWN_YEAR}0") for year in years if year.startswith(OWN_YEAR)]
    before = [names.state.calendar.shift(names.starts[0], offset) for offset in own] or years
    rates = rows.loc[(rows["group"] == rows["group"].iloc[0]) & rows["year"].isin(before), "rate_pct"]
    return source.say("baseline", years=" and ".join(before), mean=rates.mean())


def pre_trend(source: Source) -> str:
    """Say the joint test of earlier trends and its power, for both outcomes."""
    sentences = []
    long, years_shown = source.at("years", "points"), source.at("years", "shown") or ()
    own = [
        (source.at("answer", "event_study"), ()),
        (long, years_shown) if long else (source.at("answer", "chronic"), ()),
    ]
    for study, untested_years in own:
        if study:
            table = zip(study["table"]["year"], study["table"]["event_time"], strict=True)
            years = [year for year, since in table if since < 0 and year not in untested_years]
            what = f"{capital(outcome_words(study['outcome']))}, {year_label(years[0])} to {year_label(years[-1])}"
            untested = study["joint_p"] is None
            sentences.append(
                source.say("pre_trend_none", what=what) if untested else source.say("pre_trend", what=what, study=study)
            )
    return " ".join(dict.fromkeys(sentences)) or source.absent("event study")


def not_rejected(source: Source) -> str:
    """Say what that test allows one to say."""
    p = source.at("answer", "event_study", "joint_p")
    if p is None:
        return source.absent("event study")
    return source.say("rejected" if p < 0.05 else "not_rejected", p=p)


def bounds(source: Source) -> str:
    """Say how far trends may depart before the answer changes."""
    bounds_of = [*(source.at("answer", "sensitivity", "bounds") or []), *(source.at("years", "bounds") or [])]
    if not bounds_of:
        return source.absent("Rambachan-Roth bounds")
    reasons = [
        *(source.at("answer", "sensitivity", "not_possible") or []),
        *(source.at("years", "bounds_refused") or []),
    ]
    sentences = [*map(bound_words, bounds_of), *(text for text in reasons if text.startswith("Robust bounds"))]
    return year_label(" ".join(dict.fromkeys(sentences)))


def inference(source: Source) -> Answer:
    """Say the test of the answer, and of one district the one that leads, beside all others."""
    r = source.reading
    if r.p_value is None or r.verdict.p_floor is None:
        return source.absent("permutation test")
    text = source.say(
        {
            "permutation": "inference_single",
            "studentized_noise": "inference_noise",
            "studentized_enrollment": "inference_enrollment",
            LOTTERY: "inference_lottery",
            "cluster_permutation": "inference_cluster",
            "stratum_permutation": "inference_stratum",
        }.get(r.p_method, "inference_single" if r.single else "inference")
    )
    methods = source.frame("answer", "methods")
    if methods is None:
        return text
    leading = methods[methods["is_headline"]].iloc[0]
    refusals = " ".join(item["refusal"] for item in source.at("answer", "inference", "methods") if item["refusal"])
    sentence = source.say(
        "inference_leads",
        text=text,
        name=leading["method"].lower(),
        p=leading["p_value"],
        why=source.at("answer", "headline_why"),
        refused=refusals,
    )
    return sentence, headed(
        methods, {"method": "Test", **CI, "p_value": "p", **FLOOR}, "The same question under every test"
    )


def others(source: Source) -> Answer:
    """Show the other estimators of the same contrast."""
    main = source.reading
    rows = pd.DataFrame(source.result.get("estimates") or [])
    same = rows[(rows["outcome"] == main.outcome) & (rows["comparison"] == main.comparison) & rows["event_time"].isna()]
    same = same[(same["pre"] == main.pre) & (same["post"] == main.post) & (same["edition"] == main.edition)]
    same = same[same["district_code"] == main.code]
    n, values = same["estimator"].nunique(), same["estimate_pp"]
    if n < 2:
        return source.absent("second estimator")
    text = source.say("others", n=n, low=values.min(), high=values.max())
    fewer = same["district"].str.startswith("without ")
    same = same.assign(estimator=same["estimator"].mask(fewer, same["estimator"] + ", " + same["district"]))
    return text, headed(same, {"estimator": "Estimator", **ESTIMATORS}, "Estimators side by side")


def staggered(source: Source) -> str:
    """Say that no district that starts serves as comparison."""
    starts = study_names().starts
    return source.say("staggered_starts" if len(starts) > 1 else "staggered", starts=", ".join(starts))


def covariates(source: Source) -> str:
    """Say the estimate with covariates beside that without."""
    adjusted = source.at("answer", "sensitivity", "covariates")
    traits = [trait.words for trait in study_names().state.unit.traits.values() if trait.adjust]
    traits += ["chronic absence before the program"] if source.at("answer", "chronic") else []
    sentences = [source.say("covariates", traits="; ".join(traits) or source.say("covariates_none"))]
    if adjusted:
        sentences += [source.say("covariates_with", found=adjusted, ends=ends(adjusted)), adjusted["note"]]
    return " ".join(filter(None, [*sentences, _curve(source, "covariates")]))


def placebos(source: Source) -> Answer:
    """Say the placebos in time and in space, and what leaving one out does."""
    rows, earlier = source.frame("answer", "leave_one_out"), source.frame("answer", "sensitivity", "in_time")
    sentences = []
    if source.reading.placebo is not None:
        years = "" if earlier is None else f", {earlier['pre'].iloc[0]} to {earlier['post'].iloc[0]}"
        sentences.append(source.say("placebo_in_time", years=year_label(years)))
    if earlier is not None:
        away = int(((earlier["low_pp"] > 0) | (earlier["high_pp"] < 0)).sum())
        beside = source.say("placebos_beside", n=len(earlier) - 1) if len(earlier) > 1 else ""
        sentences.append(capital(source.say("placebos_away", beside=beside, away=away, n=len(earlier))))
    sentences.append(source.say("placebos_lots" if source.reading.p_method == LOTTERY else "placebos_in_space"))
    if rows is None:
        return " ".join(sentences)
    sentences.append(source.say("placebos", low=rows["estimate_pp"].min(), high=rows["estimate_pp"].max()))
    sides = [side for side in (source.reading.n_treated, source.reading.n_comparison) if side > 1]
    part = f" (the {len(rows):,} that move it most)" if len(rows) < sum(sides) else ""
    title = f"The estimate without each {unit_noun()}{part}"
    return " ".join(sentences), _districts(rows.sort_values("estimate_pp"), title, 2)


def rebound(source: Source) -> str:
    """Say how much of a rise goes with a fall before, and where the treated side lies beside that line."""
    line, recovery = source.at("answer", "rebound"), source.at("answer", "sensitivity", "recovery")
    if not line:
        return source.absent("rebound")
    gap = source.say("rebound_gap", gap=line["mean_gap_pp"])
    gap = source.say("rebound_gap_tested", left=recovery, ends=ends(recovery)) if recovery else gap
    years = dict(zip(("first", "fell", "rose"), line["years"], strict=True))
    return source.say("rebound", found=line, ends=ends(line, "slope_low", "slope_high"), gap=gap, **years)


def scale(source: Source) -> str:
    """Say the scale, and what the other one gives."""
    return source.say("scale", curve=_curve(source, "scale"))


def composition(source: Source) -> Answer:
    """Say whom the means rest on, and what the answer is without figures that look like recording faults."""
    reasons = " ".join(map(str, source.at("answer", "not_possible") or []))
    reasons += f" {source.say('unscreened')}" if source.at("screen", "refused") else ""
    flags = source.frame(_screened_in(source), "flags")
    if flags is None:
        return source.say("composition", told=reasons).strip()
    heads = {"district": capital(unit_noun())}
    heads |= {name: capital(name) for name in ("year", "outcome", "pattern", "direction")}
    text = source.say("composition", told=f"{reasons} {_without_flagged(source)}")
    caption = f"{capital(unit_noun())}-years whose published figures are flagged; all are used"
    return " ".join(text.split()), headed(flags.assign(outcome=flags["outcome"].map(outcome_words)), heads, caption)


def _screened_in(source: Source) -> str:
    """Return the part of the result that holds the flagged years: the outcome over many years', where there is one."""
    return "years" if source.at("years") else "screen"


def _without_flagged(source: Source) -> str:
    """Say the main estimate and the long outcome's later years with and without the treated side's flagged years."""
    without, years = source.at(_screened_in(source), "headline_without") or [], source.frame("years", "unflagged")
    study, sentences = source.frame("years", "points", "table"), []
    if without:
        parts = (source.say("flagged", row=row) for row in without)
        sentences.append(source.say("without_flagged", told="; ".join(parts)))
    if years is not None and study is not None:
        every, name = study.set_index("year")["estimate_pp"], outcome_words(str(source.at("years", "outcome")))
        sentences += [
            source.say(
                "year_without_flagged",
                outcome=capital(name),
                year=row.year,
                every=every[row.year],
                without=row.estimate,
            )
            for row in years[years["scale"] == "points"].itertuples()
        ]
    return " ".join(sentences)


def reach(source: Source) -> Answer:
    """Say which published effects could have been seen."""
    r, published = source.reading, evidence_at(source.result.get("blocks") or {}, "power", "published")
    detects = source.say("detects_nothing") if r.mde is None else source.say("detects", half=r.half or 0)
    if not published or r.coverage is None:
        return source.say("reach_none", detects=detects)
    caption = "Published effects beside what can be detected, points"
    part = PART_ASSUMPTION if r.of_part else ""
    return source.say("reach", detects=detects, part=part), headed(pd.DataFrame(published), PUBLISHED, caption)


def together(source: Source) -> Answer:
    """Show all districts together."""
    rows = source.frame("answer", "by_district")
    if rows is None:
        among = source.frame("answer", "among", "districts")
        return source.say("together_one", n="others" if among is None else f"other {len(among) - 1}")
    shrunken, model = source.frame("answer", "caterpillar"), source.at("answer", "pooling", "shrinkage")
    if shrunken is None or not model:
        return source.absent("partial pooling"), _every(rows, ALONE, f"Every {unit_noun()}")
    caption = f"Every {unit_noun()} on its own, adjusted for {len(rows)} looks, and shrunken"
    text = source.say("together", model=model, ends=ends(model, "mu_low_pp", "mu_high_pp"))
    return text, _every(shrunken, SHRUNKEN, caption)


def _every(rows: pd.DataFrame, heads: dict[str, str], caption: str) -> Table:
    return headed(rows.assign(district=rows["district"].map(short)), {"district": "Name", **heads}, caption)


def _districts(rows: pd.DataFrame, caption: str, digits: int) -> Table:
    """Return districts with what the state lists of them, under headings that a reader understands."""
    columns = {"students": "Students", **study_names().state.unit.listed}
    heads = {"district": "Name", **columns, "side": "Side", "estimate_pp": "Estimate", "placebo_pp": "Placebo effect"}
    own = {name: head for name, head in heads.items() if name in rows}
    return headed(rows.assign(district=rows["district"].map(short)), own, caption, digits)


def _curve(source: Source, choice: str) -> str:
    """Say what the levels of one choice give on average over the specification curve."""
    curve = source.frame("answer", "sensitivity", "curve")
    if curve is None or choice not in curve:
        return source.absent("specification curve, so the other choice is not shown")
    means: Any = curve.groupby(choice)["estimate_pp"].agg(["mean", "size"]).itertuples()
    names = {"points": outcome_unit(source.reading.outcome)} if choice == "scale" else {}
    levels = (source.say("level", name=names.get(row.Index, row.Index), mean=row.mean, n=row.size) for row in means)
    return source.say("curve", told="; ".join(levels))
