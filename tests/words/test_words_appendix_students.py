"""Points of the student appendix where the design beside the leading one has too few students for an answer."""

from types import SimpleNamespace

import pytest

from leapstudy.study.student_results import RECOMMENDED
from leapstudy.words.appendix_source import Source
from leapstudy.words.appendix_students import baseline, inference, placebos, rebound

EFFECT = SimpleNamespace(ends=(-4.0, 1.0))
MAIN = {"p_value": 0.2, "ci_low_pp": -1.0, "ci_high_pp": 2.0}
ABSENT = "Not possible: this result holds no recommended design."


def _source(main, draw=None, primary=None):
    reading = SimpleNamespace(
        track="students",
        outcome="chronic_absence",
        draw=draw,
        p_value=0.12,
        effect=EFFECT,
        verdict=SimpleNamespace(p_floor=0.001),
    )
    answer = {"designs": [{"name": RECOMMENDED, "main": main}], "primary": primary}
    return Source({"blocks": {"answer": answer}}, reading)


def test_the_baseline_is_of_one_month_and_its_students():
    """Of own files that begin two months before the first picks 20 of 62 students have a month -2."""
    rows = {"event_time": [-2, -1, 0], "picked_pct": [62.0, 69.5, 75.5], "others_pct": [93.8, 93.7, 93.2]}
    said = baseline(
        Source({"blocks": {"answer": {"rebound": rows}}}, SimpleNamespace(track="students", outcome="attendance_rate"))
    )
    assert "attended 69.5% of days in the last school month before, and other students 93.7% in the same months" in said


def test_who_was_not_met_is_told_to_be_met_later_and_no_page_sends_to_one_that_leaves_districts_out():
    placebo = {**MAIN, "estimate_pp": 1.0, "post": "months 1 to 6", "comparison": "not visited yet"}
    answer = {"designs": [{"name": RECOMMENDED, "main": None, "placebo": placebo}], "control": placebo}
    text, table = placebos(
        Source({"blocks": {"answer": answer}}, SimpleNamespace(track="students", outcome="attendance_rate"))
    )
    assert "referred and not met in that month" in text and "those met later up to the month before" in text
    assert "all districts together" not in text and len(table.data) == 2


@pytest.mark.parametrize("leads", [{"draw": "a draw"}, {"primary": {"main": {}}}, {}])
def test_a_design_without_an_answer_is_said_in_whole_sentences(leads):
    told = inference(_source(None, **leads))
    assert told.endswith(ABSENT) and ":" not in told.removesuffix(ABSENT)[-3:]
    assert "In the design" not in told and "nothing" not in told


@pytest.mark.parametrize(
    ("leads", "begins"),
    [
        ({"draw": "a draw"}, "It tells of chance in the draw alone. In the design without one, errors are clustered"),
        ({"primary": {"main": {}}}, "95% CI −4.00 to 1.00. In the design of attendance, errors are clustered"),
        ({}, "Errors are clustered by student: p = 0.20, 95% CI −1.00 to 2.00."),
    ],
)
def test_the_errors_are_those_of_the_design_beside_what_leads(leads, begins):
    assert begins in inference(_source(MAIN, **leads))


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ((1.0, 5.0), "so much of a plain comparison of before and after is rebound."),
        ((-5.0, -1.0), "a plain comparison of before and after is too low by so much."),
        ((-1.0, 5.0), "is rebound, this does not tell."),
        ((None, None), "is rebound, this does not tell."),
    ],
)
def test_the_rebound_is_said_by_its_interval(ends, told):
    low, high = ends
    value = 3.0 if low is None else (low + high) / 2
    placebo = {"estimate_pp": value, "ci_low_pp": low, "ci_high_pp": high, "post": "months 1 to 4"}
    answer = {"designs": [{"name": "before_after", "placebo": placebo}]}
    said = rebound(Source({"blocks": {"answer": answer}}, SimpleNamespace(track="students", outcome="attendance_rate")))
    assert said.endswith(told) and "over months 1 to 4, unvisited" in said
