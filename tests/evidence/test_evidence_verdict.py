"""One verdict an answer: worst news first, one rule at 5%, the same on the real pages and in each constructed case."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from leapstudy.did.answering import answer_all, answer_district
from leapstudy.did.design import Spec
from leapstudy.did.permutation import holm
from leapstudy.evidence.assess import assess, verdict_of
from leapstudy.evidence.verdict import Window, beyond_control, can_reject, decide, rejects

FAIR = Window("2019-20 to 2020-21", -0.5, -1.5, 0.5, 0.3)
BROKEN = Window("2019-20 to 2020-21", -3.3, -4.8, -1.8, 0.002)


def chronic(p):
    return Window("chronic absence", 1.0, 0.1, 1.9, p, own=False)


CASES = {
    "positive": decide(1.2, 0.6, 1.8, 0.001, windows=[FAIR]),
    "negative": decide(-1.2, -1.8, -0.6, 0.001, windows=[FAIR]),
    "precise_null": decide(0.05, -0.3, 0.4, 0.8, windows=[FAIR]),
    "imprecise_null": decide(-0.34, -1.28, 0.6, 0.47, windows=[FAIR]),
    "no_interval": decide(0.7, -np.inf, np.inf, 0.8, windows=[FAIR]),
    "cannot_test": decide(2.1, None, None, 1 / 3, p_floor=1 / 3),
    "one_of_many": decide(-4.05, -6.3, -1.5, 0.05, p_adjusted=0.75, looked_at=15, windows=[FAIR]),
    "failed_placebo": decide(1.8, 0.6, 3.0, 0.004, windows=[BROKEN]),
    "placebo": decide(-1.1, -2.8, 0.6, 0.19, windows=[BROKEN], role="placebo"),
}


@pytest.mark.parametrize("kind", CASES)
def test_each_case_has_its_verdict_and_a_reason(kind):
    verdict = CASES[kind]
    assert verdict.kind == kind and verdict.reasons and all(verdict.reasons)
    assert verdict.clear == (kind in ("positive", "negative"))


def test_worst_news_comes_first():
    assert decide(2.1, None, None, 1 / 3, p_floor=1 / 3, windows=[BROKEN]).kind == "failed_placebo"
    assert decide(1.2, 0.6, 1.8, 0.001, windows=[FAIR], pre_trend_p=0.01).kind == "failed_placebo"
    # with one treated unit that test does not keep its size: it forbids a claim, and is else a caution
    soft = decide(0.1, -1.0, 1.2, 0.8, windows=[FAIR], pre_trend_p=0.01, pre_trend_fits=False)
    assert soft.kind == "imprecise_null" and "rejected" in soft.cautions[0]
    assert decide(1.2, 0.6, 1.8, 0.001, windows=[FAIR], pre_trend_p=0.01, pre_trend_fits=False).kind == "failed_placebo"


def test_windows_of_another_outcome_forbid_a_claim_after_holm():
    assert decide(1.2, 0.6, 1.8, 0.001, windows=[FAIR, chronic(0.02), chronic(0.5), chronic(0.6)]).kind == "positive"
    assert decide(1.2, 0.6, 1.8, 0.001, windows=[FAIR, chronic(0.01), chronic(0.5)]).kind == "failed_placebo"
    null = decide(0.1, -1.0, 1.2, 0.8, windows=[FAIR, chronic(0.01)])
    assert null.kind == "imprecise_null" and null.before == "passed" and "Holm" in null.cautions[0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_is_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


@pytest.mark.parametrize(
    ("p", "expected"), [(0.05, True), (1 / 20, True), (0.0501, False), (None, False), (float("nan"), False)]
)
def test_five_percent_itself_rejects(p, expected):
    assert rejects(p) is expected


def test_a_floor_above_five_percent_is_no_test():
    assert can_reject(1 / 20) and can_reject(None) and not can_reject(1 / 19)
    assert decide(1.0, 0.2, 1.8, 1 / 18, p_floor=1 / 18, windows=[FAIR]).kind == "cannot_test"


@given(st.floats(-5, 5), st.floats(0.01, 3), st.floats(0.0001, 1))
def test_an_effect_is_claimed_only_where_test_and_interval_agree(estimate, reach, p):
    verdict = decide(estimate, estimate - reach, estimate + reach, p, windows=[FAIR])
    if verdict.clear:
        assert rejects(p) and abs(estimate) > reach and (estimate > 0) == (verdict.kind == "positive")
    if verdict.kind == "precise_null":
        assert abs(estimate) + reach <= 100 / 180 + 1e-9


@pytest.mark.parametrize("windows", [[FAIR], [BROKEN], [FAIR, chronic(0.01)]])
@given(st.floats(-5, 5), st.floats(0.01, 3), st.floats(0.0001, 1))
def test_a_fall_of_what_should_fall_is_judged_as_a_rise_of_what_should_rise(windows, estimate, reach, p):
    rise = decide(estimate, estimate - reach, estimate + reach, p, windows=windows)
    fall = decide(-estimate, -estimate - reach, -estimate + reach, p, windows=windows, lower_is_better=True)
    assert fall.kind == rise.kind and fall.before == rise.before and fall.gain_pp == rise.gain_pp
    assert (fall.estimate_pp, fall.low_pp, fall.high_pp) == (-estimate, -estimate - reach, -estimate + reach)
    assert "a day a year" not in " ".join(fall.reasons)


def test_the_real_answers(study, facts, pooled, hartford):
    assert verdict_of(pooled).kind == "imprecise_null" and any("Holm" in text for text in verdict_of(pooled).cautions)
    assert verdict_of(answer_all(study, Spec(comparison="others"), robust=False)).kind == "failed_placebo"
    assert verdict_of(hartford).kind == "no_interval"
    haven = answer_district(study, "0930011", Spec())
    verdict = verdict_of(haven)
    # alone its permutation has p = .05; the preferred test has .15, and .88 once fifteen are counted
    assert verdict.kind == "no_interval" and (verdict.p_value, verdict.p_adjusted) == pytest.approx((0.15, 0.875))
    assert assess(study, facts, haven).power.mde_pp == float("inf")


def test_a_placebo_is_neither_priced_nor_graded(study, facts):
    answer = answer_all(study, Spec(contrast="placebo_2019_20_to_2020_21"), robust=False)
    evidence = assess(study, facts, answer)
    assert evidence.verdict.kind == "placebo" and evidence.essa.tier is None and not evidence.essa.conditions
    assert evidence.cost.dollars_per_day is None and "before the program" in evidence.cost.refusal


@pytest.mark.parametrize(
    ("effect", "control", "kind"),
    [
        ((7.0, 6.0, 8.0), (0.3, 0.8), "positive"),
        ((-7.0, -8.0, -6.0), (0.3, 0.8), "negative"),
        ((4.0, 3.0, 5.0), (2.2, 1.2), "selection"),  # not zero itself, but what is left of the effect includes zero
        ((4.0, 3.0, 5.0), None, "selection"),
        ((4.0, 3.0, 5.0), (11.0, 0.5), "selection"),  # the control rose more: what is left has the other sign
        ((0.1, -0.9, 1.1), (5.0, 0.5), "imprecise_null"),
    ],
)
def test_a_claim_must_go_beyond_those_who_were_picked_and_not_visited(effect, control, kind):
    value, low, high = effect
    verdict = decide(value, low, high, 0.001 if kind != "imprecise_null" else 0.8, windows=[FAIR])
    held = beyond_control(verdict, 0.5, None if control is None else control[0], 0.0 if control is None else control[1])
    assert held.kind == kind and held.reasons and held.clear == (kind in ("positive", "negative"))


def test_picking_that_moves_both_alike_is_claimed_no_more_often_than_chance():
    rng = np.random.default_rng(3)
    bias, claimed = 4.0, 0
    for effect, control in zip(bias + 0.7 * rng.normal(size=2000), bias + 1.6 * rng.normal(size=2000), strict=True):
        reach = 1.96 * 0.7
        claimed += (
            beyond_control(decide(effect, effect - reach, effect + reach, 0.001), 0.7, control, 1.6).kind == "positive"
        )
    assert claimed / 2000 < 0.025 + 3 * np.sqrt(0.025 * 0.975 / 2000)
