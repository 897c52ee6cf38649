"""What a choice changes: the estimate that is asked for now over the one on record, on one axis."""

import pandas as pd

from leapstudy.core.phrases import interval_words
from leapstudy.data.names import comparison_words, counted_units, outcome_words
from leapstudy.did.glance import Glance
from leapstudy.figures.common import caption_of
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import ROW, axes, frame, named_intervals, styled
from leapstudy.figures.palette import COMPARISON, WIDE
from leapstudy.words import findings

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
        named_intervals(picture, rows.assign(own=rows.index == 0), width, COMPARISON, 4)
    alt = f"{title}; {interval_words(main.ci_low_pp, main.ci_high_pp)}."
    return Exhibit(figure, title, alt, caption, rows.set_axis(["Choice", "Estimate", "Low", "High"], axis=1))


def _rows(asked: Glance, recorded: Glance) -> pd.DataFrame:
    rows = [
        (name, item.main.estimate_pp, item.main.ci_low_pp, item.main.ci_high_pp)
        for name, item in ((NOW, asked), (RECORD, recorded))
    ]
    frame = pd.DataFrame(rows, columns=["what", "value", "low", "high"])
    return frame.astype({"value": float, "low": float, "high": float})
