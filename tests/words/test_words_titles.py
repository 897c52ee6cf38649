"""Titles of pictures are right in every branch: what they say follows from the numbers, never from the name."""

from types import SimpleNamespace as Result

import pandas as pd
import pytest

from leapstudy.core.phrases import probability
from leapstudy.words import findings, findings_students
from leapstudy.words.sentences import ALT_LONGEST, Finding


def _one(value, others):
    placebos = pd.DataFrame({"is_treated": [True] + [False] * len(others), "placebo_pp": [value, *others]})
    return Result(
        main=Result(district="Hartford School District", outcome="attendance_rate", estimate_pp=value, n_treated=1),
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
