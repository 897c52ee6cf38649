"""The student track end to end on a small SIMULATED state: answers, figures, words, placebo, and no way to a row."""

import json
import shutil
from dataclasses import replace
from itertools import product

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from layout import overlaps
from nbclient import NotebookClient
from student_parts import FIGURES, HOLE, SENTENCES

from leapstudy.batch.kernels import KERNEL, offer
from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import COLUMNS, to_frame
from leapstudy.evidence.scan import scan_folder
from leapstudy.figures.exhibit import Exhibit
from leapstudy.figures.frame import styled
from leapstudy.figures.palette import NARROW, WIDE
from leapstudy.figures.students_effects import _average
from leapstudy.students.disclosure import MIN_COUNT, MIN_GROUP
from leapstudy.students.referral_rule import ReferralRule
from leapstudy.study import student_estimates as student_measure
from leapstudy.study.result import load_result
from leapstudy.study.student_results import DESIGN_LABELS
from leapstudy.study.students import study_students
from leapstudy.words import findings_students as words
from leapstudy.words.reading import read_result

pytestmark = pytest.mark.slow
LEAKS = (
    """
import logging, sys, warnings
from leapstudy.students.handle import engine_table, open_students, visit_table
from leapstudy.students.settings import input_files, load_settings
files = input_files(load_settings())
data = open_students(files["attendance"], visits=files["visits"])
rows = engine_table(data).limit(3).to_pandas()
print(rows)
print(rows, file=sys.stderr)
logging.warning("%s", rows)
warnings.warn(str(visit_table(data).limit(2).to_pandas()))
rows
""",
    "raise ValueError(rows.to_csv())",
)


@pytest.fixture(params=["hartford", "manchester", "windham", "all-districts"])
def study(workspace, request):
    return study_students(request.param)


def test_robust_bounds_start_at_the_headlines_interval_and_hold_it(study):
    found, main = study.answer.bounds, study.answer.design().main
    if study.slug != "all-districts":
        assert found is None and "all districts together" in words.bounds(study).title
        return
    first, last = found.table.iloc[0], found.table.iloc[-1]
    assert [first["low_pp"], first["high_pp"]] == pytest.approx([main.ci_low_pp, main.ci_high_pp])
    assert last["low_pp"] < first["low_pp"] and last["high_pp"] > first["high_pp"] and last["m"] == 1
    assert found.months == 5 and found.largest_before_pp > 0
    # what includes zero at the departure shown broke at or before it
    assert (found.breakdown is not None and found.breakdown <= 1) == (last["low_pp"] <= 0 <= last["high_pp"])


def test_every_figure_says_simulated_and_states_its_finding(study):
    for draw, width in product(FIGURES, (WIDE, NARROW)):
        shown = draw(study, width)
        assert isinstance(shown, Exhibit) and overlaps(shown.figure) == [], draw.__name__
        assert shown.alt.startswith("SIMULATED: ") and "SIMULATED" in shown.caption.text()


@pytest.mark.parametrize("slug", ["hartford", "windham"])
def test_a_study_of_which_every_count_is_hidden_is_drawn_and_told(workspace, slug):
    study = study_students(slug)
    hidden = dict.fromkeys(("estimate_pp", "se_pp", "low_pp", "high_pp"), np.nan)
    design = study.answer.design()
    refused = [
        replace(item, main=None, placebo=None, path=design.path[:0], placebo_path=design.path[:0], refused=("few",))
        for item in study.answer.designs
    ]
    answer = replace(
        study.answer,
        designs=tuple(refused),
        parts=study.answer.parts.assign(**hidden),
        pre_trend=None,
        estimates=(),
        raw_paths=study.answer.raw_paths[:0],
        rebound=study.answer.rebound[:0],
    )
    empty = replace(
        study,
        answer=answer,
        funnel=study.funnel.assign(students=np.nan),
        rule_shares=study.rule_shares.assign(referred_share=np.nan, others_share=np.nan),
    )
    for draw, width in product(FIGURES, (WIDE, NARROW)):
        assert overlaps(draw(empty, width).figure) == [], draw.__name__
    for sentence in SENTENCES:
        assert not HOLE.search(str(sentence(empty))), sentence.__name__


def test_every_sentence_says_simulated_and_has_no_hole(study, capsys):
    for sentence in SENTENCES:
        words.say(study, sentence(study))
        told = capsys.readouterr().out
        assert told.startswith("SIMULATED: ") and len(told) > 40
        assert not HOLE.search(told), sentence.__name__


def test_a_district_names_the_page_that_shows_other_outcomes(workspace):
    one, everybody = study_students("hartford"), study_students("all-districts")
    assert one.has_outcomes and not one.together and "all districts together" in one.outcomes.caption
    assert everybody.together and "all districts together" not in everybody.outcomes.caption


def test_a_district_with_few_visited_students_is_refused_and_named(workspace):
    small = study_students("windham")
    assert small.answer.design().main is None and "Fewer than 20" in " ".join(small.answer.design().refused)
    assert "no effect can be estimated" in words.answer(small)


def test_rows_of_the_table_tell_main_placebo_and_sensitivity_apart(workspace, tmp_path):
    study = study_students("hartford")
    table = to_frame(study.answer.estimates)
    assert (
        list(table.columns) == list(COLUMNS)
        and set(table["track"]) == {"students"}
        and set(table["edition"]) == {"SIMULATED"}
    )
    heads = table[table["event_time"].isna()]
    assert len(heads) == 2 * len(DESIGN_LABELS) and (heads["n_treated"] >= MIN_GROUP).all()
    assert set(table.loc[table["estimator"] == "cs_at_risk", "role"]) == {"main", "placebo"}
    study.save(str(tmp_path / "x" / "result.json"))
    reading = read_result(load_result(tmp_path / "x" / "result.json"))
    assert reading.simulated and reading.track == "students" and reading.placebo is not None
    assert reading.effect.value == study.answer.design().main.estimate_pp


def test_the_recommended_design_is_near_the_truth_and_its_placebo_near_zero_where_the_textbook_is_not(workspace):
    study = study_students("all-districts")
    own, textbook = study.answer.design(), study.answer.design("never")
    assert abs(own.main.estimate_pp - study.true_headline) < 3 * own.main.se_pp
    assert abs(own.placebo.estimate_pp) < 3 * own.placebo.se_pp
    assert textbook.placebo.estimate_pp > 3 and textbook.main.estimate_pp - study.true_headline > 3


def test_a_file_that_ends_early_is_held_against_the_truth_of_its_months(workspace):
    study = study_students("hartford")
    designs = [
        replace(item, main=None if item.main is None else replace(item.main, post="months 1, 3"))
        for item in study.answer.designs
    ]
    early = replace(study, answer=replace(study.answer, designs=tuple(designs)))
    truth = study.truth.set_index("event_time")["effect_pp"]
    assert early.true_headline == pytest.approx((truth[1] + truth[3]) / 2) != study.true_headline
    with styled():
        picture = plt.figure().subplots()
        _average(picture, early.answer.design().main, early.answer.design().path)
        assert picture.texts[0].get_text().startswith("months 1, 3: ")
        assert [*picture.collections[0].get_segments()[0][:, 0]] == [1, 3]
        plt.close()


def test_the_state_is_measured_once_and_asked_by_slug_name_or_code(workspace):
    folder = workspace / "data" / "derived" / "student_answers"
    before = {file.name: file.stat().st_mtime_ns for file in folder.glob("*.json")}
    assert study_students("Hartford").answer.code == study_students("0640011").answer.code == "0640011"
    assert {file.name: file.stat().st_mtime_ns for file in folder.glob("*.json")} == before and len(before) == 1
    with pytest.raises(BadInput, match="Did you mean 'hartford'"):
        study_students("hartfort")


def test_what_is_stored_holds_no_student_and_no_small_count(workspace):
    folder = workspace / "data" / "derived" / "student_answers"
    assert scan_folder(folder).ok
    for content in json.loads(next(folder.glob("*.json")).read_text(encoding="utf-8")):
        shown = [value for value in content["funnel"]["students"] if value is not None]
        assert not [value for value in shown if 0 < value < MIN_COUNT]
        assert not [row for row in content["answer"]["estimates"] if row["n_treated"] < MIN_GROUP]


def test_the_executed_notebook_holds_no_student_whatever_its_cells_try(workspace, tmp_path):
    """Beside what it shows by itself, which is kept with it: more cells after those that make its study.

    In a kernel as a batch starts it; one that starts cold is held in tests/students/test_student_handle.py.
    """
    offer()
    kept = workspace / "notebooks" / "20_students.ipynb"
    shutil.copy(kept, tmp_path / "kept.ipynb")
    notebook = nbformat.read(kept, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert sum(bool(cell.outputs) for cell in code) > 15
    code[0].source = 'district = "hartford"\nresult_path = ""'
    notebook.cells = [*code[:2], *(nbformat.v4.new_code_cell(source.strip()) for source in LEAKS)]
    NotebookClient(notebook, timeout=200, kernel_name=KERNEL, allow_errors=True).execute()
    errors = [
        out.ename
        for cell in notebook.cells
        if cell.cell_type == "code"
        for out in cell.outputs
        if out.output_type == "error"
    ]
    assert errors == ["ValueError"], "only the last leak fails, and it fails in silence about rows"
    text = nbformat.writes(notebook)
    (tmp_path / "20_students.ipynb").write_text(text, encoding="utf-8")
    assert "withheld" in text and scan_folder(tmp_path).ok


def test_a_rule_that_leaves_nobody_alike_is_refused_in_words(workspace):
    side = student_measure.Side(None, {}, 0)
    found = student_measure._recommended(side, "1", "", ReferralRule("1", "last_two_months", 20, 1.0, 0.03, 0.39, 100))
    assert found.effects is None and "No overlap: in a month 39%" in found.refused[0]
