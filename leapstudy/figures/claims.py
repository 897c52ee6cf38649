"""Is the whole fall the program's: the state's chronic absence, and its fall beside the students ever visited."""

import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.phrases import counted
from leapstudy.data import Facts
from leapstudy.data.names import program_name
from leapstudy.figures.exhibit import Caption, Exhibit, at_both_widths
from leapstudy.figures.frame import axes, frame, inches_across, styled, wrap
from leapstudy.figures.palette import COMPARISON, CONTEXT, INK, NARROW, OWN, SMALL, WIDE
from leapstudy.words.claims import fall, said
from leapstudy.words.findings import state_curve as told

CURVE, BARS = 2.6, 1.35


@at_both_widths
def state_curve(facts: Facts, width: float = WIDE) -> Exhibit:
    """Draw chronic absence in the whole state, and the fall since its peak in students beside those ever visited.

    Parameters
    ----------
    facts
        `state_chronic_long`: year, percent, students, wording ('exact' or 'about'), source; `served`.
    width
        `WIDE` or `NARROW`, inches; narrow, the bars stand below the curve.
    """
    state, program = facts.state_chronic_long, program_name()
    fewer, visited = fall(facts)
    finding, narrow = told(fewer, visited), width <= NARROW
    source = "State education department: published series, then its releases and news of them"
    years = list(state["year"])
    with styled():
        figure, bottom, top = frame(
            finding.title,
            "Students missing 10% or more of their days, percent of all in the state; hollow: counted to mid-March, or "
            "rounded",
            f"{source}.",
            CURVE + (BARS + 0.45 if narrow else 0.1),
            width=width,
        )
        curve = axes(figure, 0.4, width - 0.2 if narrow else 0.64 * width, top - CURVE + 0.3, top - 0.05)
        if narrow:
            bars = axes(figure, 0.1, width - 0.15, bottom, bottom + BARS)
        else:
            bars = axes(figure, 0.7 * width, width - 0.1, top - CURVE + 0.45, top - CURVE + 0.45 + BARS)
        _curve(curve, state, program, narrow)
        _bars(bars, fewer, visited, program)
    table = state[["year", "percent", "students", "wording", "source"]]
    return Exhibit(
        figure,
        finding.title,
        finding.alt,
        Caption(
            what="Students who missed 10% or more of their days",
            source=source,
            sample="all public students of the state, kindergarten to grade 12",
            years=f"{years[0]} to {years[-1]}",
            n=counted(len(years), "school year"),
        ),
        table.set_axis(["Year", "Percent", "Students", "Wording", "Source"], axis=1),
    )


def _curve(axes: Axes, state: pd.DataFrame, program: str, narrow: bool) -> None:
    """Draw the curve with the values that matter: both ends, the last full year before, the peak."""
    years, percent = list(state["year"]), state["percent"].astype(float).to_list()
    _, first, _ = said()
    start = years.index(first)
    cut_short = [place == start - 2 for place in range(len(years))]  # days were counted to mid-March
    hollow = [cut or wording != "exact" for cut, wording in zip(cut_short, state["wording"], strict=True)]
    axes.plot(range(len(years)), percent, color=INK, linewidth=2)
    for place, (value, open_) in enumerate(zip(percent, hollow, strict=True)):
        axes.plot(place, value, "o", color=INK, markersize=5, markerfacecolor="white" if open_ else INK)
    peak, last = percent.index(max(percent)), len(years) - 1
    for place in dict.fromkeys([0, start - 3, peak - 1, peak, last]):
        about = state["wording"].iloc[place] != "exact"
        rises = peak > place > start - 3
        axes.annotate(
            f"about {percent[place]:g}%" if about else f"{percent[place]:.1f}%",
            (place, percent[place]),
            (-5, 4) if rises else (6, 0) if place == peak else (0, -7) if place == last else (0, 6),
            textcoords="offset points",
            ha="right" if rises or place == last else "left" if place == peak else "center",
            va="top" if place == last else "bottom",
            size=SMALL,
        )
    axes.axvline(start - 0.5, color=INK, linewidth=1.2)
    axes.text(start - 0.65, 1.0, f"first visits of {program},\nsummer {first[:4]}", ha="right", va="bottom", size=SMALL)
    tick_places = [0, start // 2, len(years) - 1] + ([] if narrow else [start])
    axes.set(xlim=(-0.7, len(years) - 0.2), ylim=(0, 1.14 * max(percent)), xticks=tick_places, yticks=[0, 10, 20])
    axes.set_xticklabels([years[place] for place in tick_places])
    axes.get_xticklabels()[2].set_horizontalalignment("right")
    axes.set_yticklabels(["0", "10", "20%"], color=COMPARISON)


def _bars(axes: Axes, fewer: float, visited: float, program: str) -> None:
    """Draw both counts of students as bars of one scale, each with its words above."""
    axes.set(xlim=(0, max(fewer, visited)), ylim=(2, 0), yticks=[], xticks=[])
    axes.spines["bottom"].set_visible(False)
    width = inches_across(axes)
    rows = (
        (f"{fewer:,.0f} fewer students chronically absent in the year after the peak", fewer, CONTEXT, INK),
        (f"{visited:,.0f} students ever visited by {program}", visited, OWN, OWN),
    )
    for place, (words, value, color, ink) in enumerate(rows):
        axes.fill_between([0, value], place + 0.62, place + 0.9, color=color, linewidth=0)
        axes.text(0, place + 0.56, "\n".join(wrap(words, SMALL + 0.5, width)), color=ink, va="bottom", size=SMALL + 0.5)
