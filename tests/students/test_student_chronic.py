"""Chronic absence in whole numbers."""

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leapstudy.students.chronic import CALIFORNIA, CONNECTICUT, DEFINITIONS, EDU, ChronicRule, chronic_by_year


@given(tens=st.integers(1, 18))
def test_students_at_exactly_ten_percent_are_chronic(tens):
    """10 % of any membership that is a multiple of ten; the float form misses some of them."""
    assert CONNECTICUT.of_days(np.array([10 * tens]), np.array([9 * tens]))[0]


def test_the_float_form_would_miss_some():
    enrolled = np.arange(10, 190, 10)
    assert (1 - (0.9 * enrolled) / enrolled >= 0.1).sum() < len(enrolled)
    assert CONNECTICUT.of_days(enrolled, enrolled * 9 // 10).all()


@pytest.mark.parametrize(
    ("rule", "enrolled", "attended", "expected"),
    [
        (CONNECTICUT, 180, 162, True),
        (CONNECTICUT, 180, 162.5, False),
        (CONNECTICUT, 0, 0, False),
        (EDU, 19, 1, False),
        (EDU, 20, 18, True),
        (CALIFORNIA, 30, 0, False),
        (CALIFORNIA, 31, 27.9, True),
        (ChronicRule(percent=20), 180, 145, False),
    ],
)
def test_each_definition(rule, enrolled, attended, expected):
    assert rule.of_days(np.array([enrolled]), np.array([attended]))[0] == expected


@settings(deadline=None, max_examples=30)
@given(
    days=st.lists(st.tuples(st.integers(0, 180), st.integers(0, 360)), min_size=1, max_size=20),
    name=st.sampled_from(sorted(DEFINITIONS)),
)
def test_the_engine_and_the_arrays_agree(days, name):
    enrolled, attended = np.array([d[0] for d in days]), np.array([min(d[1] / 2, d[0]) for d in days])
    frame = pd.DataFrame({"e": enrolled.astype(float), "a": attended, "g": "05"})
    table = ibis.memtable(frame)
    rule = DEFINITIONS[name]
    found = table.mutate(c=rule.expression(table.e, table.a, table.g)).to_pandas()["c"].to_numpy()
    assert (found == rule.of_days(enrolled, attended)).all()


def test_a_year_is_added_up_by_student_and_pre_kindergarten_stays_out():
    rows = [
        ("a", "05", "2020-09-01", 20, 20),
        ("a", "05", "2021-06-01", 20, 16),
        ("b", "PK", "2020-09-01", 20, 0),
        ("c", "06", "2020-09-01", 20, 19),
        ("a", "06", "2021-09-01", 20, 20),
    ]
    frame = pd.DataFrame(rows, columns=["student", "grade", "month", "days_enrolled", "days_attended"])
    frame = frame.assign(month=pd.to_datetime(frame["month"]), district_code="0640011")
    out = chronic_by_year(ibis.memtable(frame)).to_pandas().set_index("school_year")
    assert out.loc[2020, ["students", "chronic"]].tolist() == [2, 1]
    assert out.loc[2021, ["students", "chronic"]].tolist() == [1, 0]
