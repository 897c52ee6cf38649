"""Two answers whose files differ by a student: they are told apart by sums, and the second is refused."""

import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from moments_panels import random_panel
from own_files import STUDENT_KEY, students

from leapstudy.batch.verify import DERIVED
from leapstudy.core.errors import BadInput
from leapstudy.students.engine import connect, lend
from leapstudy.students.guard import key_mark
from leapstudy.students.settings import load_settings
from leapstudy.students.sketch import SIGNS, _digests, group_sketches
from leapstudy.study import student_files
from leapstudy.study.student_check import (
    CHOICES,
    REMEMBERED,
    answer_of,
    check_students,
    choices_apart,
    earlier,
    groups_too_close,
    remember,
    require_usable,
    students_apart,
    why_refused,
)

VISITED, OTHERS = ("ALL", True), ("ALL", False)


@pytest.fixture(scope="module")
def pair():
    panel = random_panel(3, students=240, gaps=0).assign(district_code="0640011")
    ids = panel["student"].unique()[:90]
    return panel, pd.DataFrame({"student": ids, "visit_date": pd.Timestamp("2021-09-14"), "completed": True})


@pytest.fixture(scope="module")
def before(pair):
    """Return the sketches of the pair, which every change is held against."""
    return sketches(*pair)


def sketches(*frames):
    return group_sketches(*lent(*frames))


def lent(*frames):
    """Return frames as tables of an engine."""
    con = connect(threads=1)
    return [lend(con, pa.Table.from_pandas(frame, preserve_index=False)) for frame in frames]


def corrected(panel, count):
    ids = panel["student"].unique()[:count]
    hit = panel["student"].isin(ids) & (panel["month"] == panel["month"].min())
    return panel.assign(days_attended=panel["days_attended"].where(~hit, panel["days_attended"] - 1))


def without(panel, log, ids):
    return panel[~panel["student"].isin(ids)], log[~log["student"].isin(ids)]


CHANGES = {
    "a visited student is gone": (lambda p, v: without(p, v, v["student"][:1]), {VISITED}),
    "a student who was not visited is gone": (lambda p, v: without(p, v, p["student"].unique()[-1:]), {OTHERS}),
    "a day of one student is corrected": (lambda p, v: (corrected(p, 1), v), {VISITED}),
    "one student is visited now": (lambda p, v: (p, v[:-1]), {VISITED, OTHERS}),
    "a visit is on another day": (
        lambda p, v: (p, v.assign(visit_date=v["visit_date"].where(v.index > 0, pd.Timestamp("2021-09-15")))),
        {VISITED},
    ),
    "ten students are corrected": (lambda p, v: (corrected(p, 10), v), {VISITED}),
    "rows in another order": (lambda p, v: (p[::-1], v[::-1]), set()),
    "a month more of everybody": (lambda p, v: (p[p["month"] < p["month"].max()], v), set()),
    "thirty visited students are gone": (lambda p, v: without(p, v, v["student"][:30]), set()),
    "sixty students are corrected": (lambda p, v: (corrected(p, 60), v), set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_difference_of_a_few_students_is_seen_and_a_larger_one_is_not_held_against_anybody(pair, before, change):
    other, expected = CHANGES[change]
    close = groups_too_close(before, sketches(*other(*pair)))
    assert {key for key in close if key[0] == "ALL"} == expected
    assert {visited for _, visited in close} == {visited for _, visited in expected}, "a district as all of them"


def test_a_sum_counts_the_signs_of_its_students_digests(pair, before):
    """As files of an earlier version were remembered: each letter of a digest is four signs, the lowest bit first."""
    rows = _digests(*lent(*pair), None).to_pandas()
    for group in before:
        own = rows.loc[rows["visited"] == group["visited"], "digest"]
        bits = [[int(digest[place // 4], 16) >> place % 4 & 1 for place in range(SIGNS)] for digest in own]
        assert group["students"] == len(own) and group["sums"] == (2 * np.array(bits) - 1).sum(axis=0).tolist()


def test_whatever_a_student_is_shown_by_is_a_difference_too(pair):
    panel, log = pair
    log = log.assign(type="phone", supports="food;shelter", referral_date=pd.Timestamp("2021-09-01"), staff=2)
    panel = panel.assign(school_code="0640011-03", grade="07", high_needs=True)
    before, one = sketches(panel, log), log.index == 0
    hit = panel["student"] == log["student"][0]
    logs = {"type": "in_person", "supports": "food", "referral_date": pd.Timestamp("2021-08-31"), "staff": 1}
    for name, other in logs.items():
        close = groups_too_close(before, sketches(panel, log.assign(**{name: log[name].where(~one, other)})))
        assert {key for key in close if key[0] == "ALL"} == {VISITED}, name
    for name, other in {"school_code": "0640011-09", "grade": "08", "high_needs": False}.items():
        close = groups_too_close(before, sketches(panel.assign(**{name: panel[name].where(~hit, other)}), log))
        assert {key for key in close if key[0] == "ALL"} == {VISITED}, name
    assert not groups_too_close(before, sketches(panel[::-1], log[::-1]))


def test_an_outcome_of_one_student_is_a_difference_too(pair, before):
    """A figure of an outcome with a student less a figure without gives that student's own."""
    panel, log = pair
    rows = pd.DataFrame({"student": panel["student"].unique(), "outcome": "chronic_absence", "value": 0.0, "of": 1.0})
    rows = pd.concat([rows.assign(period_start=pd.Timestamp(day)) for day in ("2020-09-01", "2021-09-01")])
    rows["period_end"] = pd.Timestamp("2022-06-30")
    named = sketches(panel, log, rows)
    one = rows["student"] == log["student"][0]
    changes = {
        "gone": rows[~one],
        "corrected": rows.assign(value=rows["value"].where(~one, 1.0)),
        "of another kind": rows.assign(outcome=rows["outcome"].where(~one, "enrolled")),
        "ending on another day": rows.assign(period_end=rows["period_end"].where(~one, pd.Timestamp("2022-06-29"))),
        "of another time": rows.assign(period_start=rows["period_start"].where(~one, pd.Timestamp("2019-09-01"))),
    }
    for what, other in changes.items():
        close = groups_too_close(named, sketches(panel, log, other))
        assert {key for key in close if key[0] == "ALL"} == {VISITED}, what
    assert not groups_too_close(named, sketches(panel, log, rows[::-1]))
    assert not groups_too_close(named, before), "a table that is new is of everybody"


def test_the_same_students_under_other_choices_of_who_counts_are_refused(before, tmp_path, monkeypatch):
    """A band of absence with one visited student that only one of two answers has tells of that student."""
    monkeypatch.setenv(DERIVED, str(tmp_path))
    drawn = tmp_path / "draw.csv"
    drawn.write_text("unit,stratum,phase", encoding="utf-8")
    settings, groups = load_settings().model_copy(update={"draw": str(drawn)}), before
    remember(answer_of(groups, settings))
    assert not why_refused(answer_of(groups, settings), {})
    others = {"min_comparison": 7, "early": (5, 4), "months_after": 8, "seed": 5}
    assert set(others) == set(CHOICES)
    for name, value in others.items():
        told = why_refused(answer_of(groups, settings.model_copy(update={name: value})), {})
        assert f"other choices of who counts (`{name}:`)" in told and "earlier_answers: unpublished" in told
    assert not why_refused(answer_of(groups, settings.model_copy(update={"source": "other words", "draw": ""})), {})
    drawn.write_text("unit,stratum,phase\n1,a,1", encoding="utf-8")
    assert "(`draw:`)" in why_refused(answer_of(groups, settings), {})


def test_other_choices_of_other_students_are_let_be(pair, before):
    panel, log = pair
    old, new = (answer_of(before, load_settings()) for _ in range(2))
    new = {**new, "choices": {**new["choices"], "min_comparison": 9}}
    assert choices_apart(old, new) == ("min_comparison",)
    later = panel[panel["month"] < panel["month"].max()]
    assert choices_apart(old, {**new, "sketches": sketches(later, log)}) == (), "a month more of everybody"


def test_what_is_kept_of_an_answer_serves_its_own_key_alone(tmp_path, monkeypatch):
    """Another key deals other lots: its placebo is not the one that was kept."""
    file = tmp_path / "rows.csv"
    file.write_text("student", encoding="utf-8")
    settings = load_settings().model_copy(update={"input": str(file), "visits": str(file)})
    monkeypatch.setenv(DERIVED, str(tmp_path / "derived"))
    monkeypatch.setattr(student_files, "require_usable", lambda _: None)
    monkeypatch.setattr(student_files, "_state", lambda *_: [{"dealt_by": key_mark()}])
    dealt = []
    for key in ("one key", "another key", "one key"):
        monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", f"{key} {STUDENT_KEY}")
        dealt.append(student_files.stored_state(settings)[0]["dealt_by"])
    assert dealt[0] == dealt[2] != dealt[1]


def test_a_key_file_that_is_written_anew_has_another_mark(tmp_path, monkeypatch):
    monkeypatch.delenv("LEAPSTUDY_STUDENT_KEY", raising=False)
    key = tmp_path / "key.txt"
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY_FILE", str(key))
    marks = []
    for moment, name in enumerate(("one", "another", "one"), 1):
        key.write_text(f"{name} {STUDENT_KEY}", encoding="utf-8")
        os.utime(key, ns=(moment, moment))
        marks.append(key_mark())
    assert marks[0] == marks[2] != marks[1]


def test_the_number_of_students_apart_is_estimated_and_zero_is_exact():
    rng = np.random.default_rng(4)
    signs = rng.choice([-1, 1], (400, SIGNS))
    whole = {"students": 400, "sums": signs.sum(axis=0).tolist()}
    assert students_apart(whole, whole) == 0
    for gone in (1, 5, 19, 60):
        part = {"students": 400 - gone, "sums": signs[gone:].sum(axis=0).tolist()}
        assert students_apart(whole, part) == pytest.approx(gone, rel=0.5) and students_apart(whole, part) >= gone
    swapped = {
        "students": 400,
        "sums": (signs[40:].sum(axis=0) + rng.choice([-1, 1], (40, SIGNS)).sum(axis=0)).tolist(),
    }
    assert 30 < students_apart(whole, swapped) < 55, "forty left and forty others came"


@pytest.mark.slow
def test_a_file_that_differs_by_one_student_is_refused_by_check_and_run_alike(own_workspace):
    rows, log = students({"0640011": 260})
    own_workspace(rows, log)
    remember(answer_of(check_students(load_settings()).sketches, load_settings()))
    require_usable(load_settings())
    gone = log[log["completed"] == "Y"]["student"].iloc[0]
    own_workspace(rows[rows["student"] != gone], log[log["student"] != gone])
    with pytest.raises(BadInput, match="fewer than 20 of the visited students of all districts") as refused:
        require_usable(load_settings())
    assert gone not in str(refused.value)
    own_workspace(rows[rows["student"] != gone], log[log["student"] != gone], earlier_answers="unpublished")
    assert require_usable(load_settings()).ok
    for number in range(REMEMBERED + 3):
        groups = [{"place": "ALL", "visited": True, "students": number, "sums": [0] * SIGNS}]
        remember(answer_of(groups, load_settings()))
    assert len(earlier()) == REMEMBERED
