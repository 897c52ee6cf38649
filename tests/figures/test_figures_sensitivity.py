"""Figures of uncertainty from made-up frames: their words follow the numbers."""

import numpy as np
import pandas as pd
import pytest

from leapstudy.figures import bars as sure
from leapstudy.figures.exhibit import Caption

CAPTION = Caption("Made-up figures", "made up", "made-up districts", "none", "15")


@pytest.fixture
def districts():
    rng = np.random.default_rng(1)
    raw = rng.normal(0, 2, 15)
    return pd.DataFrame(
        {
            "district": [f"District {n}" for n in range(15)], "estimate_pp": raw, "ci_low_pp": raw - 2.5,
            "ci_high_pp": raw + 2.5, "shrunken_pp": raw / 4, "shrunken_low_pp": raw / 4 - 1,
            "shrunken_high_pp": raw / 4 + 1, "p_above": np.linspace(0.2, 0.8, 15),
        }
    )  # fmt: skip


@pytest.fixture
def curve():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        [
            (c, w, s)
            for c in ("alliance", "others", "drg_gh")
            for w in ("equal", "students")
            for s in ("points", "logodds")
        ],
        columns=["comparison", "weights", "scale"],
    )
    estimate = rng.normal(-0.2, 0.5, len(frame))
    return frame.assign(estimate_pp=estimate, low_pp=estimate - 1, high_pp=estimate + 1, is_main=[True, *[False] * 11])


def test_curve_says_the_share_on_each_side(curve):
    exhibit = sure.specification_curve(curve, ["comparison", "weights", "scale"], CAPTION)
    above = int((curve["estimate_pp"] > 0).sum())
    assert f"{above} of 12 specifications" in exhibit.alt
    assert exhibit.data["Specifications"].sum() == 3 * 12
    assert len(exhibit.png) > 5000


@pytest.mark.parametrize(
    ("at", "words"),
    [(0.7, "leaves out zero up to a departure of 0.70"), (0.0, "no departure is needed"), (None, "at every departure shown")],
)  # fmt: skip
def test_breakdown_says_where_the_answer_changes(at, words):
    bounds = pd.DataFrame({"m": [0.0, 0.5, 1.0], "low_pp": [0.2, 0.1, -0.1], "high_pp": [1.0, 1.2, 1.5]})
    exhibit = sure.breakdown([sure.Departure("attendance,\nslope", bounds, at)] * 2, CAPTION)
    assert words in exhibit.alt and "attendance, slope: 0.20 to 1.00" in exhibit.alt
    assert len(exhibit.data) == 6


def test_methods_stand_side_by_side():
    rows = pd.DataFrame(
        {
            "method": ["permutation", "studentized permutation", "Conley-Taber"], "estimate_pp": [0.7, 0.7, 0.7],
            "ci_low_pp": [-1.6, np.nan, -1.9], "ci_high_pp": [3.2, np.nan, 3.0], "p_value": [0.65, 0.6, np.nan],
            "p_floor": [0.05, 0.05, np.nan], "is_headline": [False, True, False],
        }
    )  # fmt: skip
    exhibit = sure.inference_methods(rows, CAPTION)
    assert "3 methods" in exhibit.alt
    assert "0 of 2 below 0.05" in exhibit.alt
    assert "studentized permutation, has p = 0.60; its interval has no end" in exhibit.alt
    rows[["ci_low_pp", "ci_high_pp"]] = rows[["ci_low_pp", "ci_high_pp"]].fillna({"ci_low_pp": -3.0, "ci_high_pp": 4.0})
    assert "p = 0.60; −3.00 to 4.00 points." in sure.inference_methods(rows, CAPTION).alt
