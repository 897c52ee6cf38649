"""One sentence an exhibit, with the number and its uncertainty, on the real figures."""

from dataclasses import replace
from math import isfinite
from typing import get_args

import pandas as pd
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.core.phrases import between, points
from leapstudy.data import load_facts
from leapstudy.evidence.verdict import UNCLAIMED, Kind
from leapstudy.figures.plain import plain_chart
from leapstudy.study.result import jsonable
from leapstudy.words import claims, over_years, tables
from leapstudy.words import findings as sentences
from leapstudy.words.reading import read_result


@pytest.fixture(scope="module")
def pooled(whole):
    return whole


@pytest.fixture(scope="module")
def one(hartford_study):
    return hartford_study


def test_the_answer_never_stands_without_interval_placebo_and_reach(pooled, one):
    for study in (pooled, one):
        text = str(sentences.answer(study))
        low, high, _ = sentences.leading(study.answer)
        assert f"{abs(study.answer.main.estimate_pp):.2f}" in text
        bounded = low is not None and high is not None and isfinite(low) and isfinite(high)
        assert (f"95% CI {between(low, high)}" if bounded else "no bounded 95% CI") in text
        assert "should show no difference" in text and "p = " in text


def test_trends_that_cannot_be_tested_are_said_to_be_so(one):
    study = one.answer.event_study
    assert "p = " in sentences.trends(study)
    untested = sentences.trends(replace(study, joint_p=float("nan")))
    assert "cannot be tested" in untested and "nan" not in untested


def test_a_wide_interval_is_never_called_no_effect(pooled, one):
    for study in (pooled, one):
        text = " ".join(
            [str(say(study)) for say in (sentences.answer, sentences.days, sentences.chance, sentences.grade)]
        ).lower()
        assert "no effect." not in text and "proves" not in text and "significant" not in text
        assert "cannot tell an effect from none" in text and (
            "1.33 points in 80%" in text or "cannot reject here" in text
        )
        assert "cannot tell" in text and "cannot be bounded" in text


def test_a_single_district_is_called_a_confounding_factor(one):
    assert sentences.grade(one).count("confounding factor") == 1


def test_claims_are_held_against_the_figures(pooled):
    audit = claims.audit(load_facts())
    assert [item.number for item in audit] == [1, 2, 3, 4, 5, 6, 7]
    assert [item.holds for item in audit] == [True, True, False, False, True, False, True]
    assert "18,442" in audit[2].figures and "2.1 times" in audit[2].verdict
    assert audit[4].figures == "$10.7 million at launch and $14 million through 2026"
    assert claims.table(audit).caption.startswith("Seven claims")
    strict = claims.audit(load_facts(), tolerance_points=0.1)
    assert not strict[0].holds and strict[1].holds
    # what a claim's sentence says is what it was counted as
    for item in (*audit, *strict):
        if item.number in (1, 2):
            assert ("agrees" in item.verdict) == item.holds


def test_a_claim_without_figures_is_refused_with_where_they_are_declared():
    facts = load_facts()
    more = pd.concat([facts.claims, facts.claims.tail(1).assign(number=8)])
    with pytest.raises(BadInput, match="There are 8 claims, and figures for 7.*`claims: others:` of params/state.yml"):
        claims.audit(replace(facts, claims=more))
    unknown = facts.served[~facts.served["what"].str.startswith("funding at launch")]
    with pytest.raises(BadInput, match="'funding at launch .GEER.'.*students visited"):
        claims.audit(replace(facts, served=unknown))


def test_an_outcome_over_years_has_one_interval_wherever_it_is_said(pooled):
    rows = over_years.published(pooled.years)
    assert list(rows) == ["2021-22", "2022-23", "2023-24", "2024-25"]
    detail, short = over_years.over_years(pooled.years).detail, over_years.in_short(pooled.years)
    for year, row in rows.items():
        told = f"{points(row.estimate_pp)} points (95% CI {between(row.ci_low_pp, row.ci_high_pp)})"
        assert f"{year}: {told}" in detail
    for year in ("2021-22", "2024-25"):
        row = rows[year]
        told = f"{points(row.estimate_pp)} (95% CI {between(row.ci_low_pp, row.ci_high_pp)}) by {year}"
        assert told in short


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_picture_calls_nothing_an_effect_that_its_verdict_does_not(pooled, kind):
    """Whether or not an interval can be put around it, as none can around most single districts."""
    reading = read_result(jsonable({**pooled.parts, "made": {}}))
    reading = replace(reading, verdict=replace(reading.verdict, kind=kind))
    endless = replace(reading, effect=replace(reading.effect, low=None, high=None))
    verdict = replace(pooled.evidence.verdict, kind=kind)
    titles = [plain_chart(one).title for one in (reading, endless)]
    if kind != "selection":  # of students alone
        titles.append(sentences.answer(replace(pooled, evidence=replace(pooled.evidence, verdict=verdict))).title)
    assert {"cannot be read as an effect" in title for title in titles} == {kind in UNCLAIMED}
    assert {"of the effect" in title or "'s effect" in title for title in titles} == {kind not in UNCLAIMED}


def test_each_year_has_a_paragraph_and_the_picture_the_same_words(one, capsys):
    told, finding = over_years.told(one.years), over_years.over_years(one.years)
    paragraphs = told.split("\n\n")
    years = [text for text in paragraphs if text[:7] in over_years.published(one.years)]
    assert [text[:7] for text in years] == list(one.years.after)
    assert " ".join(paragraphs).startswith(str(finding)), "nothing is lost and nothing moves"
    sentences.say(told)
    assert capsys.readouterr().out.count("\n\n") == len(paragraphs) - 1


def test_days_of_an_estimate_that_is_no_effect_stand_in_no_table(pooled):
    evidence = pooled.evidence
    shown = tables.days_gained(evidence)
    failed = tables.days_gained(replace(evidence, verdict=replace(evidence.verdict, kind="failed_placebo")))
    assert len(failed.data) == len(shown.data) - 1 and "cannot be read as an effect" in failed.caption
    assert "cannot be read" not in shown.caption
