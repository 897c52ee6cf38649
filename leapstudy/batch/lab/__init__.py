"""JupyterLab in the workspace, with settings under which *Run All Cells* works at once.

The settings stand in `labconfig/`: the default kernel starts by itself (no dialog waits unseen), every cell is drawn
(a long notebook can be searched and read from start to end), and nothing asks the network for news.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from leapstudy.batch.job import Run
from leapstudy.batch.kernels import offer_for_lab
from leapstudy.batch.kernels.family import end_group
from leapstudy.core import paths
from leapstudy.core.errors import Interrupted
from leapstudy.core.files import write_text_atomic

SETTINGS = Path(__file__).parent
START = "notebooks/00_start_here.ipynb"
PATIENCE_SECONDS = 20


def lab_command(extra: Sequence[str] = (), notebook: str = "") -> list[str]:
    """Return the command that opens JupyterLab in the workspace; `extra` goes to JupyterLab as it is."""
    start = f"/lab/tree/{quote(notebook or START)}"
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--notebook-dir={paths.root()}",
        f"--LabApp.default_url={start}",
        *extra,
    ]


def lab_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the workspace's settings after the person's own, which keep the last word."""
    search_path = base.get("JUPYTER_CONFIG_PATH", "")
    return {**base, "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, [search_path, str(SETTINGS)]))}


def own_notebook(run: Run) -> tuple[Path, bool]:
    """Return a run's notebook as a copy of one's own with its parameters set, and whether it is new.

    It lies in `notebooks/mine/`, which the batch leaves alone; an earlier copy is kept as it is.
    """
    path = mine() / f"{run.slug}.ipynb"
    if path.is_file():
        return path, False
    content = json.loads(run.notebook.read_text(encoding="utf-8"))
    values = {**run.parameters, "result_path": ""}
    for cell in content["cells"]:
        if "parameters" in cell["metadata"].get("tags", ()):
            cell["source"] = "\n".join(f"{name} = {value!r}" for name, value in values.items())
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    write_text_atomic(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return path, True


def mine() -> Path:
    """Return the folder of a person's own notebooks, made if it is not there."""
    folder = paths.notebooks() / "mine"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def open_lab(extra: Sequence[str] = (), notebook: str = "") -> int:
    """Open JupyterLab, wait for its end, and return its exit code; Ctrl-C and SIGTERM end it and its kernels.

    Raises
    ------
    Interrupted
        If it was ended from here.
    """
    offer_for_lab()
    with suppress(OSError):  # a workspace that cannot be written is still one to read
        mine()
    # a session of its own: Ctrl-C is for this process, which ends JupyterLab without the question that it would ask
    process = subprocess.Popen(
        lab_command(extra, notebook), env=lab_environment(os.environ), start_new_session=os.name == "posix"
    )
    try:
        return process.wait()
    except KeyboardInterrupt:
        _end(process)
        raise Interrupted("JupyterLab and its kernels have ended. Notebooks are as they were last saved.") from None


def _end(process: subprocess.Popen) -> None:
    """Ask JupyterLab to end its kernels and itself; after a while, or at a second Ctrl-C, do not ask."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        process.wait(PATIENCE_SECONDS)
    if os.name == "posix":
        end_group(process.pid)
    process.kill()
    process.wait()
