"""All districts together: adjusted p-values by hand, partial pooling by slow sums, and coverage."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad

from leapstudy.core.errors import BadInput
from leapstudy.data import load_facts, treated_districts
from leapstudy.did import pool
from leapstudy.did.answering import read_together
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.inference.compare import each_by_itself
from leapstudy.did.pool import caterpillar_table, estimate_rows, pool_districts, romano_wolf, shuffled_effects
from leapstudy.did.shrinkage import FLAT, Prior, given_tau, mixture_quantile, published_prior, shrink

ROOT = Path(__file__).parents[2]
SCHOOLS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
SCHOOLS_SE = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


@pytest.fixture(scope="module")
def leap(study):
    codes = [item.code for item in treated_districts(study.districts)]
    return build_sample(study, Spec(), codes)


def test_each_interval_has_its_own_p_beside_that_of_the_preferred_test(leap):
    """New Haven's t interval excludes zero, the preferred test does not reject it: one p cannot stand for both."""
    rows, df = each_by_itself(leap), len(leap.comparison) - 1
    for row in rows.itertuples():
        assert row.p_t == pytest.approx(2 * stats.t.sf(abs(row.estimate_pp / row.se_pp), df), abs=1e-12)
        assert (row.p_t < 0.05) == (row.ci_low_pp > 0 or row.ci_high_pp < 0)
    furthest = rows.loc[rows["estimate_pp"].idxmin()]
    assert furthest["p_t"] < 0.05 < furthest["p_value"]


def test_romano_wolf_by_a_slow_twin():
    rng = np.random.default_rng(2)
    statistics, null = np.abs(rng.normal(0, 2, 5)), np.abs(rng.normal(size=(99, 5)))
    left, before, slow = list(np.argsort(-statistics)), 0.0, np.empty(5)
    while left:
        top = left[0]
        count = sum(max(draw[place] for place in left) >= statistics[top] for draw in null)
        before = max(before, (1 + count) / 100)
        slow[top] = before
        left.pop(0)
    assert romano_wolf(statistics, null) == pytest.approx(slow, abs=1e-12)


def test_romano_wolf_bounds_false_finds():
    """With no effect anywhere at most 5% of samples may have a district below 0.05 (standard error 1.5%)."""
    rng = np.random.default_rng(3)
    hits = 0
    for number in range(200):
        noise = rng.uniform(0.5, 2.0, 34)
        changes = noise * rng.normal(size=34)
        null = shuffled_effects(changes[:15], changes[15:], noise, number, 199)
        hits += romano_wolf(np.abs(changes[:15] - changes[15:].mean()) / noise[:15], null).min() <= 0.05
    assert hits / 200 <= 0.10
    assert hits > 0


@pytest.mark.parametrize("n", [3, 250])
def test_many_units_are_shuffled_by_parts_as_if_they_were_one(n, monkeypatch):
    rng = np.random.default_rng(4)
    changes, noise = rng.normal(size=300), rng.uniform(0.5, 2, 300)
    order = np.random.default_rng(9).random((40, 300)).argsort(axis=1)
    drawn = changes[order]
    slow = np.abs(drawn[:, :n] - drawn[:, n:].mean(axis=1, keepdims=True)) / noise[order[:, :n]]
    monkeypatch.setattr(pool, "KEPT", 300 * 7)
    assert shuffled_effects(changes[:n], changes[n:], noise, 9, 40) == pytest.approx(slow, rel=1e-12)


def slow_posterior(effects, covariance, prior_sd, mean, tau_grid):
    """Return posterior means and P(effect > 0) from full matrices, one tau at a time."""
    n, one = len(effects), np.ones(len(effects))
    weights, means, above = [], [], []
    for tau in tau_grid:
        prior_cov = tau**2 * np.eye(n) + prior_sd**2 * np.outer(one, one)
        total = prior_cov + covariance
        gain = prior_cov @ np.linalg.inv(total)
        m = mean + gain @ (effects - mean)
        v = np.diag(prior_cov - gain @ prior_cov)
        weights.append(stats.multivariate_normal.logpdf(effects, mean * one, total))
        means.append(m)
        above.append(stats.norm.sf(0, m, np.sqrt(v)))
    w = np.exp(np.array(weights) - max(weights))
    return w @ np.array(means) / w.sum(), w @ np.array(above) / w.sum(), np.array(weights)


@pytest.mark.parametrize(("prior", "sd", "mean"), [(FLAT, 300.0, 0.0), (Prior(0.4, 0.3, "x"), 0.3, 0.4)])
def test_posterior_is_that_of_full_matrices(prior, sd, mean):
    """Sums over axes against inverted matrices with the shared comparison mean; a flat prior is a very wide one."""
    rng = np.random.default_rng(4)
    effects, variances, shared = rng.normal(0, 1.5, 7), rng.uniform(0.5, 2, 7), 0.2
    tau = np.linspace(0.02, 3, 40)
    given = given_tau(effects, np.diag(variances) + shared, tau, prior)
    means, above, log_density = slow_posterior(effects, np.diag(variances) + shared, sd, mean, tau)
    assert np.ptp(given.log_density - log_density) < 1e-4
    w = np.exp(given.log_density - given.log_density.max())
    assert w @ given.mean / w.sum() == pytest.approx(means, abs=1e-4)
    p = stats.norm.sf(0, given.mean, np.sqrt(given.variance))
    assert w @ p / w.sum() == pytest.approx(above, abs=1e-4)


def test_eight_schools_agree_with_the_book():
    """Gelman et al. (2013), table 5.3 (simulated, printed as integers): medians 10 and 5, mean about 8,
    A's 95% -2 to 31.
    """
    made = shrink(SCHOOLS, np.diag(SCHOOLS_SE**2), 0.0)
    assert made.mu_pp == pytest.approx(7.9, abs=0.3)
    assert made.mean_pp[0] == pytest.approx(11.3, abs=0.5)
    assert (made.low_pp[0], made.high_pp[0]) == pytest.approx((-2, 31), abs=1.5)
    assert (made.low_pp[4], made.high_pp[4]) == pytest.approx((-9, 16), abs=1.5)


def _at(tau):
    """Gelman et al. (2013), equations 5.17 to 5.21: density of tau, mean and sd of mu and of each effect given it."""
    w = 1 / (SCHOOLS_SE**2 + tau**2)
    mu, v = w @ SCHOOLS / w.sum(), 1 / w.sum()
    density = np.sqrt(v * np.prod(w)) * np.exp(-0.5 * w @ (SCHOOLS - mu) ** 2)
    own = 1 / (1 / SCHOOLS_SE**2 + 1 / tau**2)
    mean, share = own * (SCHOOLS / SCHOOLS_SE**2 + mu / tau**2), own / tau**2
    return density, mu, np.sqrt(v), mean, np.sqrt(own + share**2 * v)


def test_chances_and_ends_are_those_of_the_book_s_equations():
    """Integrated over tau by quadrature: each chance and each end that pages show, within 0.2%."""
    made = shrink(SCHOOLS, np.diag(SCHOOLS_SE**2), 5.0)

    def integral(of):
        return quad(lambda tau: _at(tau)[0] * of(*_at(tau)[1:]), 1e-6, 2000, limit=500, points=(5, 20, 100))[0]

    def above(end, k=None):
        def tail(mu, sd, m, s):
            return stats.norm.sf(end, mu, sd) if k is None else stats.norm.sf(end, m[k], s[k])

        return integral(tail) / integral(lambda *_: 1.0)

    assert made.mu_above_zero == pytest.approx(above(0.0), rel=2e-3)
    assert (above(made.mu_high_pp), above(made.mu_low_pp)) == pytest.approx((0.025, 0.975), abs=1e-5)
    for k in (0, 2):
        assert made.p_above_zero[k] == pytest.approx(above(0.0, k), rel=2e-3)
        assert made.p_above_threshold[k] == pytest.approx(above(5.0, k), rel=2e-3)
        assert (above(made.high_pp[k], k), above(made.low_pp[k], k)) == pytest.approx((0.025, 0.975), abs=5e-4)


def test_quantiles_of_mixtures():
    mean, sd, weight = np.array([[0.0], [3.0]]), np.array([[1.0], [2.0]]), np.array([0.3, 0.7])
    found = mixture_quantile(0.9, mean, sd, weight)[0]
    assert weight @ stats.norm.cdf(found, mean, sd)[:, 0] == pytest.approx(0.9, abs=1e-9)


def test_what_moves_nothing():
    rng = np.random.default_rng(7)
    effects, variances = rng.normal(0, 1, 9), rng.uniform(0.3, 1, 9)
    one, moved = (shrink(values, np.diag(variances) + 0.1, 0.5) for values in (effects, effects + 2))
    assert moved.mean_pp == pytest.approx(one.mean_pp + 2, abs=1e-9)
    assert moved.tau_pp == pytest.approx(one.tau_pp, abs=1e-6)
    order = rng.permutation(9)
    assert shrink(effects[order], np.diag(variances[order]) + 0.1, 0.5).mean_pp == pytest.approx(
        one.mean_pp[order], abs=1e-9
    )
    # what all share cannot be told from their mean: it widens the mean and leaves the spread alone
    apart = shrink(effects, np.diag(variances) + 2.0, 0.5)
    assert apart.tau_pp == pytest.approx(one.tau_pp, abs=1e-9)
    assert apart.mu_high_pp - apart.mu_low_pp > one.mu_high_pp - one.mu_low_pp


def test_only_attendance_points_enter_the_prior():
    programs = load_facts().comparable_programs
    prior = published_prior(programs, 1.0)
    # 0.35 points, and 4.2 days fewer of 180: 2.3333 points; mean 1.3417, sd 1.9833 / sqrt 2
    assert (prior.mean_pp, prior.sd_pp) == pytest.approx((1.341667, 1.402428), abs=1e-6)
    assert published_prior(programs, 0.1).mean_pp == pytest.approx(0.1341667, abs=1e-7)
    assert "Rogers" not in prior.source
    with pytest.raises(BadInput, match="share of students"):
        published_prior(programs, 10)
    with pytest.raises(BadInput, match="a spread takes two"):
        published_prior(programs.iloc[1:3], 0.1)


def test_the_pooled_answer_of_the_study(leap, study):
    pooled = pool_districts(leap, 0.5)
    table = pooled.districts
    assert table["estimate_pp"].mean() == pytest.approx(-0.336, abs=0.001)
    assert (table["p_bh"] >= table["p_value"]).all()
    assert (table["p_above"] >= table["p_above_threshold"]).all()
    assert np.ptp(table["shrunken_pp"]) < np.ptp(table["estimate_pp"])
    names = dict(zip(study.districts["district_code"], study.districts["district"], strict=True))
    assert {"district", "shrunken_low_pp", "p_above"} <= set(caterpillar_table(pooled, names))
    rows = estimate_rows(pooled, leap, names)
    assert len(rows) == 45
    assert {row.p_method for row in rows} == {"", "benjamini_hochberg", "romano_wolf"}
    again = pool_districts(leap, 0.5)
    pd.testing.assert_frame_equal(table, again.districts)


def test_what_cannot_be_pooled_is_refused(leap, study):
    two = build_sample(study, Spec(), list(leap.treated[:2]))
    with pytest.raises(BadInput, match="three or more"):
        pool_districts(two, 0.5)
    with pytest.raises(BadInput, match="equal weights"):
        pool_districts(build_sample(study, Spec(weights="students"), list(leap.treated)), 0.5)
    with pytest.raises(BadInput, match="not above zero"):
        shrink(np.ones(4), np.zeros((4, 4)), 0.5)


def test_the_kept_coverage_is_what_the_study_says():
    """Where treated districts are as noisy as the others, at least 93% of intervals hold the truth; else 86%."""
    table = pd.read_csv(ROOT / "benchmarks" / "results" / "pooling_coverage.csv")
    alike = table[table["treated_noise"] == 1]
    assert alike["own_coverage"].between(0.93, 0.97).all()
    assert alike["shrunken_coverage"].between(0.93, 0.999).all()
    assert table["shrunken_coverage"].between(0.86, 0.999).all()
    assert (table["shrunken_mse"] < table["own_mse"]).all()
    assert (table["shrunken_width_pp"] < table["own_width_pp"]).all()


def test_coverage_in_a_small_run():
    """Sixty simulated studies of fifteen districts: 900 intervals,
    dependent within a study (standard error about 1.5%).
    """
    found = importlib.util.spec_from_file_location("coverage", ROOT / "benchmarks" / "pooling_coverage.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    rng = np.random.default_rng(12)
    made = pd.DataFrame([module.replicate(184, 1.0, 1.0, rng) for _ in range(60)]).mean()
    assert made["shrunken_coverage"] == pytest.approx(0.95, abs=0.04)
    assert made["shrunken_mse"] < made["own_mse"]


def test_what_all_show_before_the_program_is_welchs_test_of_the_placebo(study):
    spec, codes = Spec(), [item.code for item in treated_districts(study.districts)]
    sample = build_sample(study, replace(spec, contrast="placebo_2019_20_to_2020_21"), codes)
    expected = stats.ttest_ind(sample.change_treated, sample.change_comparison, equal_var=False).pvalue
    assert read_together(study, spec)[0].p_before == pytest.approx(expected, abs=1e-12)
