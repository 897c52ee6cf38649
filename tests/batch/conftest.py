"""A small workspace with notebooks that take no time, for the batch's own tests."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from leapstudy.core import paths

DISTRICT_CELLS = (
    'district = "hartford"\ncomparison = "alliance"\nseed = 1\nresult_path = ""',
    'if district == "windham":\n    raise ValueError("no figures for Windham")',
    "print(district, comparison, seed)",
)


def write_notebook(path: Path, cells: tuple[str, ...]) -> None:
    """Write a notebook whose first code cell is tagged `parameters`."""
    made = [new_code_cell(source) for source in cells]
    made[0].metadata["tags"] = ["parameters"]
    notebook = new_notebook(cells=[new_markdown_cell(f"# {path.stem}?"), *made])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


@pytest.fixture
def notebook_writer():
    """Return `write_notebook`."""
    return write_notebook


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """Return a copy of data and parameters with two tiny notebooks, and make it the workspace."""
    root, real = tmp_path / "workspace", paths.root()
    for name in ("data/raw", "params"):
        shutil.copytree(real / name, root / name)
    shutil.copy(real / "requirements.lock", root)
    write_notebook(root / "notebooks" / "10_district.ipynb", DISTRICT_CELLS)
    write_notebook(
        root / "notebooks" / "30_all_districts.ipynb",
        ('comparison = "alliance"\nresult_path = ""', "print(comparison)"),
    )
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    return root
