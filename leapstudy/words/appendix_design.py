"""Points of the technical appendix on the design: what is compared with what, when, and what could be seen."""

import pandas as pd

from leapstudy.core.phrases import counted, number, percent, points
from leapstudy.core.table import Table
from leapstudy.data.names import comparison_words, contrast_words, outcome_words, short
from leapstudy.words.appendix_source import Answer, Source, absent, curve_words, named
from leapstudy.words.reading import at, evidence_at


def estimand(source: Source) -> str:
    """What is estimated."""
    r = source.reading
    return (
        f"The district intention-to-treat effect on {outcome_words(r.outcome)}: the mean over treated districts of "
        f"Y(with LEAP) − Y(without LEAP) in {r.post.replace('+', ' and ')}, in percentage points, whether or not a "
        f"student was visited."
    )


def comparison(source: Source) -> Answer:
    """The comparison group."""
    r, rows = source.reading, source.frame("answer", "comparison_districts")
    text = (
        f"{comparison_words(r.comparison)} ({counted(r.n_comparison, 'district')}). Alliance districts are the state's "
        "lowest-performing ones, and so the ones most like those picked for LEAP; the other groups stand beside them "
        "as a check."
    )
    return text, None if rows is None else Table(named(rows), "The comparison districts", 0)


def unit(source: Source) -> str:
    """Unit, period and weights."""
    weights = at(source.result, "params", "weights") or "equal"
    shown = "equally" if weights == "equal" else "by enrollment before the program"
    return (
        f"The unit is a district in a school year; the contrast is "
        f"{contrast_words(source.reading.pre, source.reading.post)}; "
        f"districts are weighted {shown}. {curve_words(source, 'weights')}"
    )


def trends(source: Source) -> str:
    """Which parallel trends are assumed."""
    return (
        "Without LEAP, treated and comparison districts would have changed equally, on average, from the mean of the "
        f"years before to the year after, on the scale of {at(source.result, 'params', 'scale') or 'points'}."
    )


def anticipation(source: Source) -> str:
    """The window of anticipation."""
    return (
        "It is assumed that nothing changed ahead of summer 2021: LEAP was announced in April 2021 and the first "
        "visits were made that summer, so 2020-21 is a year before the program."
    )


def raw(source: Source) -> Answer:
    """Raw means."""
    rows = source.frame("answer", "raw_means")
    if rows is None:
        return absent("raw means")
    wide = rows.pivot(index="label", columns="year", values="rate_pct").reset_index()
    wide["label"] = wide["label"].map(short)
    table = Table(wide.rename(columns={"label": "Group"}), "Mean attendance by year, percent, before any model", 1)
    return "Plotted before any model in the notebook, and here as a table; 2022-23 is year-to-date May 2023.", table


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
    own = rows[(rows["group"] == rows["group"].iloc[0]) & rows["year"].isin(source.reading.pre.split("+"))]
    return (
        f"The treated side's mean in {source.reading.pre.replace('+', ' and ')} is "
        f"{number(own['rate_pct'].mean(), 1)}%; it stands on the axis of the event study."
    )


def staggered(source: Source) -> str:
    """Staggered timing."""
    return (
        "All LEAP districts start in 2021-22, so no district serves as comparison after its own start: forbidden "
        "comparisons cannot arise."
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
    kept = "Only districts with every year of the contrast are used, so no mean moves because a district came or went."
    flags = source.frame("years", "flags")
    if flags is None or flags.empty:
        return f"{kept} {told}".strip()
    columns = ("district", "year", "outcome", "pattern", "direction")
    names = {name: name.capitalize() for name in columns}
    shown = flags[list(names)].rename(columns=names)
    shown["Outcome"] = shown["Outcome"].map(outcome_words)
    text = f"{kept} {told} {_with_and_without(source)}"
    return " ".join(text.split()), Table(shown, "District-years whose published figures are flagged; all are used")


def _with_and_without(source: Source) -> str:
    """Say the main estimate and the long outcome's later years with and without the treated side's flagged years."""
    without, years = source.at("years", "headline_without") or [], source.frame("years", "unflagged")
    main, study = source.reading.effect.value, source.frame("years", "points", "table")
    parts = [f"{row['district']} {points(row['estimate_pp'])} points" for row in without]
    told = [f"The main estimate with every district is {points(main)} points; {'; '.join(parts)}."] if parts else []
    if years is not None and study is not None and not years.empty:
        every, name = study.set_index("year")["estimate_pp"], outcome_words(str(source.at("years", "outcome")))
        told += [
            f"{name.capitalize()} {row.year}: {points(every[row.year])} points with every district, "
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
        "diluted_pp": "On the district average",
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
        f"{detects}. Published effects are multiplied by the coverage of all districts together, "
        f"{percent(r.coverage)}, and held against the figures by t tests: of an effect as large (small p: ruled out), "
        "and of one beyond it either way (small p: shown to be smaller)."
    )
    return text, Table(rows, "Published effects beside what can be detected, points")
