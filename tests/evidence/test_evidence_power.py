"""Coverage, dilution and the smallest detectable effect."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from leapstudy.core.errors import BadInput
from leapstudy.did.permutation import Permutation, exact
from leapstudy.did.spread import Spread, detectable, mde_factor
from leapstudy.evidence.power import (
    design_mde_pp,
    detectable_grid,
    equivalence,
    power_block,
    sampling_sd_pp,
    spread_at,
)


def of_t(se, df):
    """Return what a t test of one standard error detects."""
    test = Permutation(0.0, np.array([]), 0.5, 0.0001, np.nan, np.nan)
    return detectable(Spread(se, df), test, 1.0)


def test_half_and_four_fifths_of_the_headline():
    # 0.458 with 27.1 degrees of freedom: half of such studies find 0.94 points, 71% find 1.2, four in five 1.33
    seen = of_t(0.458, 27.1)
    assert (seen.half_pp, seen.mde_pp) == pytest.approx((0.94, 1.33), abs=0.005)
    assert [seen.power(effect) for effect in (seen.half_pp, 1.2, seen.mde_pp)] == pytest.approx(
        [0.5, 0.71, 0.8], abs=0.01
    )
    assert seen.power(0.0) == pytest.approx(0.05)


def test_power_is_that_of_statsmodels_but_for_blooms_approximation():
    # 12 against 12, standardized effect 0.9: the se is root(2/12)
    reference = TTestIndPower().power(effect_size=0.9, nobs1=12, alpha=0.05)
    assert of_t(np.sqrt(2 / 12), 22).power(0.9) == pytest.approx(reference, abs=0.02)


def test_a_test_without_a_bounded_interval_detects_nothing():
    test = Permutation(0.7, np.array([]), 0.8, 0.05, -np.inf, np.inf)
    seen = detectable(Spread(1.2, 18), test, 1.0)
    assert seen.mde_pp == seen.half_pp == np.inf and seen.power(50.0) == 0
    assert seen.mde_t_pp == pytest.approx(2.963 * 1.2, abs=0.001)


@pytest.mark.parametrize("effect", [0.0, 1.5, 4.0])
def test_power_of_the_permutation_by_simulation(effect):
    """Draw the treated district's own change around its expectation; the comparison districts stay as they were."""
    rng = np.random.default_rng(8)
    comparison, spread = rng.normal(size=19), Spread(1.05, 18)
    seen = detectable(spread, exact(0.3, comparison), 1.0)
    changes = comparison.mean() + effect + spread.se * rng.standard_t(18, size=4000)
    hits = np.mean([exact(change, comparison).p_value <= 0.05 + 1e-9 for change in changes])
    assert seen.power(effect) == pytest.approx(hits, abs=0.025)


def test_an_effect_is_ruled_out_and_shown_to_be_small_by_hand():
    # (0.88 + 0.336) / 0.458 = 2.655 standard errors: one-sided t(27.1) 0.0065; the other side, (0.88 - 0.336) / 0.458
    # = 1.188
    above, both = equivalence(-0.336, 0.88, 0.458, 27.1)
    assert (above, both) == pytest.approx((0.0065, 0.1226), abs=2e-4)
    # two one-sided tests at 5% are the 90% interval inside the bounds
    inside = stats.t.ppf(0.95, 27.1) * 0.458 + 0.336
    assert equivalence(-0.336, inside, 0.458, 27.1)[1] == pytest.approx(0.05)


def test_mde_by_hand():
    # t(0.975, 18) = 2.100922, t(0.8, 18) = 0.862049 (tables); one against 19, sd 1.2
    assert mde_factor(18) == pytest.approx(2.100922 + 0.862049, abs=2e-6)
    assert design_mde_pp(1.2, 1, 19) == pytest.approx(2.962971 * 1.2 * np.sqrt(1 + 1 / 19), abs=5e-6)


@given(st.floats(0.2, 5), st.integers(1, 40), st.integers(2, 200))
def test_another_comparison_district_never_hurts(sd, treated, comparison):
    if treated + comparison - 2 >= 1:
        assert design_mde_pp(sd, treated, comparison + 1) < design_mde_pp(sd, treated, comparison)


def test_mde_is_refused_without_comparison_districts():
    with pytest.raises(BadInput, match="comparison units"):
        design_mde_pp(1.0, 1, 1)


def test_enrollment_noise_by_hand_and_by_simulation():
    assert sampling_sd_pp(400) == pytest.approx(0.4)
    means = np.random.default_rng(3).normal(93, 8, (4000, 400)).mean(axis=1)
    # the sd of 4,000 draws is known to about 1.1%
    assert means.std() == pytest.approx(sampling_sd_pp(400), rel=0.04)


def test_larger_districts_lose_only_the_sampling_part():
    assert spread_at(1.2, 2000, 2000) == pytest.approx(1.2)
    assert spread_at(1.2, 2000, 500) > 1.2 > spread_at(1.2, 2000, 1e9) > 1.15
    # where all of the spread was sampling, nothing but sampling remains
    assert spread_at(0.1, 500, 2000) == pytest.approx(np.sqrt(2) * sampling_sd_pp(2000))


def test_grid_holds_every_combination_that_can_reject():
    grid = detectable_grid(1.2, 2661).set_index(["n_treated", "n_comparison"])["mde_pp"]
    assert len(grid) == 18
    # one against five or ten can never reject at 5%: the floor is 1/6 and 1/11
    assert grid[grid.isna()].index.tolist() == [(1, 5), (1, 10)]
    assert grid[1, 19] == pytest.approx(design_mde_pp(spread_at(1.2, 2661, 2000), 1, 19))


def test_block_counts_what_could_be_seen():
    block = power_block(0.1, [("a", 4.0), ("b", 20.0)], of_t(0.5, 18), 0.1, 1.15)
    assert [row.diluted_pp for row in block.published] == pytest.approx([0.4, 2.0])
    assert [row.excluded for row in block.published] == [False, True] and block.excluded == 1
    assert block.could_see == 1
    assert block.published[0].power < 0.8 < block.published[1].power
