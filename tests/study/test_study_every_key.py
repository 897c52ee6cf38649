"""Every key of what is decided beforehand: each is read, each legal value works, any other is refused in words."""

import copy
import re
import shutil
from dataclasses import replace
from typing import Literal, get_args, get_origin

import pytest
import yaml
from own_files import students, write_pair

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.names import options
from leapstudy.core.parameter_file import Part, checked_part
from leapstudy.core.phrases import number
from leapstudy.data.intake import read_recipes
from leapstudy.data.state import AtLeast, AtMost
from leapstudy.evidence.plan import Plan, check_frozen, plan_hash
from leapstudy.figures.rollout import money
from leapstudy.students.eligible import Outcome, Stratum
from leapstudy.students.referral_rule import Window
from leapstudy.students.settings import StudentSettings, load_settings
from leapstudy.study.public import load_plan
from leapstudy.study.rollout.choices import Rollout, load_rollout
from leapstudy.study.rollout.eligibility import eligible_units, rule_words, unit_strata
from leapstudy.study.rollout.scenarios import design
from leapstudy.words.rollout import recommendation

FILES = {"rollout.yml": Rollout, "students.yml": StudentSettings, "plan.yml": Plan}
FOREIGN = (None, True, -1, 1e30, float("nan"), float("inf"), "", "no such thing", "2022-13-40", [], {}, [["x"]])


def _content(name):
    content = yaml.safe_load((paths.params() / name).read_text(encoding="utf-8"))
    if name == "students.yml":
        content["rollout"] = {"level": "school", "starts": {"a": "2026-10"}, "first": "2026-10-01", "met": 0.8}
    return content


def _places(content, at=()):
    """Yield the path of every key."""
    for key, value in content.items():
        yield (*at, key)
        if isinstance(value, dict):
            yield from _places(value, (*at, key))


def _with(content, at, value):
    changed = copy.deepcopy(content)
    part = changed
    for key in at[:-1]:
        part = part[key]
    part[at[-1]] = value
    return changed


def _parts(kind, at=()):
    """Yield the path of every part of a file, itself first, and the part's kind."""
    yield at, kind
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Part):
            yield from _parts(field.annotation, (*at, name))


def _literals(kind):
    """Yield the path and the legal values of every key that takes one of a few names."""
    for at, part in _parts(kind):
        for name, field in part.model_fields.items():
            if get_origin(field.annotation) is Literal:
                yield (*at, name), get_args(field.annotation)


@pytest.mark.parametrize("name", FILES)
def test_a_foreign_value_at_any_key_is_legal_or_refused_with_the_name_of_its_place(name):
    content, refused = _content(name), 0
    for at in _places(content):
        for value in FOREIGN:
            try:
                checked_part(_with(content, at, value), FILES[name], name)
            except BadInput as error:
                refused += 1
                assert any(str(key) in str(error) for key in at), (at, value, str(error))
    assert refused > 3 * len(content)


@pytest.mark.parametrize("name", FILES)
def test_an_unknown_key_in_any_part_is_refused_with_the_legal_ones(name):
    content = _content(name)
    for at, kind in _parts(FILES[name]):
        with pytest.raises(BadInput) as refusal:
            checked_part(_with(content, (*at, "no_such_key"), 1), FILES[name], name)
        assert all(legal in str(refusal.value) for legal in kind.model_fields), at


@pytest.mark.parametrize("name", FILES)
def test_every_key_is_read(name):
    code = "\n".join(path.read_text("utf-8") for path in sorted((paths.root() / "leapstudy").rglob("*.py")))
    for at, kind in _parts(FILES[name]):
        names = kind.model_fields if name != "plan.yml" else ()
        unread = [key for key in names if not re.search(rf"\.{key}\b", code)]
        assert not unread, (at, unread)


INTAKE = {
    "folder": "figures",
    "whole_state": "99",
    "fractions": {"rate": ["2030-31"]},
    "restated": ["a.csv", "b.csv"],
    "shapes": [
        {
            "sources": [{"file": "a.csv", "sheet": "x", "header": 2, "year": "2030-31"}, {"file": "b.csv"}],
            "keep": {"Grade": "All"},
            "columns": {"district_code": "Code", "year": "Year"},
            "wide": {"rate": "{year} Rate"},
            "ratios": {"chronic": ["n", "d"]},
            "groups": {"All": "all"},
            "traits": {"county": "County"},
            "single_year": "fall",
            "pad": 8,
        }
    ],
}


def _inside(content, at=()):
    """Yield the path of everything inside mappings and lists."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from _inside(value, (*at, key))


def _recipe(tmp_path, content):
    (tmp_path / "intake.yml").write_text(yaml.safe_dump({"attendance": content}), encoding="utf-8")
    return read_recipes(tmp_path / "intake.yml")


def test_a_foreign_value_at_any_key_of_the_intake_is_legal_or_refused_with_the_name_of_its_place(tmp_path):
    assert _recipe(tmp_path, INTAKE)["attendance"].files == ["a.csv", "b.csv"]
    refused = 0
    for at in _inside(INTAKE):
        for value in FOREIGN:
            try:
                _recipe(tmp_path, _with(INTAKE, at, value))
            except BadInput as error:
                refused += 1
                assert any(str(key) in str(error) for key in at), (at, value, str(error))
    assert refused > 150


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (("fold",), "x", "Did you mean 'folder'"),
        (("shapes", 0, "column"), {}, "Did you mean 'columns'"),
        (("shapes", 0, "sources", 1, "sheets"), "x", "Did you mean 'sheet'"),
        (("shapes", 0, "columns"), {"year": "Year"}, "the unit's code: district_code"),
        (("shapes", 0, "columns", "chronics"), "Rate", "Did you mean 'chronic'"),
        (("shapes", 0, "wide"), {"rates": "{year}"}, "Did you mean 'rate'"),
        (("shapes", 0, "wide", "rate"), "2030", "{year}"),
        (("shapes", 0, "ratios", "days"), ["n", "d"], "Legal: students, rate, chronic, figure"),
        (("restated", 1), "c.csv", "Legal: a.csv, b.csv"),
    ],
)
def test_an_unknown_name_in_the_intake_is_refused_with_the_legal_ones(at, value, words, tmp_path):
    with pytest.raises(BadInput) as refusal:
        _recipe(tmp_path, _with(INTAKE, at, value))
    assert words in str(refusal.value)


def test_every_key_of_the_plan_is_bound_by_its_hash():
    plan = load_plan()
    for key in set(plan) - {"frozen", "additions"}:
        assert plan_hash(_with(plan, (key,), "another")) != plan["frozen"], key


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"planned": {"outcom": "attendance_rate"}}, "Did you mean 'outcome'"),
        ({"planned": {"contrast": "pre_mean"}}, "Did you mean 'pre_mean_to_2021_22'"),
        ({"sensitivity": {"weights": ["heads"]}}, "weights"),
        ({"sensitivity": {"comparison": ["nobody"]}}, "nobody"),
    ],
)
def test_a_plan_that_names_what_the_study_cannot_be_asked_is_refused(changes, words, tmp_path, monkeypatch):
    plan = {**load_plan(), **changes}
    plan["frozen"] = plan_hash(plan)
    shutil.copytree(paths.params(), tmp_path / "params")
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(tmp_path))
    (paths.params() / "plan.yml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    with pytest.raises(BadInput, match=re.escape(words)):
        load_plan()


def test_a_plan_without_a_date_or_a_size_is_refused_before_its_hash():
    plan = load_plan()
    for key, value in (("written", "soon"), ("written", ""), ("threshold_pp", 0), ("exclusions", "none")):
        with pytest.raises(BadInput, match=key):
            check_frozen(_with(plan, (key,), value))


@pytest.mark.parametrize("name", ["rollout.yml", "students.yml"])
def test_each_name_that_a_key_may_take_is_taken_and_any_other_refused_with_all_of_them(name):
    content, seen = _content(name), 0
    for at, legal in _literals(FILES[name]):
        for value in legal:
            own = {"units": {"months_after": None, "phases": {"2031-32": 8}}, "students": {"months_after": 5}}
            checked_part({**_with(content, at, value), **own.get(value, {})}, FILES[name], name)
            seen += 1
        with pytest.raises(BadInput) as refusal:
            checked_part(_with(content, at, "no such name"), FILES[name], name)
        assert all(value in str(refusal.value) for value in legal), at
    assert seen >= 3


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Return the settings that read a few invented students; nobody has been visited yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAPSTUDY_STUDENT_KEY", "an invented key of forty characters, no more")
        pair = write_pair(tmp_path_factory.mktemp("private"), *students({"0640011": 300, "0770011": 300}, seed=8))
        yield StudentSettings.model_validate({**load_settings().model_dump(), **pair, "visits": ""})


# Ends of what numbers may be, one with each window.
ODD = ({}, {"months_after": 1}, {"budget": {"dollars": 0}}, {"budget": {"met": 1}}, {"percent": 0})
STRATA = ([], *([name] for name in options(Stratum)))


@pytest.mark.parametrize(("window", "strata", "odd"), tuple(zip(options(Window), STRATA, ODD, strict=True)))
def test_students_are_dealt_under_every_legal_choice(own, window, strata, odd):
    content = load_rollout().model_dump(mode="json")
    content["eligible"]["students"] |= {"window": window, "percent": odd.get("percent", 10)}
    content["strata"]["students"] = strata
    content["budget"] |= odd.get("budget", {})
    content["months_after"] = odd.get("months_after", 5)
    content["scenarios"] |= {"offered": [0.5], "phases": [1], "deals": 100, "students": list(options(Outcome))}
    tried = design(checked_part(content, Rollout, "rollout.yml"), own)
    assert len(tried.scenarios) + len(tried.refused) == len(options(Outcome))
    assert tried.n_eligible > 0 and tried.scenarios and all(item.dealt.detectable > 0 for item in tried.scenarios)


def test_units_are_drawn_within_every_column_and_refused_by_none_that_is_not_there(study):
    units = eligible_units(study, load_rollout().eligible.units)
    for column in units:
        assert set(unit_strata(units, [column])) == set(units["district_code"]), column
    with pytest.raises(BadInput, match="org_typ"):
        unit_strata(units, ["org_typ"])
    for rule in ({"no such column": 1}, {"chronic_absence 1999-00": 1}, {"org_type": "no such type"}):
        with pytest.raises(BadInput):
            eligible_units(study, rule)


SIZES = {"attendance": 4, "chronic_absence": 6}


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({**SIZES, "chronic absence": 6}, "Unknown outcome of budget.matters_pp: 'chronic absence'. Did you mean"),
        ({"attendance": 4}, "attendance which effect would matter, and not of chronic_absence. Add it there."),
        ({**SIZES, "attendance": 0}, "nor one for each outcome, such as { attendance: 4, chronic_absence: 6 }"),
        ({**SIZES, "attendance": True}, "nor one for each outcome"),
        ({}, "nor one for each outcome"),
        ("4", "'4' is neither a number above 0 nor one for each outcome"),
    ],
)
def test_an_effect_that_matters_of_no_outcome_is_refused_in_words(sizes, words):
    content = _content("rollout.yml")
    with pytest.raises(BadInput, match=re.escape(words)):
        checked_part(_with(content, ("budget", "matters_pp"), sizes), Rollout, "rollout.yml")


def test_each_outcome_has_the_effect_that_matters_of_it(own):
    content = _content("rollout.yml")
    content["scenarios"] |= {"offered": [0.5], "phases": [1], "deals": 100, "students": list(SIZES)}
    content["budget"]["matters_pp"] = sizes = {"attendance": 0.01, "chronic_absence": 99}
    content["question"] = "Do visits help?"
    asked = {name: checked_part({**content, "outcome": name}, Rollout, "rollout.yml") for name in SIZES}
    dealt = design(asked["attendance"], own)
    for outcome, found in (("attendance", "No scenario within"), ("chronic_absence", "would be found")):
        made = replace(dealt, chosen=asked[outcome])
        said = recommendation(made)
        assert found in said.title and f"would matter is {number(sizes[outcome], 1)} points" in said.detail
        assert money(made).figure.axes[0].patches[0].get_height() == sizes[outcome]
    with pytest.raises(BadInput, match="not of attendance_rate"):
        made.chosen.budget.matters("attendance_rate")


def test_a_rule_is_told_in_the_words_of_the_study(study):
    told = {
        "every district": {},
        "chronic absence in 2018-19 at least 10%": {"chronic_absence 2018-19": AtLeast(at_least=10)},
        "decile of wealth at most 3; alliance: yes": {"wealth_decile": AtMost(at_most=3), "alliance": True},
        "Reference group is G, H; Students at least 1234567": {
            "drg": ("G", "H"),
            "students_2019_20": AtLeast(at_least=1_234_567),
        },
        "chronic absence in 2018-19 is 12%; decile of wealth is 3": {
            "chronic_absence 2018-19": 12,
            "wealth_decile": 3.0,
        },
    }
    for words, rule in told.items():
        assert rule_words(rule) == words


@pytest.mark.parametrize(
    ("name", "words"), [("Hartford", "Only 0 districts meet"), ("Ansonia", "Only 1 district meets")]
)
def test_a_rule_that_too_few_units_meet_is_refused_in_grammatical_words(study, name, words):
    with pytest.raises(BadInput, match=rf"{words} the rule \(.* is {name} School District\)"):
        eligible_units(study, {"district": f"{name} School District"})
