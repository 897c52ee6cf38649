"""The pooled figures agree with what was published about these data, and each is traced by hand to its rows."""

import numpy as np
import pytest

from leapstudy.core.estimate import to_frame
from leapstudy.did.answering import answer_district
from leapstudy.did.design import Spec

MAIN, REBOUND, LONG, PLACEBO = (
    ("2019-20+2020-21", "2021-22"),
    ("2020-21", "2021-22"),
    ("2019-20", "2021-22"),
    ("2019-20", "2020-21"),
)
PUBLISHED = {
    "alliance": (0.01, {PLACEBO: -1.09, REBOUND: 0.21, LONG: -0.88, MAIN: -0.34}),
    "others": (0.02, {PLACEBO: -3.30, REBOUND: 1.83, LONG: -1.47, MAIN: 0.18}),
    "drg_gh": (0.01, {PLACEBO: 0.66, REBOUND: -0.68, LONG: -0.02, MAIN: -0.35}),
}
P_VALUES = {
    ("alliance", MAIN): 0.47,
    ("alliance", REBOUND): 0.77,
    ("alliance", LONG): 0.07,
    ("alliance", PLACEBO): 0.17,
    ("others", REBOUND): 0.002,
    ("others", LONG): 0.004,
    ("drg_gh", LONG): 0.96,
}


@pytest.fixture(scope="module")
def rows(pooled):
    frame = to_frame(pooled.estimates)
    kept = frame[
        (frame["edition"] == "2022-23")
        & (frame["outcome"] == "attendance_rate")
        & (frame["estimator"] == "did")
        & (frame["p_method"] == "label_permutation")
    ]
    return kept.set_index(["comparison", "pre", "post"])


@pytest.mark.parametrize("comparison", PUBLISHED)
def test_pooled_estimates_agree_with_the_published_table(rows, comparison):
    tolerance, table = PUBLISHED[comparison]
    for contrast, value in table.items():
        assert rows.loc[(comparison, *contrast), "estimate_pp"] == pytest.approx(value, abs=tolerance + 0.005)


@pytest.mark.parametrize(("key", "value"), P_VALUES.items())
def test_p_values_agree_with_the_published_ones(rows, key, value):
    # published to two or three digits from shuffles of the difference itself; ours are studentized, and the side of
    # 130 to
    # 180 comparison districts varies less than that of LEAP: within 0.025, and the small ones stay small
    comparison, contrast = key
    assert rows.loc[(comparison, *contrast), "p_value"] == pytest.approx(value, abs=0.025 if value > 0.01 else 0.015)


def test_the_main_figure_is_traced_by_hand(study, rows):
    wide = study.attendance.query("edition == '2022-23' and group == 'all'").pivot(
        index="district_code", columns="year", values="rate"
    )
    change = 100 * (wide["2021-22"] - (wide["2019-20"] + wide["2020-21"]) / 2)
    districts = study.districts.set_index("district_code")
    treated = change[districts.index[districts["treated"]]]
    comparison = change[districts.index[districts["alliance"] & ~districts["treated"]]]
    assert rows.loc[("alliance", *MAIN), "estimate_pp"] == pytest.approx(
        np.mean(treated) - np.mean(comparison), abs=1e-12
    )


def test_every_combination_has_a_row(study):
    spec = Spec()
    counts = {}
    for code in ("0430011", "0640011", "2410014"):
        answer = answer_district(study, code, spec)
        frame, leading = to_frame(answer.estimates), answer.headline
        assert (frame["p_method"].iloc[0], frame["p_value"].iloc[0]) == (leading.name, leading.p_value)
        did = frame[(frame["estimator"] == "did") & (frame["p_method"] == "permutation")]
        assert not did.duplicated(["outcome", "comparison", "edition", "pre", "post"]).any()
        assert (frame["role"] == "main").sum() == 1 and frame["role"].iloc[0] == "main"
        counts[code] = len(did)
    # contrasts: 5 and 4 (the older edition ends with 2021-22) for all students, 5 for high needs; 3 groups or 2
    assert counts == {"0430011": 14 * 3, "0640011": 14 * 2, "2410014": 14 * 2}
