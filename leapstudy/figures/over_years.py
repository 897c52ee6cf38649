"""An outcome over many years: both sides' levels, and the difference on both scales, never one without the other."""

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import TICKDOWN

from leapstudy.data.names import counted_units, program_name, unit_noun
from leapstudy.did.eventstudy import EventStudy
from leapstudy.figures.common import MANY, context_lines
from leapstudy.figures.exhibit import Caption, Exhibit, at_both_widths
from leapstudy.figures.frame import axes, frame, inches_across, label, mark, signed, styled, wrap
from leapstudy.figures.palette import COMPARISON, CONTEXT, INK, OWN, SHADE, SMALL, TEXT, WARNING, WIDE
from leapstudy.figures.ticks import set_ticks
from leapstudy.study.over_years import OverYears
from leapstudy.words import over_years as words
from leapstudy.words.appendix_public import BANDS

# Inches: height of the levels, of a panel of differences, and of what stands between two of them.
LEVELS, PANEL, BETWEEN = 2.75, 1.75, 0.8


@at_both_widths
def over_years(answer: OverYears, width: float = WIDE, tag: str = "") -> Exhibit:
    """Draw the levels on top and the differences from the base year below, in points and in odds.

    Parameters
    ----------
    answer
        From `leapstudy.study.over_years.over_years`.
    width
        `WIDE` or `NARROW` inches.
    tag
        See `frame`.
    """
    finding, sides = words.over_years(answer), (words.side_words(answer), words.comparison_side(answer))
    caption = Caption(
        what=f"Means of both sides, and their difference since {answer.before[-1]}",
        source=answer.source,
        sample=f"{sides[0]} against {sides[1]}",
        years=f"{answer.before[0]} to {answer.before[-1]} before, {answer.after[0]} to {answer.after[-1]} after",
        n=f"{answer.n_treated} treated, {counted_units(answer.n_comparison, 'comparison')}",
    )
    aside = "; ".join(f"{year} {why}" for year, why in answer.shown.items())
    source = f"{answer.source}. Shown and not used: {aside}. Bars: 95% CI by year (t by {unit_noun()}); "
    source += "sentences give those of the preferred test."
    figure = _figure(answer, finding.title, (*sides, "whole state"), source, width, tag)
    return Exhibit(figure, finding.title, finding.alt, caption, _table(answer))


def _table(answer: OverYears) -> pd.DataFrame:
    table = answer.points.table[["year", "estimate_pp", "low_pp", "high_pp", "low_sup_pp", "high_sup_pp"]]
    odds = np.exp(answer.odds.table.set_index("year")["estimate_pp"]).reindex(table["year"]).to_numpy()
    return table.assign(odds=odds).set_axis(["Year", "Points", "Low", "High", *BANDS.values(), "Odds ratio"], axis=1)


def _figure(answer: OverYears, title: str, labels: tuple[str, str, str], source: str, width: float, tag: str) -> Figure:
    wide, room = width >= WIDE, 1.45 if width >= WIDE else 1.15
    band = "; shaded: nine in ten" if answer.n_treated == 1 and answer.n_comparison > MANY else ""
    what = f"Students missing 10% or more of days; means of {labels[0]} and {labels[1]}{band}"
    height = LEVELS + (1 if wide else 2) * (PANEL + BETWEEN) + 0.3
    with styled():
        figure, _, top = frame(title, what, source, height, width=width, tag=tag)
        _levels(axes(figure, 0.55, width - room, top - LEVELS, top - 0.05), answer, labels, room - 0.15)
        first, middle = top - LEVELS - BETWEEN, width / 2
        if wide:
            sides = ((0.55, middle - 0.25, first), (middle + 0.5, width - 0.3, first))
        else:
            sides = ((0.6, width - 0.3, first), (0.6, width - 0.3, first - PANEL - BETWEEN))
        for (left, right, high), study, scale in zip(
            sides, (answer.points, answer.odds), ("points", "logodds"), strict=True
        ):
            _difference(axes(figure, left, right, high - PANEL, high), answer, study, scale)
    return figure


def _place(year: str) -> int:
    return int(year[:4])


def _time_axis(axes: Axes, years: Sequence[str], labels: Sequence[str]) -> None:
    set_ticks(axes.xaxis, [_place(year) for year in labels], labels)
    look: dict[str, Any] = {"marker": TICKDOWN, "markersize": 2.5, "color": CONTEXT, "linestyle": "none"}
    places = [_place(year) for year in years]
    axes.plot(places, np.zeros(len(places)), transform=axes.get_xaxis_transform(), clip_on=False, **look)
    axes.set_xlim(_place(years[0]) - 0.5, _place(years[-1]) + 0.5)


def _year_labels(axes: Axes, years: tuple[str, ...]) -> tuple[str, ...]:
    """Return the years that have room for their names: the first and the last at least."""
    return years if inches_across(axes) > 3 else (years[0], years[-1])


def _years(answer: OverYears) -> list[str]:
    first, last = _place(answer.before[0]), _place(answer.after[-1])
    return [f"{year}-{(year + 1) % 100:02d}" for year in range(first, last + 1)]


def _gap(axes: Axes, answer: OverYears) -> None:
    """Shade the years without figures, and draw the line where the program starts."""
    years_with = set(answer.levels.loc[answer.levels["group"] != "state", "year"])
    for year in _years(answer):
        if year not in years_with:
            axes.axvspan(_place(year) - 0.5, _place(year) + 0.5, color=SHADE, linewidth=0, zorder=0)
    axes.axvline(_place(answer.start) - 0.5, color=INK, linewidth=1.2, zorder=1)


def _last(answer: OverYears, rows: pd.DataFrame) -> str:
    """Return the last figure; the state's may be of an earlier year than the labels stand at."""
    year, percent = rows["year"].iloc[-1], f"{rows['percent'].iloc[-1]:.1f}%"
    return percent if year == answer.after[-1] else f"{percent} in {year}"


def _levels(axes: Axes, answer: OverYears, labels: tuple[str, str, str], room: float) -> None:
    _gap(axes, answer)
    levels = answer.levels
    colors = {"state": CONTEXT, "comparison": COMPARISON, "treated": OWN}
    ends: list[tuple[float, str, str, str]] = []
    for group, name in zip(("treated", "comparison", "state"), labels, strict=True):
        rows = levels[levels["group"] == group].dropna()
        x, y = rows["year"].map(_place).to_numpy(), rows["percent"].to_numpy()
        _line(axes, answer, x, y, rows["year"].tolist(), colors[group], dots=group != "state")
        ends.append(
            (
                float(y[-1]),
                "\n".join([*wrap(name, SMALL + 0.5, room), *wrap(_last(answer, rows), SMALL + 0.5, room)]),
                colors[group] if group != "state" else COMPARISON,
                "bold" if group == "treated" else "normal",
            )
        )
    if answer.n_treated == 1:
        units = answer.units.pivot(index="district_code", columns="year", values="percent")
        context_lines(axes, units.columns.map(_place).to_numpy(), units.to_numpy(), 0.6, 0.5)
    years = _years(answer)
    highest = float(levels["percent"].max()) * 1.12
    axes.set_ylim(0, highest)
    _end_labels(axes, ends, highest)
    _warn(axes, answer)
    ticks = list(range(0, int(highest) + 1, 10))
    set_ticks(axes.yaxis, ticks, [f"{tick}%" if tick == ticks[-1] else str(tick) for tick in ticks])
    axes.text(
        _place(answer.start) - 0.6,
        highest * 0.99,
        f"{program_name()} begins,\n{answer.start}",
        ha="right",
        va="top",
        size=TEXT,
        color=INK,
    )
    _time_axis(axes, years, _year_labels(axes, (years[0], answer.before[-1], answer.start)))


def _line(
    axes: Axes, answer: OverYears, x: np.ndarray, y: np.ndarray, years: list[str], color: str, *, dots: bool
) -> None:
    """Draw a line that is dotted over missing years, with hollow marks where a year is incomplete."""
    missing = np.diff(x) > 1
    for part, width, style in ((~missing, 2.4 if dots else 1.2, "-"), (missing, 1.2, ":" if dots else "-")):
        pieces = [np.column_stack([ends[:-1], ends[1:], np.full(len(part), np.nan)])[part].ravel() for ends in (x, y)]
        axes.plot(*pieces, color=color, linewidth=width, linestyle=style, zorder=2)
    if dots:
        hollow = np.array([year in answer.shown for year in years])
        mark(axes, x[~hollow], y[~hollow], "o", color, 5)
        mark(axes, x[hollow], y[hollow], "o", color, 5, hollow=True)


def _end_labels(axes: Axes, ends: list[tuple[float, str, str, str]], highest: float) -> None:
    """Write each line's name and last value beside its end, apart where they would meet."""
    line = highest * (SMALL + 0.5) * 1.3 / 72 / LEVELS
    place = highest
    for value, text, color, weight in sorted(ends, reverse=True):
        place = min(value + line, place)
        look: dict[str, Any] = {"va": "top", "color": color, "weight": weight, "size": SMALL + 0.5}
        label(axes, text, (1.0, place), (6, 0), x="axes fraction", **look)
        place -= line * (text.count("\n") + 1.4)


def _warn(axes: Axes, answer: OverYears) -> None:
    """Mark the treated mean without flagged districts beside the year that carries them."""
    for row in answer.unflagged[answer.unflagged["scale"] == "points"].itertuples():
        level = answer.levels[(answer.levels["group"] == "treated") & (answer.levels["year"] == row.year)]["percent"]
        full = answer.points.table.set_index("year").loc[row.year, "estimate_pp"]
        value = float(level.iloc[0]) + row.estimate - full
        mark(axes, _place(row.year) + 0.05, value, "D", WARNING, 6, hollow=True, zorder=4)
        caveat, at = f"without {words.flagged_names(answer, row.year)}", (_place(row.year) + 0.35, float(level.iloc[0]))
        axes.annotate(caveat, at, color=WARNING, size=SMALL, va="bottom")


def _difference(axes: Axes, answer: OverYears, study: EventStudy, scale: str) -> None:
    _gap(axes, answer)
    rows = study.table.assign(place=study.table["year"].map(_place))
    base, before = rows[rows["is_reference"]], rows[(rows["event_time"] < 0) & ~rows["is_reference"]]
    after, usable = rows[rows["event_time"] >= 0], rows[rows["year"].isin(answer.before) & ~rows["is_reference"]]
    largest = float(usable["estimate_pp"].abs().max())
    axes.axhspan(-largest, largest, color=SHADE, linewidth=0, zorder=0)
    axes.axhline(0, color=INK, linewidth=1)
    _bars(axes, before, COMPARISON, 1.3, set(answer.shown))
    _bars(axes, after, OWN, 2.6, set())
    mark(axes, base["place"], base["estimate_pp"], "s", INK, 5, hollow=True, zorder=4)
    for row in answer.unflagged[answer.unflagged["scale"] == scale].itertuples():
        mark(axes, _place(row.year) + 0.35, row.estimate, "D", WARNING, 5, hollow=True, zorder=5)
    reach = float(np.nanmax(np.abs(np.concatenate([rows["low_pp"], rows["high_pp"]])))) * 1.05
    axes.set_ylim(-reach, reach)
    axes.set_title(_direction(after, scale), loc="left", size=TEXT, weight="bold", color=INK, pad=8)
    _effect_ticks(axes, reach, scale)
    years = _years(answer)
    _time_axis(axes, years, _year_labels(axes, (years[0], answer.before[-1], years[-1])))
    axes.text(
        0.02,
        0.02,
        "band: largest gap before" if scale == "logodds" else "before: expected to be zero",
        transform=axes.transAxes,
        size=SMALL,
        color=COMPARISON,
        va="bottom",
    )


def _bars(axes: Axes, rows: pd.DataFrame, color: str, width: float, hollow: set[str]) -> None:
    axes.vlines(rows["place"], rows["low_pp"], rows["high_pp"], color=color, linewidth=width, zorder=2)
    empty = rows["year"].isin(hollow)
    for some, inside in ((rows[~empty], False), (rows[empty], True)):
        mark(axes, some["place"], some["estimate_pp"], "o", color, 5 if width < 2 else 6.5, hollow=inside)


def _direction(after: pd.DataFrame, scale: str) -> str:
    up = int((after["estimate_pp"] > 0).sum())
    directions = (
        "all years up" if up == len(after) else "all years down" if up == 0 else f"{up} of {len(after)} years up"
    )
    return f"In {'percentage points' if scale == 'points' else 'odds'}: {directions}"


def _effect_ticks(axes: Axes, reach: float, scale: str) -> None:
    if scale == "points":
        step = next(size * 10**power for power in count() for size in (1, 2, 4, 5) if reach / (size * 10**power) <= 2.6)
        ticks = np.arange(-2, 3) * step
        ticks = ticks[np.abs(ticks) <= reach]
        set_ticks(axes.yaxis, ticks, [signed(float(tick)) for tick in ticks])
        return
    factors = np.array([0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.33, 2, 4])
    ticks = factors[np.abs(np.log(factors)) <= reach]
    keep = ticks if len(ticks) <= 5 else ticks[np.abs(np.log(ticks)) > 0.2 * reach]
    keep = np.unique(np.append(keep, 1.0))
    set_ticks(axes.yaxis, np.log(keep), [f"×{factor:g}" for factor in keep])
