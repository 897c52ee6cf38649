"""Executing a source notebook in place, so that it reads well before anyone runs it."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

from leapstudy.batch.kernels import KERNEL, offer
from leapstudy.batch.streams import settle_streams
from leapstudy.core.files import write_text_atomic
from leapstudy.core.live import WIDGET


def refresh_notebook(path: Path) -> None:
    """Execute every cell and keep the outputs; times, widgets and other traces of the moment are left out.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails; the file stays as it was.
    """
    offer()
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name=KERNEL, record_timing=False).execute()
    settle_streams(notebook)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    write_text_atomic(path, nbformat.writes(notebook) + "\n")
