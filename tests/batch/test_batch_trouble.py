"""What goes wrong while a notebook runs: each gives one clear line, and never something that looks done."""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from jupyter_core.utils import ensure_event_loop
from rich.console import Console

from leapstudy.batch import engine, execute, executors
from leapstudy.batch.batch import run_batch
from leapstudy.batch.engine import INTERRUPT, Watch
from leapstudy.batch.execute import CannotWrite
from leapstudy.batch.executors import LocalPool, Work
from leapstudy.batch.job import Run, input_hashes
from leapstudy.batch.kernels import KERNEL
from leapstudy.batch.manifest import key_of, read_manifest, stale_reasons

pytestmark = pytest.mark.slow
QUIET = Console(quiet=True)


@pytest.fixture
def run_cells(workspace, notebook_writer, light_kernel):
    """Return a function that runs cells as a notebook, in a warm kernel as a batch does, and gives its manifest."""

    def made(*cells, seconds=60, watch=None, kernel=KERNEL, folder="notebooks"):
        path = workspace / folder / "50_trouble.ipynb"
        notebook_writer(path, ('result_path = ""', *cells))
        run = Run("50-trouble", path, {"result_path": ""}, "Trouble?")
        key = key_of(run, input_hashes())
        return execute.execute(run, workspace / "reports", key, kernel=kernel, timeout=seconds, watch=watch)

    return made


def _told(manifest, workspace):
    folder = workspace / "reports" / "50-trouble"
    assert manifest.state == "failed" and not (folder / "notebook.ipynb").exists()
    assert (folder / "failed.ipynb").is_file(), "what there was is kept to be looked at"
    assert manifest.error["message"] in (folder / "run.log").read_text(encoding="utf-8")
    return manifest.error["cell"], manifest.error["message"], manifest.error["hint"]


def test_an_output_flood_is_stopped(run_cells, workspace, monkeypatch):
    monkeypatch.setattr(engine, "MAX_BYTES", 2_000_000)
    cell, message, hint = _told(run_cells("while True:\n    print('x' * 10_000)"), workspace)
    assert cell == "cell 3" and message.startswith("printed more than") and "loop" in hint
    assert (workspace / "reports" / "50-trouble" / "failed.ipynb").stat().st_size < 4_000_000


def test_a_folder_with_braces_in_its_name_is_a_name(run_cells):
    assert run_cells("x = 1", kernel="python3", folder="study {state} [x] {0} ñ").state == "done"


def test_an_endless_cell_is_stopped(run_cells, workspace):
    cell, message, hint = _told(run_cells("x = 1", "while True:\n    pass", seconds=1), workspace)
    assert (cell, message) == ("cell 4", "took longer than the time limit of 1 s") and "--timeout" in hint
    assert not asyncio.all_tasks(ensure_event_loop()), "Python would tell of a pending task on the user's screen"


def test_a_cell_may_take_longer_where_student_files_are_large(monkeypatch, tmp_path):
    """The first cell measures every district; a state of 16 million rows takes far more than the usual limit."""
    (tmp_path / "attendance.csv").write_bytes(bytes(3 << 20))
    monkeypatch.setattr(execute, "student_files", lambda: {"attendance file 1": tmp_path / "attendance.csv"})
    public, students = (Run(track, tmp_path, {}, track, track) for track in ("public", "students"))
    assert execute.time_limit([public]) == execute.TIMEOUT_SECONDS
    assert execute.time_limit([public, students]) == execute.TIMEOUT_SECONDS + 3 * execute.SECONDS_A_MIB


def test_outputs_that_lag_are_waited_for_and_a_touched_file_is_no_change(run_cells, monkeypatch):
    """As long as for the cell itself: nbclient takes one for failed whose outputs come 4 s after its answer."""
    heard, patience = engine.WatchedClient._async_poll_output_msg, set()

    async def noted(self, *cell):
        patience.add(self.iopub_timeout)
        await heard(self, *cell)

    monkeypatch.setattr(engine.WatchedClient, "_async_poll_output_msg", noted)
    source = "from leapstudy.core import paths\n(paths.params() / 'plan.yml').touch()\nprint(1)"
    assert run_cells(source, seconds=61).state == "done" and patience == {61}


def test_clients_are_made_one_after_the_other(monkeypatch):
    """Two threads that make the first object of a class of traitlets at once fail."""
    making, most = [], []

    class Client:
        def __init__(self, *_, **__):
            making.append(self)
            time.sleep(0.05)
            most.append(len(making))

        def create_kernel_manager(self):
            making.remove(self)

        def execute(self, **_):
            return most[-1]

    monkeypatch.setattr(engine, "WatchedClient", Client)
    how = {"watch": None, "start_timeout": 1, "execution_timeout": 1}
    with ThreadPoolExecutor(2) as pool:
        run = [pool.submit(engine.WatchedEngine.execute_managed_notebook, None, "", **how) for _ in range(2)]
    assert [item.result() for item in run] == [1, 1]


@pytest.mark.parametrize("kernel", [KERNEL, "python3"])
def test_a_dead_kernel_is_told(run_cells, workspace, kernel):
    source = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    cell, message, hint = _told(run_cells(source, kernel=kernel), workspace)
    assert (cell, message) == ("cell 3", "the kernel died") and "memory" in hint


def test_a_kernel_that_dies_before_its_first_cell_is_told_in_the_same_words(run_cells, monkeypatch, tmp_path):
    spec = tmp_path / "share" / "kernels" / "dead" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": [sys.executable, "-c", ""], "display_name": "dead"}), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    error = run_cells("1", kernel="dead").error
    assert (error["message"], error["hint"]) == ("the kernel died", "out of memory, or killed from outside")


def test_a_stopped_run_is_interrupted_not_failed(run_cells, workspace):
    watch = Watch()
    threading.Timer(1.0, watch.stop, [INTERRUPT]).start()
    start = time.monotonic()
    manifest = run_cells("import time\ntime.sleep(60)", watch=watch)
    assert manifest.state == "interrupted" and time.monotonic() - start < 30
    assert read_manifest(workspace / "reports" / "50-trouble").state == "interrupted"


def test_what_changes_while_a_run_is_on_its_way_is_noticed(run_cells, workspace):
    source = "\n".join(
        (
            "from leapstudy.core import paths",
            "figures = paths.raw() / 'csde_districts' / 'districts.csv'",
            "for file in (figures, paths.params() / 'plan.yml', paths.root() / 'requirements.lock'):",
            "    file.write_bytes(file.read_bytes() + b'\\n')",
        )
    )
    _, message, hint = _told(run_cells(source), workspace)
    assert message.startswith("its inputs changed while it ran (") and hint == "run again"
    for words in ("csde_districts/districts.csv", "params/plan.yml", "the lock file changed"):
        assert words in message, words


def _nothing_unsound(out, plan, key):
    for run in plan:
        manifest = read_manifest(out / run.slug)
        if manifest is not None and manifest.state == "done":
            assert stale_reasons(out / run.slug, key[run.slug]) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits the size of files in a forked process")
def test_a_full_disk_ends_the_batch_with_a_plain_line_and_no_false_success(tiny_plan):
    """A limit on the size of a file makes writes fail at that byte, as a full disk does."""
    import resource

    plan, out = tiny_plan
    keys = {run.slug: key_of(run, input_hashes()) for run in plan}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 1_000, 2_500):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            with pytest.raises(CannotWrite, match=r"The disk is full: .* could not be kept") as caught:
                run_batch(plan, out, 1, console=QUIET)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert caught.value.exit_code == 1
        _nothing_unsound(out, plan, keys)
    assert not run_batch(plan, out, 1, console=QUIET).failed
    assert all(stale_reasons(out / run.slug, keys[run.slug]) == [] for run in plan)


def test_ctrl_c_ends_what_runs_at_once_and_marks_it(workspace, notebook_writer, light_kernel):
    path = workspace / "notebooks" / "50_long.ipynb"
    notebook_writer(path, ('result_path = ""', "import time\ntime.sleep(120)"))
    plan = [Run("50-long", path, {"result_path": ""}, "Long?")]
    out = workspace / "reports"
    begun = threading.Event()

    class Told(LocalPool):
        def results(self, started):
            return super().results(lambda run: (started(run), begun.set()))

    def press():
        begun.wait()
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_batch(plan, out, 1, console=QUIET, pool=Told)
    assert time.monotonic() - start < 60
    assert read_manifest(out / "50-long").state == "interrupted"


def test_an_interrupt_while_runs_are_still_asked_for_stops_those_that_began(tmp_path, monkeypatch):
    """Else the first goes on unseen, and the command ends when its notebook does."""
    runs, ended = [Run(slug, tmp_path, {}, slug) for slug in ("first", "second")], []

    class Interrupted(ThreadPoolExecutor):
        def submit(self, function, run, started):
            if run is runs[1]:
                raise KeyboardInterrupt
            return super().submit(function, run, started)

    def until_stopped(*_, watch, **__):
        end = time.monotonic() + 5
        while not watch.stopped and time.monotonic() < end:
            time.sleep(0.01)
        ended.append(watch.stopped)

    monkeypatch.setattr(executors, "ThreadPoolExecutor", Interrupted)
    monkeypatch.setattr(executors, "execute", until_stopped)
    each = dict.fromkeys(("first", "second"))
    with pytest.raises(KeyboardInterrupt):
        next(LocalPool(Work(runs, tmp_path, each, each, 2, 60)).results(lambda _: None))
    assert ended == [INTERRUPT]
