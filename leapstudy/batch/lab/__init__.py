"""JupyterLab in the workspace, with settings under which *Run All Cells* works at once.

The settings stand in `labconfig/`: the default kernel starts by itself (no dialog waits unseen), every cell is drawn
(a long notebook can be searched and read from start to end), and nothing asks the network for news.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from leapstudy.batch.kernels import offer_for_lab
from leapstudy.core import paths

SETTINGS = Path(__file__).parent
START = "/lab/tree/notebooks/00_start_here.ipynb"


def lab_command(extra: Sequence[str] = ()) -> list[str]:
    """Return the command that opens JupyterLab in the workspace; `extra` goes to JupyterLab as it is."""
    return [
        sys.executable, "-m", "jupyterlab", f"--notebook-dir={paths.root()}", f"--LabApp.default_url={START}", *extra,
    ]  # fmt: skip


def lab_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the workspace's settings after the person's own, which keep the last word."""
    there = base.get("JUPYTER_CONFIG_PATH", "")
    return {**base, "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, [there, str(SETTINGS)]))}


def open_lab(extra: Sequence[str] = ()) -> int:
    """Open JupyterLab, wait for its end, and return its exit code."""
    offer_for_lab()
    return subprocess.run(lab_command(extra), env=lab_environment(os.environ), check=False).returncode
