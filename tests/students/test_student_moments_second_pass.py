"""The second pass gives what summing each student's influence by hand gives."""

import numpy as np
import pytest
from moments_panels import in_engine, number, random_panel, strata_of

from leapstudy.core.errors import BadInput
from leapstudy.students.handle import StudentData
from leapstudy.students.moments.influence import Influence, covariance, district_sums
from leapstudy.students.moments.pivot import SHIFT
from leapstudy.students.moments.risk_sets import RiskDesign, risk_set_moments
from leapstudy.students.moments.second_pass import second_pass

ESTIMATES = 3


def influence_of(sets, seed=1):
    """Return random influence; each estimate leaves out a month, as real ones do."""
    rng = np.random.default_rng(seed)
    made = {}
    for month, moments in sets.items():
        slope = rng.normal(size=(ESTIMATES, *moments.seen.shape)) * moments.seen
        slope[1, :, 2] = 0
        made[month] = Influence(rng.normal(size=(ESTIMATES, moments.cells)), slope)
    return made


def by_hand(panel, sets, influence, design):
    """Each student's summed influence, shape (students, K), and its district."""
    panel = panel.sort_values(["student", "month"])
    first = panel.drop_duplicates("student").set_index("student")
    total = {student: np.zeros(ESTIMATES) for student in first.index}
    for month, moments in sets.items():
        strata = strata_of(panel, month, design)
        for student, rows in panel[panel["student"].isin(strata)].groupby("student"):
            seen = np.isin(moments.periods, rows["month"].map(number))
            y = np.zeros(len(seen))
            y[seen] = 100 * rows["days_attended"] / rows["days_enrolled"] - SHIFT
            cell = np.flatnonzero(
                (moments.district == first["district_code"][student])
                & (moments.cohort == number(first["first_visit_month"][student]))
                & (moments.stratum == strata[student])
                & (moments.seen == seen).all(axis=1)
            ).item()
            weight = rows["days_enrolled"].sum() if design.weights == "days" else 1.0
            one = influence[month]
            total[student] = total[student] + weight * (one.intercept[:, cell] + one.slope[:, cell] @ y)
    return np.array(list(total.values())), first["district_code"].to_numpy()


@pytest.mark.parametrize("weights", ["students", "days"])
def test_sums_equal_each_student_by_hand(weights):
    panel = random_panel(21, students=80)
    data, design = StudentData(in_engine(panel), None, simulated=True), RiskDesign((1, 2), (5, 20), weights=weights)
    sets = risk_set_moments(data, design)
    influence = influence_of(sets)
    found = second_pass(data, sets, influence, design)
    values, district = by_hand(panel, sets, influence, design)
    assert found.product == pytest.approx(values.T @ values, rel=1e-11)
    assert found.district.tolist() == np.unique(district).tolist()
    expected = [values[district == code].sum(axis=0) for code in found.district]
    assert found.by_district == pytest.approx(np.array(expected), rel=1e-10, abs=1e-8)


def test_with_one_risk_set_the_moments_say_the_same():
    panel = random_panel(22, students=80)
    data, design = StudentData(in_engine(panel), None, simulated=True), RiskDesign((2,), (10,), strata=("grade_band",))
    sets = risk_set_moments(data, design)
    month = list(sets)[1]
    influence = influence_of(sets)[month]
    found = second_pass(data, sets, {month: influence}, design)
    assert found.product == pytest.approx(covariance(sets[month], influence), rel=1e-11)
    assert found.by_district == pytest.approx(district_sums(sets[month], influence), rel=1e-10, abs=1e-8)


def test_sets_of_other_data_or_another_design_are_refused():
    design = RiskDesign((2,), (10,))
    data, other = (StudentData(in_engine(random_panel(seed, students=40)), None, simulated=True) for seed in (23, 24))
    sets = risk_set_moments(data, design)
    influence = influence_of(sets)
    with pytest.raises(BadInput, match="other students or another design"):
        second_pass(other, sets, influence, design)
    with pytest.raises(BadInput, match="same estimates"):
        second_pass(data, sets, {24000: next(iter(influence.values()))}, design)
