"""What a notebook shows and can change while it is open; saved, printed or run by a batch it reads as it stands."""

import re
from html import escape
from typing import Any

CODE = re.compile(r"`([^`]+)`")
# How a widget stands in a notebook's outputs; it holds a name that differs from run to run and means nothing later.
WIDGET = "application/vnd.jupyter.widget-view+json"


class Live:
    """A place in the notebook whose content can be replaced; what is saved is whatever stood there first."""

    def __init__(self, content: Any) -> None:
        """Take the first content: anything that a notebook can show."""
        self.content = content
        self._handle: Any = None

    def _ipython_display_(self) -> None:
        from IPython.display import display  # only a notebook needs it

        self._handle = display(self.content, display_id=True)

    def put(self, content: Any) -> None:
        """Replace the content, on the screen too where it is shown."""
        self.content = content
        if self._handle is not None:
            self._handle.update(content)


class Controls:
    """A widget with words that stand in its place wherever it cannot work."""

    def __init__(self, widget: Any, words: str, html: str = "") -> None:
        """Take the widget (None where nobody is there to use it), the words, and their HTML where it is richer."""
        self.widget = widget
        self.words = words
        self.html = html or CODE.sub(r"<code>\1</code>", f"<p>{escape(words)}</p>")

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle = {"text/plain": self.words, "text/html": self.html}
        if self.widget is None:
            return bundle
        return {WIDGET: self.widget._repr_mimebundle_()[WIDGET], **bundle}
