"""Another state without another line of Python: Massachusetts, with an INVENTED program whose true effect is zero."""

import csv
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import leapstudy as ls
from leapstudy.core.errors import BadInput
from leapstudy.data import load_study
from leapstudy.did.comparison import comparison_codes
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.effect import fit

MA = Path(__file__).parent / "ma"
ASKED = {"comparison": "poverty_8_10", "contrast": "two_before_to_first", "edition": "2024-25"}
STARTS = {"2023-24": ("2021-22", "2022-23"), "2024-25": ("2022-23", "2023-24")}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    root = shutil.copytree(MA, tmp_path / "ma")
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    return root


def _rows(root, file):
    with (root / "data" / "raw" / file).open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _by_hand(root, column, start):
    """Return the difference in differences from the files alone: no frame, no package."""
    rates = {(row["district_code"], row["year"]): row[column] for row in _rows(root, "dese_attendance/attendance.csv")}
    starts = {row["unit_code"]: row["start"] for row in _rows(root, "program/units.csv")}

    def change(code):
        cells = [rates.get((code, year), "*") for year in (*STARTS[start], start)]
        if "*" in cells:
            return None
        first, second, third = map(float, cells)
        return third - (first + second) / 2

    treated = [change(code) for code, year in starts.items() if year == start]
    poor = [
        row["district_code"]
        for row in _rows(root, "dese_districts/districts.csv")
        if row["poverty_decile"] and float(row["poverty_decile"]) >= 8
    ]
    others = [moved for code in poor if code not in starts and (moved := change(code)) is not None]
    return sum(treated) / len(treated) - sum(others) / len(others)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    ("outcome", "column", "scale"),
    [("attendance_rate", "attendance_rate", 100), ("chronic_absence", "chronic_percent", 1)],
)
def test_each_start_agrees_with_its_files_by_hand_and_the_known_zero_is_inside(
    workspace, start, outcome, column, scale
):
    data = load_study()
    codes = [code for code, year in data.starts.items() if year == start]
    effect = fit(build_sample(data, Spec(outcome=outcome, **ASKED), codes))
    assert effect.estimate_pp == pytest.approx(scale * _by_hand(workspace, column, start), abs=1e-9)
    assert effect.ci_low_pp < 0 < effect.ci_high_pp


def test_units_of_both_starts_are_pooled_and_have_an_event_study(workspace):
    data = load_study()
    effect = fit(build_sample(data, Spec(**ASKED), list(data.starts)))
    assert round(effect.estimate_pp, 2) == 0.31 and effect.ci_low_pp < 0 < effect.ci_high_pp
    years = sorted(data.attendance["year"].unique())
    rows = data.attendance.assign(
        clock=data.attendance["year"].map(years.index), rate_pct=100 * data.attendance["rate"]
    )
    rows = rows[rows.groupby("district_code")["year"].transform("count") == len(years)]
    rows = rows[rows["district_code"].isin([*data.starts, *comparison_codes(data, "poverty_8_10")])]
    rows = rows.assign(first=rows["district_code"].map(data.starts).map(years.index, na_action="ignore"))
    found = ls.att_gt(
        rows, time="clock", treated=None, post=None, first_treated="first", weights=None, control="not_yet"
    )
    assert found.overall["low"] < 0 < found.overall["high"] and found.p_permutation > 0.05
    assert (found.n_treated, found.n_comparison) == (10, 102)


def test_no_unit_with_a_start_is_ever_a_comparison_and_hidden_cells_are_accounted_for(workspace):
    data = load_study()
    for group in data.state.groups:
        assert not set(comparison_codes(data, group)) & set(data.starts)
    hidden = sum(row["attendance_rate"] == "*" for row in _rows(workspace, "dese_attendance/attendance.csv"))
    blanks = data.ledger.query("rule == 'drop_blank' and table == 'attendance'").iloc[0]
    assert blanks["rows_before"] - blanks["rows_after"] == hidden > 0
    assert np.isfinite(data.attendance["rate"]).all()


def test_next_years_file_goes_in_as_data(workspace):
    path = workspace / "data" / "raw" / "dese_attendance" / "attendance.csv"
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write("00010000,2025-26,2200,0.9321,17.5\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "SHA256SUMS").write_text(f"{digest}  attendance.csv\n", encoding="utf-8")
    with pytest.raises(BadInput, match="2025-26"):
        load_study()
    place = workspace / "params" / "state.yml"
    state = yaml.safe_load(place.read_text(encoding="utf-8"))
    state["tables"]["attendance"]["columns"]["year"]["allowed"].append("2025-26")
    place.write_text(yaml.safe_dump(state), encoding="utf-8")
    rows = load_study().attendance.query("year == '2025-26'")
    assert rows["rate"].tolist() == [0.9321]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("00350000,2017,,INVENTED", "'2017' is no school year"),
        ("350000,2023-24,,INVENTED", "'350000' does not have the form"),
        ("00350000,2020-21,,INVENTED", "a year that the study does not use"),
        ("99990000,2023-24,,INVENTED", "99990000"),
        ("00350000,2023-24,2023-09,INVENTED", "'2023-09' is neither blank nor a school year"),
        ("01370000,2024-25,,INVENTED", "more than one start"),
    ],
)
def test_a_fault_in_the_starts_is_named(workspace, fault, told):
    path = workspace / "data" / "raw" / "program" / "units.csv"
    path.write_text(path.read_text(encoding="utf-8") + fault + "\n", encoding="utf-8")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "SHA256SUMS").write_text(f"{digest}  units.csv\n", encoding="utf-8")
    with pytest.raises(BadInput, match=told):
        load_study()
