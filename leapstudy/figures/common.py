"""What the public track's figures share: the caption of an answer, and how an interval is drawn."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.estimate import to_frame
from leapstudy.core.phrases import counted
from leapstudy.data.names import OWN_YEAR, comparison_words, study_names
from leapstudy.did.answer import Answer as Answer  # figures take these from here, too
from leapstudy.did.answer import contrast_rows as contrast_rows
from leapstudy.did.glance import Glance
from leapstudy.figures.exhibit import Caption, Exhibit, alt_text
from leapstudy.figures.style import GRAY, GROUP_MARKS, MARKS, Mark, new_figure
from leapstudy.figures.style import legend_below as legend_below
from leapstudy.words.findings import treated_words as treated_words

Asked = Answer | Glance
"""Whatever answers the one contrast that was asked."""


def not_drawn(answer: Answer, title: str, reason: str) -> Exhibit:
    """Return an exhibit that says why there is nothing to draw: a gap in the page would hide it."""
    figure, axes = new_figure(1.4)
    axes.set_axis_off()
    axes.text(0.5, 0.5, "Cannot be drawn for this choice", ha="center", va="center", color=GRAY)
    alt = alt_text("Nothing is drawn here, for the reason in the table below.", reason)
    rows = pd.DataFrame({"Why nothing is drawn": [reason]})
    return Exhibit(figure, title, alt, caption_of(answer, "Nothing is drawn, for the reason in the table"), rows)


def caption_of(answer: Asked, what: str, years: str = "") -> Caption:
    """Return the caption of a figure that shows the answer's main sample."""
    main = answer.main
    return Caption(
        what=what,
        source=study_names().source(main.outcome, main.edition),
        sample=f"{treated_words(answer)} against {comparison_words(main.comparison)}",
        years=years
        or f"{main.pre.replace('+', ' and ')} before, {main.post.replace('+', ' and ')} after{_own(main.post)}",
        n=f"{main.n_treated} treated, {counted(main.n_comparison, 'comparison district')}",
    )


def _own(post: str) -> str:
    return " (years since each one's own start)" if post.startswith(OWN_YEAR) else ""


def rows_of(answer: Answer) -> pd.DataFrame:
    """Return the answer's rows of `estimates.csv` as a frame."""
    return to_frame(answer.estimates)


def mark_of(group: str) -> Mark:
    """Return how a group or comparison is drawn: declared groups by their place, a list of codes as `custom`."""
    groups = [*study_names().state.groups]
    if group in groups:
        return GROUP_MARKS[groups.index(group) % len(GROUP_MARKS)]
    return MARKS.get(group, MARKS["custom"])


def draw_intervals(axes: Axes, rows: pd.DataFrame, places: np.ndarray, mark: Mark, label: str, **columns: str) -> None:
    """Draw estimates with their intervals along x, one a place on y.

    `columns` may rename ``estimate``, ``low`` and ``high`` (default: the columns of `estimates.csv`). A row without
    an interval keeps its marker and has no line.
    """
    value, low, high = (
        pd.to_numeric(rows[columns.get(name, default)]).to_numpy(float)
        for name, default in (("estimate", "estimate_pp"), ("low", "ci_low_pp"), ("high", "ci_high_pp"))
    )
    axes.hlines(places, low, high, color=mark.color, linewidth=1.8)
    axes.plot(value, places, linestyle="none", marker=mark.marker, color=mark.color, label=label)
