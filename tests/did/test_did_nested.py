"""Schools in districts: within strata, by cluster, and lots dealt anew; by hand, by slow twins, and by statsmodels."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from leapstudy.core.errors import BadInput
from leapstudy.did.contrasts import contrast_between
from leapstudy.did.design import build_sample
from leapstudy.did.effect import fit
from leapstudy.did.nested import covariance, dealt_within, furthest, in_strata, nest, without_unit
from leapstudy.did.pool import pool_districts, romano_wolf, sampling_covariance, shuffled_effects
from leapstudy.did.rebound import rebound
from leapstudy.did.sample import Nested, Sample, Spec, build_panel
from leapstudy.did.sensitivity.covariates import adjust
from leapstudy.did.shrinkage import shrink
from leapstudy.did.spread import spread_of

YEARS = ("2005-06", "2006-07")


def _sample(before, after, n, nested="stratum"):
    y = np.column_stack([before, after]).astype(float)
    codes = tuple(f"{place:03d}" for place in range(len(y)))
    contrast = contrast_between(YEARS[:1], YEARS[1:], "main")
    ones = np.ones_like(y)
    spec = Spec(nested=nested, seed=7)
    return Sample(spec, contrast, codes[:n], codes[n:], YEARS, y[:n], y[n:], ones[:n], ones[n:], YEARS[1])


def _nested(sample, strata, clusters=()):
    return in_strata(sample, Nested(tuple(strata), tuple(clusters), drawn=False, raw=sample))


def _many(n_clusters=60, seed=3):
    """Return a sample of five units a cluster with a shock of its own, two of them treated."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(n_clusters), 5)
    treated = np.tile([True, True, False, False, False], n_clusters)
    change = rng.normal(0, 1, n_clusters)[of] + rng.normal(0, 1, len(of)) + treated * rng.normal(1, 1, n_clusters)[of]
    order = np.argsort(~treated, kind="stable")
    names = [f"{place:02d}" for place in of[order]]
    return _sample(np.zeros(len(of)), change[order], int(treated.sum())), names


def test_the_effect_within_strata_is_the_one_worked_by_hand():
    # stratum a: treated +4 and +6 beside +1; stratum b: treated +10 beside +2 and +4
    sample = _nested(_sample([50, 60, 70, 50, 80, 90], [54, 66, 80, 51, 82, 94], 3), "aababb")
    assert sample.difference == pytest.approx(((4 - 1) + (6 - 1) + (10 - 3)) / 3)
    assert sample.y_treated.mean() == pytest.approx(np.mean([50, 60, 70, 54, 66, 80]))


def test_effect_and_clustered_error_are_those_of_statsmodels():
    sample, names = _many()
    nested, raw = _nested(sample, names, names), sample
    change = np.concatenate([raw.change_treated, raw.change_comparison])
    treated = np.arange(len(change)) < len(raw.treated)
    x = pd.get_dummies(pd.Series(names)).astype(float).assign(treated=treated.astype(float))
    # in each stratum the three others together weigh what its two treated units do
    model = sm.WLS(change, x, weights=np.where(treated, 1.0, 2 / 3))
    groups = np.unique(names, return_inverse=True)[1]
    by_cluster = model.fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
    spread = spread_of(nested)
    assert nested.difference == pytest.approx(by_cluster.params["treated"], abs=1e-10)
    # CR2 against CR0: with balanced clusters n / (n - 1) is the whole difference of the variances
    assert spread.se**2 == pytest.approx(by_cluster.bse["treated"] ** 2 * 60 / 59, rel=1e-9)
    assert spread.df == pytest.approx(59)


def test_without_strata_and_clusters_it_is_hc2_which_is_welch():
    rng = np.random.default_rng(5)
    sample = _sample(np.zeros(30), rng.normal(0, 2, 30), 12)
    nested = _nested(sample, [""] * 30, [f"{place}" for place in range(30)])
    x = sm.add_constant((np.arange(30) < 12).astype(float))
    change = np.concatenate([sample.change_treated, sample.change_comparison])
    assert spread_of(nested).se == pytest.approx(sm.OLS(change, x).fit(cov_type="HC2").bse[1], rel=1e-10)
    assert spread_of(nested).se == pytest.approx(spread_of(sample).se, rel=1e-10)


def test_the_clustered_variance_is_unbiased_where_errors_go_with_the_weights():
    rng = np.random.default_rng(8)
    names = [f"{place}" for place in rng.integers(0, 9, 40)]
    sample = _sample(np.zeros(40), np.zeros(40), 16)
    nested = replace(sample, nested=Nested(("",) * 40, tuple(names), drawn=False, raw=sample))
    each = np.diag(np.sqrt([16.0] * 16 + [24.0] * 24))  # weights are one over the units of a side
    whole, _ = covariance(nested, each[:16], each[16:])
    assert np.trace(whole) == pytest.approx(16 / 16 + 24 / 24)


def test_lots_dealt_anew_are_those_of_a_slow_twin():
    change = np.array([[3.0, 5.0, 1.0, 0.5, 2.0, 4.0, 7.0, 2.5]])
    start, strata = np.array([0, 0, -1, -1, 0, -1, 0, -1]), np.array([0, 0, 0, 0, 1, 1, 1, 1])

    def statistic(labels):
        effect = variance = 0.0
        for stratum in (0, 1):
            own = change[0][(strata == stratum) & labels], change[0][(strata == stratum) & ~labels]
            effect += (own[0].mean() - own[1].mean()) / 2
            variance += sum(side.var(ddof=1) / len(side) for side in own) / 4
        return effect, variance**0.5

    deals = {
        (*first, *second)
        for first in permutations((True, True, False, False))
        for second in permutations((True, False, True, False))
    }
    found = dealt_within(change, start, strata, 1, np.ones(8), 999)
    effect, se = statistic(start == 0)
    far = [abs(own[0] / own[1]) >= abs(effect / se) - 1e-9 for own in map(statistic, map(np.array, deals))]
    assert found.estimate == pytest.approx(effect)
    assert found.floor == 1 / len(deals) == 1 / 36
    assert found.p_value == pytest.approx(np.mean(far))


def test_few_clusters_and_labels_that_belong_to_no_whole_cluster_are_refused_in_words():
    rng = np.random.default_rng(4)
    sample = _sample(np.zeros(20), rng.normal(0, 1, 20), 8, "cluster")
    few = replace(sample, nested=Nested(("",) * 20, tuple("aaaabbbb" + "c" * 6 + "d" * 6), drawn=False, raw=sample))
    with pytest.raises(BadInput, match=r"4 clusters are too few.*2\.0 degrees of freedom.*'none'"):
        spread_of(few)
    names = tuple(f"{place % 10}" for place in range(20))
    with pytest.raises(BadInput, match="units of both sides.*'stratum'"):
        fit(replace(sample, nested=Nested(("",) * 20, names, drawn=False, raw=sample)))


def test_whole_clusters_are_dealt_as_if_each_were_one_unit():
    rng = np.random.default_rng(6)
    names = tuple(np.repeat([f"{place:02d}" for place in range(24)], 3).tolist())
    sample = _sample(np.zeros(72), rng.normal(0, 1, 24).repeat(3), 30, "cluster")
    nested = fit(replace(sample, nested=Nested(("",) * 72, names, drawn=False, raw=sample)))
    whole = fit(
        _sample(np.zeros(24), sample.y_treated[::3, 1].tolist() + sample.y_comparison[::3, 1].tolist(), 10, "none")
    )
    assert nested.estimate_pp == pytest.approx(whole.estimate_pp)
    assert nested.se_pp == pytest.approx(whole.se_pp)
    assert nested.test.p_value == pytest.approx(whole.test.p_value, abs=0.02)


def test_a_stratum_of_one_side_is_left_out_and_leaving_a_unit_out_is_estimating_without_it(study):
    panel = build_panel(study, "attendance_rate", "2022-23")
    before, after = [50, 60, 70, 50, 80, 90, 40, 41], [54, 66, 80, 51, 82, 94, 45, 43]
    sample = _sample(before, after, 3)
    parents = dict(zip((*sample.treated, *sample.comparison), "aababbcb", strict=True))
    nested = nest(sample, replace(panel, parents=parents).belonging, sample.comparison)
    assert nested.left_out == ("006",) and len(nested.comparison) == 4
    smaller = without_unit(nested, "comparison", 1)
    assert smaller.difference == pytest.approx((3 + 5 + 10 - (4 + 2) / 2) / 3)
    with pytest.raises(BadInput, match="declares no `parent`"):
        nest(sample, panel.belonging, sample.comparison)


def _in_clusters(times, rng, n_treated=12, n_clusters=30, shock=0.0):
    """Return a sample over three years of `times` units a cluster, and a trait of each unit that is its cluster's."""
    n, names = n_treated * times, tuple(f"{place:02d}" for place in np.arange(n_clusters).repeat(times))
    y, trait = rng.normal(50, 3, (n_clusters, 3)), rng.normal(size=(n_clusters, 1))
    y, trait = y.repeat(times, axis=0), trait.repeat(times, axis=0)
    y = y + (rng.normal(0, shock, y.shape) if shock else 0)
    codes, ones = tuple(f"{place:04d}" for place in range(len(y))), np.ones_like(y)
    years = ("2031-32", "2032-33", "2033-34")
    contrast, spec = contrast_between(years[:2], years[2:], "main"), Spec(nested="cluster", seed=7)
    sample = Sample(spec, contrast, codes[:n], codes[n:], years, y[:n], y[n:], ones[:n], ones[n:], years[2])
    nested = Nested(("",) * len(names), names, drawn=False, raw=sample)
    return replace(sample, nested=nested), trait[:n], trait[n:], dict.fromkeys(codes, "")


def test_units_that_are_copies_of_each_other_add_nothing_to_adjustment_and_rebound():
    once, five = (_in_clusters(times, np.random.default_rng(5)) for times in (1, 5))
    errors = [adjust(*case[:3])[0].spread for case in (once, five)]
    assert errors[1].se == pytest.approx(errors[0].se, rel=1e-9) and errors[1].df == pytest.approx(errors[0].df)
    assert adjust(replace(five[0], nested=None), *five[1:3])[0].spread.se < 0.6 * errors[0].se
    lines = [rebound(case[0], case[3]) for case in (once, five)]
    assert lines[1].slope_low == pytest.approx(lines[0].slope_low, rel=1e-9)
    alone = rebound(replace(five[0], nested=None), five[3])
    assert alone.slope_high - alone.slope_low < 0.6 * (lines[0].slope_high - lines[0].slope_low)
    # with one unit a cluster it is HC3, but for n - 1 over n and what the mean of the leave-one-out slopes differs
    plain = rebound(replace(once[0], nested=None), once[3])
    assert lines[0].slope_high - lines[0].slope_low == pytest.approx(plain.slope_high - plain.slope_low, rel=0.03)


def test_the_adjusted_test_keeps_its_size_where_units_of_a_cluster_move_alike():
    rng, found, naive = np.random.default_rng(8), [], []
    for _ in range(300):
        sample, treated, comparison, _names = _in_clusters(4, rng, shock=1.5)
        for rejections, case in ((found, sample), (naive, replace(sample, nested=None))):
            fitted = adjust(case, treated, comparison)[0]
            rejections.append(fitted.spread.p_value(fitted.estimate) <= 0.05)
    assert 0.01 <= np.mean(found) <= 0.085 and np.mean(naive) > 0.15


def test_a_comparison_unit_without_a_trait_leaves_with_its_cluster():
    sample, treated, comparison, _names = _in_clusters(2, np.random.default_rng(4))
    comparison[0] = np.nan
    kept = adjust(sample, treated, comparison)[1]
    assert len(kept.nested.clusters) == len(kept.treated) + len(kept.comparison) == 59


def test_a_rebound_of_few_clusters_is_refused():
    sample, *_, names = _in_clusters(4, np.random.default_rng(4), n_treated=4, n_clusters=7)
    with pytest.raises(BadInput, match="4 clusters or more, and here are 3"):
        rebound(sample, names)


def _whole(rng, alike=1.0, clusters=12, size=4):
    """Return a sample of whole clusters of either side with no effect, and the cluster of each unit."""
    of = np.repeat(np.arange(clusters), size)
    change = rng.normal(0, alike, clusters)[of] + rng.normal(0, 1, len(of))
    names = [f"{place:02d}" for place in of]
    sample = _sample(np.zeros(len(of)), change, len(of) // 2, "cluster")
    return _nested(sample, [""] * len(of), names), of


@pytest.mark.parametrize("sizes", [(4,) * 12, (3, 5, 4, 6, 2, 4, 5, 3, 4, 7, 2, 3)])
def test_what_effects_share_is_the_matrix_product_by_hand(sizes):
    rng, of = np.random.default_rng(11), np.repeat(np.arange(12), sizes)
    change = rng.normal(0, 1, 12)[of] + rng.normal(0, 1, len(of))
    n = sum(sizes[:6])
    sample = _nested(_sample(np.zeros(len(of)), change, n, "cluster"), [""] * len(of), [f"{place:02d}" for place in of])
    changes, comparison = change[n:], of[n:]
    # the intraclass correlation of one-way analysis of variance, of clusters of n0 units on average
    groups, compared = [changes[comparison == own] for own in range(6, 12)], len(changes)
    between = sum(len(group) * (group.mean() - changes.mean()) ** 2 for group in groups) / 5
    within = sum(((group - group.mean()) ** 2).sum() for group in groups) / (compared - 6)
    usual = (compared - sum(size**2 for size in sizes[6:]) / compared) / 5
    rho = (between - within) / (between + (usual - 1) * within)
    assert rho > 0.1
    together = np.where(of[:, None] == of, rho, 0) + (1 - rho) * np.eye(len(of))
    effect = np.hstack([np.eye(n), np.full((n, compared), -1 / compared)])
    center = np.eye(compared) - 1 / compared
    unit = changes @ center @ changes / np.trace(center @ together[n:, n:])
    assert sampling_covariance(sample) == pytest.approx(unit * effect @ together @ effect.T)


@pytest.mark.parametrize("compared", [(0, 1, 2) * 5, (0,) * 7 + (1,) * 3 + (2,) * 5])
def test_effects_within_strata_share_their_own_comparison_units(compared):
    rng, n = np.random.default_rng(11), 15
    own = np.array([*(place % 3 for place in range(n)), *compared])
    sample = _nested(_sample(np.zeros(2 * n), rng.normal(0, 1, 2 * n), n), own.astype(str))
    counts = np.bincount(own[n:])
    effect = np.hstack([np.eye(n), (own[:n, None] == own[n:]) / -counts[own[n:]]])
    unit = sample.change_comparison.var(ddof=0) * n / (n - 3)
    assert sampling_covariance(sample) == pytest.approx(unit * effect @ effect.T)


def test_pooling_and_step_down_keep_their_promise_where_clusters_move_alike():
    rng, held, independent, finds, found_before = np.random.default_rng(12), 0, 0, 0, 0
    for draw in range(100):
        sample, of = _whole(rng)
        n = len(sample.treated)
        effects, noise = sample.change_treated - sample.change_comparison.mean(), np.ones(len(of))
        s2 = sample.change_comparison.var(ddof=1)
        sides = sample.change_treated, sample.change_comparison
        for shared, clusters in ((sampling_covariance(sample), of), (s2 * (np.eye(n) + 1 / n), None)):
            pooled = shrink(effects, shared, 0.5)
            null = shuffled_effects(*sides, noise, draw, 199, clusters=clusters)
            hit = romano_wolf(np.abs(effects), null).min() <= 0.05
            inside = pooled.mu_low_pp < 0 < pooled.mu_high_pp
            if clusters is None:
                independent, found_before = independent + inside, found_before + hit
            else:
                held, finds = held + inside, finds + hit
    # taken as independent 77% of intervals of the mean hold zero, and 26% of samples have a false find
    assert held >= 0.86 * 100 > 0.8 * 100 > independent
    assert finds <= 0.1 * 100 < 0.2 * 100 < found_before


def test_the_pooled_answer_takes_the_clusters_into_account():
    sample = _whole(np.random.default_rng(13))[0]
    alone = replace(sample, nested=None)
    own, others = (pool_districts(one, 0.5) for one in (sample, alone))
    assert np.ptp([own.shrinkage.mu_low_pp, own.shrinkage.mu_high_pp]) > np.ptp(
        [others.shrinkage.mu_low_pp, others.shrinkage.mu_high_pp]
    )
    assert (own.districts["p_rw"] != others.districts["p_rw"]).any()
    assert own.districts["p_value"].equals(others.districts["p_value"])


def test_clusters_of_one_unit_cannot_say_how_alike_they_move():
    sample = _sample(np.zeros(8), np.arange(8.0), 4, "cluster")
    with pytest.raises(BadInput, match="two clusters, one of two units"):
        sampling_covariance(_nested(sample, [""] * 8, [f"{place}" for place in range(8)]))
    with pytest.raises(BadInput, match="one comparison unit"):
        sampling_covariance(_nested(_sample(np.zeros(8), np.arange(8.0), 4), "abcdabcd"))


@pytest.mark.parametrize("which", ["plain", "students", "strata", "pairs", "staggered"])
def test_who_moves_the_effect_most_is_found_without_leaving_each_out(study, which):
    if which == "strata":
        sample = _nested(*_many(20))
    elif which == "pairs":  # without its only comparison unit a stratum's treated one is lost, too
        sample = _nested(
            _sample(np.zeros(80), np.random.default_rng(8).normal(size=80), 40), [*map(str, range(40))] * 2
        )
    else:
        starts = dict.fromkeys(("0430011", "0620011", "0890011"), "2022-23") if which == "staggered" else {}
        spec = Spec(weights="students" if which == "students" else "equal", contrast="2020_21_to_2021_22")
        sample = build_sample(replace(study, starts={**study.starts, **starts}), spec, sorted(study.starts))
        assert (sample.by_start is not None) == (which == "staggered")
    for side in ("treated", "comparison"):
        codes = range(len(getattr(sample, side)))
        without = np.array([without_unit(sample, side, place).difference for place in codes])
        order = np.argsort(without)
        assert furthest(sample, side, 3) == sorted({*order[:3], *order[-3:]})
        assert furthest(sample, side, len(codes)) == list(codes)
