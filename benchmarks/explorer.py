"""Seconds from a choice in the explorer to its three pictures: ``python benchmarks/explorer.py``.

Each district is chosen once, in a process that has drawn one choice before, as a kernel has by the time a person
makes the first choice. There is no peer to pair with: the promise is half a second. Results are appended to
`benchmarks/results/explorer.csv`.
"""

import statistics
import time

from results_table import RESULTS, append, machine

from leapstudy.data import load_study, treated_districts
from leapstudy.did.design import Spec
from leapstudy.explore.explorer import look

TABLE = RESULTS / "explorer.csv"
COLUMNS = ("date", "choices", "least_s", "median_s", "most_s", "target", "cores", "load", "python", "versions")
PROMISE_SECONDS = 0.5


def main() -> None:
    """Choose every district, print what it took, and keep it."""
    study = load_study()
    first, *others = [item.slug for item in treated_districts(study.districts)]
    look(study, first, Spec())
    took = []
    for slug in others:
        start = time.perf_counter()
        look(study, slug, Spec())
        took.append(time.perf_counter() - start)
    line = {
        **machine(),
        "choices": len(took),
        "least_s": f"{min(took):.3f}",
        "median_s": f"{statistics.median(took):.3f}",
        "most_s": f"{max(took):.3f}",
        "target": f"< {PROMISE_SECONDS}",
    }
    print(f"from choice to pictures: {line['median_s']} s in the middle, {line['most_s']} s at most")
    append(TABLE, COLUMNS, [line])


if __name__ == "__main__":
    main()
