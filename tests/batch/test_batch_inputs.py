"""Every input is in the key of what was made from it: one byte changed makes exactly the right runs stale,
and says why.
"""

import shutil
import sys
from pathlib import Path

import pytest
from own_files import STUDENT_KEY

import leapstudy
from leapstudy.batch import plan as plans
from leapstudy.batch.job import input_hashes, signature
from leapstudy.batch.last_batch import asked
from leapstudy.batch.manifest import changed, key_of
from leapstudy.core import sources
from leapstudy.core.names import ALL_SLUG

ATTENDANCE = (
    "student,district_code,month,days_enrolled,days_attended\nA1,0640011,2021-09,20,18\nA2,1630011,2021-09,20,20\n"
)
VISITS = "student,referral_date,visit_date,completed\nA1,2021-09-05,2021-09-09,yes\nA2,2021-09-05,2021-09-09,yes\n"


@pytest.fixture
def inputs(workspace, notebook_writer, monkeypatch):
    """Return a workspace with all three kinds of runs, and student files of its own."""
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", STUDENT_KEY)
    notebook_writer(workspace / "notebooks" / "20_students.ipynb", ('district = ""\nresult_path = ""',))
    notebook_writer(workspace / "notebooks" / "60_article.ipynb", ('result_path = ""', "1"))
    for name, text in (("attendance", ATTENDANCE), ("visits", VISITS)):
        (workspace / f"{name}.csv").write_text(text, encoding="utf-8")
    settings = workspace / "params" / "students.yml"
    text = settings.read_text(encoding="utf-8").replace('input: ""', f"input: {workspace}/attendance.csv")
    settings.write_text(text.replace('visits: ""', f"visits: {workspace}/visits.csv"), encoding="utf-8")
    assert "attendance.csv" in settings.read_text(encoding="utf-8")
    # what is in the files is checked elsewhere, and takes a second each time that one was changed
    monkeypatch.setattr(plans, "_of_files", lambda _: [("hartford", "Hartford"), ("windham", "Windham")])
    return workspace


@pytest.fixture
def anew():
    """Return a function that forgets what is asked of the installation once a process; so does the end."""

    def forget():
        for ask in (sources.package_hash, sources.templates_hash, sources.libraries):
            ask.cache_clear()

    forget()
    yield forget
    forget()


def _keys(workspace, study):
    runs = plans.make_plan(study, ["hartford", "windham"], "all", {}, workspace / "reports")
    runs += plans._articles(study, plans.articles(), {}, workspace / "reports")
    hashes = {track: input_hashes(track) for track in ("public", "students")}
    return {run.slug: key_of(run, hashes[run.track]) for run in runs}


def _stale(before, after):
    return {slug: told for slug, key in after.items() if (told := changed(before[slug], key))}


PUBLIC = {"hartford", "windham", ALL_SLUG, "60-article"}
STUDENTS = {"students-hartford", "students-windham"}


def _wanted(name):
    """Return the runs that a file is an input of."""
    if name.startswith("notebooks/"):
        return {"10": {"hartford", "windham"}, "20": STUDENTS, "30": {ALL_SLUG}, "60": {"60-article"}}[name[10:12]]
    if name in ("params/students.yml", "params/simulation.yml", "params/rollout.yml", "attendance.csv", "visits.csv"):
        return STUDENTS
    if name == "params/study.yml" or name.endswith((".md", "districts/windham.yml")):
        return set()
    return PUBLIC | STUDENTS


def _made(path):
    return path.name == "requirements.lock" or "derived" in path.parts


def _change(path):
    if path.suffix == ".ipynb":
        path.write_text(path.read_text(encoding="utf-8").replace("result_path =", "result_path  ="), encoding="utf-8")
    else:
        path.write_bytes(path.read_bytes() + b"\n")


def test_each_file_makes_exactly_its_runs_stale(inputs, study):
    before, walked = _keys(inputs, study), 0
    question = asked()
    for path in sorted(path for path in inputs.rglob("*") if path.is_file() and not _made(path)):
        name, content = path.relative_to(inputs).as_posix(), path.read_bytes()
        looks = {track: signature(track) for track in ("public", "students")}
        _change(path)
        stale = _stale(before, _keys(inputs, study))
        assert set(stale) == _wanted(name), name
        for track in ("public", "students") if not name.startswith("notebooks/") else ():
            runs = PUBLIC if track == "public" else STUDENTS
            assert (signature(track) != looks[track]) == bool(runs & _wanted(name)), name
        if not name.endswith(".md"):
            assert asked() != question or name in ("attendance.csv", "visits.csv"), f"{name}: the plan is made anew"
        said = {
            f"data: {Path(name).parent.name}/{path.name}",
            "the notebook's cells changed",
            f"data: {path.stem} file 1",
        }
        assert all(len(told) == 1 and told[0] in said for told in stale.values()), (name, stale)
        path.write_bytes(content)
        walked += 1
    assert walked > 15 and not _stale(before, _keys(inputs, study))


def test_the_key_for_students_numbers_is_an_input_and_is_not_shown(inputs, study, monkeypatch, tmp_path):
    """It deals the placebo's lots: another key could turn a failed placebo into one that holds."""
    before, question = _keys(inputs, study), (asked(track="public"), asked(track="all"))
    other = f"another {STUDENT_KEY}"
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", other)
    after = _keys(inputs, study)
    (tmp_path / "key").write_text(f"{other}\n", encoding="utf-8")
    (tmp_path / "key").chmod(0o600)
    monkeypatch.delenv("LEAPSTUDY_STUDENT_KEY")
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY_FILE", str(tmp_path / "key"))
    assert _keys(inputs, study) == after, "wherever the key is"
    assert _stale(before, after) == {slug: ["the key for students' numbers changed"] for slug in STUDENTS}
    assert asked(track="public") == question[0] and asked(track="all") != question[1], "a plan without a key is refused"
    marks = {after[slug]["student_key"] for slug in STUDENTS}
    assert [len(mark) for mark in marks] == [6] and other not in str(after)


def test_a_value_of_one_district_makes_that_district_stale(inputs, study):
    before = _keys(inputs, study)
    own = inputs / "params" / "districts" / "windham.yml"
    own.write_text("comparison: {value: others, reason: 'a test'}\n", encoding="utf-8")
    assert _stale(before, _keys(inputs, study)) == {"windham": ["params: comparison alliance -> others"]}


def test_the_package_is_an_input_and_its_templates_are_one_of_pages_only(inputs, study, monkeypatch, tmp_path, anew):
    copy = tmp_path / "leapstudy"
    shutil.copytree(Path(leapstudy.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(leapstudy, "__file__", str(copy / "__init__.py"))
    anew()
    before, pages = _keys(inputs, study), sources.templates_hash()
    told = {slug: ["the package's sources changed"] for slug in before}
    names = {"did/design.py": True, "words/catalog/en.yml": True, "site/templates/style.css": False}
    for name, stale in names.items():
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content + b"\n")
        anew()
        assert _stale(before, _keys(inputs, study)) == (told if stale else {}), name
        assert (sources.templates_hash() != pages) == (not stale), name
        (copy / name).write_bytes(content)


def test_an_installed_version_is_an_input(inputs, study, monkeypatch, tmp_path, anew):
    before = _keys(inputs, study)
    old = sources.libraries()["pandas"]
    (tmp_path / "site" / "pandas-99.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    anew()
    assert set(map(tuple, _stale(before, _keys(inputs, study)).values())) == {(f"libraries: pandas {old} -> 99",)}
