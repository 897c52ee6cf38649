"""The screen for broken series finds the known ones, moves with nothing that is common to all,
and seldom cries wolf.
"""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.evidence import broken_series
from leapstudy.evidence.broken_series import can_screen, fit_noise, log_odds, median_slope, screen

YEARS = [f"{year}-{year % 100 + 1:02d}" for year in range(2011, 2019)]


@pytest.fixture(scope="module")
def published() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Return chronic absence and attendance in percent, and students, by district, as published."""
    raw, code = paths.raw(), {"dtype": {"district_code": str}}
    early = pd.read_csv(raw / "csde_chronic_absence" / "chronic_absence.csv", **code).set_index("district_code")
    late = pd.read_csv(raw / "csde_chronic_absence_2021_2025" / "chronic_absence.csv", **code)
    late = late[late["student_group"] == "All Students"].pivot(
        index="district_code", columns="year", values="chronic_absence_rate"
    )
    rows = pd.read_csv(raw / "csde_attendance_2022_23" / "attendance.csv", **code)
    rows = rows[rows["student_group"] == "All Students"]
    attendance = rows.pivot(index="district_code", columns="year", values="attendance_rate").drop("00000CT") * 100
    students = rows.pivot(index="district_code", columns="year", values="students").median(axis=1)
    chronic = early.filter(regex=r"^20").join(late * 100, how="outer").drop("00000CT")
    return chronic, attendance, students


@pytest.fixture(scope="module")
def simulated() -> tuple[pd.DataFrame, pd.Series]:
    """Return 200 districts x 8 years whose log-odds scatter by 0.1 around lines of their own; nothing is broken."""
    rng = np.random.default_rng(20261128)
    students = pd.Series(rng.integers(300, 9000, 200).astype(float))
    odds = rng.normal(-2, 0.6, (200, 1)) + rng.normal(0, 0.3, 8) + rng.normal(0, 0.1, (200, 8))
    rates = rng.binomial(students.to_numpy(int)[:, None], 1 / (1 + np.exp(-odds))) / students.to_numpy()[:, None]
    return pd.DataFrame(100 * rates, columns=YEARS), students


def test_the_known_faults_of_the_published_figures_are_found(published):
    chronic, attendance, students = published
    flags = screen(chronic, students, companion_pct=attendance)
    found = set(zip(flags["unit"], flags["year"], flags["direction"], strict=True))
    assert {("0930011", "2021-22", "high"), ("1620011", "2023-24", "low"), ("0830011", "2022-23", "low")} <= found
    assert ("0570011", "2019-20", "low") in found
    revised = screen(attendance, students)
    assert ("1510011", "2020-21") in set(zip(revised["unit"], revised["year"], strict=True))
    # a screen that flags everything finds the known ones too
    assert len(flags) < 0.03 * chronic.size


def test_a_sound_state_is_seldom_flagged_and_a_planted_fault_is_found(simulated):
    rates, students = simulated
    assert len(screen(rates, students)) <= 0.01 * rates.size
    for up in (True, False):
        planted = rates.copy()
        odds = log_odds(rates).loc[11, "2014-15"] + (1 if up else -1)
        planted.loc[11, "2014-15"] = 100 / (1 + np.exp(-odds))
        top = screen(planted, students).iloc[0]
        assert (top["unit"], top["year"], top["direction"]) == (11, "2014-15", "high" if up else "low")


def test_what_happens_to_all_is_no_flag_and_a_mirror_turns_the_direction(simulated):
    rates, students = simulated
    rates = rates.copy()
    rates.loc[3, "2013-14"] *= 3
    plain = screen(rates, students)
    shifted = 100 / (1 + np.exp(-(log_odds(rates) + np.linspace(0, 1.5, 8))))
    assert list(screen(shifted, students)["unit"])[:1] == [3]
    mirrored = screen(100 - rates, students)
    assert set(mirrored["unit"]) == set(plain["unit"])
    assert (mirrored["direction"] == plain["direction"].map({"high": "low", "low": "high"})).all()


def test_a_change_that_the_companion_carries_is_no_contradiction(simulated):
    rates, students = simulated
    wobble = np.random.default_rng(7).normal(0, 0.3, rates.shape)
    attendance = 100 - rates / 2 + wobble
    moved, told = rates.copy(), attendance.copy()
    moved.loc[5, "2018-19"] = 3 * rates.loc[5, "2018-19"]
    told.loc[5, "2018-19"] = 100 - moved.loc[5, "2018-19"] / 2
    agreeing = screen(moved, students, companion_pct=told)
    assert 5 not in set(agreeing.loc[agreeing["pattern"] == "contradiction", "unit"])
    against = screen(moved, students, companion_pct=attendance)
    row = against[(against["pattern"] == "contradiction") & (against["unit"] == 5)].iloc[0]
    assert (row["year"], row["direction"]) == ("2018-19", "high")


def test_noise_is_learned_as_it_was_made():
    rng = np.random.default_rng(3)
    sampling = rng.uniform(0.0005, 0.02, 40_000)
    year = np.repeat(["a", "b"], 20_000)
    spread = np.sqrt(np.where(year == "a", 0.01, 0.09) + 1.5 * sampling)
    noise = fit_noise(spread * rng.standard_t(3, 40_000), sampling, year)
    assert noise.by_year["a"] == pytest.approx(0.01, rel=0.1)
    assert noise.by_year["b"] == pytest.approx(0.09, rel=0.1)
    assert noise.sampling == pytest.approx(1.5, rel=0.1)


def test_too_little_to_compare_with_is_refused(simulated):
    rates, students = simulated
    with pytest.raises(BadInput, match="at least 3 years and 12 units"):
        screen(rates.iloc[:, :2], students)


@pytest.mark.parametrize(("points", "drawn"), [(3, 1), (40, 1), (1700, 200_000), (1700, 1)])
def test_the_median_slope_is_that_of_all_pairs_also_where_drawn_pairs_mislead(points, drawn, monkeypatch):
    monkeypatch.setattr(broken_series, "PAIRS_DRAWN", drawn)
    rng = np.random.default_rng(points)
    x = rng.normal(size=points).round(2)
    y = x + rng.standard_t(3, points)
    first, second = np.triu_indices(points, 1)
    differ = x[first] != x[second]
    assert median_slope(x, y) == np.median((y[second] - y[first])[differ] / (x[second] - x[first])[differ])
    assert median_slope(np.ones(points), y) == 0.0


def test_the_memory_of_the_median_slope_does_not_grow_with_the_pairs():
    """All 12.5 million pairs of 5,000 points would take 100 MB a number."""
    x, y = np.random.default_rng(0).normal(size=(2, 5000))
    tracemalloc.start()
    median_slope(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6


def test_what_is_no_share_is_screened_in_its_own_unit_whatever_that_is():
    rng = np.random.default_rng(6)
    students = pd.Series(rng.integers(200, 9000, 60).astype(float))
    level = rng.normal(130, 20, (60, 1)) + np.cumsum(rng.normal(0, 1, (1, 8)), axis=1)
    values = pd.DataFrame(level + rng.normal(0, 2, (60, 8)), columns=YEARS)
    sound = screen(values, students, share=False)
    values.loc[7, YEARS[4]] += 40
    flags = screen(values, students, share=False)
    first = flags.iloc[0]
    assert (first["unit"], first["year"], first["direction"], first["pattern"]) == (7, YEARS[4], "high", "out and back")
    assert first["departure"] == pytest.approx(40, abs=6), "in the unit of the figures"
    assert len(sound) <= 6
    dollars = screen(1000 * values, students, share=False)
    assert dollars["departure"].to_numpy() == pytest.approx(1000 * flags["departure"].to_numpy())
    told = [name for name in flags if name != "departure"]
    pd.testing.assert_frame_equal(dollars[told], flags[told], rtol=1e-6)
    assert screen(-values, students, share=False).iloc[0]["direction"] == "low"


def _counts(per_student, rng):
    """Return incidents per 100 students of 120 sound units, and their students; the rarer, the more are zero."""
    students = pd.Series(rng.integers(150, 6000, 120).astype(float))
    incidents = rng.poisson(np.outer(students * per_student, np.ones(8)))
    return pd.DataFrame(100 * incidents / students.to_numpy()[:, None], columns=YEARS), students


@pytest.mark.parametrize("share", [True, False])
def test_an_outcome_so_rare_that_most_figures_repeat_is_not_screened(share):
    rates, students = _counts(0.002, np.random.default_rng(3))
    assert can_screen(rates, students, share=share) and len(screen(rates, students, share=share)) <= 8
    for rarer in (0.0005, 0.0002, 0.00005):
        rates, students = _counts(rarer, np.random.default_rng(3))
        _assert_refused(rates, students, share)


def _assert_refused(rates, students, share):
    assert not can_screen(rates, students, share=share)
    with pytest.raises(BadInput, match="at most 20% of changes that are exactly zero; here are 8 years, 120 such"):
        screen(rates, students, share=share)


@pytest.mark.parametrize("mirrored", [False, True])
def test_shares_that_are_all_alike_as_log_odds_are_not_screened(mirrored):
    """Log-odds are kept off 0 and 100: below a twentieth of a percent, figures that differ do not move."""
    students = pd.Series(np.random.default_rng(3).integers(20_000, 60_000, 120).astype(float))
    rates = pd.DataFrame(np.random.default_rng(4).uniform(0.02, 0.045, (120, 8)), columns=YEARS)
    rates.iloc[:4, 4] = 0.09
    _assert_refused(100 - rates if mirrored else rates, students, True)
    assert can_screen(rates, students, share=False), "as counts per so many they move"


@pytest.mark.parametrize("share", [True, False])
def test_a_year_that_repeats_the_year_before_makes_no_change_beside_it_absurd(share):
    rng = np.random.default_rng(3)
    rates = pd.DataFrame(15 + rng.normal(0, 4, (120, 1)) + rng.normal(0, 1, (120, 8)), columns=YEARS)
    rates.loc[:114, YEARS[4]] = rates.loc[:114, YEARS[3]]
    flags = screen(rates, pd.Series(2000.0, index=rates.index), share=share)
    assert np.isfinite(flags[["z_in", "z_out"]]).all(axis=None)
    assert flags[["z_in", "z_out"]].abs().max(axis=None) < 50, "without a least variance it is 1e6 and more"


def test_a_year_without_any_figure_is_left_out_and_its_neighbors_meet(simulated):
    rates, students = simulated
    rates = rates.copy()
    rates.loc[7, YEARS[4]] += 15
    hole = rates.assign(**{YEARS[2]: np.nan})
    flags = screen(hole, students, companion_pct=100 - hole / 2)
    pd.testing.assert_frame_equal(flags, screen(hole.drop(columns=YEARS[2]), students, companion_pct=100 - hole / 2))
    assert (7, YEARS[4]) in list(zip(flags["unit"], flags["year"], strict=True))
    own = (100 - rates / 2).assign(**{YEARS[3]: np.nan})
    without = screen(rates, students, companion_pct=own.drop(columns=YEARS[3]))
    pd.testing.assert_frame_equal(screen(rates, students, companion_pct=own), without)
    alone = hole[[YEARS[1], YEARS[2], YEARS[3]]]
    assert not can_screen(alone, students), "two years are left"


def test_units_count_for_a_screen_where_students_and_two_figures_in_a_row_meet(simulated):
    rates, students = simulated
    apart = rates.loc[100:].reindex(rates.index)
    assert not can_screen(apart, students.where(students.index < 100)), "figures of some, students of others"
    alone = rates.where(np.arange(8) % 8 == np.arange(200)[:, None] % 8)
    assert not can_screen(alone, students), "no unit has two figures in a row"
    for figures, size in ((apart, students.where(students.index < 100)), (alone, students)):
        with pytest.raises(BadInput, match="12 units with students and figures of two years in a row"):
            screen(figures, size)
    few = students.where(students.index < 11, 0.0)
    assert not can_screen(rates, few) and can_screen(rates, few.where(few.index != 50, 900.0))
    some = students.where(students.index != 3, 0.0)
    assert screen(rates, some).equals(screen(rates, some.replace(0.0, np.nan))), "none is like no number"
