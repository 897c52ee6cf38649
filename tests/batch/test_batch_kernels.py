"""Warm kernels: the same outputs as cold ones, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from leapstudy.batch.kernels import KERNEL, SHARE, offer
from leapstudy.batch.kernels.forks import ForkedProcess, template
from leapstudy.core import paths

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="warm kernels need fork"),
]
SOURCE = """
from matplotlib.figure import Figure
from IPython.display import Image
import io, os, sys, numpy as np
figure = Figure()
figure.subplots().plot(np.random.default_rng(1).normal(size=50).cumsum())
buffer = io.BytesIO()
figure.savefig(buffer, metadata={"Software": None})
print(sys.path[-1] == sys.path[-1], os.getcwd().endswith("notebooks"), np.linalg.norm([3.0, 4.0]), "leapstudy" in sys.modules)
Image(buffer.getvalue())
"""


def _outputs(kernel):
    offer()
    notebook = new_notebook(cells=[new_code_cell(SOURCE)])
    NotebookClient(notebook, kernel_name=kernel, resources={"metadata": {"path": str(paths.notebooks())}}).execute()
    return notebook.cells[0].outputs


def test_a_warm_kernel_gives_what_a_cold_one_gives_picture_bytes_included():
    warm, cold = _outputs(KERNEL), _outputs("python3")
    assert warm == cold
    assert warm[0]["text"] == "True True 5.0 False\n" and "image/png" in warm[1]["data"]


def test_two_warm_kernels_draw_different_numbers_where_no_seed_is_set():
    offer()
    drawn = []
    for _ in range(2):
        notebook = new_notebook(
            cells=[new_code_cell("import random, numpy as np\nprint(random.random(), np.random.rand())")]
        )
        NotebookClient(notebook, kernel_name=KERNEL).execute()
        drawn.append(notebook.cells[0].outputs[0]["text"])
    assert drawn[0] != drawn[1]


def test_another_environment_at_import_starts_cold():
    source = template(("json",))
    assert source is not None
    assert source.fork([], {**os.environ, "PYTHONHASHSEED": "4711"}, None) is None


def test_the_kernel_file_is_shipped_and_never_preloads_this_package():
    spec = (SHARE / "kernels" / KERNEL / "kernel.json").read_text(encoding="utf-8")
    assert '"leapstudy-warm"' in spec and '"leapstudy"' not in spec and "backend_inline" not in spec


OWNER = """
import os, sys, time
from jupyter_client import KernelManager
from leapstudy.batch.kernels import KERNEL, offer
from leapstudy.batch.kernels.forks import _templates
offer()
manager = KernelManager(kernel_name=KERNEL)
manager.start_kernel()
client = manager.client(); client.start_channels(); client.wait_for_ready(timeout=60)
print(next(iter(_templates.values())).process.pid, manager.provisioner.pid, flush=True)
time.sleep(600)
"""


def _gone(pid: int, seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not Path(f"/proc/{pid}").exists() and ForkedProcess(pid).poll() is not None:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("victim", ["owner", "template"])
def test_nothing_is_left_behind_after_a_kill(victim):
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    template_pid, kernel_pid = map(int, owner.stdout.readline().split())
    try:
        os.kill(owner.pid if victim == "owner" else template_pid, signal.SIGKILL)
        if victim == "owner":
            owner.wait()
            assert _gone(template_pid)
        assert _gone(kernel_pid)
    finally:
        owner.kill()
        owner.wait()


def test_the_source_notebooks_name_the_plain_kernel():
    for path in paths.notebooks().glob("*.ipynb"):
        assert nbformat.read(path, as_version=4).metadata["kernelspec"]["name"] == "python3"
