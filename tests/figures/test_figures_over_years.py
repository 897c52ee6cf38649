"""Chronic absence over thirteen years as a picture: nothing is cut and nothing meets anything, at both widths."""

import pytest
from test_figures_frame import WIDTHS, overlaps

from leapstudy.did.sample import Spec
from leapstudy.figures.over_years import over_years as picture
from leapstudy.study.over_years import over_years

TITLE = "Chronic absence rose more in LEAP districts in points, less in odds; neither difference is distinguishable from zero"


@WIDTHS
@pytest.mark.parametrize(("code", "name"), [("ALL", "15 LEAP districts"), ("0430011", "East Hartford")])
def test_nothing_in_the_picture_is_cut_or_meets_anything(study, code, name, width):
    answer = over_years(study, Spec(), code, name)
    labels = (name, "19 Alliance districts without LEAP", "whole state")
    figure = picture(
        answer, TITLE, labels, "first visits, summer 2021", f"{answer.source}.", width=width, tag="SIMULATED"
    )
    assert overlaps(figure) == []
