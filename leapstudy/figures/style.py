"""One look for every figure: colors that survive color blindness, each with a marker and a line of its own.

Figures are made without pyplot, so that nothing is global, nothing needs closing and no backend shows one twice.
The same figure gives the same bytes: fonts ship with matplotlib, and neither date nor version is written into the file.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from io import BytesIO
from itertools import islice
from typing import Any, ParamSpec, TypeVar, cast

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageColor

from leapstudy.figures import frame

P = ParamSpec("P")
R = TypeVar("R")

WIDTH = 7.2
"""Inches; at 100 pixels an inch on the page, 10-point type is read at 14 pixels."""
DPI, PRINT_DPI = 100, 200
"""Pixels an inch as a page counts them, and as a picture has them: sharp on a fine screen and in print."""
SHADES, APART = 3, 60
"""How many colors a picture has beside its fills and the house's own, for smooth edges; how far apart, of 255."""
FILL, ALIKE = 100, 12
"""One pixel in so many makes a color a fill, which keeps its color; fills less far apart, of 255, are one."""

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#00805D", "#A8518A"
INK, GRAY, PALE = "#1A1A1A", "#5F5F5F", "#D9D9D9"
"""From Okabe and Ito's palette, the light ones darkened until they reach 3:1 on white."""
EDGE = ImageColor.getrgb("#9C9C9C")
"""Between letters and paper: without a gray of their own, their edges would take the tint of a colored line's."""
HOUSE = [ImageColor.getrgb(name) for name in (BLUE, VERMILLION, GREEN, PURPLE, INK, GRAY, PALE)] + [
    ImageColor.getrgb(name)
    for name in (frame.OWN, frame.TINT, frame.BAND, frame.COMPARISON, frame.CONTEXT, frame.INK, frame.WARNING)
]


@dataclass(frozen=True, slots=True)
class Mark:
    """How one series looks: color, marker and line together, so that none carries meaning alone."""

    color: str
    marker: str
    line: str

    def keywords(self) -> dict[str, Any]:
        """Return the mark as keyword arguments of ``Axes.plot``."""
        return {"color": self.color, "marker": self.marker, "linestyle": self.line}


MARKS: dict[str, Mark] = {
    "district": Mark(BLUE, "o", "-"),
    "leap": Mark(PURPLE, "s", "-"),
    "others": Mark(GREEN, "D", "-."),
    "custom": Mark(PURPLE, "P", ":"),
    "state": Mark(INK, "x", ":"),
    "published": Mark(PURPLE, "*", ":"),
    "placebo": Mark(GRAY, "o", "-"),
    "pooled": Mark(INK, "D", "-"),
}

GROUP_MARKS: tuple[Mark, ...] = (
    Mark(VERMILLION, "^", "--"),
    Mark(GREEN, "D", "-."),
    Mark(PURPLE, "v", ":"),
    Mark(BLUE, "X", "-"),
)
"""For comparison groups, in the order in which the study declares them."""

SERIES: tuple[Mark, ...] = (
    Mark(BLUE, "o", "-"),
    Mark(VERMILLION, "^", "--"),
    Mark(GREEN, "D", "-."),
    Mark(PURPLE, "v", ":"),
    Mark(INK, "s", "-"),
    Mark(GRAY, "P", "--"),
)
"""For series without a name of their own, in this order."""

SETTINGS: dict[Any, Any] = {
    **sns.axes_style("whitegrid"),
    "font.family": [frame.FACE, "DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 9.5,
    "axes.edgecolor": GRAY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "figure.constrained_layout.use": True,
    "text.hinting": "force_autohint",  # letters alike to the pixel: sharper, and smaller as a file
    "svg.hashsalt": "leapstudy",
    "svg.fonttype": "none",
    "path.simplify": True,
}


def applied() -> AbstractContextManager[None]:
    """Return a context in which matplotlib has the house style."""
    return mpl.rc_context(SETTINGS)


def in_house_style(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that draws: it runs in the house style and leaves the caller's settings alone."""

    @wraps(function)
    def styled(*args: P.args, **kwargs: P.kwargs) -> R:
        with applied():
            return function(*args, **kwargs)

    return styled


def new_figure(height: float = 4.0, width: float = WIDTH) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes; sizes in inches."""
    with applied():
        figure = Figure(figsize=(width, height))
        return figure, figure.subplots()


def new_panels(
    rows: int, columns: int, height: float = 4.0, width: float = WIDTH, **keywords: Any
) -> tuple[Figure, Any]:
    """Return a figure with a grid of axes; `keywords` go to ``Figure.subplots`` (``sharey=True``)."""
    with applied():
        figure = Figure(figsize=(width, height))
        return figure, figure.subplots(rows, columns, **keywords)


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """Return the figure as PNG bytes, the same bytes each time."""
    with applied():
        figure.set_dpi(dpi)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # ``savefig`` would draw twice
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    out = BytesIO()
    _few_colors(picture).save(
        out, format="png"
    )  # a page's own format packs closer; to optimize takes ten times as long
    return out.getvalue()


def _few_colors(picture: Image.Image) -> Image.Image:
    """Return the picture in its fills, its house colors and a few shades between: half the size, nothing shifted.

    A palette chosen by coverage or by count alone loses the shading behind a plot, or the color of a small marker;
    the shades of smooth edges, of which there are hundreds, are what a file is large for.
    """
    size = picture.width * picture.height
    counted: list[tuple[int, Any]] = sorted(picture.getcolors(maxcolors=size) or [], reverse=True)
    frequent = [color for _, color in counted]
    fills = [color for count, color in counted if count * FILL >= size]
    chosen = list(_apart([*fills, *(color for color in HOUSE if color in frequent), EDGE], [], ALIKE))
    chosen += islice(_apart(frequent, list(chosen), APART), SHADES)
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for color in chosen for part in color])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def _apart(colors: Iterable[Any], taken: list[Any], least: int) -> Iterator[Any]:
    """Yield the colors, in order, that differ in a channel by `least` or more from those taken, and take them."""
    for color in colors:
        if all(max(abs(a - b) for a, b in zip(color, other, strict=True)) >= least for other in taken):
            taken.append(color)
            yield color


def svg(figure: Figure) -> str:
    """Return the figure as SVG text, the same text each time; the type stays text."""
    buffer = BytesIO()
    with applied():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue().decode("utf-8")


def zero_line(axes: Axes, vertical: bool = True) -> None:
    """Draw the line of no effect: vertical where effects lie along x."""
    draw = cast(Callable[..., Any], axes.axvline if vertical else axes.axhline)
    draw(0, color=INK, linewidth=1.0, zorder=1.5)


def legend_below(axes: Axes, columns: int) -> None:
    """Put the legend under the axes, where it covers no figure."""
    figure: Any = axes.figure
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=columns)
