"""Run batches in forked processes and kill them (or their kernels, or the template) at random moments.

Usage: kill_driver.py WORKSPACE SECONDS SEED. Prints one line of JSON. A process of its own, single-threaded, so that
forking is safe and every round starts with the libraries imported.
"""

import contextlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import psutil
from rich.console import Console
from tiny_notebooks import tiny_runs

from leapstudy.batch.batch import run_batch
from leapstudy.batch.job import input_hashes
from leapstudy.batch.manifest import NAME, key_of, read_manifest, stale_reasons

LONGEST_SECONDS = 2.5


def forked_batch(plan: list, out: Path) -> int:
    """Start a batch in a child and return its process number."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        code = 1
        try:
            code = len(run_batch(plan, out, 2, console=Console(quiet=True)).failed)
        finally:
            os._exit(code)
    return pid


def kill_something(pid: int, chance: random.Random) -> list[psutil.Process]:
    """Kill the batch, its template or a kernel; return everyone who has to be gone when the batch is."""
    try:
        family = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    victims = [pid, pid, *(child.pid for child in family)]
    with contextlib.suppress(ProcessLookupError):
        os.kill(chance.choice(victims), signal.SIGKILL)
    return family


def unsound(plan: list, out: Path, robbed: dict[str, bytes]) -> list[str]:
    """Return the runs that say `done` but whose outputs are not what they wrote,
    save those robbed and not yet rerun.
    """
    inputs = input_hashes()
    done = [run for run in plan if (found := read_manifest(out / run.slug)) and found.state == "done"]
    wrong = [run.slug for run in done if stale_reasons(out / run.slug, key_of(run, inputs))]
    return [slug for slug in wrong if robbed.get(slug) != (out / slug / NAME).read_bytes()]


def rob(plan: list, out: Path, chance: random.Random) -> dict[str, bytes]:
    """Take away a notebook and a result; return the manifests that cannot know of it, by run."""
    victims = {"notebook.ipynb": chance.choice(plan).slug, "result.json": chance.choice(plan).slug}
    for name, slug in victims.items():
        (out / slug / name).unlink(missing_ok=True)
    return {slug: (out / slug / NAME).read_bytes() for slug in victims.values()}


def main() -> None:
    """Kill until the time is over, then let one batch end."""
    workspace, seconds, chance = Path(sys.argv[1]), float(sys.argv[2]), random.Random(int(sys.argv[3]))
    out, calm = workspace / "killed", workspace / "calm"
    plan = tiny_runs(workspace, out)
    os.waitpid(forked_batch(tiny_runs(workspace, calm), calm), 0)
    robbed: dict[str, bytes] = {}
    told = {"rounds": 0, "left_behind": [], "false_success": []}
    end = time.monotonic() + seconds
    while time.monotonic() < end or told["rounds"] < 5:
        pid = forked_batch(plan, out)
        time.sleep(chance.uniform(0.0, LONGEST_SECONDS))
        family = kill_something(pid, chance)
        os.waitpid(pid, 0)
        _, alive = psutil.wait_procs(family, timeout=20)
        told["left_behind"] += [" ".join(process.cmdline()) for process in alive]
        told["false_success"] += unsound(plan, out, robbed)
        told["rounds"] += 1
        # now and then everything is fresh: take something away, so that there is work to disturb
        if all((out / run.slug / "notebook.ipynb").is_file() for run in plan):
            robbed |= rob(plan, out, chance)
    os.waitpid(forked_batch(plan, out), 0)
    told["last_failed"] = [run.slug for run in plan if stale_reasons(out / run.slug, key_of(run, input_hashes()))]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
