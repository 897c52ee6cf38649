"""Titles of pictures are right in every branch: what they say follows from the numbers, never from the name."""

from dataclasses import replace
from types import SimpleNamespace as Result

import pandas as pd
import pytest
from estimates_file import POOLED

from leapstudy.core.phrases import probability
from leapstudy.words import findings, findings_students
from leapstudy.words.sentences import ALT_LONGEST, Finding


def _one(value, others):
    placebos = pd.DataFrame({"is_treated": [True] + [False] * len(others), "placebo_pp": [value, *others]})
    return Result(
        main=Result(
            district="Hartford School District",
            district_code="0640011",
            outcome="attendance_rate",
            estimate_pp=value,
            n_treated=1,
        ),
        permutation=placebos,
    )


@pytest.mark.parametrize(
    ("value", "others", "title"),
    [
        (
            0.7,
            [1.0, -2.0, 0.1, 0.2],
            "Hartford moved 0.70 points more than comparison districts, well within how far they move themselves",
        ),
        (
            -4.0,
            [1.0, -2.0, 0.1, 0.2],
            "Hartford moved 4.00 points less than comparison districts, further than any of the 4 moved themselves",
        ),
        (
            1.5,
            [2.0, *[0.1] * 9],
            "Hartford moved 1.50 points more than comparison districts, as far as 1 of 10 moved themselves",
        ),
    ],
)
def test_a_district_is_held_against_what_the_others_do(value, others, title):
    assert findings.district_title(_one(value, others)) == title


def test_the_best_title_never_hides_a_missing_interval():
    main = Result(outcome="attendance_rate", estimate_pp=-0.34)
    assert findings.best_title(main, -1.28, 0.6).endswith("−0.34 points; the data also fit anything from −1.28 to 0.60")
    assert findings.best_title(main, None, None).endswith("no range can be put around it")


@pytest.mark.parametrize(
    ("power", "words"),
    [
        (0.02, "less than 1 chance in 20"),
        (0.31, "about 3 chances in 10"),
        (0.5, "about an even chance"),
        (0.93, "at least 4 chances in 5"),
    ],
)
def test_power_is_said_as_a_chance(power, words):
    assert findings.chance_of(power) == words


def test_alternative_text_is_the_finding_in_one_breath():
    finding = Finding("A title that says what was found", "One more sentence. " * 30)
    assert finding.alt.startswith(finding.title) and 30 <= len(finding.alt) <= ALT_LONGEST


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_missing_p_value_is_said_to_be_missing(value):
    assert probability(value) == "no p-value" and probability(0.5) == "p = 0.50"


@pytest.mark.parametrize(("margin", "words"), [(182.3, "lies within"), (182.2, "does not lie within")])
def test_students_equivalence_is_two_one_sided_tests_at_the_margin(margin, words):
    # 100 points with a standard error of 50: 1.6449 of them either way reach from 17.76 to 182.24
    answer = Result(leading=Result(estimate_pp=100.0, se_pp=50.0), margin_pp=margin, lottery=None)
    told = findings_students.power(Result(answer=answer, mde_pp=140.1))
    assert f"the 90% CI (17.76 to 182.24) {words} {margin:.2f} points either way" in told
    answer.leading.estimate_pp = -100.0
    assert f"(\u2212182.24 to \u221217.76) {words}" in findings_students.power(Result(answer=answer, mde_pp=140.1))


def _of_students(*designs, raw_paths=None):
    answer = Result(designs=list(designs), control=None, raw_paths=raw_paths, design=lambda _: designs[0])
    return Result(answer=answer, headline_words="months 1 to 6")


def _estimate(value, half):
    return replace(POOLED, estimate_pp=value, ci_low_pp=value - half, ci_high_pp=value + half, post="months 1 to 4")


def _design(name, placebo, half, main=4.0):
    return Result(
        name=name,
        placebo=_estimate(placebo, half),
        main=_estimate(main, 1),
    )


@pytest.mark.parametrize(
    ("placebo", "half", "title", "sentence"),
    [
        (
            3.0,
            1.0,
            "Picked students rise 3.0 points with no visit",
            "so much of the +4.00 (3.00 to 5.00) points that it says",
        ),
        (
            -3.0,
            1.0,
            "Picked students change by \u22123.0 points with no visit",
            "of visited students is too low by so much",
        ),
        (
            3.0,
            4.0,
            "Whether picked students rise with no visit at all cannot be told",
            "how much of that is rebound cannot",
        ),
    ],
)
def test_rebound_is_said_only_where_the_placebo_shows_it(placebo, half, title, sentence):
    study = _of_students(_design("before_after", placebo, half))
    assert findings_students.rebound(study).title.startswith(title)
    assert "on average over months 1 to 4 after it" in findings_students.rebound(study).detail
    assert sentence in findings_students.designs(study).detail


def test_the_design_that_is_off_for_sure_is_named_before_one_that_is_off_by_chance():
    told = findings_students.designs(_of_students(_design("before_after", 5.0, 9.0), _design("never", 2.0, 1.0)))
    assert told.title.startswith("One of two designs") and "with +2.00 (1.00 to 3.00) points: so much" in told.detail


@pytest.mark.parametrize(
    ("placebo", "control", "told"),
    [
        (-3.0, 0.2, "; the same design finds \u22123.0 where nobody was visited, so no effect may be claimed"),
        (0.2, -3.0, "; those referred and not met changed by \u22123.0, so no effect may be claimed"),
        (0.2, None, "; both sides moved apart before any visit, so no effect may be claimed"),
    ],
)
def test_a_title_names_what_refutes_the_comparison_and_never_calls_less_of_a_rise_a_fall(placebo, control, told):
    study = _of_students(_design("at_risk", placebo, 1.0, main=-1.5))
    study.answer.design = lambda: study.answer.designs[0]
    study.answer.control = None if control is None else _design("at_risk", control, 1.0).placebo
    study.answer.pre_trend = Result(months=5, p_value=0.01, mde_pp=0.5)
    study.verdict = Result(kind="failed_placebo")
    title = findings_students.effect(study).title
    assert title == f"Visited students' attendance changed by \u22121.5 points beyond that of like students{told}"
    assert findings_students.trends(study).endswith("rejects equal movement (p = 0.010).")


@pytest.mark.parametrize(("elsewhere", "words"), [(True, "for all districts together only"), (False, "Name a table")])
def test_outcomes_that_another_page_shows_are_not_said_to_be_missing(elsewhere, words):
    study = Result(answer=Result(outcomes=None), together=not elsewhere, has_outcomes=elsewhere)
    assert words in findings_students.outcomes(study)


@pytest.mark.parametrize(
    ("effects", "title"),
    [
        ([4.0], "The one published effect does not lie above its band"),
        ([9.0], "The one published effect lies above its band"),
        ([4.0, 9.0], "One of two published effects lies above its band"),
        ([4.0, 9.0, 9.0], "Two of three published effects lie above its band"),
        ([4.0, 4.0], "None of two published effects lie above its band"),
    ],
)
def test_one_published_effect_is_one(effects, title):
    rows = pd.DataFrame({"month": 1, "effect_pp": effects})
    path = pd.DataFrame({"event_time": [1], "high_sup_pp": [5.0]})
    design = Result(path=path, main=Result(estimate_pp=1.0))
    answer = Result(design=lambda *_: design)
    told = findings_students.published(Result(answer=answer, published=rows, truth=None, true_headline=None))
    assert told.title == title


@pytest.mark.parametrize(("half", "would"), [(1.0, "would"), (4.0, "would not")])
def test_one_design_is_one(half, would):
    told = findings_students.designs(_of_students(_design("before_after", 3.0, half)))
    assert told.title == f"The one design with a placebo {would} claim an effect where nobody was visited"


def test_raw_paths_say_where_visited_students_stood():
    months = ["2021-05", "2021-06", "2021-09", "2022-01", "2022-02", "2022-03", "2022-04"]
    lines = {"never visited": [90.0] * 7, "2021 fall": [84.0, 82.0, 81.0, 85.0, 86.0, 87.0, 60.0]}
    rows = [
        {"month": m, "group": g, "rate_pct": rate}
        for g, line in lines.items()
        for m, rate in zip(months, line, strict=True)
    ]
    told = findings_students.raw_paths(_of_students(_design("never", 1.0, 1.0), raw_paths=pd.DataFrame(rows)))
    assert (
        "attended 7.0 points less than the never visited just before their visits, 4.0 points less just after"
        in told.title
    )
    assert "of one with months on both sides" in told.detail
    early = pd.DataFrame(rows).query("month >= '2021-09'")
    told = findings_students.raw_paths(_of_students(_design("never", 1.0, 1.0), raw_paths=early))
    assert told.title.startswith("The months before and after the visits cannot both")
    summer = [{**row, "group": row["group"].replace("fall", "summer")} for row in rows]
    told = findings_students.raw_paths(_of_students(_design("never", 1.0, 1.0), raw_paths=pd.DataFrame(summer)))
    assert "7.0 points less" in told.title and "6.0 points less just after" in told.title, "no month of it is shown"


def test_the_title_of_the_rebound_is_of_the_districts_whose_line_it_is():
    title = findings.CATALOG.say("rebound_rose", fell="2020-21")
    assert title == "Districts without LEAP that fell furthest in 2020-21 rose most"
