"""Pupil rows in a parquet file to moments: ``python benchmarks/pupils_moments.py [--pupils 1000000]``.

Each run is a child process of its own, so that time and peak memory are its alone. Wall and CPU seconds are from the
file to the record, engine start included, imports not. The rows are SIMULATED. Results are appended to
`benchmarks/results/pupils_moments.csv`.
"""

import argparse
import csv
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

RESULTS = Path(__file__).resolve().parent / "results" / "pupils_moments.csv"
MONTHS = np.concatenate([np.datetime64(f"{year}-09") + np.arange(10) for year in (2020, 2021)])
DAYS = np.tile([20, 20, 18, 16, 19, 17, 22, 16, 21, 11], 2)
VISITS = np.datetime64("2021-07") + np.arange(10)


def write_rows(path: Path, pupils: int, in_order: bool) -> None:
    """Write a clean panel in which every pupil is seen in every month."""
    rng = np.random.default_rng(1)
    cells = np.arange(pupils * len(MONTHS)) if in_order else rng.permutation(pupils * len(MONTHS))
    who, when = np.divmod(cells, len(MONTHS))
    share = rng.beta(12, 1, pupils)
    visited = np.where(rng.random(pupils) < 0.15, VISITS[rng.integers(0, len(VISITS), pupils)], np.datetime64("NaT"))
    ids = np.char.add("~P", np.char.zfill((rng.permutation(pupils)).astype(str), 10))
    district = rng.integers(0, 15, pupils).astype(np.int32)
    codes = [f"{10 * place + 11:07d}" for place in range(15)]
    rows = {
        "pupil": ids[who],
        "district_code": pa.DictionaryArray.from_arrays(district[who], codes),
        "grade": pa.DictionaryArray.from_arrays((who % 2).astype(np.int32), ["05", "06"]),
        "month": MONTHS[when].astype("datetime64[D]"),
        "days_enrolled": DAYS[when].astype("int16"),
        "days_attended": rng.binomial(DAYS[when], share[who]).astype("int16"),
        "first_visit_month": visited[who].astype("datetime64[D]"),
        "high_needs": who % 2 == 0,
    }
    pq.write_table(pa.table(rows), path, compression="zstd")


def measure(path: Path, limit: str) -> dict[str, float]:
    """Compute the moments of a file in this process and return seconds and peak memory."""
    from leapstudy.pupils.engine import connect
    from leapstudy.pupils.moments.expression import moments_of_panel

    start, cpu = time.perf_counter(), time.process_time()
    moments = moments_of_panel(connect(limit, threads=2).read_parquet(str(path)))
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    status = Path("/proc/self/status").read_text()  # getrusage would inherit the parent's peak
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    return {"wall_s": wall, "cpu_s": used, "peak_mib": peak, "pupils": int(moments.pupils.sum())}


def in_child(path: Path, limit: str) -> dict[str, float]:
    """Run `measure` in a process of its own."""
    command = [sys.executable, __file__, "--one", str(path), "--limit", limit]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def append(row: dict[str, object]) -> None:
    """Add a line to the results."""
    new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as handle:
        writer = csv.DictWriter(handle, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def main() -> None:
    """Measure each layout and memory limit once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pupils", type=int, default=1_000_000)
    parser.add_argument("--one", type=Path)
    parser.add_argument("--limit", default="2GB")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.limit)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for layout in ("unsorted", "sorted"):
            path = Path(folder) / f"{layout}.parquet"
            write_rows(path, options.pupils, layout == "sorted")
            for limit in ("2GB", "500MB"):
                load = os.getloadavg()[0]
                found = {name: round(value, 2) for name, value in in_child(path, limit).items()}
                head = {
                    "date": datetime.date.today().isoformat(),
                    "layout": layout,
                    "limit": limit,
                    "months": len(MONTHS),
                }
                row = {**head, **found, "load_before": round(load, 1), "duckdb": version("duckdb")}
                print(row)
                append(row)


if __name__ == "__main__":
    main()
