"""The plan of record and what departs from it."""

import copy

import pytest
import yaml

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.names import ComparisonName, ContrastName, Edition, Outcome, Scale, Weights, options
from leapstudy.did.design import Spec
from leapstudy.evidence.plan import check_frozen, check_run, deviations, plan_hash


@pytest.fixture(scope="module")
def plan():
    return yaml.safe_load((paths.params() / "plan.yml").read_text(encoding="utf-8"))


def test_the_plan_is_frozen_and_says_what_it_is_not(plan):
    assert check_frozen(plan) == plan["frozen"]
    assert "not a preregistration" in plan["status"]


def test_the_plan_is_what_the_study_does_by_default(plan):
    spec = Spec()
    assert plan["planned"] == {name: getattr(spec, name) for name in plan["planned"]}


def test_the_plan_names_only_legal_options(plan):
    aliases = {
        "outcome": Outcome,
        "comparison": ComparisonName,
        "contrast": ContrastName,
        "edition": Edition,
        "weights": Weights,
        "scale": Scale,
    }
    for key, values in plan["sensitivity"].items():
        assert set(values) <= set(options(aliases[key])), key


def test_a_changed_word_is_an_error(plan):
    changed = copy.deepcopy(plan)
    changed["threshold_pp"] = 0.1
    with pytest.raises(BadInput, match="changed after it was frozen"):
        check_frozen(changed)


def test_a_missing_or_unknown_part_is_an_error(plan):
    with pytest.raises(BadInput, match="lacks estimand"):
        check_frozen({key: value for key, value in plan.items() if key != "estimand"})
    with pytest.raises(BadInput, match="part of the plan"):
        check_frozen({**plan, "treshold": 1})


def test_the_hash_knows_no_order(plan):
    assert plan_hash(dict(reversed(plan.items()))) == plan_hash(plan)


@pytest.mark.parametrize(
    ("params", "standing", "kinds"),
    [
        ({}, "as planned", []),
        ({"district": "hartford", "comparison": "alliance"}, "as planned", []),
        ({"seed": 7}, "as planned", ["other draws"]),
        ({"comparison": "others"}, "planned sensitivity", ["planned sensitivity"]),
        ({"comparison": "others", "seed": 7}, "planned sensitivity", ["planned sensitivity", "other draws"]),
        ({"comparison": "others", "weights": "pupils"}, "exploratory", ["planned sensitivity"] * 2),
        ({"comparison": ["0020011", "0110011"]}, "exploratory", ["exploratory"]),
        ({"outcome": "chronic_absence"}, "exploratory", ["exploratory"]),
    ],
)
def test_a_run_is_held_against_the_plan(plan, params, standing, kinds):
    found = check_run(plan, params)
    assert found.standing == standing
    assert [item.kind for item in found.deviations] == kinds


def test_a_deviation_says_planned_and_used(plan):
    (found,) = deviations(plan, {"comparison": ("0020011", "0110011")})
    assert (found.key, found.planned, found.used) == ("comparison", "alliance", "0020011,0110011")
