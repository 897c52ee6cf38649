"""Notebooks that take no time, for the batch's own tests and for the driver that kills batches."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from leapstudy.batch.job import Run

TINY_CELLS = (
    'word = "a"\nresult_path = ""',
    "from pathlib import Path\ntext = f'{word * 3}'\nprint(text)",
    """Path(result_path).write_text('{"schema": 1, "track": "public", "estimates": []}', encoding="utf-8")""",
)


def write_notebook(path: Path, cells: tuple[str, ...]) -> None:
    """Write a notebook whose first code cell is tagged `parameters`."""
    made = [new_code_cell(source) for source in cells]
    made[0].metadata["tags"] = ["parameters"]
    notebook = new_notebook(cells=[new_markdown_cell(f"# {path.stem}?"), *made])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def tiny_runs(workspace: Path, out: Path) -> list[Run]:
    """Return three runs of a notebook that takes no time and gives two outputs."""
    path = workspace / "notebooks" / "60_tiny.ipynb"
    write_notebook(path, TINY_CELLS)
    slugs = ("60-a", "60-b", "60-c")
    return [
        Run(slug, path, {"word": slug, "result_path": str(out / slug / "result.json")}, f"{slug}?") for slug in slugs
    ]
