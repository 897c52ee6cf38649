"""A figure with all that makes it readable: a title, its finding in words, its source, and its numbers as a table."""

import base64
from dataclasses import dataclass, fields
from functools import cached_property
from html import escape

import pandas as pd
from matplotlib.figure import Figure

from leapstudy.core.table import table_html
from leapstudy.figures.picture import PAGE_DPI, png

LINE = 100
"""Characters of a printed line, in a notebook and on a page."""

ALT_SHORTEST, ALT_LONGEST = 30, 300
"""Characters of alternative text: enough to state the finding, short enough to be heard in one breath."""


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
        empty = [field.name for field in fields(self) if not str(getattr(self, field.name)).strip()]
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
    """

    figure: Figure
    title: str
    alt: str
    caption: Caption
    data: pd.DataFrame

    def __post_init__(self) -> None:
        """Refuse an exhibit that some reader could not read."""
        if not ALT_SHORTEST <= len(self.alt) <= ALT_LONGEST:
            raise ValueError(
                f"Alternative text needs {ALT_SHORTEST} to {ALT_LONGEST} characters; {self.title!r} has "
                f"{len(self.alt)}: "
                f"{self.alt!r}"
            )
        if not self.title.strip():
            raise ValueError("An exhibit needs a title.")
        if self.data.empty:
            raise ValueError(f"The exhibit {self.title!r} needs its numbers as a table.")

    @cached_property
    def png(self) -> bytes:
        """The figure as PNG, the same bytes each time."""
        return png(self.figure)

    def html(self) -> str:
        """Return the exhibit as one HTML figure: picture with its alt text, caption, and the table to open."""
        source = base64.b64encode(self.png).decode("ascii")
        width, _ = self.figure.get_size_inches()
        picture = f'<img src="data:image/png;base64,{source}" alt="{escape(self.alt)}" width="{width * PAGE_DPI:.0f}">'
        return (
            f"<figure "
            f'class="exhibit">{picture}'
            f"{self.notes(self.caption.text(), 'Table', table_html(self.data, self.title))}</figure>"
        )

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
        """Return what a notebook keeps: HTML first (its alt text survives every front end), then PNG, then words."""
        bundle = {
            "text/html": self.html(),
            "image/png": base64.b64encode(self.png).decode("ascii"),
            "text/plain": f"{self.title}. {self.alt}",
        }
        return bundle, {"image/png": {"alt": self.alt}}

    def show(self) -> None:
        """Show the exhibit where a cell does not end with it (a loop, a widget)."""
        from IPython.display import display  # only a notebook needs it

        display(self)


def alt_text(finding: str, *details: str) -> str:
    """Return the finding and as many of the details, in order, as fit into the longest alternative text."""
    text = finding
    for detail in details:
        if len(text) + 1 + len(detail) > ALT_LONGEST:
            break
        text = f"{text} {detail}"
    return text
