"""What the public track's figures share: the caption of an answer, and how an interval is drawn."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.estimate import to_frame
from leapstudy.core.phrases import EDSIGHT, SOURCES, comparison_words, counted, short
from leapstudy.did.answer import DistrictAnswer, PooledAnswer
from leapstudy.did.glance import Glance
from leapstudy.figures.exhibit import Caption
from leapstudy.figures.style import MARKS, Mark
from leapstudy.figures.style import legend_below as legend_below  # figures take it from here, too

Answer = DistrictAnswer | PooledAnswer
Asked = Answer | Glance
"""Whatever answers the one contrast that was asked."""


def source_of(outcome: str, edition: str) -> str:
    """Return where an outcome's figures are from."""
    return EDSIGHT if outcome == "chronic_absence" else SOURCES[edition]


def treated_words(answer: Asked) -> str:
    """Return the treated side: the district's name, or how many districts."""
    main = answer.main
    return short(main.district) if main.n_treated == 1 else counted(main.n_treated, "LEAP district")


def caption_of(answer: Asked, what: str, years: str = "") -> Caption:
    """Return the caption of a figure that shows the answer's main sample."""
    main = answer.main
    return Caption(
        what=what,
        source=source_of(main.outcome, main.edition),
        sample=f"{treated_words(answer)} against {comparison_words(main.comparison)}",
        years=years or f"{main.pre.replace('+', ' and ')} before, {main.post.replace('+', ' and ')} after",
        n=f"{main.n_treated} treated, {counted(main.n_comparison, 'comparison district')}",
    )


def rows_of(answer: Answer) -> pd.DataFrame:
    """Return the answer's rows of `estimates.csv` as a frame."""
    return to_frame(answer.estimates)


def contrast_rows(answer: Answer) -> pd.DataFrame:
    """Return the rows that differ from the main one in nothing but comparison group and contrast."""
    rows, main = rows_of(answer), answer.main
    same = [
        rows[name] == getattr(main, name) for name in ("district_code", "estimator", "edition", "outcome", "p_method")
    ]
    return rows[pd.concat(same, axis=1).all(axis=1)]


def mark_of(group: str) -> Mark:
    """Return how a group or comparison is drawn; a list of codes has the look of `custom`."""
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
