"""How sure: all districts shrunk together, every specification, departures from parallel trends, tests side by side.

These figures take plain frames, so that they draw whatever made them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leapstudy.core.phrases import between, counted, missing, number, percent, points
from leapstudy.figures.common import draw_intervals, legend_below
from leapstudy.figures.exhibit import Caption, Exhibit, alt_text
from leapstudy.figures.style import BLUE, GRAY, INK, MARKS, PALE, in_house_style, new_figure, new_panels, zero_line

EFFECT = "effect, points of attendance"


@in_house_style
def specification_curve(curve: pd.DataFrame, choices: Sequence[str], caption: Caption) -> Exhibit:
    """Draw every specification's estimate in order, and below it which choices made it.

    Parameters
    ----------
    curve
        One row a specification: estimate_pp, low_pp and high_pp (may be empty), is_main, and a column per choice.
    choices
        The columns of `curve` that name choices.
    caption
        Of the curve.
    """
    shown = curve.sort_values("estimate_pp").reset_index(drop=True)
    levels = [(choice, str(level)) for choice in choices for level in dict.fromkeys(shown[choice])]
    figure, (top, below) = new_panels(
        2, 1, 2.6 + 0.2 * len(levels), sharex=True, gridspec_kw={"height_ratios": [2.4, 0.2 * len(levels)]}
    )
    x, main = np.arange(len(shown)), shown["is_main"].to_numpy(bool)
    top.vlines(
        x, shown["low_pp"].astype(float), shown["high_pp"].astype(float), color=PALE, linewidth=1, antialiased=False
    )
    top.plot(
        x[~main],
        shown["estimate_pp"][~main],
        linestyle="none",
        marker="o",
        markersize=3,
        color=GRAY,
        label="one specification",
    )
    top.plot(
        x[main],
        shown["estimate_pp"][main],
        linestyle="none",
        label="the main one",
        markersize=8,
        marker="D",
        color=BLUE,
    )
    zero_line(top, vertical=False)
    top.set(ylabel=EFFECT.replace(", ", ",\n"))
    for row, (choice, level) in enumerate(reversed(levels)):
        hit = x[shown[choice].astype(str) == level]
        below.plot(hit, np.full(len(hit), row), linestyle="none", marker="|", markersize=5, color=INK)
    below.set(
        yticks=range(len(levels)),
        yticklabels=_level_labels(levels)[::-1],
        xlabel="specifications in order",
    )
    below.tick_params(axis="y", labelsize=8)
    legend_below(top, 2)
    above = int((shown["estimate_pp"] > 0).sum())
    return Exhibit(
        figure=figure,
        title="Would another analyst conclude the same",
        alt=alt_text(
            f"{above} of {len(shown)} specifications ({percent(above / len(shown), 0)}) lie above zero; the median is "
            f"{points(shown['estimate_pp'].median())} and the range "
            f"{between(shown['estimate_pp'].min(), shown['estimate_pp'].max())} points.",
        ),
        caption=caption,
        data=_curve_table(curve, choices),
    )


def _level_labels(levels: Sequence[tuple[str, str]]) -> list[str]:
    """Return a label per level that names its choice once, at the first of its levels."""
    before = [None, *(choice for choice, _ in levels)]
    return [
        level if choice == last else f"{choice}: {level}" for last, (choice, level) in zip(before, levels, strict=False)
    ]


def _curve_table(curve: pd.DataFrame, choices: Sequence[str]) -> pd.DataFrame:
    """Return, for each level of each choice, how its specifications turn out: the curve itself is too long to read."""
    parts = [
        curve.groupby(choice)["estimate_pp"]
        .agg(["size", "median", "min", "max", _share_above])
        .reset_index(names="level")
        .assign(choice=choice)
        for choice in choices
    ]
    table = pd.concat(parts, ignore_index=True)
    table.columns = pd.Index(["Level", "Specifications", "Median", "Lowest", "Highest", "Share above zero", "Choice"])
    return table[["Choice", "Level", "Specifications", "Median", "Lowest", "Highest", "Share above zero"]]


def _share_above(values: pd.Series) -> float:
    return float((values > 0).mean())


@dataclass(frozen=True, slots=True)
class Departure:
    """Robust intervals as one kind of departure from parallel trends grows.

    Attributes
    ----------
    title : str
        What is bounded, and what may depart.
    table : DataFrame
        One row a size of departure: m (in multiples of the largest one before), low_pp, high_pp.
    breakdown_at : float or None
        Where the interval begins to hold zero; None beyond the table.
    """

    title: str
    table: pd.DataFrame
    breakdown_at: float | None


@in_house_style
def breakdown(departures: Sequence[Departure], caption: Caption) -> Exhibit:
    """Draw robust intervals as departures from parallel trends are allowed to grow (Rambachan and Roth 2023)."""
    figure, panels = new_panels(1, len(departures), 3.6, sharey=True, squeeze=False)
    for axes, found in zip(panels.flat, departures, strict=True):
        m, low, high = (found.table[name] for name in ("m", "low_pp", "high_pp"))
        axes.fill_between(m, low, high, color=PALE)
        for ends, marker, label in ((low, "^", "lower end"), (high, "v", "upper end")):
            axes.plot(m, ends, color=BLUE, marker=marker, label=label)
        zero_line(axes, vertical=False)
        if not missing(found.breakdown_at):
            axes.axvline(float(found.breakdown_at or 0), color=INK, linestyle="--", linewidth=1.2, label="breakdown")
        axes.set_title(found.title, fontsize=9)
        axes.set(xticks=m, xlabel="departure, times the\nlargest one before")
    panels.flat[0].set_ylabel("95 % robust interval, points")
    handles = {
        text: handle for axes in panels.flat for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=3)
    return Exhibit(
        figure=figure,
        title="How far may trends depart before the answer changes",
        alt=alt_text(*(_departure_words(found) for found in departures)),
        caption=caption,
        data=pd.concat(
            [
                found.table[["m", "low_pp", "high_pp"]].assign(what=found.title.replace("\n", " "))
                for found in departures
            ]
        )[["what", "m", "low_pp", "high_pp"]].set_axis(["What is bounded", "Departure", "Low", "High"], axis=1),
    )


def _departure_words(found: Departure) -> str:
    first = found.table.iloc[0]
    start = f"{found.title}: {between(first['low_pp'], first['high_pp'])} points without any departure".replace(
        "\n", " "
    )
    if missing(found.breakdown_at):
        return f"{start}; the interval leaves out zero at every departure shown."
    if found.breakdown_at == 0:
        return f"{start}; the interval holds zero, so no departure is needed to overturn it."
    return f"{start}; it leaves out zero up to a departure of {number(float(found.breakdown_at or 0))}."


@in_house_style
def inference_methods(rows: pd.DataFrame, caption: Caption) -> Exhibit:
    """Draw the same question under several tests.

    Parameters
    ----------
    rows
        One row a method: method, estimate_pp, ci_low_pp, ci_high_pp (empty where the interval has no end), p_value,
        p_floor (empty where it has none), is_headline.
    caption
        Of the district's answer.
    """
    places = np.arange(len(rows), dtype=float)[::-1]
    headline = rows["is_headline"].to_numpy(bool)
    figure, axes = new_figure(1.4 + 0.42 * len(rows))
    draw_intervals(axes, rows[~headline], places[~headline], MARKS["placebo"], "beside it")
    draw_intervals(axes, rows[headline], places[headline], MARKS["leap"], "the headline test: it holds its size here")
    zero_line(axes)
    labels = [
        _method_label(name, p, low)
        for name, p, low in zip(rows["method"], rows["p_value"], rows["ci_low_pp"], strict=True)
    ]
    axes.set(yticks=places, yticklabels=labels, ylim=(-0.6, len(rows) - 0.4), xlabel=f"{EFFECT} (95 % interval)")
    legend_below(axes, 2)
    p = rows["p_value"].dropna()
    below = int((p < 0.05).sum())
    return Exhibit(
        figure=figure,
        title="The same question under several tests",
        alt=alt_text(
            f"{counted(len(rows), 'method')}: estimates from {points(rows['estimate_pp'].min())} to "
            f"{points(rows['estimate_pp'].max())} points, p-values from {number(p.min())} to {number(p.max())}; "
            f"{below} of {len(p)} below 0.05.",
            *_leading_words(rows[headline]),
        ),
        caption=caption,
        data=rows[["method", "estimate_pp", "ci_low_pp", "ci_high_pp", "p_value", "p_floor"]].set_axis(
            ["Method", "Estimate", "Low", "High", "p", "Smallest possible p"], axis=1
        ),
    )


def _method_label(name: str, p: float, low: float) -> str:
    """Return a method with its p-value; that its interval has no end is said, for a missing line says nothing."""
    words = name if missing(p) else f"{name}\np = {number(p)}"
    return f"{words}, interval without end" if missing(low) else words


def _leading_words(leading: pd.DataFrame) -> Iterator[str]:
    for name, p, low, high in zip(
        *(leading[key] for key in ("method", "p_value", "ci_low_pp", "ci_high_pp")), strict=True
    ):
        interval = "its interval has no end" if missing(low) else f"{between(low, high)} points"
        yield f"The test that leads, {name.lower()}, has p = {number(p)}; {interval}."
