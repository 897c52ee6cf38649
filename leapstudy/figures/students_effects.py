"""The effect on visited students: by month, by design beside its placebo, as trends depart, and as it was published."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.estimate import Estimate
from leapstudy.core.phrases import between, capital, points
from leapstudy.core.table import Table, records
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import (
    ROW,
    axes,
    effect_axis,
    inches_across,
    label,
    named_intervals,
    signed,
    styled,
    text_width,
    wrap,
)
from leapstudy.figures.palette import BAND, COMPARISON, INK, NARROW, OWN, SMALL, WIDE
from leapstudy.figures.students_common import (
    draw_band,
    draw_path,
    end_labels,
    month_axis,
    n_words,
    refused_exhibit,
    student_exhibit,
    student_frame,
)
from leapstudy.study.student_designs import months_named
from leapstudy.study.student_lottery import VISITED
from leapstudy.study.student_results import RECOMMENDED
from leapstudy.study.students import StudentStudy
from leapstudy.words import findings_students as words

# Inches of a design whose name stands beside it, and of one whose name stands above.
DESIGN, ABOVE = 0.42, 0.56
PANEL = 1.5
# Right of the picture, narrow and wide: room in inches, and what stands there of the visited and of the placebo.
NARROW_ENDS = (0.8, "visited", "nobody\nvisited")
WIDE_ENDS = (1.45, "visited students", "same rule, before\nany visit")
# Inches by which a name reaches over its dot, or keeps from the next name.
BESIDE = 0.11


@at_both_widths
def event_study(study: StudentStudy, width: float = WIDE) -> Exhibit:
    """Draw the recommended design month by month with its simultaneous band, beside its placebo.

    Parameters
    ----------
    study
        The path of its recommended design is drawn; where it is empty, the reason is shown.
    width
        `WIDE` or `NARROW`, inches.
    """
    design, finding = study.answer.design(), words.effect(study)
    if design.path.empty:
        return refused_exhibit(study, finding.title, design.refused, width)
    what = (
        "Attendance of visited students beyond that of students at risk in the same month with the same absence "
        "before, percentage points; band: 95%, all months at once"
    )
    with styled():
        figure, bottom, top = student_frame(
            study, finding, what, 3.2, width, "Square: base, the last month before. Gray column: month of the visit."
        )
        right, own, none = NARROW_ENDS if width <= NARROW else WIDE_ENDS
        picture = axes(figure, 0.45, width - right, bottom + 0.42, top - 0.1)
        month_axis(picture)
        draw_band(picture, design.path)
        ends = [(float(design.path["estimate_pp"].iloc[-1]), own, OWN, "bold")]
        if not design.placebo_path.empty:
            draw_path(picture, design.placebo_path, COMPARISON, linewidth=1.3)
            low, high = picture.get_ylim()
            placebo, room = design.placebo_path["estimate_pp"], 0.1 * (high - low)
            picture.set_ylim(min(low, float(placebo.min()) - room), max(high, float(placebo.max()) + room))
            ends.append((float(design.placebo_path["estimate_pp"].iloc[-1]), none, COMPARISON, "normal"))
        _average(picture, design.main, design.path)
        end_labels(picture, ends)
    table = design.path.set_axis(
        ["Month", "Estimate", "Standard error", "Low", "High", "Low, all months", "High, all months"], axis=1
    )
    return student_exhibit(study, figure, finding, what, n_words(design.main), table)


def _average(axes: Axes, main: Estimate | None, path: pd.DataFrame) -> None:
    """Write the headline's average above the months that it is of, and below them where it is negative."""
    if main is None:
        return
    months = months_named(main.post)
    first, last = months[0], months[-1]
    inside = path[path["event_time"].isin(months)]
    low, high = axes.get_ylim()
    tall, fell = high - low, main.estimate_pp < 0
    if fell:
        axes.set_ylim(low - 0.1 * tall, high)
        place = float(inside["low_sup_pp"].min()) - 0.03 * tall
    else:
        place = min(float(inside["high_sup_pp"].max()) + 0.03 * tall, high - 0.09 * tall)
    axes.hlines(place, first, last, color=OWN, linewidth=1.5)
    note = f"{main.post}: {points(main.estimate_pp, 1)} ({between(main.ci_low_pp, main.ci_high_pp, 1)})"
    left, right = axes.get_xlim()
    wide = 1.1 * text_width(note, SMALL, "bold") / inches_across(axes) * (right - left)
    axes.text(
        max(last, left + wide),  # on a narrow page it would run over the ticks
        place + (-0.015 if fell else 0.015) * tall,
        note,
        ha="right",
        va="top" if fell else "bottom",
        color=OWN,
        weight="bold",
        size=SMALL,
    )


@at_both_widths
def designs(study: StudentStudy, width: float = WIDE) -> Exhibit:
    """Draw every design's estimate, filled, beside what it finds where nobody was visited, hollow.

    Parameters
    ----------
    study
        The recommended design stands on top, the others by how far their placebo lies from zero; last the students who
        were referred and not met, for whom zero is expected.
    width
        `WIDE` or `NARROW`, inches; narrow, names stand above their rows.
    """
    rows, finding, narrow = _designs_table(study), words.designs(study), width <= NARROW
    over, hollow = (" or ".join(dict.fromkeys(rows[name].dropna())) for name in ("months", "placebo_months"))
    others = f" ({hollow})" if hollow not in ("", over) else ""
    over = over or study.headline_words
    what = f"Mean effect over {over}, percentage points, 95% CI; hollow: nobody was visited{others}"
    step = ABOVE if narrow else DESIGN
    names = ["\n".join(wrap(str(name), SMALL + 0.5, 3.0 if narrow else 1.9)) for name in rows["design"]]
    longest = max(text_width(line, SMALL + 0.5, "bold") for name in names for line in name.split("\n"))
    left = 0.15 if narrow else 0.3 + longest
    ends = rows.select_dtypes("number").to_numpy(float).ravel()
    if np.isnan(ends).all():
        return refused_exhibit(study, finding.title, study.answer.design().refused, width)
    with styled():
        figure, bottom, top = student_frame(study, finding, what, step * (len(rows) + 0.4) + 0.65, width)
        picture = axes(figure, left, width - 0.2, bottom + 0.3, top - 0.2)
        picture.set(ylim=(len(rows) - 0.4, -0.75), yticks=[])
        effect_axis(picture, float(np.nanmin(ends)), float(np.nanmax(ends)))
        picture.axhspan(-0.45 if not narrow else -0.72, 0.45 if not narrow else 0.25, color=BAND, linewidth=0, zorder=0)
        if study.true_headline is not None:
            picture.axvline(study.true_headline, color=INK, linewidth=1.2, linestyle="--", zorder=1)
        _rows(picture, rows, names, narrow)
        _first_words(picture, rows.iloc[0], study.true_headline)
    columns = ["Estimate", "Low", "High", "Months", "Placebo", "Low, placebo", "High, placebo", "Months, placebo"]
    table = rows.set_axis(["Design", *columns], axis=1)
    return student_exhibit(study, figure, finding, what, study.sizes, table)


def _rows(axes: Axes, rows: pd.DataFrame, names: list[str], narrow: bool) -> None:
    for place, (row, name) in enumerate(zip(records(rows), names, strict=True)):
        color = OWN if place == 0 else COMPARISON
        for kind, face in (("estimate", color), ("placebo", "white")):
            axes.hlines(place, row[f"{kind}_low"], row[f"{kind}_high"], color=color, linewidth=3 if place == 0 else 1.6)
            axes.plot(row[kind], place, "o", color=color, markerfacecolor=face, markersize=7, zorder=3)
        look: dict[str, Any] = {"color": color, "weight": "bold" if place == 0 else "normal", "size": SMALL + 0.5}
        if narrow:
            paper = {"facecolor": BAND if place == 0 else "white", "edgecolor": "none", "pad": 0.6}
            look |= {"transform": axes.get_yaxis_transform(), "va": "bottom", "bbox": paper}
            axes.text(0.01, place - 0.28, name.replace("\n", " "), **look)
        else:
            label(axes, name, (0, place), (-8, 0), x="axes fraction", **look)


def _first_words(axes: Axes, row: "pd.Series[Any]", truth: float | None) -> None:
    """Name the dots, or the dashed line, at the top: beside one another and inside the picture, however near."""
    visited = (row["estimate"], "visited", OWN)
    if truth is not None:
        visited = (truth, f"visited; truth {points(truth, 1)}", INK)
    labels = sorted(item for item in ((row["placebo"], "nobody visited", OWN), visited) if not np.isnan(item[0]))
    (low, high), across = axes.get_xlim(), inches_across(axes)
    room = across + BESIDE
    for value, name, color in reversed(labels):  # from the right: the last begins at its dot, one before ends there
        dot, wide = (value - low) / (high - low) * across, text_width(name, SMALL)
        last = room > across
        start = min(dot - BESIDE if last else dot + BESIDE - wide, room - wide)
        if last and len(labels) > 1:
            start = max(start, text_width(labels[0][1], SMALL))  # room for the other
        start = max(start, -BESIDE)
        at = (start / across, 1.0)
        label(axes, name, at, (0, 3), x="axes fraction", y="axes fraction", ha="left", va="bottom", color=color)
        room = start - BESIDE


def _designs_table(study: StudentStudy) -> pd.DataFrame:
    rows = []
    off = {item.name: abs(item.placebo.estimate_pp) if item.placebo else np.inf for item in study.answer.designs}
    for item in sorted(study.answer.designs, key=lambda item: (item.name != RECOMMENDED, off[item.name])):
        rows.append({"design": words.design_label(item.name), **_ends(item.main, "estimate"), **_ends(item.placebo)})
    if study.answer.control is not None:
        rows.append({"design": "referred and not met", **_ends(None, "estimate"), **_ends(study.answer.control)})
    return pd.DataFrame(rows)


def _ends(estimate: Estimate | None, name: str = "placebo") -> dict[str, float | str | None]:
    """Return an estimate, its ends and its months as four columns; empty where it was refused."""
    nothing, months = float("nan"), "months" if name == "estimate" else f"{name}_months"
    if estimate is None:
        return {name: nothing, f"{name}_low": nothing, f"{name}_high": nothing, months: None}
    low, high = (nothing if end is None else end for end in (estimate.ci_low_pp, estimate.ci_high_pp))
    return {name: estimate.estimate_pp, f"{name}_low": low, f"{name}_high": high, months: estimate.post}


@at_both_widths
def placebo_paths(study: StudentStudy, width: float = WIDE) -> Exhibit:
    """Draw month by month what each design finds for the visited, and in gray where nobody was visited.

    Parameters
    ----------
    study
        One small panel a design, the recommended one first.
    width
        `WIDE` or `NARROW`, inches; five panels in two rows, or in three.
    """
    finding, with_path = words.paths(study), [item for item in study.answer.designs if len(item.path)]
    if not with_path:
        return refused_exhibit(study, finding.title, study.answer.design().refused, width)
    with_path.sort(key=lambda item: item.name != RECOMMENDED)
    columns = 2 if width <= NARROW else 3
    lines = -(-len(with_path) // columns)
    what = "Percentage points by month; blue: visited students, gray: same rule before any visit, expected to be zero"
    across = (width - 0.55) / columns
    with styled():
        figure, _, top = student_frame(study, finding, what, lines * (PANEL + 0.65), width)
        ends = pd.concat([path["estimate_pp"] for item in with_path for path in (item.path, item.placebo_path)])
        low, high = float(ends.min()), float(ends.max())
        for place, item in enumerate(with_path):
            line, column = divmod(place, columns)
            ceiling = top - line * (PANEL + 0.65) - 0.4
            panel = axes(
                figure, 0.4 + column * across, 0.4 + (column + 1) * across - 0.2, ceiling - PANEL + 0.1, ceiling
            )
            month_axis(panel, "", 4)
            panel.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
            if len(item.placebo_path):
                draw_path(panel, item.placebo_path, COMPARISON, linewidth=1.6)
            draw_path(panel, item.path, OWN, linewidth=2)
            name = "\n".join(wrap(words.design_label(item.name), SMALL, across - 0.25)[:3])
            panel.tick_params(axis="y", labelleft=column == 0)
            panel.set_title(name, loc="left", size=SMALL, weight="bold" if place == 0 else "normal", pad=4)
    return student_exhibit(study, figure, finding, what, study.sizes, _paths_table(study))


def _paths_table(study: StudentStudy) -> pd.DataFrame:
    parts = {}
    for item in study.answer.designs:
        for path, of in ((item.path, "visited"), (item.placebo_path, "placebo")):
            if len(path):
                label = f"{words.design_label(item.name)} ({of})"
                parts[label] = path.set_index("event_time")["estimate_pp"]
    return pd.DataFrame(parts).sort_index().rename_axis("Month").reset_index()


def parts(study: StudentStudy) -> Table:
    """Return the recommended design among some of the visited only, by grade band and by number of visits."""
    rows = study.answer.parts.set_axis(
        ["Split", "Group", "Estimate", "Standard error", "Low", "High", "Months", "Why none"], axis=1
    )
    return Table(rows, f"{_mark(study)}Exploratory: mean effects by grade band and visits, points")


def estimand_card(study: StudentStudy) -> Table:
    """Return the recommended design's card as a table: what is estimated, and by which conventions."""
    rows = pd.DataFrame(
        study.answer.design().card or [("Refused", "nothing was estimated")], columns=["Part", "In this study"]
    )
    return Table(rows, f"{_mark(study)}What the recommended design estimates, and how")


def _mark(study: StudentStudy) -> str:
    return f"{words.SIMULATED}. " if study.simulated else ""


@at_both_widths
def bounds(study: StudentStudy, width: float = WIDE) -> Exhibit:
    """Draw the robust interval of the headline as the difference may depart from month to month.

    Parameters
    ----------
    study
        Its `answer.bounds` holds the intervals; there are none for one district, or where none is needed.
    width
        `WIDE` or `NARROW`, inches.
    """
    sets, finding = study.answer.bounds, words.bounds(study)
    if sets is None:
        return refused_exhibit(study, finding.title, [finding.detail], width)
    what = (
        f"Robust 95% CI of the mean effect over {study.headline_words}, percentage points, by how much the difference "
        f"may change from month to month, in multiples of the largest change before the visit"
    )
    rows = sets.table
    with styled():
        figure, bottom, top = student_frame(study, finding, what, 2.6, width)
        picture = axes(figure, 0.5, width - 0.25, bottom + 0.42, top - 0.1)
        picture.fill_between(rows["m"], rows["low_pp"], rows["high_pp"], color=BAND, linewidth=0)
        for end in ("low_pp", "high_pp"):
            picture.plot(rows["m"], rows[end], color=OWN, linewidth=1.8, marker="o", markersize=4)
        picture.axhline(0, color=INK, linewidth=1.1)
        low, high = min(float(rows["low_pp"].min()), 0.0), max(float(rows["high_pp"].max()), 0.0)
        picture.set(xlim=(0, float(rows["m"].max())), ylim=(low - 0.12 * (high - low), high + 0.1 * (high - low)))
        if sets.breakdown:
            picture.axvline(sets.breakdown, color=INK, linewidth=1.2, linestyle="--")
            right = sets.breakdown > float(rows["m"].max()) / 2  # the words stand where there is room
            note, shift = f"breaks down at {sets.breakdown:.2f}", (-4 if right else 4, -2)
            label(picture, note, (sets.breakdown, 1.0), shift, y="axes fraction", va="top")
        picture.locator_params(nbins=5)
        picture.yaxis.set_major_formatter(lambda value, _: signed(value))
        picture.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
        picture.set_xlabel("times the largest change before", size=SMALL, color=COMPARISON)
    table = rows[["m", "low_pp", "high_pp"]].set_axis(["Departure", "Low", "High"], axis=1)
    return student_exhibit(study, figure, finding, what, study.sizes, table)


@at_both_widths
def beside_published(study: StudentStudy, width: float = WIDE) -> Exhibit:
    """Draw the recommended design from the visit on, the published effects as stars, and the truth where it is known.

    Parameters
    ----------
    study
        `published` has a row a published effect: who, month, effect_pp; `truth` is drawn where it is not None.
    width
        `WIDE` or `NARROW`, inches.
    """
    path, finding, narrow = study.answer.design().path, words.published(study), width <= NARROW
    path = path[path["event_time"] >= 0]
    if path.empty:
        return refused_exhibit(study, finding.title, study.answer.design().refused, width)
    what = "Effect on visited students, percentage points, by month; band: 95%, all months at once; stars: published"
    with styled():
        figure, bottom, top = student_frame(study, finding, what, 3.3, width, f"{_star_words(study.published)}")
        picture = axes(figure, 0.45, width - (0.85 if narrow else 1.5), bottom + 0.42, top - 0.1)
        month_axis(picture)
        draw_band(picture, path)
        _stars(picture, study.published)
        highest = float(np.nanmax([*study.published["effect_pp"], *path["high_sup_pp"]]))
        last = max([int(path["event_time"].max()), *study.published["month"].astype(int)])
        picture.set(xlim=(-0.5, last + 0.4), ylim=(min(0.0, float(path["low_sup_pp"].min())) - 1.2, 1.08 * highest))
        ends = [(float(path["estimate_pp"].iloc[-1]), "estimate", OWN, "bold")]
        if study.truth is not None:
            truth = study.truth
            picture.plot(truth["event_time"], truth["effect_pp"], color=INK, linestyle="--", linewidth=1.6)
            ends.append((float(truth["effect_pp"].iloc[-1]), "truth" if narrow else "true effect", INK, "normal"))
        end_labels(picture, ends)
    main = study.answer.design().main
    return student_exhibit(study, figure, finding, what, n_words(main), _truth_table(study, path))


def _stars(axes: Axes, published: pd.DataFrame) -> None:
    """Draw the published effects with their number; who they are of stands in the note."""
    axes.plot(published["month"], published["effect_pp"], "*", color=INK, markersize=10, zorder=4)
    for month, effect in zip(published["month"], published["effect_pp"], strict=True):
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.3}
        label(axes, points(float(effect), 0), (month, effect), (-7, 0), bbox=paper, zorder=3.5)


def _star_words(published: pd.DataFrame) -> str:
    """Say which published effect each star is, month by month."""
    if published.empty:
        return "No effect is published."
    parts = []
    for month, rows in published.sort_values(["month", "effect_pp"]).groupby("month"):
        programs = ", ".join(
            f"{points(float(effect), 0)} {who}" for effect, who in zip(rows["effect_pp"], rows["who"], strict=True)
        )
        parts.append(f"month {month}: {programs}")
    return f"Stars, {'; '.join(parts)}. Their errors and method are not public."


def _truth_table(study: StudentStudy, path: pd.DataFrame) -> pd.DataFrame:
    table = path[["event_time", "estimate_pp", "low_sup_pp", "high_sup_pp"]]
    names = ["Month", "Estimate", "Low, all months", "High, all months"]
    if study.truth is not None:
        table = table.merge(study.truth, on="event_time", how="left")
        names.append("True effect")
    return table.set_axis(names, axis=1)


def answer(study: StudentStudy) -> Exhibit:
    """Draw what leads the study: its path by month, or the effect of a draw or of the plan's primary outcome."""
    return event_study(study) if study.answer.leads_with_path else effects(study)


@at_both_widths
def effects(study: StudentStudy, width: float = WIDE) -> Exhibit:
    """Draw the leading effect over what should be zero, each with its 95% interval.

    Parameters
    ----------
    study
        Of a draw, or whose plan names another primary outcome than attendance.
    width
        `WIDE` or `NARROW`, inches.
    """
    rows, finding, main = _leading_rows(study), words.leading(study), study.answer.leading
    if main is None:
        return refused_exhibit(study, finding.title, study.answer.design().refused, width)
    what = f"{capital(words.plain_outcome(main.outcome))}, percentage points, 95% CI; hollow: expected to be zero"
    with styled():
        figure, bottom, top = student_frame(study, finding, what, 0.45 + ROW * len(rows), width)
        picture = axes(figure, 0.2, width - 0.2, bottom + 0.32, top - 0.05)
        named_intervals(picture, rows.assign(what=rows.apply(_row_words, axis=1)), width, COMPARISON, 4, hollow=True)
    table = rows[["what", "value", "low", "high"]].set_axis(["What", "Estimate", "Low", "High"], axis=1)
    return student_exhibit(study, figure, finding, what, n_words(main), table)


def _row_words(row: pd.Series) -> str:
    return f"{row['what']}: {points(row['value'])} ({between(row['low'], row['high'])})"


def _leading_rows(study: StudentStudy) -> pd.DataFrame:
    lottery, primary = study.answer.lottery, study.answer.primary
    estimates: list[tuple[str, Estimate | None, bool]] = []
    if lottery is not None:
        before = next((row for row in lottery.rows if row.role == "placebo"), None)
        estimates = [("offered visits", lottery.offer, True), ("visited because offered", lottery.row(VISITED), True)]
        estimates.append(("before the start", before, False))
    elif primary is not None:
        estimates = [("visited", primary.main, True), ("referred, not met", primary.control, False)]
    rows = [
        (what, row.estimate_pp, row.ci_low_pp, row.ci_high_pp, own) for what, row, own in estimates if row is not None
    ]
    frame = pd.DataFrame(rows, columns=["what", "value", "low", "high", "own"])
    return frame.astype({"value": float, "low": float, "high": float})
