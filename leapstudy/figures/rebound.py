"""Did they rise more than their fall alone predicts: the line of the comparison districts, and what lies beyond it."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from leapstudy.core.phrases import capital
from leapstudy.data.names import (
    comparison_words,
    counted_units,
    outcome_unit,
    outcome_words,
    program_name,
    short,
    unit_noun,
    year_words,
)
from leapstudy.did.rebound import Rebound, predicted
from leapstudy.figures.common import MANY, caption_of, not_drawn
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import (
    axes,
    effect_axis,
    fitted,
    frame,
    inches_across,
    label,
    room_for_ticks,
    signed,
    styled,
    text_width,
    wrap,
)
from leapstudy.figures.palette import COMPARISON, CONTEXT, INK, NARROW, OWN, SHADE, SMALL, TEXT, WARNING, WIDE
from leapstudy.study.public import Study
from leapstudy.words import findings

# Inches of the scatter, from one name to the next, and of the longest name; others named either way, of many.
PANEL, ROW, LONGEST, NAMED = 2.9, 0.165, 1.4, 10


@at_both_widths
def rebound(study: Study[Any], width: float = WIDE) -> Exhibit:
    """Draw the rise over the fall with the line of the comparison districts, and how far each treated one lies from it.

    Parameters
    ----------
    study
        Its `answer.rebound` holds the line; where there is none, the reason is shown.
    width
        `WIDE` or `NARROW`, inches; narrow, what lies beyond the line comes first.
    """
    answer, finding, regression = study.answer, findings.rebound(study), study.answer.rebound
    if regression is None:
        return not_drawn(answer, finding.title, finding.detail, width)
    narrow, rows = width <= NARROW, beyond(regression)
    first, fell, rose = map(year_words, regression.years)
    broken = [] if study.years is None else study.years.unflagged["units"]
    flags = set(", ".join(broken).split(", "))
    outcome, unit = outcome_words(answer.main.outcome), outcome_unit(answer.main.outcome, "long")
    caption = caption_of(answer, f"Change of {outcome} from year to year", f"{first} to {rose}")
    tall = ROW * (len(rows) + 1.5) + 0.55
    height = tall + PANEL + 0.5 if narrow else max(tall, PANEL) + 0.2
    with styled():
        figure, bottom, top = frame(
            finding.title,
            f"Change in {outcome}, {unit}. Gray: line and 95% prediction from "
            f"{counted_units(regression.n)} alone ({comparison_words(regression.group)})",
            f"{caption.source}. Both axes use {fell}, so that an error in that year alone makes such a line.",
            height,
            width=width,
        )
        names = 0.2 + max(
            text_width(name, SMALL, "bold") for name in [*rows["name"], f"{_average(regression)}, 95% CI"]
        )
        if narrow:
            right = axes(figure, names, width - 0.15, top - tall + 0.25, top - 0.25)
            left = axes(figure, 0.4, width - 0.15, bottom + 0.45, bottom + PANEL - 0.05)
        else:
            left = axes(figure, 0.4, 0.52 * width, bottom + 0.45, top - 0.25)
            right = axes(figure, 0.55 * width + names, width - 0.15, bottom + 0.45, top - 0.25)
        _scatter(left, regression, flags)
        _residuals(right, regression, rows, flags, study.answer.sensitivity.recovery)
    return Exhibit(figure, finding.title, finding.alt, caption, _table(regression))


def beyond(regression: Rebound) -> pd.DataFrame:
    """Return name, gap_pp and own of the districts on the right: the treated; with one of them, the others too.

    Of many those that lie furthest from the line either way.
    """
    rows = _furthest(regression.treated.assign(own=True), 3 * NAMED)
    if len(rows) == 1:
        gap = (
            regression.comparison["rebound_pp"]
            - regression.intercept
            - regression.slope * regression.comparison["fall_pp"]
        )
        others = regression.comparison.assign(gap_pp=gap, own=False)
        rows = pd.concat([rows, _furthest(others, NAMED) if len(others) > MANY else others])
    names = [fitted(short(name), SMALL, LONGEST) for name in rows["district"]]
    return rows.assign(name=names).sort_values("gap_pp", ascending=False, ignore_index=True)


def _furthest(rows: pd.DataFrame, either_way: int) -> pd.DataFrame:
    """Return the rows furthest below and above the line, or all where they are no more than that."""
    rows = rows.sort_values("gap_pp")
    return rows if len(rows) <= 2 * either_way else pd.concat([rows.head(either_way), rows.tail(either_way)])


def _average(regression: Rebound) -> str:
    if len(regression.treated) > 1:
        return f"Average of {len(regression.treated)}"
    return fitted(short(regression.treated["district"].iloc[0]), SMALL, LONGEST - 0.4, "bold")


def _scatter(axes: Axes, regression: Rebound, flags: set[str]) -> None:
    """Draw both sides, the comparison districts' line with its prediction, and the way from it to each treated."""
    falls = pd.concat([regression.comparison["fall_pp"], regression.treated["fall_pp"]])
    beside = min(0.3, 0.1 * float(falls.max() - falls.min()))
    at = np.linspace(falls.min() - beside, falls.max() + beside, 40)
    line = predicted(regression.comparison, at)
    axes.fill_between(at, line["low_pp"], line["high_pp"], color=SHADE, linewidth=0, zorder=0)
    axes.plot(at, line["mean_pp"], color=COMPARISON, linewidth=1.6)
    own = regression.treated.assign(
        color=[WARNING if code in flags else OWN for code in regression.treated["district_code"]]
    )
    axes.vlines(own["fall_pp"], own["predicted_pp"], own["rebound_pp"], color=own["color"], linewidth=1)
    others = regression.comparison[["fall_pp", "rebound_pp"]].to_numpy().T
    if regression.n > MANY:  # a shade for how many lie there
        shades = LinearSegmentedColormap.from_list("", [SHADE, COMPARISON])
        axes.hexbin(*others, gridsize=30, bins="log", mincnt=1, cmap=shades, linewidths=0)
    else:
        axes.plot(*others, "o", color=COMPARISON, markersize=4.5, markerfacecolor="white")
    axes.scatter(own["fall_pp"], own["rebound_pp"], color=own["color"], s=26, zorder=3)
    axes.axhline(0, color=CONTEXT, linewidth=0.8, zorder=0.5)
    backs = pd.concat([regression.comparison["rebound_pp"], regression.treated["rebound_pp"]])
    room = 0.08 * float(backs.max() - backs.min())
    axes.set(xlim=(at[0], at[-1]), ylim=(backs.min() - 2.2 * room, backs.max() + 1.8 * room))
    axes.locator_params(nbins=5)
    axes.xaxis.set_major_formatter(lambda value, _: signed(value))
    axes.yaxis.set_major_formatter(lambda value, _: signed(value))
    first, fell, rose = map(year_words, regression.years)
    room = inches_across(axes)
    axes.set_title("\n".join(wrap(f"Rise, {fell} to {rose}", TEXT, room, "bold")), loc="left", size=TEXT, weight="bold")
    axes.set_xlabel("\n".join(wrap(f"change {first} to {fell}", SMALL, room)), size=SMALL, color=COMPARISON)
    _key(axes, regression)
    if len(own) > 1:  # one alone is named by the key
        for place in dict.fromkeys([own["fall_pp"].idxmin(), *own.index[own["color"] == WARNING]]):
            _label(axes, own.loc[place], own.drop(place))
    room_for_ticks(axes)


def _key(axes: Axes, regression: Rebound) -> None:
    """Say which dots are which, where no dot can be: below the line's lower left end."""
    own = (
        fitted(short(regression.treated["district"].iloc[0]), SMALL, LONGEST, "bold")
        if len(regression.treated) == 1
        else f"{len(regression.treated)} {program_name()}"
    )
    axes.text(0.02, 0.09, own, transform=axes.transAxes, color=OWN, weight="bold", size=SMALL)
    axes.text(0.02, 0.02, f"{regression.n:,} without", transform=axes.transAxes, color=COMPARISON, size=SMALL)


def _label(axes: Axes, row: "pd.Series[Any]", others: pd.DataFrame) -> None:
    """Name a treated district beside its dot: where the picture has room, unless only there it crosses a line."""
    name, at = fitted(short(row["district"]), SMALL, LONGEST, "bold"), (row["fall_pp"], row["rebound_pp"])
    ends = axes.get_xlim()
    wide = (text_width(name, SMALL, "bold") + 0.15) * (ends[1] - ends[0]) / inches_across(axes)
    left = left_of_dot(at, wide, ends, others)
    up = row["rebound_pp"] < row["predicted_pp"] - 1
    look = {"va": "center" if up else "bottom", "color": row["color"], "weight": "bold"}
    label(axes, name, at, (-6 if left else 6, 0 if up else 7), **look)


def left_of_dot(at: tuple[float, float], wide: float, ends: tuple[float, float], others: pd.DataFrame) -> bool:
    """Say whether a name as `wide` as that is to run to the left of its dot, so that it crosses no district's line."""
    x, y = at
    roomy = x > sum(ends) / 2

    def crossed(left: bool) -> bool:
        """Say whether the name crosses a line, or an end of the picture, on that side."""
        first, last = (x - wide, x) if left else (x, x + wide)
        low, high = (
            others[["predicted_pp", "rebound_pp"]].min(axis=1),
            others[["predicted_pp", "rebound_pp"]].max(axis=1),
        )
        lines = others["fall_pp"].between(first, last) & (low <= y) & (high >= y)
        return first < ends[0] or last > ends[1] or bool(lines.any())

    return not roomy if crossed(roomy) and not crossed(not roomy) else roomy


def _residuals(axes: Axes, regression: Rebound, rows: pd.DataFrame, flags: set[str], average: Any) -> None:
    """Draw how far each district lies from what its fall predicts, every one by its name; the average on top."""
    many, places = len(regression.treated) > 1, np.arange(len(rows)) + 1.6
    colors = [
        WARNING if code in flags and own else OWN if own else CONTEXT
        for code, own in zip(rows["district_code"], rows["own"], strict=True)
    ]
    axes.hlines(places, 0, rows["gap_pp"], color=colors, linewidth=1.4)
    axes.scatter(rows["gap_pp"], places, color=colors, s=20, zorder=3)
    ends = [*rows["gap_pp"]]
    if average is not None:
        axes.hlines(0.2, average.low_pp, average.high_pp, color=OWN, linewidth=3.2)
        axes.plot(average.estimate_pp, 0.2, "D", color=OWN, markersize=7)
        ends += [average.low_pp, average.high_pp]
    effect_axis(axes, min(ends), max(ends), most=4)
    axes.set(ylim=(len(rows) + 1.2, -0.8), yticks=[])
    few = len(rows) >= len(regression.treated) + (regression.n if len(regression.treated) == 1 else 0)
    title = "Beyond what the fall predicts" if few else f"The {len(rows)} furthest beyond what the fall predicts"
    axes.set_title(title, x=1, ha="right", size=TEXT, weight="bold")
    axes.tick_params(axis="x", labelcolor=COMPARISON)
    labels = [(0.2, f"{_average(regression)}{'' if many else ', 95% CI'}", OWN, "bold")] if average is not None else []
    for place, name, color in zip(places, rows["name"], colors, strict=True):
        labels.append(
            (float(place), name, INK if color == OWN else COMPARISON if color == CONTEXT else color, "normal")
        )
    for place, name, color, weight in labels:
        label(axes, name, (0, place), (-6, 0), x="axes fraction", color=color, weight=weight)


def _table(regression: Rebound) -> pd.DataFrame:
    _, fell, rose = map(year_words, regression.years)
    columns = {
        "district": capital(unit_noun()),
        "fall_pp": f"Change to {fell}",
        "rebound_pp": f"Change to {rose}",
        "predicted_pp": "Predicted",
        "predicted_low_pp": "Low",
        "predicted_high_pp": "High",
        "gap_pp": "Actual minus predicted",
    }
    return regression.treated.assign(district=regression.treated["district"].map(short))[list(columns)].rename(
        columns=columns
    )
