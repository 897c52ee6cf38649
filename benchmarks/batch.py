"""The batch against its peers, in pairs in one run: ``python benchmarks/batch.py [--districts 15] [--sizes 15,50,200]``.

Each way runs the same notebook for the same districts in a copy of the workspace. Ratios hold where seconds drift; wall
and CPU seconds are of the whole process tree, sampled. Results are appended to `benchmarks/results/batch.csv`.
"""

import argparse
import csv
import datetime
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
WAYS = ROOT / "benchmarks" / "ways"
SAMPLE_SECONDS = 0.05
PACKAGES = ("papermill", "nbval", "nbclient", "ipykernel", "distributed")


def workspace(folder: Path) -> dict[str, str]:
    """Copy the workspace, so that nothing moves meanwhile, and return the environment that runs in it."""
    for name in ("leapstudy", "notebooks", "params", "data/raw"):
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
    leap = [python, "-m", "leapstudy.cli", "run", *slugs, "--out", str(out / "ours"), "--jobs", "2"]
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
    from leapstudy.data import leap_districts, load_study

    slugs = [item.slug for item in leap_districts(load_study().districts)][: given.districts]
    rows: list[dict] = []
    with tempfile.TemporaryDirectory(prefix="leapstudy-bench-") as folder:
        env = workspace(Path(folder) / "workspace")
        out = Path(folder) / "out"
        out.mkdir()
        found = {way: measure(commands, env) for way, commands in district_ways(slugs, out).items()}
        found |= {way: measure(commands, env) for way, commands in nbval_ways(env).items()}
        check = subprocess.run(
            [sys.executable, str(WAYS / "check.py"), str(out / "ours"), *slugs], env=env, text=True, capture_output=True,
            check=True,
        )  # fmt: skip
        dask = subprocess.run(
            [sys.executable, str(WAYS / "on_dask.py"), str(out), *slugs], env=env, text=True, capture_output=True,
            check=True,
        )  # fmt: skip
        local_again, on_dask = map(float, dask.stdout.split()[-2:])
        sizes = subprocess.run(
            [sys.executable, str(WAYS / "growth.py"), str(out / "growth"), given.sizes, str(RESULTS / "batch_growth.png")],
            env=env, text=True, capture_output=True, check=True,
        )  # fmt: skip
    ours, bound = found["leapstudy run"], found["bound: import once, fork 2, no notebooks"]
    for way, (wall, cpu) in found.items():
        rows.append({"what": way, "n": len(slugs), "wall_s": f"{wall:.2f}", "cpu_s": f"{cpu:.2f}"})
    ratios = [
        ("papermill command in a loop / leapstudy run, wall", found["papermill command in a loop"][0] / ours[0], ">= 5"),
        ("papermill API in a pool of 2 / leapstudy run, wall", found["papermill API in a pool of 2"][0] / ours[0], ">= 2.5"),
        ("leapstudy run / bound, CPU", ours[1] / bound[1], "<= 1.6"),
        ("nothing to do, wall seconds", found["leapstudy run, nothing to do"][0], "< 1"),
        ("check alone, seconds", float(check.stdout), "< 0.05"),
        ("nbval cold / warm, wall", found["nbval, cold kernels"][0] / found["nbval, warm kernels"][0], ">= 1.8"),
        ("Dask LocalCluster / local, wall", on_dask / local_again, "<= 1.25"),
    ]  # fmt: skip
    rows += [
        {"what": what, "n": len(slugs), "ratio": f"{value:.3f}", "target": target} for what, value, target in ratios
    ]
    for line in sizes.stdout.splitlines():
        size, seconds = line.split()
        rows.append(
            {"what": "cost of the engine a notebook, wall seconds", "n": size, "ratio": seconds, "target": "flat"}
        )
    keep(rows, given.note)


def keep(rows: list[dict], note: str) -> None:
    """Print the rows and append them to the table, with date, versions and machine."""
    about = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M"), "cores": os.cpu_count(),
        "load": f"{os.getloadavg()[0]:.1f}", "python": platform.python_version(),
        "versions": " ".join(f"{name} {version(name)}" for name in PACKAGES), "note": note,
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "batch.csv"
    columns = ["date", "what", "n", "wall_s", "cpu_s", "ratio", "target", "cores", "load", "python", "versions", "note"]
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as handle:
        table = csv.DictWriter(handle, columns, restval="", lineterminator="\n")
        if new:
            table.writeheader()
        for row in rows:
            table.writerow({**about, **row})
            print(
                row["what"],
                *(f"{name} {row[name]}" for name in ("n", "wall_s", "cpu_s", "ratio", "target") if name in row),
            )


if __name__ == "__main__":
    main()
