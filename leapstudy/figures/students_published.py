"""The recommended design beside the published effects and, where the students are SIMULATED, beside the truth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.phrases import points
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import axes, label, styled
from leapstudy.figures.palette import INK, NARROW, OWN, WIDE
from leapstudy.figures.students_common import (
    draw_band,
    end_labels,
    month_axis,
    n_words,
    refused_exhibit,
    student_exhibit,
    student_frame,
)
from leapstudy.study.students import StudentStudy
from leapstudy.words import findings_students as words


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
