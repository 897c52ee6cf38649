"""A small workspace with notebooks that take no time, for the batch's own tests."""

import json
import os
import shutil
from pathlib import Path

import pytest
from tiny_notebooks import tiny_runs, write_notebook

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


def write_light_kernel(share: Path) -> None:
    """Write a warm kernel that preloads only what every kernel needs: a template starts at once."""
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
