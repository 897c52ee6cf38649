"""A figure with all that makes it readable: a title, its finding in words, its source, and its numbers as a table."""

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial, wraps
from html import escape
from inspect import signature
from typing import ParamSpec

import pandas as pd
from matplotlib.figure import Figure

from leapstudy.core.names import FOR_PAGES, PAGE
from leapstudy.core.table import table_html
from leapstudy.figures.palette import NARROW
from leapstudy.figures.picture import PAGE_DPI, png, self_contained, svg

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
