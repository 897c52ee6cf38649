"""Ctrl-C and SIGTERM: one sentence on what is done and what is not, and nothing left running."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from leapstudy.batch.job import Run
from leapstudy.batch.lab import lab_command, own_notebook
from leapstudy.batch.manifest import read_manifest
from leapstudy.batch.plan import declared_parameters, make_plan
from leapstudy.core import paths

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="sends signals")]
# What a grandchild does: no other suite on this machine sleeps just as long.
NAP = f"sleep(301.{os.getpid():08d})"
DISTRICT = (
    'district = ""\nresult_path = ""',
    f"""import pathlib, subprocess, sys, time
if district != "hartford":
    subprocess.Popen([sys.executable, "-c", "import time; time.{NAP}"])
    time.sleep(300)
pathlib.Path(result_path).write_text('{{"schema": 1, "track": "public", "estimates": []}}', encoding="utf-8")""",
)
# What the main thread runs when the signal arrives swallows what is raised in it: here a weak reference's callback.
LOST = """
import signal, sys, time, weakref
from leapstudy import cli

def command(**_):
    thing = set()
    watched = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))
    del thing
    {then}

cli.app = command
cli.main()
"""
LAB = f"""
import sys
from leapstudy.batch import lab
from leapstudy import cli
nap = "import time; time.{NAP}"
child = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {{nap!r}}]); time.sleep(300)"
lab.lab_command = lambda *_: [sys.executable, "-c", child]
sys.argv = ["leapstudy", "lab"]
cli.main()
"""


@pytest.fixture(autouse=True)
def _nothing_stays():
    yield
    for item in _left():
        item.kill()


def _left():
    return [item for item in psutil.process_iter(["cmdline"]) if (item.info["cmdline"] or [""])[-1].endswith(NAP)]


def _until(reached):
    end = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_interrupted_run_says_what_is_done_and_leaves_nothing_running(workspace, notebook_writer, light_kernel):
    """By SIGTERM, which the command must turn into Ctrl-C; `test_batch_trouble.py` holds what that does to runs."""
    out = workspace / "reports"
    notebook_writer(workspace / "notebooks" / "10_district.ipynb", DISTRICT)
    command = [sys.executable, "-m", "leapstudy", "run", "hartford", "windham", "danbury", "--jobs", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    done = lambda: (found := read_manifest(out / "hartford")) is not None and found.state == "done"  # noqa: E731
    _until(lambda: done() and _left())
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130, told
    assert (
        told.startswith("Interrupted: 1 of 3 runs are done, 2 are not (danbury, windham)") or "windham, danbury" in told
    )
    assert told.count("\n") == 1 and "goes on from there" in told
    assert not _left()


@pytest.mark.parametrize(
    "then", ["time.sleep(60)", "raise ImportError from KeyboardInterrupt()", "exec('raise KeyboardInterrupt')"]
)
def test_an_interrupt_that_a_callback_swallows_is_heard_once(tmp_path, then):
    """Where nothing else is heard of it, where an import that it broke off says so too, and with the same exit code."""
    (tmp_path / "lost.py").write_text(LOST.format(then=then), encoding="utf-8")
    command = [sys.executable, "-m", "lost"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 130, done.stderr
    assert done.stderr.startswith("Interrupted. Nothing half made counts as done") and done.stderr.count("\n") == 1


def test_an_interrupted_lab_ends_with_a_sentence_and_everything_in_it(workspace):
    """By Ctrl-C; that SIGTERM does the same is the command's own, as above."""
    process = subprocess.Popen([sys.executable, "-c", LAB], stderr=subprocess.PIPE, text=True)
    _until(_left)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and told == (
        "JupyterLab and its kernels have ended. Notebooks are as they were last saved.\n"
    )
    psutil.wait_procs(family, timeout=10)
    assert not _left()


def test_lab_opens_a_districts_notebook_with_its_parameters(workspace, study):
    settings = workspace / "params" / "districts" / "windham.yml"
    settings.write_text("comparison: {value: others, reason: 'a test'}\n", encoding="utf-8")
    run: Run = make_plan(study, ["windham"], "public", {}, workspace / "reports")[0]
    path, new = own_notebook(run)
    assert new and path == paths.notebooks() / "mine" / "windham.ipynb"
    given = declared_parameters(path)
    assert (given["district"], given["comparison"], given["result_path"]) == ("windham", "others", "")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert not any(cell.get("outputs") for cell in content["cells"])
    path.write_text("{}", encoding="utf-8")
    assert own_notebook(run) == (path, False) and path.read_text(encoding="utf-8") == "{}", "one's own work is kept"
    assert any(
        "/lab/tree/notebooks/mine/windham.ipynb" in part for part in lab_command((), "notebooks/mine/windham.ipynb")
    )
