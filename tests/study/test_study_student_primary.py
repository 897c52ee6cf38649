"""A plan that names chronic absence as primary: verdict, first sentence, first picture, rows and pages follow it."""

import json
import re
import shutil
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from own_files import change_yaml
from site_factory import DAY, student_run

from leapstudy.cli import main
from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.core.phrases import capital
from leapstudy.figures import students_effects
from leapstudy.site.build import build_site
from leapstudy.students.settings import load_settings
from leapstudy.students.simulate import default_simulation
from leapstudy.study.result import load_result
from leapstudy.study.rollout.choices import load_rollout
from leapstudy.study.rollout.written_plan import ANALYSIS, check_rollout, freeze
from leapstudy.study.student_lottery import OFFER
from leapstudy.study.student_outcomes import ESTIMATOR, NOT_MET
from leapstudy.study.student_results import PreTrend, PrimaryAnswer
from leapstudy.study.student_watch import promise_of, watch_students
from leapstudy.study.students import primary_verdict, study_students
from leapstudy.words import findings_students as words
from leapstudy.words.appendix import checklist
from leapstudy.words.plain_page import LANGUAGES, plain_page
from leapstudy.words.reading import read_result

QUESTION = "Do home visits lower chronic absence of students who miss 10% or more of their days?"
DISTRICTS = {"0640011": 1500, "0770011": 1000}


def _workspace(root):
    real = paths.root()
    for name in ("data/raw", "params"):
        shutil.copytree(real / name, root / name)
    shutil.copy(real / "requirements.lock", root)
    change_yaml(root / "params" / "rollout.yml", outcome="chronic_absence", question=QUESTION)
    more = {"visits__completed": 0.6, "seed": 7}  # enough who were not met to be shown
    change_yaml(
        root / "params" / "simulation.yml", districts=DISTRICTS, school_size=60, effect__null_district=False, **more
    )


def _effect(pp, se, **more):
    blank = dict.fromkeys(("district", "comparison", "edition", "pre", "post", "estimator"), "")
    row = {
        "track": "students",
        "district_code": "ALL",
        "outcome": "chronic_absence",
        "role": "main",
        "n_treated": 90,
        "n_comparison": 400,
        "estimate_pp": pp,
        "se_pp": se,
        "ci_low_pp": pp - 2 * se,
        "ci_high_pp": pp + 2 * se,
        "p_value": 0.001 if abs(pp) > 2 * se else 0.5,
    }
    return Estimate(**{**blank, **row, **more})


def test_a_fall_of_chronic_absence_is_the_gain_and_attendance_may_forbid_to_claim_it():
    fall, control, zero = _effect(-30, 4), _effect(-2, 4), _effect(0.1, 0.3, outcome="attendance_rate")
    trend = PreTrend(0.4, 0.2, 6)
    verdict = primary_verdict(PrimaryAnswer(fall, control), zero, zero, trend)
    assert verdict.kind == "positive" and verdict.estimate_pp == -30 and verdict.before == "passed"
    assert primary_verdict(PrimaryAnswer(_effect(30, 4), control), zero, zero, trend).kind == "negative"
    assert primary_verdict(PrimaryAnswer(fall, _effect(-25, 8, p_value=0.2)), zero, zero, trend).kind == "selection"
    assert primary_verdict(PrimaryAnswer(fall, None), zero, zero, trend).kind == "selection"
    rebound = _effect(3, 0.5, outcome="attendance_rate")
    assert primary_verdict(PrimaryAnswer(fall, control), rebound, zero, trend).kind == "failed_placebo"
    assert primary_verdict(PrimaryAnswer(fall, control), zero, zero, PreTrend(0.001, 0.2, 6)).kind == "failed_placebo"


def test_a_promise_of_another_outcome_than_the_primary_is_refused(tmp_path, monkeypatch):
    _workspace(tmp_path)
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(tmp_path))
    change_yaml(tmp_path / "params" / "students.yml", draw="draw.csv", rollout={"promised": "attendance in a year"})
    with pytest.raises(BadInput, match="names attendance, but chronic absence is the primary outcome"):
        check_rollout()
    change_yaml(tmp_path / "params" / "students.yml", rollout={})
    check_rollout()
    change_yaml(tmp_path / "params" / "rollout.yml", question="Do home visits raise attendance?")
    with pytest.raises(BadInput, match="names attendance, but chronic absence is the primary outcome"):
        load_rollout()


def _site(out, *studies):
    """Build the pages of studies; return the words of the index's caption, and of every point of each appendix."""
    runs = [student_run(out, study) for study in studies]
    build_site(out, runs, DAY)
    caption = BeautifulSoup((out / "index.html").read_text(encoding="utf-8"), "lxml").caption.get_text()
    points = [checklist(load_result(out / run["slug"] / "result.json")) for run in runs]
    odd = [item.title for each in points for item in each if re.search(r"\bnan\b|None\b|\binf\b", item.answer)]
    assert not odd, odd
    return caption, [{item.title: item.answer for item in each} for each in points]


def _reading(study, folder):
    study.save(str(folder / "result.json"))
    return read_result(json.loads((folder / "result.json").read_text(encoding="utf-8")))


@pytest.mark.slow
def test_without_a_draw_the_plan_s_outcome_leads_everything(lean, tmp_path, monkeypatch, capsys):
    _workspace(tmp_path)
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["leapstudy", "plan", "--freeze"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0 and QUESTION in capsys.readouterr().out
    study = study_students("all-districts")
    assert study.answer.margin_pp == 4, "the frozen plan's, on a visited student: nobody drew lots"
    assert "4.00 points either way, the margin that the frozen plan names as the least" in words.power(study)
    first, control, *others = study.answer.estimates
    assert (first.outcome, first.estimator, first.role) == ("chronic_absence", ESTIMATOR, "main")
    assert (control.estimator, control.role) == (NOT_MET, "placebo") and control.ci_low_pp < 0 < control.ci_high_pp
    assert first.estimate_pp < 0 and {row.role for row in others} == {"sensitivity", "placebo"}
    assert ("chronic_absence", ESTIMATOR) not in {(row.outcome, row.estimator) for row in others}
    assert study.verdict.estimate_pp == first.estimate_pp
    lead = words.CATALOG.by("primary_verdicts", study.verdict.kind, name=study.name)
    assert words.answer(study).startswith(capital(lead))
    assert "The primary outcome by plan, chronic absence" in words.answer(study)
    assert f"rests on {first.n_treated} visited students: in simulated" in words.outcomes(study)
    assert students_effects.answer(study).title.startswith("Chronic absence of visited students changed by")
    reading = _reading(study, tmp_path)
    assert reading.effect.value == first.estimate_pp and reading.control.value == control.estimate_pp
    for lang in LANGUAGES:
        page = plain_page(reading, lang)
        assert {"en": "chronic absence", "es": "ausentismo cr\u00f3nico"}[lang] in page.title
        assert len(page.text.split()) <= 350 and f"{-first.estimate_pp:.2f}" in page.text
    lines = dict(study.answer.plan)
    assert lines["question"] == QUESTION and lines["primary outcome"].startswith("chronic_absence, over 5 school month")
    assert "no effect here is one it promised" in lines["frozen"] and set(ANALYSIS) < set(lines)
    district = study_students("hartford")
    assert "for every study" in words.power(district), "its margin is of the primary outcome alone"
    assert "answered for all districts together only" in words.answer(district)
    told = plain_page(_reading(district, tmp_path))
    assert "attendance" in told.title and "The plan names chronic absence as primary" in told.text
    caption, (together, one) = _site(tmp_path / "site", study, district)
    assert "within each outcome; its unit stands above" in caption
    assert "The plan's primary outcome is chronic absence" in " ".join(together.values())
    assert "Nobody drew lots, so that its primary outcome" in " ".join(together.values())
    assert "The plan's primary outcome is" not in " ".join(one.values())


@pytest.mark.slow
def test_with_a_draw_the_plan_s_outcome_is_counted_in_the_periods_of_the_draw(lean, tmp_path, monkeypatch):
    starts = {"first": "2021-09", "second": "2022-01"}
    _workspace(tmp_path)
    offer = {"starts": starts, "share": 0.6, "crossover": 0.03}
    change_yaml(tmp_path / "params" / "simulation.yml", visits__offer=offer)
    draw = tmp_path / "data" / "derived" / "simulated" / "students.draw.csv"
    rollout = {"starts": starts, "outcomes_from": "2023-07-01", "promised": QUESTION}
    change_yaml(tmp_path / "params" / "students.yml", draw=str(draw), rollout=rollout)
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(tmp_path))
    files = default_simulation()
    plan = freeze(load_rollout(), "")["choices"]["budget"]
    study = study_students("all-districts")
    assert study.answer.margin_pp == plan["matters_pp"] * plan["met"] == 3.4
    assert "3.40 points either way, the margin that the frozen plan names" in words.power(study)
    change_yaml(tmp_path / "params" / "students.yml", input=str(files.panel), visits=str(files.visits))
    assert promise_of(load_settings()).met == plan["met"], "what the frozen plan promises is what is watched"
    assert watch_students("2021-12-18")[0].startswith("SIMULATED"), "of files that say so, wherever they are"
    first, *others = study.answer.estimates
    assert (first.outcome, first.estimator, first.role) == ("chronic_absence", OFFER, "main")
    assert "main" not in {row.role for row in others}
    assert first.estimate_pp < 0 and study.verdict.kind == "positive" and study.answer.lottery.essa.tier in (1, 3)
    assert words.answer(study).startswith("The offer of visits lowered chronic absence.")
    assert students_effects.answer(study).title.startswith("Chronic absence of students who were offered visits by lot")
    page = {section.key: section.text for section in plain_page(_reading(study, tmp_path)).sections}
    assert page["answer"].startswith("Chronic absence of students who were offered visits by lot fell")
    told = QUESTION.rstrip("?")
    assert told in page["answer"] and told in words.answer(study) and "raise attendance" not in " ".join(page.values())
    caption, (together,) = _site(tmp_path / "site", study)
    assert "Effects in percentage points of chronic absence." in caption
    assert "being offered visits by lot on chronic absence (intention-to-treat)" in " ".join(together.values())


@pytest.mark.parametrize(("kind", "claimed"), [("positive", True), ("selection", False), ("failed_placebo", False)])
def test_other_outcomes_of_students_who_were_picked_are_no_effects_either(kind, claimed):
    row = {"outcome": "grades", "primary": False, "reason": "", "unit": "% of the scale", "p_holm": 0.001}
    table = pd.DataFrame([row | {"estimate_pp": 7.8, "low_pp": 5.6, "high_pp": 10.0, "n_treated": 275}])
    told = words.outcomes(SimpleNamespace(answer=SimpleNamespace(outcomes=table), verdict=SimpleNamespace(kind=kind)))
    assert "grades +7.80" in told and ("nor may these be read as effects" in told) != claimed


def test_outcomes_that_cannot_be_made_are_not_said_to_show_nothing():
    rows = [("grades", False, "Too few."), ("enrolled", False, "Nobody left.")]
    table = pd.DataFrame(rows, columns=["outcome", "primary", "reason"]).assign(p_holm=None, n_treated=0)
    told = words.outcomes(SimpleNamespace(answer=SimpleNamespace(outcomes=table)))
    assert told.endswith("from these files: grades: Too few; enrolled: Nobody left.") and "distinguishable" not in told


@pytest.mark.parametrize(
    ("n", "words_of"),
    [
        (0, "Attendance is the primary outcome. No secondary outcome can be told from these files."),
        (1, "Beside it stands 1 secondary outcome. It is not statistically distinguishable from zero."),
        (2, "Beside it stand 2 secondary outcomes, corrected for their number (Holm). None of them is"),
    ],
)
def test_secondary_outcomes_are_counted_as_one_would_say_it(n, words_of):
    assert words_of in words._secondary("Attendance is the primary outcome", n, [])
