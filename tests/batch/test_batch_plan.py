"""Which runs there are: every setting is read or refused, and what the batch does not know never disturbs it."""

import shutil
from pathlib import Path

import pytest
import yaml

from leapstudy.batch.plan import make_plan, no_simulation, others
from leapstudy.core.errors import BadInput
from leapstudy.core.names import ALL_SLUG
from leapstudy.students.settings import input_files, load_settings

HARTFORD = "hartford"


@pytest.fixture
def real_notebooks(workspace):
    """Return a workspace with the study's own notebooks."""
    shutil.rmtree(workspace / "notebooks")
    shutil.copytree(Path(__file__).parents[2] / "notebooks", workspace / "notebooks")
    return workspace


def _plan(study, out, names=(), track="public", **settings):
    return {run.slug: run for run in make_plan(study, list(names), track, settings, out)}


@pytest.mark.parametrize(
    ("names", "track", "key", "value"),
    [
        ((), "students", "comparison", "others"),
        (("hartford",), "public", "prior", "published"),
        (("hartford",), "public", "tolerance_points", "0.1"),
        ((), "public", "district", "hartford"),
        ((), "all", "result_path", "elsewhere.json"),
    ],
)
def test_a_setting_that_no_planned_notebook_reads_is_refused(real_notebooks, study, names, track, key, value):
    with pytest.raises(BadInput, match=f"Unknown parameter in --set: '{key}'"):
        _plan(study, real_notebooks / "reports", names, track, **{key: value})


def test_every_parameter_that_a_notebook_declares_can_be_set(real_notebooks, study):
    plan = _plan(study, real_notebooks / "reports", tolerance_points="0.25", prior="published", seed="7")
    assert plan["01-the-claims"].parameters["tolerance_points"] == 0.25
    assert plan[ALL_SLUG].parameters["prior"] == "published"
    assert {run.parameters["seed"] for run in plan.values() if "seed" in run.parameters} == {7}


def test_one_district_under_three_names_is_one_run(workspace, study):
    assert list(_plan(study, workspace / "reports", ["hartford", "Hartford", "0640011"])) == ["hartford"]


def test_articles_run_by_name_alone_and_beside_districts(real_notebooks, study):
    out = real_notebooks / "reports"
    assert list(_plan(study, out, [ALL_SLUG, "02_the_data"])) == ["02-the-data", ALL_SLUG]
    assert list(_plan(study, out, ["02-the-data", "hartford"])) == ["hartford", "02-the-data"]
    assert list(_plan(study, out, [ALL_SLUG], "students")) == [f"students-{ALL_SLUG}"]
    assert list(_plan(study, out, ["students-hartford"], "students")) == ["students-hartford"]  # as its page is called
    with pytest.raises(BadInput, match="leapstudy run hartford --track students"):
        _plan(study, out, ["students-hartford"])
    with pytest.raises(BadInput, match="Unknown parameter in --set: 'tolerance_points'"):
        _plan(study, out, [ALL_SLUG], tolerance_points="0.1")


@pytest.mark.parametrize("name", ["Hartford.yml", "hartford.yaml", "hartfrod.yml", "ansonia.yml", "notes.txt"])
def test_a_parameter_file_that_no_run_reads_is_refused(workspace, study, name):
    file = workspace / "params" / "districts" / name
    file.write_text("comparison: {value: others, reason: 'a test'}\n", encoding="utf-8")
    with pytest.raises(BadInput, match=f"Unknown parameter file in params/districts/: '{name}'"):
        _plan(study, workspace / "reports")


def test_a_key_that_the_districts_notebook_does_not_read_is_refused(workspace, study):
    file = workspace / "params" / "districts" / "hartford.yml"
    file.write_text("prior: {value: published, reason: 'a test'}\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"Unknown parameter in hartford.yml: 'prior'"):
        _plan(study, workspace / "reports")


def test_notebooks_of_ones_own_stay_out(workspace, study, notebook_writer):
    folder, before = workspace / "notebooks", _plan(study, workspace / "reports")
    (folder / "Untitled.ipynb").write_text("", encoding="utf-8")
    (folder / "60_broken.ipynb").write_text("{", encoding="utf-8")
    for name in ("10_district-Copy1.ipynb", "my analysis.ipynb", "mine/61_own.ipynb"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(folder / "10_district.ipynb", folder / name)
    assert _plan(study, workspace / "reports") == before
    assert others() == ["10_district-Copy1.ipynb", "60_broken.ipynb", "Untitled.ipynb", "my analysis.ipynb"]
    notebook_writer(folder / "62_new.ipynb", ("seed = 1",))
    assert set(_plan(study, workspace / "reports")) - set(before) == {"62-new"}, "a named one joins by itself"


def test_units_that_the_simulated_state_has_no_students_of_have_no_student_runs(real_notebooks, study):
    """Another study's SIMULATED state is Connecticut's, as `new` copies it: each of its units had a run that failed."""
    file, out = real_notebooks / "params" / "simulation.yml", real_notebooks / "reports"
    text = file.read_text(encoding="utf-8")
    assert f"students-{HARTFORD}" in _plan(study, out, track="students")
    file.write_text(text.replace('"0640011": 1800', '"0020011": 1800'), encoding="utf-8")
    assert {f"students-{HARTFORD}", "students-danbury"} & set(_plan(study, out, track="all")) == {"students-danbury"}
    with pytest.raises(BadInput, match="has no students of Hartford.*--track public"):
        _plan(study, out, [HARTFORD], "all")


def test_the_simulated_state_of_another_study_is_never_shown_as_this_one_s(real_notebooks, study, monkeypatch):
    """`new` copies Connecticut's: all of its districts together stood on another state's page."""
    file, out = real_notebooks / "params" / "simulation.yml", real_notebooks / "reports"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"0640011": 1800', '"03480000": 1800'), encoding="utf-8")
    for names in ([], [ALL_SLUG], [HARTFORD]):
        with pytest.raises(BadInput, match=r"1 district that this study does not have \(03480000, .*--track public"):
            _plan(study, out, names, "students")
    assert {run.removeprefix("students-") for run in _plan(study, out, track="all")} == set(_plan(study, out))
    assert _plan(study, out, [HARTFORD], "all") == _plan(study, out, [HARTFORD]), "the public page can be made"
    assert "03480000" in no_simulation()
    with pytest.raises(BadInput, match="03480000"):
        input_files(load_settings())
    file.write_text(text, encoding="utf-8")
    assert no_simulation() == "" and input_files(load_settings())


@pytest.mark.parametrize(
    ("districts", "says"),
    [
        ("5", "is 5 and needs codes in quotes"),
        ("[a]", r"is \['a'\] and needs codes in quotes"),
        ("{}", "is {} and needs"),
        ("{1300011: 6}", "without quotes, read as 1300011; write codes in quotes"),
        ('{"0640011": 6, 1300011: 6}', "without quotes, read as 1300011"),
    ],
)
def test_districts_of_the_simulated_state_that_are_no_codes_are_told(real_notebooks, study, districts, says):
    """A number in their place ended in a TypeError, and a code without quotes was told as another study's."""
    file, out = real_notebooks / "params" / "simulation.yml", real_notebooks / "reports"
    text = file.read_text(encoding="utf-8")
    start, end = text.index("districts:\n"), text.index("first_september")
    file.write_text(f"{text[:start]}districts: {districts}\n{text[end:]}", encoding="utf-8")
    with pytest.raises(BadInput, match=says):
        _plan(study, out, track="students")
    assert _plan(study, out, track="all") == _plan(study, out)


def test_a_study_without_notebooks_is_told_where_they_are(study, workspace):
    shutil.rmtree(workspace / "notebooks")
    with pytest.raises(BadInput, match="has no folder notebooks.*refresh --copied"):
        _plan(study, workspace / "reports", [ALL_SLUG])


def test_a_study_without_a_rollout_leaves_its_notebook_out_and_refuses_it_by_name(real_notebooks, study):
    rollout, out = real_notebooks / "params" / "rollout.yml", real_notebooks / "reports"
    assert rollout.is_file() == ("60-plan-a-rollout" in _plan(study, out))
    rollout.unlink(missing_ok=True)
    assert "60-plan-a-rollout" not in _plan(study, out)
    with pytest.raises(BadInput, match="about a planned rollout"):
        _plan(study, out, ["60_plan_a_rollout"])


def test_a_drafted_study_without_students_leaves_the_rollout_out_and_says_what_plans_without(real_notebooks, study):
    """Its rollout.yml asks for lots among students, whom the SIMULATED state of Connecticut cannot lend it."""
    out, place = real_notebooks / "reports", real_notebooks / "params" / "simulation.yml"
    assert "60-plan-a-rollout" in _plan(study, out)
    place.write_text(place.read_text(encoding="utf-8").replace('"0640011"', '"03480000"'), encoding="utf-8")
    assert no_simulation() and "60-plan-a-rollout" not in _plan(study, out)
    with pytest.raises(BadInput, match="leapstudy design --track units"):
        _plan(study, out, ["60_plan_a_rollout"])


def test_own_files_need_nothing_of_the_simulated_state(real_notebooks, study, monkeypatch):
    """Another state's named unit was refused for having no SIMULATED students, although its files were there."""
    params, out = real_notebooks / "params", real_notebooks / "reports"
    simulation, settings = params / "simulation.yml", params / "students.yml"
    simulation.write_text(simulation.read_text("utf-8").replace('"0640011": 1800', '"0020011": 1800'), "utf-8")
    own = {**yaml.safe_load(settings.read_text("utf-8")), "input": "a.csv", "visits": "b.csv"}
    settings.write_text(yaml.safe_dump(own), "utf-8")
    monkeypatch.setattr("leapstudy.batch.plan._of_files", lambda names: [(HARTFORD, "Hartford")])
    assert f"students-{HARTFORD}" in _plan(study, out, [HARTFORD], "all")
