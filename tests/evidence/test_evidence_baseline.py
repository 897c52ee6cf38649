"""Likeness before LEAP on the real figures."""

from dataclasses import replace

import numpy as np
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.did.design import Spec
from leapstudy.evidence.comparison_finder import COX, DISTRICT_DIFFERENCE, baseline_equivalence, district_difference

HARTFORD, DANBURY = "0640011", "0340011"


def _leap(study):
    return list(study.districts.loc[study.districts["treated"], "district_code"])


def test_pooled_alliance_row_equals_the_long_way(study):
    row = baseline_equivalence(study, _leap(study), Spec(comparison="alliance"))[0]
    last = study.chronic[study.chronic["year"] == "2019-20"].set_index("district_code")["percent"]
    flags = study.districts.set_index("district_code")
    treated = [last[code] for code in flags.index if flags["treated"][code]]
    group = [last[code] for code in flags.index if flags["alliance"][code] and not flags["treated"][code]]
    p, q = sum(treated) / 1500, sum(group) / 1900
    assert (row.n_treated, row.n_comparison, row.yardstick) == (15, 19, COX)
    assert row.index == pytest.approx((np.log(p / (1 - p)) - np.log(q / (1 - q))) / 1.65, rel=1e-12)
    assert row.category == "satisfied with adjustment"


def test_who_starts_years_after_the_last_chronic_absence_is_held_against_that(study):
    later = replace(study, starts={**study.starts, HARTFORD: "2022-23"})
    rows = baseline_equivalence(later, [HARTFORD], Spec())
    assert [(row.measure, row.year) for row in rows] == [
        ("chronic_absence", "2019-20"),
        ("attendance_rate", "2020-21"),
        ("attendance_rate", "2021-22"),
    ]


def test_the_comparison_group_decides_the_category(study):
    pooled = {
        name: baseline_equivalence(study, _leap(study), Spec(comparison=name))[0]
        for name in ("alliance", "others", "drg_gh")
    }
    assert pooled["others"].category == "not satisfied"
    assert pooled["drg_gh"].n_treated == 7
    assert abs(pooled["drg_gh"].index) < abs(pooled["alliance"].index) < abs(pooled["others"].index)


def test_attendance_is_never_held_against_the_thresholds(study):
    rows = baseline_equivalence(study, [HARTFORD], Spec(comparison="alliance"))[1:]
    assert [row.year for row in rows] == ["2019-20", "2020-21"]
    assert all(row.category is None and row.yardstick == DISTRICT_DIFFERENCE for row in rows)


def test_greenwich_is_not_a_comparison_district_in_2019_20(study):
    _, attendance, later = baseline_equivalence(study, [HARTFORD], Spec(comparison="others"))
    last = study.chronic[study.chronic["year"] == "2019-20"]
    assert "0570011" not in set(last["district_code"])
    assert later.n_comparison == attendance.n_comparison + 1


def test_student_weights_are_used(study):
    equal, students = (baseline_equivalence(study, _leap(study), Spec(weights=w))[0] for w in ("equal", "students"))
    assert equal.mean_treated_pct != pytest.approx(students.mean_treated_pct, abs=0.1)


def test_no_peer_is_an_error(study):
    with pytest.raises(BadInput, match="no peer"):
        baseline_equivalence(study, [HARTFORD], Spec(comparison="drg_gh"))


def test_district_difference_by_hand():
    # one district against 1, 2, 3 (sd 1): its own spread does not exist
    assert district_difference(np.array([4.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(2.0)
    # 4, 6 against 1, 3: both variances 2, difference 3
    assert district_difference(np.array([4.0, 6.0]), np.array([1.0, 3.0])) == pytest.approx(3 / np.sqrt(2))
    assert district_difference(np.array([4.0]), np.array([2.0, 2.0])) is None


def test_a_hidden_enrollment_leaves_a_district_out_only_where_it_is_a_weight(study):
    """A page must not fail since the number of students of one year is a star."""
    own = (study.attendance["district_code"] == HARTFORD) & (study.attendance["year"] == "2020-21")
    hidden = replace(study, attendance=study.attendance.assign(students=study.attendance["students"].mask(own)))
    before, after = (baseline_equivalence(one, [HARTFORD], Spec(comparison="alliance")) for one in (study, hidden))
    assert before == after
    with pytest.raises(BadInput, match="One side has no attendance_rate for 2020-21"):
        baseline_equivalence(hidden, [HARTFORD], Spec(comparison="alliance", weights="students"))
