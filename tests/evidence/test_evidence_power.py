"""Coverage, dilution and the smallest detectable effect."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import TTestIndPower

from leapstudy.core.errors import BadInput
from leapstudy.evidence.power import (
    coverage,
    coverage_needed,
    design_mde_pp,
    detectable_grid,
    diluted_pp,
    mde_factor,
    power_block,
    power_of,
    sampling_sd_pp,
    spread_at,
)


def test_published_dilution():
    # 8,690 of 148,083 is 5.9 %; +4 and +15 points on them are +0.2 and +0.9 on the average
    share = coverage(8690, 148083)
    assert share == pytest.approx(0.0587, abs=5e-5)
    assert diluted_pp(4, share) == pytest.approx(0.235, abs=5e-4)
    assert diluted_pp(15, share) == pytest.approx(0.880, abs=5e-4)


@pytest.mark.parametrize(("served", "enrolled"), [(0, 10), (11, 10), (-1, 10)])
def test_impossible_coverage_is_refused(served, enrolled):
    with pytest.raises(BadInput, match="visited"):
        coverage(served, enrolled)


@given(st.floats(0.1, 40), st.floats(0.01, 40))
def test_coverage_needed_inverts_the_dilution(effect, mde):
    needed = coverage_needed(effect, mde)
    if needed is None:
        assert mde > effect
    else:
        assert 0 < needed <= 1
        assert diluted_pp(effect, needed) == pytest.approx(mde)


def test_no_coverage_makes_a_harm_detectable_as_a_gain():
    assert coverage_needed(-3.0, 1.0) is None


def test_power_agrees_with_statsmodels():
    # 12 against 12, standardized effect 0.9: the se is root(2/12)
    reference = TTestIndPower().power(effect_size=0.9, nobs1=12, alpha=0.05)
    assert power_of(0.9, np.sqrt(2 / 12), 22) == pytest.approx(reference, abs=1e-6)


@pytest.mark.parametrize("df", [5, 18, 32, 200])
def test_power_at_the_smallest_detectable_effect_is_80_percent(df):
    # Bloom's sum of two t quantiles stands for the noncentral t; at 5 degrees of freedom it misses by 0.02
    assert power_of(mde_factor(df), 1.0, df) == pytest.approx(0.80, abs=0.02)


def test_power_without_an_effect_is_the_size():
    assert power_of(0.0, 1.0, 20) == pytest.approx(0.05, abs=1e-9)


def test_mde_by_hand():
    # t(0.975, 18) = 2.100922, t(0.8, 18) = 0.862049 (tables); one against 19, sd 1.2
    assert mde_factor(18) == pytest.approx(2.100922 + 0.862049, abs=2e-6)
    assert design_mde_pp(1.2, 1, 19) == pytest.approx(2.962971 * 1.2 * np.sqrt(1 + 1 / 19), abs=5e-6)


@given(st.floats(0.2, 5), st.integers(1, 40), st.integers(2, 200))
def test_another_comparison_district_never_hurts(sd, treated, comparison):
    if treated + comparison - 2 >= 1:
        assert design_mde_pp(sd, treated, comparison + 1) < design_mde_pp(sd, treated, comparison)


def test_mde_is_refused_without_comparison_districts():
    with pytest.raises(BadInput, match="comparison districts"):
        design_mde_pp(1.0, 1, 1)


def test_enrollment_noise_by_hand_and_by_simulation():
    assert sampling_sd_pp(400, 8.0) == pytest.approx(0.4)
    means = np.random.default_rng(3).normal(93, 8, (4000, 400)).mean(axis=1)
    # the sd of 4,000 draws is known to about 1.1 %
    assert means.std() == pytest.approx(sampling_sd_pp(400, 8.0), rel=0.04)


def test_larger_districts_lose_only_the_sampling_part():
    assert spread_at(1.2, 2000, 2000) == pytest.approx(1.2)
    assert spread_at(1.2, 2000, 500) > 1.2 > spread_at(1.2, 2000, 1e9) > 1.15
    # where all of the spread was sampling, nothing but sampling remains
    assert spread_at(0.1, 500, 2000) == pytest.approx(np.sqrt(2) * sampling_sd_pp(2000))


def test_grid_holds_every_combination_and_its_floor():
    grid = detectable_grid(1.2, 2661, [4, 15, 7], 0.0587, (1, 15), (5, 19), (500, 2000))
    assert len(grid) == 8
    one = grid[(grid["n_treated"] == 1) & (grid["n_comparison"] == 19)]
    assert one["p_floor"].to_numpy() == pytest.approx([0.05, 0.05])
    row = grid.iloc[0]
    assert row["mde_pp"] == pytest.approx(design_mde_pp(spread_at(1.2, 2661, 500), 1, 5))
    assert grid["coverage_for_low"].isna().sum() == (grid["mde_pp"] > 4).sum()
    assert (grid["coverage_for_high"] * 15).dropna().to_numpy() == pytest.approx(grid["mde_pp"].to_numpy())


def test_block_counts_what_could_be_seen():
    block = power_block(
        served=100, enrolled=1000, published=[("a", 4.0), ("b", 20.0)], mde_pp=1.5, se_pp=0.5, df=18, enrollment=400
    )
    assert [row.diluted_pp for row in block.published] == pytest.approx([0.4, 2.0])
    assert [row.coverage_needed for row in block.published] == pytest.approx([0.375, 0.075])
    assert block.could_see == 1
    assert block.published[0].power < 0.8 < block.published[1].power
