"""Peak memory of the student track over files of every bad shape:
``python benchmarks/memory.py [--students 20000,80000] [--limit 200MB] [--files NAME,NAME] [--command "check"]``.

Each file is INVENTED, written by `write_files` and measured in a process of its own (`ways/measured.py`), or by a
command with all its children (`ways/tree.py`): ``--command check``, or ``--command "run all-districts --track
students"``. The peak may be `memory_limit` and a stated constant, however many students and whatever they hold; or the
file is refused in words. A student has 20 rows, of many months 120.
Results are appended to `benchmarks/results/memory.csv`.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import yaml
from results_table import RESULTS, append, machine
from ways.tree import peak_of_tree

ROOT = Path(__file__).resolve().parents[1]
TABLE = RESULTS / "memory.csv"
COLUMNS = (
    "date",
    "file",
    "students",
    "limit",
    "file_mib",
    "before_mib",
    "peak_mib",
    "cpu_s",
    "effect_pp",
    "refusal",
    "cores",
    "load",
    "python",
    "versions",
    "command",
)
# What a row holds, as SQL of the student's number i (and the month's, t).
COMMON = {
    "id": "'s' || lpad(i::VARCHAR, 9, '0')",
    "district": "'D' || lpad((i % 20)::VARCHAR, 3, '0')",
    "school": "'S' || lpad((i % 200)::VARCHAR, 4, '0')",
    "visited": "0.08",
    "seen": "1.0",
    "rows": "",
    "parts": "1",
    "months": "20",
    "first": "2020-09-01",
}
FILES: dict[str, dict[str, str]] = {
    "a state": {},
    "every student visited": {"visited": "1.0"},
    "one district": {"district": "'D001'"},
    "a school for each student": {"school": "'S' || i"},
    "a district for six students": {"district": "'D' || (i // 6)"},
    "seen in half of the months": {"seen": "0.5"},
    "a row a student and day": {"rows": "days"},
    "ids of 200 letters": {"id": "lpad(i::VARCHAR, 200, 's')"},
    "schools of 200 letters": {"school": "lpad((i % 200)::VARCHAR, 200, 'S')"},
    "ten thousand schools": {"school": "'S' || (i % 10000)"},
    "400 files": {"parts": "400"},
    "120 months": {"months": "120", "first": "2014-09-01"},
    "all of it at once": {
        "id": "lpad(i::VARCHAR, 200, 's')",
        "school": "lpad((i % 10000)::VARCHAR, 200, 'S')",
        "visited": "1.0",
        "months": "120",
        "first": "2014-09-01",
    },
    "schools of very many letters": {"school": "lpad((i % 200)::VARCHAR, if(i < 20, 100000, 4), 'S')"},
}


def write_files(folder: Path, students: int, shape: dict[str, str]) -> tuple[Path, Path]:
    """Write attendance (a glob of it) and visit log of INVENTED students, and return their places."""
    what, con = {**COMMON, **shape}, duckdb.connect(config={"threads": 1})
    luck = "(hash(i, {0}) % 1000000) / 1000000.0"
    con.execute(f"""
        CREATE TABLE students AS SELECT i, {what["id"]} AS student, {what["district"]} AS district,
            {what["school"] if "100000" not in what["school"] else "i"} AS school, {luck.format(1)} AS level,
            CASE WHEN {luck.format(2)} < {what["visited"]} THEN (10 + hash(i, 3) % 8)::INT END AS visit
        FROM range({students}) s(i)""")
    con.execute(f"""
        CREATE VIEW months AS SELECT *, DATE '{what["first"]}' + to_months((t + t // 10 * 2)::INT) AS month,
            hash(i, t, 4) % 1000000 / 1000000.0 AS luck, hash(i, t, 5) % 1000000 / 1000000.0 AS there
        FROM students, range({what["months"]}) m(t)""")
    missed = "least(18, floor((8 * level * level * luck * 2) * CASE WHEN t >= visit THEN 0.7 ELSE 1 END))::INT"
    attendance, visits = folder / "attendance*.csv", folder / "visits.csv"
    school = what["school"] if "100000" in what["school"] else "school"
    rows = f"""SELECT student, district AS district_code, {school} AS school_code,
        lpad((i % 12 + 1)::VARCHAR, 2, '0') AS grade, month::DATE AS month, 18 AS days_enrolled,
        18 - {missed} AS days_attended FROM months WHERE there < {what["seen"]}"""
    if what["rows"] == "days":
        rows = f"""SELECT student, district AS district_code, {school} AS school_code,
            lpad((i % 12 + 1)::VARCHAR, 2, '0') AS grade, month::DATE + d::INT AS date,
            CASE WHEN d < {missed} THEN 0 ELSE 1 END AS attended
            FROM months, range(18) n(d) WHERE true"""
    for part in range(int(what["parts"])):
        own = folder / f"attendance_{part}.csv"
        con.execute(f"COPY (SELECT * FROM ({rows} AND i % {what['parts']} = {part})) TO '{own}' (HEADER)")
    day = f"DATE '{what['first']}' + to_months((visit + visit // 10 * 2)::INT)"
    con.execute(f"""COPY (SELECT student, district AS district_code, (({day})::DATE + 3) AS referral_date,
        (({day})::DATE + 9) AS visit_date, 'in person' AS type, 1 AS completed FROM students WHERE visit IS NOT NULL)
        TO '{visits}' (HEADER)""")
    con.close()
    return attendance, visits


def measured(folder: Path, students: int, shape: dict[str, str], limit: str, command: str) -> dict[str, object]:
    """Return what a process of its own, or a command with its children, held at its peak, and what it found."""
    files = write_files(folder, students, shape)
    size = sum(place.stat().st_size for place in folder.glob("attendance*.csv")) >> 20
    return {**(of_command(folder, files, limit, command) if command else of_process(files, limit)), "file_mib": size}


def of_command(folder: Path, files: tuple[Path, Path], limit: str, command: str) -> dict[str, object]:
    """Return peak and CPU seconds of `leapstudy COMMAND` in a workspace of its own, and its last words if it failed."""
    space = folder / "workspace"
    for name in ("data/raw", "data/examples", "params", "notebooks"):
        shutil.copytree(ROOT / name, space / name)
    shutil.copy(ROOT / "requirements.lock", space)
    settings = space / "params" / "students.yml"
    own = {"input": str(files[0]), "visits": str(files[1]), "memory_limit": limit}
    settings.write_text(yaml.safe_dump({**yaml.safe_load(settings.read_text(encoding="utf-8")), **own}))
    before = _cpu_seconds()
    line = [sys.executable, "-m", "leapstudy", *command.split()]
    peak, ended = peak_of_tree(line, {**environment(), "LEAPSTUDY_ROOT": str(space)}, space)
    words = (
        " ".join(re.findall(r"[^\s│─-╿]+", ended.stdout[-2000:])) if ended.returncode else ""
    )  # out of its table's frame
    return {"peak_mib": round(peak), "cpu_s": round(_cpu_seconds() - before, 1), "refusal": words}


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def environment() -> dict[str, str]:
    """Return the environment of a child: with a key, and with this tree's package."""
    return {
        **os.environ,
        "LEAPSTUDY_STUDENT_KEY": "an invented key of forty characters, no more",
        "PYTHONPATH": str(ROOT),
    }


def of_process(files: tuple[Path, Path], limit: str) -> dict[str, object]:
    """Return what `ways/measured.py` says of two files."""
    command = [sys.executable, str(ROOT / "benchmarks" / "ways" / "measured.py"), *map(str, files), limit]
    done = subprocess.run(command, env=environment(), text=True, capture_output=True, check=False)
    if done.returncode:
        return {"refusal": f"ended with {done.returncode}: {done.stderr[-300:]}"}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure each file at each size, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", default="20000,80000")
    parser.add_argument("--limit", default="200MB")
    parser.add_argument("--files", default=",".join(FILES))
    parser.add_argument("--command", default="")
    given = parser.parse_args()
    for name in given.files.split(","):
        for students in map(int, given.students.split(",")):
            with tempfile.TemporaryDirectory(prefix="leapstudy-memory-") as folder:
                found = measured(Path(folder), students, FILES[name], given.limit, given.command)
            row = {**machine(("duckdb", "ibis-framework", "pandas")), "file": name, "students": students, **found}
            append(TABLE, COLUMNS, [{**row, "limit": given.limit, "command": given.command}])
            print(name, students, found, flush=True)


if __name__ == "__main__":
    main()
