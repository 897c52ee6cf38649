"""Deals of a program into past periods: the noise that they show is that of the lottery, found by brute force."""

import numpy as np
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.did.lottery.assignment import redraws, small_strata
from leapstudy.did.lottery.rollout import deal, planned_starts, rollout


def _past(n=60, periods=3, seed=2, strata=2):
    rng = np.random.default_rng(seed)
    return rng.normal(90, 4, (n, 1)) + rng.normal(0, 1, (n, periods)), np.repeat(np.arange(strata), n // strata)


def test_deals_are_many_rollouts():
    y, strata = _past()
    phases = {1: 0.2, 2: 0.3}
    start, groups = planned_starts(strata, phases, 3, seed=5)
    cells = np.unique(np.stack([groups, start], axis=1), axis=0, return_inverse=True)[1].ravel()
    drawn, _ = redraws(cells, groups, 5, 39)
    start_of = {cell: start[cells == cell][0] for cell in range(cells.max() + 1)}
    twins = [rollout(y, np.array([start_of[cell] for cell in row]), groups, most=1) for row in drawn]
    done = deal([(y, strata)], phases, seed=5, deals=40)
    assert (done.n_units, done.n_offered, done.strata, len(done.estimates)) == (60, 30, 2, 40)
    assert done.estimates == pytest.approx([twin.estimate for twin in twins])
    assert done.false_positive_t == np.mean([not twin.low <= 0 <= twin.high for twin in twins])
    far = [abs(twin.estimate / twin.se) for twin in twins]
    p_values = [np.mean([other >= own - 1e-9 for other in far]) for own in far]
    assert done.false_positive == np.mean([p <= 0.05 for p in p_values]) == 0.05
    # with the detectable effect added, 80% of the deals are as far from zero as the farthest 5% without it
    least = min(own for own, p in zip(far, p_values, strict=True) if p <= 0.05)
    found = np.mean([(twin.estimate + done.detectable) / twin.se >= least - 1e-9 for twin in twins])
    assert found == pytest.approx(0.8, abs=1 / 40)


def test_the_planned_test_keeps_its_size_and_power_is_as_told():
    y, strata = _past(n=80)
    done = deal([(y, strata)], {1: 0.5}, seed=3, deals=2_000)
    # three standard errors of 5% in 2,000 deals
    sd = np.std(done.estimates, ddof=1)
    assert (
        done.false_positive == 0.05
        and abs(done.false_positive_t - 0.05) < 0.015
        and abs(done.mean) < 4 * sd / 2_000**0.5
    )
    # noise of 1 before and after, efficient between a difference and a change: the textbook factor is 2.8
    assert done.detectable == pytest.approx(2.85 * sd, rel=0.06)
    assert deal([(y, strata)], {1: 0.5}, seed=3, deals=2_000) == done


def test_where_no_redraw_is_rare_enough_no_effect_can_be_found():
    y, strata = _past(n=8, strata=1)
    done = deal([(y, strata)], {1: 0.5}, seed=1)
    assert len(done.estimates) == 70 and 0 < done.false_positive <= 0.05 and np.isfinite(done.detectable)
    few = deal([_past(n=4, strata=1)], {1: 0.5}, seed=1)
    assert len(few.estimates) == 6 and few.false_positive == 0 and np.isinf(few.detectable)


def test_more_units_or_windows_are_counted_and_more_units_find_less():
    small, large = (deal([_past(n)], {1: 0.5}, seed=1) for n in (40, 160))
    assert large.detectable < 0.65 * small.detectable
    both = deal([_past(40), _past(44, seed=9)], {1: 0.5}, seed=1)
    assert (len(both.estimates), both.n_units) == (300, 44)


def test_small_strata_are_joined_so_that_every_cell_has_two():
    strata = np.repeat(np.arange(12), [30, 20, *[3] * 10])
    start, groups = planned_starts(strata, {1: 0.25, 2: 0.25}, 4, seed=1)
    cells = np.unique(np.stack([groups, start], axis=1), axis=0, return_counts=True)[1]
    assert len(set(groups.tolist())) == 3 and cells.min() >= 2
    assert np.bincount(start, minlength=5).tolist() == [0, 20, 20, 0, 40]
    assert small_strata({"a": 9, "b": 1}, [0.5]) == {"a", "b"}


@pytest.mark.parametrize(("phases", "words"), [({}, "below 1"), ({1: 1.0}, "below 1"), ({1: 0.5, 2: 0.5}, "below 1")])
def test_a_plan_in_which_nobody_waits_is_refused(phases, words):
    with pytest.raises(BadInput, match=words):
        deal([_past()], phases, seed=1)
