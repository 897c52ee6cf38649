"""A figure as a file: PNG in a few colors for notebooks and documents, SVG with its type as text for pages.

The same figure gives the same bytes: fonts ship with the package, and neither date nor version is written into the
file.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from html import escape
from io import BytesIO, StringIO
from itertools import chain, islice
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from PIL import Image, ImageColor

from leapstudy.core.files import sha256_bytes
from leapstudy.figures import frame, palette

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
