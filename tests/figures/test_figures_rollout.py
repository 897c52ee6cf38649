"""Exhibits of a rollout at both widths: with an effect that would be found, and with none; SIMULATED stands on them."""

import math
from dataclasses import replace

import pytest
from test_figures_frame import WIDTHS, overlaps

from leapstudy.figures import rollout as figures
from leapstudy.study.rollout.choices import load_rollout
from leapstudy.study.rollout.scenarios import design
from leapstudy.words.rollout import recommendation


@pytest.fixture(scope="module")
def made():
    """Return a design in which nothing would be found, and the same with small effects, marked as simulated."""
    chosen = load_rollout()
    nothing = design(chosen.model_copy(update={"track": "units", "outcome": "attendance_rate"}))
    small = tuple(replace(item, detectable_visited=item.dealt.detectable) for item in nothing.scenarios)
    students = chosen.model_copy(update={"outcome": "attendance_rate"})
    return nothing, replace(nothing, chosen=students, scenarios=small, simulated=True)


@WIDTHS
def test_pictures_of_a_rollout_are_whole_and_marked(made, width):
    nothing, small = made
    pictures = [figures.scenarios(small, width), figures.chance(small, width), figures.money(small, width)]
    assert all("SIMULATED" in {text.get_text() for text in item.figure.texts} for item in pictures)
    for item in [*pictures, figures.scenarios(nothing, width)]:
        assert overlaps(item.figure) == []
    assert "No scenario within the budget" in figures.scenarios(nothing, width).title


def test_a_primary_outcome_that_was_not_tried_and_nothing_to_find_are_drawn(made):
    _, small = made
    other = replace(small, chosen=small.chosen.model_copy(update={"outcome": "of_no_scenario"}))
    assert "attendance" in " ".join(text.get_text() for text in figures.scenarios(other).figure.texts)
    for size in (258.7, math.inf):  # no share moves by more than all of it
        never = [replace(item, dealt=replace(item.dealt, detectable=size)) for item in small.scenarios]
        nothing = replace(small, scenarios=tuple(never))
        assert "No effect, however large, would be found" in recommendation(nothing).detail
    drawn = figures.money(nothing)
    assert drawn.figure.axes[0].get_ylim()[1] == pytest.approx(1.1 * small.chosen.budget.matters(small.best.outcome))
