"""The plan of record and what departs from it."""

import copy
import re
from dataclasses import replace
from datetime import date

import pytest
import yaml
from estimates_file import POOLED

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.names import Scale, Weights, options
from leapstudy.core.parameter_file import read_mapping
from leapstudy.data.state import load_state
from leapstudy.did.contrasts import contrasts_of
from leapstudy.did.design import Spec
from leapstudy.evidence.plan import check_frozen, check_run, deviations, plan_hash, standing_of, standings


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
    state = load_state()
    legal = {
        "outcome": state.outcomes,
        "comparison": state.groups,
        "contrast": state.contrasts,
        "edition": state.editions,
        "weights": options(Weights),
        "scale": options(Scale),
    }
    for key, values in plan["sensitivity"].items():
        assert set(values) <= set(legal[key]), key


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


def test_a_date_without_quotes_gives_the_same_hash(plan, tmp_path):
    text = (paths.params() / "plan.yml").read_text(encoding="utf-8")
    bare = re.sub(r'"(\d{4}-\d\d-\d\d)"', r"\1", text)
    (tmp_path / "plan.yml").write_text(bare, encoding="utf-8")
    assert bare != text and check_frozen(read_mapping(tmp_path / "plan.yml")) == plan["frozen"]
    assert plan_hash({**plan, "written": date.fromisoformat(plan["written"])}) == plan["frozen"]


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
        ({"comparison": "others", "weights": "students"}, "exploratory", ["planned sensitivity"] * 2),
        ({"comparison": ["0020011", "0110011"]}, "exploratory", ["exploratory"]),
        ({"outcome": "chronic_absence"}, "exploratory", ["exploratory"]),
    ],
)
def test_a_run_is_held_against_the_plan(plan, params, standing, kinds):
    found = check_run(plan, params)
    assert found.standing == standing
    assert [item.kind for item in found.deviations] == kinds


def test_who_waits_by_the_lots_is_no_deviation_whatever_the_plan_says(plan):
    found = check_run(plan, {"comparison": "waiting"}, "waiting")
    assert (found.deviations, found.standing) == ((), "as planned")
    assert [item.kind for item in deviations(plan, {"comparison": "waiting"})] == ["exploratory"]
    assert deviations(plan, {"comparison": "others"}, "waiting")[0].kind == "planned sensitivity"
    (other,) = deviations(plan, {"comparison": "alliance"}, "waiting")
    assert (other.planned, other.used, other.kind) == ("waiting", "alliance", "exploratory"), "one of them, not both"
    assert deviations(plan, {}, "waiting") == ()
    rows, contrasts = [replace(POOLED, comparison="waiting")], contrasts_of(load_state(), "2021-22")
    assert standings(plan, {}, rows, contrasts, "waiting")["standing"].tolist() == ["as planned"]


def test_a_deviation_says_planned_and_used(plan):
    (found,) = deviations(plan, {"comparison": ("0020011", "0110011")})
    assert (found.key, found.planned, found.used) == ("comparison", "alliance", "0020011, 0110011")


@pytest.mark.parametrize(
    ("change", "standing"),
    [
        ({}, "as planned"),
        ({"comparison": "others"}, "planned sensitivity"),
        ({"comparison": "others", "edition": "2021-22"}, "exploratory"),
        ({"pre": "2020-21"}, "planned sensitivity"),
        ({"estimator": "sdid", "p_method": "sdid_placebo"}, "exploratory"),
        ({"p_method": "conley_taber"}, "exploratory"),
        ({"p_method": "romano_wolf"}, "as planned"),
    ],
)
def test_each_row_stands_to_the_plan_by_its_own_departures(plan, change, standing):
    assert standings(plan, {"weights": "equal"}, [replace(POOLED, **change)], contrasts_of(load_state(), "2021-22"))[
        "standing"
    ].tolist() == [standing]


def test_a_runs_own_departure_counts_for_all_its_rows(plan):
    rows = [POOLED, replace(POOLED, comparison="others")]
    found = standings(
        plan, {"weights": "students", "comparison": "alliance"}, rows, contrasts_of(load_state(), "2021-22")
    )
    assert dict(zip(found["standing"], found["rows"], strict=True)) == {"planned sensitivity": 1, "exploratory": 1}


def test_other_draws_are_no_departure(plan):
    assert standing_of(deviations(plan, {"seed": 1})) == "as planned"


def test_the_plan_stands_in_full_but_for_what_came_later(plan):
    told = dict(check_run(plan, {}).content)
    for words in (
        plan["estimand"],
        plan["assumption"],
        *plan["hypotheses"],
        *plan["exclusions"],
        *plan["inference"].values(),
    ):
        assert str(words) in told.values()
    assert told["planned, comparison"] == "alliance" and told["sensitivity, comparison"] == "others, drg_gh"
    assert told["threshold pp"] == "0.5" and not any("additions" in part for part in told)


def test_an_addition_leaves_the_frozen_plan_as_it_is_and_says_what_it_is(plan):
    assert plan_hash(plan) == plan_hash({**plan, "additions": []}) == plan["frozen"]
    told = check_run(plan, {}).additions
    assert len(told) == 2 and told[0].startswith("chronic absence, 2011-12 to 2024-25")
    with pytest.raises(BadInput, match=r"additions\.0\.when: .*additions\.0\.why: "):
        check_frozen({**plan, "additions": [{"what": "one more"}]})
