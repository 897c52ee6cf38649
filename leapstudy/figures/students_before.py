"""Before any effect: how the program chooses, what picking absent students gives by itself, and the raw paths."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.phrases import number, percent, points
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import axes, inches_across, styled, text_width, wrap
from leapstudy.figures.palette import BAND, COMPARISON, CONTEXT, INK, NARROW, OWN, SMALL, TEXT, TINT, WIDE
from leapstudy.figures.students_common import end_labels, refused_exhibit, student_exhibit, student_frame
from leapstudy.students.disclosure import in_time
from leapstudy.students.referral_rule import WORDS
from leapstudy.study.student_designs import NEVER_VISITED, months_named
from leapstudy.study.students import StudentStudy
from leapstudy.words import findings_students as words

PANEL, BARS = 2.3, 1.75
# Where the line of picking stands: between the last month before and the first one.
PICKED = -0.5


@at_both_widths
def picked(study: StudentStudy, width: float = WIDE) -> Exhibit:
    """Draw who was referred, met and met again, and how much the referred and the others at risk had missed.

    Parameters
    ----------
    study
        Its `funnel` holds the steps (small counts hidden), its `rule_shares` the shares by days missed.
    width
        `WIDE` or `NARROW`, inches; narrow, the panels stand one above the other.
    """
    finding, rule, narrow = words.picked(study), study.answer.rule, width <= NARROW
    if rule is None or not rule.referred:
        return refused_exhibit(study, finding.title, [finding.detail], width)
    what = f"Of {_count(_steps(study)['enrolled'])} students enrolled; days missed {WORDS[rule.window]}"
    with styled():
        figure, bottom, top = student_frame(
            study, finding, what, BARS + PANEL + 0.75 if narrow else PANEL + 0.45, width, "Small counts are hidden."
        )
        if narrow:
            left = axes(figure, 0.1, width - 0.1, top - BARS - 0.3, top - 0.3)
            right = axes(figure, 0.45, width - 0.9, bottom + 0.42, bottom + PANEL)
        else:
            left = axes(figure, 0.1, 0.42 * width, top - BARS - 0.3, top - 0.3)
            right = axes(figure, 0.53 * width, width - 0.95, bottom + 0.42, top - 0.35)
        _funnel(left, study)
        _shares(right, study)
    table = study.rule_shares.assign(
        referred_share=100 * study.rule_shares["referred_share"], others_share=100 * study.rule_shares["others_share"]
    ).set_axis(["Missed at least (%)", "Referred (%)", "Others at risk (%)"], axis=1)
    return student_exhibit(study, figure, finding, what, f"about {rule.referred:,} referred students", table)


def _steps(study: StudentStudy) -> dict[str, float]:
    return dict(zip(study.funnel["step"], study.funnel["students"].astype(float), strict=True))


def _count(value: float) -> str:
    return "hidden" if np.isnan(value) else f"{value:,.0f}"


def _funnel(axes: Axes, study: StudentStudy) -> None:
    """Draw each step of the program as a share of the referred, with its share of the step before."""
    steps = _steps(study)
    names = [name for name in steps if name != "enrolled"]
    if steps.get("tried") == steps.get("referred"):
        names = [name for name in names if name != "tried"]
    whole = steps["referred"]
    axes.set(xlim=(0, 1.02), ylim=(len(names), 0), xticks=[], yticks=[])
    axes.spines["bottom"].set_visible(False)
    axes.set_title("Referred, met, met again", loc="left", size=TEXT, weight="bold")
    before = ""
    for place, (name, color) in enumerate(zip(names, (BAND, TINT, OWN, OWN), strict=False)):
        share = steps[name] / whole if whole else float("nan")
        axes.fill_between([0, 0 if np.isnan(share) else share], place + 0.5, place + 0.85, color=color, linewidth=0)
        of = steps[name] / steps[before] if before and steps[before] else float("nan")
        note = f"{name}: {_count(steps[name])}" + ("" if np.isnan(of) else f", {percent(of, 0)} of those {before}")
        axes.text(0, place + 0.44, note, va="bottom", size=SMALL + 0.5)
        before = name


def _shares(axes: Axes, study: StudentStudy) -> None:
    """Draw the share who had missed at least so much, referred and others at risk, with the rule as an ink line."""
    shares, rule = study.rule_shares, study.answer.rule
    ends = []
    for column, color, name, weight in (
        ("referred_share", OWN, "referred", "bold"),
        ("others_share", COMPARISON, "others\nat risk", "normal"),
    ):
        axes.plot(shares["cut"], 100 * shares[column], color=color, linewidth=2.4)
        ends.append((float(100 * shares[column].iloc[-1]), name, color, weight))
    axes.set(ylim=(0, 108), yticks=[0, 50, 100], xlim=(0, float(shares["cut"].max()) + 1))
    axes.set_yticklabels(["0", "50", "100%"], color=COMPARISON)
    axes.set_xticks([10, 20, 30], ["10%", "20%", "30%"])
    axes.set_title("Share who had missed so much", loc="left", size=TEXT, weight="bold")
    axes.set_xlabel("days missed, at least", size=SMALL, color=COMPARISON)
    if rule is not None and rule.found:
        axes.axvline(rule.percent, color=INK, linewidth=1.2)
        axes.text(rule.percent + 0.7, 107, f"rule: {rule.percent}%", size=SMALL, color=INK, va="top")
    end_labels(axes, ends)


@at_both_widths
def rebound(study: StudentStudy, width: float = WIDE) -> Exhibit:
    """Draw the attendance of students whom the rule would have picked before there was any visit, beside all others."""
    table, finding = study.answer.rebound, words.rebound(study)
    if table.empty or not (table["event_time"] < 0).any():
        return refused_exhibit(study, finding.title, [finding.detail], width)
    what = "Mean attendance around the month in which the rule would have picked a student, before the first visit"
    narrow = width <= NARROW
    with styled():
        figure, bottom, top = student_frame(study, finding, what, 2.9, width)
        picture = axes(figure, 0.5, width - (0.75 if narrow else 1.5), bottom + 0.42, top - 0.1)
        picture.plot(table["event_time"], table["others_pct"], color=CONTEXT, linewidth=2)
        picture.plot(table["event_time"], table["picked_pct"], color=OWN, linewidth=2.6)
        low, high = float(table["picked_pct"].min()), float(table["others_pct"].max())
        margin = 0.12 * (high - low) or 1.0  # everybody alike: one line, in the middle of the picture
        picture.set(ylim=(low - margin, high + margin))
        picture.axvline(PICKED, color=INK, linewidth=1.2)
        picture.locator_params(axis="y", nbins=5)
        picture.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")
        picture.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}".replace("-", "\N{MINUS SIGN}"))
        picture.set_xlabel("months since the rule would have picked them", size=SMALL, color=COMPARISON)
        _rise(picture, study, table)
        names = ("picked", "others") if narrow else ("picked by the rule,\nnot visited", "all other students")
        ends = [
            (float(table["picked_pct"].iloc[-1]), names[0], OWN, "bold"),
            (float(table["others_pct"].iloc[-1]), names[1], COMPARISON, "normal"),
        ]
        end_labels(picture, ends)
    return student_exhibit(
        study,
        figure,
        finding,
        what,
        f"{study.placebo_students} picked students",
        table.set_axis(["Months since", "Picked (%)", "Others (%)"], axis=1),
    )


def _rise(axes: Axes, study: StudentStudy, table: pd.DataFrame) -> None:
    """Write the day of picking, the lowest value before it, and the mean rise over the headline's months."""
    before = table[table["event_time"] < 0].iloc[-1]
    low, high = axes.get_ylim()
    axes.text(PICKED - 0.1, high, "picked", ha="right", va="top", size=SMALL)
    value = float(before["picked_pct"])
    edge = before["event_time"] <= table["event_time"].min() + 1  # else it would run into the axis
    shift: dict[str, Any] = {"textcoords": "offset points", "va": "top", "size": SMALL, "color": OWN}
    shift["ha"] = "left" if edge else "right"
    shift["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # it may run over the line of picking
    at = axes.get_xlim()[0] if edge else before["event_time"]
    axes.annotate(f"{number(value, 1)}%", (at, value), (2 if edge else -6, -3 if edge else -2), **shift)
    placebo = study.answer.design("before_after").placebo
    if placebo is None:
        return
    months = months_named(placebo.post)
    first, last = months[0], months[-1]
    under = table["picked_pct"][table["event_time"].isin(months)].min() - 0.1 * (high - low)
    axes.hlines(under, first, last, color=OWN, linewidth=1.5)
    note = f"{points(placebo.estimate_pp, 1)} points on average"
    start, end = axes.get_xlim()  # the words end inside the picture: beside it stands the line's name
    months_an_inch = (end - start) / inches_across(axes)
    if 1.1 * text_width(note, SMALL) * months_an_inch > end - PICKED:  # they would run into the line of picking
        note = note.replace(" points", "")
    last_start = end - (text_width(note, SMALL) + 0.08) * months_an_inch
    axes.text(min(first, last_start), under - 0.02 * (high - low), note, va="top", size=SMALL, color=OWN)


@at_both_widths
def raw_paths(study: StudentStudy, width: float = WIDE) -> Exhibit:
    """Draw mean attendance by month for each season of first visits and for the never visited, before any model."""
    rows, finding = study.answer.raw_paths, words.raw_paths(study)
    if rows.empty:
        return refused_exhibit(study, finding.title, [finding.detail], width)
    months, narrow = sorted(rows["month"].unique()), width <= NARROW
    what = "Mean attendance by month, before any model; groups are seasons of the first visit"
    with styled():
        figure, bottom, top = student_frame(
            study, finding, what, 2.9, width, "Groups too small to be shown are left out."
        )
        picture = axes(figure, 0.5, width - (0.85 if narrow else 1.25), bottom + 0.3, top - 0.1)
        seasons = sorted((group for group in rows["group"].unique() if group != NEVER_VISITED), key=in_time)
        colors = dict(zip([NEVER_VISITED, *seasons], (COMPARISON, OWN, TINT, "#5A94C8", "#2F7AB9"), strict=False))
        ends = []
        for group, color in colors.items():
            line = rows[rows["group"] == group]
            if line.empty:
                continue
            picture.plot([months.index(month) for month in line["month"]], line["rate_pct"], color=color, linewidth=2)
            ink = COMPARISON if group == NEVER_VISITED else OWN
            ends.append((float(line["rate_pct"].iloc[-1]), "\n".join(wrap(group, SMALL, 0.8)), ink, "normal"))
        tick_places = sorted({0, len(months) // 2, len(months) - 1} if len(months) > 2 else {0, len(months) - 1})
        picture.set_xticks(tick_places, [months[place] for place in tick_places])
        picture.locator_params(axis="y", nbins=5)
        picture.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")
        end_labels(picture, ends)
    wide = rows.pivot(index="month", columns="group", values="rate_pct")
    table = wide[sorted(wide, key=in_time)].reset_index(names="Month")
    return student_exhibit(study, figure, finding, what, study.sizes, table)
