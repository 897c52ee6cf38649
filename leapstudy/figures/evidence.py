"""What it would take to see the effect, how alike the groups were before, and what the days gained come to."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.phrases import between, counted, missing, number, points
from leapstudy.data.names import comparison_short, program_name, study_names
from leapstudy.evidence.assess import Evidence
from leapstudy.evidence.baseline import COX, BaselineRow
from leapstudy.evidence.cost import CostBlock, Range
from leapstudy.evidence.wwc import SATISFIED, WITH_ADJUSTMENT
from leapstudy.figures.common import Answer, caption_of, legend_below, mark_of, not_drawn, treated_words
from leapstudy.figures.exhibit import Caption, Exhibit, alt_text
from leapstudy.figures.style import INK, MARKS, PALE, SERIES, in_house_style, new_figure, new_panels, zero_line

NOT_PUBLISHED = "No effect on visited students, no number of them and no money is published of this program."
SHOWN_ENROLMENT = 2_000
"""Students a district at which the picture of power is drawn; the table holds the other sizes."""


@in_house_style
def what_it_would_take(answer: Answer, evidence: Evidence) -> Exhibit:
    """Draw the smallest detectable effect and the coverage needed over the number of comparison districts."""
    reach, power = evidence.reach, evidence.power
    if power is None:
        return not_drawn(answer, "What it would take to see the published effects", NOT_PUBLISHED)
    shown = reach[reach["enrollment"] == SHOWN_ENROLMENT]
    figure, (left, right) = new_panels(1, 2, 3.9)
    low, high = float(reach["diluted_low_pp"].iloc[0]), float(reach["diluted_high_pp"].iloc[0])
    left.axhspan(low, high, color=PALE, zorder=0, label="what the published effects come to")
    for (n, rows), mark in zip(shown.groupby("n_treated"), SERIES, strict=False):
        label = counted(int(str(n)), "treated district")
        left.plot(rows["n_comparison"], rows["mde_pp"], label=label, **mark.keywords())
        right.plot(rows["n_comparison"], 100 * rows["coverage_for_high"], **mark.keywords())
    today = 100 * power.coverage
    right.axhline(today, color=INK, linewidth=1.2)
    right.annotate(
        f"{program_name()}: {number(today, 1)} %", (5, today), (0, -12), textcoords="offset points", fontsize=9
    )
    left.set(title="Smallest detectable effect", ylabel="points of the average", ylim=(0, None))
    right.set(title="Share visited that would show it", ylabel="percent of students", ylim=(0, None))
    for axes in (left, right):
        _count_axis(axes, shown["n_comparison"].unique())
    legend_below(left, 2)
    return Exhibit(
        figure=figure,
        title="What it would take to see the published effects",
        alt=alt_text(
            _reach_words(shown, low, high), f"{program_name()} visited {number(today, 1)} percent of students."
        ),
        caption=caption_of(
            answer,
            f"80 % power at 5 %, districts of {SHOWN_ENROLMENT:,} students, spread between districts as measured among "
            "the comparison districts; right: for the largest published effect on visited students",
        ),
        data=_reach_table(reach),
    )


def _count_axis(axes: Axes, counts: np.ndarray) -> None:
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(int(count)) for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("comparison districts")


def _reach_words(shown: pd.DataFrame, low: float, high: float) -> str:
    one = shown.loc[shown["n_treated"] == 1, "mde_pp"].min()
    many = shown.loc[shown["n_treated"] == shown["n_treated"].max(), "mde_pp"].min()
    return (
        f"With one treated district even {shown['n_comparison'].max()} comparison districts leave the smallest "
        f"detectable effect at {number(one)} points, with {shown['n_treated'].max()} treated it is {number(many)}; "
        f"the published effects come to {number(low)} to {number(high)}."
    )


def _reach_table(reach: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Treated districts": reach["n_treated"],
            "Comparison districts": reach["n_comparison"],
            "Students a district": reach["enrollment"],
            "Smallest detectable effect, points": reach["mde_pp"],
            "Visited share needed for the smallest published effect, percent": 100 * reach["coverage_for_low"],
            "Visited share needed for the largest published effect, percent": 100 * reach["coverage_for_high"],
        }
    )


@in_house_style
def alike_before(answer: Answer, evidence: Evidence) -> Exhibit:
    """Draw the Cox index of chronic absence before the program against each group, over the WWC thresholds."""
    rows = [row for row in evidence.wwc.baseline if row.yardstick == COX and row.index is not None]
    if not rows:
        reason = "Chronic absence before the program is not published for both sides."
        return not_drawn(answer, "How alike the groups were before the program", reason)
    indices = [row.index or 0.0 for row in rows]
    places = np.arange(len(rows))[::-1]
    figure, axes = new_figure(1.7 + 0.45 * len(rows))
    axes.axvspan(-WITH_ADJUSTMENT, WITH_ADJUSTMENT, color="#EFEFEF", zorder=0, label="satisfied with adjustment")
    axes.axvspan(-SATISFIED, SATISFIED, color="#CFCFCF", zorder=0.5, label="satisfied")
    zero_line(axes)
    for place, row, index in zip(places, rows, indices, strict=True):
        mark = mark_of(row.comparison)
        axes.plot(index, place, linestyle="none", marker=mark.marker, color=mark.color, markersize=9)
        axes.annotate(number(index), (index, place), (8, 0), textcoords="offset points", va="center")
    furthest = max(0.3, *(abs(index) for index in indices))
    axes.set(
        yticks=places,
        yticklabels=[_group_words(row) for row in rows],
        ylim=(-0.6, len(rows) - 0.4),
        xlim=(-1.25 * furthest, 1.25 * furthest),
        xlabel=f"Cox index of chronic absence {rows[0].year}\n(right: more absence than in the comparison group)",
    )
    axes.grid(False, axis="y")
    legend_below(axes, 2)
    return Exhibit(
        figure=figure,
        title=f"How alike the groups were before {program_name()}",
        alt=alt_text(_alike_words(rows)),
        caption=Caption(
            what="Difference in log-odds over 1.65, held against WWC 5.0 thresholds as a self-assessment",
            source=study_names().source("chronic_absence", answer.main.edition),
            sample=f"{treated_words(answer)} against each comparison group",
            years=rows[0].year,
            n="; ".join(f"{comparison_short(r.comparison)} {r.n_treated} and {r.n_comparison}" for r in rows),
        ),
        data=_alike_table(evidence.wwc.baseline),
    )


def _group_words(row: BaselineRow) -> str:
    return f"{comparison_short(row.comparison)} ({row.n_comparison})"


def _alike_words(rows: list[BaselineRow]) -> str:
    said = [f"{comparison_short(row.comparison)} {number(row.index or 0.0)}" for row in rows]
    failed = sum(row.category == "not satisfied" for row in rows)
    return (
        f"Cox index of chronic absence before {program_name()} against {', '.join(said)}. "
        f"Outside the adjustment range of 0.25: {failed} of {counted(len(rows), 'comparison group')}."
    )


def _alike_table(rows: tuple[BaselineRow, ...]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Comparison group": [comparison_short(row.comparison) for row in rows],
            "Measure": [row.measure.replace("_", " ") for row in rows],
            "Year": [row.year for row in rows],
            f"{program_name()}, percent": [row.mean_treated_pct for row in rows],
            "Comparison, percent": [row.mean_comparison_pct for row in rows],
            "Difference": [row.index for row in rows],
            "Yardstick": [row.yardstick for row in rows],
            "Category": [row.category or "does not apply" for row in rows],
        }
    )


@in_house_style
def days_gained(answer: Answer, evidence: Evidence) -> Exhibit:
    """Draw the days gained per visited student with their interval beside what the published effects come to."""
    cost = evidence.cost
    if cost is None or cost.days_visited is None:
        why = cost.visited_refusal if cost else NOT_PUBLISHED
        return not_drawn(answer, "Days gained per visited student, and dollars a day", why)
    ours = cost.days_visited
    figure, axes = new_figure(1.6 + 0.34 * (len(cost.published) + 1))
    mark, published = MARKS["pooled"], MARKS["published"]
    claims = sorted(cost.published, key=lambda item: item.days)
    places = np.arange(1, len(claims) + 1)
    zero_line(axes)
    if not missing(ours.low) and not missing(ours.high):
        axes.hlines(0, ours.low, ours.high, color=mark.color, linewidth=2.2)
    axes.plot(ours.value, 0, linestyle="none", marker=mark.marker, color=mark.color, markersize=8)
    axes.plot(
        [item.days for item in claims],
        places,
        linestyle="none",
        marker=published.marker,
        color=published.color,
        markersize=10,
    )
    for place, item in zip(places, claims, strict=True):
        axes.annotate(
            f"${item.dollars_per_day:,.0f} a day", (item.days, place), (9, 0), textcoords="offset points", va="center"
        )
    axes.set(
        yticks=[0, *places],
        yticklabels=["this study, 95 % interval", *(item.label for item in claims)],
        ylim=(-0.7, len(claims) + 0.6),
        xlabel="school days a year per visited student",
    )
    axes.margins(x=0.16)
    axes.grid(False, axis="y")
    return Exhibit(
        figure=figure,
        title="Days gained per visited student, and dollars a day",
        alt=alt_text(_days_words(cost, ours), f"The published effects would be ${_cheapest(cost)} a day or more."),
        caption=caption_of(
            answer,
            "Effect on the average divided by the share visited, times 180 days; stars: published effects held for a "
            f"whole year, with ${cost.dollars_per_served:,.0f} a visited student",
        ),
        data=_days_table(cost, ours),
    )


def _cheapest(cost: CostBlock) -> str:
    return f"{min(item.dollars_per_day for item in cost.published):,.0f}"


def _days_words(cost: CostBlock, ours: Range) -> str:
    found = f"Days gained per visited student: {points(ours.value, 0)} ({between(ours.low, ours.high, 0)})."
    if cost.dollars_per_day is None:
        return f"{found} So the cost of an extra day cannot be stated."
    price = cost.dollars_per_day
    return f"{found} An extra day cost ${price.value:,.0f} (${price.low:,.0f} to ${price.high:,.0f})."


def _days_table(cost: CostBlock, ours: Range) -> pd.DataFrame:
    price = cost.dollars_per_day
    first = {"Source": "this study", "Days": ours.value, "From": ours.low, "To": ours.high}
    rows = [{**first, "Dollars a day": price.value if price else None}]
    rows += [
        {"Source": item.label, "Days": item.days, "Dollars a day": item.dollars_per_day} for item in cost.published
    ]
    return pd.DataFrame(rows)
