"""A notebook's cells as plain text. Reading them needs no schema, and importing one takes two seconds."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leapstudy.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: `code` or `markdown`, its source and its tags."""

    kind: str
    source: str
    tags: tuple[str, ...]


def read_cells(path: Path) -> Sequence[Cell]:
    """Return the cells of a notebook in order.

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
