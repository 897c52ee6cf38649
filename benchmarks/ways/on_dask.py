"""Wall seconds of the runs here, and on a Dask cluster of two workers that is up already:
``on_dask.py OUT SLUG...``.
"""

import sys
import time
from pathlib import Path

from distributed import LocalCluster
from rich.console import Console

from leapstudy.batch.batch import run_batch
from leapstudy.batch.cluster import ClusterPool
from leapstudy.batch.executors import LocalPool
from leapstudy.batch.job import one_thread
from leapstudy.batch.plan import make_plan
from leapstudy.data import load_study


def seconds(out: Path, slugs: list[str], pool: object) -> float:
    """Return how long a whole batch takes, after one district that warms the templates up."""
    data = load_study()
    run_batch(make_plan(data, slugs[:2], "public", {}, out), out, 2, force=True, console=Console(quiet=True), pool=pool)
    plan = make_plan(data, slugs, "public", {}, out)
    start = time.perf_counter()
    batch = run_batch(plan, out, 2, force=True, console=Console(quiet=True), pool=pool)
    assert not batch.failed, batch.failed
    return time.perf_counter() - start


if __name__ == "__main__":
    one_thread()
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    here = seconds(folder / "local", names, LocalPool)
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        print(here, seconds(folder / "dask", names, lambda work: ClusterPool(work, cluster.scheduler_address)))
