"""What the student track's figures share: the mark SIMULATED on every one, captions, and how a path is drawn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leapstudy.core.estimate import Estimate
from leapstudy.figures.exhibit import ALT_SHORTEST, Caption, Exhibit, alt_text
from leapstudy.figures.style import BLUE, GRAY, GREEN, INK, PURPLE, VERMILLION, Mark, new_figure
from leapstudy.study.student_results import DESIGN_LABELS, DesignName
from leapstudy.study.students import StudentStudy

SIMULATED = "SIMULATED"
SINCE = "months since the first visit"
EFFECT = "effect, points of attendance"
BAND = "#D3E4F0"
"""Pale blue without transparency, so that few colors of the small palette go into it."""

DESIGN_MARKS: dict[DesignName, Mark] = {
    "before_after": Mark(GRAY, "P", ":"),
    "never": Mark(VERMILLION, "^", "--"),
    "not_yet": Mark(PURPLE, "v", "-."),
    "early": Mark(GREEN, "D", "--"),
    "at_risk": Mark(BLUE, "o", "-"),
}
GROUP_MARKS: tuple[Mark, ...] = (
    Mark(BLUE, "o", "-"),
    Mark(VERMILLION, "^", "--"),
    Mark(GREEN, "D", "-."),
    Mark(PURPLE, "v", ":"),
)
NEVER_MARK = Mark(INK, "s", "-")


def student_exhibit(
    study: StudentStudy, figure: Figure, title: str, finding: Sequence[str], what: str, n: str, data: pd.DataFrame
) -> Exhibit:
    """Return the figure as an exhibit; made from SIMULATED students it says so in picture, alt text and caption."""
    said = finding[0] if len(finding[0]) >= ALT_SHORTEST else f"{title}. {finding[0]}"
    if study.simulated:
        figure.text(0.995, 0.998, SIMULATED, ha="right", va="top", fontsize=7, color=GRAY, weight="bold")
    return Exhibit(
        figure, title, alt_text(f"{_mark(study)}{said}", *finding[1:]), student_caption(study, what, n), data
    )


def student_caption(study: StudentStudy, what: str, n: str) -> Caption:
    """Return what stands under a figure of the student track."""
    return Caption(f"{_mark(study)}{what}", study.source, study.sample, study.period, n)


def _mark(study: StudentStudy) -> str:
    return f"{SIMULATED}: " if study.simulated else ""


def refused_exhibit(
    study: StudentStudy,
    title: str,
    reasons: Sequence[str],
    said: str = "Refused: too few students to be shown",
    n: str = "too few students",
) -> Exhibit:
    """Return an exhibit that says why there is nothing to draw: a gap in the page would hide it."""
    figure, axes = new_figure(1.4)
    axes.set_axis_off()
    axes.text(0.5, 0.5, said, ha="center", va="center", color=GRAY)
    told = list(reasons) or ["too few students are left"]
    return student_exhibit(
        study,
        figure,
        title,
        [f"Nothing is drawn here: {told[0]}"],
        "Nothing is drawn, for the reason in the table",
        n,
        pd.DataFrame({"Why nothing is drawn": told}),
    )


def n_words(main: Estimate | None) -> str:
    """Say how many visited students an estimate is about, and against how many."""
    if main is None:
        return "no students: the design was refused"
    against = f" against {main.n_comparison:,}" if main.n_comparison else ", nobody to compare with"
    return f"{main.n_treated:,} visited students{against}"


def design_label(name: str) -> str:
    """Return a design as a reader knows it."""
    return {str(key): label for key, label in DESIGN_LABELS.items()}[name]


def draw_path(axes: Axes, path: pd.DataFrame, mark: Mark, label: str, **keywords: Any) -> None:
    """Draw estimates by event time as a line; months that are missing leave a gap."""
    times = np.arange(path["event_time"].min(), path["event_time"].max() + 1)
    whole = path.set_index("event_time")["estimate_pp"].reindex(times)
    axes.plot(times, whole.to_numpy(float), label=label, **{**mark.keywords(), **keywords})


def mark_visit(axes: Axes) -> None:
    """Draw the month of the first visit, and months as whole numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.axvline(0, color=GRAY, linewidth=1.0, linestyle=":", zorder=1.5)
