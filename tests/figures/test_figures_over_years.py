"""Chronic absence over thirteen years as a picture: nothing is cut and nothing meets anything, at both widths."""

import pytest
from layout import overlaps
from test_figures_frame import WIDTHS

from leapstudy.did.sample import Spec
from leapstudy.figures.over_years import over_years as picture
from leapstudy.study.over_years import over_years


@WIDTHS
@pytest.mark.parametrize(("code", "name"), [("ALL", "All districts"), ("0430011", "East Hartford")])
def test_nothing_in_the_picture_is_cut_or_meets_anything(study, code, name, width):
    exhibit = picture(over_years(study, Spec(), code, name), width, "SIMULATED")
    assert overlaps(exhibit.figure) == []
    assert exhibit.title.startswith("Chronic absence rose") and len(exhibit.data) >= 12
