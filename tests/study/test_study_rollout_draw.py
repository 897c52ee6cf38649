"""The lottery on record: seed first, one draw, a list that anybody can draw again, and no student in what is shown."""

import json
import shutil
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import pytest
import yaml
from own_files import change_yaml, students, write_pair

from leapstudy import cli
from leapstudy.cli import before
from leapstudy.cli.checking import _steps
from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.names import ALL_DISTRICTS
from leapstudy.data import load_study
from leapstudy.evidence.plan import plan_hash
from leapstudy.explore.explorer import curve_of, look
from leapstudy.students.eligible import school_months_after
from leapstudy.students.lottery import read_lottery
from leapstudy.students.settings import StudentSettings, load_settings
from leapstudy.study import student_watch
from leapstudy.study.door import panel
from leapstudy.study.over_years import over_years
from leapstudy.study.public import ask, study_all, study_district
from leapstudy.study.rollout import written_plan
from leapstudy.study.rollout.choices import Rollout, asked, load_rollout
from leapstudy.study.rollout.eligibility import own_numbers, students_before
from leapstudy.study.rollout.lots import begun, hold, write_starts
from leapstudy.study.rollout.records import draws, on_record, read_draw, require_units_open
from leapstudy.study.rollout.scenarios import design
from leapstudy.study.rollout.written_plan import primary_outcome
from leapstudy.study.student_check import require_list, require_students_open
from leapstudy.words.rollout import unfrozen

SEED = {"seed": "evening 4711", "announced": "2026-11-01"}
UNITS = {
    "track": "units",
    "outcome": "chronic_absence",
    "months_after": None,
    "strata": {"units": ["org_type"]},
    "phases": {"2026-27": 8},
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Return a workspace of one's own, and a function that reads its choices with changes."""
    root = tmp_path / "workspace"
    for name in ("data/raw", "params"):
        shutil.copytree(paths.root() / name, root / name)
    change_yaml(root / "params" / "simulation.yml", districts={"0640011": 60})  # its months alone are asked for
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))

    def choices(**changes: object) -> Rollout:
        path = root / "params" / "rollout.yml"
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        whatever = {"question": "Do home visits bring students to school?"}  # names no outcome, so that any may lead
        path.write_text(yaml.safe_dump({**content, **whatever, **changes}, sort_keys=False), encoding="utf-8")
        return load_rollout()

    return root, choices


def test_a_draw_of_districts_is_on_record_and_can_be_drawn_again(own):
    root, choices = own
    chosen = choices(**UNITS, **SEED)
    made = hold(chosen, None, "")
    record, drawn = read_draw(made.path)
    assert record == made.record == draws()[0] and made.path == root / "params" / "draw_1.csv"
    assert sum(item.phase == "2026-27" for item in drawn) == 8 and record.waiting == len(drawn) - 8
    assert "chronic absence in 2018-19 at least 10%" in record.rule and not record.plan_sha256
    assert min(sum(item.stratum == of for item in drawn) for of in {item.stratum for item in drawn}) >= 4
    text = made.path.read_text()
    made.path.write_text(text.replace("waiting", "2026-27", 1))
    for read in (read_draw, lambda path: on_record(path, "units")):
        with pytest.raises(BadInput, match="it was changed"):
            read(made.path)


def test_phases_that_begin_before_the_draw_are_named():
    starts = {"first": "2022-09", "second": "2022-11"}
    told = begun("2022-11-03 10:00 UTC", starts, "students")
    assert told.startswith("Visits of phase 'first' in 2022-09 begin before this draw")
    assert begun("2022-09-01 10:00 UTC", starts, "students") == begun("2022-09-30 10:00 UTC", {}, "students") == ""
    years = {"2021-22": "2021-22", "2022-23": "2022-23"}
    assert "phase '2021-22' in 2021-22 begin" in begun("2022-07-01 10:00 UTC", years, "units")
    assert begun("2021-08-01 10:00 UTC", years, "units") == ""


def test_a_draw_within_a_start_says_so_unless_the_start_has_a_day(own):
    root, choices = own
    starts = {"first": "2022-09", "second": "2022-11"}
    told = begun("2022-09-30 10:00 UTC", starts, "students")
    assert "within the first month of phase 'first' (2022-09): it decides only for those who have no visit" in told
    years = {"2021-22": "2021-22"}
    assert "within the first school year of phase '2021-22'" in begun("2022-06-30 10:00 UTC", years, "units")
    made = hold(choices(**UNITS, **SEED), None, "")
    month, day = made.record.made_at[:7], made.record.made_at[:10]
    assert ("; made within its first start, " in on_record(made.path, "units", month)) == (day[8:] > "01")
    settings = root / "params" / "students.yml"
    settings.write_text(settings.read_text().replace("rollout: {}", "rollout: {first: 2022-09-30}"))
    assert begun("2022-09-30 10:00 UTC", starts, "students") == ""
    assert "phase 'first' in 2022-09 begin before" in begun("2022-10-01 10:00 UTC", starts, "students")
    settings.write_text(settings.read_text().replace("2022-09-30", "2022-09-29"))
    assert "phase 'first' in 2022-09 begin before" in begun("2022-09-30 10:00 UTC", starts, "students")
    settings.write_text(settings.read_text().replace("2022-09-29", day))
    assert "; made" not in on_record(made.path, "units", month)


def test_a_draw_says_how_many_stand_in_the_strata_that_it_joined(own, capsys):
    _, choices = own
    choices(**UNITS, **SEED)
    before.draw()
    path = paths.params() / "draw_1.csv"
    joined = path.read_text().count(",small strata together,")
    assert joined > 0
    assert f"Lots within: org_type; {joined} are in small strata together, too small for" in capsys.readouterr().out


def test_a_second_draw_needs_a_reason_and_a_changed_record_is_refused(own):
    root, choices = own
    chosen = choices(**UNITS, **SEED)
    first = hold(chosen, None, "").record
    with pytest.raises(BadInput, match="already, made"):
        hold(chosen, None, " ")
    assert on_record(root / "params" / "draw_1.csv", "students").startswith("not on record")
    second = hold(choices(seed="evening 1234"), None, "the list lacked two districts").record
    lists = [root / "params" / f"draw_{number}.csv" for number in (1, 2)]
    assert read_draw(lists[0])[0] == first, "anybody may draw it again"
    for use in (lambda: on_record(lists[0], "units"), lambda: write_starts(lists[0])):
        with pytest.raises(BadInput, match=r"draw_1.csv was replaced by .* \(the list lacked two districts"):
            use()
    told = on_record(lists[1], "units")
    assert told.startswith(f"draw 2 of 2 on record, {second.made_at}, drawn again because: the list lacked two")
    assert "; made after its first start, 2022-09, and so no lottery" in on_record(lists[1], "units", "2022-09")
    assert second.previous_sha256 == first.sha256 and draws() == (first, second)
    third = hold(choices(seed="evening 99"), None, "districts of a second year; draw_2 stays").record
    assert on_record(lists[1], "units").startswith(f"draw 2 of 3 on record, {second.made_at}")
    with pytest.raises(BadInput, match="draw_1.csv was replaced"):
        on_record(lists[0], "units")
    assert draws()[2] == third
    hold(choices(seed="evening 100"), None, "in no way draw_1 stays valid, nor that draw_2 stays")
    for path in lists:
        with pytest.raises(BadInput, match="was replaced"):
            on_record(path, "units")
    hold(choices(seed="evening 101"), None, "draw_1 stays; a further year")
    assert on_record(lists[0], "units").startswith("draw 1 of 5 on record"), "a further record rescues it"
    with pytest.raises(BadInput, match="draw_2.csv was replaced"):
        on_record(lists[1], "units")
    file = root / "params" / "draws.json"
    content = json.loads(file.read_text())
    for changed in ([content[1]], [{**content[0], "seed": "0"}, content[1]]):
        file.write_text(json.dumps(changed))
        with pytest.raises(BadInput, match="Draw 1"):
            hold(chosen, None, "again")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"announced": "2026-11-01"}, "seed that nobody could choose"),
        ({"seed": "1"}, "seed that nobody could choose"),
        ({"seed": "1", "announced": "2999-01-01"}, "still to come"),
        ({**SEED, "phases": {"2026-27": 500}}, "below 1 together"),
        ({**SEED, "phases": {"all": 8}}, "called by their first school year"),
        (
            {**SEED, "eligible": {"students": {"window": "last_month", "percent": 10}, "units": {"povrty": 1}}},
            "'povrty'",
        ),
    ],
)
def test_a_draw_that_cannot_be_trusted_is_refused_and_leaves_nothing(own, changes, words):
    root, choices = own
    with pytest.raises(BadInput, match=words):
        hold(choices(**{**UNITS, **changes}), None, "")
    assert not (root / "params" / "draws.json").exists() and not list((root / "params").glob("draw_*"))


@pytest.fixture
def known(monkeypatch):
    """Freeze as if figures reached 2020-21: of the first year of `REACHED` there are figures today."""
    monkeypatch.setattr(written_plan, "newest_period", lambda track, outcome: "2020-21")


REACHED = {**UNITS, "phases": {"2022-23": 8}}


def test_outcomes_of_units_that_drew_lots_are_closed_until_the_planned_day(own, known):
    root, choices = own
    with pytest.raises(BadInput, match="names no day until"):
        written_plan.freeze(choices(**REACHED, analysis_from=""), "")
    chosen = choices(**SEED, analysis_from="2999-07-01")
    written_plan.freeze(chosen, "")
    require_units_open(load_study())  # nothing was drawn yet
    hold(chosen, None, "")
    study_district("hartford")  # who was drawn is none of those that this study is about
    change_yaml(root / "params" / "state.yml", program__lottery={"source": "draw_1.csv"})
    for closed in (
        lambda: study_district("hartford"),
        study_all,
        lambda: cli._refuse_unplanned([SimpleNamespace(slug="a")]),
        lambda: cli._refuse_unplanned([SimpleNamespace(slug="40-explore")]),  # an article shows outcomes too
        lambda: over_years(load_study(), ask(), ALL_DISTRICTS, "All districts"),
        panel,
        lambda: panel(years="long", outcome="chronic_absence"),
        lambda: look(load_study(), "hartford", ask()),
        lambda: curve_of(load_study(), "hartford", "Hartford", ask()),
    ):
        with pytest.raises(BadInput, match="closed until 2999-07-01"):
            closed()
    cli._refuse_unplanned([SimpleNamespace(slug="students-hartford")])
    assert any("closed until 2999-07-01" in step.text() for step, _ in _steps())


def test_planning_goes_on_while_outcomes_are_closed_with_figures_before_the_start(own, known):
    root, choices = own
    chosen = choices(**SEED, **{**REACHED, "phases": {"2021-22": 8}}, analysis_from="2999-07-01")
    choices(scenarios={**chosen.scenarios.model_dump(), "units": ["attendance_rate"], "phases": [1], "offered": [0.1]})
    written_plan.freeze(chosen, "")
    hold(chosen, None, "")
    assert design(load_rollout()).past == "attendance: 2019-20 to 2021-22"
    change_yaml(root / "params" / "state.yml", program__lottery={"source": "draw_1.csv"})
    cli._refuse_unplanned([SimpleNamespace(slug="60-plan-a-rollout")])
    with pytest.raises(BadInput, match="`leapstudy run 60_plan_a_rollout` plans on"):
        cli._refuse_unplanned([SimpleNamespace(slug="60-plan-a-rollout"), SimpleNamespace(slug="02-the-data")])
    made = design(load_rollout())
    assert made.past == "attendance: 2019-20 to 2020-21" and made.scenarios


def test_a_file_about_units_can_be_asked_of_students(own):
    """The notebook asks both tracks; before, a file that plans units had no months for students and ended it."""
    _, choices = own
    choices(**UNITS)
    of_students = asked("students")
    assert (of_students.track, of_students.outcome, of_students.followed) == ("students", "attendance", 5)
    assert of_students.starts({}) == {} and asked("units") == load_rollout()


def test_a_draw_wholly_ahead_closes_nothing_until_figures_reach_its_first_start(own, monkeypatch):
    """What is refused is the outcome by the arm of that draw: of an older program's years there is none."""
    root, choices = own
    chosen = choices(**SEED, **UNITS, analysis_from="2999-07-01")
    written_plan.freeze(chosen, "")
    hold(chosen, None, "")
    change_yaml(root / "params" / "state.yml", program__lottery={"source": "draw_1.csv"})
    data = load_study()
    assert data.newest == "2024-25", "figures over many years count"
    require_units_open(data)
    cli._refuse_unplanned([SimpleNamespace(slug="40-explore")])
    with pytest.raises(BadInput, match="closed until 2999-07-01"):
        require_units_open(replace(data, newest="2026-27"))
    plan = written_plan.kept_plan()
    named = {**plan, "choices": {**plan["choices"], "phases": {"wave 1": 8}}}
    monkeypatch.setattr(written_plan, "kept_plan", lambda: named)
    with pytest.raises(BadInput, match="closed until 2999-07-01"):  # a name says no year
        require_units_open(data)


def test_a_year_that_only_the_outcome_over_many_years_has_is_closed_too(own, known):
    root, choices = own
    chosen = choices(**SEED, **{**UNITS, "phases": {"2024-25": 8}}, analysis_from="2999-07-01")
    written_plan.freeze(chosen, "")
    made = hold(chosen, None, "")
    assert write_starts(made.path)[2:] == (8, 0), "figures have reached the phase"
    change_yaml(root / "params" / "state.yml", program__lottery={"source": "draw_1.csv"})
    with pytest.raises(BadInput, match="closed until 2999-07-01"):
        panel(years="long", outcome="chronic_absence")


def test_a_plan_of_units_that_names_no_day_is_closed_until_the_settings_name_one(own, known):
    root, choices = own
    chosen = choices(**SEED, **REACHED, analysis_from="2027-07-01")
    written_plan.freeze(chosen, "")
    hold(chosen, None, "")
    change_yaml(root / "params" / "state.yml", program__lottery={"source": "draw_1.csv"})
    file = root / "params" / written_plan.FILE
    plan = yaml.safe_load(file.read_text(encoding="utf-8"))
    plan["choices"]["analysis_from"] = ""  # as plans could be frozen before a day was asked for
    file.write_text(yaml.safe_dump({**plan, "frozen": plan_hash(plan)}, sort_keys=False), encoding="utf-8")
    with pytest.raises(BadInput, match="names no day on which they may be looked at"):
        study_district("hartford")
    settings = root / "params" / "students.yml"
    settings.write_text(settings.read_text().replace("rollout: {}", "rollout: {outcomes_from: 2999-01-01}"))
    with pytest.raises(BadInput, match="closed until 2999-01-01"):
        study_district("hartford")
    settings.write_text(settings.read_text().replace("2999-01-01", "2022-01-01"))
    assert study_district("hartford").answer.estimates


def test_plan_tells_what_was_frozen_and_not_what_the_choices_say_today(own, capsys):
    _, choices = own
    written_plan.freeze(choices(), "")
    choices(months_after=8, question="Do home visits help?")
    before.plan(freeze=False, reason="")
    told = capsys.readouterr().out
    assert "the 5 school months after 2022-06: 2022-09, 2022-10, 2022-11, 2022-12, 2023-01." in told
    assert "Do home visits bring students to school?" in told
    choices(track="units", outcome="chronic_absence", months_after=None, phases={"2026-27": 8})
    before.plan(freeze=False, reason="")
    assert capsys.readouterr().out == told, "another track neither hides its months nor changes its age"


def test_the_files_are_opened_once_however_often_a_command_asks_for_their_months(own, monkeypatch):
    root, choices = own
    opened, open_them = [], written_plan.students_before
    monkeypatch.setattr(written_plan, "students_before", lambda: opened.append(1) or open_them())
    few = {"districts": {"0640011": 300}}
    change_yaml(root / "params" / "simulation.yml", seed=7, **few)  # files that no other test has opened
    written_plan.freeze(choices(), "")
    before.plan(freeze=False, reason="")
    assert len(opened) == 1
    change_yaml(root / "params" / "simulation.yml", seed=8, **few)
    assert written_plan.known_months()[-1] == "2022-06" and len(opened) == 2, "other files are opened anew"


def test_months_of_a_first_school_year_are_those_that_come(own):
    _, choices = own
    seen = [f"2020-{month:02d}" for month in (9, 10, 11, 12)] + ["2021-01"]
    come = [*seen, *(f"2021-{month:02d}" for month in (2, 3, 4, 5, 6))]
    written_plan.freeze(choices(), "")
    plan = written_plan.kept_plan()
    counted = {name: value for name, value in plan.items() if name != "months"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written_plan, "kept_plan", lambda: {**counted, "decided_after": "2021-01"})
        until, _ = written_plan.planned_until(come, "2021-04")
    assert school_months_after(seen, "2021-01", 5)[-1] == until == "2021-06"
    assert school_months_after(seen, "2021-01", 7)[-2:] == ("2021-09", "2021-10"), "no month of summer"
    august = ["2020-08", "2020-09", "2020-10"]
    assert school_months_after(august, "2020-10", 9)[-2:] == ("2021-06", "2021-08"), "but where the files hold it"
    whole = [f"2020-{month:02d}" for month in range(8, 13)] + [f"2021-{month:02d}" for month in range(1, 6)]
    assert school_months_after(whole, "2021-05", 1) == ("2021-08",), "a whole school year says all of its months"


def test_a_plan_in_the_first_school_year_is_frozen_by_the_months_that_come(own, monkeypatch):
    _, choices = own
    seen = (*(f"2020-{month:02d}" for month in (9, 10, 11, 12)), "2021-01")
    monkeypatch.setattr(written_plan, "known_months", lambda: seen)
    with pytest.raises(BadInput, match="2021-02 to 2021-06. Give a day after 2021-06-30"):
        written_plan.freeze(choices(phases={"2021-02": 0.25, "2021-04": 0.25}, analysis_from="2021-06-30"), "")
    kept = written_plan.freeze(choices(analysis_from="2021-07-15"), "")
    named = ("2021-02", "2021-03", "2021-04", "2021-05", "2021-06")
    assert kept["decided_after"] == "2021-01" and tuple(kept["months"]) == named


def test_the_months_of_a_plan_stay_those_that_it_names_whatever_the_files_hold_later(own, monkeypatch):
    """In a first school year of nine months one month of summer may be guessed: told at the freeze, it stays so."""
    _, choices = own
    seen = (*(f"2020-{month:02d}" for month in (10, 11, 12)), "2021-01")
    monkeypatch.setattr(written_plan, "known_months", lambda: seen)
    kept = written_plan.freeze(
        choices(months_after=6, phases={"2021-02": 0.25, "2021-04": 0.25}, analysis_from="2021-10-15"), ""
    )
    assert kept["months"][-1] == "2021-09", "no file says yet that schools begin in October"
    come = [*seen, *(f"2021-{month:02d}" for month in (2, 3, 4, 5, 6, 10, 11))]
    assert school_months_after(come, "2021-01", 6)[-1] == "2021-10"
    until, told = written_plan.planned_until(come, "2021-04")
    assert until == "2021-09" and told.endswith("to 2021-09")
    assert written_plan.planned_until(come[:7], "2021-04") == (
        "",
        "the plan names the 6 school months after 2021-01; the files hold 3 of them",
    )


def test_a_plan_is_frozen_once_says_its_age_and_binds_the_draw(own):
    _, choices = own
    chosen = choices(**UNITS, analysis_from="2027-07-01")
    plan = written_plan.freeze(chosen, "")
    assert "older than every figure" in written_plan.plan_age(plan)
    assert "no preregistration" in written_plan.plan_age({**plan, "decided_after": "2018-19"})
    with pytest.raises(BadInput, match="frozen on"):
        written_plan.freeze(chosen, "")
    again = written_plan.freeze(choices(phases={"2026-27": 9}), "one more place")
    assert again["replaces"] == plan["frozen"] and again["reason"] == "one more place"
    with pytest.raises(BadInput, match="another 'phases'"):
        hold(choices(phases={"2026-27": 10}, **SEED), None, "")
    assert hold(choices(phases={"2026-27": 9}), None, "").record.plan_sha256 == again["frozen"]
    with pytest.raises(BadInput, match="cannot be changed after"):
        written_plan.freeze(chosen, "too late")


def test_the_plan_names_the_months_of_the_outcome(own):
    _, choices = own
    known = [f"2022-{month:02d}" for month in (9, 10, 11, 12)]
    assert written_plan.planned_until(known, "2022-09") == ("", "all of the files; no plan was frozen that names them")
    written_plan.freeze(choices(months_after=3, phases={"2022-09": 0.5}), "")
    assert written_plan.planned_until(known, "2022-10") == (
        "2022-11",
        "the 3 school months after 2022-06 that the plan names, to 2022-11",
    )
    assert written_plan.planned_until(known, "2022-12")[0] == "" and written_plan.planned_until(
        known[:2], "2022-09"
    ) == (
        "",
        "the plan names the 3 school months after 2022-06; the files hold 2 of them",
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"phases": {"2022-09": 0.25, "2023-03": 0.25}}, "'2023-03' starts in 2023-03, .* 2022-09 to 2023-01"),
        ({"phases": {"2022-06": 0.25}}, "'2022-06' starts in 2022-06"),
        ({"analysis_from": "2023-01-31"}, "open on 2023-01-31, .* a day after 2023-01-31"),
        ({"analysis_from": ""}, "open on no day"),
    ],
)
def test_a_plan_that_measures_outside_its_visits_or_opens_before_its_months_are_over_is_refused(own, changes, words):
    root, choices = own
    with pytest.raises(BadInput, match=words) as refused:
        written_plan.freeze(choices(**changes), "")
    assert not (root / "params" / written_plan.FILE).exists()
    assert str(refused.value) in unfrozen(written_plan.why_not_frozen("students")), "design says it beforehand"
    assert written_plan.why_not_frozen("units") == ""
    legal = choices(phases={"2022-09": 0.25, "2023-01": 0.25}, analysis_from="2023-02-01")
    assert unfrozen(written_plan.why_not_frozen("students")) == ""
    plan = written_plan.freeze(legal, "")
    assert tuple(plan["months"]) == ("2022-09", "2022-10", "2022-11", "2022-12", "2023-01"), (
        "no month of summer is among them"
    )
    params = root / "params" / "students.yml"
    params.write_text(params.read_text().replace("rollout: {}", "rollout: {starts: {later: 2023-04}}"))
    with pytest.raises(BadInput, match="'later' starts in 2023-04"):
        written_plan.freeze(choices(phases={"later": 0.25}), "the first was a slip")


def test_the_plan_names_the_primary_outcome_and_check_holds_it_to_files_and_choices(own):
    root, choices = own
    chosen = choices(track="students", outcome="chronic_absence")
    assert primary_outcome() == "chronic_absence", "until a plan is frozen the choices name it"
    choices(track="units", outcome="chronic_absence", months_after=None, phases={"2026-27": 8})
    assert primary_outcome() == "attendance", "a plan for districts says nothing of students"
    choices(track="students", outcome="chronic_absence", months_after=chosen.months_after, phases=chosen.phases)
    written_plan.freeze(chosen, "")
    written_plan.check_rollout()
    choices(outcome="attendance")
    assert primary_outcome() == "chronic_absence", "a later choice does not move what was frozen"
    with pytest.raises(BadInput, match="another 'outcome'"):
        written_plan.check_rollout()
    choices(outcome="chronic_absence")
    settings = root / "params" / "students.yml"
    content = yaml.safe_load(settings.read_text(encoding="utf-8"))
    settings.write_text(yaml.safe_dump({**content, "input": "a.csv", "visits": "v.csv"}), encoding="utf-8")
    with pytest.raises(BadInput, match="chronic_absence as the primary outcome of students"):
        written_plan.check_rollout()


def test_a_draw_of_students_is_private_and_names_them_nowhere_else(own, tmp_path, monkeypatch, capsys):
    root, choices = own
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", "an invented key of forty characters, no more")
    rows, log = students({"0640011": 260, "0770011": 90})
    pair = write_pair(tmp_path / "private", rows, log)
    settings = StudentSettings.model_validate({**load_settings().model_dump(), **pair, "visits": ""})
    chosen = choices(**SEED, phases={"autumn": 0.2, "spring": 0.2})
    with pytest.raises(BadInput, match="outside this workspace"):
        hold(chosen, root / "params", "", settings)
    out = tmp_path / "lists"
    made = hold(chosen, out, "", settings)
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in out.iterdir()} == {
        "draw_1.csv": "0o600",
        "draw_1_own_numbers.csv": "0o600",
    }
    record, drawn = read_draw(made.path)
    assert len(drawn) == record.n_units == len({item.unit for item in drawn})
    # the analysis after the program reads the same list
    starts = {"autumn": "2022-09", "spring": "2023-01"}
    assert list(read_lottery(made.path, "student", starts).units["phase"]) == [item.phase for item in drawn]
    _hold_to_the_rule(rows, (out / "draw_1_own_numbers.csv").read_text().splitlines()[1:])
    shown = capsys.readouterr().out + "".join(
        path.read_text() for path in (root / "params").iterdir() if path.is_file()
    )
    assert not any(item.unit in shown for item in drawn) and not any(number in shown for number in set(rows["student"]))
    again = hold(chosen, tmp_path / "again", "the same seed gives the same list", settings)
    assert read_draw(made.path)[0] == again.record and on_record(made.path, "students").startswith("draw 2 of 2")
    later = hold(choices(seed="evening 1"), tmp_path / "later", "the list lacked a school", settings)
    gone, asked = (settings.model_copy(update={"draw": str(item.path)}) for item in (made, later))
    require_list(asked)
    (root / "private").mkdir()
    (root / "private" / later.path.name).write_bytes(later.path.read_bytes())
    monkeypatch.chdir(tmp_path)  # a path of the parameters starts from the workspace, wherever one is
    require_list(settings.model_copy(update={"draw": f"private/{later.path.name}"}))
    opened = {"starts": starts, "outcomes_from": date(2022, 1, 1)}
    gone = gone.model_copy(update={"rollout": load_settings().rollout.model_copy(update=opened)})
    monkeypatch.setattr(student_watch, "load_settings", lambda: gone)
    for use in (lambda: require_students_open(gone), student_watch.watch_students):
        with pytest.raises(BadInput, match="draw_1.csv was replaced by .*named in the last reason: draw_2 stays"):
            use()
    hold(choices(**UNITS), None, "districts, too")
    with pytest.raises(BadInput, match="is a list of students, and a list of units is asked for"):
        on_record(later.path, "units")
    (root / "params" / "draws.json").unlink()
    with pytest.raises(BadInput, match="there already"):
        hold(chosen, out, "", settings)


def _hold_to_the_rule(rows, listed):
    """Assert that the list has the students who missed 10% of their days in the last two months, found one by one."""
    last = rows[rows["month"].isin(sorted(rows["month"].unique())[-2:])].groupby("student").sum(numeric_only=True)
    meets = 10 * (last["days_enrolled"] - last["days_attended"]) >= last["days_enrolled"]
    assert sorted(line.split(",")[0] for line in listed) == sorted(last.index[meets])


@pytest.mark.parametrize("read", [students_before, lambda settings: own_numbers(settings, frozenset())])
def test_before_a_program_the_engine_and_its_memory_are_those_of_the_parameters(read):
    for change, words in ({"memory_limit": "much"}, "memory_limit='much'"), ({"engine": "oracle"}, "oracle"):
        with pytest.raises(BadInput, match=words):
            read(load_settings().model_copy(update=change))
