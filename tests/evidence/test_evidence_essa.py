"""The tier of evidence, condition by condition."""

from dataclasses import replace

import pytest

from leapstudy.evidence.standards import EssaFacts, essa_grade
from leapstudy.evidence.verdict import Window, decide


def verdict(estimate=1.2, p=0.01, placebo_p=0.40, **named):
    windows = [] if placebo_p is None else [Window("2019-20 to 2020-21", -0.5, -1.5, 0.5, placebo_p)]
    return decide(estimate, estimate - 1, estimate + 1, p, windows=windows, **named)


GOOD = EssaFacts(
    verdict=verdict(),
    baseline="satisfied",
    adjusted=False,
    n_students=5000,
    n_groups=34,
    n_treated_sites=15,
    rationale="research on calls",
)


@pytest.mark.parametrize(
    ("change", "tier", "failed"),
    [
        ({"randomized": True}, 1, set()),
        ({}, 2, {"a well-run experiment"}),
        ({"baseline": "satisfied with adjustment", "adjusted": True}, 2, {"a well-run experiment"}),
        ({"baseline": "satisfied with adjustment"}, 3, {"a well-run experiment", "alike before the program"}),
        ({"baseline": None}, 3, {"a well-run experiment", "alike before the program"}),
        ({"n_treated_sites": 1}, 3, {"a well-run experiment", "no confounding factor", "more than one site"}),
        ({"n_students": 349}, 3, {"a well-run experiment", "a large sample"}),
        ({"n_students": 349, "n_groups": 50}, 2, {"a well-run experiment"}),
        # 0.05 is a rejection here as on the plain page; one that cannot be reached is no test
        ({"verdict": verdict(p=0.05)}, 2, {"a well-run experiment"}),
        ({"verdict": verdict(p_floor=1 / 18)}, 4, {"a well-run experiment", "a favorable effect at the 5% level"}),
        (
            {"verdict": verdict(p_adjusted=0.4, looked_at=15)},
            4,
            {"a well-run experiment", "a favorable effect at the 5% level"},
        ),
        ({"verdict": verdict(p=None)}, 4, {"a well-run experiment", "a favorable effect at the 5% level"}),
        ({"verdict": verdict(-1.2)}, 4, {"a well-run experiment", "a favorable effect at the 5% level"}),
        ({"verdict": verdict(-1.2, lower_is_better=True)}, 2, {"a well-run experiment"}),
        (
            {"verdict": verdict(lower_is_better=True)},
            4,
            {"a well-run experiment", "a favorable effect at the 5% level"},
        ),
        ({"verdict": verdict(placebo_p=0.05)}, 4, {"a well-run experiment", "controls for selection"}),
        ({"verdict": verdict(placebo_p=None)}, 4, {"a well-run experiment", "controls for selection"}),
        (
            {"verdict": verdict(p=0.5), "rationale": ""},
            None,
            {"a well-run experiment", "a favorable effect at the 5% level", "a rationale and a study under way"},
        ),
    ],
)
def test_tier_and_failed_conditions(change, tier, failed):
    grade = essa_grade(replace(GOOD, **change))
    assert grade.tier == tier
    assert {item.name for item in grade.conditions if not item.met} == failed


def test_each_condition_says_why():
    for item in essa_grade(GOOD).conditions:
        assert item.reason.startswith("met: " if item.met else "not met because ")
    reasons = {item.name: item.reason for item in essa_grade(GOOD).conditions}
    assert "p = 0.010" in reasons["a favorable effect at the 5% level"]
    assert "5,000 students" in reasons["a large sample"]
