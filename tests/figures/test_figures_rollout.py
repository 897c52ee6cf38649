"""Exhibits of a rollout at both widths: with an effect that would be found, and with none; SIMULATED stands on them."""

from dataclasses import replace

import pytest
from test_figures_frame import WIDTHS, overlaps

from leapstudy.figures import rollout as figures
from leapstudy.study.rollout.choices import load_rollout
from leapstudy.study.rollout.scenarios import design


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
