"""Runs on a Dask cluster: the same results as here, nothing lost when a worker dies, nothing done twice."""

import builtins
import os
import signal
import threading
import time

import pytest
from rich.console import Console

from leapstudy.batch.batch import run_batch
from leapstudy.batch.cluster import ClusterPool, need_dask, pack, run_on_worker, unpack
from leapstudy.batch.executors import Work
from leapstudy.batch.job import Run, input_hashes
from leapstudy.batch.last_batch import reasons
from leapstudy.batch.manifest import key_of, read_manifest
from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_bytes

QUIET = Console(quiet=True)


def test_a_parcel_holds_what_a_run_needs_and_no_outputs(tiny_plan, workspace):
    plan, _ = tiny_plan
    parcel = pack(plan[0].notebook)
    root = unpack(parcel, sha256_bytes(parcel))
    assert (root / "requirements.lock").read_bytes() == (workspace / "requirements.lock").read_bytes()
    figures = "data/raw/csde_districts/districts.csv"
    assert (root / figures).read_bytes() == (workspace / figures).read_bytes()
    assert (root / "notebooks" / "60_tiny.ipynb").is_file() and root.stat().st_mode & 0o077 == 0
    assert {path.name for path in (root / "params").iterdir()} == {
        path.name for path in (workspace / "params").iterdir()
    }
    again = pack(plan[0].notebook)
    assert unpack(again, sha256_bytes(again)) == root, "equal content is unpacked once"
    with pytest.raises(BadInput, match="changed on their way"):
        unpack(parcel + b"x", sha256_bytes(parcel))


def test_a_worker_that_differs_refuses_and_says_how(tiny_plan, monkeypatch):
    plan, _ = tiny_plan
    key = {**key_of(plan[0], input_hashes()), "python": "3.9.0"}
    monkeypatch.setenv("LEAPSTUDY_ROOT", os.environ["LEAPSTUDY_ROOT"])
    parcel = pack(plan[0].notebook)
    manifest, files = run_on_worker(plan[0], key, parcel, sha256_bytes(parcel), 60)
    assert manifest.state == "failed" and files == {}
    assert "worker differs" in manifest.error["message"] and "python: 3.9.0 -> 3." in manifest.error["message"]


def test_without_dask_the_next_step_is_told(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest, **named):
        if name == "distributed":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(BadInput, match="pip install dask"):
        need_dask()


def test_a_cluster_that_does_not_answer_is_bad_input(tiny_plan, monkeypatch):
    monkeypatch.setattr("leapstudy.batch.cluster.WAIT_SECONDS", 1)
    plan, out = tiny_plan
    with pytest.raises(BadInput, match="cannot be used"):
        list(ClusterPool(Work(plan, out, {}, {}, 1, 60), "tcp://127.0.0.1:9").results(lambda run: None))


@pytest.fixture
def cluster(tiny_plan, monkeypatch):
    """Return a cluster of two worker processes on this machine."""
    pytest.importorskip("distributed")
    from distributed import LocalCluster

    # what Dask sets here for its workers, and leaves: every kernel of the tests after this one would start cold
    monkeypatch.setenv("PYTHONHASHSEED", "6640")
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as made:
        yield made


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_repeats_nothing_finished(cluster, tiny_plan, workspace, notebook_writer):
    _, out = tiny_plan
    path, diary = workspace / "notebooks" / "60_slow.ipynb", workspace / "diary"
    diary.mkdir()
    cells = (
        'word = "a"\nfolder = ""\nresult_path = ""',
        "import os, pathlib, time\npathlib.Path(folder, f'{word}.{os.getpid()}').touch()",
        # the one that is killed would take a minute
        "time.sleep(60 if len(list(pathlib.Path(folder).glob('long.*'))) == 1 and word == 'long' else 0)\nprint(word)",
    )
    notebook_writer(path, cells)
    words = ("quick", "long")
    slow = [
        Run(f"60-{word}", path, {"word": word, "folder": str(diary), "result_path": ""}, f"{word}?") for word in words
    ]

    def kill_the_one_at_work():
        while not list(diary.glob("long.*")) or read_manifest(out / "60-quick").state != "done":
            time.sleep(0.05)
        busy = [worker.pid for worker in cluster.workers.values() if _is_above(worker.pid, diary)]
        os.kill(busy[0], signal.SIGKILL)

    threading.Thread(target=kill_the_one_at_work, daemon=True).start()
    batch = run_batch(slow, out, 2, console=QUIET, pool=lambda work: ClusterPool(work, cluster.scheduler_address))
    assert not batch.failed and reasons(slow, out) == {"60-quick": [], "60-long": []}
    assert len(list(diary.glob("quick.*"))) == 1, "what was finished is not computed again"
    assert len(list(diary.glob("long.*"))) == 2, "what was cut off went to another worker"
    again = run_batch(slow, out, 2, console=QUIET, pool=lambda work: ClusterPool(work, "tcp://127.0.0.1:9"))
    assert not any(item.reran for item in again.outcomes), "nothing is sent where nothing is stale"


def _is_above(worker, diary):
    import psutil

    kernels = {int(path.name.split(".")[1]) for path in diary.glob("long.*")}
    return bool(kernels & {child.pid for child in psutil.Process(worker).children(recursive=True)})
