"""Killed at random points many times, a batch ends up exactly where an undisturbed one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks a batch a round")]
DRIVER = Path(__file__).with_name("kill_driver.py")
SECONDS, SEED = 5, 20261125


def _outputs(folder: Path) -> dict:
    """Return what a run found: cell outputs and result, without times and paths."""
    notebook = json.loads((folder / "notebook.ipynb").read_text(encoding="utf-8"))
    cells = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return {"cells": cells, "result": (folder / "result.json").read_bytes()}


def test_kills_at_random_points_lose_nothing_and_leave_nobody_behind(tiny_plan, workspace):
    plan, _ = tiny_plan
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(workspace), str(SECONDS), str(SEED)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["rounds"] >= 5 and told["left_behind"] == [] and told["false_success"] == []
    assert told["last_failed"] == [], "after the last kill an ordinary run completes"
    for run in plan:
        assert _outputs(workspace / "killed" / run.slug) == _outputs(workspace / "calm" / run.slug)
    assert (workspace / "killed" / "estimates.csv").read_bytes() == (workspace / "calm" / "estimates.csv").read_bytes()
