"""Warm kernels: the same outputs as cold ones, and nothing left behind."""

import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.provisioning import KernelProvisionerFactory
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from leapstudy.batch.execute import execute
from leapstudy.batch.job import Run
from leapstudy.batch.kernels import EVERY_KERNEL, KERNEL, SHARE, forks, offer, offer_for_lab, shipped_preload
from leapstudy.batch.kernels.forks import TEMPLATE, ForkedProcess, Template, close_templates, template
from leapstudy.batch.kernels.provisioner import WarmProvisioner, is_this_python
from leapstudy.batch.plan import make_plan
from leapstudy.core import paths
from leapstudy.core.names import FOR_PAGES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="warm kernels need fork"),
]
SOURCE = """
import os, sys
from IPython.display import Markdown
print(sys.path, os.getcwd().endswith("notebooks"))
Markdown("x")
"""
FOUND = """
import random, numpy, pandas
from leapstudy.study import over_years
print(random.random(), numpy.random.rand(), pandas.get_option("mode.string_storage"), len(over_years._SCREENS))
"""


# Those that other modules fork from.
SHARED = forks._templates


@pytest.fixture
def shared(monkeypatch):
    """Let a test fork from the template of the other modules, which takes seconds, unless it would start cold."""
    own = forks.at_import({**os.environ, "MPLBACKEND": forks.INLINE})
    if all(source.environment == own for source in SHARED.values()):
        monkeypatch.setattr(forks, "_templates", SHARED)
    offer()


@pytest.fixture(scope="module", autouse=True)
def _apart():
    """Begin with no template, and leave those that other modules fork from as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forks, "_templates", {})
        yield
        close_templates()


def _outputs(kernel, source, **more):
    notebook = new_notebook(cells=[new_code_cell(source)])
    client = NotebookClient(notebook, kernel_name=kernel, resources={"metadata": {"path": str(paths.notebooks())}})
    client.execute(env={**os.environ, **more})
    return notebook.cells[0].outputs


@pytest.mark.parametrize("safe", ["", "1"])
def test_a_warm_kernel_finds_what_a_cold_one_finds(monkeypatch, safe, capfd, light_kernel):
    """Where Python looks for modules; the pictures of a real district are held below, byte by byte."""
    monkeypatch.setenv("PYTHONSAFEPATH", safe)
    monkeypatch.setattr(forks, "_templates", {})  # that of another environment starts no kernel of the next test
    warm = _outputs(KERNEL, SOURCE)
    assert [source.ready for source in forks._templates.values()] == [True], "it was forked: it did not start cold"
    close_templates()
    cold = _outputs("python3", SOURCE)
    told = capfd.readouterr().err
    # a client that closes while its kernel writes makes zmq print a traceback; any other is the kernel's
    assert warm == cold and ("Traceback" not in told or "zmq" in told)
    assert warm[0]["text"].endswith("] True\n") and "text/markdown" in warm[1]["data"]


def test_what_the_template_hands_on_and_what_each_kernel_has_of_its_own(shared):
    """Kernels find the figures screened; numbers drawn without a seed differ.

    Only a batch keeps texts as Python's own: a reader's frames may be large, and Arrow is what pandas would keep.
    """
    reader, page = (_outputs(KERNEL, FOUND, **more)[0]["text"].split() for more in ({}, {FOR_PAGES: "1"}))
    assert reader[0] != page[0] and reader[1] != page[1]
    assert (reader[2:], page[2:]) == (["auto", "2"], ["python", "2"])


def test_an_executed_notebook_is_the_same_from_warm_and_cold_kernels(shared, tmp_path, study):
    """One real district: every output of every cell, byte by byte, the pictures too."""
    outputs = {}
    for kernel in (KERNEL, "python3"):
        run = make_plan(study, ["hartford"], "public", {}, tmp_path / kernel)[0]
        assert execute(run, tmp_path / kernel, {}, kernel=kernel).error == {}
        notebook = nbformat.read(tmp_path / kernel / "hartford" / "notebook.ipynb", as_version=4)
        outputs[kernel] = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
        shown = [
            output for output in outputs[kernel] if "data:image/svg+xml" in output.get("data", {}).get("text/html", "")
        ]
        assert len(shown) >= 5
    assert outputs[KERNEL] == outputs["python3"]


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "PYTHONPATH", "OMP_NUM_THREADS", "MPLBACKEND", "LC_ALL", "TZ"])
def test_another_environment_at_import_starts_cold(name):
    source = template(("json",))
    assert source is not None
    assert source.fork([], {**os.environ, name: "4711"}, None) is None


def test_everything_that_the_shipped_kernel_preloads_is_there():
    spec = (SHARE / "kernels" / KERNEL / "kernel.json").read_text(encoding="utf-8")
    assert '"leapstudy-warm"' in spec and "backend_inline" not in spec
    for name in shipped_preload():
        module, _, called = name.partition(":")
        assert not called or callable(getattr(importlib.import_module(module), called))
        assert importlib.util.find_spec(module)


def test_a_package_edited_since_the_template_was_made_starts_cold(monkeypatch):
    """A kernel forked from what was imported before the edit would run the old code."""
    source = template(("json",))
    assert source is not None
    monkeypatch.setattr(source, "package", [(path, then - 1) for path, then in source.package])
    assert source.fork([], dict(os.environ), None) is None


OWNER = """
import sys
from jupyter_client import KernelManager
from leapstudy.batch.kernels import KERNEL, offer
from leapstudy.batch.kernels.forks import _templates
offer()
for _ in sys.stdin:
    manager = KernelManager(kernel_name=KERNEL)
    manager.start_kernel()
    client = manager.client(); client.start_channels(); client.wait_for_ready(timeout=60)
    print(next(iter(_templates.values())).process.pid, manager.provisioner.pid, flush=True)
"""


def _gone(pid: int, seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not Path(f"/proc/{pid}").exists() and ForkedProcess(pid).poll() is not None:
            return True
        time.sleep(0.05)
    return False


def test_nothing_is_left_behind_after_a_kill(light_kernel):
    """Of a kernel, of the template and of their owner, one after the other."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdin is not None and owner.stdout is not None
    started = []

    def start() -> list[int]:
        owner.stdin.write("another\n")
        owner.stdin.flush()
        template_pid, kernel_pid = map(int, owner.stdout.readline().split())
        assert psutil.Process(kernel_pid).ppid() == template_pid, "it was forked: it did not start cold"
        started.extend((template_pid, kernel_pid))
        return started

    try:
        os.kill(start()[1], signal.SIGKILL)
        assert _gone(started[1])
        assert start()[2] == started[0], "the others go on"
        os.kill(started[0], signal.SIGKILL)
        assert _gone(started[3])
        assert start()[4] != started[0], "a template that died is made anew"
    finally:
        owner.kill()
        owner.wait()
        assert all(_gone(pid) for pid in started)


@pytest.mark.parametrize("answered", [False, True])
def test_a_template_whose_owner_was_killed_ends_without_a_word(answered):
    """The owner is gone while the template imports, or while it forks: nobody reads what it sends."""
    ask = "source.fork([], dict(os.environ), None);" if answered else ""
    code = f"import os; from leapstudy.batch.kernels.forks import Template; source = Template(['json', 'pandas']);{ask}"
    killed = [sys.executable, "-c", f"{code} os.kill(os.getpid(), 9)"]
    owner = subprocess.run(killed, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    # the pipe is at its end when the template has ended too
    assert (owner.returncode, owner.stderr) == (-signal.SIGKILL, "")


FORKING = """
import os, runpy, sys, time
fork = runpy.run_path(sys.argv[1])["fork"]
for _ in range(20):
    pid = fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    print(os.getpgid(pid) == pid)
    os.kill(pid, 9)
"""


def test_a_template_that_still_imports_ends_with_its_owner(tmp_path, monkeypatch):
    (tmp_path / "endless.py").write_text("while True:\n    sum(range(10_000))\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    source = Template(["endless"])
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            source.process.wait(1)
        source.stream.close()
        source.channel.close()  # as when its owner is killed
        assert source.process.wait(20) == 0
    finally:
        source.process.kill()


def test_a_kernel_leads_its_group_before_anybody_knows_of_it():
    """Else one that is ended in its first millisecond goes on for ever: its group was not there to be ended."""
    command = [sys.executable, "-c", FORKING, str(TEMPLATE)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    assert told.stdout.split() == ["True"] * 20


def test_a_template_that_died_is_taken_away_without_a_word():
    source = Template([])
    source.process.kill()
    source.process.wait()
    assert source.fork([], dict(os.environ), None) is None
    source.close()


def test_a_kernel_of_another_interpreter_starts_cold(tmp_path):
    link = tmp_path / "python"
    link.symlink_to(Path(sys.executable).resolve())
    own = Path(sys.executable).parent
    assert not is_this_python(str(link), {}) and not is_this_python("python", {"PATH": str(tmp_path)})
    assert not is_this_python(str(tmp_path / "missing"), {})
    assert is_this_python(sys.executable, {}) and is_this_python("python", {"PATH": f"{own}:{tmp_path}"})


STARTED = """
import subprocess, sys, os
long = [sys.executable, "-c", "import time; time.sleep(303)"]
children = [subprocess.Popen(long), subprocess.Popen(long, start_new_session=True)]
if os.fork() == 0:
    os.setsid()
    os.execv(sys.executable, long)
print(*(child.pid for child in children), os.getpid())
"""


def _offer_another(kernels: Path) -> None:
    """Offer a kernel that starts cold by the same provisioner, since its command is another."""
    spec = json.loads((kernels / KERNEL / "kernel.json").read_text(encoding="utf-8"))
    spec["argv"][1:1] = ["-B"]
    (kernels / "another").mkdir()
    (kernels / "another" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


@pytest.mark.parametrize("kernel", [KERNEL, "another"])
def test_a_notebook_leaves_neither_processes_nor_a_history(
    kernel, workspace, notebook_writer, light_kernel, tmp_path, monkeypatch
):
    """What a notebook started ends with it, and the user's history is left alone."""
    _offer_another(tmp_path / "share" / "kernels")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook_writer(workspace / "notebooks" / "60_starts.ipynb", ('result_path = ""', STARTED))
    run = Run("60-starts", workspace / "notebooks" / "60_starts.ipynb", {"result_path": ""}, "Starts?")
    assert execute(run, workspace / "reports", {}, kernel=kernel).error == {}
    notebook = nbformat.read(workspace / "reports" / "60-starts" / "notebook.ipynb", as_version=4)
    text = "".join(output.text for cell in notebook.cells for output in cell.get("outputs", []))
    assert len(text.split()) == 3 and all(_gone(int(pid)) for pid in text.split())
    assert not any(
        "time.sleep(303)" in " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])
    )
    assert (tmp_path / "ipython").is_dir() and not list((tmp_path / "ipython").rglob("history.sqlite*"))


def test_a_warm_kernel_is_interrupted_and_goes_on(light_kernel):
    offer()
    manager = KernelManager(kernel_name=KERNEL)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        # a kernel that stops on an error drops whatever is asked just after it, which is not what is tested
        asked = client.execute("import time\ntime.sleep(60)", stop_on_error=False)
        time.sleep(0.5)
        manager.interrupt_kernel()
        assert _reply(client, asked)["ename"] == "KeyboardInterrupt"
        assert _reply(client, client.execute("1 + 1"))["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _reply(client, asked):
    while True:
        message = client.get_shell_msg(timeout=30)
        if message["parent_header"].get("msg_id") == asked:
            return message["content"]


def test_in_jupyterlab_the_plain_kernel_starts_warm(monkeypatch):
    """The notebooks name `python3`; JupyterLab's own variable for unnamed provisioners makes that one warm."""
    monkeypatch.setenv("JUPYTER_PATH", "")
    monkeypatch.delenv(EVERY_KERNEL, raising=False)
    offer_for_lab()
    monkeypatch.setattr(KernelProvisionerFactory, "_instance", None)
    spec = KernelSpecManager().get_kernel_spec("python3")
    assert KERNEL in KernelSpecManager().find_kernel_specs(), "the warm kernel can be picked by hand, too"
    made = KernelProvisionerFactory.instance().create_provisioner_instance("id", spec, None)
    monkeypatch.setattr(KernelProvisionerFactory, "_instance", None)
    assert isinstance(made, WarmProvisioner) and "pandas" in made.preload


def test_the_source_notebooks_name_the_plain_kernel():
    for path in paths.notebooks().glob("*.ipynb"):
        assert nbformat.read(path, as_version=4).metadata["kernelspec"]["name"] == "python3"
