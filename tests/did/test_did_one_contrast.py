"""A quick look gives what the whole answer gives, and stays on one scale."""

import numpy as np
import pandas as pd
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.data import treated_districts
from leapstudy.did.answering import answer_district, one_contrast
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.effect import fit, placements

HARTFORD = "0640011"
SPECS = [
    Spec(),
    Spec(comparison="others", weights="students"),
    Spec(scale="logodds", edition="2021-22"),
    Spec(contrast="placebo_2019_20_to_2020_21", outcome="attendance_rate_high_needs"),
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_glance_is_the_whole_answers_own_row(study, spec):
    quick, whole = one_contrast(study, [HARTFORD], spec), answer_district(study, HARTFORD, spec)
    assert quick.main == whole.main and quick.detectable == whole.detectable
    pd.testing.assert_frame_equal(quick.permutation, whole.permutation)
    pd.testing.assert_frame_equal(quick.event_study.table, whole.event_study.table)


def test_a_glance_at_all_is_the_pooled_row(study, pooled):
    codes = [item.code for item in treated_districts(study.districts)]
    assert one_contrast(study, codes, Spec()).main == pooled.main


def test_the_two_sides_are_the_means_that_the_estimate_compares(study):
    found = one_contrast(study, [HARTFORD], Spec(comparison="others", weights="students"))
    means = found.raw_means.pivot(index="year", columns="group", values="rate_pct")
    change = means.loc["2021-22"] - means.loc[["2019-20", "2020-21"]].mean()
    everyone = build_sample(study, found.spec, [HARTFORD], tuple(means.index))
    by_hand = everyone.weights_comparison @ everyone.change_comparison
    assert change["others"] == pytest.approx(by_hand, abs=1e-10)


def test_placebos_are_in_points_whatever_the_scale(study):
    effect = fit(build_sample(study, Spec(scale="logodds"), [HARTFORD]))
    frame = placements(effect, dict(zip(study.districts["district_code"], study.districts["district"], strict=True)))
    assert frame["placebo_pp"].iloc[0] == effect.estimate_pp
    farther = (frame["placebo_pp"].abs() >= abs(effect.estimate_pp) - 1e-9).mean()
    # log-odds to points is monotone, but not symmetric: ranks of one sign agree exactly
    same_side = np.sign(effect.test.placebos) == np.sign(effect.test.estimate)
    ranks = (np.abs(effect.test.placebos) >= abs(effect.test.estimate))[same_side]
    assert (frame["placebo_pp"].iloc[1:].abs().to_numpy() >= abs(effect.estimate_pp))[
        same_side
    ].tolist() == ranks.tolist()
    assert 0 < farther <= 1 and frame["placebo_pp"].abs().max() > 1


def test_a_group_of_one_is_refused_and_a_group_of_two_is_answered(study):
    with pytest.raises(BadInput, match="one district cannot show how far districts vary"):
        one_contrast(study, [HARTFORD], Spec(comparison=("0020011",)))
    # Ansonia and Bloomfield changed alike in one of the nine earlier years: that year has no spread
    whole = answer_district(study, HARTFORD, Spec(comparison=("0020011", "0110011")))
    assert (whole.chronic.table["se_pp"] == 0).any() and np.isfinite(whole.chronic.sup_t)
    assert np.isnan(whole.chronic.joint_p)
