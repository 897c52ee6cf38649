"""What do we see: the estimate over comparison groups, contrasts, editions and districts."""

from dataclasses import replace

import numpy as np
import pandas as pd

from leapstudy.core.frames import extremes, records
from leapstudy.core.phrases import counted, points
from leapstudy.data.names import comparison_short, contrast_words
from leapstudy.figures.common import (
    Answer,
    caption_of,
    contrast_rows,
    draw_intervals,
    legend_below,
    mark_of,
    treated_words,
)
from leapstudy.figures.exhibit import Exhibit, alt_text
from leapstudy.figures.style import in_house_style, new_figure, zero_line

EFFECT_LABEL = "effect, points of attendance (95% CI)"


@in_house_style
def comparisons_and_contrasts(answer: Answer) -> Exhibit:
    """Draw every contrast against every comparison group in one picture, the placebo included."""
    rows = _main_grid(answer)
    contrasts, groups = list(dict.fromkeys(rows["contrast"])), list(dict.fromkeys(rows["comparison"]))
    figure, axes = new_figure(1.5 + 0.62 * len(contrasts))
    for place, group in enumerate(groups):
        part = rows[rows["comparison"] == group]
        heights = np.array([len(contrasts) - 1 - contrasts.index(name) for name in part["contrast"]], dtype=float)
        draw_intervals(axes, part, heights + 0.22 * ((len(groups) - 1) / 2 - place), mark_of(group), _group_label(part))
    zero_line(axes)
    axes.set(
        yticks=range(len(contrasts)),
        yticklabels=[_two_lines(name) for name in reversed(contrasts)],
        ylim=(-0.6, len(contrasts) - 0.4),
        xlabel=EFFECT_LABEL,
    )
    legend_below(axes, len(groups))
    return Exhibit(
        figure=figure,
        title="The answer depends on whom and when one compares",
        alt=_grid_alt(rows),
        caption=replace(
            caption_of(
                answer,
                "Difference-in-differences estimates; a placebo away from zero says that the two sides moved apart "
                "before any visit",
                "as named at each row",
            ),
            sample=f"{treated_words(answer)} against each comparison group of the legend",
            n=f"{counted(answer.main.n_treated, 'treated district')}; comparison districts in brackets",
        ),
        data=_grid_table(rows),
    )


def _main_grid(answer: Answer) -> pd.DataFrame:
    kept = contrast_rows(answer)
    names = [contrast_words(pre, post) for pre, post in zip(kept["pre"], kept["post"], strict=True)]
    return kept.assign(contrast=names)


def _group_label(part: pd.DataFrame) -> str:
    return f"{comparison_short(part['comparison'].iloc[0])} ({part['n_comparison'].max()})"


def _two_lines(name: str) -> str:
    return name.replace(": ", ":\n").replace(" to both", "\nto both").replace(" before to 2", " before\nto 2")


def _grid_alt(rows: pd.DataFrame) -> str:
    effects, placebo = rows[rows["role"] != "placebo"], rows[rows["role"] == "placebo"]
    low, high = extremes(effects, "estimate_pp")
    text = (
        f"{int((effects['estimate_pp'] > 0).sum())} of {len(effects)} estimates are above zero, from "
        f"{points(low['estimate_pp'])} to {points(high['estimate_pp'])} points (the highest against "
        f"{comparison_short(high['comparison'])}, {high['contrast']})."
    )
    if placebo.empty:
        return alt_text(text)
    found = ", ".join(
        f"{points(row['estimate_pp'])} ({comparison_short(row['comparison'])})" for row in records(placebo)
    )
    return alt_text(text, f"The placebo, where zero is due, gives {found}.")


def _grid_table(rows: pd.DataFrame) -> pd.DataFrame:
    shown = rows[
        ["contrast", "comparison", "estimate_pp", "ci_low_pp", "ci_high_pp", "p_value", "n_comparison", "role"]
    ]
    shown = shown.assign(comparison=rows["comparison"].map(comparison_short))
    names = ["Contrast", "Comparison", "Estimate", "Low", "High", "p", "Comparison districts", "Role"]
    return shown.set_axis(names, axis=1)
