"""The variance from sums by cell is the variance from rows."""

import numpy as np
import pytest
from moments_twin import moments_of, random_rows

from leapstudy.core.errors import BadInput
from leapstudy.students.moments.record import Influence, covariance, district_sums


def _random_influence(moments, estimates, seed):
    rng = np.random.default_rng(seed)
    slope = rng.normal(size=(estimates, *moments.seen.shape)) * moments.seen
    return Influence(rng.normal(size=(estimates, moments.cells)), slope)


def _by_student(rows, moments, influence):
    """Every student's influence by itself, with its district: shapes (students, K) and (students,)."""
    keys = {
        (d, c, s, tuple(seen)): k
        for k, (d, c, s, seen) in enumerate(
            zip(moments.district, moments.cohort, moments.stratum, moments.seen, strict=True)
        )
    }
    values, places = [], []
    for _, student in rows.groupby("unit"):
        seen = np.isin(moments.periods, student["period"])
        y = np.zeros(len(seen))
        y[seen] = student.sort_values("period")["y"] - moments.shift
        first = student.iloc[0]
        cell = keys[(first["district"], float(first["cohort"]), first["stratum"], tuple(seen))]
        values.append(first["weight"] * (influence.intercept[:, cell] + influence.slope[:, cell] @ y))
        places.append(first["district"])
    return np.array(values), np.array(places)


@pytest.mark.parametrize("shift", [0.0, 80.0])
def test_covariance_and_district_sums_equal_the_sums_over_students(shift):
    rows = random_rows(3, students=90, gaps=0.1, districts=3, strata=2, weighted=True)
    moments = moments_of(rows, shift)
    influence = _random_influence(moments, 4, seed=5)
    values, places = _by_student(rows, moments, influence)
    assert covariance(moments, influence) == pytest.approx(values.T @ values, rel=1e-11)
    expected = [values[places == name].sum(axis=0) for name in np.unique(places)]
    assert district_sums(moments, influence) == pytest.approx(np.array(expected), rel=1e-11)


def test_a_large_common_level_costs_no_digits():
    rows = random_rows(4, students=60).assign(stratum="s0", district="d0", weight=1.0)
    near, far = moments_of(rows, 80.0), moments_of(rows, 0.0)
    contrast = np.array([0, -1.0, 0, 1, 0, 0, 0, 0])
    change = Influence(np.zeros((1, near.cells)), np.broadcast_to(contrast, (1, near.cells, 8)))
    assert covariance(far, change) == pytest.approx(covariance(near, change), rel=1e-10)


def test_influence_of_other_moments_is_refused():
    moments = moments_of(random_rows(1, students=20))
    with pytest.raises(BadInput, match="same moments"):
        covariance(moments, Influence(np.zeros((1, 2)), np.zeros((1, 2, 8))))
    with pytest.raises(BadInput, match="intercept"):
        Influence(np.zeros((1, 2)), np.zeros((1, 3, 8)))
