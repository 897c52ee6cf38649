"""Risk sets hold who could have been visited, by absence strictly before the month, as a slow walk over rows finds them."""

import numpy as np
import pandas as pd
import pytest
from moments_panels import assert_equal, in_engine, random_panel, strata_of, twin

from leapstudy.core.errors import BadInput
from leapstudy.students.handle import StudentData
from leapstudy.students.moments.expression import moments_of_panel
from leapstudy.students.moments.record import NEVER
from leapstudy.students.moments.risk_sets import RiskDesign, risk_set_moments

DESIGN = RiskDesign(spans=(1, 2), edges=(5, 20))


def data_of(panel):
    return StudentData(in_engine(panel), None, simulated=True)


@pytest.mark.parametrize("weights", ["students", "days"])
def test_risk_sets_equal_a_slow_walk_over_rows(weights):
    panel = random_panel(11)
    design = RiskDesign(spans=DESIGN.spans, edges=DESIGN.edges, weights=weights)
    sets = risk_set_moments(data_of(panel), design)
    assert list(sets) == [12 * 2021 + 5, 12 * 2021 + 6, 12 * 2021 + 9]
    for month, found in sets.items():
        strata = strata_of(panel, month, design)
        expected = twin(panel[panel["student"].isin(strata)], weights=weights, stratum=strata)
        assert_equal(found, expected)


def test_further_traits_cross_the_bands():
    panel = random_panel(12)
    plain, crossed = (
        risk_set_moments(data_of(panel), RiskDesign((2,), (10,), strata=strata)) for strata in ((), ("grade_band",))
    )
    for month, moments in crossed.items():
        assert moments.students.sum() == plain[month].students.sum()
        bands, grades = zip(*(name.split(", ") for name in moments.stratum), strict=True)
        assert set(bands) == set(plain[month].stratum) and "PK-5" in grades


def test_a_student_at_exactly_ten_percent_is_in_the_band_that_begins_there():
    panel = random_panel(13, students=40, gaps=0).assign(days_enrolled=20.0, days_attended=18.0)
    sets = risk_set_moments(data_of(panel), RiskDesign((2,), (10,)))
    assert {name for moments in sets.values() for name in moments.stratum} == {"last 2: 10+ %"}


def test_nothing_from_the_visit_on_moves_a_student_between_strata():
    panel = random_panel(14)
    later = panel["month"] >= pd.Timestamp("2021-10-01")
    changed = panel.assign(days_attended=panel["days_attended"].where(~later, 0.0))
    month = 12 * 2021 + 9
    one, two = (risk_set_moments(data_of(rows), DESIGN)[month] for rows in (panel, changed))
    assert one.stratum.tolist() == two.stratum.tolist() and one.students.tolist() == two.students.tolist()
    assert not np.array_equal(one.total, two.total)


def test_every_visited_student_seen_just_before_is_there():
    panel = random_panel(15, gaps=0)
    whole, sets = moments_of_panel(in_engine(panel)), risk_set_moments(data_of(panel), DESIGN)
    for month, moments in sets.items():
        at_risk = whole.students[whole.cohort >= month].sum()
        assert moments.students.sum() == at_risk
        assert moments.students[moments.cohort == month].sum() == whole.students[whole.cohort == month].sum()
        assert (moments.cohort == NEVER).any()


@pytest.mark.parametrize("wrong", [{"spans": ()}, {"spans": (2, 2)}, {"edges": (10, 5)}, {"edges": (0,)}])
def test_designs_that_are_none_are_refused(wrong):
    with pytest.raises(BadInput, match="give"):
        RiskDesign(**wrong)


def test_without_visits_there_is_no_risk_set():
    with pytest.raises(BadInput, match="Nobody"):
        risk_set_moments(data_of(random_panel(16).assign(first_visit_month=pd.NaT)), DESIGN)
