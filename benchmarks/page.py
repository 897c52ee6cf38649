"""Write `docs/benchmarks.md` from the newest figure of each kind in `results/`: ``python benchmarks/page.py``."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from results_table import RESULTS

PAGE = RESULTS.parents[1] / "docs" / "benchmarks.md"
Row = Mapping[str, str]
HEAD = """# Benchmarks

`make bench` measures every line anew, ours and theirs in pairs in one run, and writes this page from
`benchmarks/results/`. The extra `bench` brings the packages (`pip install leapstudy[bench]`); one that is not installed
is left out. A ratio is printed only after both ways have found the same effect to 1e-8. Machines drift and are shared:
read the ratios and the CPU seconds, and the load beside them (processes that wanted one of the two cores).
All students are SIMULATED.
"""
STUDENTS = """## Student rows in a parquet file to an effect

Each way runs in a process of its own. CPU seconds go from the file to the effect; the next column adds what it takes
to start Python and import the package. Callaway-Sant'Anna: ours in the engine against packages on rows in memory.
Two-way fixed effects with errors clustered by student: our `leapstudy.diff_in_diff` against fereg and pyfixest, on the
never-visited and one cohort.
"""
BATCH = """## The batch of district notebooks

The bound imports once, forks two workers and runs the same cells with no notebook.
"""
BEFORE = """\
## What a person waits for

Before a program starts: every scenario of `params/rollout.yml`, 300 deals each, from the files to the table
(`leapstudy design`). In the explorer: from a choice to its three pictures, the slowest of them.
"""
NATION = """\
## A nation

INVENTED districts over twelve school years, twelve of them with a program: `leapstudy check`, and `leapstudy run` of
all their notebooks (`python benchmarks/national.py`, not part of `make bench`).
"""
PICTURES = """\
![Seconds over students and over months, both axes logarithmic.](../benchmarks/results/students_moments.png)

![Seconds that the batch itself adds to a run, by the number of runs.](../benchmarks/results/batch_growth.png)
"""


def newest(table: str, keys: Iterable[str]) -> list[Row]:
    """Return the last row of each kind, in the order in which the kinds were measured last."""
    with (RESULTS / table).open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    last: dict[tuple[str, ...], Row] = {}
    for row in rows:
        kind = tuple(row[key] for key in keys)
        last.pop(kind, None)
        last[kind] = row
    return list(last.values())


def page() -> str:
    """Return the whole page as Markdown."""
    students = newest("students_moments.csv", ("way", "layout", "students", "months"))
    batch = newest("batch.csv", ("what", "n"))
    timed, paired = ([row for row in students if bool(row["ratio"]) == has] for has in (False, True))
    ways = [
        [
            row["way"],
            f"{int(row['students']):,}",
            row["layout"],
            *_numbers(row, ("wall_s", "cpu_s", "cpu_all_s")),
            _whole(row["peak_mib"]),
            row["load"],
        ]
        for row in timed
    ]
    ratios = [[row["way"], f"{int(row['students']):,}", row["layout"], row["ratio"], row["target"]] for row in paired]
    runs = [
        [row["what"], row["n"], *_numbers(row, ("wall_s", "cpu_s", "ratio")), row["target"], row["load"]]
        for row in batch
    ]
    waits = [
        *map(_design_row, newest("design.csv", ("what",))),
        *map(_explorer_row, newest("explorer.csv", ("choices",))),
    ]
    nation = [
        [f"{int(row['districts']):,}", row["command"], *_numbers(row, ("wall_s", "cpu_s", "pages_mib")), row["load"]]
        for row in newest("national.csv", ("districts", "command"))
    ]
    return "\n".join(
        [
            HEAD,
            STUDENTS,
            _table(["way", "students", "file", "wall s", "CPU s", "CPU s with imports", "peak MiB", "load"], ways),
            _table(
                [
                    "pair (theirs by ours: above 1 ours is faster; ours by a bound: the smaller the better)",
                    "students",
                    "file",
                    "ratio",
                    "target",
                ],
                ratios,
            ),
            BATCH,
            _table(["what", "runs", "wall s", "CPU s", "ratio", "target", "load"], runs),
            BEFORE,
            _table(["what", "rows", "eligible", "tried", "wall s", "CPU s", "target, wall", "load"], waits),
            NATION,
            _table(["districts", "command", "wall s", "CPU s", "pages, MiB", "load"], nation),
            PICTURES,
            _versions(students, batch),
        ]
    )


def _design_row(row: Row) -> list[str]:
    sizes = [f"{int(row[name]):,}" for name in ("rows", "eligible", "scenarios")]
    return [f"design, {row['what']}", *sizes, *_numbers(row, ("wall_s", "cpu_s")), row["target"], row["load"]]


def _explorer_row(row: Row) -> list[str]:
    return ["explorer, one choice", "", "", row["choices"], row["most_s"], "", row["target"], row["load"]]


def _numbers(row: Row, names: Iterable[str]) -> list[str]:
    return [f"{float(row[name]):.2f}" if row[name] else "" for name in names]


def _whole(text: str) -> str:
    return f"{float(text):.0f}" if text else ""


def _table(names: list[str], rows: list[list[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), ""])


def _versions(students: list[Row], batch: list[Row]) -> str:
    last = [rows[-1] for rows in (students, batch)]
    told = [f"{row['date']}, {row['cores']} cores, Python {row['python']}, {row['versions']}" for row in last]
    return f"Measured: students {told[0]}; batch {told[1]}.\n"


if __name__ == "__main__":
    Path(PAGE).write_text(page(), encoding="utf-8")
