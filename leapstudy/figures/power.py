"""Could we have seen it? The smallest detectable effect beside what the published effects come to."""

import math
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.phrases import number, percent
from leapstudy.data.names import short
from leapstudy.did.answer import PooledAnswer
from leapstudy.evidence.power import PowerBlock
from leapstudy.figures.common import Answer, caption_of, legend_below
from leapstudy.figures.exhibit import Exhibit, alt_text
from leapstudy.figures.style import INK, MARKS, PALE, PURPLE, in_house_style, new_figure


@in_house_style
def could_we_see_it(answer: Answer, power: PowerBlock) -> Exhibit:
    """Draw the published effects as they would show in a district's average, and the smallest that can be seen."""
    shown = sorted(power.published, key=lambda item: item.diluted_pp)
    places = np.arange(len(shown))
    mde, largest = power.mde_pp, shown[-1].diluted_pp
    figure, axes = new_figure(1.3 + 0.36 * len(shown))
    axes.axvspan(0, mde if math.isfinite(mde) else 2 * largest, color="#EFEFEF", zorder=0)
    axes.barh(places, [item.diluted_pp for item in shown], color=PURPLE, height=0.55)
    for place, item in zip(places, shown, strict=True):
        axes.annotate(
            number(item.diluted_pp), (item.diluted_pp, place), (4, 0), textcoords="offset points", va="center"
        )
    if math.isfinite(mde):
        axes.axvline(mde, color=INK, linewidth=1.8)
    axes.annotate(
        f"smallest detectable: {_mde_words(mde)}", (mde if math.isfinite(mde) else 2 * largest, len(shown) - 0.42), (-5, 0),
        textcoords="offset points", ha="right", va="center", fontweight="bold",
    )  # fmt: skip
    axes.set(
        yticks=places,
        yticklabels=[f"{item.label} (+{item.effect_pp:g})" for item in shown],
        ylim=(-0.6, len(shown) - 0.05),
        xlim=(0, (max(mde, largest) if math.isfinite(mde) else 2 * largest) * 1.12),
        xlabel="points of the district's average attendance",
    )
    axes.grid(False, axis="y")
    table = pd.DataFrame(
        {
            "Published effect": [item.label for item in shown],
            "On visited students, points": [float(item.effect_pp) for item in shown],
            "On the district average, points": [item.diluted_pp for item in shown],
            "Smallest detectable, points": mde,
            "Chance to find it, percent": [100 * item.power for item in shown],
        }
    )
    return Exhibit(
        figure=figure,
        title="Could these figures have shown the effect at all",
        alt=alt_text(
            f"{_seen_words(power)} The smallest detectable effect is {_mde_words(mde)}; "
            f"the published effects come to {number(shown[0].diluted_pp)} to {number(shown[-1].diluted_pp)}.",
            f"{percent(power.coverage)} of students were visited.",
        ),
        caption=caption_of(
            answer,
            f"Published effects on visited students times the share visited ({percent(power.coverage)}, taken to be the same "
            "everywhere); shaded: effects too small to be found with 80 % power at 5 %",
        ),
        data=table,
    )


def _mde_words(mde: float) -> str:
    return f"{number(mde)} points" if math.isfinite(mde) else "none, however large"


def _seen_words(power: PowerBlock) -> str:
    if power.could_see == 0:
        return f"None of the {len(power.published)} published effects could have been seen."
    return f"{power.could_see} of the {len(power.published)} published effects could have been seen."


@in_house_style
def detectable_map(pooled: PooledAnswer, power: PowerBlock) -> Exhibit:
    """Draw each district's smallest detectable effect beside the range that the published effects imply.

    Parameters
    ----------
    pooled
        Carries the smallest detectable effect of each district and of all together.
    power
        Coverage and published effects, diluted.
    """
    rows = pooled.by_district.sort_values("mde_pp", ascending=False).reset_index(drop=True)
    low, high = (bound(item.diluted_pp for item in power.published) for bound in (min, max))
    places, together = np.arange(1, len(rows) + 1), pooled.detectable.mde_t_pp
    figure, axes = new_figure(1.5 + 0.27 * (len(rows) + 1))
    axes.axvspan(low, high, color=PALE, zorder=0, label="what the published effects imply")
    axes.plot(rows["mde_pp"], places, label="smallest detectable, one district", **_dots("district"))
    axes.plot([together], [0], label="smallest detectable, all together", markersize=9, **_dots("pooled"))
    axes.set(
        yticks=[0, *places],
        yticklabels=["all together", *(short(name) for name in rows["district"])],
        ylim=(-0.8, len(rows) + 0.8),
        xlim=(0, max(high, rows["mde_pp"].max()) * 1.08),
        xlabel="points of the district's average attendance",
    )
    legend_below(axes, 1)
    return Exhibit(
        figure=figure,
        title="What public figures can show and what they cannot",
        alt=alt_text(
            f"The published effects imply {number(low)} to {number(high)} points of a district's average. The smallest "
            f"detectable effect is {number(rows['mde_pp'].min())} points for one district at best and "
            f"{number(together)} for all together.",
        ),
        caption=caption_of(pooled, "Smallest effect that would be found with 80 % power at 5 %"),
        data=_map_table(rows),
    )


def _dots(name: str) -> dict[str, Any]:
    return {"linestyle": "none", "marker": MARKS[name].marker, "color": MARKS[name].color}


def _map_table(rows: pd.DataFrame) -> pd.DataFrame:
    shown = rows[["district", "mde_pp", "p_floor"]].assign(district=rows["district"].map(short))
    shown.columns = pd.Index(["District", "Smallest detectable effect, points", "Smallest possible p-value"])
    return shown
