"""Robust bounds meet the published table of the Medicaid example, from our own event study on the rows."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from moments_twin import moments_of

from leapstudy.core.errors import BadInput
from leapstudy.core.quiet import quiet
from leapstudy.did import honest
from leapstudy.did.honest import (
    Problem,
    breakdown,
    honest_bounds,
    magnitudes_include_zero,
    magnitudes_interval,
    smoothness_interval,
)
from leapstudy.did.staggered.att_gt import Choices, att_gt
from leapstudy.did.staggered.effects import cs_effects
from leapstudy.students.moments.record import NEVER

pytestmark = pytest.mark.reference
DATA = Path(__file__).parent / "data"
SMOOTHNESS = {0.0: (0.0259, 0.0607), 0.03: (-0.00714, 0.101)}
MAGNITUDES = {0.5: (0.0241, 0.0673), 1.0: (0.0171, 0.0720), 1.5: (0.00859, 0.0796), 2.0: (-0.00107, 0.0883)}
FIRST = np.array([1.0, 0.0])


@pytest.fixture(scope="module")
def medicaid():
    """States that expanded in 2014 against those that had not by 2015, 2008 to 2015;
    clustered by state as in `fixest`.
    """
    rows = pd.read_csv(DATA / "ehec.csv")
    rows = rows[(rows["year"] < 2016) & (rows["expansion_year"] != 2015)]
    cohort = rows["expansion_year"].where(rows["expansion_year"] == 2014, NEVER).astype(float)
    moments = moments_of(
        pd.DataFrame({"unit": rows["stfips"], "period": rows["year"], "y": rows["dins"], "cohort": cohort})
    )
    # with one start in a balanced panel ATT(g,t) and its influence are those of the event study's regression
    fit = cs_effects(moments, att_gt(moments, Choices(base="universal")))
    states, years, n = moments.students.sum(), len(moments.periods), len(rows)
    parameters = 2 * years - 1  # years, and event times but the base; state effects are not counted
    factor = states / (states - 1) * (n - 1) / (n - parameters)
    return fit.estimate[:-1], factor * fit.covariance[:-1, :-1]


def test_smoothness_meets_the_published_table(medicaid):
    found = honest_bounds(Problem(*medicaid, 5, 2, FIRST), "smoothness", list(SMOOTHNESS))
    # published to three digits
    np.testing.assert_allclose(found[["low_pp", "high_pp"]], list(SMOOTHNESS.values()), atol=6e-4)
    assert found["bound"].tolist() == list(SMOOTHNESS)


def test_relative_magnitudes_meet_the_published_table(medicaid):
    found = honest_bounds(Problem(*medicaid, 5, 2, FIRST), "relative_magnitudes", list(MAGNITUDES))
    # the published ones are read off a grid and use the hybrid test: 0.09 standard errors
    np.testing.assert_allclose(found[["low_pp", "high_pp"]], list(MAGNITUDES.values()), atol=8.5e-4)


def test_the_breakdown_value_lies_where_the_table_crosses_zero(medicaid):
    assert 1.5 < breakdown(Problem(*medicaid, 5, 2, FIRST), "relative_magnitudes", 4.0) <= 2.0
    assert breakdown(Problem(*medicaid, 5, 2, FIRST), "relative_magnitudes", 0.5) == np.inf
    estimate, variance = medicaid
    assert breakdown(Problem(0 * estimate, variance, 5, 2, FIRST), "relative_magnitudes", 4.0) == 0.0
    assert breakdown(Problem(0 * estimate, variance, 5, 2, FIRST), "smoothness", 0.1) == 0.0
    assert breakdown(Problem(estimate, variance, 5, 2, FIRST), "smoothness", 0.01) == np.inf


def test_one_month_after_gives_the_same_as_leaving_the_second_out_of_the_weights(medicaid):
    estimate, variance = medicaid
    one = honest_bounds(Problem(estimate[:6], variance[:6, :6], 5, 1, np.array([1.0])), "relative_magnitudes", [1.0])
    two = honest_bounds(Problem(estimate, variance, 5, 2, FIRST), "relative_magnitudes", [1.0])
    np.testing.assert_allclose(one[["low_pp", "high_pp"]], two[["low_pp", "high_pp"]], atol=5e-4)


def test_the_same_figures_give_the_same_bounds_in_silence(medicaid, capfd, recwarn):
    first, again = (honest_bounds(Problem(*medicaid, 5, 2, FIRST), "relative_magnitudes", [0.5]) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert not [one for one in recwarn if one.category is not ResourceWarning] and capfd.readouterr() == ("", "")


@pytest.mark.parametrize("largest", [0, 1])
def test_the_earliest_and_the_last_change_before_both_count(largest):
    """With two periods before, moderndid 0.2 looks at one of the changes only; which one is largest must not matter."""
    estimate = np.array([[2.0, 0.0], [2.0, 2.0]][largest] + [6.0])  # changes 2, 0 and 0, 2
    found = honest_bounds(Problem(estimate, 0.01 * np.eye(3), 2, 1, np.ones(1)), "relative_magnitudes", [1.0])
    # a later change of 2 either way, and two to three standard errors of 0.1 (uncorrelated) beyond it
    assert 3.6 < found["low_pp"].iloc[0] < 4.0 and 8.0 < found["high_pp"].iloc[0] < 8.4


@pytest.mark.parametrize(("kind", "grid"), [("smoothness", 0.03), ("relative_magnitudes", 1.0)])
def test_the_unit_does_not_matter(medicaid, kind, grid):
    estimate, variance = medicaid
    one = honest_bounds(Problem(estimate, variance, 5, 2, FIRST), kind, [grid])
    unit = 100 if kind == "smoothness" else 1
    points = honest_bounds(Problem(100 * estimate, 1e4 * variance, 5, 2, FIRST), kind, [unit * grid])
    np.testing.assert_allclose(points[["low_pp", "high_pp"]], 100 * one[["low_pp", "high_pp"]], rtol=1e-6)


def test_what_cannot_be_bounded_is_refused_at_once(medicaid):
    estimate, variance = medicaid
    with pytest.raises(BadInput, match="a weight each"):
        honest_bounds(Problem(*medicaid, 5, 2, np.ones(3) / 3), "smoothness", [0.0])
    with pytest.raises(BadInput, match="at least 2 effects before"):
        honest_bounds(Problem(estimate[4:], variance[4:, 4:], 1, 2, FIRST), "smoothness", [0.0])
    with pytest.raises(BadInput, match="at least 1 effects before"):
        honest_bounds(Problem(estimate[5:], variance[5:, 5:], 0, 2, FIRST), "relative_magnitudes", [0.0])
    with pytest.raises(BadInput, match="Legal: smoothness"):
        honest_bounds(Problem(*medicaid, 5, 2, FIRST), "wild", [0.0])


def test_a_set_wider_than_the_first_grid_is_not_cut():
    """Five months before of 0.3 up and down, seven after of 3, errors of 1:
    an independent computation on a coarser grid gives -10.05 to 16.05.
    """
    estimate = np.array([0.3, -0.3, 0.3, -0.3, 0.3, *[3.0] * 7])
    problem = Problem(estimate, np.eye(12), 5, 7, np.array([0, 1, 1, 1, 1, 1, 1]) / 6)
    assert magnitudes_interval(problem, 1.0) == pytest.approx((-10.05, 16.05), abs=0.15)


def _problem(seed):
    """Return a problem with one to four effects on each side, any covariance, and weights of any kind."""
    rng = np.random.default_rng(seed)
    n_pre, n_post = (int(count) for count in rng.integers(1, 5, 2))
    noise = rng.normal(size=(n_pre + n_post, n_pre + n_post + 3))
    mean, first = np.full(n_post, 1 / n_post), np.eye(n_post)[0]
    after_first = mean if n_post == 1 else np.append(0, np.full(n_post - 1, 1 / (n_post - 1)))
    weights = (mean, first, after_first, rng.normal(size=n_post))[int(rng.integers(4))]
    estimate = rng.normal(size=n_pre + n_post) * rng.choice([0.3, 1, 3])
    return Problem(estimate, noise @ noise.T / 5, n_pre, n_post, weights)


def _by_linear_programs(problem, m_bar, values):
    """Judge two values by `moderndid`, which solves linear programs, in the form that it solves well.

    Version 0.2 leaves the earliest change out of the largest one: given the earliest period twice, it leaves out a
    change of nothing. Weights of zero become a millionth of the largest, and one effect after gets a second one.
    """
    from moderndid import didhonest

    p = problem.scaled()
    b, covariance, weights, n_post = p.estimate, p.covariance, p.weights, p.n_post
    if n_post == 1:
        b, covariance, weights, n_post = np.append(b, b[-1]), np.pad(covariance, (0, 1)), np.append(weights, 0), 2
        covariance[-1, -1] = covariance[-2, -2]
    twice = np.append(0, np.arange(len(b))) if version("moderndid").startswith("0.2.") else np.arange(len(b))
    weights = np.where(weights == 0, 1e-6 * np.abs(weights).max(), weights)
    ends = np.asarray(values) / p.unit  # the whole grid, so that each end is judged by itself
    with quiet():
        found = didhonest.create_sensitivity_results_rm(
            b[twice],
            covariance[np.ix_(twice, twice)],
            len(twice) - n_post,
            n_post,
            method="Conditional",
            m_bar_vec=[m_bar],
            l_vec=weights,
            alpha=0.05,
            grid_points=2,
            grid_lb=ends[0],
            grid_ub=ends[1],
        )
    return [found["lb"][0] == ends[0], found["ub"][0] == ends[1]]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("m_bar", [0.0, 1.0])
def test_every_value_is_judged_as_linear_programs_judge_it(seed, m_bar):
    problem = _problem(seed)
    low, high = magnitudes_interval(problem, m_bar)
    for shares, held in (((0.001, 0.999), True), ((0.3, 0.7), True), ((-0.001, 1.001), False)):
        values = low + (high - low) * np.array(shares)
        assert _by_linear_programs(problem, m_bar, values) == [held, held], shares


def test_the_leader_is_cut_where_another_candidate_would_overtake_it():
    """By hand: 1.5 with variance 1; the other, 1 now, moves twice as much and overtakes at 2.
    (Phi(2) - Phi(1.5)) / Phi(2) = 0.0451, where 1 - Phi(1.5) = 0.0668.
    """
    candidates = honest._Polyhedron(np.array([1.5, 1.0]), np.zeros(2), np.array([[1.0, 2.0], [2.0, 4.5]]))
    assert candidates.include(np.zeros(1)).tolist() == [False]


@pytest.mark.parametrize("seed", range(20))
def test_without_any_departure_it_is_the_ordinary_interval(seed):
    problem = _problem(seed)
    after, weights = slice(problem.n_pre, None), problem.weights
    center, se = weights @ problem.estimate[after], np.sqrt(weights @ problem.covariance[after, after] @ weights)
    reach = 1.9599639845 * se
    ends = np.array(magnitudes_interval(problem, 0.0))
    np.testing.assert_allclose(ends, [center - reach, center + reach], atol=2e-6 * se)
    assert ends[0] <= center - reach and ends[1] >= center + reach, "rounding never narrows the set"
    assert magnitudes_include_zero(problem, 0.0) == (abs(center) <= reach)


@pytest.mark.parametrize(("share", "least", "most"), [(1.0, 0.935, 1.0), (2.5, 0.0, 0.6)])
def test_it_covers_the_truth_where_trends_depart_as_allowed_and_not_where_they_depart_more(share, least, most):
    """Changes before of 1 and -1; after it the trend goes on moving by `share` of that, in 800 draws."""
    before, after = np.array([0.0, 1.0]), share * np.array([1.0, 2.0])
    truth, rng = np.concatenate([before, after]), np.random.default_rng(1)
    covariance = 0.04 * (np.eye(4) + 1)
    draws = truth + rng.multivariate_normal(np.zeros(4), covariance, 800)
    covered = [magnitudes_include_zero(Problem(draw, covariance, 2, 2, np.array([0.5, 0.5])), 1.0) for draw in draws]
    assert least <= np.mean(covered) <= most  # 95% less two standard errors of 800 draws


@pytest.mark.parametrize("before", [[1.0, 2.0], [1.0, 0.0]])
def test_a_change_that_is_the_same_everywhere_leaves_the_ordinary_interval(before, recwarn):
    """The second year after repeats the first, or the first the reference: a change without any variance."""
    covariance = np.array([[2.0, 1.0, 0.0, 0.5], [1.0, 2.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 1.0]])
    repeated = np.array([*before, 0.0, 5.0])
    found = magnitudes_interval(Problem(repeated, covariance, 2, 2, np.array([0.5, 0.5])), 0.0)
    assert found == pytest.approx((2.5 - 0.97998, 2.5 + 0.97998), abs=1e-5)
    found = magnitudes_interval(Problem(np.array([*before, 5.0, 5.0]), np.ones((4, 4)), 2, 2, np.ones(2) / 2), 0.0)
    assert found == pytest.approx((5 - 1.95996, 5 + 1.95996), abs=1e-5)
    assert not recwarn.list


def test_a_change_before_that_is_poorly_known_leaves_an_end():
    """A thousand times as poorly known as the effect: an end lies at 100 (2 + 1.64 * 1000), and not nowhere."""
    found = magnitudes_interval(Problem(np.array([2.0, 1.0]), np.diag([1e6, 1.0]), 1, 1, np.ones(1)), 100.0)
    assert np.isfinite(found).all() and found[1] == pytest.approx(100 * (2 + 1645), rel=0.3)


def test_values_far_out_that_only_the_wrong_sign_holds_do_not_widen_the_set():
    """Two candidates of the wrong sign tie far out, where the conditional test rejects nothing in a narrow band."""
    covariance = 0.999 ** np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    found = magnitudes_interval(Problem(np.array([3.0, 1.0, 0.5, 2.0, 1.0]), covariance, 2, 3, np.ones(3) / 3), 1.0)
    assert found == pytest.approx((-4.5, 8.1), abs=0.1)


def test_a_change_before_of_very_many_standard_errors_takes_no_longer():
    """One of 1e10 standard errors would need as many values of a grid of one step."""
    low, high = magnitudes_interval(Problem(np.array([1e10, 5.0]), np.eye(2), 1, 1, np.ones(1)), 1.0)
    # not only what rounding leaves: 1.64 standard errors of a sum of two
    assert (low + 1e10, high - 1e10) == pytest.approx((5 - 2.33, 5 + 2.33), abs=0.6)


@pytest.mark.parametrize("unknown", [np.nan, 0.0])
@pytest.mark.parametrize("kind", ["smoothness", "relative_magnitudes"])
def test_an_average_without_a_standard_error_is_refused(kind, unknown):
    problem = Problem(np.array([1.0, 2.0, 5.0]), np.diag([1.0, 1.0, unknown]), 2, 1, np.ones(1))
    with pytest.raises(BadInput, match="standard error above zero"):
        honest_bounds(problem, kind, [1.0])
    with pytest.raises(BadInput, match="standard error above zero"):
        breakdown(replace(problem, covariance=np.eye(3), weights=np.zeros(1)), kind, 1.0)


@pytest.mark.parametrize("part", ["estimate", "covariance", "weights"])
def test_what_is_remembered_is_of_the_very_same_figures(medicaid, part):
    one, same = Problem(*medicaid, 5, 2, FIRST), Problem(*(item.copy() for item in medicaid), 5, 2, FIRST.copy())
    assert one == same and hash(one) == hash(same)
    assert smoothness_interval(one, 0.01) == smoothness_interval.__wrapped__(same, 0.01)
    moved = replace(one, **{part: getattr(one, part) * (1 + 1e-15)})
    assert moved != one and replace(one, n_pre=4, n_post=3) != one
