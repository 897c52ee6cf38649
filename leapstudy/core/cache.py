"""What is kept in memory: answers while one object is asked about again and again, and how often Python looks for
garbage.
"""

import gc
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

A = TypeVar("A")
R = TypeVar("R")
P = ParamSpec("P")


def of_last(function: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[A, P], R]:
    """Decorate a function of one object that nobody changes: what it returned for the last one is kept.

    The object is known by its identity, further arguments by their value; what is returned is shared, so that nobody
    may change it either. Errors are not kept.
    """
    last: list[tuple[object, dict[object, R]]] = [(None, {})]

    @wraps(function)
    def kept(about: A, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what is kept of this object and these arguments, or ask for it."""
        entry = last[0]
        if entry[0] is not about:
            entry = last[0] = (about, {})  # one assignment: another thread has its own entry, or this one
        key = (args, tuple(kwargs.items()))
        if key not in entry[1]:
            entry[1][key] = function(about, *args, **kwargs)
        return entry[1][key]

    return kept


def collect_rarely() -> None:
    """Look for cycles among more objects at a time, in this process and in those forked from it.

    Figures, frames and expressions are trees of thousands of objects that live for a moment; looking through them, and
    through all that was imported, took a tenth of a batch.

    Examples
    --------
    >>> collect_rarely()
    >>> gc.get_threshold()
    (100000, 50, 100)
    """
    gc.set_threshold(100_000, 50, 100)
