"""The prefix that tells a pseudonym on any page, and how to find one in a text; no engine is needed for that."""

import re

PREFIX = "~P"
DIGITS = 10
PATTERN = rf"{PREFIX}[a-z2-7]{{{DIGITS}}}"
ON_A_PAGE = re.compile(rf"(?:~|%7[eE]|&#126;|&#x7[eE];|\\u007[eE]|\\textasciitilde(?:\{{\}})? ?)P[a-z2-7]{{{DIGITS}}}")


def holds_pseudonym(text: str) -> bool:
    """Say whether a text has a pseudonym in it, also where HTML, JSON, a URL or LaTeX escaped the prefix."""
    return ON_A_PAGE.search(text) is not None
