"""The 2x2 four ways: by hand, by a slow twin, as a regression, and by what must move nothing."""

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from leapstudy.core.errors import BadInput
from leapstudy.data.state import load_state
from leapstudy.did.contrasts import contrasts_of
from leapstudy.did.design import Sample, Spec, build_sample
from leapstudy.did.effect import fit, to_points
from leapstudy.did.permutation import exact, shuffled
from leapstudy.did.spread import mde_factor, spread_of

YEARS = ("2019-20", "2020-21", "2021-22")
rates = st.floats(60, 99, allow_nan=False)


def make(y_treated, y_comparison, weights="equal", scale="points", students=None):
    """Return a sample of the main contrast from two matrices of percentages."""
    y_treated, y_comparison = np.atleast_2d(y_treated).astype(float), np.atleast_2d(y_comparison).astype(float)
    sizes = students if students is not None else np.full(len(y_treated) + len(y_comparison), 1000.0)
    spread = np.repeat(np.asarray(sizes, float)[:, None], 3, axis=1)
    n = len(y_treated)
    return Sample(
        Spec(weights=weights, scale=scale),
        contrasts_of(load_state(), "2021-22")["pre_mean_to_2021_22"],
        tuple(f"t{i}" for i in range(n)),
        tuple(f"c{i}" for i in range(len(y_comparison))),
        YEARS,
        y_treated,
        y_comparison,
        spread[:n],
        spread[n:],
        "2021-22",
    )


def test_a_two_by_two_worked_by_hand():
    # before (90 + 88) / 2 = 89, after 91: the treated district gains 2.
    # comparison: (94 + 92) / 2 = 93 to 93 is 0; (90 + 90) / 2 = 90 to 91 is 1; mean 0.5. Effect 2 - 0.5 = 1.5.
    sample = make([90, 88, 91], [[94, 92, 93], [90, 90, 91]])
    assert sample.difference == pytest.approx(1.5, abs=1e-12)
    # by students 3000 and 1000 the comparison gains 0.75 * 0 + 0.25 * 1: effect 1.75
    weighted = make([90, 88, 91], [[94, 92, 93], [90, 90, 91]], "students", students=[1, 3000, 1000])
    assert weighted.difference == pytest.approx(1.75, abs=1e-12)


def regression(sample):
    """Return the effect as the coefficient of a weighted regression with district and period effects: the slow twin."""
    n = len(sample.treated)
    y, size = (
        np.concatenate(sides)
        for sides in ((sample.y_treated, sample.y_comparison), (sample.sizes_treated, sample.sizes_comparison))
    )
    rows = pd.DataFrame(
        {
            "y": np.concatenate(
                [y[:, sample.columns(of)].mean(axis=1) for of in (sample.contrast.pre, sample.contrast.post)]
            ),
            "district": np.tile(np.arange(len(y)), 2),
            "after": np.repeat([0.0, 1.0], len(y)),
        }
    )
    rows["both"] = rows["after"] * (rows["district"] < n)
    return smf.wls("y ~ both + after + C(district)", rows, weights=np.tile(size, 2)).fit().params["both"]


@settings(max_examples=25)
@given(
    arrays(float, (2, 3), elements=rates), arrays(float, (5, 3), elements=rates), st.sampled_from(["equal", "students"])
)
def test_means_and_regression_are_the_same_number(y_treated, y_comparison, weights):
    sample = make(y_treated, y_comparison, weights, students=np.arange(1, 8) * 500)
    assert sample.difference == pytest.approx(regression(sample), abs=1e-10)


@settings(max_examples=50)
@given(
    arrays(float, (2, 3), elements=rates),
    arrays(float, (4, 3), elements=rates),
    arrays(float, 6, elements=st.floats(-5, 5)),
    arrays(float, 3, elements=st.floats(-5, 5)),
    st.floats(-3, 3),
    st.floats(0.1, 3),
)
def test_what_must_move_nothing_moves_nothing(y_treated, y_comparison, district, year, effect, factor):
    before = make(y_treated, y_comparison).difference
    shifted = make(y_treated + district[:2, None] + year, y_comparison + district[2:, None] + year)
    assert shifted.difference == pytest.approx(before, abs=1e-9)
    scaled = make(factor * y_treated, factor * y_comparison)
    assert scaled.difference == pytest.approx(factor * before, abs=1e-9)
    added = make(y_treated + effect * np.array([0, 0, 1.0]), y_comparison)
    assert added.difference == pytest.approx(before + effect, abs=1e-9)


def _slow_exact(treated, comparison):
    changes = [treated, *comparison]
    effects = [value - np.mean(changes[:k] + changes[k + 1 :]) for k, value in enumerate(changes)]
    return effects, np.mean([abs(value) >= abs(effects[0]) - 1e-12 for value in effects])


@settings(max_examples=60)
@given(st.floats(-5, 5), arrays(float, st.integers(3, 30), elements=st.floats(-5, 5)))
def test_exact_placements_are_those_of_the_slow_twin(treated, comparison):
    test = exact(treated, comparison)
    effects, p_value = _slow_exact(treated, list(comparison))
    assert test.estimate == pytest.approx(effects[0], abs=1e-12)
    assert np.allclose(test.placebos, effects[1:], atol=1e-12) and test.p_value == pytest.approx(p_value)
    assert test.floor == pytest.approx(1 / (len(comparison) + 1)) and test.p_value >= test.floor


@pytest.mark.parametrize("n", [19, 24, 60])
def test_the_interval_is_the_effects_that_the_test_does_not_reject(n):
    rng = np.random.default_rng(n)
    treated, comparison = 1.3, rng.normal(size=n)
    test = exact(treated, comparison)
    for effect in np.linspace(test.estimate - 8, test.estimate + 8, 400):
        accepted = _slow_exact(treated - effect, list(comparison))[1] > 0.05 + 1e-12
        near_an_end = min(abs(effect - test.low), abs(effect - test.high)) < 1e-6
        assert near_an_end or accepted == (test.low <= effect <= test.high)


def test_below_twenty_districts_no_effect_can_be_excluded():
    test = exact(50.0, np.random.default_rng(1).normal(size=12))
    assert (test.low, test.high) == (-np.inf, np.inf) and test.p_value == test.floor > 0.05


def test_shuffled_labels_come_near_the_full_enumeration():
    rng = np.random.default_rng(2)
    treated, comparison = rng.normal(0.8, 1, 3), rng.normal(size=7)
    changes = np.concatenate([treated, comparison])
    observed = stats.ttest_ind(treated, comparison, equal_var=False).statistic
    every = []
    for chosen in itertools.combinations(range(10), 3):
        on = np.isin(np.arange(10), chosen)
        every.append(
            abs(stats.ttest_ind(changes[on], changes[~on], equal_var=False).statistic) >= abs(observed) - 1e-12
        )
    # 9,999 draws: three standard errors of a share are 0.015
    assert shuffled(treated, comparison, seed=3).p_value == pytest.approx(np.mean(every), abs=0.015)


def test_the_same_seed_gives_the_same_p_value_and_nothing_is_changed():
    treated, comparison = np.array([1.0, 2.0]), np.arange(8.0)
    kept = comparison.copy()
    assert shuffled(treated, comparison, 5).p_value == shuffled(treated, comparison, 5).p_value
    assert (comparison == kept).all()


def test_the_permutation_holds_its_size_under_no_effect():
    rng = np.random.default_rng(4)
    rejected = [exact(draw[0], draw[1:]).p_value <= 0.05 for draw in rng.normal(size=(2000, 20))]
    # SIMULATED: with 19 comparison districts the exact size is 1/20; four standard errors are 0.02
    assert np.mean(rejected) == pytest.approx(0.05, abs=0.02)


def test_the_pooled_interval_is_welch():
    rng = np.random.default_rng(5)
    sample = make(rng.uniform(85, 95, (6, 3)), rng.uniform(85, 95, (9, 3)))
    effect = fit(sample)
    low, high = stats.ttest_ind(sample.change_treated, sample.change_comparison, equal_var=False).confidence_interval()
    assert (effect.ci_low_pp, effect.ci_high_pp) == pytest.approx((low, high), abs=1e-10)


def test_the_spread_of_one_treated_district_is_that_of_a_prediction():
    rng = np.random.default_rng(6)
    sample = make(rng.uniform(85, 95, (1, 3)), rng.uniform(85, 95, (12, 3)))
    expected = sample.change_comparison.std(ddof=1) * np.sqrt(1 + 1 / 12)
    assert spread_of(sample).se == pytest.approx(expected, abs=1e-12) and spread_of(sample).df == 11


def test_the_smallest_detectable_effect_is_found_in_four_of_five_cases():
    rng = np.random.default_rng(7)
    changes = rng.normal(size=(4000, 21))
    sample = make(np.full((1, 3), 90.0), np.column_stack([np.full((20, 2), 90.0), 90 + rng.normal(size=20)]))
    factor = mde_factor(spread_of(sample).df)
    se = changes[:, 1:].std(axis=1, ddof=1) * np.sqrt(1 + 1 / 20)
    t = (changes[:, 0] + factor * np.sqrt(1 + 1 / 20) - changes[:, 1:].mean(axis=1)) / se
    # SIMULATED, unit noise: power 0.80, four standard errors are 0.025
    assert np.mean(np.abs(t) > stats.t.ppf(0.975, 19)) == pytest.approx(0.80, abs=0.03)


def test_log_odds_come_back_in_points():
    share = np.array([[0.90, 0.90, 0.92]]), np.array([[0.91, 0.93, 0.91], [0.88, 0.90, 0.90], [0.95, 0.94, 0.95]])
    logit = [np.log(part / (1 - part)) for part in share]
    sample = make(*logit, scale="logodds")
    effect = to_points(sample.difference, sample)
    expected = 100 / (1 + np.exp(-(logit[0][0, 0] + sample.difference))) - 90
    assert effect == pytest.approx(expected, abs=1e-9) and to_points(0.0, sample) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("spec", "codes", "words"),
    [
        ({"comparison": "drg_gh"}, ["2410014"], "no peer"),
        ({"comparison": "drg_gh"}, ["0640011"], "no peer without LEAP"),
        ({"outcome": "chronic_absence"}, ["0640011"], "end with 2019-20"),
        ({"comparison": ("0640011",)}, ["0430011"], "had LEAP itself"),
        ({"comparison": ()}, ["0430011"], "empty"),
        ({"comparison": ("0020011", "0020011")}, ["0430011"], "more than once"),
        ({"comparison": ("9999999",)}, ["0430011"], "9999999"),
        ({"comparison": ("0020011",)}, ["0020011"], "both treated and in the comparison group"),
        ({"edition": "2021-22", "contrast": "pre_mean_to_post_mean"}, ["0430011"], "2022-23"),
        ({"edition": "2021-22", "outcome": "attendance_rate_high_needs"}, ["0430011"], "2021-22"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_reason(study, spec, codes, words):
    with pytest.raises(BadInput) as error:
        build_sample(study, Spec(**spec), codes)
    assert words in str(error.value)
