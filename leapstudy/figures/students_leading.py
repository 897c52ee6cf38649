"""The first picture of visited students: what a draw or the plan's primary outcome shows, else the path by month."""

import pandas as pd

from leapstudy.core.estimate import Estimate
from leapstudy.core.phrases import between, capital, points
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import ROW, axes, named_intervals, styled
from leapstudy.figures.palette import COMPARISON, WIDE
from leapstudy.figures.students_common import n_words, refused_exhibit, student_exhibit, student_frame
from leapstudy.figures.students_effects import event_study
from leapstudy.study.student_lottery import VISITED
from leapstudy.study.students import StudentStudy
from leapstudy.words import findings_students as words


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
    what = f"{capital(words.plain_outcome(main.outcome))}, percentage points, 95% CI; hollow: expected to be zero"
    with styled():
        figure, bottom, top = student_frame(study, finding, what, 0.45 + ROW * len(rows), width)
        picture = axes(figure, 0.2, width - 0.2, bottom + 0.32, top - 0.05)
        named_intervals(picture, rows.assign(what=rows.apply(_row_words, axis=1)), width, COMPARISON, 4, hollow=True)
    table = rows[["what", "value", "low", "high"]].set_axis(["What", "Estimate", "Low", "High"], axis=1)
    return student_exhibit(study, figure, finding, what, n_words(main), table)


def _row_words(row: pd.Series) -> str:
    return f"{row['what']}: {points(row['value'])} ({between(row['low'], row['high'])})"


def _rows(study: StudentStudy) -> pd.DataFrame:
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
