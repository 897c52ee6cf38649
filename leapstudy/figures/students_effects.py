"""The effect on visited students: by month since the visit, by design beside its placebo, and by part."""

import numpy as np
import pandas as pd

from leapstudy.core.estimate import Estimate
from leapstudy.core.phrases import between, number, points
from leapstudy.core.table import Table
from leapstudy.figures.exhibit import Exhibit
from leapstudy.figures.students_common import (
    DESIGN_MARKS,
    EFFECT,
    SINCE,
    design_label,
    draw_path,
    mark_visit,
    n_words,
    refused_exhibit,
    student_exhibit,
)
from leapstudy.figures.style import (
    BLUE,
    GRAY,
    INK,
    in_house_style,
    legend_below,
    new_figure,
    new_panels,
    zero_line,
)
from leapstudy.study.student_results import DesignAnswer
from leapstudy.study.students import StudentStudy


@in_house_style
def event_study(study: StudentStudy) -> Exhibit:
    """Draw the recommended design by month since the first visit, with pointwise and simultaneous bands."""
    design = study.answer.design()
    path = design.path
    if path.empty:
        return refused_exhibit(study, "The effect by month since the first visit", design.refused)
    figure, axes = new_figure(3.8)
    times = path["event_time"].to_numpy(float)
    axes.vlines(
        times, path["low_sup_pp"], path["high_sup_pp"], color=BLUE, linewidth=1.3, label="95 % band, all months at once"
    )
    axes.vlines(
        times, path["low_pp"], path["high_pp"], color=BLUE, linewidth=5, alpha=0.55, label="95 % interval, one month"
    )
    axes.plot(times, path["estimate_pp"], linestyle="none", marker="o", color=INK, zorder=4)
    zero_line(axes, vertical=False)
    mark_visit(axes)
    axes.set(xlabel=SINCE, ylabel=EFFECT)
    legend_below(axes, 2)
    last = path.iloc[-1]
    return student_exhibit(
        study,
        figure,
        "The effect by month since the first visit",
        [
            f"At month {int(last['event_time'])} the estimate is {points(last['estimate_pp'])} points "
            f"({between(last['low_pp'], last['high_pp'])}).",
            _before_words(path),
        ],
        f"Recommended design ({design_label(design.name)}); months before the visit should be near zero",
        n_words(design.main),
        path.set_axis(
            ["Month", "Estimate", "Standard error", "Low", "High", "Low, all months", "High, all months"], axis=1
        ),
    )


def _before_words(path: pd.DataFrame) -> str:
    before = path[path["event_time"] < 0]
    if before.empty:
        return ""
    return f"Before the visit no estimate is farther from zero than {number(before['estimate_pp'].abs().max())}."


@in_house_style
def designs(study: StudentStudy) -> Exhibit:
    """Draw every design's estimate beside what the same design finds where nobody was visited."""
    table = _designs_table(study)
    figure, axes = new_figure(3.9)
    for shift, column, color, marker, label in (
        (-0.14, "estimate", BLUE, "o", "visited students"),
        (0.14, "placebo", GRAY, "D", "zero expected: nobody was visited"),
    ):
        places = np.arange(len(table)) + shift
        axes.hlines(places, table[f"{column}_low"], table[f"{column}_high"], color=color, linewidth=1.8)
        axes.plot(table[column], places, linestyle="none", marker=marker, color=color, label=label)
    zero_line(axes)
    axes.set(
        yticks=range(len(table)), yticklabels=[label.replace(", ", ",\n") for label in table["design"]], xlabel=EFFECT
    )
    axes.invert_yaxis()
    legend_below(axes, 2)
    return student_exhibit(
        study,
        figure,
        "Each design beside its placebo",
        _designs_words(study),
        f"Mean effect over {study.headline_words}; the placebo puts the referral rule by lot to months before any "
        "visit and tests whether the rebound is removed; students referred and not met show how staff picked",
        study.sizes,
        table.set_axis(["Design", "Estimate", "Low", "High", "Placebo", "Low, placebo", "High, placebo"], axis=1),
    )


def _designs_table(study: StudentStudy) -> pd.DataFrame:
    rows = []
    for item in study.answer.designs:
        row: dict[str, object] = {"design": design_label(item.name)}
        for name, estimate in (("estimate", item.main), ("placebo", item.placebo)):
            row |= {
                name: np.nan if estimate is None else estimate.estimate_pp,
                f"{name}_low": np.nan if estimate is None else estimate.ci_low_pp,
                f"{name}_high": np.nan if estimate is None else estimate.ci_high_pp,
            }
        rows.append(row)
    control = study.answer.control
    if control is not None:
        ends = {"placebo": control.estimate_pp, "placebo_low": control.ci_low_pp, "placebo_high": control.ci_high_pp}
        nothing = dict.fromkeys(("estimate", "estimate_low", "estimate_high"), np.nan)
        rows.append({"design": "recommended design, referred and not met", **nothing, **ends})
    return pd.DataFrame(rows)


def _designs_words(study: StudentStudy) -> list[str]:
    own = study.answer.design()
    textbook = study.answer.design("never")
    return [
        f"The recommended design finds {_value(own.main)} points, and {_value(own.placebo)} where nobody was visited.",
        f"The textbook comparison with never visited students finds {_value(textbook.main)}, and "
        f"{_value(textbook.placebo)} where nobody was visited.",
        f"Students who were referred and not met: {_value(study.answer.control)}, where zero is expected.",
    ]


def _value(estimate: Estimate | None) -> str:
    return "nothing (refused)" if estimate is None else points(estimate.estimate_pp)


@in_house_style
def placebo_paths(study: StudentStudy) -> Exhibit:
    """Draw month by month what each design finds for students picked by the rule when nobody was visited."""
    table = _paths_table(study.answer.designs)
    if table.empty:
        return refused_exhibit(study, "What each design would have found without any visit", ())
    figure, (left, right) = new_panels(1, 2, height=4.2, sharey=True)
    for axes, column, title in (
        (left, "placebo_path", "placebo: nobody was visited"),
        (right, "path", "visited students"),
    ):
        for item in study.answer.designs:
            path = getattr(item, column)
            if len(path):
                draw_path(axes, path, DESIGN_MARKS[item.name], design_label(item.name), markersize=4)
        zero_line(axes, vertical=False)
        mark_visit(axes)
        axes.set(xlabel="months since picked" if column == "placebo_path" else SINCE, title=title)
    left.set_ylabel(EFFECT)
    legend_below(right, 2)
    return student_exhibit(
        study,
        figure,
        "What each design would have found without any visit",
        _farthest(study.answer.designs),
        "Left: the district's own rule applied before the first visit. Right: visited students. A design whose left "
        "path rises like its right one shows rebound",
        study.sizes,
        table,
    )


def _farthest(found: tuple[DesignAnswer, ...]) -> list[str]:
    ends = {item.name: item.placebo.estimate_pp for item in found if item.placebo is not None}
    if not ends:
        return ["No placebo could be formed: the file has too few months before the first visit."]
    worst, best = max(ends, key=lambda name: abs(ends[name])), min(ends, key=lambda name: abs(ends[name]))
    return [
        f"Where nobody was visited, the design '{design_label(worst)}' still finds {points(ends[worst])} points; "
        f"nearest to zero is '{design_label(best)}' with {points(ends[best])}.",
    ]


def _paths_table(found: tuple[DesignAnswer, ...]) -> pd.DataFrame:
    parts = {}
    for item in found:
        for path, of in ((item.path, "visited"), (item.placebo_path, "placebo")):
            if len(path):
                parts[f"{design_label(item.name)} ({of})"] = path.set_index("event_time")["estimate_pp"]
    return pd.DataFrame(parts).sort_index().rename_axis("Month").reset_index()


@in_house_style
def parts(study: StudentStudy) -> Exhibit:
    """Draw the recommended design among some of the visited only: by grade band and by number of visits."""
    table = study.answer.parts.copy()
    figure, axes = new_figure(1.2 + 0.42 * len(table))
    places = np.arange(len(table))
    axes.hlines(places, table["low_pp"], table["high_pp"], color=BLUE, linewidth=1.8)
    axes.plot(table["estimate_pp"], places, linestyle="none", marker="o", color=BLUE)
    for place in np.flatnonzero(table["estimate_pp"].isna()):
        axes.annotate(
            "too few students", (0, place), (6, 0), textcoords="offset points", va="center", color=GRAY, fontsize=9
        )
    zero_line(axes)
    axes.set(
        yticks=places,
        yticklabels=table["dimension"] + ": " + table["group"],
        xlabel=EFFECT,
        ylim=(len(table) - 0.5, -0.5),
    )
    shown = table.dropna(subset=["estimate_pp"])
    said = [f"{row['dimension']} {row['group']}: {points(row['estimate_pp'])}" for row in shown.to_dict("records")]
    return student_exhibit(
        study,
        figure,
        "Exploratory: by grade band and number of visits",
        [f"{one}." for one in said] or ["No part has enough students."],
        f"Recommended design, mean over {study.headline_words}, among some of the visited. Who was visited more often "
        "was not drawn by lot: differences between numbers of visits are no effects of visits",
        study.sizes,
        table.drop(columns="reason").set_axis(["Split", "Group", "Estimate", "Standard error", "Low", "High"], axis=1),
    )


def estimand_card(study: StudentStudy) -> Table:
    """Return the recommended design's card as a table: what is estimated, and by which conventions."""
    rows = pd.DataFrame(
        study.answer.design().card or [("Refused", "nothing was estimated")], columns=["", "In this study"]
    )
    mark = "SIMULATED. " if study.simulated else ""
    return Table(rows, f"{mark}What the recommended design estimates, and how")
