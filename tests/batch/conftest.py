"""A small workspace with notebooks that take no time, for the batch's own tests."""

import json
import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from leapstudy.batch.job import Run
from leapstudy.batch.kernels import KERNEL, SHARE
from leapstudy.core import paths

RESULT_CELL = """import pathlib
if result_path:
    pathlib.Path(result_path).write_text('{"schema": 1, "track": "public", "estimates": []}', encoding="utf-8")"""
DISTRICT_CELLS = (
    'district = "hartford"\ncomparison = "alliance"\nweights = "equal"\nscale = "points"\nseed = 1\nresult_path = ""',
    'if district == "windham":\n    raise ValueError("no figures for Windham")',
    "print(district, comparison, seed)",
    RESULT_CELL,
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
        (
            'comparison = "alliance"\nweights = "equal"\nscale = "points"\nprior = "flat"\nresult_path = ""',
            "print(comparison)",
        ),
    )
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    return root


TINY_CELLS = (
    'word = "a"\nresult_path = ""',
    "from pathlib import Path\ntext = f'{word * 3}'\nprint(text)",
    """Path(result_path).write_text('{"schema": 1, "track": "public", "estimates": []}', encoding="utf-8")""",
)


def tiny_runs(workspace: Path, out: Path) -> list[Run]:
    """Return three runs of a notebook that takes no time and gives two outputs."""
    path = workspace / "notebooks" / "60_tiny.ipynb"
    write_notebook(path, TINY_CELLS)
    slugs = ("60-a", "60-b", "60-c")
    return [
        Run(slug, path, {"word": slug, "result_path": str(out / slug / "result.json")}, f"{slug}?") for slug in slugs
    ]


def write_light_kernel(share: Path) -> None:
    """Write a warm kernel that preloads only what every kernel needs, so that a template starts at once."""
    spec = json.loads((SHARE / "kernels" / KERNEL / "kernel.json").read_text(encoding="utf-8"))
    spec["metadata"]["kernel_provisioner"]["config"]["preload"] = ["IPython", "ipykernel.kernelapp"]
    target = share / "kernels" / KERNEL / "kernel.json"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(spec), encoding="utf-8")


@pytest.fixture
def light_kernel(tmp_path, monkeypatch) -> None:
    """Let runs find the light kernel first."""
    write_light_kernel(tmp_path / "share")
    monkeypatch.setenv("JUPYTER_PATH", os.pathsep.join([str(tmp_path / "share"), str(SHARE)]))


@pytest.fixture
def tiny_plan(workspace, light_kernel) -> tuple[list[Run], Path]:
    """Return three tiny runs and their output folder."""
    return tiny_runs(workspace, workspace / "reports"), workspace / "reports"
