"""Lotteries of starts: the draw, all draws there could have been, the effect of offer and visit, bounds for leavers."""

import hashlib
import math
import tracemalloc
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from leapstudy.core.errors import BadInput
from leapstudy.did.lottery import assignment
from leapstudy.did.lottery.assignment import (
    WAITING,
    draw,
    moments,
    n_assignments,
    redrawn_moments,
    redraws,
    shared_places,
)
from leapstudy.did.lottery.rollout import cells_of, rollout, scores_of, welch
from leapstudy.did.lottery.visited import anderson_rubin, complier_effect, lee_bounds
from leapstudy.did.permutation import shuffled

UNITS = st.dictionaries(st.text("abcdefgh0123456789", min_size=1), st.sampled_from("NSE"), min_size=4, max_size=40)


@given(UNITS, st.integers(1, 3), st.text("0123456789", min_size=1), st.randoms())
@settings(max_examples=60)
def test_a_draw_gives_each_phase_its_places_shared_by_size_whatever_the_order_of_the_list(strata, places, seed, chance):
    phases = {"first": places} | ({"second": places} if 2 * places < len(strata) else {})
    drawn = draw(strata, phases, seed)
    assert Counter(item.phase for item in drawn) == {**phases, WAITING: len(strata) - sum(phases.values())}
    sizes, got = Counter(strata.values()), Counter(item.stratum for item in drawn if item.phase == "first")
    for stratum, size in sizes.items():
        # with up to three strata the method of Webster stays within one place of the exact share
        assert abs(got[stratum] - places * size / len(strata)) < 1
    listed = list(strata)
    chance.shuffle(listed)
    assert draw({unit: strata[unit] for unit in listed}, phases, seed) == drawn


def test_a_draw_by_hand():
    ranked = sorted("ABCD", key=lambda unit: hashlib.sha256(f"2027-05-01: 4711|{unit}".encode()).hexdigest())
    drawn = draw(dict.fromkeys("ABCD", "all"), {"2027-28": 1, "2028-29": 2}, "2027-05-01: 4711")
    assert [item.unit for item in drawn] == ranked
    assert [item.phase for item in drawn] == ["2027-28", "2028-29", "2028-29", WAITING]


def test_every_unit_is_drawn_as_often_as_any_other():
    strata = {f"u{i}": "ab"[i % 2] for i in range(10)}
    drawn = Counter(item.unit for n in range(2_000) for item in draw(strata, {"x": 4}, str(n)) if item.phase == "x")
    # 800 each is expected; five standard errors
    assert all(abs(drawn[unit] - 800) < 5 * math.sqrt(2_000 * 0.4 * 0.6) for unit in strata)


@pytest.mark.parametrize(
    ("strata", "phases", "seed", "words"),
    [
        ({"A": "x", "B": "x"}, {"p": 1}, " ", "seed"),
        ({"A": "x"}, {"p": 1}, "1", "two units"),
        ({"A": "x", "B": "x"}, {"p": 2}, "1", "nobody would be left"),
        ({"A": "x", "B": "x"}, {"p": 0}, "1", "at least one place"),
        ({"A": "x", "B": "x"}, {WAITING: 1}, "1", "other than"),
    ],
)
def test_a_draw_that_cannot_be_is_refused(strata, phases, seed, words):
    with pytest.raises(BadInput, match=words):
        draw(strata, phases, seed)


def test_all_assignments_are_enumerated_once_and_redraws_keep_the_strata():
    labels, strata = np.array([0, 0, 1, 2, 1, 0, 2]), np.array([0, 0, 0, 0, 1, 1, 1])
    every, exact = redraws(labels, strata, 1, 1_000)
    twin = {
        first + second
        for first in set(permutations(labels[:4].tolist()))
        for second in set(permutations(labels[4:].tolist()))
    }
    assert exact and {tuple(row) for row in every.tolist()} == twin and len(every) == len(twin)
    assert n_assignments(labels, strata) == len(twin) and (every[0] == labels).all()
    some, exact = redraws(labels, strata, 1, 20)
    assert not exact and len(some) == 21 and {tuple(row) for row in some.tolist()} <= twin


def test_redraws_in_portions_are_the_same_and_take_no_room_for_all(monkeypatch):
    labels, strata = np.arange(6_000) % 3, np.arange(6_000) % 4
    scores = np.random.default_rng(2).normal(size=(2, 6_000, 12))
    whole = moments(scores, redraws(3 * strata + labels, strata, 7, 400)[0])
    monkeypatch.setattr(assignment, "AT_ONCE", 6_000 * 7)
    tracemalloc.start()
    some, exact = redrawn_moments(scores, 3 * strata + labels, strata, 7, 400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not exact and peak < 6_000 * 400 * 8 / 2, "all redraws at once take 19 MB, and their order as much again"
    assert all(np.allclose(getattr(some, name), getattr(whole, name)) for name in ("totals", "covariance", "squares"))


def test_scores_are_those_of_every_cell_and_take_room_for_the_own_stratum_alone():
    rng, strata = np.random.default_rng(6), np.repeat([4, 0, 7], [9, 8, 4])
    start = np.concatenate([np.repeat([1, 2, 3], 3), np.repeat([2, 3], 4), np.repeat([1, 3], 2)])
    outcome, visits = rng.normal(90, 3, (21, 3)), rng.normal(size=(21, 3))
    cells = cells_of(outcome, start, strata)
    centered = [values - values.mean(axis=0) for values in (outcome, visits)]
    whole = np.stack([values @ weights.T for values in centered for weights in (cells.effect, cells.before)])
    every = redraws(cells.of, strata, 3, 50)[0]
    slow, quick = moments(whole, every), moments(scores_of(cells, outcome, visits), every, cells.first)
    for name in ("totals", "covariance", "squares"):
        np.testing.assert_allclose(getattr(quick, name), getattr(slow, name), rtol=1e-12, atol=1e-14)
    many = np.repeat(np.arange(500), 4)
    outcome, start = rng.normal(90, 3, (2_000, 3)), np.tile([1, 1, 3, 3], 500)
    cells = cells_of(outcome, start, many)
    tracemalloc.start()
    scores = scores_of(cells, outcome)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert scores.shape == (2, 2_000, 2) and peak < 1_000_000, "all cells of 500 strata take 32 MB"


def test_welch_is_that_of_the_cells_worked_out_one_by_one():
    rng, of = np.random.default_rng(4), np.repeat([0, 1, 2, 3], [3, 4, 5, 8])
    scores, weights = rng.normal(size=(2, 20, 4)), np.array([1.0, -0.7])
    own = weights @ scores[:, np.arange(20), of]
    parts = np.array([own[of == cell].var(ddof=1) / (of == cell).sum() for cell in range(4)])
    slow = parts.sum() ** 2 / sum(part**2 / ((of == cell).sum() - 1) for cell, part in enumerate(parts))
    assert welch(moments(scores, of[None, :]), weights[None, :])[0] == pytest.approx(slow, rel=1e-12)


def _panel(seed=3, n=40, periods=4, effect=0.0, level_sd=3.0):
    rng = np.random.default_rng(seed)
    level = rng.normal(90, level_sd, (n, 1))
    half = np.repeat([2, 3, periods], [n // 8, n // 8, n // 2 - 2 * (n // 8)])
    start, strata = np.concatenate([rng.permutation(half), rng.permutation(half)]), np.repeat([0, 1], n // 2)
    offered = np.arange(periods) >= start[:, None]
    return level + rng.normal(0, 1, (n, periods)) + effect * offered, start, strata


def _twin(y, start, strata, adjustment):
    """Return estimate and variance as the paper writes them: loops over strata, cohorts and periods, one by one."""
    periods = y.shape[1]
    pairs = [
        (s, g, t)
        for s in set(strata)
        for g in set(start[strata == s])
        for t in range(g, periods)
        if (start[strata == s] > t).any()
    ]
    count = {(s, g): int(((strata == s) & (start == g)).sum()) for s in set(strata) for g in set(start)}
    total = sum(count[s, g] for s, g, _ in pairs)
    unit = np.zeros((len(y), 2))
    for s, g, t in pairs:
        treated, others = (strata == s) & (start == g), (strata == s) & (start > t)
        weight = count[s, g] / total
        for column, period in ((0, t), (1, g - 1)):
            unit[treated, column] += weight * y[treated, period]
            for i in np.flatnonzero(others):
                unit[i, column] -= weight * count[s, start[i]] / others.sum() * y[i, period]
    cells = [(strata == s) & (start == g) for s, g in count if count[s, g]]
    theta, x = (sum(unit[cell, k].mean() for cell in cells) for k in (0, 1))
    v = sum(np.cov(unit[cell].T) / cell.sum() for cell in cells)
    beta = {"efficient": v[0, 1] / v[1, 1], "did": 1.0, "difference": 0.0}[adjustment]
    return theta - beta * x, v[0, 0] - 2 * beta * v[0, 1] + beta**2 * v[1, 1]


@pytest.mark.parametrize("adjustment", ["efficient", "did", "difference"])
def test_the_estimator_is_its_slow_twin(adjustment):
    y, start, strata = _panel(effect=1.0)
    done = rollout(y, start, strata, adjustment=adjustment, most=99)
    estimate, variance = _twin(y, start, strata, adjustment)
    assert (done.estimate, done.se**2) == pytest.approx((estimate, variance), rel=1e-10)


def test_two_arms_without_adjustment_are_welch_and_studentized_shuffles():
    y, start, _ = _panel(n=12, periods=3)
    on = start == 2
    done = rollout(y, np.where(on, 2, 3), adjustment="difference", most=5_000)
    treated, waiting = y[on, 2], y[~on, 2]
    assert done.se**2 == pytest.approx(treated.var(ddof=1) / len(treated) + waiting.var(ddof=1) / len(waiting))
    peer = shuffled(treated, waiting, seed=1, draws=20_000)
    assert done.exact and done.p_floor == pytest.approx(1 / math.comb(12, int(on.sum())))
    assert done.p_value == pytest.approx(peer.p_value, abs=0.02)


def test_an_added_effect_moves_estimate_and_both_intervals_by_itself():
    y, start, strata = _panel()
    offered = np.arange(y.shape[1]) >= start[:, None]
    before, after = (rollout(y + add * offered, start, strata, adjustment="did", most=299) for add in (0.0, 2.5))
    for name in ("estimate", "low", "high", "redraw_low", "redraw_high"):
        assert getattr(after, name) - getattr(before, name) == pytest.approx(2.5, abs=1e-3)
    assert (before.p_value <= 0.05) == (not before.redraw_low < 0 < before.redraw_high)


def test_efficient_is_the_most_precise_and_randomization_inference_keeps_its_size():
    rejected, spread = 0, []
    for seed in range(200):
        y, start, strata = _panel(seed=seed, n=40, level_sd=1.0)
        done = rollout(y, start, strata, seed=seed, most=199)
        rejected += done.p_value <= 0.05
        spread.append(
            [rollout(y, start, strata, adjustment=a, most=1).estimate for a in ("efficient", "did", "difference")]
        )
    # 10 of 200 are expected by chance, 19 is three standard errors above
    assert rejected <= 19
    efficient, did, difference = np.std(spread, axis=0)
    assert efficient < did < difference


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y, s: (np.where(np.arange(y.size).reshape(y.shape) == 5, np.nan, y), s), "1 units lack"),
        (lambda y, s: (y, np.where(np.arange(len(s)) == 0, 0, s)), "first period"),
        (lambda y, s: (y, np.full(len(s), 2)), "still wait"),
        (lambda y, s: (y, np.where(np.arange(len(s)) == 0, 1, np.maximum(s, 2))), "one unit"),
        (lambda y, s: (np.full_like(y, 3.0), s), "does not vary"),
    ],
)
def test_what_a_lottery_cannot_carry_is_refused(change, words):
    y, start, _ = _panel()
    with pytest.raises(BadInput, match=words):
        rollout(*change(y, start))


def _offer(seed=0, take=0.6, n=400):
    rng = np.random.default_rng(seed)
    offered = rng.permutation(np.repeat([True, False], n // 2))
    willing, before = rng.random(n) < take, rng.normal(88, 4, n)
    visited = offered & willing
    after = before + rng.normal(0, 2, n) - 1.0 * willing + 3.0 * visited
    visits = np.stack([np.zeros(n), visited], axis=1).astype(float)
    return np.stack([before, after], axis=1), visits, np.where(offered, 1, 2)


def test_the_complier_set_is_where_a_robust_regression_does_not_reject():
    y, visits, start = _offer()
    done = complier_effect(y, visits, start, adjustment="difference")
    design = sm.add_constant((start == 1).astype(float))
    for tau in (done.low, done.high):
        fit = sm.OLS(y[:, 1] - tau * visits[:, 1], design).fit(cov_type="HC2")
        assert abs(fit.tvalues[1]) == pytest.approx(1.966, abs=0.003)
    # truth is 3 for the willing
    assert done.shape == "bounded" and done.low < 3 < done.high and done.first_stage_f > 100


def test_an_offer_that_moves_nobody_gives_an_unbounded_set_and_says_so():
    y, visits, start = _offer()
    never = complier_effect(y, np.zeros_like(visits), start)
    assert never.shape == "whole line" and np.isnan(never.estimate) and "whole line" in never.sentence()
    assert anderson_rubin(3.0, 0.1, np.diag([1.0, 1.0]), 1.96)[0] == "two rays"
    rays = anderson_rubin(3.0, 0.1, np.diag([1.0, 1.0]), 1.96)
    taus = np.linspace(-50, 50, 4_001)
    accepted = (3.0 - 0.1 * taus) ** 2 <= 1.96**2 * (1 + taus**2)
    np.testing.assert_array_equal(accepted, (taus <= rays[2]) | (taus >= rays[1]))


def test_the_complier_set_covers_the_truth_whether_the_offer_is_strong_or_weak():
    for take in (0.6, 0.05):
        inside = 0
        for seed in range(200):
            y, visits, start = _offer(seed, take, 120)
            done = complier_effect(y, visits, start)
            between = done.low <= 3 <= done.high
            outside = done.shape == "two rays" and (done.high >= 3 or done.low <= 3)
            inside += done.shape == "whole line" or (done.shape == "bounded" and between) or outside
        # 190 of 200 are expected, 181 is three standard errors below
        assert inside >= 181


def _trimmed_twin(y, offered):
    """Try every way to drop whole units of the fuller side; its extreme means are the bounds."""
    on, off = y[offered], y[~offered]
    on, off = on[np.isfinite(on)], off[np.isfinite(off)]
    return sorted(on)[: len(off)], sorted(on)[-len(off) :], off.mean()


def test_lee_bounds_are_the_trimmed_means_and_hold_the_effect():
    rng = np.random.default_rng(5)
    n, offered = 400, np.repeat([True, False], 200)
    stays = rng.random(n) < np.where(offered, 0.95, 0.85)
    y = np.where(stays, rng.normal(0, 1, n) + 0.5 * offered, np.nan)
    bounds = lee_bounds(y, offered, seed=2, resamples=199)
    low, high, off = _trimmed_twin(y, offered)
    assert (bounds.lower, bounds.upper) == pytest.approx((np.mean(low) - off, np.mean(high) - off))
    assert bounds.low < bounds.lower < 0.5 < bounds.upper < bounds.high
    mirrored = lee_bounds(-y, offered, seed=2, resamples=9)
    assert (mirrored.lower, mirrored.upper) == pytest.approx((-bounds.upper, -bounds.lower))
    swapped = lee_bounds(y, ~offered, seed=2, resamples=9)
    assert (swapped.lower, swapped.upper) == pytest.approx((-bounds.upper, -bounds.lower))


def test_without_leavers_the_bounds_are_the_difference_of_means():
    y, offered = np.array([1.0, 2, 3, 5, 1, 1, 2, 2]), np.repeat([True, False], 4)
    bounds = lee_bounds(y, offered, seed=1, resamples=99)
    assert bounds.lower == bounds.upper == pytest.approx(1.25)
    with pytest.raises(BadInput, match="two measured"):
        lee_bounds(np.where(offered, np.nan, y), offered, seed=1)


@pytest.mark.parametrize("seed", range(40))
def test_places_shared_many_at_once_are_those_shared_one_by_one(seed):
    rng = np.random.default_rng(seed)
    sizes = dict(enumerate(rng.integers(1, int(rng.choice([9, 400])), rng.integers(1, 12)).tolist()))
    for places in rng.integers(0, sum(sizes.values()) + 1, 10).tolist():
        one_by_one = dict.fromkeys(sizes, 0)
        for _ in range(places):
            one_by_one[max(sizes, key=lambda name: sizes[name] / (2 * one_by_one[name] + 1))] += 1
        assert shared_places(sizes, places) == one_by_one
