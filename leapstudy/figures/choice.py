"""What a choice changes: the estimate that is asked for now over the one on record, on one axis."""

import pandas as pd

from leapstudy.core.phrases import interval_words
from leapstudy.data.names import comparison_words, counted_units, outcome_words
from leapstudy.did.glance import Glance
from leapstudy.figures.common import caption_of
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import axes, effect_axis, frame, styled, text_width
from leapstudy.figures.palette import COMPARISON, OWN, TEXT, WIDE
from leapstudy.words import findings

ROW = 0.52
"""Inches of an interval with its name above."""
NOW, RECORD = "this choice", "on record"


@at_both_widths
def choice(asked: Glance, recorded: Glance, width: float = WIDE) -> Exhibit:
    """Draw the interval of a choice over that of the recorded choice for the same district.

    Parameters
    ----------
    asked, recorded
        Answers of one district, or of all together.
    width
        `WIDE` or `NARROW`, inches.
    """
    rows, main = _rows(asked, recorded), asked.main
    title = (
        findings.district_title(asked)
        if main.n_treated == 1
        else findings.best_title(main.estimate_pp, main.ci_low_pp, main.ci_high_pp)
    )
    caption = caption_of(asked, "The estimate of this choice, and the one on record")
    what = f"Effect on {outcome_words(main.outcome)}, percentage points, 95% CI by permutation"
    against = f"{counted_units(main.n_comparison, 'comparison')} ({comparison_words(main.comparison)})"
    with styled():
        figure, bottom, top = frame(
            title, what, f"{caption.source}. {caption.years}; {against}.", 0.42 + ROW * len(rows), width=width
        )
        picture = axes(figure, 0.2, width - 0.2, bottom + 0.32, top - 0.05)
        ends = rows[["Estimate", "Low", "High"]].to_numpy(float).ravel()
        ends = ends[~pd.isna(ends)]
        effect_axis(picture, float(ends.min()), float(ends.max()))
        picture.set(ylim=(-0.35, len(rows) - 0.35), yticks=[])
        low, high = picture.get_xlim()
        for place, row in enumerate(rows.iloc[::-1].itertuples(index=False)):
            own = row[0] == NOW
            color = OWN if own else COMPARISON
            picture.hlines(place, row[2], row[3], color=color, linewidth=6 if own else 4)
            picture.plot(row[1], place, "D", color=color, markersize=9, markeredgecolor="white", markeredgewidth=1.4)
            start = row[1] if pd.isna(row[2]) else row[2]
            last = high - (text_width(str(row[0]), TEXT, "bold") + 0.05) / (width - 0.4) * (high - low)
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
            weight = "bold" if own else "normal"
            picture.text(min(start, last), place + 0.2, row[0], size=TEXT, color=color, weight=weight, bbox=paper)
    alt = f"{title}; {interval_words(main.ci_low_pp, main.ci_high_pp)}."
    return Exhibit(figure, title, alt, caption, rows)


def _rows(asked: Glance, recorded: Glance) -> pd.DataFrame:
    rows = [
        (name, item.main.estimate_pp, item.main.ci_low_pp, item.main.ci_high_pp)
        for name, item in ((NOW, asked), (RECORD, recorded))
    ]
    frame = pd.DataFrame(rows, columns=["Choice", "Estimate", "Low", "High"])
    return frame.astype({"Estimate": float, "Low": float, "High": float})
