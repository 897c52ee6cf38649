"""The frame of every exhibit: the finding as its title, one line of subtitle, one of source; all measured in inches.

Type and margins never scale with the picture: a narrow figure has the same letters and fewer words a line.
"""

from collections.abc import Callable
from functools import cache, wraps
from importlib.resources import files
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from leapstudy.figures.style import P, R

WIDE, NARROW = 7.2, 3.75
"""Inches: a page, and a phone."""

TREATED, BAND, COMPARISON, CONTEXT, INK, WARNING = "#0B62A8", "#D3E4F3", "#5C5C5C", "#B9B9B9", "#1B1B1B", "#B4501E"
"""One meaning each: treated, its band, comparison, other single units and context, zero and claims, a warning."""

EDGE = 0.1
"""Inches between the picture's edge and its first letter."""

TITLE, TEXT, SMALL = 12.5, 10.0, 9.0
"""Points of type; nothing is smaller than 8.5."""

FAMILY = "Public Sans"


@cache
def _settings() -> dict[Any, Any]:
    for name in ("PublicSans-Regular.ttf", "PublicSans-SemiBold.ttf"):
        font_manager.fontManager.addfont(str(files("leapstudy.figures").joinpath("fonts", name)))
    return {
        **sns.axes_style("ticks"),
        "font.family": [FAMILY, "DejaVu Sans"], "font.size": TEXT, "text.color": INK,
        "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False, "axes.edgecolor": CONTEXT,
        "axes.grid": True, "axes.grid.axis": "y", "grid.color": "#E6E6E6", "grid.linewidth": 0.8, "axes.axisbelow": True,
        "axes.labelcolor": COMPARISON, "xtick.color": COMPARISON, "ytick.color": COMPARISON,
        "xtick.labelsize": TEXT, "ytick.labelsize": TEXT, "ytick.left": False, "xtick.major.size": 3.5,
        "lines.solid_capstyle": "round", "svg.fonttype": "none", "svg.hashsalt": "leapstudy",
        "figure.constrained_layout.use": False,
    }  # fmt: skip


def in_frame(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate an exhibit's function: it draws in the house style and leaves the caller's settings alone."""

    @wraps(function)
    def drawn(*arguments: P.args, **named: P.kwargs) -> R:
        with mpl.rc_context(_settings()):
            return function(*arguments, **named)

    return drawn


def canvas(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches, without any global state."""
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def frame(figure: Figure, title: str, subtitle: str, source: str, tag: str = "") -> tuple[float, float]:
    """Write title, subtitle and source, wrapped by their measured width; return the free bottom and top in inches.

    Parameters
    ----------
    figure
        From `canvas`.
    title
        The finding, without a full stop.
    subtitle, source
        What is drawn; where it is from. Either may be empty.
    tag
        ``SIMULATED`` or ``INVENTED PROGRAM``: a filled label above the title, which no mark can touch.
    """
    width, height = figure.get_size_inches()
    top = height - EDGE
    if tag:
        label = {"boxstyle": "square,pad=0.25", "facecolor": WARNING, "edgecolor": "none"}
        figure.text(
            (EDGE + 0.05) / width,
            (top - 0.03) / height,
            tag,
            va="top",
            size=8.5,
            color="white",
            weight="semibold",
            bbox=label,
        )
        top -= 0.3
    top = _paragraph(figure, title, top, TITLE, INK, "semibold")
    if subtitle:
        top = _paragraph(figure, subtitle, top - 0.04, TEXT, COMPARISON)
    lines = wrapped(figure, source, width - 2 * EDGE, SMALL) if source else []
    bottom = EDGE
    for line in reversed(lines):
        figure.text(EDGE / width, bottom / height, line, va="bottom", size=SMALL, color=COMPARISON)
        bottom += SMALL * 1.25 / 72
    return bottom + (0.08 if lines else 0), top - 0.1


def _paragraph(figure: Figure, text: str, top: float, size: float, color: str, weight: str = "normal") -> float:
    width, height = figure.get_size_inches()
    for line in wrapped(figure, text, width - 2 * EDGE, size, weight):
        figure.text(EDGE / width, top / height, line, va="top", size=size, color=color, weight=weight)
        top -= size * 1.28 / 72
    return top


def wrapped(figure: Figure, text: str, room: float, size: float, weight: str = "normal") -> list[str]:
    """Return the text in lines of at most `room` inches."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and inches(figure, longer, size, weight) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def inches(figure: Figure, text: str, size: float, weight: str = "normal") -> float:
    """Return the width of a text in inches."""
    probe = figure.text(0, 0, text, size=size, weight=weight)
    extent = probe.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
    probe.remove()
    return float(extent.width / figure.dpi)


def axes_at(figure: Figure, left: float, right: float, bottom: float, top: float) -> Axes:
    """Return axes between these distances, in inches from the figure's left and lower edge."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, bottom / height, (right - left) / width, (top - bottom) / height))


def signed(value: float, digits: int = 0) -> str:
    """Return a number as effect axes show it: ``+2``, ``−2``, ``0``."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return "0"
    return ("+" if value > 0 else "−") + text


def layout_faults(figure: Figure, smallest: float = 8.5) -> list[str]:
    """Return what is wrong with a figure's texts: cut at the edge, on top of each other, or too small to read."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    texts = [text for text in figure.findobj(mpl.text.Text) if text.get_visible() and text.get_text().strip()]
    boxes = [(text.get_text(), text.get_window_extent(renderer), float(text.get_fontsize())) for text in texts]
    page = figure.bbox
    faults = [
        f"{name!r} is cut" for name, box, _ in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > page.x1 + 1 or box.y1 > page.y1 + 1
    ]  # fmt: skip
    faults += [f"{name!r} is of {size:.1f} points" for name, _, size in boxes if size < smallest]
    for place, (name, box, _) in enumerate(boxes):
        for other, its, _ in boxes[place + 1 :]:
            if min(box.x1, its.x1) - max(box.x0, its.x0) > 1 and min(box.y1, its.y1) - max(box.y0, its.y0) > 1:
                faults.append(f"{name!r} meets {other!r}")
    return faults + (["there is a legend"] if figure.findobj(mpl.legend.Legend) else [])
