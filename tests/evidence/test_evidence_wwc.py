"""Effect sizes and corrections of the What Works Clearinghouse, against values worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leapstudy.core.errors import BadInput
from leapstudy.evidence.standards import (
    baseline_category,
    confounding_reason,
    cox_index,
)

SHARES = st.floats(0.001, 0.999)


@pytest.mark.parametrize(
    ("treated", "comparison", "index"),
    [(0.24, 0.18, 0.22040), (0.30, 0.20, 0.32666), (0.35, 0.12, 0.83), (0.35, 0.30, 0.14)],
)
def test_cox_index_published_values(treated, comparison, index):
    # the last two are published with two digits
    assert cox_index(treated, comparison) == pytest.approx(index, abs=5e-6 if index in (0.22040, 0.32666) else 5e-3)


@given(SHARES, SHARES)
def test_cox_index_turns_its_sign_with_the_sides_and_with_the_outcome(a, b):
    index = cox_index(a, b)
    assert cox_index(b, a) == pytest.approx(-index, abs=1e-12)
    assert cox_index(1 - a, 1 - b) == pytest.approx(-index, abs=1e-9)


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_cox_index_does_not_exist_at_the_edges(edge):
    assert cox_index(edge, 0.2) is None
    assert cox_index(0.2, edge) is None


def test_cox_index_refuses_percent():
    with pytest.raises(BadInput, match="Divide a percent by 100"):
        cox_index(24, 0.18)


@pytest.mark.parametrize(
    ("size", "category"),
    [
        (0.0, "satisfied"),
        (0.05, "satisfied"),
        (-0.05, "satisfied"),
        (0.0500001, "satisfied with adjustment"),
        (0.25, "satisfied with adjustment"),
        (-0.25, "satisfied with adjustment"),
        (0.2500001, "not satisfied"),
        (0.1 + 0.15, "satisfied with adjustment"),
    ],
)
def test_both_edges_of_the_categories_are_inclusive(size, category):
    assert baseline_category(size) == category


def test_one_district_is_a_confounding_factor_and_two_are_not():
    assert "confounding factor" in confounding_reason(1)
    assert confounding_reason(2) == ""
