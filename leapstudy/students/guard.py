"""What tells a student or the key in a text, and a guard in the kernel: what would show either is withheld.

No engine is needed for it.
"""

import hashlib
import hmac
import os
import re
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from leapstudy.core.files import modified

KEY_VARIABLE = "LEAPSTUDY_STUDENT_KEY"
KEY_FILE_VARIABLE = "LEAPSTUDY_STUDENT_KEY_FILE"
SHORTEST_KEY = 32

PREFIX = "~P"
DIGITS = 10
PATTERN = rf"{PREFIX}[a-z2-7]{{{DIGITS}}}"
_TILDE = r"(?:~|%7[eE]|&#126;|&#x7[eE];|\\u007[eE]|\\textasciitilde(?:\{\})? ?)"
_LOWERED = rf"p(?=[a-z]*[2-7])[a-z2-7]{{{DIGITS}}}"  # with a digit, or any long word beginning with p would be one
ON_A_PAGE = re.compile(rf"{_TILDE}(?:P[a-z2-7]{{{DIGITS}}}|P[A-Z2-7]{{{DIGITS}}}|{_LOWERED})")

WITHHELD = "[withheld: this output holds a student's id; ask for counts, rates or moments]"
_MARK = "_guards_students"
# Letters of a stream that are remembered: a pseudonym may be printed piece by piece.
LAST = 16
BEGUN = re.compile(rf"{PREFIX}[a-z2-7]{{3,}}")


def holds_pseudonym(text: str) -> bool:
    """Say whether a text has a pseudonym in it, also where HTML, JSON, a URL or LaTeX escaped the prefix.

    In capitals it is one too, and in small letters if it has a digit.
    """
    return ON_A_PAGE.search(text) is not None


def holds_key(text: str) -> bool:
    """Say whether a text has the key for students' numbers in it, wherever the key is given."""
    keys = os.environ.get(KEY_VARIABLE, "").strip(), _key_of_file(os.environ.get(KEY_FILE_VARIABLE, ""))
    return any(len(key) >= SHORTEST_KEY and key in text for key in keys)


def key_mark() -> str:
    """Return six digits that tell whether the key for students' numbers is another one; empty where none is given.

    The key deals the placebo's lots, and so is an input of every answer. Six digits are too few to tell which it is.
    """
    key = os.environ.get(KEY_VARIABLE, "") or _key_of_file(os.environ.get(KEY_FILE_VARIABLE, ""))
    return hmac.new(key.encode(), b"which key", hashlib.sha256).hexdigest()[:6] if key else ""


def _key_of_file(file: str) -> str:
    with suppress(OSError):  # a pipe is not waited for
        return _key_read(Path(file), modified(Path(file))) if file and Path(file).is_file() else ""
    return ""


@lru_cache(maxsize=2)
def _key_read(file: Path, _modified: int) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return file.read_text(encoding="utf-8-sig").strip()
    return ""


class Streams:
    """The end of what each stream printed."""

    def __init__(self) -> None:
        self._ends: dict[str, str] = {}

    def censored(self, name: str, text: str) -> str:
        """Return a piece of a stream, withheld where it goes on with a pseudonym that an earlier piece began."""
        before = self._ends.get(name, "")
        self._ends[name] = (before + text)[-LAST:]
        crossing = any(match.start() < len(before) < match.end() for match in BEGUN.finditer(before + text))
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

    It is done when the package is imported, before any file is opened; in a kernel that was forked with the package
    imported, when it starts. All routes to a notebook (HTML, print, exception, logging, warnings, SVG, metadata) are
    messages of one session.
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
            """Send a message without what it holds of rows."""
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
