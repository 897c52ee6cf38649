"""The tier of evidence, condition by condition."""

from dataclasses import replace

import pytest

from leapstudy.evidence.essa import EssaFacts, essa_grade

GOOD = EssaFacts(
    estimate_pp=1.2,
    p_value=0.01,
    baseline="satisfied",
    adjusted=False,
    n_students=5000,
    n_groups=34,
    n_treated_sites=15,
    placebo_p=0.40,
    rationale=True,
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
        ({"p_value": 0.05}, 4, {"a well-run experiment", "a favorable effect at the 5 % level"}),
        ({"p_value": None}, 4, {"a well-run experiment", "a favorable effect at the 5 % level"}),
        ({"estimate_pp": -1.2}, 4, {"a well-run experiment", "a favorable effect at the 5 % level"}),
        ({"placebo_p": 0.01}, 4, {"a well-run experiment", "controls for selection"}),
        ({"placebo_p": None}, 4, {"a well-run experiment", "controls for selection"}),
        (
            {"p_value": 0.5, "rationale": False},
            None,
            {"a well-run experiment", "a favorable effect at the 5 % level", "a rationale and a study under way"},
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
    assert "p = 0.010" in reasons["a favorable effect at the 5 % level"]
    assert "5,000 students" in reasons["a large sample"]
