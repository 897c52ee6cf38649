"""Which choice changes the answer: one row a choice that is changed, and every way to ask as one dot, stacked."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.cache import of_last
from leapstudy.core.phrases import between, counted, number, probability
from leapstudy.core.table import records
from leapstudy.data.names import (
    comparison_short,
    contrast_words,
    counted_units,
    outcome_unit,
    outcome_words,
    study_names,
)
from leapstudy.did.answer import Answer, DistrictAnswer
from leapstudy.did.contrasts import clock_from, years_label
from leapstudy.did.sensitivity.specifications import CHOICES
from leapstudy.figures.common import caption_of
from leapstudy.figures.exhibit import Caption, Exhibit, at_both_widths
from leapstudy.figures.frame import axes, effect_axis, fitted, frame, label, mark, styled, text_width
from leapstudy.figures.palette import BAND, COMPARISON, CONTEXT, INK, NARROW, OWN, TEXT, WARNING, WIDE
from leapstudy.words import ladder as words

# Inches of a row whose name stands beside it, of one whose name stands above, and of each further line of that.
ROW, ABOVE, LINE = 0.235, 0.4, 0.15
NAME, LONGEST = 9.0, 2.6
# Keeps the line of zero out of the words that stand on it.
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}


@at_both_widths
def ladder(answer: Answer, width: float = WIDE) -> Exhibit:
    """Draw the main estimate with its interval as a band, and every choice changed one at a time.

    Parameters
    ----------
    answer
        Of one district: its tests make a block of their own.
    width
        `WIDE` or `NARROW`, inches; where it is narrow a row's name and number stand above it.
    """
    rows, narrow = words.ladder_rows(answer), width <= NARROW
    finding, unit = words.ladder(answer), outcome_unit(answer.spec.outcome, "long")
    rows = rows.assign(told=[_row_words(row, width if narrow else 0) for row in records(rows)])
    rows = rows.assign(place=_places(rows, narrow))
    leads = answer.headline.label if isinstance(answer, DistrictAnswer) else ""
    caption = caption_of(answer, "The estimate as one choice at a time is changed", "as named at each row")
    left = 0.15 if narrow else 0.25 + max(text_width(name, NAME, "bold") for name in {*rows["told"], *rows["block"]})
    right = 0.15 if narrow else 0.3 + max(text_width(_figure(row), NAME, "bold") for row in records(rows))
    with styled():
        figure, bottom, top = frame(
            finding.title,
            f"Effect on average {outcome_words(answer.spec.outcome)}, {unit}, 95% CI; one choice changed at a time",
            f"{caption.source} unless named. {_note(answer)}",
            float(rows["place"].max()) + 0.7,
            width=width,
        )
        picture = axes(figure, left, width - right, bottom + 0.3, top)
        picture.set(ylim=(top - bottom - 0.3, 0), yticks=[])
        _intervals(picture, rows)
        for row in records(rows):
            _name(picture, row, narrow, leads == row["name"])
        _blocks(picture, rows, narrow)
    return Exhibit(figure, finding.title, finding.alt, caption, _table(rows))


def _row_words(row: dict[str, Any], width: float) -> str:
    """Return a row's name, and on a narrow figure its number with it: on a line of its own where both are too long."""
    if not width:
        return fitted(str(row["name"]), NAME, LONGEST, "bold")
    room, both = width - 0.3, f"{row['name']}: {_figure(row)}"
    if text_width(both, NAME, "bold") <= room:
        return both
    return f"{fitted(str(row['name']), NAME, room, 'bold')}:\n{_figure(row)}"


def _places(rows: pd.DataFrame, narrow: bool) -> list[float]:
    """Inches from the top of the picture to each row; a new block has room for its name."""
    places, place, block = [], 0.0, words.MAIN
    for name, text in zip(rows["block"], rows["told"], strict=True):
        place += (ABOVE + LINE * text.count("\n") if narrow else ROW) + (0.32 if name != block else 0.0)
        places.append(place)
        block = name
    return places


def _intervals(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the intervals; one without an end runs through the picture with an arrowhead at both ends."""
    ends = rows[["estimate_pp", "low_pp", "high_pp"]].to_numpy().ravel()
    ends = ends[~pd.isna(ends)]
    effect_axis(axes, float(ends.min()), float(ends.max()))
    main = rows.iloc[0]
    if not pd.isna(main["low_pp"]):
        axes.axvspan(main["low_pp"], main["high_pp"], color=BAND, linewidth=0, zorder=0)
    first, last = axes.get_xlim()
    own, before = rows["block"] == words.MAIN, rows["block"] == words.BEFORE
    endless = rows[["low_pp", "high_pp"]].isna().any(axis=1)
    looks = ((own, OWN, 3.2, "D", 8), (before, COMPARISON, 1.3, "o", 5.5), (~own & ~before, INK, 1.3, "o", 5.5))
    for mask, color, thick, shape, size in looks:
        some, open_ends = rows[mask], endless[mask]
        low, high = some["low_pp"].mask(open_ends, first), some["high_pp"].mask(open_ends, last)
        axes.hlines(some["place"], low, high, color=color, linewidth=thick, zorder=2)
        places = some["place"][open_ends]
        for edge, head in ((first, "<"), (last, ">")):
            axes.plot([edge] * len(places), places, head, color=color, markersize=6, clip_on=False)
        mark(axes, some["estimate_pp"], some["place"], shape, color, size, hollow=mask is before)
    axes.tick_params(axis="x", labelcolor=COMPARISON)


def _name(axes: Axes, row: dict[str, Any], narrow: bool, leads: bool) -> None:
    """Write a row's name and number beside it, or above it where there is no room."""
    own = row["block"] == words.MAIN or leads
    look: dict[str, Any] = {
        "color": OWN if row["block"] == words.MAIN else INK,
        "weight": "bold" if own else "normal",
        "size": NAME,
    }
    if narrow:
        axes.text(
            0, row["place"] - 0.08, row["told"], transform=axes.get_yaxis_transform(), va="bottom", bbox=PAPER, **look
        )
        return
    label(axes, str(row["told"]), (0, row["place"]), (-10, 0), x="axes fraction", **look)
    label(axes, _figure(row), (1, row["place"]), (12, 0), x="axes fraction", **look)


def _figure(row: dict[str, Any]) -> str:
    """Return a row's number as it stands beside it; a test has its p-value."""
    value = number(float(row["estimate_pp"]))
    p = row["p_value"]
    return f"{value}, {probability(float(p))}" if row["block"] == words.TESTS and not pd.isna(p) else value


def _blocks(axes: Axes, rows: pd.DataFrame, narrow: bool) -> None:
    look: dict[str, Any] = {"size": NAME, "weight": "bold", "color": COMPARISON, "bbox": PAPER if narrow else None}
    for block, part in rows[rows["block"] != words.MAIN].groupby("block", sort=False):
        first = part.iloc[0]
        place = float(first["place"]) - (0.36 + LINE * first["told"].count("\n") if narrow else 0.25)
        side, shift = ("left", 0) if narrow else ("right", -10)
        label(axes, str(block), (0, place), (shift, 0), x="axes fraction", ha=side, **look)


def _note(answer: Answer) -> str:
    """Say what the figure leaves out, and whose intervals they are."""
    out, sentence = answer.leave_one_out, ""
    if len(out) > 2:
        rest = out.drop([out["estimate_pp"].idxmin(), out["estimate_pp"].idxmax()])["estimate_pp"]
        others = answer.main.n_comparison + (answer.main.n_treated if answer.main.n_treated > 1 else 0) - 2
        sentence = f"Without one of the {counted_units(others, 'other')}: {between(rest.min(), rest.max())}."
    if isinstance(answer, DistrictAnswer):
        return f"{sentence} In bold the preferred test; intervals of other choices are the permutation's.".strip()
    return sentence


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    names = ["What is changed", "To", "Estimate", "Low", "High", "p"]
    return rows.drop(columns=["place", "told"]).replace({"block": {words.MAIN: "nothing"}}).set_axis(names, axis=1)


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
            _group_name(picture, group, rows, head)
        _ring(picture, dots, dict(zip(groups, floors, strict=True)), place)
    return Exhibit(figure, finding.title, finding.alt, caption, _levels_table(curve, start))


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


def _group_name(axes: Axes, group: str, rows: pd.DataFrame, place: float) -> None:
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
def _levels_table(curve: pd.DataFrame, start: str) -> pd.DataFrame:
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
