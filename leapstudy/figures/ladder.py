"""Which single choice changes the answer: the main estimate, and one row a choice that is changed."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.phrases import between, number, probability
from leapstudy.core.table import records
from leapstudy.data.names import counted_units, outcome_unit, outcome_words
from leapstudy.did.answer import Answer, DistrictAnswer
from leapstudy.figures.common import caption_of
from leapstudy.figures.exhibit import Exhibit, at_both_widths
from leapstudy.figures.frame import axes, effect_axis, fitted, frame, label, mark, styled, text_width
from leapstudy.figures.palette import BAND, COMPARISON, INK, NARROW, OWN, WIDE
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
            _name(picture, row, narrow, _leads(answer) == row["name"])
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


def _leads(answer: Answer) -> str:
    return answer.headline.label if isinstance(answer, DistrictAnswer) else ""


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
