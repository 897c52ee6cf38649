"""The first picture of visited students: what a draw or the plan's primary outcome shows, else the path by month."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from leapstudy.core.estimate import Estimate
from leapstudy.core.frames import records
from leapstudy.core.phrases import between, points
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import axes, effect_axis, styled
from leapstudy.figures.palette import COMPARISON, OWN, TEXT, WIDE
from leapstudy.figures.students_common import n_words, refused_exhibit, student_exhibit, student_frame
from leapstudy.figures.students_effects import event_study
from leapstudy.study.student_lottery import VISITED
from leapstudy.study.students import StudentStudy
from leapstudy.words import findings_students as words

ROW = 0.55
"""Inches of an interval with its name above."""


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
    rows, finding, main = _rows(study), words.leading(study), study.answer.leading
    if main is None:
        return refused_exhibit(study, finding.title, study.answer.design().refused, width)
    what = f"{words.plain_outcome(main.outcome).capitalize()}, percentage points, 95% CI; hollow: expected to be zero"
    with styled():
        figure, bottom, top = student_frame(study, finding, what, 0.45 + ROW * len(rows), width)
        picture = axes(figure, 0.2, width - 0.2, bottom + 0.32, top - 0.05)
        ends = rows[["value", "low", "high"]].stack()
        effect_axis(picture, float(ends.min()), float(ends.max()))
        picture.set(ylim=(len(rows) - 0.6, -0.7), yticks=[])
        _draw(picture, rows)
    table = rows[["what", "value", "low", "high"]].set_axis(["What", "Estimate", "Low", "High"], axis=1)
    return student_exhibit(study, figure, finding, what, n_words(main), table)


def _draw(axes: Axes, rows: pd.DataFrame) -> None:
    across = blended_transform_factory(axes.transAxes, axes.transData)
    for place, row in enumerate(records(rows)):
        color = COMPARISON if row["zero"] else OWN
        axes.hlines(place, row["low"], row["high"], color=color, linewidth=3)
        axes.plot(
            row["value"], place, "o", color=color, markerfacecolor="white" if row["zero"] else color, markersize=8
        )
        told = f"{row['what']}: {points(row['value'])} ({between(row['low'], row['high'])})"
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        weight = "normal" if row["zero"] else "bold"
        axes.text(
            0.0, place - 0.22, told, transform=across, va="bottom", size=TEXT, color=color, weight=weight, bbox=paper
        )


def _rows(study: StudentStudy) -> pd.DataFrame:
    drawn, primary = study.answer.lottery, study.answer.primary
    told: list[tuple[str, Estimate | None, bool]] = []
    if drawn is not None:
        before = next((row for row in drawn.rows if row.role == "placebo"), None)
        told = [("offered visits", drawn.offer, False), ("visited because offered", drawn.row(VISITED), False)]
        told.append(("before the start", before, True))
    elif primary is not None:
        told = [("visited", primary.main, False), ("referred, not met", primary.control, True)]
    rows = [(what, row.estimate_pp, row.ci_low_pp, row.ci_high_pp, zero) for what, row, zero in told if row is not None]
    frame = pd.DataFrame(rows, columns=["what", "value", "low", "high", "zero"])
    return frame.astype({"value": float, "low": float, "high": float})
