"""A guard in the kernel: whatever would be shown with a student's pseudonym in it is withheld before it leaves."""

import re
import sys
from typing import Any

from leapstudy.students.telltale import PREFIX, holds_key, holds_pseudonym

WITHHELD = "[withheld: this output holds a student's id; ask for counts, rates or moments]"
_MARK = "_guards_students"
LAST = 16
"""Letters of a stream that are remembered: a pseudonym may be printed piece by piece."""
BEGUN = re.compile(rf"{PREFIX}[a-z2-7]{{3,}}")


class Streams:
    """The end of what each stream printed."""

    def __init__(self) -> None:
        self._ends: dict[str, str] = {}

    def censored(self, name: str, text: str) -> str:
        """Return a piece of a stream, withheld where it goes on with a pseudonym that an earlier piece began."""
        before = self._ends.get(name, "")
        self._ends[name] = (before + text)[-LAST:]
        crossing = any(found.start() < len(before) < found.end() for found in BEGUN.finditer(before + text))
        return WITHHELD if crossing else text


def censored(content: Any) -> Any:
    """Return a message's content with every text that holds a pseudonym or the key replaced; the rest as it is."""
    if isinstance(content, str):
        return WITHHELD if holds_pseudonym(content) or holds_key(content) else content
    if isinstance(content, dict):
        return {key: censored(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [censored(item) for item in content]
    return content


def install_guard() -> bool:
    """Censor every message of the running Jupyter kernel; returns False where there is no kernel.

    It is done when the package is imported, before any file is opened. All routes to a notebook (HTML, print,
    exception, logging, warnings, SVG, metadata) are messages of one session.
    """
    if "IPython" not in sys.modules:  # to import it takes longer than a district's students do
        return False
    from IPython.core.getipython import get_ipython

    session = getattr(getattr(get_ipython(), "kernel", None), "session", None)
    if session is None:
        return False
    if not getattr(session, _MARK, False):
        send, streams = session.send, Streams()

        def send_censored(stream: Any, message: Any, content: Any = None, *rest: Any, **more: Any) -> Any:
            if isinstance(message, dict):
                own = message.get("content")
                if message.get("msg_type") == "stream" and isinstance(own, dict):
                    own = {**own, "text": streams.censored(own["name"], own["text"])}
                message = {**message, "content": censored(own)}
            if message == "stream" and isinstance(content, dict):
                content = {**content, "text": streams.censored(content["name"], content["text"])}
            return send(stream, message, censored(content), *rest, **more)

        session.send = send_censored
        setattr(session, _MARK, True)
    return True
