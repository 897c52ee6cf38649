"""Could it be chance: the estimate among the placebo estimates, and the tests side by side."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.phrases import number, percent, points, probability
from leapstudy.data.names import program_name, short
from leapstudy.figures.common import Asked, caption_of, legend_below, treated_words
from leapstudy.figures.exhibit import Exhibit, alt_text
from leapstudy.figures.style import GRAY, MARKS, in_house_style, new_figure, zero_line

FEW = 60
"""Up to this many placements are drawn one by one; beyond, as a histogram."""
QUANTILES = (0.0, 0.025, 0.25, 0.5, 0.75, 0.975, 1.0)


@in_house_style
def permutation(answer: Asked) -> Exhibit:
    """Draw the estimate among the effects that the same computation finds where no program was."""
    main, rows = answer.main, answer.permutation
    treated = rows["is_treated"].to_numpy(bool) if "is_treated" in rows else np.zeros(len(rows), dtype=bool)
    placebo = rows[~treated]
    values = placebo["placebo_pp"].to_numpy(float)
    figure, axes = new_figure(2.6 if len(values) <= FEW else 3.2)
    _dots(axes, values) if len(values) <= FEW else _histogram(axes, values, _placement(answer))
    axes.axvline(main.estimate_pp, color=MARKS["leap"].color, linewidth=2.2, linestyle="--", label=_own_label(answer))
    zero_line(axes)
    axes.set(yticks=[], xlabel="effect that the same computation finds, points of attendance")
    legend_below(axes, 2)
    return Exhibit(
        figure=figure,
        title="The estimate among placebo estimates",
        alt=alt_text(_finding(answer, values), _floor(answer)),
        caption=caption_of(answer, _what(answer, values)),
        data=_table(placebo, values),
    )


def _dots(axes: Axes, values: np.ndarray) -> None:
    ordered = np.sort(values)
    label = "a comparison district in its place"
    axes.plot(ordered, _stacked(ordered), linestyle="none", marker="o", color=GRAY, alpha=0.85, label=label)
    axes.set_ylim(-0.6, 3.2)


def _stacked(ordered: np.ndarray) -> np.ndarray:
    """Return heights that keep neighboring dots apart: 0, 1, 2, 0, ..."""
    return np.arange(len(ordered)) % 3


def _histogram(axes: Axes, values: np.ndarray, label: str) -> None:
    axes.hist(values, bins=60, color="#B8B8B8", edgecolor=GRAY, linewidth=0.4, label=label)


def _placement(answer: Asked) -> str:
    one = answer.main.n_treated == 1
    return "a comparison district in its place" if one else "labels shuffled among all districts"


def _own_label(answer: Asked) -> str:
    return f"{treated_words(answer)}: {points(answer.main.estimate_pp)}"


def _finding(answer: Asked, values: np.ndarray) -> str:
    estimate = answer.main.estimate_pp
    share = float((np.abs(values) >= abs(estimate)).mean())
    p = "" if answer.main.p_value is None else f" ({probability(answer.main.p_value)})"
    if answer.main.n_treated == 1:
        extreme = int((np.abs(values) >= abs(estimate)).sum())
        return f"{extreme} of {len(values)} placebo effects are as far from zero as {points(estimate)} points{p}."
    return f"{percent(share)} of {len(values):,} shuffles are as far from zero as {points(estimate)} points{p}."


def _floor(answer: Asked) -> str:
    floor = answer.detectable.floor
    verdict = "it can reach 5 %" if floor <= 0.05 else "it can never reach 5 %"
    return f"The smallest p-value that this test can give is {number(floor, 4)}: {verdict}."


def _what(answer: Asked, values: np.ndarray) -> str:
    if answer.main.n_treated == 1:
        return f"Effects found with a comparison district in the place of {treated_words(answer)}"
    return (
        f"Effects found when the label {program_name()} is dealt at random, {len(values):,} times "
        f"(seed {answer.spec.seed})"
    )


def _table(placebo: pd.DataFrame, values: np.ndarray) -> pd.DataFrame:
    if len(values) <= FEW:
        shown = placebo.sort_values("placebo_pp")[["district", "placebo_pp"]]
        return shown.assign(district=shown["district"].map(short)).set_axis(["District", "Placebo effect"], axis=1)
    return pd.DataFrame({"Share of shuffles below": QUANTILES, "Placebo effect": np.quantile(values, QUANTILES)})
