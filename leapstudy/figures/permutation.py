"""How often shuffled labels give as much: the estimate among those of all ways to deal the program at random."""

from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.phrases import points
from leapstudy.data.names import outcome_unit
from leapstudy.did.answer import PooledAnswer
from leapstudy.did.answering import OneContrast
from leapstudy.figures.common import caption_of
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import axes, effect_axis, frame, label, styled
from leapstudy.figures.palette import COMPARISON, CONTEXT, OWN, SMALL, TEXT, WIDE
from leapstudy.words import findings

HEIGHT, BINS = 1.6, 60
QUANTILES = (0.0, 0.025, 0.25, 0.5, 0.75, 0.975, 1.0)


@at_both_widths
def permutation(answer: PooledAnswer | OneContrast, width: float = WIDE) -> Exhibit:
    """Draw the estimates under shuffled labels, those as far from zero as the estimate in the program's color.

    Parameters
    ----------
    answer
        Of several treated districts; its `permutation` has a row a shuffle.
    width
        `WIDE` or `NARROW`, inches.
    """
    values, estimate = answer.permutation["placebo_pp"].to_numpy(float), answer.main.estimate_pp
    finding = findings.chance_of_answer(answer)
    caption = caption_of(answer, f"Estimates when the program's label is dealt at random (seed {answer.spec.seed})")
    unit = outcome_unit(answer.main.outcome, "long")
    far = np.abs(values) >= abs(estimate) - 1e-12
    with styled():
        figure, bottom, top = frame(
            finding.title,
            f"Estimates of {len(values):,} random relabelings, {unit}; blue: as far from zero as ours",
            f"{caption.source}. {finding.detail}",
            HEIGHT + 0.6,
            width=width,
        )
        picture = axes(figure, 0.2, width - 0.2, bottom + 0.3, top - 0.28)
        picture.hist([values[far], values[~far]], bins=BINS, stacked=True, color=[OWN, CONTEXT], linewidth=0)
        picture.set_yticks([])
        effect_axis(picture, min(float(values.min()), estimate), max(float(values.max()), estimate))
        picture.axvline(estimate, color=OWN, linewidth=2.2)
        on_left = estimate > sum(picture.get_xlim()) / 2
        look: dict[str, Any] = {"va": "bottom", "color": OWN, "weight": "bold", "size": TEXT}
        shift = (-5 if on_left else 5, 2)
        label(picture, f"this study: {points(estimate)}", (estimate, 1.0), shift, y="axes fraction", **look)
        picture.tick_params(axis="x", labelcolor=COMPARISON, labelsize=SMALL)
    table = pd.DataFrame({"Share of relabelings below": QUANTILES, "Estimate": np.quantile(values, QUANTILES)})
    return Exhibit(figure, finding.title, finding.alt, caption, table)
