"""The row of `estimates.csv`: its columns are a contract, and nothing is lost on the way through the disk."""

import csv
from dataclasses import replace

import pytest
from estimates_file import POOLED, from_frame, read_estimates

from leapstudy.core.estimate import COLUMNS, to_frame, write_estimates

CONTRACT = (
    "track, district_code, district, outcome, comparison, n_treated, n_comparison, edition, pre, post, event_time, "
    "estimator, role, estimate_pp, se_pp, ci_low_pp, ci_high_pp, p_value, p_method, p_floor, seed"
)
ROW = replace(
    POOLED,
    district_code="0430011",
    district="East Hartford",
    n_treated=1,
    estimate_pp=-0.123456789,
    p_value=0.05,
    p_method="permutation",
    p_floor=0.05,
)


def test_columns_are_the_contract():
    assert ", ".join(COLUMNS) == CONTRACT


def test_round_trip_keeps_codes_numbers_and_gaps(tmp_path):
    path = tmp_path / "estimates.csv"
    write_estimates(to_frame([ROW]), path)
    back = from_frame(read_estimates(path))[0]
    assert back == ROW and back.district_code == "0430011" and back.se_pp is None and back.seed is None


@pytest.mark.parametrize("name", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\tx", "'=1", "O'Neil", "''-x", "'plain"])
def test_a_text_is_never_a_formula_and_comes_back_as_it_was(tmp_path, name):
    path = tmp_path / "estimates.csv"
    write_estimates(to_frame([replace(ROW, district=name)]), path)
    assert from_frame(read_estimates(path))[0].district == name
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert not row["district"].startswith(("=", "+", "-", "@", "\t", "\r")) and row["estimate_pp"].startswith("-")
