"""Bad comparison or rebound: the years before the program, and how districts recover on their own."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.frames import extremes
from leapstudy.core.phrases import counted, missing, number, points, probability
from leapstudy.data.names import comparison_words, outcome_words, program_name, short, study_names
from leapstudy.did.answer import EventStudy, Rebound
from leapstudy.figures.common import Answer, caption_of, legend_below, not_drawn
from leapstudy.figures.exhibit import Caption, Exhibit, alt_text
from leapstudy.figures.style import BLUE, INK, MARKS, in_house_style, new_figure, zero_line


@in_house_style
def event_study(study: EventStudy, baseline: float | None = None) -> Exhibit:
    """Draw an event study with pointwise and simultaneous bands.

    Parameters
    ----------
    study
        The event study, in points.
    baseline
        Treated districts' mean in the reference year, percent; written on the axis where given.
    """
    table = study.table
    x = np.arange(len(table))
    reference = table["is_reference"].to_numpy(bool)
    figure, axes = new_figure(3.7)
    _bands(axes, table, x)
    estimates = table["estimate_pp"].to_numpy(float)
    axes.plot(x[~reference], estimates[~reference], linestyle="none", marker="o", color=INK, zorder=4)
    axes.plot(
        x[reference],
        estimates[reference],
        linestyle="none",
        marker="D",
        markerfacecolor="white",
        markeredgecolor=INK,
        label=f"reference year {study.reference}",
        zorder=4,
    )
    zero_line(axes, vertical=False)
    axes.set(xticks=x, xlim=(-0.5, len(table) - 0.5), ylabel=_axis_label(study, baseline))
    axes.set_xticklabels(
        table["year"], rotation=0 if len(table) <= 6 else 40, ha="center" if len(table) <= 6 else "right"
    )
    legend_below(axes, 3)
    return Exhibit(
        figure=figure,
        title=f"Did both sides move together before: {outcome_words(study.outcome)}",
        alt=alt_text(_finding(study), _extremes(study)),
        caption=_caption(study),
        data=table[
            ["year", "estimate_pp", "se_pp", "low_pp", "high_pp", "low_sup_pp", "high_sup_pp", "mde_pp"]
        ].set_axis(
            ["Year", "Estimate", "Standard error", "Low", "High", "Low, all years", "High, all years", "Detectable"],
            axis=1,
        ),
    )


def _bands(axes: Axes, table: pd.DataFrame, x: np.ndarray) -> None:
    simultaneous = table[["low_sup_pp", "high_sup_pp"]].astype(float).to_numpy().T
    pointwise = table[["low_pp", "high_pp"]].astype(float).to_numpy().T
    axes.vlines(x, *simultaneous, color=BLUE, linewidth=1.3, label="95 % band, all years at once")
    axes.vlines(x, *pointwise, color=BLUE, linewidth=5, alpha=0.55, label="95 % interval, one year")


def _axis_label(study: EventStudy, baseline: float | None) -> str:
    label = f"difference in {outcome_words(study.outcome)}, points"
    return (
        label if baseline is None else f"{label}\n({program_name()} mean in {study.reference}: {number(baseline, 1)} %)"
    )


def _finding(study: EventStudy) -> str:
    if missing(study.joint_p):
        return (
            f"{counted(study.n_comparison, 'comparison district')} are too few to test equal trends before the program."
        )
    verdict = "rejected" if study.joint_p < 0.05 else "not rejected"
    return (
        f"Equal trends before the program are {verdict} (joint {probability(study.joint_p)}); a drift of "
        f"{number(study.slope_mde_pp)} points a year or more would have been found with 80 % power."
    )


def _extremes(study: EventStudy) -> str:
    shown = study.table[~study.table["is_reference"].astype(bool)]
    low, high = extremes(shown, "estimate_pp")
    return (
        f"Against {study.reference} the difference runs from {points(low['estimate_pp'])} ({low['year']}) to "
        f"{points(high['estimate_pp'])} ({high['year']})."
    )


def _caption(study: EventStudy) -> Caption:
    years = study.table["year"]
    return Caption(
        what=f"Yearly difference from the comparison districts, reference year {study.reference}; a trend that is not "
        "rejected is not shown to be parallel",
        source=study_names().source(study.outcome, study.edition),
        sample=f"{study_names().units(study.n_treated, program_name())} against {comparison_words(study.comparison)}",
        years=f"{years.iloc[0]} to {years.iloc[-1]}",
        n=f"{study.n_treated} treated, {counted(study.n_comparison, 'comparison district')}",
    )


@in_house_style
def rebound(answer: Answer) -> Exhibit:
    """Draw the change of the first year over that of the year before, with the line of the comparison districts."""
    shown = answer.rebound
    if shown is None:
        return not_drawn(answer, "How a rise follows a fall", answer.not_possible[-1])
    figure, axes = new_figure(4.4)
    axes.plot(
        shown.comparison["fall_pp"],
        shown.comparison["rebound_pp"],
        linestyle="none",
        markersize=4,
        alpha=0.8,
        marker=MARKS["others"].marker,
        color=MARKS["others"].color,
        label=f"districts without {program_name()} ({shown.n})",
    )
    axes.plot(
        shown.treated["fall_pp"],
        shown.treated["rebound_pp"],
        linestyle="none",
        markersize=7,
        marker=MARKS["leap"].marker,
        color=MARKS["leap"].color,
        label=f"{program_name()} ({len(shown.treated)})",
    )
    _line(axes, shown)
    _name_some(axes, shown.treated)
    zero_line(axes, vertical=False)
    axes.axvline(0, color=INK, linewidth=1.0, zorder=1.5)
    first, fell, rose = shown.years
    axes.set(xlabel=f"change {first} to {fell}, points", ylabel=f"change {fell} to {rose}, points")
    legend_below(axes, 3)
    return Exhibit(
        figure=figure,
        title=f"Those who fall deepest rise most, with or without {program_name()}",
        alt=alt_text(
            f"Each point more of a fall went with {number(-shown.slope)} points more of a rise in districts without "
            f"{program_name()}. "
            f"{_gap_words(shown)}",
        ),
        caption=caption_of(
            answer,
            f"The line is fitted to {counted(shown.n, 'district')} without {program_name()} only "
            f"({comparison_words(shown.group)})",
            f"{first} to {rose}",
        ),
        data=_treated_table(shown),
    )


def _line(axes: Axes, shown: Rebound) -> None:
    falls = pd.concat([shown.comparison["fall_pp"], shown.treated["fall_pp"]])
    ends = np.array([falls.min(), falls.max()])
    axes.plot(ends, shown.intercept + shown.slope * ends, color=INK, linewidth=1.6, label="line through those without")


ROOM_PP = 1.0
"""Points of fall that a name needs on its left."""


def _name_some(axes: Axes, treated: pd.DataFrame) -> None:
    """Name the treated districts that lie farthest from the line (all, where few)."""
    named = treated.reindex(treated["gap_pp"].abs().sort_values(ascending=False).index).head(4)
    for district, fall, back, gap in named[["district", "fall_pp", "rebound_pp", "gap_pp"]].itertuples(index=False):
        # beside the line, but never over the edge of the axes
        side, shift = ("right", -8) if gap < 0 and fall > treated["fall_pp"].min() + ROOM_PP else ("left", 8)
        axes.annotate(short(district), (fall, back), (shift, -3), textcoords="offset points", ha=side, fontsize=9)


def _gap_words(shown: Rebound) -> str:
    if len(shown.treated) == 1:
        row = shown.treated.iloc[0]
        return (
            f"{short(row['district'])} changed by {points(row['rebound_pp'])} where the line predicts "
            f"{points(row['predicted_pp'])} points ({points(row['predicted_low_pp'])} to "
            f"{points(row['predicted_high_pp'])})."
        )
    return (
        f"{program_name()} districts lie {points(shown.mean_gap_pp)} points from the line on average (standard error "
        f"{number(shown.mean_gap_se_pp)}), so a rise after a deep fall is no effect by itself."
    )


def _treated_table(shown: Rebound) -> pd.DataFrame:
    treated, (_, fell, rose) = shown.treated, shown.years
    columns = {
        "district": "District",
        "fall_pp": f"Change to {fell}",
        "rebound_pp": f"Change to {rose}",
        "predicted_pp": "Predicted",
        "predicted_low_pp": "Low",
        "predicted_high_pp": "High",
        "gap_pp": "Actual minus predicted",
    }
    return treated.assign(district=treated["district"].map(short))[list(columns)].rename(columns=columns)
