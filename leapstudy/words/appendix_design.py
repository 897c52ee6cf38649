"""Points of the technical appendix on the design: what is compared with what, when, and what could be seen."""

import pandas as pd

from leapstudy.core.phrases import number, percent, points
from leapstudy.core.table import Table
from leapstudy.data.names import (
    OWN_YEAR,
    comparison_words,
    contrast_words,
    counted_units,
    outcome_words,
    program_name,
    short,
    study_names,
    unit_noun,
    unit_nouns,
    years_words,
)
from leapstudy.did.contrasts import event_time
from leapstudy.evidence.power import PART_ASSUMPTION
from leapstudy.words.appendix_source import Answer, Source, absent, curve_words, named
from leapstudy.words.reading import at, evidence_at


def estimand(source: Source) -> str:
    """What is estimated."""
    r, program = source.reading, program_name()
    return (
        f"The intention-to-treat effect on {outcome_words(r.outcome)}: the mean over treated {unit_nouns()} of "
        f"Y(with {program}) − Y(without {program}) in {years_words(r.post)}, in percentage points, whether or not a "
        "student was visited."
    )


def comparison(source: Source) -> Answer:
    """The comparison group."""
    r, rows, groups = source.reading, source.frame("answer", "comparison_districts"), study_names().state.groups
    why = groups[r.comparison].why.rstrip(".") if r.comparison in groups else "Chosen by hand"
    text = (
        f"{comparison_words(r.comparison)} ({counted_units(r.n_comparison)}). {why}; the other groups stand "
        "beside them as a check."
    )
    return text, None if rows is None else Table(named(rows), f"The comparison {unit_nouns()}", 0)


def unit(source: Source) -> str:
    """Unit, period and weights."""
    weights = at(source.result, "params", "weights") or "equal"
    shown = "equally" if weights == "equal" else "by enrollment before the program"
    return (
        f"The unit is one {unit_noun()} in a school year; the contrast is "
        f"{contrast_words(source.reading.pre, source.reading.post)}; "
        f"{unit_nouns()} are weighted {shown}. {curve_words(source, 'weights')}"
    )


def trends(source: Source) -> str:
    """Which parallel trends are assumed."""
    return (
        f"Without {program_name()}, treated and comparison {unit_nouns()} would have changed equally, on average, "
        "from the mean of the years before to the year after, on the scale of "
        f"{at(source.result, 'params', 'scale') or 'points'}."
    )


def anticipation(source: Source) -> str:
    """The window of anticipation."""
    names = study_names()
    return (
        f"It is assumed that nothing changed before the first school year of the program: {names.program} was "
        f"announced in {names.state.program.begun}, so that {names.before_start()} is a year before the program."
    )


def raw(source: Source) -> Answer:
    """Raw means."""
    rows = source.frame("answer", "raw_means")
    if rows is None:
        return absent("raw means")
    wide = rows.pivot(index="label", columns="year", values="rate_pct").reset_index()
    wide["label"] = wide["label"].map(short)
    running = study_names().running(source.reading.edition)
    table = Table(wide.rename(columns={"label": "Group"}), "Mean attendance by year, percent, before any model", 1)
    return (
        f"Plotted before any model in the notebook, and here as a table{running}.",
        table,
    )


def event_study(source: Source) -> Answer:
    """The event study."""
    rows = source.frame("answer", "event_study", "table")
    if rows is None:
        return absent("event study")
    shown = rows[["year", "estimate_pp", "low_pp", "high_pp", "low_sup_pp", "high_sup_pp"]].set_axis(
        ["Year", "Estimate", "Low", "High", "Low, all years", "High, all years"], axis=1
    )
    reference, value = source.at("answer", "event_study", "reference"), source.at("answer", "event_study", "sup_t")
    text = (
        f"Reference year {reference}; pointwise 95% intervals and a simultaneous band with sup-t value {number(value)}."
    )
    return text, Table(shown, "Event study of attendance, points")


def baseline(source: Source) -> str:
    """The baseline mean."""
    rows = source.frame("answer", "raw_means")
    if rows is None:
        return absent("raw means")
    own = rows[(rows["group"] == rows["group"].iloc[0]) & rows["year"].isin(_before(source))]
    return (
        f"The treated side's mean in {' and '.join(_before(source))} is "
        f"{number(own['rate_pct'].mean(), 1)}%; it stands on the axis of the event study."
    )


def _before(source: Source) -> list[str]:
    """Return the contrast's years before; where starts differ, those before the first start."""
    years, names = source.reading.pre.split("+"), study_names()
    own = [event_time(year, f"{OWN_YEAR}0") for year in years if year.startswith(OWN_YEAR)]
    return [names.state.calendar.shift(names.starts[0], offset) for offset in own] or years


def staggered(source: Source) -> str:
    """Staggered timing."""
    names = study_names()
    if len(names.starts) > 1:
        return (
            f"{names.program} starts in {', '.join(names.starts)}. Each {names.one} is read in its own years, and none "
            "that ever starts is a comparison: forbidden comparisons cannot arise."
        )
    return (
        f"All {names.program} {names.many} start in {names.starts[0]}, so none serves as comparison after its own "
        "start: forbidden comparisons cannot arise."
    )


def scale(source: Source) -> str:
    """Points and log-odds."""
    return (
        f"This result is on the scale of {at(source.result, 'params', 'scale') or 'points'}. "
        f"{curve_words(source, 'scale')}"
    )


def composition(source: Source) -> Answer:
    """Composition, missing figures, and what the answer is with and without figures that look like recording faults."""
    reasons = source.at("answer", "not_possible") or []
    told = " ".join(str(item) for item in reasons)
    kept = f"Only {unit_nouns()} with every year of the contrast are used, so no mean moves because any came or went."
    flags = source.frame("years", "flags")
    if flags is None or flags.empty:
        return f"{kept} {told}".strip()
    columns = ("district", "year", "outcome", "pattern", "direction")
    names = {name: name.capitalize() for name in columns}
    shown = flags[list(names)].rename(columns=names)
    shown["Outcome"] = shown["Outcome"].map(outcome_words)
    text = f"{kept} {told} {_with_and_without(source)}"
    return " ".join(text.split()), Table(
        shown, f"{unit_noun().capitalize()}-years whose published figures are flagged; all are used"
    )


def _with_and_without(source: Source) -> str:
    """Say the main estimate and the long outcome's later years with and without the treated side's flagged years."""
    without, years = source.at("years", "headline_without") or [], source.frame("years", "unflagged")
    main, study = source.reading.effect.value, source.frame("years", "points", "table")
    parts = [f"{row['district']} {points(row['estimate_pp'])} points" for row in without]
    told = (
        [f"The main estimate with every {unit_noun()} is {points(main)} points; {'; '.join(parts)}."] if parts else []
    )
    if years is not None and study is not None and not years.empty:
        every, name = study.set_index("year")["estimate_pp"], outcome_words(str(source.at("years", "outcome")))
        told += [
            f"{name.capitalize()} {row.year}: {points(every[row.year])} points with every {unit_noun()}, "
            f"{points(row.estimate)} without the flagged."
            for row in years[years["scale"] == "points"].itertuples()
        ]
    return " ".join(told)


def reach(source: Source) -> Answer:
    """What could have been seen."""
    r, published = source.reading, evidence_at(source.result.get("blocks") or {}, "power", "published")
    if not published or r.coverage is None:
        return absent("power")
    columns = {
        "label": "Published effect",
        "effect_pp": "On visited students",
        "diluted_pp": "On the whole average",
        "power": "Chance to find it",
        "p_as_large": "p, effect as large",
        "p_equivalent": "p, two one-sided tests",
        "excluded": "Ruled out by the interval",
    }
    rows = pd.DataFrame(published)[list(columns)].rename(columns=columns)
    detects = (
        "The test that leads detects no effect, however large"
        if r.mde is None
        else (
            f"The test that leads detects {number(r.half or 0)} points in half of such studies and {number(r.mde)} in "
            f"80%"
        )
    )
    text = (
        f"{detects}. Published effects are multiplied by the coverage of all together, "
        f"{percent(r.coverage)}, and held against the figures by t tests: of an effect as large (small p: ruled out), "
        "and of one beyond it either way (small p: shown to be smaller)."
        f"{PART_ASSUMPTION if r.of_part else ''}"
    )
    return text, Table(rows, "Published effects beside what can be detected, points")
