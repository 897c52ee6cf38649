"""Chronic absence over thirteen years: figures traced by hand, published differences,
and pictures in which nothing meets.
"""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from own_files import change_yaml
from scipy.optimize import brentq, minimize

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_file
from leapstudy.data import long_series
from leapstudy.data.long_series import load_long_series
from leapstudy.data.raw import pin, read_bytes
from leapstudy.did.comparison import comparison_codes, treated_codes
from leapstudy.did.sample import Spec, belonging_of
from leapstudy.evidence.broken_series import screen
from leapstudy.study import over_years
from leapstudy.study.over_years import (
    LAST,
    MEAN,
    Question,
    contrasts_of,
    effects_of,
    event_study_of,
    flagged_years,
    sample_of,
    screen_of,
    synthetic_of,
)
from leapstudy.study.public import study_all, study_district
from leapstudy.study.result import jsonable
from leapstudy.words.appendix import checklist

OUTCOME = "chronic_absence"


@pytest.fixture(scope="module")
def series(study):
    return load_long_series(study.state, OUTCOME, pd.Index(study.districts["district_code"]))


def _question(study, series, comparison):
    treated = tuple(sorted(study.starts))
    sides = treated_codes(study, comparison, treated), comparison_codes(study, comparison)
    spec = Spec(comparison=comparison, outcome=OUTCOME)
    return Question(*sides, series.before, series.after("2021-22"), spec, belonging_of(study))


@pytest.mark.parametrize(
    ("comparison", "year", "estimate", "se"),
    [
        ("alliance", "2021-22", 2.38, 2.43),
        ("alliance", "2024-25", 1.45, 1.21),
        ("others", "2021-22", 6.33, 2.11),
        ("others", "2024-25", 4.42, 0.85),
        ("drg_gh", "2021-22", -0.64, 1.55),
        ("drg_gh", "2024-25", -1.02, 1.20),
    ],
)
def test_the_published_differences_since_the_last_year_before(study, series, comparison, year, estimate, se):
    effect = effects_of(_question(study, series, comparison), series.rates, draws=0)["points", LAST, (year,)]
    assert effect.estimate_pp == pytest.approx(estimate, abs=0.005)
    assert effect.se_pp == pytest.approx(se, abs=0.005)


def test_the_mean_of_eight_years_to_the_mean_of_four_by_hand(study, series):
    question = _question(study, series, "alliance")
    effect = effects_of(question, series.rates, draws=0)["points", MEAN, question.after]
    rates = series.rates
    change = rates[list(question.after)].mean(axis=1, skipna=False) - rates[list(question.before)].mean(
        axis=1, skipna=False
    )
    treated, others = change[list(question.treated)], change[list(question.comparison)].dropna()
    assert effect.estimate_pp == pytest.approx(treated.mean() - others.mean(), abs=1e-12)
    se = np.sqrt(treated.var() / len(treated) + others.var() / len(others))
    assert effect.se_pp == pytest.approx(se, abs=1e-12)
    odds = np.log(rates / (100 - rates))
    change = odds["2024-25"] - odds["2018-19"]
    by_hand = change[list(question.treated)].mean() - change[list(question.comparison)].dropna().mean()
    on_odds = effects_of(question, rates, draws=0)["logodds", LAST, ("2024-25",)]
    assert on_odds.test.estimate == pytest.approx(by_hand, abs=1e-12) and by_hand < 0


def test_the_newest_year_on_the_page_is_what_the_states_files_say(study, series):
    """From the cells as they stand in the two files; no table of this package in between."""
    codes = {"dtype": {"district_code": "str"}}
    old = pd.read_csv(paths.raw() / "csde_chronic_absence" / "chronic_absence.csv", **codes)
    new = pd.read_csv(paths.raw() / "csde_chronic_absence_2021_2025" / "chronic_absence.csv", **codes)
    last = new[(new["year"] == "2024-25") & (new["student_group"] == "All Students")].set_index("district_code")
    change = 100 * last["chronic_absence_rate"] - old.set_index("district_code")["2018-19"]
    question = _question(study, series, "alliance")
    by_hand = change[list(question.treated)].mean() - change[list(question.comparison)].mean()
    found = effects_of(question, series.rates, draws=0)["points", LAST, ("2024-25",)].test.estimate
    assert found == pytest.approx(by_hand, abs=1e-9) and by_hand == pytest.approx(1.4453, abs=5e-5)


def test_every_cell_is_used_set_aside_blank_or_the_states_own(series):
    used = int(series.rates.notna().sum().sum()) + len(series.whole_state)
    blank = 0
    for item in series.declared.series:
        frame = pd.read_csv(paths.raw() / item.file, dtype=str, keep_default_na=False)
        for column, wanted in item.where.items():
            frame = frame[frame[column] == wanted]
        cells = frame.filter(regex=f"^({item.columns})$") if item.columns else frame[[item.value]]
        blank += int((cells == "").sum().sum())
    assert used + len(series.aside) + blank == series.rows_in
    assert set(series.aside["why"]) == {
        "not in the table of units",
        "reporting error (99.96% attendance, 0.1% chronic absence)",
    }
    assert series.before[0] == "2011-12" and series.before[-1] == "2018-19" and "2019-20" not in series.before


def test_a_unit_effect_moves_nothing_and_an_added_effect_is_found(study, series):
    question = _question(study, series, "alliance")
    contrast = contrasts_of(question)[0]
    plain = sample_of(question, series.rates, contrast, "points")
    shifted = series.rates.add(pd.Series(np.arange(len(series.rates), dtype=float), index=series.rates.index), axis=0)
    again = sample_of(question, shifted, contrast, "points")
    assert again.change_treated == pytest.approx(plain.change_treated)
    later = series.rates.copy()
    later.loc[list(question.treated), "2021-22"] += 3
    moved = event_study_of(question, later, "points").table.set_index("year")["estimate_pp"]
    still = event_study_of(question, series.rates, "points").table.set_index("year")["estimate_pp"]
    assert moved["2021-22"] - still["2021-22"] == pytest.approx(3)
    assert moved.drop("2021-22").to_numpy() == pytest.approx(still.drop("2021-22").to_numpy())
    missing = series.rates.drop(index=question.treated[0])
    with pytest.raises(BadInput, match=question.treated[0]):
        sample_of(question, missing, contrast, "points")


def test_an_outcome_over_many_years_goes_by_larger_units_and_strata(study, series):
    """INVENTED parents: errors are by cluster, and a stratum's treated units are held against its own others."""
    plain = _question(study, series, "alliance")
    units = (*plain.treated, *plain.comparison)
    parents = {code: str(place % 8) for place, code in enumerate(units)}
    many = {code: str(place // 3) for place, code in enumerate(units)}

    def studied(nested, of):
        asked = replace(
            plain, spec=replace(plain.spec, nested=nested), belonging=replace(belonging_of(study), parents=of)
        )
        return event_study_of(asked, series.rates, "points").table.set_index("year")

    alone, clustered = event_study_of(plain, series.rates, "points").table.set_index("year"), studied("cluster", many)
    assert clustered["estimate_pp"].to_numpy() == pytest.approx(alone["estimate_pp"].to_numpy())
    assert (clustered["se_pp"] - alone["se_pp"]).abs().max() > 0.05, "not as if units were independent"
    change = series.rates["2024-25"] - series.rates["2018-19"]
    theirs = {
        stratum: change[[code for code in plain.comparison if parents[code] == stratum]] for stratum in parents.values()
    }
    by_hand = np.mean([change[code] - theirs[parents[code]].mean() for code in plain.treated])
    assert studied("stratum", parents).loc["2024-25", "estimate_pp"] == pytest.approx(by_hand)
    with pytest.raises(BadInput, match="declares no `parent`"):
        studied("cluster", {})


@pytest.fixture
def in_networks(tmp_path, monkeypatch):
    """Return code -> the INVENTED larger unit of its own side that each district belongs to in a workspace."""
    for name in ("data/raw", "params"):
        shutil.copytree(paths.root() / name, tmp_path / name)
    file = tmp_path / "data" / "raw" / "csde_districts" / "districts.csv"
    rows = pd.read_csv(file, dtype="str", keep_default_na=False)
    started = set(pd.read_csv(tmp_path / "data" / "raw" / "leap_facts" / "units.csv", dtype="str")["unit_code"])
    sides = rows["district_code"].isin(started)
    rows["network"] = [f"{side} {place}" for side, place in zip(sides, rows.groupby(sides).cumcount() % 9, strict=True)]
    rows.to_csv(file, index=False)
    pin(file.parent, {file.name: sha256_file(file)})
    state = yaml.safe_load((tmp_path / "params" / "state.yml").read_text(encoding="utf-8"))
    noun = {"en": ["network", "networks"], "es": ["red", "redes"]}
    columns = {**state["tables"]["districts"]["columns"], "network": {"kind": "text", "means": "INVENTED"}}
    parent = {"column": "network", "noun": noun}
    change_yaml(tmp_path / "params" / "state.yml", unit__parent=parent, tables__districts__columns=columns)
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(tmp_path))
    return dict(zip(rows["district_code"], rows["network"], strict=True))


def test_from_a_table_with_larger_units_to_the_outcome_over_many_years(in_networks, study):
    """Errors by cluster are worked by hand: of a side CR2 divides each cluster's squared sum by 1 less its share."""
    found, alone = (study_all(robust=False, nested=how) for how in ("cluster", "none"))
    points, others = (item.years.points.table.set_index("year") for item in (found, alone))
    assert points["estimate_pp"].to_numpy() == pytest.approx(others["estimate_pp"].to_numpy())
    rates = load_long_series(study.state, OUTCOME, pd.Index(study.districts["district_code"])).rates
    used = [*found.years.before, *found.years.after]
    whole = rates[used].dropna()
    sides = [sorted(study.starts), sorted(set(comparison_codes(study, "alliance")) & {*whole.index})]
    assert len(sides[0]) == found.years.n_treated and len(sides[1]) == found.years.n_comparison
    both = pd.Series({code: in_networks[code] for side in sides for code in side})
    assert both.nunique() == 17 < len(both), "nine with the program, eight without"
    for year in found.years.after:
        change, variance = whole[year] - whole[found.years.before[-1]], 0.0
        for side in sides:
            own = change[side] - change[side].mean()
            parts = own.groupby(both[side]).agg(["sum", "size"])
            variance += (parts["sum"] ** 2 / (1 - parts["size"] / len(side))).sum() / len(side) ** 2
        assert points.loc[year, "se_pp"] == pytest.approx(variance**0.5), year
        assert points.loc[year, "estimate_pp"] == pytest.approx(change[sides[0]].mean() - change[sides[1]].mean())
    rows = [row for row in found.years.estimates if row.comparison == "alliance" and row.estimator.startswith("did")]
    assert found.years.bounds == () == found.years.bounds_refused, "they take most of the time, and were not asked for"
    assert len(rows) > len(found.years.after) and {row.p_method for row in rows} == {"cluster_permutation"}
    assert found.years.headline_without == () or found.years.headline_without[0].p_method == "cluster_permutation"


def test_equal_figures_are_screened_once_and_changed_ones_anew(study, monkeypatch):
    calls = []
    monkeypatch.setattr(over_years, "_SCREENS", {})
    monkeypatch.setattr(over_years, "screen", lambda *frames, **named: calls.append(1) or screen(*frames, **named))
    first = flagged_years(study)
    again = flagged_years(replace(study, attendance=study.attendance.copy()))
    assert len(calls) == 2 and first.equals(again)
    again["z_in"] = 0.0
    assert flagged_years(study).equals(first) and len(calls) == 2
    moved = study.attendance.assign(rate=study.attendance["rate"].where(study.attendance.index > 0, 0.5))
    flagged_years(replace(study, attendance=moved))
    assert len(calls) > 2


def test_screens_are_kept_for_every_outcome_and_for_how_it_is_measured(monkeypatch):
    calls = []
    monkeypatch.setattr(over_years, "_SCREENS", {})
    monkeypatch.setattr(over_years, "screen", lambda *frames, **named: calls.append(1) or screen(*frames, **named))
    rng, students = np.random.default_rng(0), pd.Series(500.0, index=range(20))
    tables = [pd.DataFrame(20 + rng.normal(size=(20, 4)), columns=list("abcd")) for _ in range(20)]
    for _ in range(3):
        for table in tables:
            over_years._screened(table, students)
    assert len(calls) == 20
    shares, means = (over_years._screened(tables[0], students, share=share) for share in (True, False))
    assert len(calls) == 21, "a mean is no share"
    assert shares.equals(screen(tables[0], students)) and means.equals(screen(tables[0], students, share=False))
    monkeypatch.setattr(over_years, "MOST_SCREENS", 21)
    over_years._screened(tables[1], students)
    over_years._screened(tables[1] + 1, students)
    over_years._screened(tables[1], students)
    assert len(calls) == 22 and len(over_years._SCREENS) == 21, "what was not asked for longest goes"


def test_the_answer_carries_what_it_is_without_flagged_years(whole):
    years = whole.years
    without = {row.district: row for row in years.headline_without}
    assert without["without New Haven"].estimate_pp == pytest.approx(-0.0705, abs=5e-4)
    assert without["without New Haven"].se_pp == pytest.approx(0.39, abs=5e-3)
    points = years.unflagged[years.unflagged["scale"] == "points"].iloc[0]
    assert points["year"] == "2021-22" and points["estimate"] == pytest.approx(0.91, abs=0.005)
    # by hand: Welch's error of the 2018-19 to 2021-22 changes of 14 and 19 districts, t with 13 degrees of freedom
    assert (points["low"], points["high"]) == pytest.approx((-3.432, 5.245), abs=0.01)
    odds = years.unflagged[years.unflagged["scale"] == "logodds"].iloc[0]
    assert np.exp(odds[["estimate", "low", "high"]].astype(float)).to_numpy() == pytest.approx(
        [0.904, 0.723, 1.130], abs=1e-3
    )
    assert {(item.year, item.steps, item.n_pre, item.is_placebo) for item in years.bounds} == {("2021-22", 3, 7, False)}
    assert {row.outcome for row in years.estimates if row.estimator != "did_without_flagged"} == {OUTCOME}
    assert "+" in next(row.pre for row in years.estimates if row.pre.startswith("2011-12"))
    assert years.later.startswith("After 2022-23")


def test_the_interval_that_the_readme_quotes_is_where_a_slow_inversion_ends(whole, series):
    """By deals of its own: the effects that a studentized test of shuffled labels does not refuse."""
    rng = np.random.default_rng(4)
    years = whole.years
    row = next(
        item for item in years.estimates if item.estimator == "did" and (item.pre, item.post) == ("2018-19", "2021-22")
    )
    change = (series.rates["2021-22"] - series.rates["2018-19"])[
        [*sorted(whole.data.starts), *_others(years)]
    ].to_numpy()
    dealt = np.argsort(rng.random((20_000, len(change))), axis=1)

    def p_value(effect: float) -> float:
        moved = change - np.where(np.arange(len(change)) < 15, effect, 0.0)

        def t(y: np.ndarray) -> np.ndarray:
            one, other = y[..., :15], y[..., 15:]
            se = np.sqrt(one.var(axis=-1, ddof=1) / 15 + other.var(axis=-1, ddof=1) / (len(change) - 15))
            return np.abs(one.mean(axis=-1) - other.mean(axis=-1)) / se

        return float(np.mean(t(moved[dealt]) >= t(moved)))

    ends = [brentq(lambda effect: p_value(effect) - 0.05, *between, xtol=0.01) for between in ((-9, 2), (2.8, 14))]
    assert (row.ci_low_pp, row.ci_high_pp) == pytest.approx(ends, abs=0.15), "the deals' own error is 0.06"
    assert (row.ci_low_pp, row.ci_high_pp) == pytest.approx((-2.621, 7.379), abs=0.01)


def _others(years):
    return sorted(years.units["district_code"].unique())


def test_an_incomplete_year_is_shown_and_takes_no_part_in_the_joint_test(study, series, whole):
    question = _question(study, series, "alliance")
    without = event_study_of(question, series.rates, "points")
    assert "2019-20" in set(whole.years.points.table["year"]) and "2019-20" not in set(without.table["year"])
    assert whole.years.points.joint_p == pytest.approx(without.joint_p) and without.joint_p == pytest.approx(
        0.146, abs=1e-3
    )


def test_flags_cover_both_outcomes_and_directions(study):
    flags = flagged_years(study)
    assert set(flags["direction"]) == {"high", "low"} and set(flags["outcome"]) == {"attendance_rate", OUTCOME}
    named = set(zip(flags["district"], flags["year"], strict=True))
    assert {("New Haven", "2021-22"), ("Winchester", "2023-24"), ("Middletown", "2022-23")} <= named


def _control_by_hand(y, n_pre):
    """Return the slow twin's effect, and how many times it misses later as before.

    Weights on the simplex by a general optimizer, years scaled by their spread.
    """
    scale = y[:, :n_pre].std(axis=0, ddof=1)
    gap = lambda weights: ((y[0, :n_pre] - weights @ y[1:, :n_pre]) / scale) ** 2  # noqa: E731
    n = len(y) - 1
    best = minimize(
        lambda weights: gap(weights).sum(),
        np.full(n, 1 / n),
        method="SLSQP",
        bounds=[(0, 1)] * n,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        options={"maxiter": 2000, "ftol": 1e-14},
    )
    miss = y[0] - best.x @ y[1:]
    return float(miss[n_pre:].mean()), float((miss[n_pre:] ** 2).mean() / (miss[:n_pre] ** 2).mean())


def test_the_synthetic_control_is_the_slow_twins_and_refuses_a_district_beyond_all_others(study, series):
    whole = _question(study, series, "alliance")
    east, hartford = (replace(whole, treated=(code,)) for code in ("0430011", "0640011"))
    synthetic, rows = synthetic_of(east, series.rates, "East Hartford")
    rates = series.rates[[*east.before, *east.after]]
    y = np.vstack([rates.loc[["0430011"]], rates.loc[[*east.comparison]].dropna()])
    control = synthetic.method("synthetic_control")
    first = [[place, *np.delete(np.arange(len(y)), place)] for place in range(len(y))]
    effects, ratios = zip(*(_control_by_hand(y[order], len(east.before)) for order in first), strict=True)
    assert control.estimate_pp == pytest.approx(effects[0], abs=1e-3)
    assert control.p_value == pytest.approx(np.mean(np.array(ratios) >= ratios[0])), "every unit in its place"
    assert [row.estimator for row in rows] == ["sdid", "synthetic_control"] and control.p_floor == 1 / len(y)
    assert (rows[0].pre, rows[0].post) == ("+".join(east.before), "+".join(east.after))
    years = list(hartford.before)
    assert (series.rates.loc["0640011", years] > series.rates.loc[[*hartford.comparison], years].max()).all()
    beyond, rows = synthetic_of(hartford, series.rates, "Hartford")
    assert "No weights" in beyond.method("synthetic_control").refusal and [row.estimator for row in rows] == ["sdid"]
    assert beyond.method("sdid_placebo").estimate_pp is not None
    with pytest.raises(BadInput, match="one treated unit"):
        synthetic_of(whole, series.rates, "all")


def test_the_series_is_read_once_and_again_where_a_file_has_changed(study, tmp_path, monkeypatch):
    shutil.copytree(paths.raw(), tmp_path / "raw")
    monkeypatch.setattr(paths, "raw", lambda: tmp_path / "raw")
    read = []
    monkeypatch.setattr(long_series, "read_bytes", lambda *where: read.append(where) or read_bytes(*where))
    units = pd.Index(study.districts["district_code"])
    first = load_long_series(study.state, OUTCOME, units)
    first.rates.iloc[:, :] = 0.0
    second = load_long_series(study.state, OUTCOME, units)
    assert len(read) == len(first.declared.series)
    assert np.nanmax(second.rates.to_numpy()) > 1, "no caller changes another's"
    file = tmp_path / "raw" / first.declared.series[0].file
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(BadInput, match="was changed"):
        load_long_series(study.state, OUTCOME, units)


def test_an_outcome_that_cannot_be_screened_says_so(study, whole):
    assert screen_of(study, Spec(), "ALL", whole.years) is None, "the outcome over many years carries the flags"
    found = screen_of(study, Spec(outcome="attendance_rate_high_needs"), "ALL", whole.years)
    assert found.refused and found.flags.empty and found.headline_without == ()
    answer = study_district("hartford", outcome="attendance_rate_high_needs")
    told = {item.title: item.answer for item in checklist(jsonable({**answer.parts, "made": {}}))}
    said = "No screen for broken series can be made of attendance of students with high needs"
    assert said in told["Composition and missing figures"]


def test_a_state_of_too_few_units_for_a_screen_is_answered_without_one(monkeypatch):
    monkeypatch.setattr("leapstudy.evidence.broken_series.FEWEST", 10_000)
    monkeypatch.setattr("leapstudy.data.load._LOADED", {})  # tables that no test has asked about
    answer = study_district("hartford")
    assert answer.years is not None and answer.years.flags.empty
    assert answer.screen is not None and answer.screen.refused
    told = {item.title: item.answer for item in checklist(jsonable({**answer.parts, "made": {}}))}
    assert "No screen for broken series can be made of attendance" in str(told["Composition and missing figures"])
