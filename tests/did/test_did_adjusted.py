"""Doubly robust adjustment: by hand, against `drdid`, a slow bootstrap twin,
and right when one of two models is wrong.
"""

import tracemalloc

import numpy as np
import pytest
from drdid.drdid import drdid_panel

from leapstudy.core.errors import BadInput
from leapstudy.did import adjusted
from leapstudy.did.adjusted import AdjustedEffect, adjusted_effect


def _rows(n=600, seed=0, effect=2.0):
    """Return rows whose rebound depends on a history that also says who is visited: 30 schools."""
    rng = np.random.default_rng(seed)
    school = rng.integers(0, 30, n)
    x = np.column_stack([rng.normal(size=n), rng.random(n) < 0.4])
    visited = rng.random(n) < 1 / (1 + np.exp(1.5 - x[:, 0] - 0.5 * x[:, 1]))
    change = 3 * x[:, 0] - x[:, 1] + rng.normal(0, 1, 30)[school] + effect * visited + rng.normal(0, 2, n)
    return change, visited, x, school


def _unweighted(change, visited, x, school) -> AdjustedEffect:
    return adjusted_effect(change, visited, x, school, np.ones(len(change)))


def test_two_strata_by_hand():
    """Saturated in one stratum: the visited weigh; stratum 0 gains 3 - 1, stratum 1 gains 6 - 4,
    in shares 1/3 and 2/3.
    """
    change = np.array([3.0, 1, 1, 1, 5, 7, 3, 4, 5], dtype=float)
    visited = np.array([1, 0, 0, 0, 1, 1, 0, 0, 0], dtype=bool)
    stratum = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    assert _unweighted(change, visited, stratum[:, None], np.arange(9)).estimate == pytest.approx(2.0)


def _reference(change, visited, x, weight) -> tuple[float, float]:
    n = len(x)
    both = np.column_stack([np.ones(n), x])
    estimate, influence = drdid_panel(change, np.zeros(n), visited.astype(float), both, i_weights=weight)
    return float(estimate), float(np.std(influence) / np.sqrt(n))


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_reference_s_estimate_and_its_jackknife_by_school(weighted):
    change, visited, x, school = _rows()
    n = len(change)
    weight = np.random.default_rng(4).uniform(0.5, 3, n) if weighted else np.ones(n)
    ours, (estimate, se) = adjusted_effect(change, visited, x, school, weight), _reference(change, visited, x, weight)
    assert ours.estimate == pytest.approx(estimate, abs=1e-8)
    rest = [school != one for one in range(30)]
    without = np.array([_reference(change[some], visited[some], x[some], weight[some])[0] for some in rest])
    assert ours.se == pytest.approx(np.sqrt(29 / 30 * ((without - estimate) ** 2).sum()), rel=2e-3)
    by_row = adjusted_effect(change, visited, x, np.arange(n), weight).se
    assert se < by_row < 1.03 * se, "a jackknife of rows is the influence function's error, hardly larger"


def _chances(d, x, weight) -> tuple[np.ndarray, np.ndarray]:
    """The slow twin of the logit: Newton steps on whole matrices; chances, and the inverse of the information."""
    params = np.zeros(x.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-x @ params))
        inverse = np.linalg.inv((weight * chance * (1 - chance) * x.T) @ x)
        params = params + inverse @ x.T @ (weight * (d - chance))
    return chance, inverse


def test_it_is_what_normal_equations_and_the_influence_give_step_by_step():
    """The slow twin: both models by their normal equations, and the influence with whole matrices."""
    change, visited, x, _ = _rows(3000, 8)
    weight = np.where(visited, 1.0, np.random.default_rng(4).uniform(1, 3, 3000))
    d, w, both = visited.astype(float), weight / weight.mean(), np.column_stack([np.ones(3000), x])
    chance, inverse = _chances(d, both, w)
    other = (1 - d) * w
    gap = change - both @ np.linalg.solve((other * both.T) @ both, both.T @ (other * change))
    on, off = d * w, other * chance / (1 - chance)
    effect, background = on @ gap / on.sum(), off @ gap / off.sum()
    slope = (other * gap)[:, None] * both @ np.linalg.inv((other[:, None] * both).T @ both / 3000)
    score = (w * (d - chance))[:, None] * both @ (inverse * 3000)
    treated = (on * (gap - effect) - slope @ (on[:, None] * both).mean(axis=0)) / on.mean()
    tilt = score @ (off[:, None] * (gap - background)[:, None] * both).mean(axis=0)
    compared = (off * (gap - background) + tilt - slope @ (off[:, None] * both).mean(axis=0)) / off.mean()
    ours = adjusted_effect(change, visited, x, np.arange(3000), weight)
    assert ours.estimate == pytest.approx(effect - background, abs=1e-10)
    influence = np.sqrt(((treated - compared) ** 2).sum() / 3000 / 2999)
    assert influence < ours.se < 1.015 * influence, "a jackknife of rows is hardly larger than the influence's error"


def test_one_student_whose_visit_is_beyond_doubt_is_no_failure():
    """Its fitted chance is 1 in every digit that a number has."""
    change, visited, x, school = _rows()
    x[np.flatnonzero(visited)[0], 0] = 90.0
    ours, (estimate, _) = _unweighted(change, visited, x, school), _reference(change, visited, x, np.ones(600))
    assert ours.estimate == pytest.approx(estimate, abs=1e-6) and 0 < ours.se < 5


def test_few_copies_of_the_rows_are_made():
    """Beside the rows that are given there are those scaled, two that statsmodels makes, and numbers by row."""
    change, visited, x, school = _rows(20_000, 3)
    wide = np.column_stack([x, np.random.default_rng(0).normal(size=(20_000, 60))])
    tracemalloc.start()
    _unweighted(change, visited, wide, school)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3.6 * wide.nbytes


def test_a_group_without_comparison_rows_and_more_columns_than_rows_are_refused():
    change, visited, x, school = _rows()
    alone = np.arange(600) < 5
    with pytest.raises(BadInput, match="no like among the others"):
        _unweighted(change, visited | alone, np.column_stack([x, alone]), school)
    with pytest.raises(BadInput, match="too few to be adjusted"):
        _unweighted(change[:20], visited[:20], np.random.default_rng(0).normal(size=(20, 40)), school[:20])


def test_a_whole_weight_is_that_many_rows():
    """Weights are rows: a row of weight 3 gives the estimate of the same row three times."""
    change, visited, x, school = _rows(300, 2)
    weight = np.where(visited, 1, np.random.default_rng(6).integers(1, 4, 300))
    rows = np.repeat(np.arange(300), weight)
    one = adjusted_effect(change, visited, x, school, weight.astype(float))
    assert one.estimate == pytest.approx(_unweighted(change[rows], visited[rows], x[rows], school[rows]).estimate)
    assert one.se == pytest.approx(_unweighted(change[rows], visited[rows], x[rows], school[rows]).se)


def test_errors_by_school_are_those_of_a_bootstrap_of_schools():
    change, visited, x, school = _rows(900, 5)
    rng, again = np.random.default_rng(1), []
    for _ in range(150):
        rows = np.concatenate([np.flatnonzero(school == one) for one in rng.integers(0, 30, 30)])
        again.append(_unweighted(change[rows], visited[rows], x[rows], np.arange(len(rows)) % 9).estimate)
    assert _unweighted(change, visited, x, school).se == pytest.approx(np.std(again, ddof=1), rel=0.25)


def test_columns_that_add_nothing_change_nothing():
    change, visited, x, school = _rows()
    more = np.column_stack([x, np.ones(len(x)), x[:, 0] * 2 - 1, x.sum(axis=1)])
    assert _unweighted(change, visited, more, school).estimate == pytest.approx(
        _unweighted(change, visited, x, school).estimate
    )


def test_without_anybody_alike_or_with_few_clusters_it_refuses():
    change, visited, x, school = _rows()
    with pytest.raises(BadInput, match="too few to be adjusted"):
        _unweighted(change, visited, x, school % 3)
    with pytest.raises(BadInput, match="are of one school"):
        _unweighted(change, visited, x, np.where(visited, 0, 1 + school))
    with pytest.raises(BadInput, match="no like among the others"):
        _unweighted(change, visited, visited[:, None].astype(float), school)


def test_bias_and_coverage_in_a_small_monte_carlo():
    found = [_unweighted(*_rows(400, seed, effect=0.0)) for seed in range(60)]
    estimates = np.array([one.estimate for one in found])
    assert abs(estimates.mean()) < 3 * estimates.std() / np.sqrt(60) + 0.02
    covered = np.mean([one.low <= 0 <= one.high for one in found])
    assert covered >= 0.88


@pytest.mark.parametrize("spread", [1.0, 1e-4, 1e-5, 0.0])
def test_a_system_of_any_rank_has_the_shortest_solution(spread):
    """Cholesky where the condition is sure, an eigendecomposition elsewhere: the same to rounding, at every rank."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, 6)) * np.array([1, 1, 1, 1, 1, spread])
    matrix, right = x.T @ x, x.T @ rng.normal(size=40)
    shortest = np.linalg.pinv(matrix, rcond=adjusted.ALONE, hermitian=True) @ right
    np.testing.assert_allclose(adjusted._solved(matrix, right), shortest, rtol=1e-5, atol=1e-9)
