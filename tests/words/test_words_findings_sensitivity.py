"""How sure, in words and pictures: on the real figures, each number with its uncertainty, no verdict beyond them."""

from dataclasses import replace

import pandas as pd
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.core.phrases import probability
from leapstudy.did.answer import estimator_rows
from leapstudy.did.answering import answer_all
from leapstudy.did.sensitivity.analyses import UNASKED
from leapstudy.study import choice
from leapstudy.study.public import study_all, study_district
from leapstudy.study.result import jsonable
from leapstudy.words import findings_sensitivity as sentences_sure
from leapstudy.words.appendix import checklist
from leapstudy.words.findings_sensitivity import bound_words

FORBIDDEN = ("proves", "no effect", "significant")


@pytest.fixture(scope="module")
def one(hartford_study):
    return hartford_study


@pytest.fixture(scope="module")
def pooled(whole):
    """Return the whole study, not its answer alone."""
    return whole


def _result(study):
    blocks = {"answer": study.answer, "evidence": study.evidence, "plan": study.plan, "standings": study.standings}
    rows = (*study.answer.estimates, *(study.years.estimates if study.years else ()))
    return jsonable({"district": study.district, "estimates": rows, "params": study.params, "blocks": blocks})


def test_without_robust_bounds_the_answer_is_the_same_and_says_what_is_left_out(pooled):
    quick = study_all(robust=False).answer
    assert quick.estimates == pooled.answer.estimates
    assert [item.kind for item in quick.sensitivity.bounds] == ["parallel"]
    assert UNASKED in quick.sensitivity.not_possible and UNASKED not in pooled.answer.sensitivity.not_possible


def test_the_estimators_have_the_main_one_once_and_every_other(one):
    rows = estimator_rows(one.answer)
    assert list(rows["is_main"]) == [True, False, False, False, False]
    assert rows["estimate_pp"].iloc[0] == one.answer.main.estimate_pp
    assert set(rows["estimator"]) == {"did", "sdid", "did_covariates", "did_rebound_adjusted", "did_one_step_up"}


def test_sentences_hold_no_verdict_that_figures_do_not_carry(one, pooled):
    said = [
        say(study.answer)
        for study in (one, pooled)
        for say in (sentences_sure.curve, sentences_sure.in_time, sentences_sure.estimators)
    ]
    said += [sentences_sure.tests(one.answer), sentences_sure.pooled(pooled.answer)]
    of_study = (sentences_sure.bounds, sentences_sure.grade_conditions, sentences_sure.plan)
    said += [say(study) for study in (one, pooled) for say in of_study]
    for text in said:
        assert not [word for word in FORBIDDEN if word in text.lower()], text
    assert f"{one.answer.sensitivity.summary['above']} of {len(one.answer.sensitivity.curve)}" in said[0]


def test_what_was_not_planned_is_called_exploratory(one):
    rows = one.standings.set_index(["estimator", "p_method"])["standing"]
    assert rows[("sdid", "sdid_placebo")] == rows[("did_covariates", "t")] == "exploratory"
    assert rows[("did", "studentized_noise")] == "as planned"
    assert "Deviations of this run: none" in sentences_sure.plan(one)
    other = study_district("hartford", comparison="others", weights="students")
    assert other.plan.standing == "exploratory" and "comparison others instead of alliance" in sentences_sure.plan(
        other
    )
    assert "as planned" not in set(other.standings["standing"])


def test_the_appendix_answers_from_the_new_figures(one, pooled):
    for study in (one, pooled):
        answers = {item.title: item for item in checklist(_result(study))}
        assert len(answers) == 22
        absent = [title for title, item in answers.items() if item.answer.startswith("Not possible")]
        assert absent == []
    tests = answers_of(one, "Inference that fits the design")
    assert "refused" in tests.answer and len(tests.table.data) == len(one.answer.methods)
    assert "Romano-Wolf" in " ".join(answers_of(pooled, "All together").table.data.columns)
    names = answers_of(pooled, "A second and a third estimator").table.data["Estimator"]
    assert names.is_unique and "did_without_flagged, without New Haven" in set(names)


def test_no_p_value_of_the_appendix_is_printed_as_zero(one, pooled):
    tables = [point.table for study in (one, pooled) for point in checklist(_result(study)) if point.table is not None]
    columns = [table.data[name] for table in tables for name in table.data if name.startswith("p") or name[-2:] == " p"]
    assert len(columns) > 6 and all(isinstance(p, str) and float(p.strip("< –") or 1) > 0 for p in pd.concat(columns))


def answers_of(study, title):
    return next(item for item in checklist(_result(study)) if item.title == title)


@pytest.mark.parametrize(
    ("kind", "breakdown", "words"),
    [
        ("parallel", 0.0, "the breakdown value is 0"),
        ("parallel", None, "cannot be said"),
        ("smoothness", 0.4, "value is 0.50 times that"),
        ("smoothness", 0.0, "without that already"),
        ("relative_magnitudes", None, "not even 2.0 times that"),
    ],
)
def test_bounds_say_where_the_answer_breaks_and_what_few_years_carry(kind, breakdown, words):
    times = {"parallel": [0.0], "smoothness": [0.0, 0.8, 1.6], "relative_magnitudes": [0.0, 1.0, 2.0]}[kind]
    found = {
        "outcome": "attendance_rate",
        "year": "2021-22",
        "is_placebo": False,
        "kind": kind,
        "n_pre": 1,  # and no `steps`, as results of an earlier leapstudy, whose pages are made again beside new ones
        "table": {"m": times, "low_pp": [0.2, -0.3, -0.8], "high_pp": [1.0, 1.5, 2.0]},
        "breakdown": breakdown,
        "largest_before": None if kind == "parallel" else 0.8,
    }
    text = bound_words(found)
    assert words in text and ("One coefficient" in text) == (kind == "parallel")
    assert ("−0.30 to 1.50" in text) == (kind != "parallel")


def test_the_pooled_bounds_name_their_placebo(pooled):
    told = sentences_sure.bounds(pooled)
    assert "2019-20 (a placebo: zero is expected)" in told
    assert "in each of 3 years by as much as in any year before (2.02 points), chronic absence in 2021-22 is" in told


def test_one_districts_grade_rests_on_the_leading_test(one):
    favorable = next(item for item in one.evidence.essa.conditions if item.name.startswith("a favorable"))
    assert probability(one.answer.headline.p_value) in favorable.reason
    assert one.answer.main.p_value != one.answer.headline.p_value


def test_student_weights_cannot_be_pooled_and_that_is_said():
    study = study_all(weights="students", robust=False)
    assert study.answer.pooling is None and study.answer.caterpillar.empty
    assert "equal weights" in sentences_sure.pooled(study.answer)


def test_the_choice_on_record_fits_the_data_and_a_changed_one_is_refused(study, tmp_path):
    kept = choice.kept(study)
    assert kept.chosen == "alliance" and kept.sha256[:12] in sentences_sure.choice(kept)
    path = tmp_path / "comparison.json"
    made = choice.record(study, "drg_gh", "2026-01-01 00:00 UTC", "to try", path)
    assert choice.kept(study, path) == made
    path.write_text(path.read_text().replace('"chosen": "drg_gh"', '"chosen": "others"'))
    with pytest.raises(BadInput, match="was changed after"):
        choice.kept(study, path)
    with pytest.raises(
        BadInput, match=r"No comparison group is on record.*missing\. Record one with `leapstudy choose"
    ):
        choice.kept(study, tmp_path / "none.json")
    moved = replace(study, districts=study.districts.assign(high_needs_share=0.5 * study.districts["wealth_decile"]))
    with pytest.raises(BadInput, match="does not fit the data"):
        choice.kept(moved)


def test_rows_of_the_study_are_counted_once(pooled):
    assert pooled.standings["rows"].sum() == len(pooled.answer.estimates)
    assert isinstance(pooled.standings, pd.DataFrame)


def test_the_prior_is_said_to_speak_only_where_it_outweighs_the_figures(pooled):
    assert "the prior outweighs" in sentences_sure.pooled(pooled.answer)
    wide = replace(pooled.answer.informed, prior=replace(pooled.answer.informed.prior, sd_pp=5.0))
    assert "the prior outweighs" not in sentences_sure.pooled(replace(pooled.answer, informed=wide))


def test_the_published_prior_leads_where_it_is_asked_for(pooled):
    study = study_all(prior="published", robust=False)
    leading, flat = study.answer.pooling.shrinkage, pooled.answer.pooling.shrinkage
    assert leading.mu_pp == pooled.answer.informed.mu_pp and leading.mu_pp != flat.mu_pp
    assert study.answer.informed is None and study.params["prior"] == "published"
    assert sentences_sure.pooled(study.answer).startswith("With 2 comparable programs")
    with pytest.raises(BadInput, match="Did you mean 'flat'"):
        study_all(prior="flatt")
    with pytest.raises(BadInput, match="use the prior 'flat'"):
        answer_all(study.data, study.spec)
