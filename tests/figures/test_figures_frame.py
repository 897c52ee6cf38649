"""Framed exhibits at both widths, for every kind of answer: nothing is cut, nothing overlaps,
no color but the house's.
"""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from layout import overlaps
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.textpath import text_to_path

import leapstudy as ls
from leapstudy.figures import frame, palette
from leapstudy.figures.district import district
from leapstudy.figures.forest import forest
from leapstudy.figures.plain import plain_chart
from leapstudy.figures.power import ruler
from leapstudy.figures.rebound import left_of_dot
from leapstudy.study.public import study_district
from leapstudy.study.result import load_result
from leapstudy.words.plain_page import LANGUAGES
from leapstudy.words.reading import read_result

WIDTHS = pytest.mark.parametrize("width", [palette.WIDE, palette.NARROW], ids=["wide", "narrow"])


@pytest.fixture(scope="module")
def one():
    return study_district("east-hartford")


@pytest.mark.parametrize("text", ["Affluent districts fit: AVATAR −0.34", "≥ 3.64 Ω → 2", ""])
@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_a_text_is_as_large_as_matplotlib_finds_it(text, weight):
    face = FontProperties(family=[palette.FACE, "DejaVu Sans"], size=9.5, weight=weight)
    assert frame.measured(text, face) == text_to_path.get_text_width_height_descent(text, face, ismath=False)


@pytest.mark.parametrize(
    "text", [(Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")[:3000], "To Tv ÁV." * 40]
)
@pytest.mark.parametrize(("size", "weight"), [(palette.SMALL, "normal"), (palette.TITLE, "bold")])
def test_a_line_holds_as_many_words_as_fit(text, size, weight):
    for width in (0.4, 1.5, palette.NARROW, palette.WIDE):
        lines = frame.wrap(text, size, width, weight)
        assert " ".join(lines) == " ".join(text.split())
        for line, after in pairwise(lines):
            assert frame.text_width(line, size, weight) <= 0.95 * width or " " not in line
            assert frame.text_width(f"{line} {after.split()[0]}", size, weight) > 0.95 * width


def test_a_name_runs_to_the_side_where_it_crosses_no_line():
    lines = pd.DataFrame({"fall_pp": [-3.5], "predicted_pp": [1.0], "rebound_pp": [-3.0]})
    assert left_of_dot((-4.0, -2.0), 1.0, (-9.0, 0.0), lines), "at right there is room, and another district's line"
    assert not left_of_dot((-5.0, -2.0), 1.0, (-9.0, 0.0), lines)
    assert not left_of_dot((-8.5, -2.0), 1.0, (-9.0, 0.0), lines.assign(fall_pp=-8.0)), "no room at left"
    assert left_of_dot((-3.0, -2.0), 1.0, (-9.0, 0.0), lines.assign(fall_pp=-1.0))


@WIDTHS
def test_the_forest_fits_with_intervals_and_without(pooled, width):
    alone = pooled.by_district.assign(ci_low_pp=float("nan"), ci_high_pp=float("nan"))
    for answer in (pooled, replace(pooled, caterpillar=pd.DataFrame(), pooling=None, by_district=alone)):
        exhibit = forest(answer, width)
        assert overlaps(exhibit.figure) == []
    assert exhibit.data["Low"].iloc[2:].isna().all()
    assert exhibit.data["District"].iloc[0] == "All together"
    assert exhibit.data["p of the preferred test"].iloc[0] == pooled.main.p_value


@WIDTHS
@pytest.mark.parametrize("contrast", ["pre_mean_to_2021_22", "2020_21_to_2021_22"])
def test_a_district_fits_and_counts_those_that_moved_as_far(width, contrast):
    study = study_district("east-hartford", contrast=contrast)
    exhibit = district(study.answer, ls.panel("east-hartford", contrast=contrast, years="all"), width)
    assert overlaps(exhibit.figure) == []
    changes = exhibit.data["Change beyond the others"].drop(
        exhibit.data.index[exhibit.data["District"] == "East Hartford"]
    )
    far = int((changes.abs() >= abs(study.answer.main.estimate_pp)).sum())
    assert any(
        f"{far} of {len(changes)} comparison" in text.get_text().replace("\n", " ") for text in exhibit.figure.texts
    )


@WIDTHS
def test_the_ruler_fits_and_its_shades_end_where_the_power_does(whole, one, width):
    for study in (whole, one):
        assert overlaps(ruler(study, width).figure) == []
    edges = {
        round(path.vertices[:, 0].max(), 3)
        for item in ruler(whole, width).figure.axes[0].collections
        for path in item.get_paths()
    }
    power = whole.answer.detectable
    assert {round(power.half_pp, 3), round(power.mde_pp, 3)} <= edges
    # 8,690 students were visited of the 148,083 of the 15 districts' own figures
    sizes, share = (power.mde_pp, whole.answer.by_district["mde_pp"].median()), 8_690 / 148_083
    told = [" ".join(text.get_text().split()) for text in ruler(whole, width).figure.axes[0].texts]
    for size in sizes:
        assert f"80% chance from {size:.2f} points: {size / share:.0f} for each visited student" in told


@WIDTHS
@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_answer_fits_in_every_language(whole, one, tmp_path, width, lang):
    for study in (whole, one):
        study.save(str(tmp_path / "result.json"))
        reading = read_result(load_result(tmp_path / "result.json"))
        for told in (
            reading,
            replace(reading, simulated=True),
            replace(reading, effect=replace(reading.effect, low=None, high=None)),
        ):
            assert overlaps(plain_chart(told, lang, width).figure) == []


def test_the_layout_check_sees_what_is_wrong():
    figure, bottom, top = frame.frame("A title", "what", "where from", 1.0)
    axes = frame.axes(figure, 1, 6, bottom, top)
    (
        axes.text(0.5, 0.5, "one"),
        axes.text(0.5, 0.52, "two"),
        axes.text(1.3, 0.5, "cut off at the right", color="red", size=5),
    )
    assert {fault.split(":")[0] for fault in overlaps(figure)} == {"cut", "overlap", "small", "color"}


def test_the_face_ships_and_has_every_sign_that_is_written():
    files = [entry.fname for entry in fontManager.ttflist if entry.name == palette.FACE]
    assert len(files) == 2
    for file in files:
        assert set(map(ord, "−–’×‹›ñéíóúÑ%±")) <= set(FT2Font(file).get_charmap())
