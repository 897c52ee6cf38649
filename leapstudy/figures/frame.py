"""The frame of every exhibit: finding as title, what is drawn, the picture, one line of source; sizes in inches.

The frame grows with its text, so that type and margins never scale: a figure is drawn again for a narrow page.
"""

from bisect import bisect_right
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache, lru_cache
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, MaxNLocator

from leapstudy.figures.palette import (
    COMPARISON,
    CONTEXT,
    FACE,
    INK,
    MARGIN,
    NARROW,
    OWN,
    SMALL,
    TEXT,
    TITLE,
    WARNING,
    WIDE,
)
from leapstudy.figures.ticks import HouseAxes

for _face in sorted((Path(__file__).parent / "fonts").glob("*.ttf")):
    fontManager.addfont(str(_face))

STYLE: dict[Any, Any] = {
    "font.family": [FACE, "DejaVu Sans"],
    "font.size": 9.5,
    "axes.spines.left": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": CONTEXT,
    "axes.labelcolor": ".15",
    "axes.axisbelow": True,
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "xtick.color": CONTEXT,
    "xtick.labelcolor": COMPARISON,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.5,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "text.color": INK,
    "text.parse_math": False,
    "figure.constrained_layout.use": False,
    "axes.titley": 1.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "leapstudy",
}

# Share of the room around its end in which words measured one by one do not settle a line; they err by a quarter.
NEAR = 0.02


def styled() -> AbstractContextManager[None]:
    """Return a context in which matplotlib draws as the frame does."""
    return mpl.rc_context(STYLE)


@lru_cache(maxsize=16384)
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of a line of text in inches."""
    return measured(text, FontProperties(family=[FACE, "DejaVu Sans"], size=size, weight=weight))[0] / 72


@lru_cache(maxsize=16384)
def measured(text: str, face: FontProperties) -> tuple[float, float, float]:
    """Return width, height and descent of a line of text in points; the face must not be changed afterwards."""
    font, letters = _in_memory(findfont(face))
    if not letters.issuperset(map(ord, text)):  # some are of another face
        return text_to_path.get_text_width_height_descent(text, face, ismath=False)
    font.set_text(text, 0.0, flags=LoadFlags.NO_HINTING)
    width, height, descent = *font.get_width_height(), font.get_descent()
    scale = face.get_size_in_points() / text_to_path.FONT_SCALE
    return width / 64 * scale, height / 64 * scale, descent / 64 * scale


@cache
def heights(face: FontProperties) -> tuple[float, float, float]:
    """Return ascent, descent and line gap of a face in points, as matplotlib reads them; see `measured`."""
    font, _ = _in_memory(findfont(face))
    table, head = font.get_sfnt_table("OS/2"), font.get_sfnt_table("head")
    assert table is not None and head is not None, "every face that the package ships has both"
    scale = 1 / head["unitsPerEm"] * face.get_size_in_points()
    return table["sTypoAscender"] * scale, -table["sTypoDescender"] * scale, table["sTypoLineGap"] * scale


@cache
def _in_memory(path: str) -> tuple[FT2Font, frozenset[int]]:
    """Return a face and its letters: from a file, matplotlib reads each letter anew each time that it is measured."""
    font = FT2Font(BytesIO(Path(path).read_bytes()))
    font.set_size(text_to_path.FONT_SCALE, text_to_path.DPI)
    return font, frozenset(font.get_charmap())


def wrap(text: str, size: float, width: float, weight: str = "normal") -> list[str]:
    """Break text into lines of at most `width` inches, as measured; a word that is longer has a line of its own.

    Examples
    --------
    >>> wrap("Together 0.20 points, not distinguishable from zero", 13, 2.5)
    ['Together 0.20 points, not', 'distinguishable from zero']
    """
    lines: list[str] = []
    words = text.split()
    while words:
        count = _fitting(words, size, 0.95 * width, weight)  # drawn letters are rounded to pixels
        lines.append(" ".join(words[:count]))
        del words[:count]
    return lines


def _fitting(words: Sequence[str], size: float, room: float, weight: str) -> int:
    """Return how many of the words fit into a line, at least one.

    Measuring is what a picture's words cost: a word is measured once for all texts, and only a line that ends near the
    room as it is drawn, where letters on both sides of a space may stand closer.
    """
    space = text_width("n n", size, weight) - 2 * text_width("n", size, weight)
    ends = [end - space for end in accumulate(text_width(word, size, weight) + space for word in words)]

    def across(count: int) -> float:
        """Return the width of a line of the first words."""
        rough = ends[count - 1]
        return rough if abs(rough - room) > NEAR * room else text_width(" ".join(words[:count]), size, weight)

    return 1 + bisect_right(range(2, len(words) + 1), room, key=across)


def fitted(text: str, size: float, width: float, weight: str = "normal") -> str:
    """Return text that fits into `width` inches: as it is, or cut with an ellipsis; a table holds it whole.

    Examples
    --------
    >>> fitted("Arlington Elementary/Middle School", 9, 1.5)
    'Arlington Elementary/M…'
    """
    short = text
    while short and text_width(short + ("" if short == text else "…"), size, weight) > width:
        short = short[:-1]
    return text if short == text else f"{short.rstrip()}…"


def frame(
    title: str, subtitle: str, source: str, height: float, *, width: float = WIDE, tag: str = ""
) -> tuple[Figure, float, float]:
    """Return a figure with its words, and where the picture may stand.

    Parameters
    ----------
    title, subtitle, source
        The finding; what is drawn, its unit and interval; where the figures are from.
    height
        Inches for the picture, tick labels included.
    width
        `WIDE` or `NARROW`, inches.
    tag
        Stands on a filled field above the title: "SIMULATED". Empty for real figures.

    Returns
    -------
    figure, bottom, top
        The figure, and the free inches from its lower edge.
    """
    room = width - 2 * MARGIN
    parts = [
        (wrap(title, TITLE, room, "bold"), TITLE, "bold", INK),
        (wrap(subtitle, TEXT, room), TEXT, "normal", COMPARISON),
    ]
    notes = wrap(source, SMALL, room)
    above = 0.12 + (0.3 if tag else 0) + sum(len(lines) * _line(size) for lines, size, _, _ in parts) + 0.12
    below = 0.1 + len(notes) * _line(SMALL) + 0.06
    figure = Figure(figsize=(width, above + height + below))
    top = above + height + below - 0.12
    if tag:
        _write(
            figure,
            MARGIN + 0.05,
            top - 0.03,
            tag,
            SMALL,
            "bold",
            "white",
            bbox={"facecolor": WARNING, "edgecolor": "none", "pad": 3},
        )
        top -= 0.3
    for lines, size, weight, color in parts:
        for line in lines:
            _write(figure, MARGIN, top, line, size, weight, color)
            top -= _line(size)
    for count, line in enumerate(notes):
        _write(figure, MARGIN, below - 0.1 - count * _line(SMALL), line, SMALL, "normal", COMPARISON)
    return figure, below, below + height


def _line(size: float) -> float:
    return size * 1.3 / 72


def _write(
    figure: Figure, left: float, top: float, text: str, size: float, weight: str, color: str, **more: Any
) -> None:
    width, height = figure.get_size_inches()
    figure.text(left / width, top / height, text, size=size, weight=weight, color=color, va="top", ha="left", **more)


def axes(figure: Figure, left: float, right: float, bottom: float, top: float) -> Axes:
    """Return axes between four lines, in inches from the lower left corner of the figure."""
    width, height = figure.get_size_inches()
    place = (left / width, bottom / height, (right - left) / width, (top - bottom) / height)
    return figure.add_axes(place, axes_class=HouseAxes)


def inches_across(axes: Axes) -> float:
    """Return the width of axes in inches, to break words by."""
    return float(axes.get_position().width * axes.figure.get_size_inches()[0])  # type: ignore[union-attr]


def room_for_ticks(axes: Axes) -> None:
    """Move the left edge of a picture where the labels of its upright axis would be cut."""
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    labels = axes.yaxis.get_major_formatter().format_ticks(ticks)
    left = 0.15 + max((text_width(words, 9.5) for words in labels), default=0.0)
    place, width = axes.get_position(), axes.figure.get_size_inches()[0]  # type: ignore[union-attr]
    if left > place.x0 * width:
        axes.set_position((left / width, place.y0, place.x1 - left / width, place.height))


def label(
    axes: Axes,
    text: str,
    at: tuple[Any, Any],
    shift: tuple[float, float],
    *,
    x: str = "data",
    y: str = "data",
    **look: Any,
) -> None:
    """Write words beside a place, `shift` points of type away and running away from it.

    `x` and `y` say in what the place is given: "data", or "axes fraction".
    """
    side = "left" if shift[0] > 0 else "right" if shift[0] < 0 else "center"
    look = {"ha": side, "va": "center", "size": SMALL, **look}
    axes.annotate(text, at, shift, xycoords=(x, y), textcoords="offset points", **look)


def mark(axes: Axes, x: Any, y: Any, shape: str, color: str, size: float, *, hollow: Any = False, **look: Any) -> None:
    """Draw marks; hollow ones are white inside."""
    face = "white" if hollow else color
    look = {"markerfacecolor": face, "markeredgecolor": color, "markersize": size, "zorder": 3, **look}
    axes.plot(x, y, shape, **look)


def effect_axis(axes: Axes, low: float, high: float, most: int = 5) -> None:
    """Lay out an axis of effects: signed ticks, zero as an ink line, and room around all that is drawn."""
    low, high = min(low, 0.0), max(high, 0.0)
    room = 0.06 * (high - low or 1.0)
    axes.set_xlim(low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: signed(value)))
    axes.axvline(0, color=INK, linewidth=1.2, zorder=1.5)


# Inches of an interval with its name above.
ROW = 0.52


def named_intervals(
    axes: Axes, rows: pd.DataFrame, width: float, others: str = INK, thick: float = 7, hollow: bool = False
) -> None:
    """Draw rows (what, value, low, high, own) from the top on an axis of effects, each with its name above.

    A name starts at its bar and ends inside the picture; a row without an interval has its mark alone, and one without
    a value its bar. `width` is that of the page, `own` says which rows are the study's answer, `others` is the color of
    the rest, whose marks are empty where `hollow`.
    """
    values = rows[["value", "low", "high"]].stack()
    effect_axis(axes, float(values.min()), float(values.max()), most=4 if width <= NARROW else 5)
    axes.set(ylim=(-0.35, len(rows) - 0.35), yticks=[])
    low, high = axes.get_xlim()
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    for place, row in enumerate(rows.iloc[::-1].itertuples()):
        color, weight = (OWN, "bold") if row.own else (others, "normal")
        fill, edge = ("white", color) if hollow and not row.own else (color, "white")
        axes.hlines(place, row.low, row.high, color=color, linewidth=6 if row.own else thick)
        axes.plot(row.value, place, "D", color=fill, markersize=10, markeredgecolor=edge, markeredgewidth=1.5)
        start = row.value if pd.isna(row.low) else row.low
        last = high - (text_width(row.what, TEXT, "bold") + 0.05) / inches_across(axes) * (high - low)
        at = (max(min(start, last), low), place + 0.2)
        axes.text(*at, row.what, size=TEXT, color=color, va="bottom", weight=weight, bbox=paper)


def signed(value: float) -> str:
    """Return a tick of an effect axis: ``+2``, ``0``, ``−0.5``.

    Examples
    --------
    >>> signed(-0.5), signed(0.0), signed(2.0)
    ('−0.5', '0', '+2')
    """
    return "0" if abs(value) < 1e-9 else f"{value:+g}".replace("-", "\N{MINUS SIGN}")
