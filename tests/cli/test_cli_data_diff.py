"""A new edition of a source: every moved cell is named, nothing is overwritten before one says so,
and the record stays.
"""

import csv
import hashlib
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from leapstudy.cli import main
from leapstudy.data import load_study
from leapstudy.data.raw import differences, with_rows
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.effect import fit

MA = Path(__file__).parents[1] / "states" / "ma"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    root = shutil.copytree(MA, tmp_path / "ma")
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    return root


def _run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["leapstudy", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    return ended.value.code, told.out + told.err


def _bytes(root):
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def _next_year(root, tmp_path):
    """Write next year's file, SIMULATED: the last year's figures again, with the last column in another place."""
    rows = pd.read_csv(root / "data/raw/dese_attendance/attendance.csv", dtype="str", keep_default_na=False)
    later = rows[rows["year"] == "2024-25"].assign(year="2025-26")
    later.to_csv(tmp_path / "attendance_2026.csv", index=False)
    return tmp_path / "attendance_2026.csv", len(later)


def test_next_years_file_goes_in_without_python_and_the_study_runs_over_it(workspace, tmp_path, monkeypatch, capsys):
    file, n = _next_year(workspace, tmp_path)
    before = _bytes(workspace)
    asked = ("data", "diff", file, "--table", "attendance", "--add")
    code, told = _run(monkeypatch, capsys, *asked, "--accept")
    assert code == 2 and "'2025-26'" in told and "nothing was changed" in told and _bytes(workspace) == before
    place = workspace / "params" / "state.yml"
    state = yaml.safe_load(place.read_text(encoding="utf-8"))
    state["tables"]["attendance"]["columns"]["year"]["allowed"].append("2025-26")
    state["contrasts"]["last_to_second"] = {"pre": [-1], "post": [1], "role": "sensitivity"}
    place.write_text(yaml.safe_dump(state), encoding="utf-8")
    code, told = _run(monkeypatch, capsys, *asked)
    assert (
        code == 0
        and f"{3 * n:,} added, 0 vanished" in told.replace("0 changed, ", "")
        and "Nothing was changed" in told
    )
    code, told = _run(monkeypatch, capsys, *asked, "--accept")
    assert code == 0 and "replaced and pinned" in told
    assert "The edition '2024-25' now holds figures of 2025-26 too, and keeps its name" in told
    again = _run(monkeypatch, capsys, *asked, "--accept")
    assert again[0] == 0 and "keeps its name" not in again[1], "nothing is new the second time"
    data = load_study()
    asked = Spec(comparison="others", contrast="last_to_second", edition="2024-25")
    effect = fit(build_sample(data, asked, [code for code, year in data.starts.items() if year == "2024-25"]))
    assert effect.sample.years[-1] == "2025-26" and effect.ci_low_pp < effect.estimate_pp < effect.ci_high_pp


def test_every_moved_cell_is_named_and_kept_on_record(workspace, tmp_path, monkeypatch, capsys):
    pinned = workspace / "data/raw/dese_attendance/attendance.csv"
    lines = pinned.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace("0.9509", "0.9400").replace("10.5", "10.50")
    gone = lines.pop(2)
    file = tmp_path / "attendance.csv"
    file.write_text("\n".join([*lines, "00010000,2016-17,2000,0.95,9.0", ""]), encoding="utf-8")
    before = _bytes(workspace)
    listing = tmp_path / "moved.csv"
    code, told = _run(monkeypatch, capsys, "data", "diff", file, "--table", "attendance", "--list", listing)
    assert "1 changed, 3 added, 3 vanished, 1 rewritten" in told and "0.9509 -> 0.9400" in told
    assert code == 2 and "'2016-17'" in told and _bytes(workspace) == before
    with listing.open(encoding="utf-8", newline="") as rows:
        cells = {(row["kind"], row["column"]): (row["old"], row["new"]) for row in csv.DictReader(rows)}
    assert cells["vanished", "attendance_rate"] == (gone.split(",")[3], "")
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    assert _run(monkeypatch, capsys, "data", "diff", file, "--table", "attendance", "--accept")[0] == 0
    digests = [hashlib.sha256(content).hexdigest() for content in (before[pinned], file.read_bytes())]
    record = (pinned.parent / "EDITIONS.md").read_text(encoding="utf-8")
    assert all(digest in record for digest in digests) and "| 1 | 0 | 3 | 1 |" in record
    assert pinned.read_bytes() == file.read_bytes() and len(load_study().hashes) == 2


CELLS = st.dictionaries(st.integers(0, 9), st.sampled_from(["", "1", "1.0", "2", "*"]), min_size=1)


@settings(max_examples=60)
@given(CELLS, CELLS)
def test_moved_cells_lead_from_the_old_table_to_the_new_one_and_back(old, new):
    frames = [
        pd.DataFrame({"key": [str(key) for key in side], "cell": side.values()}, dtype="str") for side in (old, new)
    ]
    moved = differences(*frames, ["key"])
    for side, sign, other in ((old, "old", "new"), (new, "new", "old")):
        walked = {str(key): cell for key, cell in (new if side is old else old).items()}
        for row in moved.cells.to_dict("records"):
            assert walked.get(row["key"], "") == row[other]
            walked[row["key"]] = row[sign]
        there = {key: cell for key, cell in walked.items() if cell}
        assert there == {str(key): cell for key, cell in side.items() if cell}
    joined = with_rows(*frames, ["key"])
    assert dict(joined.to_numpy().tolist()) == {str(key): cell for key, cell in {**old, **new}.items()}
