"""Seconds from a choice in the explorer to its three pictures: ``python benchmarks/explorer.py``.

Each district is chosen once, in a process that has drawn one choice before, as a kernel has by the time a person turns the
first screw. There is no peer to pair with: the promise is half a second. Results are appended to
`benchmarks/results/explorer.csv`.
"""

import csv
import datetime
import os
import platform
import statistics
import time
from pathlib import Path

from leapstudy.data import leap_districts, load_study
from leapstudy.did.design import Spec
from leapstudy.report.explore import look

TABLE = Path(__file__).resolve().parent / "results" / "explorer.csv"
PROMISE_SECONDS = 0.5


def main() -> None:
    """Choose every district, print what it took, and keep it."""
    study = load_study()
    first, *others = [item.slug for item in leap_districts(study.districts)]
    look(study, first, Spec())
    took = []
    for slug in others:
        start = time.perf_counter()
        look(study, slug, Spec())
        took.append(time.perf_counter() - start)
    line = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M"), "choices": len(took),
        "least_s": f"{min(took):.3f}", "median_s": f"{statistics.median(took):.3f}", "most_s": f"{max(took):.3f}",
        "target": f"< {PROMISE_SECONDS}", "cores": os.cpu_count(), "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
    }  # fmt: skip
    print(f"from choice to pictures: {line['median_s']} s in the middle, {line['most_s']} s at most")
    new = not TABLE.exists()
    with TABLE.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(line), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(line)


if __name__ == "__main__":
    main()
