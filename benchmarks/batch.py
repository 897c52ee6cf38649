"""The batch against its peers, in pairs in one run:
``python benchmarks/batch.py [--districts 15] [--sizes 15,50,200]``.

Each way runs the same notebook for the same districts in a copy of the workspace. Ratios hold where seconds drift; wall
and CPU seconds are of the whole process tree, sampled. Results are appended to `benchmarks/results/batch.csv`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from results_table import RESULTS, append, machine

ROOT = Path(__file__).resolve().parents[1]
WAYS = ROOT / "benchmarks" / "ways"
SAMPLE_SECONDS = 0.05
Row = dict[str, object]
TABLE = RESULTS / "batch.csv"
COLUMNS = ("date", "what", "n", "wall_s", "cpu_s", "ratio", "target", "cores", "load", "python", "versions", "note")
PACKAGES = ("papermill", "nbval", "nbclient", "ipykernel", "distributed")


def workspace(folder: Path) -> dict[str, str]:
    """Copy the workspace, so that nothing moves meanwhile, and return the environment that runs in it."""
    for name in ("leapstudy", "notebooks", "params", "data/raw", "data/examples"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.lock", folder)
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    share = str(folder / "leapstudy" / "batch" / "kernels" / "share")
    env = {**os.environ, **one, "PYTHONPATH": str(folder), "LEAPSTUDY_ROOT": str(folder), "JUPYTER_PATH": share}
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder / "leapstudy")], env=env, check=True)
    return env


def measure(commands: list[list[str]], env: dict[str, str]) -> tuple[float, float]:
    """Run commands one after another; return wall seconds and the CPU seconds of everything they started."""
    start, cpu = time.perf_counter(), 0.0
    for command in commands:
        print("...", Path(command[1]).name, *command[2:5], flush=True)
        log = tempfile.TemporaryFile()  # noqa: SIM115 (it outlives the block that a context manager would end)
        process = psutil.Popen(command, env=env, cwd=env["LEAPSTUDY_ROOT"], stdout=log, stderr=log)
        seen: dict[int, float] = {}
        while process.poll() is None:
            _sample(process, seen)
            time.sleep(SAMPLE_SECONDS)
        if process.returncode:
            log.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{log.read().decode()[-3000:]}")
        cpu += sum(seen.values())
    print(f"    {time.perf_counter() - start:.1f} s, {cpu:.1f} s of CPU", flush=True)
    return time.perf_counter() - start, cpu


def _sample(process: psutil.Process, seen: dict[int, float]) -> None:
    """Keep the CPU time of every process of the tree as it was last seen; a forked kernel is reaped by nobody."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue
        seen[member.pid] = times.user + times.system


def district_ways(slugs: list[str], out: Path) -> dict[str, list[list[str]]]:
    """Return way -> commands that run the district notebook for `slugs`."""
    python, names = sys.executable, ",".join(slugs)
    leap = [python, "-m", "leapstudy", "run", *slugs, "--out", str(out / "ours"), "--jobs", "2"]
    return {
        "papermill command in a loop": [[python, str(WAYS / "command.py"), slug, str(out)] for slug in slugs],
        "papermill API in a pool of 2": [[python, str(WAYS / "pool.py"), names, str(out)]],
        "leapstudy run": [[*leap, "--force"]],
        "leapstudy run, nothing to do": [leap],
        "bound: import once, fork 2, no notebooks": [[python, str(WAYS / "bound.py"), names]],
    }


def nbval_ways(env: dict[str, str]) -> dict[str, list[list[str]]]:
    """Return way -> command that checks every notebook."""
    notebooks = str(Path(env["LEAPSTUDY_ROOT"]) / "notebooks")
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", notebooks]
    return {
        "nbval, cold kernels": [pytest],
        "nbval, warm kernels": [[*pytest, "--nbval-kernel-name", "leapstudy-warm"]],
    }


def main() -> None:
    """Measure, print the ratios, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--districts", type=int, default=15)
    parser.add_argument("--sizes", default="15,50,200")
    parser.add_argument("--note", default="")
    given = parser.parse_args()
    from leapstudy.data import load_study, treated_districts

    slugs = [item.slug for item in treated_districts(load_study().districts)][: given.districts]
    with tempfile.TemporaryDirectory(prefix="leapstudy-bench-") as folder:
        env = workspace(Path(folder) / "workspace")
        out = Path(folder) / "out"
        out.mkdir()
        for stage in (districts, on_dask, growth, nbval):
            keep(stage(env, out, slugs, given.sizes), given.note)


def districts(env: dict[str, str], out: Path, slugs: list[str], _: str) -> list[Row]:
    """Pair the batch with its peers and its bound, and time a batch with nothing to do."""
    loop, pool, ours, idle, bound = (measure(commands, env) for commands in district_ways(slugs, out).values())
    names, number = list(district_ways(slugs, out)), len(slugs)
    check = float(script(["check.py", str(out / "ours"), *slugs], env))
    seconds = [
        {"what": name, "n": number, "wall_s": f"{wall:.2f}", "cpu_s": f"{cpu:.2f}"}
        for name, (wall, cpu) in zip(names, (loop, pool, ours, idle, bound), strict=True)
    ]
    return [
        *seconds,
        ratio("papermill command in a loop / leapstudy run, wall", loop[0] / ours[0], ">= 6", number),
        ratio("papermill command in a loop / leapstudy run, CPU", loop[1] / ours[1], "", number),
        ratio("papermill API in a pool of 2 / leapstudy run, wall", pool[0] / ours[0], ">= 2.5", number),
        ratio("papermill API in a pool of 2 / leapstudy run, CPU", pool[1] / ours[1], "", number),
        ratio("leapstudy run / bound, CPU", ours[1] / bound[1], "<= 1.3", number),
        ratio("bound, CPU seconds a district", bound[1] / number, "<= 1.2", number),
        ratio("nothing to do, wall seconds", idle[0], "< 0.3", number),
        ratio("check alone, seconds", check, "< 0.05", number),
    ]


def on_dask(env: dict[str, str], out: Path, slugs: list[str], _: str) -> list[Row]:
    """Pair the batch here with the same on a Dask cluster of two workers."""
    here, there = map(float, script(["on_dask.py", str(out), *slugs], env).split()[-2:])
    return [ratio("Dask LocalCluster / local, wall", there / here, "<= 1.25", len(slugs))]


def growth(env: dict[str, str], out: Path, _: list[str], sizes: str) -> list[Row]:
    """Measure what the engine costs a notebook as batches grow."""
    told = script(["growth.py", str(out / "growth"), sizes, str(RESULTS / "batch_growth.png")], env)
    pairs = (line.split() for line in told.splitlines())
    return [
        ratio("cost of the engine a notebook, wall seconds", float(cost), "flat", int(size)) for size, cost in pairs
    ]


def nbval(env: dict[str, str], out: Path, slugs: list[str], _: str) -> list[Row]:
    """Pair nbval on cold kernels with nbval on warm ones, over every notebook."""
    cold, warm = (measure(commands, env) for commands in nbval_ways(env).values())
    return [
        ratio("nbval cold / warm, wall", cold[0] / warm[0], ">= 1.8", 0),
        ratio("nbval cold / warm, CPU", cold[1] / warm[1], "", 0),
    ]


def script(arguments: list[str], env: dict[str, str]) -> str:
    """Run one of the scripts in `ways/` and return what it printed."""
    command = [sys.executable, str(WAYS / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, env=env, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{arguments[0]} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def ratio(what: str, value: float, target: str, number: int) -> Row:
    """Return one row with a ratio (or a figure that has a target)."""
    return {"what": what, "n": number, "ratio": f"{value:.3f}", "target": target}


def keep(rows: list[Row], note: str) -> None:
    """Print the rows and append them to the table, with date, versions and machine."""
    append(TABLE, COLUMNS, [{**machine(PACKAGES), "note": note, **row} for row in rows])
    for row in rows:
        shown = [f"{name} {row[name]}" for name in ("n", "wall_s", "cpu_s", "ratio", "target") if name in row]
        print(row["what"], *shown)


if __name__ == "__main__":
    main()
