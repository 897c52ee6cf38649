"""What do we see: the estimate over comparison groups, contrasts, editions and districts."""

from dataclasses import replace

import numpy as np
import pandas as pd

from leapstudy.core.frames import extremes, records
from leapstudy.core.phrases import between, counted, points
from leapstudy.data.names import comparison_short, contrast_words, short
from leapstudy.did.answer import PooledAnswer
from leapstudy.figures.common import (
    Answer,
    caption_of,
    contrast_rows,
    draw_intervals,
    legend_below,
    mark_of,
    not_drawn,
    treated_words,
)
from leapstudy.figures.exhibit import Exhibit, alt_text
from leapstudy.figures.style import INK, MARKS, in_house_style, new_figure, zero_line

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


@in_house_style
def editions(answer: Answer) -> Exhibit:
    """Draw the main estimate on each edition of the state's file."""
    rows = answer.editions
    places = np.arange(len(rows))[::-1]
    figure, axes = new_figure(0.9 + 0.5 * len(rows))
    draw_intervals(axes, rows, places, MARKS["leap"], "estimate")
    zero_line(axes)
    axes.set(
        yticks=places,
        yticklabels=[f"{name} edition" for name in rows["edition"]],
        ylim=(-0.7, len(rows) - 0.3),
        xlabel=EFFECT_LABEL,
    )
    found = " and ".join(f"{points(row['estimate_pp'])} on the {row['edition']} edition" for row in records(rows))
    return Exhibit(
        figure=figure,
        title="The same comparison on each edition of the state's figures",
        alt=alt_text(f"The state revised its figures. The same comparison gives {found}, in points of attendance."),
        caption=caption_of(
            answer, "In the 2021-22 edition the year 2021-22 is year-to-date June, in the newer one final"
        ),
        data=rows.set_axis(["Edition", "Estimate", "Standard error", "Low", "High", "p"], axis=1),
    )


@in_house_style
def leave_one_out(answer: Answer) -> Exhibit:
    """Draw the estimate without each district in turn, by side."""
    rows = answer.leave_one_out.sort_values("estimate_pp").reset_index(drop=True)
    if rows.empty:
        return not_drawn(answer, "Leaving one district out", "One district on each side is all there is.")
    sides = [side for side in ("treated", "comparison") if (rows["side"] == side).any()]
    figure, axes = new_figure(1.2 + 0.6 * len(sides))
    marks = {"treated": MARKS["leap"], "comparison": MARKS["alliance"]}
    for place, side in enumerate(reversed(sides)):
        part = rows[rows["side"] == side]
        axes.plot(
            part["estimate_pp"], np.full(len(part), place), linestyle="none", alpha=0.75,
            marker=marks[side].marker, color=marks[side].color,
        )  # fmt: skip
    axes.axvline(answer.main.estimate_pp, color=INK, linestyle="--", linewidth=1.2, label="with all districts")
    zero_line(axes)
    axes.set(
        yticks=range(len(sides)),
        yticklabels=[f"without one\n{'LEAP' if side == 'treated' else side} district" for side in reversed(sides)],
        ylim=(-0.6, len(sides) - 0.4),
        xlabel="effect, points of attendance",
    )
    legend_below(axes, 1)
    low, high = rows.iloc[0], rows.iloc[-1]
    return Exhibit(
        figure=figure,
        title="No single district may carry the answer",
        alt=alt_text(
            f"With all districts {points(answer.main.estimate_pp)}; leaving out one moves the estimate between "
            f"{points(low['estimate_pp'])} (without {short(low['district'])}) and {points(high['estimate_pp'])} points "
            f"(without {short(high['district'])}).",
        ),
        caption=caption_of(answer, "The main estimate with each district left out in turn; the solid line is zero"),
        data=rows.assign(district=rows["district"].map(short))[["district", "side", "estimate_pp"]].set_axis(
            ["Left out", "Side", "Estimate"], axis=1
        ),
    )


@in_house_style
def forest(pooled: PooledAnswer) -> Exhibit:
    """Draw every district's estimate and the pooled one, each with its interval."""
    rows = pooled.by_district.sort_values("estimate_pp").reset_index(drop=True)
    main, places = pooled.main, np.arange(1, len(rows) + 1)
    together = pd.DataFrame(
        [{"estimate_pp": main.estimate_pp, "ci_low_pp": main.ci_low_pp, "ci_high_pp": main.ci_high_pp}]
    )
    figure, axes = new_figure(1.4 + 0.28 * (len(rows) + 1))
    axes.axhspan(-0.5, 0.5, color="#F2F2F2", zorder=0)
    draw_intervals(axes, rows, places, MARKS["district"], "one district")
    draw_intervals(axes, together, np.array([0]), MARKS["pooled"], "all together")
    zero_line(axes)
    axes.set(
        yticks=[0, *places],
        yticklabels=["all together", *(short(name) for name in rows["district"])],
        ylim=(-0.7, len(rows) + 0.7),
        xlabel=EFFECT_LABEL,
    )
    legend_below(axes, 2)
    holds = int(((rows["ci_low_pp"] <= 0) & (rows["ci_high_pp"] >= 0)).sum())
    return Exhibit(
        figure=figure,
        title="Every district and all of them together",
        alt=alt_text(
            f"All together {points(main.estimate_pp)} points, 95% CI {between(main.ci_low_pp, main.ci_high_pp)}.",
            f"The interval includes zero in {holds} of {len(rows)} districts.",
            f"Highest {short(rows['district'].iloc[-1])} ({points(rows['estimate_pp'].iloc[-1])}), lowest "
            f"{short(rows['district'].iloc[0])} ({points(rows['estimate_pp'].iloc[0])}).",
        ),
        caption=caption_of(pooled, f"Estimates with 95% CIs; {treated_words(pooled)} weighted {_weights(pooled)}"),
        data=_forest_table(rows, main.p_floor),
    )


def _weights(pooled: PooledAnswer) -> str:
    return "equally" if pooled.spec.weights == "equal" else "by students"


def _forest_table(rows: pd.DataFrame, floor: float | None) -> pd.DataFrame:
    shown = rows[["district", "estimate_pp", "ci_low_pp", "ci_high_pp", "p_value", "p_floor", "mde_pp"]].iloc[::-1]
    shown = shown.assign(district=shown["district"].map(short))
    names = ["District", "Estimate", "Low", "High", "p", "Smallest possible p", "Smallest detectable effect"]
    return shown.set_axis(names, axis=1)
