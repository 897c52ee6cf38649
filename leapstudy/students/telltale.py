"""What tells a student or the key on any page, and how to find it in a text; no engine is needed for that."""

import os
import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

KEY_VARIABLE = "LEAPSTUDY_STUDENT_KEY"
KEY_FILE_VARIABLE = "LEAPSTUDY_STUDENT_KEY_FILE"
SHORTEST_KEY = 32

PREFIX = "~P"
DIGITS = 10
PATTERN = rf"{PREFIX}[a-z2-7]{{{DIGITS}}}"
_TILDE = r"(?:~|%7[eE]|&#126;|&#x7[eE];|\\u007[eE]|\\textasciitilde(?:\{\})? ?)"
_LOWERED = rf"p(?=[a-z]*[2-7])[a-z2-7]{{{DIGITS}}}"  # with a digit, or any long word beginning with p would be one
ON_A_PAGE = re.compile(rf"{_TILDE}(?:P[a-z2-7]{{{DIGITS}}}|P[A-Z2-7]{{{DIGITS}}}|{_LOWERED})")


def holds_pseudonym(text: str) -> bool:
    """Say whether a text has a pseudonym in it, also where HTML, JSON, a URL or LaTeX escaped the prefix.

    In capitals it is one too, and in small letters if it has a digit.
    """
    return ON_A_PAGE.search(text) is not None


def holds_key(text: str) -> bool:
    """Say whether a text has the key for students' numbers in it, wherever the key is given."""
    keys = os.environ.get(KEY_VARIABLE, "").strip(), _key_of_file(os.environ.get(KEY_FILE_VARIABLE, ""))
    return any(len(key) >= SHORTEST_KEY and key in text for key in keys)


@lru_cache(maxsize=2)
def _key_of_file(file: str) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return Path(file).read_text(encoding="utf-8-sig").strip() if file else ""
    return ""
