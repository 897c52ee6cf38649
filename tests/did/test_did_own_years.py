"""Units that started in different years: a case by hand, a slow twin, the staggered estimator, and properties."""

import dataclasses
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

import leapstudy as ls
from leapstudy.core.errors import BadInput
from leapstudy.data.state import load_state
from leapstudy.did.answering import answer_all
from leapstudy.did.contrasts import Clock
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.effect import fit
from leapstudy.did.nested import without_unit
from leapstudy.did.permutation import shuffled, shuffled_starts, started_effects
from leapstudy.did.sample import Sides, each_alone, in_own_years
from leapstudy.did.sensitivity.bounds import robust_bounds
from leapstudy.did.sensitivity.covariates import adjusted, traits_before
from leapstudy.did.spread import mean_variance

# Treated districts whose start a test moves a year on.
LATER = ("0890011", "1510011", "0150011", "1430011")


@pytest.fixture(scope="module")
def two_starts(study):
    return dataclasses.replace(study, starts={**study.starts, **dict.fromkeys(LATER, "2022-23")})


def _rates(data):
    rows = data.attendance[(data.attendance["edition"] == "2022-23") & (data.attendance["group"] == "all")]
    return {(row.district_code, row.year): 100 * row.rate for row in rows.itertuples()}


def _twin(data, sample, pre, post):
    """Return effect and standard error by loops over districts and years, from the table alone."""
    rates, shift = _rates(data), data.state.calendar.shift

    def change(code, start):
        def mean(offsets):
            return sum(rates[code, shift(start, k)] for k in offsets) / len(offsets)

        return mean(post) - mean(pre)

    effects, weights = [], {}
    for code in sample.treated:
        start = data.starts[code]
        others = [change(other, start) for other in sample.comparison]
        effects.append(change(code, start) - sum(others) / len(others))
        weights[start] = weights.get(start, 0) + 1 / len(sample.treated)
    mixed = [sum(w * change(other, start) for start, w in weights.items()) for other in sample.comparison]
    variances = [np.var(values, ddof=1) / len(values) for values in (effects, mixed)]
    return sum(effects) / len(effects), sum(variances) ** 0.5


@pytest.mark.parametrize(
    ("contrast", "pre", "post"), [("pre_mean_to_2021_22", (-2, -1), (0,)), ("2020_21_to_2021_22", (-1,), (0,))]
)
def test_the_pooled_effect_is_the_slow_twins(two_starts, contrast, pre, post):
    sample = build_sample(two_starts, Spec(contrast=contrast), list(two_starts.starts))
    effect = fit(sample, draws=99)
    estimate, se = _twin(two_starts, sample, pre, post)
    assert effect.estimate_pp == pytest.approx(estimate, abs=1e-9) == effect.test.estimate
    assert effect.se_pp == pytest.approx(se, abs=1e-9)


def test_the_staggered_estimator_gives_the_same_in_the_year_of_the_start(two_starts):
    sample = build_sample(two_starts, Spec(contrast="2020_21_to_2021_22"), list(two_starts.starts))
    years = ["2019-20", "2020-21", "2021-22", "2022-23"]
    rates = _rates(two_starts)
    codes = [*sample.treated, *sample.comparison]
    rows = pd.DataFrame([(code, t, rates[code, year]) for code in codes for t, year in enumerate(years)])
    rows.columns = ["unit", "time", "rate"]
    rows["first"] = rows["unit"].map(two_starts.starts).map(years.index, na_action="ignore")
    effects = ls.att_gt(
        rows,
        outcome="rate",
        unit="unit",
        time="time",
        first_treated="first",
        treated=None,
        post=None,
        weights=None,
        control="never",
    )
    own = effects.table[effects.table["event_time"] == 0]
    mean = np.average(own["estimate"], weights=own["n_treated"])
    assert fit(sample, draws=0).estimate_pp == pytest.approx(mean, abs=1e-9)


def test_three_districts_by_hand():
    clock = Clock(load_state(), ("2021-22", "2022-23"))
    # starts x units x years: two treated (one a start), two to compare with
    y = np.array([[[1, 5], [9, 9], [0, 1], [0, 3]], [[9, 9], [2, 3], [0, 4], [0, 6]]], dtype=float)
    contrast = dataclasses.replace(clock.contrasts()["2020_21_to_2021_22"])
    sides = Sides(("a", "b"), ("c", "d"), np.array([0, 1]))
    sample = in_own_years(Spec(), contrast, sides, ("year -1", "year 0"), y, np.ones_like(y), clock)
    # a rose by 4 where the others rose by 2, b by 1 where they rose by 5
    assert fit(sample, draws=0).estimate_pp == pytest.approx((4 - 2 + 1 - 5) / 2)
    assert [float(one.change_treated[0] - one.change_comparison.mean()) for one in each_alone(sample)] == [2, -4]
    left = without_unit(sample, "comparison", 0)
    assert float(left.change_treated.mean() - left.change_comparison.mean()) == pytest.approx((4 - 3 + 1 - 6) / 2)


def test_every_dealing_of_a_small_case_by_brute_force():
    rng = np.random.default_rng(5)
    changes, started = rng.normal(size=(2, 5)), np.array([0, 1])
    found = shuffled_starts(changes, started, seed=1, draws=40_000)

    def scaled(order):
        treated, others = order[:2], order[2:]
        effects = [changes[g, i] - changes[g, others].mean() for g, i in zip(started, treated, strict=True)]
        se = np.sqrt(np.var(effects, ddof=1) / 2 + np.var(changes[:, others].mean(axis=0), ddof=1) / 3)
        return np.mean(effects), se

    (estimate, own), every = scaled([0, 1, 2, 3, 4]), [scaled(list(order)) for order in permutations(range(5))]
    share = np.mean([abs(mean / se) >= abs(estimate / own) - 1e-12 for mean, se in every])
    assert found.estimate == pytest.approx(estimate, abs=1e-12)
    assert found.p_value == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("level", [0, 5_000])
def test_effects_of_deals_weighted_by_students_are_those_of_each_deal_by_itself(level, monkeypatch):
    monkeypatch.setattr("leapstudy.did.permutation.CELLS", 100)
    rng = np.random.default_rng(8)
    changes, size = level + rng.normal(size=(3, 12)), rng.uniform(1, 9, 12)
    deals = rng.permuted(np.tile([0, 0, 1, 2, 2, *[-1] * 7], (40, 1)), axis=1)
    for deal, *found in zip(deals, *started_effects(deals, changes, size), strict=True):
        on, off = deal >= 0, deal < 0
        means = np.average(changes[:, off], axis=1, weights=size[off])
        effects, shares = (
            (changes[deal, range(12)] - means[deal])[on],
            [size[deal == start].sum() for start in range(3)],
        )
        others = np.average(changes[:, off], axis=0, weights=shares)
        sides = (effects, size[on] / size[on].sum()), (others, size[off] / size[off].sum())
        se = np.sqrt(sum(mean_variance(values, weights) for values, weights in sides))
        assert found == pytest.approx([np.average(effects, weights=size[on]), se], rel=1e-8)


def test_one_start_is_the_ordinary_test():
    rng = np.random.default_rng(3)
    treated, comparison = rng.normal(size=4), rng.normal(size=9)
    several = shuffled_starts(np.concatenate([treated, comparison])[None], np.zeros(4, dtype=int), seed=2)
    ordinary = shuffled(treated, comparison, seed=2)
    assert several.estimate == pytest.approx(ordinary.estimate, abs=1e-12)
    assert several.p_value == pytest.approx(ordinary.p_value, abs=0.02)


def test_an_effect_added_in_each_units_own_years_is_found_and_a_shock_of_a_year_is_not(two_starts):
    spec, codes = Spec(), list(two_starts.starts)
    before = fit(build_sample(two_starts, spec, codes), draws=0).estimate_pp
    rows, starts = two_starts.attendance, two_starts.attendance["district_code"].map(two_starts.starts)
    on = (starts <= rows["year"]).fillna(False)
    shock = rows["year"].map({"2021-22": -0.02}).fillna(0.0)
    moved = dataclasses.replace(two_starts, attendance=rows.assign(rate=rows["rate"] + 0.01 * on + shock))
    assert fit(build_sample(moved, spec, codes), draws=0).estimate_pp == pytest.approx(before + 1, abs=1e-9)


def test_a_unit_leaves_after_its_end_and_is_named(two_starts):
    ended = dataclasses.replace(two_starts, ends={"0430011": "2021-22"})
    both = Spec(contrast="pre_mean_to_post_mean")
    with pytest.raises(BadInput, match="2023-24"):
        build_sample(ended, both, list(ended.starts))
    first = [code for code, start in ended.starts.items() if start == "2021-22"]
    assert "0430011" in build_sample(ended, both, first).left_out
    assert "0430011" in build_sample(ended, Spec(), first).treated
    with pytest.raises(BadInput, match=r"ended before .*0430011 in 2021-22"):
        build_sample(ended, both, ["0430011"])
    # an event study ends where the first unit does
    assert build_sample(ended, Spec(), first, ["2019-20", "2020-21", "2021-22", "2022-23"]).years[-1] == "2021-22"


def test_a_unit_without_a_trait_is_as_one_that_was_never_in_the_group(two_starts):
    sample, traits = build_sample(two_starts, Spec(), list(two_starts.starts)), traits_before(two_starts)
    lacking, *others = sample.comparison
    without = build_sample(two_starts, Spec(comparison=tuple(others)), list(two_starts.starts))
    left_out = adjusted(sample, traits.drop(index=lacking))
    assert left_out == adjusted(without, traits) and left_out.n_comparison == len(others)


def test_chronic_absence_that_ends_before_every_start_is_shown_over_its_years_where_starts_differ_too(two_starts):
    """Its table ends with 2019-20, three years before the later start: trends before, and no effect."""
    answer = answer_all(two_starts, Spec(), robust=False)
    assert list(answer.chronic.table["event_time"]) == list(range(-9, -2))
    with pytest.raises(BadInput, match="need a year after the reference"):
        robust_bounds(answer.chronic, "relative_magnitudes")
