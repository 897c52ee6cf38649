"""The plain page says what the figures carry, no more: same figures, same words, in words that people know."""

import re
from dataclasses import asdict
from string import Formatter
from typing import get_args

import pytest
import textstat
from estimates_file import POOLED
from hypothesis import given
from hypothesis import strategies as st

from leapstudy.core.errors import BadInput
from leapstudy.data.names import study_names
from leapstudy.evidence.verdict import UNCLAIMED, Window, decide, size_of
from leapstudy.figures.plain import plain_chart
from leapstudy.site.render import footer
from leapstudy.study.student_results import Reason
from leapstudy.words import plain_page as plain
from leapstudy.words.appendix_public import trends
from leapstudy.words.appendix_source import Source
from leapstudy.words.findings import verdict_words
from leapstudy.words.plain_page import CHANCES, LANGUAGES, catalog, chance_words, plain_page, unanswered_page, words_for
from leapstudy.words.reading import read_result, why_none

FORBIDDEN = (
    r"\bproves?\b",
    r"\bproven\b",
    r"\bsignificant",
    r"\bno effect\b",
    r"\bparallel trends hold\b",
    r"\bWWC rating\b",
)


def row(value, low, high, **changes):
    """Return one estimate as `result.json` holds it."""
    clear = low is not None and (low > 0 or high < 0)
    base = {
        "estimate_pp": value,
        "se_pp": 0.4,
        "ci_low_pp": low,
        "ci_high_pp": high,
        "p_value": 0.004 if clear else 0.5,
        "p_floor": 0.0001,
    }
    return {**asdict(POOLED), **base, **changes}


def verdict_of(main, placebo=None):
    """Return the verdict that a study would write beside these estimates."""
    window = None if placebo is None else Window(f"{placebo['pre']} to {placebo['post']}", *_figures(placebo))
    estimate, low, high, p_value, p_floor = _figures(main)
    outcome = study_names().state.outcomes[main["outcome"]]
    public = main["track"] == "public"
    return decide(
        estimate,
        low,
        high,
        p_value,
        p_floor=p_floor,
        windows=[window] if window else [],
        role=main["role"],
        lower_is_better=public and outcome.better == "down",
        size=size_of(outcome) if public else None,
    )


def _figures(row):
    return [row[name] for name in ("estimate_pp", "ci_low_pp", "ci_high_pp", "p_value", "p_floor")]


def result(main, placebo=None, cost=None, power=True, simulated=False):
    """Return a result file's content around a main estimate."""
    published = [
        {"label": "a", "effect_pp": 4, "diluted_pp": 0.23},
        {"label": "b", "effect_pp": 16, "diluted_pp": 0.94},
    ]
    blocks = {
        "verdict": asdict(verdict_of(main, placebo)),
        "answer": {
            "main": main,
            "detectable": {"mde_pp": 1.33, "half_pp": 0.94},
            "pooling": {"shrinkage": {"mu_above_zero": 0.21}},
        },
        "evidence": {
            "essa": {"tier": 4, "label": "tier 4"},
            "wwc": {"eligibility": "eligible"},
            "cost": {"dollars_per_day": cost, "refusal": "" if cost else "cannot be bounded"},
        },
    }
    if power:
        blocks["evidence"]["power"] = {"coverage": 0.0587, "published": published, "excluded": 1}
    rows = [main, *([placebo] if placebo else [])]
    return {"schema": 1, "district": {}, "made": {"simulated": simulated}, "estimates": rows, "blocks": blocks}


COST = {"value": 90.0, "low": 60.0, "high": 200.0}
PLACEBO = {"role": "placebo", "pre": "2019-20", "post": "2020-21"}
ONE = {"district_code": "0640011", "district": "Hartford School District", "n_treated": 1, "p_floor": 0.05}
FIXTURES = {
    "positive": result(row(1.2, 0.6, 1.8), cost=COST),
    "precise_null": result(row(0.05, -0.3, 0.4)),
    "imprecise_null": result(row(-0.34, -1.28, 0.60)),
    "negative": result(row(-1.2, -1.8, -0.6)),
    "failed_placebo": result(row(1.83, 0.6, 3.0), placebo=row(-3.3, -4.8, -1.8, **PLACEBO)),
    "no_interval": result(row(0.7, None, None, **ONE)),
    "cannot_test": result(row(2.1, None, None, **{**ONE, "p_floor": 1 / 3, "p_value": 1 / 3, "n_comparison": 2})),
    "placebo": result(row(-1.09, -2.76, 0.57, **PLACEBO)),
}
SINGLE_PERIOD = result(row(1.2, 0.6, 1.8, pre="2020-21"), cost=COST)
STUDENTS = result(row(7.0, 6.0, 8.0, track="students", district="Hartford School District"), simulated=True)
PASSED = result(row(-0.34, -1.28, 0.60), placebo=row(-1.09, -2.76, 0.57, **PLACEBO))
OF_STUDENTS = {"track": "students", "district": "Hartford School District"}
HELD = result(row(7.0, 6.0, 8.0, **OF_STUDENTS), placebo=row(-0.4, -2.0, 1.2, role="placebo", **OF_STUDENTS))
HELD["blocks"]["answer"]["control"] = row(0.3, -1.5, 2.1, estimator="at_risk_control", **OF_STUDENTS)
ALL = {
    **FIXTURES,
    "passed placebo": PASSED,
    "students, both tests held": HELD,
    "single period": SINGLE_PERIOD,
    "part of the students": result(row(-0.34, -1.28, 0.60, outcome="attendance_rate_high_needs")),
    "one district": result(row(0.7, -1.6, 3.2, **ONE)),
    "students": STUDENTS,
}


def text(content, lang="en"):
    return plain_page(read_result(content), lang).text


def section(content, key):
    return next(item.text for item in plain_page(read_result(content)).sections if item.key == key)


@pytest.mark.parametrize("name", FIXTURES)
def test_each_kind_of_finding_has_its_verdict(name):
    assert read_result(FIXTURES[name]).verdict.kind == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "positive",
            "Attendance rose 1.20 points more, or fell that much less, than in the districts compared; "
            "anything from 0.60 to 1.80 fits",
        ),
        ("precise_null", "Little or nothing changed"),
        ("imprecise_null", "cannot tell. The best estimate is −0.34 points, but anything from −1.28 to 0.60 fits"),
        ("negative", "Attendance changed 1.20 points less than in the districts compared (−1.80 to −0.60)"),
        ("failed_placebo", "it failed its own test"),
        ("no_interval", "can put no range around it"),
        ("cannot_test", "could pass no test"),
        ("placebo", "in years before the program, where zero is expected"),
    ],
)
def test_the_answer_is_one_sentence_with_its_interval(name, words):
    assert words in section(FIXTURES[name], "answer")


@pytest.mark.parametrize(
    ("row_", "kind", "words", "never"),
    [
        (row(-1.2, -1.8, -0.6), "positive", "fell 1.20 points more, or rose that much less", "negative"),
        (
            row(1.2, 0.6, 1.8),
            "negative",
            "rose 1.20 points more, or fell that much less, than in the districts compared (0.60 to 1.80)",
            "positive",
        ),
        (row(0.05, -0.3, 0.4), "precise_null", "Little or nothing changed", "day a year"),
        (row(-0.34, -1.28, 0.60), "imprecise_null", "cannot tell", "no rise"),
        (row(-3.7, None, None, **ONE), "no_interval", "can put no range around it", "gain"),
        (row(1.1, -2.76, 3.57, **PLACEBO), "placebo", "where zero is expected", "gain"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_chronic_absence_is_told_in_its_own_direction_and_never_in_days_or_dollars(row_, kind, words, never):
    content = result({**row_, "outcome": "chronic_absence"})
    said = text(content)
    assert read_result(content).verdict.kind == kind
    assert words in section(content, "answer") and never not in said
    assert "Did home visits lower chronic absence" in said and "$" not in said and "days in a year" not in said
    assert plain_page(read_result(content), "es").text


@pytest.mark.parametrize("name", [name for name in FIXTURES if name not in ("positive", "negative")])
def test_where_nothing_is_claimed_no_page_speaks_of_a_gain_or_a_loss(name):
    assert not re.search(r"\b(gain|gained|loss|lost)\b", text(FIXTURES[name]))


def test_an_untested_comparison_is_said_and_one_that_passed_is_not():
    assert "Earlier years cannot test the comparison" in text(SINGLE_PERIOD)
    passed = result(row(1.2, 0.6, 1.8, pre="2020-21"), placebo=row(0.2, -1, 1.4, **PLACEBO), cost=COST)
    assert "Earlier years cannot" not in text(passed)


@pytest.mark.parametrize("name", ALL)
def test_a_page_without_a_draw_names_the_command_that_plans_one(name):
    assert ("leapstudy design" in section(ALL[name], "overturn")) == (name != "placebo")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_nine_points_on_one_page_of_350_words(name, lang):
    page = plain_page(read_result(ALL[name]), lang)
    assert [item.key for item in page.sections] == [
        "question",
        "answer",
        "chart",
        "days",
        "sure",
        "overturn",
        "cost",
        "grade",
        "unsaid",
    ]
    chart = plain_chart(read_result(ALL[name]), lang)
    caption = chart.caption.what
    assert ("confidence interval" in caption or "intervalo" in caption) == read_result(ALL[name]).effect.bounded
    assert len(page.text.split()) + len(chart.caption.text().split()) <= 350
    assert all(item.text for item in page.sections if item.key != "chart")


@pytest.mark.parametrize("name", ALL)
def test_forbidden_words_do_not_occur(name):
    for pattern in FORBIDDEN:
        assert not re.search(pattern, text(ALL[name]), re.IGNORECASE), pattern


@pytest.mark.parametrize("name", ALL)
def test_a_ninth_grader_can_read_it(name, monkeypatch):
    # without a download textstat has no list of syllables: it then counts by hyphenation
    monkeypatch.setattr("textstat.backend.counts._count_syllables.get_cmudict", lambda lang: None)
    page = plain_page(read_result(ALL[name]))
    prose = "\n".join(item.text for item in page.sections if item.text)
    assert textstat.flesch_kincaid_grade(prose) <= 9
    assert textstat.automated_readability_index(prose) <= 9


def test_days_are_points_times_180_and_per_visited_student_by_coverage():
    days = section(FIXTURES["imprecise_null"], "days")
    assert "−0.6 days in a year of 180 (−2.3 to 1.1)" in days
    assert "−10 days (−39 to 18)" in days or "−10 days (−39 to 19)" in days
    assert "About 6 in 100" in days


@pytest.mark.parametrize("name", ["precise_null", "imprecise_null", "no_interval", "failed_placebo", "cannot_test"])
def test_no_cost_is_named_where_the_interval_includes_zero_or_the_placebo_failed(name):
    priced = {
        **FIXTURES[name],
        "blocks": {**FIXTURES[name]["blocks"], "cost": {"dollars_per_day": COST, "refusal": ""}},
    }
    assert "cannot be bounded" in section(priced, "cost")
    assert "$" not in section(priced, "cost")


def test_a_bounded_cost_is_named():
    assert section(FIXTURES["positive"], "cost") == "About $90 for each extra day attended ($60 to $200)."


def test_one_district_can_never_be_strong_evidence():
    assert "cannot be told apart" in section(ALL["one district"], "grade")


def test_without_power_and_cost_blocks_the_page_still_stands():
    main = row(-0.3, -1.3, 0.6)
    bare = {"schema": 1, "estimates": [main], "blocks": {"verdict": asdict(verdict_of(main))}}
    page = plain_page(read_result(bare))
    assert all(item.text for item in page.sections if item.key != "chart")
    assert "Not graded." in page.text
    assert plain_chart(read_result(bare)).data.shape[0] == 1


def test_a_result_without_a_main_estimate_is_refused():
    with pytest.raises(BadInput, match="no main estimate"):
        read_result({"schema": 1, "estimates": [], "blocks": {}})


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.01, "less than 1 chance in 20"),
        (0.1, "about 1 chance in 10"),
        (0.25, "about 1 chance in 4"),
        (0.5, "about 1 chance in 2"),
        (0.75, "about 3 chances in 4"),
        (0.99, "more than 19 chances in 20"),
    ],
)
def test_chances_are_small_whole_numbers(probability, words):
    assert chance_words(probability, catalog("en")) == words


def test_each_spoken_chance_lies_within_its_range():
    lower = 0.05
    for upper, n, of in CHANCES:
        assert lower <= n / of < upper
        lower = upper


def _fields(sentence):
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_no_key_is_untranslated_and_every_number_is_kept():
    english, spanish = catalog("en"), catalog("es")
    assert english.keys() == spanish.keys()
    for key, sentence in english.items():
        assert _fields(sentence) == _fields(spanish[key]), key
    same = {key for key in english if english[key] == spanish[key]}
    assert same <= {"group_none", "cap_n", "chart_unit_open"}


def test_the_translation_is_marked_as_not_yet_checked():
    assert "todavía no ha sido revisada" in plain_page(read_result(FIXTURES["positive"]), "es").note
    assert plain_page(read_result(FIXTURES["positive"])).note == ""


def test_an_unknown_language_is_refused():
    with pytest.raises(BadInput, match="en, es"):
        catalog("fr")


@given(st.floats(-20, 20), st.floats(0.01, 20), st.floats(0.01, 20))
def test_the_verdict_never_contradicts_the_interval(value, below, above):
    content = result(row(value, value - below, value + above))
    kind = read_result(content).verdict.kind
    assert (kind == "positive") == (value - below > 0)
    assert (kind == "negative") == (value + above < 0)
    assert text(content) == text(content)


def test_power_is_that_of_the_leading_test_at_both_points():
    words = section(FIXTURES["imprecise_null"], "overturn")
    assert "0.94 points would be found in half of such studies, one of 1.33 points in 4 of 5" in words
    assert "rules out 1 of these 2 effects" in words
    never = result(row(0.7, None, None, **ONE))
    never["blocks"]["answer"]["detectable"] = {"mde_pp": None, "half_pp": None}
    assert "even a large effect could not be told from none" in section(never, "overturn")


def test_the_chance_is_the_pooled_one_and_names_its_prior():
    assert "Pooling all districts (flat prior), we see about 1 chance in 5" in section(
        FIXTURES["imprecise_null"], "sure"
    )
    asked = {**FIXTURES["imprecise_null"], "params": {"prior": "published"}}
    assert "what comparable programs found" in section(asked, "sure")
    one = result(row(0.7, -1.6, 3.2, **ONE))
    assert section(one, "sure").startswith(
        "We name no chance: under this question the districts cannot be read together."
    )
    one["blocks"]["answer"]["among"] = {"districts": {"district_code": ["0640011"], "p_above": [0.46]}}
    assert "about 1 chance in 2" in section(one, "sure")


def test_what_the_comparison_shows_where_zero_is_expected_stands_beside_the_chance():
    assert section(PASSED, "sure").endswith(
        "Before the program, where zero is expected, the comparison gave −1.09 points (−2.76 to 0.57)."
    )
    assert section(HELD, "sure").endswith(
        "Where lots put the referral rule to months before any visit, and zero is expected, the same comparison gave "
        "−0.40 points (−2.00 to 1.20). Students who were referred and not met moved by +0.30 points (−1.50 to 2.10); "
        "zero is expected for them."
    )
    assert "zero is expected" not in section(FIXTURES["positive"], "sure"), "no test was made"


@pytest.mark.parametrize("p_before", [None, 0.3, 0.04])
def test_a_districts_page_takes_nothing_from_all_where_their_comparison_failed(p_before):
    content = result(row(0.4, -1, 1.8, **ONE))
    districts = {"district_code": [ONE["district_code"]], "p_above": [0.99]}
    content["blocks"]["answer"]["among"] = {"districts": districts, "p_before": p_before}
    failed = p_before == 0.04
    for lang, told, refused in (("en", "more than 19 chances in 20", "together"), ("es", "vemos", "conjunto")):
        sure = next(item.text for item in plain_page(read_result(content), lang).sections if item.key == "sure")
        assert (told in sure) != failed, sure
        assert not failed or refused in sure


@pytest.mark.parametrize("name", FIXTURES)
def test_days_of_what_is_no_effect_are_not_told_as_one(name):
    kind = read_result(FIXTURES[name]).verdict.kind
    days = section(FIXTURES[name], "days")
    if kind in UNCLAIMED:
        assert "cannot be read as one" in days and "visited" not in days
    else:
        assert "cannot be read" not in days


def test_an_impossible_ratio_is_refused_with_its_reason():
    content = result(row(-4.05, -6.34, -1.51))
    content["blocks"]["evidence"]["cost"] = {
        "dollars_per_day": None,
        "visited_refusal": "Per visited student ...",
        "refusal": "...",
    }
    assert "more days than a school year has" in section(content, "days") and "−124" not in section(content, "days")


def test_a_districts_coverage_is_said_to_be_that_of_all():
    assert "Nobody published how many students were visited here" in section(ALL["one district"], "days")


def test_an_effect_on_a_group_of_students_is_not_divided_by_the_coverage_of_all():
    part = {"outcome": "attendance_rate_high_needs"}
    content = result(row(1.2, 0.6, 1.8, **part), cost=COST)
    assert "how many of the students counted here" in section(content, "days")
    assert "in 100 students were visited" not in section(content, "days")
    assert "nobody published how much of the money" in section(content, "cost") and "$" not in section(content, "cost")
    null = result(row(-0.34, -1.28, 0.60, **part))
    assert "takes the share of all students" in section(null, "overturn")
    assert "takes the share of all students" not in section(FIXTURES["imprecise_null"], "overturn")


def test_a_range_with_effects_of_every_size_inside_says_nothing():
    assert "so wide that it says nothing" in section(result(row(0.2, -27.0, 55.8)), "answer")
    assert "so wide" not in section(result(row(0.2, -4.9, 55.8)), "answer")


def test_a_placebo_of_students_that_fails_is_named_for_its_lots():
    """It tests whether rebound is removed, before any visit; there were no years before a program of these students."""
    lots = row(3.31, 0.76, 5.86, role="placebo", track="students")
    content = result(row(1.56, -1.2, 4.33, track="students", district="Hartford School District"), placebo=lots)
    assert "Where lots put the district's own referral rule to months before any visit" in section(content, "sure")
    assert "por sorteo a meses antes de toda visita" in text(content, "es") and "years before the program" not in text(
        content
    )


def test_a_district_that_has_no_name_is_called_by_its_code_in_the_pages_language():
    content = result(row(1.56, -1.2, 4.33, track="students", district="District 05", district_code="05"))
    unanswered = unanswered_page({"code": "05", "name": "District 05"}, "es").text
    assert "in District 05 then" in text(content) and "en el distrito 05" in text(content, "es")
    assert "District 05" not in text(content, "es") + unanswered and "en el distrito 05" in unanswered


def test_a_page_of_students_does_not_ask_for_students_and_calls_all_of_them_in_its_language():
    lots = row(3.31, 0.76, 5.86, role="placebo", track="students")
    everybody = {"track": "students", "district": "all districts with visits", "district_code": "ALL"}
    content = result(row(1.56, -1.2, 4.33, **everybody), placebo=lots)
    assert "the same tests come out at zero" in section(content, "overturn")
    assert "records of single students" not in text(content)
    assert "todos los distritos con visitas" in text(content, "es") and "with visits" not in text(content, "es")


def test_a_page_without_an_answer_calls_all_students_in_its_language():
    page = unanswered_page({"code": "ALL", "name": "all districts with visits"}, "es")
    told = " ".join((page.title, *(section.text for section in page.sections)))
    assert "todos los distritos con visitas" in told and "with visits" not in told
    assert "Hartford" in unanswered_page({"code": "0640011", "name": "Hartford School District"}, "es").title


def test_a_page_says_the_months_of_student_files_and_its_neighbors_in_its_language():
    everybody = {"track": "students", "district": "all districts with visits", "district_code": "ALL"}
    months = "2023-09 to 2025-06"
    content = result(row(1.56, -1.2, 4.33, **everybody)) | {"track": "students"}
    content["blocks"] = content["blocks"] | {"period": months}
    content["made"] = {"source": f"own files, {months}"}
    reading = read_result(content)
    for lang, said in (("en", months), ("es", "de 2023-09 a 2025-06")):
        caption = plain_chart(reading, lang).caption
        assert (caption.source, caption.years) == (f"own files, {said}", said)
        assert f"own files, {said}," in footer(content, "2026-11-24", lang)
    assert plain.pager_words(reading, "es") == "Todos los distritos con visitas"
    assert plain.pager_words(read_result(FIXTURES["imprecise_null"]), "es") == "15 distritos de LEAP"


def _without_effect(why):
    designs = [{"name": "early", "why_none": "few"}, {"name": "at_risk", "why_none": why}]
    return {"blocks": {"answer": {"designs": designs}}}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_page_without_an_answer_says_its_own_reason_and_no_other(lang):
    """Where 1,130 were visited and nobody is like them, no figure is of a few."""
    told = {}
    for why in get_args(Reason):
        page = unanswered_page({"code": "0640011", "name": "Hartford"}, lang, why_none(_without_effect(why)))
        told[why] = next(section.text for section in page.sections if section.key == "answer")
    assert len(set(told.values())) == len(told)
    about_few = {"en": "point to single students", "es": "señalar a estudiantes concretos"}[lang]
    assert [why for why, words in told.items() if about_few in words] == ["few"]
    assert len({catalog(lang)[f"none_{why}"] for why in told}) == len(told), "the first page tells them apart, too"


@pytest.mark.parametrize(
    ("pre", "post", "words"),
    [
        ("2019-20+2020-21", "2021-22", "from the mean of the years before to the year after"),
        ("2019-20+2020-21", "2021-22+2022-23", "from the mean of the years before to the mean of the years after"),
        ("2019-20", "2021-22", "from 2019-20 to 2021-22"),
        ("2019-20", "2020-21", "from 2019-20 to 2020-21"),
    ],
)
def test_what_is_assumed_of_trends_is_of_the_years_that_are_compared(pre, post, words):
    content = result(row(-0.34, -1.28, 0.60, pre=pre, post=post))
    assert f"changed equally, on average, {words}, on the scale" in trends(Source(content, read_result(content)))


def test_one_treated_unit_is_one_where_all_are_told_of():
    content = result(row(0.2, -1.0, 1.4, n_treated=1))
    told = text(content)
    assert "in the one LEAP district?" in told and "its one district then" in told and "1 districts" not in told


def test_an_unknown_comparison_is_an_error():
    with pytest.raises(BadInput, match="Legal: alliance"):
        plain_page(read_result(result(row(1.0, 0.2, 1.8, comparison="neighbors"))))
    told = result(row(1.0, 0.2, 1.8, comparison="0830011,2680013", n_comparison=2))
    assert "in 2 districts chosen by hand?" in text(told) and "2 distritos de elección propia" in text(told, "es")


def test_a_sentence_that_begins_with_the_program_begins_with_a_capital():
    said = plain._catalog("en", "the visits", "visits", "began", "school", "schools")["question_pooled"]
    assert said.startswith("The visits began.") and "in its {n_treated} schools" in said


def test_the_notebook_says_of_a_wide_interval_what_the_page_says():
    told = verdict_words(decide(0.2, -27.0, 55.8, 0.9), "attendance_rate")
    assert told.endswith("so wide that it says nothing: 5 points either way are inside.")
    assert "so wide" not in verdict_words(decide(0.2, -4.9, 55.8, 0.9), "attendance_rate")


LOTS = {"told": "draw 1 of 1", "question": "Do visits help?", "outcomes_from": "2032-07-01"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            (1.2, 0.6, 1.8),
            "In the 15 districts that drew a start the change was 1.20 points better than in the 19 that",
        ),
        ((-1.2, -1.8, -0.6), "1.20 points worse than in the 19 that wait (difference −1.80 to −0.60)"),
        ((0.05, -0.3, 0.4), "little or nothing changed beside the 19 that wait: the best estimate is 0.05"),
        (
            (-0.34, -1.28, 0.60),
            "cannot tell what a start did for the 15 districts that drew one: the best estimate is −0.34",
        ),
    ],
)
def test_the_first_sentence_of_units_that_drew_lots_says_for_whom_how_sure_and_what_was_promised(values, words):
    content = result(row(*values, p_method="lottery_redraws"))
    assert text(content).count("no plan frozen before the lots is on record") == 1
    content["blocks"]["lots"] = LOTS
    told = section(content, "answer")
    first = told[: told.index("?”.")]
    assert words in first and "fixed beforehand, with figures closed until 2032-07-01: “Do visits help" in first
    assert ". " not in first, "one sentence"
    assert "cerrado hasta el 2032-07-01, se fijó: «Do visits help?»" in text(content, "es")


@pytest.mark.parametrize("lang", ["en", "es"])
def test_a_page_says_what_else_was_asked_than_all_students_in_points_alike(lang):
    say, main = words_for(read_result(FIXTURES["positive"]), lang), row(-0.34, -1.28, 0.60)
    notes = ("part_note", "scale_note", "weights_note")
    of_part = result({**main, "outcome": "attendance_rate_high_needs"})
    odd = {**result(main), "params": {"scale": "logodds", "weights": "students"}}
    for content, told in ((result(main), ()), (of_part, notes[:1]), (odd, notes[1:])):
        page = text(content, lang)
        assert [say[note] in page for note in notes] == [note in told for note in notes]
