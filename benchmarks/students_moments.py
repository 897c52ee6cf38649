"""Student rows in a parquet file to effects, beside the peers, in pairs in one run:
``python benchmarks/students_moments.py``.

Every way runs in a process of its own (`ways/estimators.py`), from the file to the effect; that two ways find the
same effect is checked before their ratio is printed. All students are SIMULATED. Results are appended to
`benchmarks/results/students_moments.csv`, and how time grows with students and months is drawn beside them.
"""

import argparse
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from results_table import RESULTS, append, machine

ROOT = Path(__file__).resolve().parents[1]
TABLE, PICTURE = RESULTS / "students_moments.csv", RESULTS / "students_moments.png"
# Points within which two ways have found the same effect.
ALIKE = 1e-8
PACKAGES = ("duckdb", "csdid", "diff-diff", "moderndid", "panelkit", "fereg", "pyfixest", "numpy", "pandas")
COLUMNS = [
    "date",
    "way",
    "layout",
    "students",
    "months",
    "wall_s",
    "cpu_s",
    "cpu_all_s",
    "peak_mib",
    "effect",
    "se",
    "ratio",
    "target",
    "cores",
    "load",
    "python",
    "versions",
]
# Packages with Callaway-Sant'Anna, and packages with two-way fixed effects.
STAGGERED, TWO_SIDES = ("panelkit", "diff-diff", "csdid", "moderndid"), ("fereg", "pyfixest")
# Marked on the pictures' axes.
SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10)
CLOCKS = {"wall_s": "wall", "cpu_s": "CPU", "cpu_all_s": "CPU with imports"}
Found = dict[str, float]


def school_months(count: int) -> np.ndarray:
    """Return the first `count` school months, September to June."""
    years = range(2020, 2020 + math.ceil(count / 10))
    return np.concatenate([np.datetime64(f"{year}-09") + np.arange(10) for year in years])[:count]


def write_rows(path: Path, students: int, months: int, in_order: bool) -> Path:
    """Write a clean panel in which every student is seen in every month,
    and 15 % are visited from the second year on.
    """
    rng = np.random.default_rng(1)
    when_all, days_all = school_months(months), rng.integers(11, 22, months)
    visits = np.datetime64("2021-07") + np.arange(10)
    cells = np.arange(students * months) if in_order else rng.permutation(students * months)
    who, when = np.divmod(cells, months)
    first = np.where(rng.random(students) < 0.15, visits[rng.integers(0, len(visits), students)], np.datetime64("NaT"))
    share = rng.beta(12, 1, students)[who] - 0.05 * (first[who] > when_all[when])
    ids = np.char.add("~P", np.char.zfill(rng.permutation(students).astype(str), 10))
    rows = {
        "student": ids[who],
        "district_code": _dictionary(
            rng.integers(0, 15, students)[who], [f"{10 * place + 11:07d}" for place in range(15)]
        ),
        "grade": _dictionary(who % 2, ["05", "06"]),
        "month": when_all[when].astype("datetime64[D]"),
        "days_enrolled": days_all[when].astype("int16"),
        "days_attended": rng.binomial(days_all[when], np.clip(share, 0, 1)).astype("int16"),
        "first_visit_month": first[who].astype("datetime64[D]"),
        "high_needs": who % 2 == 0,
    }
    pq.write_table(pa.table(rows), path, compression="zstd")
    return path


def _dictionary(codes: np.ndarray, names: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), names)


def write_days(path: Path, students: int, days: int) -> Path:
    """Write a row per student and school day, in order of days, as attendance systems do."""
    duckdb.sql(f"""
        COPY (
            SELECT '~P' || lpad((p * 7919 % {students})::text, 10, '0') AS student,
                lpad((10 * (p % 15) + 11)::text, 7, '0') AS district_code,
                '05' AS grade, p % 2 = 0 AS high_needs,
                CASE WHEN p % 7 = 0 THEN DATE '2021-09-01' + INTERVAL (p % 10) MONTH END::date AS first_visit_month,
                DATE '2020-09-01' + INTERVAL (d * 2) DAY AS day, hash(p * 1000 + d) % 100 < 93 AS present
            FROM range({days}) AS _(d), range({students}) AS __(p)
        ) TO '{path}' (COMPRESSION zstd)
    """)
    return path


def run(way: str, path: Path, limit: str = "4GB") -> Found:
    """Run one way in a process of its own, print what it took, and return it."""
    command = [sys.executable, str(ROOT / "benchmarks" / "ways" / "estimators.py"), way, str(path), limit]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, text=True, capture_output=True, env=env, check=False)
    if done.returncode:
        sys.exit(f"{way} failed:\n{done.stderr[-3000:]}")
    found: Found = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{way:26} {path.stem:22} {found['wall_s']:7.2f} s, {found['cpu_s']:7.2f} s CPU, {found['peak_mib']:6.0f} MiB",
        flush=True,
    )
    return found


def pair(path: Path, students: int, months: int, mine: str, theirs: dict[str, str]) -> None:
    """Pair one of our ways with peers on one file, with the effect they share and the target of the ratio."""
    ours = run(mine, path)
    keep(mine, path, students, months, ours)
    for peer, target in theirs.items():
        found = run(peer, path)
        if abs(found["effect"] - ours["effect"]) > ALIKE:
            sys.exit(
                f"{peer} finds {found['effect']}, we find {ours['effect']}: a ratio of different things means nothing."
            )
        keep(peer, path, students, months, found)
        for clock, name in CLOCKS.items():
            ratio = found[clock] / ours[clock]
            goal = target if clock == "cpu_s" else ""
            print(f"    {peer} / {mine}, {name}: {ratio:.1f}", f"(target {goal})" if goal else "", flush=True)
            keep(f"{peer} / {mine}, {name}", path, students, months, {}, f"{ratio:.2f}", goal)


def keep(way: str, path: Path, students: int, months: int, found: Found, ratio: str = "", target: str = "") -> None:
    """Append one line to the table, with date, versions and machine."""
    numbers = {name: f"{value:.8g}" for name, value in found.items() if value is not None}
    line = {
        **machine(PACKAGES),
        "way": way,
        "layout": path.stem.split("-")[0],
        "students": students,
        "months": months,
        "ratio": ratio,
        "target": target,
        **numbers,
    }
    append(TABLE, COLUMNS, [line])


def there(packages: Sequence[str]) -> list[str]:
    """Return those of the packages that are installed, and say which are not: the extra `bench` brings all."""
    missing = [name for name in packages if importlib.util.find_spec(name.replace("-", "_")) is None]
    if missing:
        print(f"Not installed and left out: {', '.join(missing)}.")
    return [name for name in packages if name not in missing]


def peers(folder: Path, sizes: list[int]) -> None:
    """Pair Callaway-Sant'Anna with every package that makes it."""
    for students in sizes:
        path = write_rows(folder / f"unsorted-{students}.parquet", students, 20, False)
        pair(path, students, 20, "our Callaway-Sant'Anna", dict.fromkeys(there(STAGGERED), ">= 1"))
        pair(path, students, 20, "our diff_in_diff", dict.fromkeys(there(TWO_SIDES), ">= 1"))


def whole_state(folder: Path, students: int) -> None:
    """Time Callaway-Sant'Anna on a state of a million students, and in little memory."""
    for layout, target in (("unsorted", "<= 1.5"), ("sorted", "<= 1.8")):
        path = write_rows(folder / f"{layout}-{students}.parquet", students, 20, layout == "sorted")
        bound, found = run("the one group-by", path), {}
        keep("the one group-by", path, students, 20, bound)
        for limit in ("4GB", "500MB"):
            found[limit] = run("our Callaway-Sant'Anna", path, limit)
            keep(f"our Callaway-Sant'Anna, limit {limit}", path, students, 20, found[limit])
        shares = {
            "our Callaway-Sant'Anna / the one group-by, CPU": (found["4GB"]["cpu_s"] / bound["cpu_s"], target),
            "our Callaway-Sant'Anna in 500 MB / in 4 GB, CPU": (
                found["500MB"]["cpu_s"] / found["4GB"]["cpu_s"],
                "<= 2",
            ),
        }
        for name, (ratio, goal) in shares.items():
            print(f"    {name}: {ratio:.2f} (target {goal})", flush=True)
            keep(name, path, students, 20, {}, f"{ratio:.2f}", goal)
        pair(path, students, 20, "our moments", {"moments by hand-written SQL": ""})
        path.unlink()


def days(folder: Path, students: int) -> None:
    """Pair student-days to moments with SQL written by hand."""
    path = write_days(folder / f"days-{students}.parquet", students, 180)
    by_hand, ours = run("days by hand-written SQL", path, "8GB"), run("days by us", path, "8GB")
    for way, found in (("days by hand-written SQL", by_hand), ("days by us", ours)):
        keep(way, path, students, 180, found)
    ratio = ours["wall_s"] / by_hand["wall_s"]
    print(f"    days by us / days by hand-written SQL: {ratio:.2f} (target <= 1.3)")
    keep("days by us / days by hand-written SQL, wall", path, students, 180, {}, f"{ratio:.2f}", "<= 1.3")
    path.unlink()


def growth(folder: Path, students: list[int], months: list[int]) -> None:
    """Draw how our time grows with students, and with months."""
    by_students = [(count, _once(folder, count, 20)) for count in students]
    by_months = [(count, _once(folder, 100_000, count)) for count in months]
    draw(by_students, by_months)


def draw(by_students: list[tuple[int, float]], by_months: list[tuple[int, float]]) -> None:
    """Draw seconds over students and over months, beside a line that grows linearly or quadratically."""
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    lines = (
        (panels[0], by_students, "students, 20 months each", 1),
        (panels[1], by_months, "months, 100,000 students", 2),
    )
    for axes, found, label, power in lines:
        at, seconds = (np.array(column, dtype=float) for column in zip(*found, strict=True))
        axes.loglog(at, seconds, "o-", color="#0072B2", label="our Callaway-Sant'Anna, from the file")
        axes.loglog(
            at,
            seconds[-1] * (at / at[-1]) ** power,
            ":",
            color="#5F5F5F",
            label="linear" if power == 1 else "quadratic",
        )
        axes.set(xlabel=label, ylabel="seconds", xticks=at, xticklabels=[f"{int(x):,}" for x in at])
        axes.set(yticks=SECONDS, yticklabels=[f"{second:g}" for second in SECONDS])
        axes.minorticks_off()
        axes.legend(frameon=False)
    figure.suptitle(
        "SIMULATED students: time grows at most linearly with students, at most quadratically with months", fontsize=10
    )
    figure.savefig(PICTURE, dpi=100)


def _once(folder: Path, students: int, months: int) -> float:
    path = write_rows(folder / f"growth-{students}-{months}.parquet", students, months, False)
    found = run("our Callaway-Sant'Anna", path)
    keep("our Callaway-Sant'Anna", path, students, months, found)
    path.unlink()
    return found["wall_s"]


def main() -> None:
    """Run every part, or the named ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default="peers,whole_state,days,growth")
    parser.add_argument("--peers", default="20000,100000", help="students for the comparison with packages")
    parser.add_argument("--students", type=int, default=1_000_000)
    parser.add_argument("--day-students", type=int, default=500_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leapstudy-bench-") as place:
        folder = Path(place)
        made = {
            "peers": lambda: peers(folder, [int(size) for size in given.peers.split(",")]),
            "whole_state": lambda: whole_state(folder, given.students),
            "days": lambda: days(folder, given.day_students),
            "growth": lambda: growth(folder, [10_000, 30_000, 100_000, 300_000, 1_000_000], [15, 20, 30, 40]),
        }
        for part in given.parts.split(","):
            made[part]()


if __name__ == "__main__":
    main()
