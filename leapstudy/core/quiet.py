"""Silence for solvers that greet and warn: whatever they print would end up in a notebook."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back warnings and all that is printed, also by code in C, which writes past `sys.stdout`."""
    copy, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(copy, 1)
        os.close(copy)
        os.close(nowhere)
