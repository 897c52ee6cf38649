"""Effect sizes and corrections of the What Works Clearinghouse, against values worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from leapstudy.core.errors import BadInput
from leapstudy.evidence.wwc import (
    baseline_category,
    cluster_correction,
    confounding_reason,
    cox_index,
    hedges_g,
    improvement_index,
)

SHARES = st.floats(0.001, 0.999)


def test_hedges_g_by_hand():
    # means 6 and 5, both sd 1, N = 6: (1 - 3/15) * 1
    assert hedges_g(6, 5, 1, 1, 3, 3) == pytest.approx(0.8, abs=1e-12)
    assert hedges_g(91.2, 93.0, 8, 7, 5000, 60000) == pytest.approx(-0.25417, abs=5e-6)


def test_hedges_g_equals_its_slow_twin():
    rng = np.random.default_rng(1)
    treated, comparison = rng.normal(1, 2, 9), rng.normal(0, 3, 14)
    deviations = [*(treated - treated.mean()), *(comparison - comparison.mean())]
    spread = (sum(value**2 for value in deviations) / (9 + 14 - 2)) ** 0.5
    slow = (1 - 3 / (4 * 23 - 9)) * (treated.mean() - comparison.mean()) / spread
    fast = hedges_g(treated.mean(), comparison.mean(), treated.std(ddof=1), comparison.std(ddof=1), 9, 14)
    assert fast == pytest.approx(slow, rel=1e-12)


@given(st.floats(-50, 50), st.floats(0.1, 20), st.floats(0.1, 20), st.floats(0.1, 10), st.floats(-5, 5))
def test_hedges_g_knows_no_unit_and_no_origin(gap, sd_t, sd_c, scale, shift):
    plain = hedges_g(gap, 0, sd_t, sd_c, 20, 30)
    moved = hedges_g(scale * gap + shift, shift, scale * sd_t, scale * sd_c, 20, 30)
    assert moved == pytest.approx(plain, rel=1e-6, abs=1e-6)


def test_hedges_g_is_refused_without_spread():
    with pytest.raises(BadInput, match="does not exist"):
        hedges_g(1, 0, 0, 0, 5, 5)


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


@pytest.mark.parametrize(("g", "index"), [(0.25, 9.87), (0.10, 3.98), (0.0, 0.0)])
def test_improvement_index_published_values(g, index):
    assert improvement_index(g) == pytest.approx(index, abs=5e-3)
    assert improvement_index(-g) == pytest.approx(-index, abs=5e-3)


@pytest.mark.parametrize(("icc", "t", "df", "p"), [(0.10, 1.743, 338.4, 0.0822), (0.20, 1.349, 231.7, 0.1788)])
def test_cluster_correction_published_values(icc, t, df, p):
    found = cluster_correction(0.30, 200, 200, 20, icc)
    assert found.t == pytest.approx(t, abs=5e-4)
    assert found.df == pytest.approx(df, abs=0.05)
    assert found.p_value == pytest.approx(p, abs=5e-5)


def test_cluster_correction_without_clustering_is_the_t_test():
    # with no correlation inside clusters nothing is corrected
    found = cluster_correction(0.30, 200, 200, 20, icc=0.0)
    plain = 0.30 / np.sqrt(400 / 200**2 + 0.30**2 / 800)
    assert found.t == pytest.approx(plain, rel=1e-12)
    assert found.df == pytest.approx(398, rel=1e-12)
    assert found.p_value == pytest.approx(2 * stats.t.sf(plain, 398), rel=1e-10)


@given(st.floats(0.01, 0.6))
def test_more_likeness_inside_clusters_never_helps(icc):
    assert cluster_correction(0.3, 200, 200, 20, icc).p_value > cluster_correction(0.3, 200, 200, 20, 0.0).p_value


def test_cluster_correction_refuses_impossible_clusters():
    with pytest.raises(BadInput, match="clusters"):
        cluster_correction(0.3, 200, 200, 2)


def test_one_district_is_a_confounding_factor_and_two_are_not():
    assert "confounding factor" in confounding_reason(1)
    assert confounding_reason(2) == ""
