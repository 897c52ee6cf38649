"""Clustering, bands, the pre-trend test, robust paths, cards and rows."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from moments_twin import moments_of, random_rows
from scipy import stats

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import to_frame
from leapstudy.did.eventstudy import bands, joint_test
from leapstudy.did.honest import honest_path
from leapstudy.did.staggered.att_gt import Choices, att_gt
from leapstudy.did.staggered.effects import Context, aggregate_influence, averages, cs_effects, estimate_rows
from leapstudy.students.moments.record import NEVER, clustered
from leapstudy.study.student_designs import pre_trend

UNIVERSAL = Choices(base="universal")
PLACE = Context("0640011", "Hartford", "attendance_rate", "simulated")


@pytest.fixture(scope="module")
def moments():
    return moments_of(random_rows(51, districts=6), shift=80)


@pytest.fixture(scope="module")
def effects(moments):
    return cs_effects(moments, att_gt(moments, UNIVERSAL))


def test_districts_as_clusters_agree_with_the_slow_twin():
    rows = random_rows(52, districts=5)
    moments = moments_of(rows, shift=80)
    found = cs_effects(moments, att_gt(moments, UNIVERSAL), "simple", "district")
    estimates = []
    for district in sorted(set(rows["district"])):  # influence of a district: the derivative in its students' weight
        lighter = rows.assign(weight=np.where(rows["district"] == district, 1 - 1e-6, 1.0))
        moved = moments_of(lighter, shift=80)
        estimates.append(cs_effects(moved, att_gt(moved, UNIVERSAL), "simple").estimate[-1])
    slopes = (found.estimate[-1] - np.array(estimates)) / 1e-6
    assert found.se[-1] ** 2 == pytest.approx(float(slopes @ slopes) * 5 / 4, rel=1e-4)
    assert found.df == 4


def test_one_treated_district_is_refused_as_a_cluster():
    rows = random_rows(53, districts=4)
    rows = rows[(rows["cohort"] == NEVER) | (rows["district"] == "d0")]
    moments = moments_of(rows)
    with pytest.raises(BadInput, match="at least two districts with visited students"):
        cs_effects(moments, att_gt(moments, UNIVERSAL), cluster="district")
    assert cs_effects(moments, att_gt(moments, UNIVERSAL)).df == np.inf


def test_bands_hold_with_the_share_they_say():
    correlation = 0.5 * np.eye(6) + 0.5
    ends = bands(np.zeros(6), 4 * correlation, np.inf, seed=1)
    assert ends.high == pytest.approx(np.full(6, 1.96 * 2), abs=0.001)
    draws = np.random.default_rng(2).multivariate_normal(np.zeros(6), 4 * correlation, 20_000)
    inside = ((draws > ends.low_sup) & (draws < ends.high_sup)).all(axis=1).mean()
    assert inside == pytest.approx(0.95, abs=0.005)
    # between one test and six independent ones
    assert 1.96 < ends.sup_t < stats.norm.ppf(1 - (1 - 0.95 ** (1 / 6)) / 2)


def test_bands_are_the_same_for_the_same_seed_and_exact_for_one():
    v = np.diag([1.0, 0.0])
    one = bands(np.array([3.0, 0.0]), v, np.inf, seed=5)
    assert one.sup_t == pytest.approx(stats.norm.ppf(0.975)) and one.low_sup[1] == one.high_sup[1] == 0
    two = [bands(np.zeros(2), np.eye(2), 14.0, seed=5).sup_t for _ in range(2)]
    assert two[0] == two[1] != bands(np.zeros(2), np.eye(2), 14.0, seed=6).sup_t


def test_the_joint_test_by_hand():
    values, covariance, drift = np.array([2.0, 1.0]), np.diag([1.0, 0.25]), np.array([-2.0, -1.0])
    found = joint_test(values, covariance, drift, np.inf)
    wald = 2**2 / 1 + 1**2 / 0.25
    assert found.p_value == pytest.approx(np.exp(-wald / 2))  # chi-squared with two degrees of freedom
    finite = joint_test(values, covariance, drift, 14.0)
    assert found.p_value < finite.p_value == pytest.approx(stats.f.sf(wald * 13 / (14 * 2), 2, 13))
    for nothing in (
        joint_test(np.empty(0), np.empty((0, 0)), np.empty(0), np.inf),
        joint_test(values, covariance, drift, 1.0),
    ):
        assert np.isnan([nothing.p_value, nothing.slope]).all()


def test_the_detectable_slope_is_detected_four_times_in_five():
    rng = np.random.default_rng(3)
    v = 0.3 * np.eye(4) + 0.2
    drift = np.array([-4.0, -3, -2, -1])
    slope = joint_test(np.zeros(4), v, drift, np.inf).slope
    draws = rng.multivariate_normal(slope * drift, v, 4_000)
    wald = np.einsum("ij,jk,ik->i", draws, np.linalg.inv(v), draws)
    assert (wald > stats.chi2.ppf(0.95, 4)).mean() == pytest.approx(0.80, abs=0.02)


def test_drift_is_what_a_differential_trend_puts_in():
    rows = random_rows(54)
    trended = rows.assign(y=rows["y"] + 2.0 * rows["period"] * (rows["cohort"] < NEVER))
    for choices in (Choices(), UNIVERSAL, Choices(early=(3, 2)), Choices(anticipation=1)):
        before, after = (cs_effects(m, att_gt(m, choices)) for m in (moments_of(rows), moments_of(trended)))
        np.testing.assert_allclose(after.estimate - before.estimate, 2.0 * before.drift, atol=1e-9)


def test_the_path_for_robust_bounds(effects, moments):
    path = honest_path(effects, (-3, 2), (1, 2))
    assert (path.n_pre, path.n_post) == (2, 3) and path.weights.tolist() == [0, 0.5, 0.5]
    places = [int(np.flatnonzero(effects.key == key)[0]) for key in (-3, -2, 0, 1, 2)]
    assert path.estimate.tolist() == effects.estimate[places].tolist()
    with pytest.raises(BadInput, match="missing: \\[-9"):
        honest_path(effects, (-9, 2), (1, 2))
    with pytest.raises(BadInput, match="base='universal'"):
        honest_path(cs_effects(moments, att_gt(moments, Choices())), (-3, 2), (1, 2))


def test_cards_and_rows_say_what_was_done(moments, effects):
    card = dict(effects.card.lines())
    assert card["Comparison students"] == "never visited" and card["Base months"] == "last month before the visit"
    assert effects.card.n_treated + effects.card.n_comparison == moments.students.sum()
    assert (card["Share of visited students covered"], card["Small-sample factor"]) == ("100%", "none")
    frame = to_frame(estimate_rows(effects, PLACE))
    assert set(frame["track"]) == {"students"} and set(frame["p_method"]) == {"student_clustered"}
    assert frame["event_time"].isna().tolist() == np.isnan(effects.key).tolist()
    last = frame.iloc[-1]
    assert last["estimate_pp"] == effects.estimate[-1] and last["se_pp"] == effects.se[-1]
    assert last["ci_high_pp"] == pytest.approx(last["estimate_pp"] + 1.959964 * last["se_pp"])
    assert last["p_value"] == pytest.approx(2 * stats.norm.sf(abs(last["estimate_pp"] / last["se_pp"])))


def test_the_overall_is_the_influence_of_the_overall(moments):
    att = att_gt(moments, UNIVERSAL)
    made = averages(att, "event")
    variance = clustered(moments, aggregate_influence(moments, att, made)).covariance
    np.testing.assert_allclose(cs_effects(moments, att).covariance, variance)


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from moments_twin import moments_of, random_rows
from leapstudy.did.eventstudy import bands, joint_test
from leapstudy.did.staggered.att_gt import att_gt
from leapstudy.did.staggered.att_gt import Choices
from leapstudy.did.staggered.effects import cs_effects
moments = moments_of(random_rows(58, students=60, gaps=0.1, districts=4), shift=80)
for control in ("never", "not_yet"):
    effects = cs_effects(moments, att_gt(moments, Choices(control=control)), cluster="district")
    ends = bands(effects.estimate, effects.covariance, effects.df, seed=1)
    print(control, *(f"{value:.8e}" for value in [*effects.estimate, *effects.se, ends.sup_t]))
"""


@pytest.mark.slow
def test_hash_seed_and_threads_change_nothing():
    tests = str(Path(__file__).parents[1])
    printed = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT, tests],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "OPENBLAS_NUM_THREADS": threads},
        ).stdout
        for seed, threads in (("0", "1"), ("7", "2"))
    ]
    assert printed[0] == printed[1] and len(printed[0].splitlines()) == 2


def test_declared_anticipation_is_not_tested_as_a_pre_trend(effects):
    estimate, covariance = np.where(effects.key >= -2, 9.0, 0.0), np.eye(len(effects.key))
    declared = replace(effects, estimate=estimate, covariance=covariance)
    tested, allowed = (
        pre_trend(replace(declared, card=replace(declared.card, anticipation=months))) for months in (0, 2)
    )
    assert tested is not None and tested.p_value < 0.001
    assert (
        allowed is not None and allowed.p_value == 1 and allowed.months == tested.months - 1
    )  # of -1 and -2 the first is the base


def test_each_average_counts_the_students_who_are_seen_in_its_own_months():
    """A student first visited after the file ends is none of those behind a mean over the months after a visit."""
    rows = random_rows(57, cohorts=(3, 6, 9, NEVER), gaps=0.3)
    found = cs_effects(moments_of(rows), att_gt(moments_of(rows), UNIVERSAL), events=(1, 2))
    seen = rows.merge(rows[rows["period"] == rows["cohort"].where(rows["cohort"] < NEVER) - 1][["unit"]], on="unit")
    event = seen["period"] - seen["cohort"]
    expected = [seen.loc[event == key, "unit"].nunique() for key in found.key[:-1]]
    assert found.treated.tolist() == [*expected, seen.loc[event.between(1, 2), "unit"].nunique()]
    assert found.card.n_treated == found.treated[-1] < seen["unit"].nunique()
    never = rows[rows["cohort"] == NEVER].groupby("unit")["period"].apply(set)
    bases = {(g - 1, g + e) for g in (3, 6) for e in (1, 2) if g + e in range(1, 9)}
    assert found.compared[-1] == sum(any({a, b} <= months for a, b in bases) for months in never)
    told = to_frame(estimate_rows(found, PLACE))
    assert told["n_treated"].tolist() == found.treated.tolist()
    assert told["n_comparison"].tolist() == found.compared.tolist()
