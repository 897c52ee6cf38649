"""Seconds that `leapstudy design` takes: ``python benchmarks/design.py [TIMES]``.

Every scenario of `params/rollout.yml` on the study's own districts, on the SIMULATED state, and, where TIMES is given,
on a SIMULATED state of so many times its students. The promise is ten scenarios on a state's file in 20 seconds on two
cores.
Results are appended to `benchmarks/results/design.csv`.
"""

import sys
import tempfile
import time
from pathlib import Path

from results_table import RESULTS, append, machine

from leapstudy.students.settings import StudentSettings, load_settings
from leapstudy.students.simulate import Simulation, default_simulation, load_config, write_simulation
from leapstudy.study.rollout.choices import Track, asked
from leapstudy.study.rollout.scenarios import design

TABLE = RESULTS / "design.csv"
COLUMNS = (
    "date",
    "what",
    "rows",
    "eligible",
    "scenarios",
    "wall_s",
    "cpu_s",
    "target",
    "cores",
    "load",
    "python",
    "versions",
)
PACKAGES = ("numpy", "pandas", "duckdb", "ibis-framework")
PROMISE_SECONDS = 20


def measured(what: str, track: Track, rows: int, settings: StudentSettings) -> dict[str, object]:
    """Return a line of the table: what trying every scenario of a track took."""
    chosen, wall, cpu = asked(track), time.perf_counter(), time.process_time()
    tried = design(chosen, settings)
    return {
        **machine(PACKAGES),
        "what": what,
        "rows": rows,
        "eligible": tried.n_eligible,
        "scenarios": len(tried.scenarios),
        "wall_s": f"{time.perf_counter() - wall:.2f}",
        "cpu_s": f"{time.process_time() - cpu:.2f}",
        "target": f"< {PROMISE_SECONDS}",
    }


def students_of(files: Simulation) -> tuple[int, StudentSettings]:
    """Return the rows of a SIMULATED state, and the settings that read it."""
    import pyarrow.parquet as pq

    rows = pq.read_metadata(files.panel).num_rows
    return rows, load_settings().model_copy(update={"input": str(files.panel), "visits": str(files.visits)})


def main() -> None:
    """Time each state, print it, and keep it."""
    from leapstudy.data import load_study

    lines = [measured("districts of Connecticut", "units", len(load_study().attendance), load_settings())]
    lines.append(measured("students, SIMULATED", "students", *students_of(default_simulation())))
    for times in map(int, sys.argv[1:]):
        config = load_config()
        more = {code: times * n for code, n in config.districts.items()}
        with tempfile.TemporaryDirectory() as folder:
            files = write_simulation(Path(folder) / "students.parquet", config.with_changes(districts=more))
            lines.append(measured(f"students, SIMULATED, {times} times", "students", *students_of(files)))
    append(TABLE, COLUMNS, lines)
    for line in lines:
        print(f"{line['what']}: {line['scenarios']} scenarios, {line['wall_s']} s, {line['cpu_s']} s of CPU")


if __name__ == "__main__":
    main()
