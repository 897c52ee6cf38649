"""Event studies and the rebound: against the plain formulas, a reference package and simulation."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from leapstudy.data.state import school_year
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.eventstudy import event_study, joint_test
from leapstudy.did.rebound import rebound

ATTENDANCE_YEARS = ("2019-20", "2020-21", "2021-22", "2022-23")
YEARS = ATTENDANCE_YEARS[:3]
CHRONIC_YEARS = tuple(school_year(first) for first in range(2011, 2020))


@pytest.fixture(scope="module")
def pooled(study):
    return build_sample(study, Spec(), list(study.districts.query("treated")["district_code"]), ATTENDANCE_YEARS)


def test_the_coefficients_are_those_of_a_regression_with_year_dummies(pooled):
    y = np.vstack([pooled.y_treated, pooled.y_comparison])
    frame = pd.DataFrame(
        [(i, year, y[i, k]) for i in range(len(y)) for k, year in enumerate(pooled.years)],
        columns=["unit", "year", "y"],
    )
    shown = {"2019-20": "leap_a", "2021-22": "leap_b", "2022-23": "leap_c"}
    for year, name in shown.items():
        frame[name] = ((frame["unit"] < len(pooled.treated)) & (frame["year"] == year)).astype(float)
    fit = smf.ols("y ~ C(unit) + C(year) + leap_a + leap_b + leap_c", frame).fit()
    table = event_study(pooled, "2020-21").table.set_index("year")["estimate_pp"]
    assert [table[year] for year in shown] == pytest.approx([fit.params[name] for name in shown.values()], abs=1e-9)


def test_the_reference_year_is_zero_and_has_no_error(pooled):
    row = event_study(pooled, "2020-21").table.query("is_reference").iloc[0]
    assert row["year"] == "2020-21" and row["estimate_pp"] == 0 and np.isnan(row["se_pp"]) and row["event_time"] == -1


def test_one_coefficient_makes_the_joint_test_a_t_test():
    found = joint_test(np.array([1.7]), np.array([[0.64]]), np.array([-1.0]), 12.0)
    t = 1.7 / 0.8
    assert found.p_value == pytest.approx(2 * stats.t.sf(t, 12))


def test_the_detectable_drift_is_found_in_four_of_five_cases():
    rng = np.random.default_rng(3)
    n, drift = 24, np.array([-3.0, -2.0, -1.0])
    slope = joint_test(np.zeros(3), np.eye(3) / n, drift, n - 1.0).slope
    found = 0
    for _ in range(1500):
        data = rng.normal(size=(n, 3)) + slope * drift
        found += joint_test(data.mean(axis=0), np.cov(data.T) / n, drift, n - 1.0).p_value < 0.05
    # SIMULATED: power 0.80, four standard errors are 0.04
    assert found / 1500 == pytest.approx(0.80, abs=0.045)


def test_chronic_absence_has_nine_years_before_the_program(study):
    sample = build_sample(study, Spec(outcome="chronic_absence"), ["0430011"], CHRONIC_YEARS)
    table = event_study(sample, "2018-19").table
    assert len(table) == 9 and (table["event_time"] < 0).all()
    own, others = sample.y_treated[0], sample.y_comparison
    by_hand = (own[0] - own[7]) - (others[:, 0] - others[:, 7]).mean()
    assert table["estimate_pp"].iloc[0] == pytest.approx(by_hand, abs=1e-10)


@pytest.mark.parametrize(("comparison", "published"), [("alliance", 0.82), ("others", 0.66)])
def test_the_rebound_without_leap_is_the_published_share_of_the_fall(study, comparison, published):
    codes = list(study.districts.query("treated")["district_code"])
    found = rebound(
        build_sample(study, Spec(comparison=comparison), codes, YEARS),
        dict(zip(study.districts["district_code"], study.districts["district"], strict=True)),
    )
    # "districts that never had LEAP rebound by 0.66 to 0.82 of the previous year's fall"; which of them enter moves it
    assert -found.slope == pytest.approx(published, abs=0.05)
    x, y = (found.comparison[name].to_numpy() for name in ("fall_pp", "rebound_pp"))
    assert found.slope == pytest.approx(np.cov(x, y)[0, 1] / x.var(ddof=1), abs=1e-10)
    fit = smf.ols("rebound_pp ~ fall_pp", found.comparison).fit()
    robust = fit.get_robustcov_results("HC3").conf_int()[1]
    assert np.allclose((found.slope_low, found.slope_high), robust, rtol=0, atol=1e-10)
    line = fit.get_prediction(found.treated).summary_frame()[["mean", "obs_ci_lower", "obs_ci_upper"]]
    ours = found.treated[["predicted_pp", "predicted_low_pp", "predicted_high_pp"]]
    assert np.allclose(ours, line, rtol=0, atol=1e-10)
    assert np.allclose(found.treated["gap_pp"], found.treated["rebound_pp"] - found.treated["predicted_pp"])
