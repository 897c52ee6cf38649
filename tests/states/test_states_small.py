"""Small and poor states by the command line: an answer that says what it lacks, or a refusal in words."""

import csv
import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from commands import commands_in
from one_verdict import differences, shown, unsaid

import leapstudy as ls
from leapstudy.core import paths
from leapstudy.evidence.plan import plan_hash

MA = Path(__file__).parent / "ma"
START, YEARS = "2023-24", ("2017-18", "2018-19", "2021-22", "2022-23", "2023-24")
TREATED = ("00950000", "01370000")

pytestmark = pytest.mark.slow


def _rows(file):
    with (MA / "data" / "raw" / file).open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _write(root, file, rows):
    path = root / "data" / "raw" / file
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "SHA256SUMS").write_text(f"{digest}  {path.name}\n", encoding="utf-8")


def _state(root, treated=2, compared=8, years=YEARS, changed=lambda row: row, placebo=True):
    """Write a state of few of Massachusetts' districts and years, with an INVENTED program."""
    shutil.copytree(MA, root)
    shutil.copytree(paths.root() / "notebooks", root / "notebooks")
    units = _rows("dese_districts/districts.csv")
    figures = [row for row in _rows("dese_attendance/attendance.csv") if row["year"] in years]
    started = {row["unit_code"] for row in _rows("program/units.csv")}
    whole = {row["district_code"] for row in figures if "*" not in row.values() and "" not in row.values()}
    others = [row["district_code"] for row in units if row["district_code"] in whole - started][:compared]
    chosen = {*TREATED[:treated], *others}
    _write(root, "dese_districts/districts.csv", [row for row in units if row["district_code"] in chosen])
    rows = [changed(row) for row in figures if row["district_code"] in chosen]
    _write(root, "dese_attendance/attendance.csv", [row for row in rows if row])
    starts = {"start": START, "end": "", "source": "INVENTED"}
    _write(root, "program/units.csv", [{"unit_code": code, **starts} for code in TREATED[:treated]])
    (root / "params" / "comparison.json").unlink()
    params = root / "params"
    _replace(params / "study.yml", "poverty_8_10", "others")
    if not placebo:
        _replace(params / "state.yml", "  placebo_last: { pre: [-2], post: [-1], role: placebo }\n", "")
        plan = params / "plan.yml"
        _replace(plan, "  - placebo_last\n", "")
        content = yaml.safe_load(plan.read_text(encoding="utf-8"))
        _replace(plan, content["frozen"], plan_hash(content))


def _replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _command(root, *line):
    env = {**os.environ, "LEAPSTUDY_ROOT": str(root), "PYTHONPATH": os.pathsep.join(sys.path)}
    return commands_in(env)(*line)


def _all_alike(row):
    return {**row, "attendance_rate": "0.93", "chronic_percent": "20.0"}


def _in_steps(row):
    """Return a row whose rates are so coarse that most changes are tied."""
    rate, chronic = round(50 * float(row["attendance_rate"])) / 50, 5 * round(float(row["chronic_percent"]) / 5)
    return {**row, "attendance_rate": f"{rate:.2f}", "chronic_percent": f"{chronic:.1f}"}


def _without_a_base(row):
    return None if (row["district_code"], row["year"]) == (TREATED[0], "2022-23") else row


ANSWERED = {
    "two to compare, one treated": ({"treated": 1, "compared": 2}, ("fall-river", "all-districts")),
    "two of five, three years, ties, no placebo": (
        {"compared": 3, "years": YEARS[-3:], "changed": _in_steps, "placebo": False},
        ("all-districts",),
    ),
}
REFUSED = {
    "all rates equal": (_all_alike, "No variation: the units compared all changed by the same amount"),
    "no base": (_without_a_base, "has no 'attendance_rate' in one of 2021-22, 2022-23, 2023-24"),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_a_small_state_is_answered_and_says_what_it_lacks(name, tmp_path, monkeypatch):
    given, asked = ANSWERED[name]
    _state(tmp_path / "state", **given)
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(tmp_path / "state"))
    chosen = _command(tmp_path / "state", "choose", "others", "--reason", "all that there are")
    assert chosen.returncode == 0, chosen.stderr
    done = _command(tmp_path / "state", "run", *asked, "--jobs", "1")
    assert done.returncode == 0 and " 0 failed" in done.stdout, done.stdout + done.stderr
    reports = tmp_path / "state" / "reports"
    assert differences(reports) == [] and unsaid(reports) == []
    page = shown(reports / "all-districts" / "plain.html")
    assert "even a large effect could pass no test" in page and "too few districts to compare with" in page
    assert " the 1 " not in page and " its 1 " not in page


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_answered_is_refused_before_a_kernel_starts(name, tmp_path):
    given, why = REFUSED[name]
    _state(tmp_path / "state", changed=given)
    refused = _command(tmp_path / "state", "run", "fall-river")
    assert refused.returncode == 2 and why in " ".join(refused.stderr.split()), refused.stdout + refused.stderr
    assert not (tmp_path / "state" / "reports" / "fall-river").exists()


def test_with_one_year_before_the_bare_difference_is_named_and_there(tmp_path, monkeypatch):
    root = tmp_path / "state"
    _state(root, years=YEARS[-2:])
    _replace(root / "params" / "study.yml", "value: two_before_to_first", "value: last_to_first")
    refused = _command(root, "run", "fall-river")
    told = " ".join(refused.stderr.split())
    assert refused.returncode == 2 and "Add the year that is missing" in told and "ls.diff_in_diff(ls.panel())" in told
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    bare = ls.diff_in_diff(ls.panel())
    assert (bare.n_treated, bare.n_comparison) == (2, 8) and bare.ci_low < bare.estimate < bare.ci_high
