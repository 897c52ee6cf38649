"""How many threads the numerical libraries take: one, so that notebooks side by side do not fight over the cores."""

import os

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Sums can differ in the last digit with the number of threads, so it is in the manifest's key, too."""


def one_thread() -> None:
    """Set one thread where nothing else is said; kernels inherit it."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")


def threads() -> dict[str, str]:
    """Return variable -> number of threads that a kernel of this process will take."""
    return {name: os.environ.get(name, "1") for name in ONE_THREAD}
