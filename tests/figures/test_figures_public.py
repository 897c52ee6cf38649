"""Every figure of the public track on the real figures: it states its finding from its own numbers."""

import copy
import re
from dataclasses import replace

import pandas as pd
import pytest

from leapstudy.core.phrases import points
from leapstudy.figures import chance, effects, raw, trends

BOTH = {
    "raw means": lambda answer, power: raw.raw_means(answer),
    "grid": lambda answer, power: effects.comparisons_and_contrasts(answer),
    "permutation": lambda answer, power: chance.permutation(answer),
    "event study": lambda answer, power: trends.event_study(answer.event_study, baseline=91.2),
    "chronic": lambda answer, power: trends.event_study(answer.chronic),
    "rebound": lambda answer, power: trends.rebound(answer),
}
CASES = [("hartford", name) for name in BOTH] + [("pooled", name) for name in BOTH]


@pytest.fixture(scope="module")
def draw(hartford, pooled, graded):
    answers = {"hartford": hartford, "pooled": pooled}

    def one(which, name):
        answer = answers[which]
        return BOTH[name](answer, graded[answer.code].power)

    return one


@pytest.mark.parametrize(("which", "name"), CASES)
def test_every_figure_is_drawn_inside_its_page(draw, which, name):
    exhibit = draw(which, name)
    assert exhibit.figure.get_size_inches()[0] <= 7.2
    assert not re.search(r"\bnan\b|None(?! of)|inf\b", exhibit.alt + exhibit.caption.text())
    assert len(exhibit.png) < 80_000


def test_alt_texts_carry_the_estimates(draw, hartford, pooled):
    assert points(hartford.main.estimate_pp) in draw("hartford", "permutation").alt
    assert points(pooled.main.estimate_pp) in draw("pooled", "permutation").alt


def test_the_alt_text_changes_with_the_finding(pooled):
    rejected = replace(pooled.event_study, joint_p=0.004)
    assert "are rejected (joint p = 0.004)" in trends.event_study(rejected).alt
    kept = replace(pooled.event_study, joint_p=0.4)
    assert "are not rejected (joint p = 0.40)" in trends.event_study(kept).alt


def test_a_floor_above_five_percent_is_said(hartford):
    few = replace(hartford, detectable=replace(hartford.detectable, floor=0.2))
    assert "it can never reach 5 %" in chance.permutation(few).alt


def test_the_placebo_is_never_counted_as_an_effect(pooled):
    exhibit = effects.comparisons_and_contrasts(pooled)
    shown = exhibit.data[exhibit.data["Role"] != "placebo"]
    assert f"of {len(shown)} estimates" in exhibit.alt
    assert (exhibit.data["Role"] == "placebo").any()


def test_figures_leave_the_answer_alone(pooled, graded):
    before = copy.deepcopy(pooled)
    for name in BOTH:
        BOTH[name](pooled, graded["ALL"].power)
    for name in ("by_district", "raw_means", "permutation", "leave_one_out"):
        pd.testing.assert_frame_equal(getattr(before, name), getattr(pooled, name))


def test_statewide_chronic_absence_names_the_peak_from_the_figures(facts):
    exhibit = raw.statewide_chronic(facts.state_chronic_long)
    assert "peaked at 23.7 % in 2021-22" in exhibit.alt
    moved = facts.state_chronic_long.assign(percent=facts.state_chronic_long["percent"].astype(float))
    moved.loc[moved["year"] == "2022-23", "percent"] = 25.0
    assert "peaked at 25 % in 2022-23" in raw.statewide_chronic(moved).alt
