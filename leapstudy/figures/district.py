"""Did one district move more than districts move anyway: every district's path, and every district's change."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from leapstudy.core.phrases import capital, points
from leapstudy.data.names import (
    comparison_words,
    counted_units,
    outcome_unit,
    outcome_words,
    short,
    unit_noun,
    unit_nouns,
)
from leapstudy.figures.common import MANY, Asked, caption_of, context_lines
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import axes, effect_axis, fitted, frame, inches_across, styled, text_width, wrap
from leapstudy.figures.palette import COMPARISON, CONTEXT, INK, NARROW, OWN, SMALL, TEXT, WIDE
from leapstudy.figures.ticks import set_ticks
from leapstudy.words import findings

# Inches of the two panels; side by side where the page is wide, else one above the other.
PATHS, CHANGES = 2.9, 2.3
BINS = 22


@at_both_widths
def district(answer: Asked, panel: pd.DataFrame, width: float = WIDE) -> Exhibit:
    """Draw the district's outcome among the comparison districts', and its change among theirs.

    Parameters
    ----------
    answer
        Of one district; its `permutation` holds each comparison district's change in the district's place.
    panel
        Tidy: district_code, district, year, rate_pct (or value), treated (0 or 1), post (0 or 1); `leapstudy.panel(...,
        years="all")`.
    width
        `WIDE` or `NARROW`, inches.
    """
    main, title, what = answer.main, findings.district_title(answer), capital(outcome_words(answer.main.outcome))
    caption = caption_of(answer, f"{what} by year, and the change of each {unit_noun()} beyond the others'")
    subtitle = (
        f"{what}: {short(main.district)}, and {counted_units(main.n_comparison, 'comparison')} "
        f"({comparison_words(main.comparison)}{'; shaded: nine in ten' if main.n_comparison > MANY else ''})"
    )
    source = f"{caption.source}. Preferred test: {findings.leading_words(answer)}."
    narrow = width <= NARROW
    with styled():
        figure, bottom, top = frame(title, subtitle, source, PATHS + (CHANGES + 0.2 if narrow else 0.3), width=width)
        paths = axes(figure, 0.55, width - 0.4 if narrow else 0.56 * width, top - PATHS + 0.3, top - 0.1)
        changes = axes(
            figure,
            0.2 if narrow else 0.63 * width,
            width - 0.15,
            bottom + 0.3,
            bottom + CHANGES - 0.75 if narrow else top - 0.8,
        )
        _paths(paths, panel, short(main.district), outcome_unit(main.outcome, "level"))
        _changes(changes, answer, 3.0 if narrow else 0.36 * width)
    return Exhibit(figure, title, findings.district_title(answer) + f"; {caption.sample}.", caption, _table(answer))


def _paths(axes: Axes, panel: pd.DataFrame, name: str, unit: str) -> None:
    """Draw one line a district, gray where compared; the start of the program as an ink line between two years."""
    years = sorted(panel["year"].unique())
    wide = panel.pivot(
        index="year", columns="district_code", values="rate_pct" if "rate_pct" in panel else "value"
    ).loc[years]
    own = panel.loc[panel["treated"] == 1, "district_code"].unique()
    others = wide.drop(columns=own)
    band = context_lines(axes, np.arange(len(years)), others.to_numpy().T, 0.9, 1.2)
    axes.plot(range(len(years)), others.mean(axis=1), color=COMPARISON, marker="o", markersize=4.5, linewidth=2.2)
    axes.plot(range(len(years)), wide[own].mean(axis=1), color=OWN, marker="o", markersize=5.5, linewidth=2.8)
    start = years.index(panel.loc[panel["post"] == 1, "year"].min()) - 0.5
    values = np.concatenate([band.ravel(), wide[own].to_numpy().ravel()])
    low, high = float(values.min()), float(values.max())
    room = 0.14 * (high - low)
    axes.set(
        xlim=(-0.15, len(years) - 0.85),
        ylim=(low - 1.6 * room, high + 1.6 * room),
    )
    every = -(-len(years) // max(int(inches_across(axes) / 0.65), 1))
    set_ticks(axes.xaxis, range(0, len(years), every), years[::every])
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=unit == "percent"))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:.0f}%" if unit == "percent" else f"{value:g}")
    )
    axes.axvline(start, color=INK, linewidth=1.2)
    axes.text(start - 0.06, high + 1.5 * room, "start", ha="right", va="top", size=SMALL)
    late = start > len(years) / 2  # names stand at the end that the start's line is not near
    below = bool((wide[own].mean(axis=1) < others.mean(axis=1)).iloc[0 if late else -1])
    average = f"average of the {others.shape[1]:,}"
    key: dict[str, Any] = {"ha": "left" if late else "right", "size": 9.5, "transform": axes.get_yaxis_transform()}
    ends = (low - 1.4 * room, high + 0.4 * room)  # under the word at the start's line, however long the name is
    name = fitted(name, 9.5, inches_across(axes), "bold")
    side = 0.02 if late else 1.0
    axes.text(side, ends[0] if below else ends[1], name, color=OWN, weight="bold", **key)
    axes.text(side, ends[1] if below else ends[0], average, color=COMPARISON, **key)


def _changes(axes: Axes, answer: Asked, room: float) -> None:
    """Draw each district's change as a dot, stacked where they are alike, with what they say in words above."""
    rows = answer.permutation.sort_values("placebo_pp")
    values, own = rows["placebo_pp"].to_numpy(float), rows["is_treated"].to_numpy(bool)
    at, heights, most = _stacked(values)
    if (~own).sum() > MANY:
        axes.hist(values[~own], bins=2 * BINS, color=CONTEXT, linewidth=0)
        axes.plot(values[own], 0.04 * np.array(axes.get_ylim()[1:]), marker="o", markersize=8, color=OWN)
    else:
        axes.plot(at[~own], heights[~own], linestyle="none", marker="o", markersize=7, color=CONTEXT)
        axes.plot(at[own], heights[own], linestyle="none", marker="o", markersize=8, color=OWN)
        axes.set_ylim(-0.6, most)
    effect_axis(axes, float(values.min()), float(values.max()))
    axes.set_yticks([])
    main, unit = answer.main, outcome_unit(answer.main.outcome)
    far = int((np.abs(values[~own]) >= abs(main.estimate_pp) - 1e-12).sum())
    words = (
        f"Change beyond that of the others, {unit}. Without any program, {far:,} of {int((~own).sum()):,} comparison "
        f"{unit_nouns()} moved as far."
    )
    number = f" {points(main.estimate_pp)}"
    own_words = fitted(short(main.district), TEXT, room - text_width(number, TEXT, "bold"), "bold") + number
    axes.text(0, 1.02, own_words, transform=axes.transAxes, color=OWN, weight="bold", va="bottom", size=TEXT)
    axes.figure.text(
        axes.get_position().x0,
        axes.get_position().y1 + 0.32 / axes.figure.get_size_inches()[1],  # type: ignore[union-attr]
        "\n".join(wrap(words, SMALL, room)),
        size=SMALL,
        color=COMPARISON,
        va="bottom",
    )


def _stacked(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return where dots of sorted values stand, each on those that are alike, and how high the picture is."""
    cells = np.round((values - values.min()) / (np.ptp(values) or 1.0) * BINS).astype(int)
    heights = np.arange(len(cells)) - np.searchsorted(cells, cells)
    return values.min() + cells / BINS * np.ptp(values), heights, max(heights.max() + 0.8, 5.0)


def _table(answer: Asked) -> pd.DataFrame:
    rows = answer.permutation.sort_values("placebo_pp", ascending=False, ignore_index=True)
    column = "Change beyond the others"
    if (~rows["is_treated"].astype(bool)).sum() > MANY:
        furthest = MANY // 4
        ends = (rows.index < furthest) | (rows.index >= len(rows) - furthest) | rows["is_treated"]
        rows, column = rows[ends], f"{column} (the {furthest} furthest either way)"
    return rows.assign(district=rows["district"].map(short))[["district", "placebo_pp"]].set_axis(
        [capital(unit_noun()), column], axis=1
    )
