"""A figure with all that makes it readable: a title, its finding in words, its source, and its numbers as a table.

As a file it is PNG in a few colors for notebooks and documents, SVG with its type as text for pages. The same figure
gives the same bytes: fonts ship with the package, and neither date nor version is written into the file.
"""

import base64
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial, wraps
from html import escape
from inspect import signature
from io import BytesIO, StringIO
from itertools import chain, islice
from typing import Any, ParamSpec

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from PIL import Image, ImageColor

from leapstudy.core.files import sha256_bytes
from leapstudy.core.names import FOR_PAGES, PAGE
from leapstudy.core.table import table_html
from leapstudy.figures import frame, palette
from leapstudy.figures.palette import NARROW

P = ParamSpec("P")

# Characters of alternative text: enough to state the finding, short enough to be heard in one breath.
ALT_SHORTEST, ALT_LONGEST = 30, 300


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands under a figure; no piece may be empty.

    Attributes
    ----------
    what
        What is drawn, units included; a sentence without its full stop.
    source
        Where the figures are from, edition included ("the agency's attendance, newest edition").
    sample
        Which districts or students.
    years
        School years shown.
    n
        How many units ("1 the program and 19 comparison districts").
    """

    what: str
    source: str
    sample: str
    years: str
    n: str

    def __post_init__(self) -> None:
        """Refuse a caption with a piece missing."""
        empty = [item.name for item in fields(self) if not str(getattr(self, item.name)).strip()]
        if empty:
            raise ValueError(f"A caption needs {', '.join(empty)}.")

    def text(self, source: str = "Source", sample: str = "Sample", years: str = "Years", n: str = "N") -> str:
        """Return the caption as sentences; the parameters are the pieces' names in the page's language."""
        return f"{self.what}. {source}: {self.source}. {sample}: {self.sample}. {years}: {self.years}. {n}: {self.n}."


@dataclass(frozen=True)
class Exhibit:
    """A figure, its finding in words, its caption and its numbers.

    Attributes
    ----------
    figure
        A matplotlib figure made by `frame` (no pyplot), with title and source in the picture.
    title
        What the figure shows, without a full stop.
    alt
        Alternative text of 30 to 300 characters that states the finding, made by rule from the numbers.
    caption
        What, source, sample, years, N.
    data
        The numbers that are drawn, with column names that a reader understands.
    narrow
        Draws the same for a phone; None where there is one width.
    """

    figure: Figure
    title: str
    alt: str
    caption: Caption
    data: pd.DataFrame
    narrow: "Callable[[], Exhibit] | None" = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse an exhibit that some reader could not read."""
        if not ALT_SHORTEST <= len(self.alt) <= ALT_LONGEST:
            raise ValueError(
                f"Alternative text needs {ALT_SHORTEST} to {ALT_LONGEST} characters; {self.title!r} has "
                f"{len(self.alt)}: {self.alt!r}"
            )
        if not self.title.strip():
            raise ValueError("An exhibit needs a title.")
        if self.data.empty:
            raise ValueError(f"The exhibit {self.title!r} needs its numbers as a table.")

    @cached_property
    def png(self) -> bytes:
        """The figure as PNG, the same bytes each time."""
        return png(self.figure)

    @property
    def words(self) -> str:
        """The finding, and all that is written around the drawing: a kept picture that is out of date differs here."""
        _, title, more = self.alt.partition(self.title)
        around = " ".join(text.get_text() for text in self.figure.texts).replace(self.title, "", 1)
        return " ".join(f"{self.title}. {more.lstrip(' .;:') if title else self.alt} {around}".split())

    def html(self) -> str:
        """Return the exhibit as one HTML figure: picture with its alt text, caption, and the table to open."""
        return self._shown(f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}")

    def _shown(self, source: str) -> str:
        width, _ = self.figure.get_size_inches()
        picture = f'<img src="{source}" alt="{escape(self.alt)}" width="{width * PAGE_DPI:.0f}">'
        return f'<figure class="exhibit">{picture}{self._folded}</figure>'

    @cached_property
    def _folded(self) -> str:
        return self.notes(self.caption.text(), "Table", table_html(self.data, self.title))

    @cached_property
    def wide(self) -> str:
        """The figure as an SVG element, the same text each time."""
        return svg(self.figure, self.alt)

    def drawings(self) -> str:
        """Return the picture as a page shows it: one drawing for a wide page and one for a phone, the type as text."""
        if self.narrow is None:
            return self.wide
        return f'<div class="wide">{self.wide}</div><div class="narrow">{svg(self.narrow().figure, self.alt)}</div>'

    def notes(self, caption: str, summary: str, table: str) -> str:
        """Return caption and table as they follow the picture, folded.

        Parameters
        ----------
        caption
            The caption in the page's language.
        summary
            What opens the table, in the page's language.
        table
            The table as HTML.
        """
        return f"<details><summary>{summary}: {escape(self.title)}</summary><p>{escape(caption)}</p>{table}</details>"

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """Return what a notebook keeps: HTML first (its alt text survives every front end), then PNG, then words.

        For pages the figure is drawn once: the picture in the HTML is the page's own drawing, and there is no PNG.
        """
        words = {"text/plain": self.words}
        if os.environ.get(FOR_PAGES):
            page = f'<figure class="exhibit">{self.drawings()}{self._folded}</figure>'
            return {"text/html": self._shown(self_contained(self.wide)), **words, PAGE: page}, {}
        bundle = {"text/html": self.html(), "image/png": base64.b64encode(self.png).decode("ascii"), **words}
        return bundle, {"image/png": {"alt": self.alt}}

    def show(self) -> None:
        """Show the exhibit where a cell does not end with it (a loop, a widget)."""
        from IPython.display import display  # only a notebook needs it

        display(self)


def at_both_widths(function: Callable[P, Exhibit]) -> Callable[P, Exhibit]:
    """Decorate a function that draws at a `width`: what it draws for a wide page knows how it is drawn for a phone."""

    @wraps(function)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Exhibit:
        """Return the exhibit; a wide one knows how it is drawn for a phone."""
        exhibit, arguments = function(*args, **kwargs), signature(function).bind(*args, **kwargs)
        arguments.apply_defaults()
        if arguments.arguments["width"] <= NARROW:
            return exhibit
        arguments.arguments["width"] = NARROW
        return replace(exhibit, narrow=partial(function, *arguments.args, **arguments.kwargs))

    return drawn


def alt_text(finding: str, *details: str) -> str:
    """Return the finding and as many of the details, in order, as fit into the longest alternative text."""
    text = finding
    for detail in details:
        if len(text) + 1 + len(detail) > ALT_LONGEST:
            break
        text = f"{text} {detail}"
    return text


# Places an inch in a drawing, pixels an inch as a page counts them, and as a picture has them: sharp in print.
POINTS, PAGE_DPI, PRINT_DPI = 72, 100, 200
# How many colors a picture has beside its fills and the house's own, for smooth edges; how far apart, of 255.
SHADES, APART = 3, 60
# One pixel in so many makes a color a fill, which keeps its color; fills less far apart, of 255, are one.
FILL, ALIKE = 100, 12
# Between letters and paper: without a gray of their own, their edges would take the tint of a colored line's.
EDGE = ImageColor.getrgb("#9C9C9C")
Color = tuple[int, ...]
HOUSE = [ImageColor.getrgb(name) for name in palette.COLORS]


def png(figure: Figure, dpi: int = PRINT_DPI) -> bytes:
    """Return the figure as PNG bytes, the same bytes each time."""
    with frame.styled():
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
    counts: list[tuple[int, Any]] = sorted(picture.getcolors(maxcolors=size) or [], reverse=True)
    frequent = [color for _, color in counts]
    fills = [color for count, color in counts if count * FILL >= size]
    palette_colors = list(_apart([*fills, *(color for color in HOUSE if color in frequent), EDGE], [], ALIKE))
    palette_colors += list(islice(_apart(frequent, palette_colors, APART), SHADES))
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for color in palette_colors for part in color])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def _apart(colors: Sequence[Color], palette_colors: Sequence[Color], least: int) -> Iterator[Color]:
    """Yield the colors, in order, that differ in a channel by `least` or more from those taken and yielded before."""
    candidates, others = np.array(colors).reshape(-1, 3), list(palette_colors)
    while others or len(candidates):
        if not others:
            red, green, blue = candidates[0].tolist()
            yield (red, green, blue)
            others = [(red, green, blue)]
        candidates = candidates[np.abs(candidates - others.pop()).max(axis=1) >= least]


def svg(figure: Figure, label: str) -> str:
    """Return the figure as an SVG element for a page, the same text each time; the type stays text.

    Parameters
    ----------
    figure
        In the house's face, which the page brings.
    label
        What a screen reader says.
    """
    width, height = POINTS * figure.get_size_inches()
    buffer = StringIO()
    with frame.styled():
        figure.set_dpi(POINTS)
        renderer = _Measuring(width, height, buffer, metadata={"Date": None, "Creator": None})
        figure.draw(renderer)  # ``savefig`` would set up more than there is to save
        renderer.finalize()
    text = buffer.getvalue()
    drawing = LEFT_OUT.sub("", text[text.index("<svg") : text.rindex("</svg>") + 6])
    drawing = _short(drawing.replace("\n", " "))
    references = dict.fromkeys(USED.findall(drawing))
    mark = sha256_bytes(drawing.encode())[:6]
    names = {name: f"{mark}{place}" for place, name in enumerate(references)}
    drawing = IDENTITY.sub(lambda match: f' id="{names[match[1]]}"' if match[1] in names else "", drawing)
    drawing = USED.sub(lambda match: f"#{names[match[1]]}", drawing)
    return re.sub(r">\s+<", "><", drawing).replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)


class _Measuring(RendererSVG):
    """Matplotlib's own renderer, which measures a text once for all figures: to measure is half of a drawing's cost."""

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> tuple[float, float, float]:
        """Return the size of a text, from what was measured before where it is no formula."""
        return super().get_text_width_height_descent(s, prop, ismath) if ismath else frame.measured(s, prop.copy())

    def _get_font_height_metrics(self, prop: FontProperties) -> tuple[float, float, float]:
        """Return ascent, descent and line gap of a face: matplotlib would look them up for every text and its box."""
        return frame.heights(prop.copy())


def self_contained(drawing: str) -> str:
    """Return a drawing from `svg` as the address of a picture that brings its own face, for whoever has no page."""
    style = f"<style>{palette.faces()}text {{ font-family: '{palette.FACE}', sans-serif }}</style>"
    whole = drawing.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(">", f">{style}", 1)
    return f"data:image/svg+xml;base64,{base64.b64encode(whole.encode()).decode('ascii')}"


# What a page has no need of, since it says it once for all its drawings.
LEFT_OUT = re.compile(
    r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->| transform=\"rotate\(-0 [^\"]*\""
    r"| xmlns:xlink=\"[^\"]*\"| xmlns=\"[^\"]*\"| version=\"1.1\"| font-family: 'Public Sans', 'DejaVu Sans';"
    r"|(?<=<svg) width=\"[^\"]*\"| height=\"[\d.]*pt\"| width=\"[\d.]*pt\"",
    re.DOTALL,
)
TAG, NUMBER = re.compile(r"<[^<>/][^<>]*>"), re.compile(r"\d+\.\d{2,}")
IDENTITY, USED = re.compile(r' id="([^"]*)"'), re.compile(r"(?<=[\"(])#([\w.]+)(?=[\")])")


def _short(drawing: str) -> str:
    """Return a drawing whose tags have places to a tenth of a point, and no spaces that say nothing; words stay."""
    tags = "\0".join(TAG.findall(drawing)).replace("xlink:href", "href")
    tags = NUMBER.sub(lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), tags)
    tags = re.sub(r"\s+(?=[\"z>/])", "", re.sub(r"([MLCQ]) ", r"\1", re.sub(r"\s+", " ", tags)))
    words = TAG.split(drawing)
    return words[0] + "".join(chain.from_iterable(zip(tags.split("\0"), words[1:], strict=True)))
