"""Days gained and dollars a day, with the refusals."""

import pytest

from leapstudy.core.errors import BadInput
from leapstudy.evidence.cost import (
    Grant,
    Range,
    cost_block,
    days,
    dollars_per_served,
    ratio_from_interval,
    split_grants,
)


def test_published_cost_figures():
    per_student = dollars_per_served(10.7e6, 8690)
    assert round(per_student) == 1231
    assert days(8) == pytest.approx(14.4)
    assert days(15) == pytest.approx(27.0)
    assert days(1) == pytest.approx(1.8)
    assert [round(cost / days(effect)) for cost in (per_student, 2842) for effect in (8, 15)] == [86, 46, 197, 105]


def test_impossible_counts_are_refused():
    with pytest.raises(BadInput, match="visited"):
        dollars_per_served(1e6, 0)


def test_shared_grants_are_split_by_enrollment_and_nothing_is_lost():
    grants = (
        Grant(area="x", codes=("a", "b"), dollars=300.0, source=""),
        Grant(area="y", codes=("b",), dollars=50.0, source=""),
    )
    assert split_grants(grants, {"a": 10.0, "b": 20.0, "c": 99.0}) == pytest.approx({"a": 100.0, "b": 250.0})


def test_a_grant_without_enrollment_is_refused():
    with pytest.raises(BadInput, match="cannot be split"):
        split_grants((Grant(area="x", codes=("a",), dollars=1.0, source=""),), {"b": 5.0})


def test_cost_is_refused_where_the_interval_includes_zero():
    for gained in (Range(5, -1, 11), Range(5, 0, 10), Range(-5, -10, 0)):
        found, reason = ratio_from_interval(1000, gained)
        assert found is None
        assert "cannot be bounded" in reason


def test_cost_is_refused_below_zero_and_without_an_interval():
    assert "does not exist" in ratio_from_interval(1000, Range(-5, -8, -2))[1]
    assert "no bounded interval" in ratio_from_interval(1000, Range(5, float("nan"), float("nan")))[1]
    assert "no bounded interval" in ratio_from_interval(1000, Range(5, 2, float("inf")))[1]


def test_cost_above_zero_has_its_interval():
    found, reason = ratio_from_interval(1000, Range(5, 2, 10))
    assert (found, reason) == (Range(200.0, 100.0, 500.0), "")


def test_block_by_hand():
    block = cost_block(1000.0, 10.0, 0.05, Range(0.5, 0.25, 1.0), [("x", 10.0)], ())
    assert block.days_average.value == pytest.approx(0.9)
    assert block.days_visited.low == pytest.approx(9.0)
    # 0.5 points over 5% coverage are 10 points or 18 days for a visited student
    assert block.dollars_per_day.value == pytest.approx(100 / 18)
    assert block.published[0].dollars_per_day == pytest.approx(100 / 18)
    assert block.refusal == ""
