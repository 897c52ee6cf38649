"""Where the large estimates come from: every way to ask as one dot, stacked, a row a comparison group."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.cache import of_last
from leapstudy.core.phrases import counted, number
from leapstudy.data.names import comparison_short, contrast_words, outcome_unit, study_names
from leapstudy.did.contrasts import clock_from, years_label
from leapstudy.did.sensitivity.specifications import CHOICES
from leapstudy.figures.exhibit import Caption, Exhibit, at_both_widths
from leapstudy.figures.frame import axes, effect_axis, frame, mark, styled
from leapstudy.figures.palette import COMPARISON, CONTEXT, INK, NARROW, OWN, TEXT, WARNING, WIDE
from leapstudy.words import ladder as words

# How many stacks stand side by side on a narrow page, and on a wide one.
BINS = {True: 34, False: 56}
# Inches from one dot of a stack to the next.
DOT = 0.078


@at_both_widths
def specifications(
    curve: pd.DataFrame, caption: Caption, start: str, outcome: str, width: float = WIDE, place: int = -1
) -> Exhibit:
    """Draw every specification as a dot, hollow where the same choices find a difference before the program.

    Parameters
    ----------
    curve
        One row a specification: comparison, contrast, weights, edition, scale, covariates, estimate_pp, low_pp,
        high_pp (may be empty), fair_before, is_main.
    caption
        Of the answer.
    start
        First school year with the program of the units asked.
    outcome
        What they are effects on.
    width
        `WIDE` or `NARROW`, inches.
    place
        Row of `curve` to be ringed; -1 for none.
    """
    narrow, finding = width <= NARROW, words.specifications(curve, outcome)
    groups = list(dict.fromkeys(curve.sort_values("is_main", ascending=False, kind="stable")["comparison"]))
    low, high = min(float(curve["estimate_pp"].min()), 0.0), max(float(curve["estimate_pp"].max()), 0.0)
    cells = np.round((curve["estimate_pp"] - low) / (high - low or 1.0) * BINS[narrow]).astype(int)
    dots = curve.assign(cell=cells, at=low + cells / BINS[narrow] * (high - low))
    dots["height"] = dots.sort_values("is_main", ascending=False).groupby(["comparison", "cell"]).cumcount()
    tall = [0.34 + DOT * float(dots.loc[dots["comparison"] == group, "height"].max() + 1) for group in groups]
    floors = np.cumsum(tall)
    source = (
        f"{caption.source} and every other edition. Hollow: the same choices find a difference before the program "
        f"(placebo p < 0.05). Red: 95% CI excludes zero."
    )
    ways, unit = counted(len(curve), "way"), outcome_unit(outcome, "long")
    what = f"{ways} to ask, one dot each, by comparison group; effect in {unit}"
    with styled():
        figure, bottom, top = frame(finding.title, what, source, float(floors[-1]) + 0.4, width=width)
        picture = axes(figure, 0.15, width - 0.2, bottom + 0.32, top)
        picture.set(ylim=(float(floors[-1]) + 0.08, 0), yticks=[])
        effect_axis(picture, low, high)
        for group, floor in zip(groups, floors, strict=True):
            rows = dots[dots["comparison"] == group]
            _stacks(picture, rows, float(floor))
            head = float(floor) - DOT * float(rows["height"].max() + 1) - 0.14
            _name(picture, group, rows, head)
        _ring(picture, dots, dict(zip(groups, floors, strict=True)), place)
    return Exhibit(figure, finding.title, finding.alt, caption, _table(curve, start))


def _stacks(axes: Axes, rows: pd.DataFrame, floor: float) -> None:
    """Draw a group's dots from its floor upward."""
    axes.axhline(floor, color=CONTEXT, linewidth=0.8, zorder=1)
    clear, fair = words.excludes_zero(rows), rows["fair_before"].astype(bool)
    main = rows["is_main"].astype(bool)
    for mask, color in ((main, OWN), (clear & ~main, WARNING), (~clear & ~main, COMPARISON)):
        for is_filled in (True, False):
            part = rows[mask & (fair if is_filled else ~fair)]
            mark(
                axes,
                part["at"],
                floor - DOT * (part["height"] + 0.6),
                "o",
                color,
                4.6,
                hollow=not is_filled,
                zorder=2.5,
            )


def _name(axes: Axes, group: str, rows: pd.DataFrame, place: float) -> None:
    """Write the group above its stacks, and the main estimate where it is one of them."""
    across = axes.get_yaxis_transform()
    name = f"{comparison_short(group)} ({len(rows)})"
    axes.text(0, place, name, transform=across, size=TEXT, color=INK, va="center", weight="bold")
    main = rows[rows["is_main"].astype(bool)]
    if not main.empty:
        note = f"main: {number(float(main['estimate_pp'].iloc[0]))}"
        axes.text(1, place, note, transform=across, size=TEXT, color=OWN, va="center", ha="right", weight="bold")


def _ring(axes: Axes, dots: pd.DataFrame, floors: dict[str, float], place: int) -> None:
    if place < 0:
        return
    row = dots.iloc[place]
    height = floors[row["comparison"]] - DOT * (row["height"] + 0.6)
    axes.plot(row["at"], height, "o", markersize=10, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.8)


@of_last
def _table(curve: pd.DataFrame, start: str) -> pd.DataFrame:
    """Return, for each level of each choice, how its specifications turn out: the curve itself is too long to read."""
    labels = told_curve(curve, start)
    parts = [
        labels.groupby(choice)["estimate_pp"]
        .agg(["size", "median", "min", "max"])
        .assign(choice=choice, above=(labels["estimate_pp"] > 0).groupby(labels[choice]).mean())
        .reset_index(names="level")
        for choice in [*CHOICES, "placebo"]
    ]
    table = pd.concat(parts, ignore_index=True)[["choice", "level", "size", "median", "min", "max", "above"]]
    return table.set_axis(
        ["Choice", "Level", "Specifications", "Median", "Lowest", "Highest", "Share above zero"], axis=1
    )


def told_curve(curve: pd.DataFrame, start: str) -> pd.DataFrame:
    """Return the curve of units that started in `start` with its choices in words, its own placebo among them."""
    years = {
        name: contrast_words(years_label(item.pre), years_label(item.post))
        for name, item in clock_from(study_names(), start).contrasts().items()
    }
    return curve.assign(
        comparison=curve["comparison"].map({name: comparison_short(name) for name in curve["comparison"].unique()}),
        contrast=curve["contrast"].map(years),
        placebo=np.where(curve["fair_before"], "not rejected", "rejected"),
    )
