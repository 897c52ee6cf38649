"""Before any effect: who was reached, by which rule, and what picking absent students gives by itself."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from leapstudy.core.phrases import number, percent, points
from leapstudy.figures.exhibit import Exhibit
from leapstudy.figures.students_common import GROUP_MARKS, NEVER_MARK, mark_visit, refused_exhibit, student_exhibit
from leapstudy.figures.style import BLUE, GRAY, PALE, in_house_style, legend_below, new_figure
from leapstudy.students.referral_rule import NO_REFERRAL, WORDS
from leapstudy.study.student_raw import NEVER_VISITED
from leapstudy.study.students import StudentStudy


@in_house_style
def funnel(study: StudentStudy) -> Exhibit:
    """Draw how many students the program reached, step by step; small counts are hidden."""
    steps = study.funnel
    figure, axes = new_figure(0.6 + 0.5 * len(steps))
    places, values = np.arange(len(steps)), steps["students"].to_numpy(float)
    axes.barh(places, np.nan_to_num(values), color=[PALE, *[BLUE] * (len(steps) - 1)], edgecolor=GRAY, linewidth=0.6)
    for place, value in zip(places, values, strict=True):
        axes.annotate(_count(value), (np.nan_to_num(value), place), (5, 0), textcoords="offset points", va="center")
    axes.set(
        yticks=places,
        yticklabels=steps["step"],
        xlabel="students",
        xlim=(0, 1.16 * max(np.nan_to_num(values).max(), 1.0)),
    )
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(visible=False, axis="y")
    reached = dict(zip(steps["step"], values, strict=True))
    return student_exhibit(
        study,
        figure,
        "Who was reached",
        [
            f"Of {_count(reached['enrolled'])} students, {_count(reached['referred'])} were referred and "
            f"{_count(reached['visited'])} were visited at least once.",
            f"{_count(reached['visited twice or more'])} were visited twice or more.",
        ],
        "Students by how far the program got with them; counts that could point to a few students are hidden",
        f"{_count(reached['enrolled'])} students",
        steps.set_axis(["Step", "Students"], axis=1),
    )


def _count(value: float) -> str:
    return "hidden" if np.isnan(value) else f"{value:,.0f}"


@in_house_style
def referral_rule(study: StudentStudy) -> Exhibit:
    """Draw how much of the time before a referral the referred and the others at risk had missed."""
    shares, rule = study.rule_shares, study.answer.rule
    if rule is None:
        return refused_exhibit(study, "The rule that the log follows", ())
    if not rule.referred:
        return refused_exhibit(
            study, "The rule that the log follows", (NO_REFERRAL,), "No referral to look at", "no referred students"
        )
    figure, axes = new_figure(3.4)
    x = np.arange(len(shares))
    for offset, column, color, label in (
        (-0.2, "referred_share", BLUE, "referred"),
        (0.2, "others_share", PALE, "others at risk in the same months"),
    ):
        axes.bar(x + offset, 100 * shares[column], 0.38, color=color, edgecolor=GRAY, linewidth=0.6, label=label)
    axes.set(
        xticks=x,
        xticklabels=[f"{cut} % or more" for cut in shares["cut"]],
        ylabel="percent of student-months",
        xlabel=f"days missed {WORDS[rule.window]}",
        ylim=(0, 108),
    )
    legend_below(axes, 2)
    return student_exhibit(
        study,
        figure,
        "The rule that the log follows",
        [_rule_words(study)],
        f"Share of students who had missed at least so much {WORDS[rule.window]}, the window that tells the two apart "
        f"best",
        f"about {rule.referred:,} referred students",
        shares.assign(
            referred_share=100 * shares["referred_share"], others_share=100 * shares["others_share"]
        ).set_axis(["Missed at least (%)", "Referred (%)", "Others at risk (%)"], axis=1),
    )


def _rule_words(study: StudentStudy) -> str:
    rule = study.answer.rule
    if rule is None or not rule.found:
        return "The log follows no rule on absence: referred students had missed about as much as the others at risk."
    return (
        f"{percent(rule.caught, 0)} of the referred, and {percent(rule.flagged, 0)} of the others at risk, had "
        f"{rule.words().replace(' of days missed', ' of days missed', 1)}."
    )


@in_house_style
def rebound(study: StudentStudy) -> Exhibit:
    """Draw the attendance of students whom the rule would have picked before there was any visit."""
    table = study.answer.rebound
    if table.empty or not (table["event_time"] < 0).any():
        return refused_exhibit(study, "What picking absent students gives by itself", ())
    figure, axes = new_figure(3.6)
    for column, mark, label in (
        ("picked_pct", GROUP_MARKS[1], "picked by the rule, not visited"),
        ("others_pct", NEVER_MARK, "all other students, same months"),
    ):
        axes.plot(table["event_time"], table[column], label=label, **mark.keywords())
    mark_visit(axes)
    axes.set(xlabel="months since the rule would have picked them", ylabel="attendance, percent")
    legend_below(axes, 2)
    lowest, later = _before_and_after(table)
    return student_exhibit(
        study,
        figure,
        "What picking absent students gives by itself",
        [
            f"Without any visit, attendance of the picked rises from {number(lowest, 1)} % just before to "
            f"{number(later, 1)} % three months after, {points(later - lowest, 1)} points.",
            "A before-and-after figure would call that an effect.",
        ],
        "Mean attendance around the month in which the district's own rule would have picked a student, in months "
        "before the first visit anywhere",
        f"{study.placebo_students} picked students",
        table.set_axis(["Months since", "Picked (%)", "Others (%)"], axis=1),
    )


def _before_and_after(table: pd.DataFrame) -> tuple[float, float]:
    """Return attendance in the last month before and three months after."""
    rates = table.set_index("event_time")["picked_pct"]
    before, after = rates[rates.index < 0], rates[rates.index >= 0]
    return float(before.iloc[-1]), float(after.iloc[min(3, len(after) - 1)])


@in_house_style
def raw_paths(study: StudentStudy) -> Exhibit:
    """Draw mean attendance by month for each season of first visits and for the never visited."""
    rows = study.answer.raw_paths
    if rows.empty:
        return refused_exhibit(study, "Attendance before any model", ())
    months = sorted(rows["month"].unique())
    figure, axes = new_figure(4.0)
    groups = [group for group in rows["group"].unique() if group != NEVER_VISITED]
    for group, mark in [*zip(sorted(groups, key=_in_time), GROUP_MARKS, strict=False), (NEVER_VISITED, NEVER_MARK)]:
        line = rows[rows["group"] == group]
        label = group if group == NEVER_VISITED else f"first visit {group}"
        axes.plot([months.index(month) for month in line["month"]], line["rate_pct"], label=label, **mark.keywords())
    _month_axis(axes, months)
    axes.set(ylabel="attendance, percent")
    legend_below(axes, 2)
    last = rows[rows["month"] == months[-1]].set_index("group")["rate_pct"]
    return student_exhibit(
        study,
        figure,
        "Attendance before any model",
        [
            f"In {months[-1]} attendance was "
            + ", ".join(f"{number(rate, 1)} % ({group})" for group, rate in last.items())
            + ".",
            "Each visited group falls before its first visit and rises after it.",
        ],
        "Mean attendance by month; groups are seasons of the first visit, and groups too small to be shown are left "
        "out",
        study.sizes,
        rows.pivot(index="month", columns="group", values="rate_pct").reset_index().rename(columns={"month": "Month"}),
    )


def _in_time(season: str) -> tuple[str, int]:
    year, name = season.split()
    return year, ("spring", "summer", "autumn").index(name)


def _month_axis(axes: Axes, months: list[str]) -> None:
    every = max(1, len(months) // 10)
    axes.set(xticks=range(0, len(months), every), xticklabels=months[::every])
    axes.tick_params(axis="x", rotation=40)
