"""Student files too small or too short for an answer: each ends in words and a page of what can be shown,
never in a traceback.
"""

import dataclasses
from types import SimpleNamespace

import pandas as pd
import pytest
import typer
from layout import overlaps
from own_files import students
from site_factory import DAY, student_run
from student_parts import FIGURES, HOLE, SENTENCES

from leapstudy import cli
from leapstudy.cli.checking import check_student_files
from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.figures.palette import NARROW, WIDE
from leapstudy.site.build import build_site
from leapstudy.students.settings import load_settings
from leapstudy.study.rollout.records import DrawRecord, append
from leapstudy.study.student_check import require_usable
from leapstudy.study.student_files import stored_state
from leapstudy.study.student_watch import watch_students
from leapstudy.study.students import study_students
from leapstudy.words import findings_students as words

pytestmark = pytest.mark.slow
Pair = tuple[pd.DataFrame, pd.DataFrame]


def _ten(rows: pd.DataFrame, log: pd.DataFrame) -> Pair:
    """Return ten students, of whom three were referred."""
    referred = rows["student"].isin(log["student"])
    ids = [*rows["student"][referred].unique()[:3], *rows["student"][~referred].unique()[:7]]
    return rows[rows["student"].isin(ids)], log[log["student"].isin(ids)]


def _on(log: pd.DataFrame, day: str) -> pd.DataFrame:
    return log.assign(referral_date=day, visit_date=day)


def _two_months(rows: pd.DataFrame, log: pd.DataFrame) -> Pair:
    """Return three months without a grade, and fewer than 20 visited."""
    return rows[rows["month"].between("2021-10", "2021-12")].assign(grade=None), _on(log[:19], "2021-11-05")


def _everybody_visited(rows: pd.DataFrame, log: pd.DataFrame) -> Pair:
    each = _on(rows.drop_duplicates("student")[["student", "district_code"]], "2021-10-05")
    return rows, each.assign(type="phone", completed="Y")


NOBODY = "Nobody who was picked is seen both in a school month before that and in another one."
TOO_FEW = "Fewer than 20 visited or comparison students are left."
# What becomes of a district's attendance and log, and what is said of it; one measured state serves all of a file.
FILES = {
    "everybody visited": {"0640011": (_everybody_visited, "No overlap: in a month 100%")},
    "a district each": {
        "0640011": (_ten, "No stratum has 6 comparison students"),
        "0770011": (lambda rows, log: (rows, _on(log, "2020-09-10")), NOBODY),
        "0800011": (lambda rows, log: (rows.assign(days_attended=17), log), "All students change alike"),
        "0930011": (_two_months, TOO_FEW),
    },
}


@pytest.fixture(scope="module")
def own_pair():
    return students({"0640011": 60})


def _changed(changes):
    rows, log = students(dict.fromkeys(changes, 250))
    parts = [
        change(rows[rows["district_code"] == code], log[log["district_code"] == code])
        for code, (change, _) in changes.items()
    ]
    return [pd.concat(frames) for frames in zip(*parts, strict=True)]


@pytest.mark.parametrize("file", FILES)
def test_what_is_too_small_is_refused_in_words_and_has_its_page(lean, own_workspace, tmp_path, file):
    own_workspace(*_changed(FILES[file]))
    assert [item["answer"]["code"] for item in stored_state()] == [*FILES[file], "ALL"]
    for first, (code, (_, reason)) in enumerate(FILES[file].items()):
        study = study_students(code)
        assert study.answer.design().main is None and study.answer.design().refused[0].startswith(reason), code
        # one width a district: the next has the other
        for place, draw in enumerate(FIGURES, start=first):
            assert overlaps(draw(study, (WIDE, NARROW)[place % 2]).figure) == [], draw.__name__
        for sentence in SENTENCES:
            assert not HOLE.search(str(sentence(study))), sentence.__name__
        assert reason in words.answer(study)
        out = tmp_path / code
        build_site(out, [student_run(out, study)], DAY)
        assert (out / f"students-{study.slug}" / "notebook.html").is_file()
    everybody = study_students("all-districts")
    assert everybody.answer.design().main is None
    for sentence in SENTENCES:
        assert "all districts together" not in str(sentence(everybody)), sentence.__name__
    assert "all districts together" not in everybody.checks.caption


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows, log: (rows, log.assign(completed="N")), "Nobody in these files was visited"),
        (lambda rows, log: (rows[rows["month"] < "2021-06"], log), "Every visit lies outside the months"),
        (lambda rows, log: (rows, _on(log, "2022-09-10")), "Every visit lies outside the months"),
    ],
    ids=["nobody met", "attendance ends before the program", "visits after the attendance ends"],
)
def test_files_without_a_visit_inside_them_are_refused_before_anything_is_measured(
    own_pair, own_workspace, change, reason
):
    own_workspace(*change(*own_pair))
    with pytest.raises(BadInput, match=reason):
        require_usable(load_settings())
    if "outside" in reason:
        told = watch_students("2022-09-30")[0]
        assert "No outcome is shown." in told, "attendance of a first month comes after its visits"


def test_check_and_run_ask_for_the_key_and_for_a_visit_alike(own_pair, own_workspace, monkeypatch, capsys):
    rows, log = own_pair
    own_workspace(rows, log)
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", "too short")
    _both_refuse("need a secret key of at least 32 characters", capsys)
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", "an invented key of forty characters, no more")
    assert require_usable(load_settings()).raw_ids
    own_workspace(rows, log[:0])
    _both_refuse("Nobody in these files was visited", capsys)


def _both_refuse(words, capsys):
    with pytest.raises(BadInput, match=words):
        require_usable(load_settings())
    with pytest.raises(typer.Exit) as ended:
        check_student_files()
    assert ended.value.exit_code == 2 and words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("of", "start", "words"),
    [
        ("X{}", "2021-11", "Fewer than half of the"),
        ("{}", "2031-11", "do not lie around the starts of the draw, 2031-11"),
    ],
)
def test_check_holds_the_list_of_schools_against_the_files_as_a_run_does(
    own_pair, own_workspace, tmp_path, capsys, of, start, words
):
    schools = own_pair[0]["school_code"].unique()
    phases = [start if place % 2 else "waiting" for place in range(len(schools))]
    table = pd.DataFrame({"unit": [of.format(code) for code in schools], "stratum": "all", "phase": phases})
    table.to_csv(tmp_path / "list.csv", index=False)
    own_workspace(*own_pair, draw=str(tmp_path / "list.csv"), rollout={"level": "school"})
    _both_refuse(words, capsys)


def test_students_who_drew_lots_are_answered_by_their_list_and_on_its_day(own_pair, own_workspace, capsys):
    own_workspace(*own_pair)
    blank = {field.name: "" for field in dataclasses.fields(DrawRecord)}
    record = DrawRecord(
        **{**blank, "made_at": "2026-11-25", "track": "students", "phases": {}, "n_units": 2, "waiting": 1}
    )
    append(dataclasses.replace(record, sha256=record.digest()))
    _both_refuse("made 2026-11-25, and params/students.yml names no list under `draw:`", capsys)
    assert "names no list under `draw:`" in watch_students()[0], "crossovers are not seen without the list"
    path = paths.params() / "draw_1.csv"
    path.write_text("unit,stratum,rank,phase\nA,all,1,2021-11\nB,all,2,waiting\n", encoding="utf-8")
    closed = {"outcomes_from": "2999-01-01", "promised": "attendance"}
    own_workspace(*own_pair, draw=str(path), rollout=closed)
    check_student_files()
    assert "closed until 2999-01-01" in capsys.readouterr().out
    runs = [SimpleNamespace(slug="students-hartford")]
    with pytest.raises(BadInput, match="closed until 2999-01-01"):
        cli._refuse_unplanned(runs)
    with pytest.raises(BadInput, match="closed until 2999-01-01"):
        cli._refuse_unplanned([SimpleNamespace(slug="hartford"), *runs])
    own_workspace(*own_pair, draw=str(path), rollout={**closed, "outcomes_from": "2022-07-01"})
    for use in (lambda: cli._refuse_unplanned(runs), watch_students):
        with pytest.raises(BadInput, match="No draw on record has the list draw_1.csv"):
            use()
    (paths.params() / "draws.json").unlink()
    cli._refuse_unplanned(runs)
