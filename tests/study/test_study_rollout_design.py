"""Scenarios of a rollout: who meets the rule, what they did in past months, and what the design says of it."""

import json

import numpy as np
import pytest
from own_files import NAMES, SCHOOL_MONTHS, students, write_pair

from leapstudy.cli import before
from leapstudy.core.errors import BadInput
from leapstudy.core.parameter_file import read_part
from leapstudy.did.lottery.rollout import rollout
from leapstudy.students.contract import Reading
from leapstudy.students.eligible import Rule, eligible_ids, is_chronic, past, past_decisions
from leapstudy.students.handle import open_students
from leapstudy.students.settings import StudentSettings, load_settings
from leapstudy.study.rollout import written_plan
from leapstudy.study.rollout.choices import Rollout, load_rollout
from leapstudy.study.rollout.scenarios import design
from leapstudy.words import rollout as words

RULE = Rule("last_two_months", 10)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Return rows of invented students, and the settings that read them; nobody has been visited yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAPSTUDY_STUDENT_KEY", "an invented key of forty characters, no more")
        rows, log = students({"0640011": 700, "0770011": 500}, seed=8)
        pair = write_pair(tmp_path_factory.mktemp("private"), rows, log)
        yield rows, StudentSettings.model_validate({**load_settings().model_dump(), **pair, "visits": ""})


@pytest.fixture(scope="module")
def data(own):
    _, settings = own
    return open_students(settings.input, how=Reading(NAMES))


@pytest.fixture(scope="module")
def made(own):
    """Return the designs of both tracks."""
    chosen = load_rollout()
    units = chosen.model_copy(update={"track": "units", "outcome": "chronic_absence"})
    return {"students": design(chosen, own[1]), "units": design(units)}


def _twin(rows, month, after):
    """Find one by one who meets the rule in a month, and their share of days missed before and in the months after."""
    at = [str(item) for item in SCHOOL_MONTHS].index(month)
    found = []
    for _, one in rows.groupby("student"):
        days, missed = one["days_enrolled"].to_numpy(), (one["days_enrolled"] - one["days_attended"]).to_numpy()
        if 10 * missed[at - 1 : at + 1].sum() >= days[at - 1 : at + 1].sum():
            parts = [slice(max(at - 5, 0), at + 1), slice(at + 1, at + 1 + after)]
            found.append([100 * missed[part].sum() / days[part].sum() for part in parts])
    return np.array(found)


def test_the_past_is_that_of_the_students_who_met_the_rule_one_by_one(own, data):
    twins = [_twin(own[0], month, 5) for month in ("2020-11", "2021-03")]
    items = past(data, RULE, ["2020-11", "2021-03"], 5, ["district_code"])
    for item, twin in zip(items, twins, strict=True):
        attended, strata = item.outcome("attendance", 1)
        np.testing.assert_allclose(np.sort(100 - attended, axis=0), np.sort(twin, axis=0))
        chronic, _ = item.outcome("chronic_absence", 1)
        assert chronic.sum() == -100 * (twin >= 10).sum() and set(strata) == {"0640011", "0770011"}
        halves, _ = item.outcome("attendance", 2)
        # months 1 to 3 and 4 to 5 after: days are equal, so that they weigh three and two
        np.testing.assert_allclose((3 * halves[:, 1] + 2 * halves[:, 2]) / 5, attended[:, 1])
    assert len(eligible_ids(data, RULE, "2021-03", ())) == len(twins[1])
    assert past_decisions(data, 5, RULE.window)[0] == "2020-10"


def test_what_cannot_be_dealt_is_refused_in_words(data):
    with pytest.raises(BadInput, match="cannot be cut into 6"):
        past(data, RULE, ["2020-11"], 5, ())[0].outcome("attendance", 6)
    with pytest.raises(BadInput, match="20 school months come before the first visit"):
        past_decisions(data, 24, RULE.window)
    with pytest.raises(BadInput, match="'2019-01'"):
        eligible_ids(data, RULE, "2019-01", ())
    with pytest.raises(BadInput, match="'last_weeks'"):
        Rule("last_weeks", 10)


def test_scenarios_are_every_combination_and_the_planned_test_keeps_its_size(made):
    for track, item in made.items():
        chosen: Rollout = item.chosen
        tries = chosen.scenarios
        combinations = len(getattr(tries, track)) * len(tries.phases) * len(tries.offered)
        assert len(item.scenarios) + len(item.refused) == combinations
        table = item.table()
        assert (table["false_positive"] <= 0.05).all() and (table["detectable"] > 0).all()
        assert (table["n_offered"] - table["offered"] * table["n_units"]).abs().max() <= 1
        primary = table[(table["outcome"] == chosen.outcome) & (table["phases"] == 1)].set_index("offered")
        assert primary.loc[0.5, "detectable"] < primary.loc[0.25, "detectable"] < primary.loc[0.1, "detectable"]
        assert (
            item.best.detectable_visited
            == table.query("affordable and outcome == @chosen.outcome")["detectable_visited"].min()
        )
    # attendance that was low by chance comes back without a visit
    assert all(item.picked_pp > 0.5 for item in made["students"].scenarios if item.outcome == "attendance")
    assert made["units"].past.endswith("2011-12 to 2022-23")


def test_an_effect_of_the_size_told_is_found_four_times_in_five(data, made):
    item = next(s for s in made["students"].scenarios if (s.outcome, s.offered, s.phases) == ("attendance", 0.5, 1))
    before_after, _ = past(data, RULE, past_decisions(data, 5, RULE.window)[-1:], 5, ())[0].outcome("attendance", 1)
    assert len(before_after) >= item.dealt.n_units
    before_after = before_after[: item.dealt.n_units]
    rng, found = np.random.default_rng(4), 0
    for _ in range(100):
        on = rng.permutation(np.arange(len(before_after)) % 2 == 0)
        lifted = before_after + np.stack([np.zeros(len(on)), item.dealt.detectable * on], axis=1)
        found += rollout(lifted, np.where(on, 1, 2), most=99, seed=1).low > 0
    # 80 of 100 are expected; 100 draws leave room of three standard errors
    assert 68 <= found <= 92


def test_the_recommendation_says_whether_the_size_is_enough(made):
    for item in made.values():
        said = str(words.recommendation(item))
        assert ("would be found" in said) == (
            item.best.detectable_visited <= item.chosen.budget.matters(item.best.outcome)
        )
        assert (
            "by construction" in said
            and f"{item.best.dealt.n_offered:,} of {item.best.dealt.n_units:,}" in said
            and "SIMULATED" not in said
        )


def test_the_command_prints_each_scenario_and_the_budget(capsys, monkeypatch):
    before.design(track="units", dollars=100_000_000)
    told = capsys.readouterr().out
    assert (
        "42 districts with 79,691 students" in told
        and "$100,000,000 are more than enough for all who may be drawn: 79,691 students" in told
    )
    assert told.count("false positives") + told.count("cell") >= 12
    before.design(track="units", dollars=1_000_000)
    assert "$1,000,000 reach 833 students" in capsys.readouterr().out
    monkeypatch.setattr(written_plan, "why_not_frozen", lambda track: f"Nobody can start {track} then.")
    before.design(track="units", dollars=1_000_000)
    assert "plan --freeze` refuses these choices as they stand. Nobody can start units" in capsys.readouterr().out
    with pytest.raises(BadInput, match="'schools'"):
        before.design(track="schools", dollars=None)


def test_choices_are_checked(tmp_path):
    path = tmp_path / "rollout.yml"
    content = load_rollout().model_dump(mode="json")
    for change, told in (
        ({"phases": {"waiting": 0.2}}, "another name"),
        ({"phases": {"a": 0.2, "b": 3}}, "all of them"),
        ({"announced": "soon"}, "announced: 'soon' is no day"),
        ({"outcome": "grades"}, "grades"),
        ({"trakc": "units"}, "'trakc'"),
        ({"track": "units"}, "called by their first school year, such as 2031-32; '2022-09' is none"),
        ({"track": "units", "phases": {"2026-27": 8}}, "whole school years"),
        ({"months_after": None}, "whole school years"),
        ({"months_after": ""}, "whole school years"),
    ):
        path.write_text(json.dumps({**content, **change}))
        with pytest.raises(BadInput, match=told):
            read_part(path, Rollout)


def test_a_student_who_missed_exactly_a_tenth_is_chronic():
    enrolled = np.arange(1.0, 181.0)
    attended = np.round(0.9 * enrolled, 1)  # tenths of a day: as floats a third of these are less than a tenth missed
    assert is_chronic(enrolled - attended, enrolled).all()
    assert not is_chronic(enrolled - attended - 0.01, enrolled).any()
