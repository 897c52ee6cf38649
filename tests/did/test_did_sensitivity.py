"""Sensitivity: regression adjustment, the specification curve, one step up, recovery and bounds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from leapstudy.core.errors import BadInput
from leapstudy.data.state import load_state, school_year
from leapstudy.did.contrasts import contrasts_of
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.effect import fit
from leapstudy.did.eventstudy import EventStudy, event_study
from leapstudy.did.honest import honest_bounds, with_t
from leapstudy.did.rebound import rebound
from leapstudy.did.sensitivity import analyses, bounds, covariates, specifications
from leapstudy.did.spread import spread_of

ATTENDANCE_YEARS = ("2019-20", "2020-21", "2021-22", "2022-23")
YEARS = ATTENDANCE_YEARS[:3]
CHRONIC_YEARS = tuple(school_year(first) for first in range(2011, 2020))

HARTFORD, EAST_HARTFORD, CREC = "0640011", "0430011", "2410014"


@pytest.fixture(scope="module")
def everyone(study):
    return list(study.districts.query("treated")["district_code"])


@pytest.fixture(scope="module")
def traits(study):
    return covariates.traits_before(study)


@pytest.fixture(scope="module")
def curve(study):
    return specifications.specification_curve(study, Spec(), [EAST_HARTFORD])


@pytest.mark.parametrize("weights", ["equal", "students"])
def test_adjusting_for_nothing_is_the_plain_difference(study, everyone, weights):
    for codes in ([HARTFORD], everyone):
        sample = build_sample(study, Spec(weights=weights), codes)
        nothing = np.empty((len(codes), 0)), np.empty((len(sample.comparison), 0))
        found, plain = covariates.regression_adjusted(sample, *nothing), fit(sample, draws=0)
        assert found.estimate == pytest.approx(plain.estimate_pp, abs=1e-10)
        assert (found.spread.se, found.spread.df) == pytest.approx(
            (spread_of(sample).se, spread_of(sample).df), rel=1e-10
        )


def test_one_districts_interval_is_the_prediction_interval_of_a_regression(study, traits):
    sample = build_sample(study, Spec(), [EAST_HARTFORD])
    found = covariates.adjusted(sample, traits)
    x = sm.add_constant(traits.loc[list(sample.comparison)].to_numpy(float))
    own = np.concatenate([[1.0], traits.loc[EAST_HARTFORD].to_numpy(float)])[None, :]
    predicted = sm.OLS(sample.change_comparison, x).fit().get_prediction(own).summary_frame(alpha=0.05).iloc[0]
    change = float(sample.change_treated[0])
    expected = [change - predicted[name] for name in ("mean", "obs_ci_upper", "obs_ci_lower")]
    assert [found.estimate_pp, found.low_pp, found.high_pp] == pytest.approx(expected, abs=1e-9)


def test_an_effect_added_to_the_treated_is_found_and_traits_explain_nothing_of_it(study, everyone, traits):
    sample = build_sample(study, Spec(comparison="others"), everyone)
    moved = sample.y_treated.copy()
    moved[:, -1] += 2.5
    before, after = (covariates.adjusted(item, traits) for item in (sample, replace(sample, y_treated=moved)))
    assert after.estimate_pp - before.estimate_pp == pytest.approx(2.5, abs=1e-10)
    assert after.se_pp == pytest.approx(before.se_pp, rel=1e-10)


def test_a_change_that_traits_explain_wholly_leaves_no_effect(study, everyone, traits):
    sample = build_sample(study, Spec(), everyone)
    flat = replace(sample, y_treated=np.zeros_like(sample.y_treated), y_comparison=np.zeros_like(sample.y_comparison))
    flat.y_treated[:, -1] = 4 * traits["high_needs_share"].loc[list(sample.treated)] + 1
    flat.y_comparison[:, -1] = 4 * traits["high_needs_share"].loc[list(sample.comparison)] + 1
    assert covariates.adjusted(flat, traits).estimate_pp == pytest.approx(0, abs=1e-9)
    assert abs(fit(flat, draws=0).estimate_pp) > 0.5


def test_missing_traits_are_refused_on_the_treated_side_and_left_out_on_the_other(study, traits):
    sample = build_sample(study, Spec(comparison="others"), [HARTFORD])
    found = covariates.adjusted(sample, traits)
    known = traits.reindex(sample.comparison).notna().all(axis=1)
    assert found.n_comparison == known.sum() < len(sample.comparison)
    assert not known["2420014"]  # EdAdvance: its share of high needs is not published
    with pytest.raises(BadInput, match=f"{HARTFORD} lacks one of"):
        covariates.adjusted(sample, traits.assign(log_students=np.nan))
    with pytest.raises(BadInput, match="3 covariates take at least 9"):
        covariates.adjusted(build_sample(study, Spec(comparison=sample.comparison[:8]), [HARTFORD]), traits)


def test_the_note_says_where_the_prediction_goes_beyond_what_was_seen(study, traits):
    words = covariates.trait_words(study)
    far = covariates.adjusted(build_sample(study, Spec(), [HARTFORD]), traits, words)
    near = covariates.adjusted(build_sample(study, Spec(), [EAST_HARTFORD]), traits, words)
    assert "high needs" in far.note and near.note == ""


def test_the_curve_holds_the_ordinary_estimates(study, curve):
    for row in curve[curve["covariates"] == "without"].sample(8, random_state=1).to_dict("records"):
        asked = {name: row[name] for name in ("comparison", "contrast", "weights", "edition", "scale")}
        plain = fit(build_sample(study, Spec(**asked), [EAST_HARTFORD]))
        found = [row[name] for name in ("estimate_pp", "low_pp", "high_pp", "p_value")]
        expected = [plain.estimate_pp, plain.ci_low_pp, plain.ci_high_pp, plain.test.p_value]
        finite = [value if np.isfinite(value) else np.nan for value in expected]
        assert found == pytest.approx(finite, abs=1e-10, nan_ok=True)
    main = curve[curve["is_main"]]
    assert len(main) == 1 and main["estimate_pp"].iloc[0] == pytest.approx(0.4194736842, abs=1e-9)


def test_the_curve_is_whole(curve, study):
    # 3 groups x (4 contrasts of one edition + 3 of the other) x 2 weights x 2 scales x with and without covariates
    assert len(curve) == 3 * 7 * 2 * 2 * 2
    assert not curve.duplicated(list(specifications.CHOICES)).any()
    assert len(specifications.specification_curve(study, Spec(), [CREC])) == 2 * 7 * 2 * 2 * 2


def test_a_specification_is_marked_by_its_own_placebo(study):
    curve = specifications.specification_curve(study, Spec(), [HARTFORD])
    row = curve[(curve["comparison"] == "others") & (curve["covariates"] == "without")].iloc[0]
    placebo = fit(build_sample(study, Spec(comparison="others", contrast="placebo_2019_20_to_2020_21"), [HARTFORD]))
    assert row["placebo_p"] == pytest.approx(placebo.spread.p_value(placebo.test.estimate)) and row["placebo_p"] < 0.05
    assert not row["fair_before"] and curve["fair_before"].any()


def test_the_summary_counts_by_hand():
    frame = pd.DataFrame(
        {
            "estimate_pp": [1.0, 2.0, -1.0],
            "low_pp": [0.5, -1.0, np.nan],
            "high_pp": [1.5, 4.0, np.nan],
            "fair_before": [True, False, True],
        }
    )
    assert specifications.summary(frame) == {
        "n": 3,
        "above": 2,
        "below": 1,
        "clear_above": 1,
        "clear_below": 0,
        "fair": 2,
        "fair_above": 1,
        "fair_clear_above": 1,
        "fair_clear_below": 0,
    }


def test_two_years_before_extrapolate_by_hand(study):
    sample = build_sample(study, Spec(), [HARTFORD], YEARS)
    table = analyses.one_step_up(sample, contrasts_of(load_state(), "2021-22")["pre_mean_to_2021_22"]).set_index(
        "model"
    )["estimate_pp"]
    a, b, c = (sample.y_treated[0] - sample.y_comparison.mean(axis=0)).tolist()
    # the line through two years goes on: 2 b - a where c is seen
    assert table["linear trends"] == pytest.approx(c - (2 * b - a), abs=1e-9)
    assert table["parallel trends"] == pytest.approx(c - (a + b) / 2, abs=1e-9)
    assert table["difference"] == pytest.approx(table["parallel trends"] - table["linear trends"], abs=1e-9)


def test_a_linear_trend_of_its_own_moves_the_parallel_answer_only(study, everyone):
    sample = build_sample(study, Spec(outcome="chronic_absence"), everyone, CHRONIC_YEARS)
    tilted = replace(sample, y_treated=sample.y_treated + 0.7 * np.arange(len(sample.years)))
    contrast = analyses.last_year_alone(sample)
    before, after = (
        analyses.one_step_up(item, contrast).set_index("model")["estimate_pp"] for item in (sample, tilted)
    )
    assert after["linear trends"] == pytest.approx(before["linear trends"], abs=1e-9)
    # the last year lies 4.5 years after the mean of the eight before it
    assert after["parallel trends"] - before["parallel trends"] == pytest.approx(0.7 * 4.5, abs=1e-9)


def test_placebos_in_time_are_ordinary_estimates_of_earlier_years(study, everyone):
    attendance = build_sample(study, Spec(), everyone, YEARS)
    chronic = build_sample(study, Spec(outcome="chronic_absence"), everyone, CHRONIC_YEARS)
    table = analyses.in_time(attendance, chronic)
    assert table["estimate_pp"].iloc[0] == pytest.approx(-1.09, abs=0.01)
    assert list(table["post"][1:]) == list(CHRONIC_YEARS[2:])
    gap = chronic.y_treated.mean(axis=0) - chronic.y_comparison.mean(axis=0)
    assert table["estimate_pp"].iloc[-1] == pytest.approx(gap[8] - gap[6:8].mean(), abs=1e-9)


def test_recovery_is_the_rebounds_own_gap(study, everyone):
    names = dict(zip(study.districts["district_code"], study.districts["district"], strict=True))
    for codes in ([HARTFORD], everyone):
        sample = build_sample(study, Spec(), codes, YEARS)
        found, line = covariates.beyond_recovery(sample), rebound(sample, names)
        assert found.estimate_pp == pytest.approx(line.mean_gap_pp, abs=1e-9)
        if len(codes) == 1:
            row = line.treated.iloc[0]
            ends = [row["rebound_pp"] - row[name] for name in ("predicted_high_pp", "predicted_low_pp")]
            assert [found.low_pp, found.high_pp] == pytest.approx(ends, abs=1e-9)


def test_no_departure_is_needed_where_the_interval_includes_zero(study, everyone):
    shown = event_study(build_sample(study, Spec(), everyone, ATTENDANCE_YEARS), "2020-21")
    found = bounds.plain_bounds(shown)
    assert found.n_pre == 1 and found.breakdown == 0 and not found.is_placebo
    others = event_study(build_sample(study, Spec(comparison="others"), everyone, ATTENDANCE_YEARS), "2020-21")
    assert bounds.plain_bounds(others).breakdown is None  # +1.83 excludes zero; one coefficient cannot say how safely


def test_the_largest_departure_is_of_the_path_up_to_the_reference():
    # slopes 1, 3, -4 (to the reference's zero): they change by 2 and by 7
    path = np.array([0.0, 1.0, 4.0])
    assert bounds.largest_before(path, "smoothness") == pytest.approx(7.0)
    assert bounds.largest_before(path, "relative_magnitudes") == pytest.approx(4.0)


@pytest.mark.parametrize("kind", ["smoothness", "relative_magnitudes"])
def test_bounds_hold_the_plain_interval_and_widen(study, everyone, kind):
    shown = event_study(build_sample(study, Spec(outcome="chronic_absence"), everyone, CHRONIC_YEARS), "2018-19")
    found = bounds.robust_bounds(shown, kind, (0.0, 1.0))
    width = found.table["high_pp"] - found.table["low_pp"]
    assert found.year == "2019-20" and found.is_placebo and found.n_pre == 7
    assert width.iloc[1] > width.iloc[0] > 0 and found.largest_before > 0
    assert found.table["m"].iloc[1] == pytest.approx(found.largest_before if kind == "smoothness" else 1.0)


@pytest.mark.parametrize("kind", ["smoothness", "relative_magnitudes"])
def test_a_year_after_missing_ones_departs_in_each_of_them(kind):
    # a line of slope 1 up to the reference, with almost no noise; then a figure three years later
    times = pd.Series([-7, -6, -5, -4, -3, 0])
    path, se = times + 3.0 + np.where(times == 0, -1, 0), np.where(times == -3, np.nan, 0.02)
    t = stats.t.ppf(0.975, 20)
    table = pd.DataFrame({"year": [f"year {time}" for time in times], "event_time": times, "estimate_pp": path})
    table = table.assign(se_pp=se, low_pp=path - t * se, high_pp=path + t * se, is_reference=times == -3)
    spread = pd.DataFrame(4e-4 * np.eye(5))
    study = EventStudy("attendance_rate", "others", "", 9, 9, "year -3", table, 2.5, 20.0, 0.5, 1.0, spread)
    found = bounds.robust_bounds(study, kind, (0.0, 1.0))
    if kind == "relative_magnitudes":
        assert found.breakdown == pytest.approx(2 / 3, abs=0.1), "2 in three years, of 1 a year"
    holed = replace(study, table=table.assign(event_time=times - (times < -5)))
    with pytest.raises(BadInput, match="earlier figures in a row, and one between them lacks"):
        bounds.robust_bounds(holed, kind)
    assert bounds.bounds_of(holed, (kind, kind)) == ((), (bounds.HOLE,))
    every_other = replace(study, table=table.assign(event_time=2 * times))
    assert bounds.robust_bounds(every_other, kind, (0.0,)).steps == 3, "in periods of two years none lacks"
    assert found.steps == 3 and found.year == "year 0" and found.n_pre == 4
    middle = (found.table["low_pp"] + found.table["high_pp"]) / 2
    reach = (found.table["high_pp"] - found.table["low_pp"]).iloc[1] / 2
    # the line goes on for three years, from zero to 3, and 2 is seen; or each year moves by as much as any did, 1 point
    expected = (2 - 3, 0.0) if kind == "smoothness" else (2, 3.0)
    assert middle.iloc[0] == pytest.approx(expected[0], abs=0.1) and reach == pytest.approx(expected[1], abs=0.2)


def test_slopes_may_bend_in_each_missing_year():
    b = np.array([-4.0, -3.0, -2.0, -1.0, 7.0])
    problem = with_t(b, 1e-6 * np.eye(5), 4, 1.96, steps=3)
    found = honest_bounds(problem, "smoothness", [0.5])
    # the slope of 1 goes on to 3 of the 7; bent by 0.5 a year it is off by 0.5 * (1 + 2 + 3)
    assert found["low_pp"].iloc[0] == pytest.approx(4 - 3, abs=0.05)
    assert found["high_pp"].iloc[0] == pytest.approx(4 + 3, abs=0.05)


def test_one_year_before_bounds_changes_but_not_slopes(study, everyone):
    shown = event_study(build_sample(study, Spec(), everyone, ATTENDANCE_YEARS), "2020-21")
    found = bounds.robust_bounds(shown, "relative_magnitudes", (0.0, 1.0))
    assert found.n_pre == 1 and found.year == "2021-22" and not found.is_placebo
    # the one change before, 1.09 points, widens each end by about as much
    assert found.largest_before == pytest.approx(1.093, abs=1e-3)
    assert np.diff(found.table["high_pp"])[0] > 1 and np.diff(found.table["low_pp"])[0] < 0
    with pytest.raises(BadInput, match="at least 2 effects before"):
        bounds.robust_bounds(shown, "smoothness")
