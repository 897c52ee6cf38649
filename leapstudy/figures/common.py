"""What the public track's figures share: the caption of an answer, and an exhibit that says why it is bare."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from leapstudy.data.names import OWN_YEAR, comparison_words, counted_units, study_names, year_label
from leapstudy.did.answer import Answer
from leapstudy.did.answering import OneContrast
from leapstudy.figures.exhibit import Caption, Exhibit, alt_text, at_both_widths
from leapstudy.figures.frame import frame, styled
from leapstudy.figures.palette import CONTEXT, WIDE
from leapstudy.words.findings import treated_words

# Whatever answers the one contrast that was asked.
Asked = Answer | OneContrast
# Comparison units beyond which a picture shows how they spread, and no longer each of them.
MANY = 400


def context_lines(axes: Axes, at: np.ndarray, rows: np.ndarray, linewidth: float, zorder: float) -> np.ndarray:
    """Draw one thin line a unit, or of many a shade where the middle nine in ten are; return what is drawn.

    Parameters
    ----------
    axes
        Where it is drawn, behind everything else.
    at : ndarray, shape (years,)
        Where the years stand.
    rows : ndarray, shape (units, years)
        NaN where a unit has no figure.
    linewidth, zorder
        Of the lines.
    """
    if len(rows) > MANY:
        band = np.nanquantile(rows, [0.05, 0.95], axis=0)
        axes.fill_between(at, *band, color=CONTEXT, alpha=0.5, linewidth=0, zorder=zorder)
        return band
    published = (~np.isnan(row) for row in rows)
    lines = [np.column_stack([at[mask], row[mask]]) for row, mask in zip(rows, published, strict=True)]
    axes.add_collection(LineCollection(lines, color=CONTEXT, linewidth=linewidth, zorder=zorder))
    return rows


@at_both_widths
def not_drawn(answer: Asked, title: str, reason: str, width: float = WIDE) -> Exhibit:
    """Return an exhibit that says why there is nothing to draw: a gap in the page would hide it."""
    caption = caption_of(answer, "Nothing is drawn, for the reason that is given")
    with styled():
        figure, _, _ = frame(title, f"Nothing is drawn here. {reason}", f"{caption.source}.", 0.05, width=width)
    alt = alt_text("Nothing is drawn here, for the reason in the table below.", reason)
    return Exhibit(figure, title, alt, caption, pd.DataFrame({"Why nothing is drawn": [reason]}))


def caption_of(answer: Asked, what: str, years: str = "") -> Caption:
    """Return the caption of a figure that shows the answer's main sample."""
    main = answer.main
    pre, post = (year_label(part).replace("+", " and ") for part in (main.pre, main.post))
    own = " (years since each one's own start)" if main.post.startswith(OWN_YEAR) else ""
    return Caption(
        what=what,
        source=study_names().source(main.outcome, main.edition),
        sample=f"{treated_words(answer)} against {comparison_words(main.comparison)}",
        years=years or f"{pre} before, {post} after{own}",
        n=f"{main.n_treated} treated, {counted_units(main.n_comparison, 'comparison')}",
    )
