"""Chronic absence over thirteen years as a picture: nothing is cut and nothing meets anything, at both widths."""

import pandas as pd
import pytest
from layout import overlaps
from test_figures_frame import WIDTHS

from leapstudy.core import paths
from leapstudy.did.sample import Spec
from leapstudy.figures.over_years import over_years as picture
from leapstudy.study.over_years import over_years


@WIDTHS
@pytest.mark.parametrize(("code", "name"), [("ALL", "All districts"), ("0430011", "East Hartford")])
def test_nothing_in_the_picture_is_cut_or_meets_anything(study, code, name, width):
    exhibit = picture(over_years(study, Spec(), code, name, robust=False), width, "SIMULATED")
    assert overlaps(exhibit.figure) == []
    assert exhibit.title.startswith("Chronic absence rose") and len(exhibit.data) >= 12


def test_the_newest_means_are_those_of_the_published_file(study):
    figures = pd.read_csv(paths.raw() / "csde_chronic_absence_2021_2025" / "chronic_absence.csv", na_values="*")
    newest = figures[(figures["year"] == "2024-25") & (figures["student_group"] == "All Students")]
    rates = 100 * newest.set_index("district_code")["chronic_absence_rate"]
    units = pd.read_csv(paths.raw() / "leap_facts" / "units.csv", dtype="str")["unit_code"]
    alliance = study.districts.set_index("district_code")["alliance"]
    others = alliance.index[alliance.astype(bool) & ~alliance.index.isin(units)]
    exhibit = picture(over_years(study, Spec(), "ALL", "All districts", robust=False))
    texts = [" ".join(text.get_text().split()) for axes in exhibit.figure.axes for text in axes.texts]
    for name, mean in (("LEAP districts", rates[units].mean()), ("without LEAP", rates[others].mean())):
        assert any(text.endswith(f"{name} {mean:.1f}%") for text in texts), (name, mean, texts)
