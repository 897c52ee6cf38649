"""A child that opens a file and makes sums of it holds as much for eight times the students: rows stay inside."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
from own_files import STUDENT_KEY

STUDENTS, TIMES, MONTHS = 3_000, 8, 20
# The engine's limit, which the small file nearly fills; and MiB that it may hold more for the large one.
LIMIT_MB, ROOM_MIB = 60, 60

CHILD = """
import json, sys
from pathlib import Path
from leapstudy.students.contract import Reading
from leapstudy.students.eligible import Rule, past
from leapstudy.students.engine import connect
from leapstudy.students.handle import engine_table, open_students
from leapstudy.students.lookback import at_risk_shares
from leapstudy.students.moments.pivot import moments_of

folder, limit, more = sys.argv[1:]

def peak():
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

data = open_students(f"{folder}/rows.parquet", f"{folder}/log.csv", Reading(), con=connect(limit, threads=1))
moments_of(data), at_risk_shares(data), past(data, Rule("last_month", 50), ["2021-02"], 3, ())
peaks = [peak()]
if more:
    rows = engine_table(data).to_pandas()
    peaks.append(peak())
print(json.dumps(peaks))
"""


def _write(folder, students):
    rng, months = np.random.default_rng(3), pd.date_range("2020-09-01", periods=MONTHS, freq="MS").date
    who, district = np.arange(students), np.arange(students) % 12
    attended = rng.integers(5, 19, students * MONTHS)
    rows = pd.DataFrame(
        {
            "student": np.repeat([f"9{i:07d}" for i in who], MONTHS),
            "district_code": np.repeat([f"D{code:02d}" for code in district], MONTHS),
            "school_code": np.repeat([f"S{code:03d}" for code in who % 60], MONTHS),
            "grade": np.repeat([f"{code + 1:02d}" for code in district], MONTHS),
            "month": np.tile(months, students),
            "days_enrolled": 18.0,
            "days_attended": attended.astype(float),
        }
    )
    rows.to_parquet(folder / "rows.parquet", index=False)
    met = who[::20]
    log = pd.DataFrame({"student": [f"9{i:07d}" for i in met], "district_code": [f"D{i % 12:02d}" for i in met]})
    log.assign(visit_date="2021-10-05", type="in_person", completed=1).to_csv(folder / "log.csv", index=False)


def _peaks(folder, more=""):
    """Return what the child held at most: with its rows in the engine and, for `more`, with a frame of all of them."""
    env = {**os.environ, "LEAPSTUDY_STUDENT_KEY": STUDENT_KEY, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CHILD, str(folder), f"{LIMIT_MB}MB", more]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_eight_times_the_students_take_no_more_memory(tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    for folder, times in ((small, 1), (large, TIMES)):
        folder.mkdir()
        _write(folder, times * STUDENTS)
    room = _peaks(small)[0] + ROOM_MIB
    inside, materialized = _peaks(large, "materialized")
    assert inside < room
    assert materialized > room, "a frame of all rows is what this test is there to see"
