"""Errors meant for people: what was wrong, what would be right, what to do next."""

import difflib
from collections.abc import Callable, Iterable
from datetime import date
from numbers import Number
from pathlib import PurePath
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class LeapstudyError(Exception):
    """Something failed; the command ends with exit code 1 and prints the message without a traceback."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows (IPython asks for it): the sentence, without the way to it."""
        return [f"{type(self).__name__}: {self}"]


class Interrupted(LeapstudyError):
    """Ended by Ctrl-C or SIGTERM; the message says what is done and what is not."""

    exit_code = 130


class BadInput(LeapstudyError):
    """What the person gave cannot be used; exit code 2, and nothing has been changed."""

    exit_code = 2


class FolderBusy(BadInput):
    """Another batch holds the output folder."""


def closest(value: object, legal: Iterable[str]) -> list[str]:
    """Return up to three legal spellings that resemble `value`, best first."""
    by_folded = {item.casefold(): item for item in legal}
    return [by_folded[hit] for hit in difflib.get_close_matches(str(value).casefold(), by_folded, n=3, cutoff=0.55)]


def shown(value: object) -> str:
    """Return a value as a message shows it: what a person types as it is, of any other object its kind alone."""
    is_plain = value is None or isinstance(value, str | bytes | Number | date | PurePath | list | tuple | dict | set)
    return repr(value) if is_plain else f"a {type(value).__name__}"


def bad_value(what: str, value: object, legal: Iterable[str], next_step: str = "") -> BadInput:
    """Build the error for a value outside its legal ones.

    Parameters
    ----------
    what
        The name of the thing, as the person knows it ("comparison group").
    value
        The value as given; see `shown`.
    legal
        The values that would have been accepted.
    next_step
        One sentence on what to do; a suggestion is added where a legal value is near.
    """
    options, text = list(legal), shown(value)
    near = closest(value, options)
    guess = f" Did you mean {' or '.join(repr(item) for item in near)}?" if near else ""
    return BadInput(f"Unknown {what}: {text}.{guess} Legal: {', '.join(options) or 'none'}. {next_step}".strip())


def attempt(make: Callable[P, T], *args: P.args, **more: P.kwargs) -> tuple[T | None, str]:
    """Return what a function makes and an empty text, or None and in words why it refuses what it was given.

    Examples
    --------
    >>> attempt(sum, [1, 2])
    (3, '')
    """
    try:
        return make(*args, **more), ""
    except BadInput as reason:
        return None, str(reason)
