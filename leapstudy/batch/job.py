"""One run: a notebook with its parameters, its cells as plain text, and its threads. Nothing heavy is imported here."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leapstudy.core.errors import BadInput
from leapstudy.core.names import Track

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Notebooks side by side must not fight over the cores; and sums can differ in the last digit with the number of
threads, so that it is in the manifest's key, too."""


@dataclass(frozen=True, slots=True)
class Run:
    """One notebook with its parameters and the name of its folder in the output."""

    slug: str
    notebook: Path
    parameters: dict[str, Any]
    title: str
    track: Track = "public"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: `code` or `markdown`, its source and its tags."""

    kind: str
    source: str
    tags: tuple[str, ...]


def read_cells(path: Path) -> Sequence[Cell]:
    """Return the cells of a notebook in order; to read them needs no schema, and importing one takes two seconds.

    Raises
    ------
    BadInput
        If the file is no notebook.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [
            Cell(cell["cell_type"], "".join(cell["source"]), tuple(cell["metadata"].get("tags", ()))) for cell in cells
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path.name} is not a notebook that can be read ({error}). Restore it from version control."
        ) from None


def one_thread() -> None:
    """Set one thread where nothing else is said; kernels inherit it."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")


def threads() -> dict[str, str]:
    """Return variable -> number of threads that a kernel of this process will take."""
    return {name: os.environ.get(name, "1") for name in ONE_THREAD}
