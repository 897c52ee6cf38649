"""The SIMULATED state: calibrated, seeded, with a truth that is computed and a ceiling that bites."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from leapstudy.core.errors import BadInput
from leapstudy.students.contract import STUDENT_MONTH
from leapstudy.students.files import is_simulated
from leapstudy.students.simulate import default_simulation, load_config, simulate, write_simulation
from leapstudy.students.simulate.blocks import days_absent, nominal, plans, recovered, student_ids, window

BASE = load_config()
SMALL = BASE.with_changes(districts={"0640011": 300, "0770011": 200, "1510011": 400})
FLAT = {
    f"effect__{key}": 15.0 for key in BASE.effect.model_dump() if key.startswith("month_") and key != "month_6_district"
}
FLAT |= {"effect__month_6_district": {}, "effect__null_district": False}


@pytest.fixture(scope="module")
def state():
    """The default state without effect, as arrays over all students."""
    blocks = list(simulate(BASE.with_changes(effect__path="zero")))
    return {
        name: np.concatenate([getattr(block, name) for block in blocks]) for name in ("absent", "grade", "cohort")
    } | {"days": blocks[0].days}


def test_attendance_chronic_absence_and_memory_are_those_of_connecticut(state):
    """Targets of the calibration: 93.2-93.7 %, 17.9-19.3 %, .66; margins are three simulation errors or so."""
    absent, days = state["absent"][:, :10], state["days"][:10]
    assert 93.0 < 100 * (1 - absent.sum() / (len(absent) * days.sum())) < 93.9
    k_12 = absent[state["grade"][:, 0] > 0]
    assert 17.5 < 100 * (10 * k_12.sum(axis=1) >= days.sum()).mean() < 19.8
    rate = absent / days
    neighbors = [np.corrcoef(rate[:, month], rate[:, month + 1])[0, 1] for month in range(9)]
    assert abs(np.mean(neighbors) - 0.66) < 0.02


def test_september_foretells_the_year(state):
    """Baltimore's finding: of those absent under 2, 2 to 4, over 4 days in September, 9 / 51 / 87 % become chronic."""
    absent, days = state["absent"][state["grade"][:, 0] > 0][:, :10], state["days"][:10]
    chronic, september = 10 * absent.sum(axis=1) >= days.sum(), absent[:, 0]
    groups = (september < 2, (september >= 2) & (september <= 4), september > 4)
    assert np.allclose([100 * chronic[group].mean() for group in groups], [9, 51, 87], atol=3)


def test_the_share_visited_is_the_one_asked_for(state):
    assert abs(np.mean(~np.isnat(state["cohort"])) - BASE.visits.share) < 0.01


@pytest.mark.parametrize(("rule", "worth"), [("random", 4.7), ("last_two_months", 11.0), ("worst", 13.5)])
def test_fifteen_nominal_points_are_worth_less_below_the_ceiling(rule, worth):
    """STUDENTS: 4.7 for random students, 11.0 and 13.5 for absent ones; one point for the unstated horizon."""
    gains = []
    for block in simulate(BASE.with_changes(visits__rule=rule, **FLAT)):
        event = (BASE.months[None, :] - block.cohort[:, None]).astype(float)
        gain = 100 * (block.absent_without - block.absent) / block.days
        gains.append(gain[(event >= 0) & (event <= 3)])
    assert abs(np.concatenate(gains).mean() - worth) < 1.0


def test_nobody_changes_before_the_visit_or_without_one_and_nobody_gets_worse():
    for block in simulate(SMALL):
        event = (SMALL.months[None, :] - block.cohort[:, None]).astype(float)
        gained = block.absent_without - block.absent
        assert (gained >= 0).all()
        assert (gained[~(event >= 0)] == 0).all()
        assert (block.absent <= block.days).all() and (block.absent >= 0).all()


@pytest.mark.parametrize(("pick", "sign"), [("lot", 0), ("trouble", 1)])
def test_further_visits_add_what_is_asked_and_staff_go_back_to_whom_they_would_pick(pick, sign):
    means = {}
    for worth in (0.0, 20.0):
        config = BASE.with_changes(
            districts={"0640011": 4000}, visits__pick=pick, effect__per_visit=worth, attrition__monthly=0.0, **FLAT
        )
        block = next(simulate(config))
        plan = plans(config, "0640011", block.referrals, block.absent_without, block.days)
        met = block.referrals.completed[plan.who]
        gained = (block.absent_without - block.absent)[plan.who].sum(axis=1)
        means[worth] = [gained[met & side].mean() for side in (plan.further == 0, plan.further > 0)]
    assert means[20.0][0] == pytest.approx(means[0.0][0], abs=1.0) and means[20.0][1] > means[0.0][1] + 2
    month = np.searchsorted(config.months, config.visit_months)[block.referrals.month[plan.who]]
    coming = block.absent_without[plan.who, np.minimum(month, len(config.months) - 1)]
    assert np.sign(np.round(np.corrcoef(plan.further, coming)[0, 1], 1)) == sign


def test_the_nominal_path_is_the_published_one():
    grade = np.array([3, 10, 3, 10])
    cohort = np.array(["2021-08", "2021-09", "2021-09", "NaT"], dtype="datetime64[M]")
    path = nominal(BASE, "0150011", grade, cohort)
    at = {str(month): column for column, month in enumerate(BASE.months)}
    assert path[0, at["2021-09"]] == 4 and path[0, at["2022-02"]] == 7 and path[0, at["2022-05"]] == 8
    assert path[1, at["2021-10"]] == 4 and path[1, at["2022-03"]] == 15 and path[1, at["2022-06"]] == 16
    assert path[2, at["2022-03"]] == 15 and path[2, at["2022-06"]] == 8
    assert (path[3] == 0).all() and (path[:, : at["2021-06"] + 1] == 0).all()
    assert nominal(BASE, "0640011", grade, cohort)[1, at["2022-03"]] == 30
    assert (nominal(BASE, BASE.null_code, grade, cohort) == 0).all()


def test_thinning_gives_the_lower_chance_and_no_day_that_was_not_missed():
    rng = np.random.default_rng(5)
    chance = np.full((40_000, 1), 0.3)
    absent = days_absent(chance, np.array([20]), 12, rng)
    after = recovered(absent, chance, np.full((40_000, 1), 10.0), rng)
    assert (after <= absent).all()
    assert abs(after.mean() / 20 - 0.2) < 0.002  # four standard errors


def test_days_absent_are_beta_binomial():
    """Variance n p (1 - p) (kappa + n) / (kappa + 1), of the textbook."""
    chance = expit(-1.0)
    draws = days_absent(np.full(200_000, chance), np.full(200_000, 20), 12, np.random.default_rng(1))
    assert abs(draws.mean() - 20 * chance) < 0.04
    expected = 20 * chance * (1 - chance) * (12 + 20) / (12 + 1)
    assert abs(draws.var() / expected - 1) < 0.02


@pytest.mark.parametrize(
    ("rule", "before", "expected"),
    [
        ("last_year", 10, (0, 10)),
        ("last_year", 14, (0, 10)),
        ("year_to_date", 10, (0, 10)),
        ("year_to_date", 14, (10, 14)),
        ("last_two_months", 11, (9, 11)),
        ("worst", 10, (8, 10)),
    ],
)
def test_each_rule_looks_at_its_own_months(rule, before, expected):
    seen = window(rule, before)
    assert (seen.start, seen.stop) == expected


@pytest.mark.parametrize("rule", ["last_year", "year_to_date", "last_two_months"])
def test_the_referred_met_the_rule_when_they_were_referred(rule):
    config = SMALL.with_changes(visits__rule=rule)
    for block in simulate(config):
        for student in np.flatnonzero(block.referrals.month >= 0):
            before = int((config.months < config.visit_months[block.referrals.month[student]]).sum())
            seen = window(rule, before)
            assert 10 * block.absent_without[student, seen].sum() >= block.days[seen].sum()


def test_pseudonyms_all_differ_and_are_out_of_order():
    ids = student_ids(0, 50_000, 1)
    assert len(set(ids)) == 50_000 and set(map(len, ids)) == {12}
    assert list(ids) != sorted(ids)


def test_equal_parameters_give_equal_files_and_another_seed_others(tmp_path):
    first, again = (write_simulation(tmp_path / f"{name}.parquet", SMALL) for name in "ab")
    other = write_simulation(tmp_path / "c.parquet", SMALL.with_changes(seed=1))
    assert first.panel.read_bytes() == again.panel.read_bytes()
    assert first.visits.read_bytes() == again.visits.read_bytes()
    assert first.truth.read_text() == again.truth.read_text() != other.truth.read_text()


def test_files_carry_the_mark_the_columns_and_the_truth(tmp_path):
    files = write_simulation(tmp_path / "state.parquet", SMALL)
    panel, visits = pd.read_parquet(files.panel), pd.read_parquet(files.visits)
    assert is_simulated(files.panel) and is_simulated(tmp_path / "*.parquet") and is_simulated(tmp_path)
    assert list(panel.columns) == [name for name in STUDENT_MONTH.names if name != "status"]
    assert (panel["days_attended"] <= panel["days_enrolled"]).all()
    met = visits[visits["completed"]].groupby("student")["visit_date"].min().astype("datetime64[s]").dt.to_period("M")
    in_panel = panel.dropna(subset="first_visit_month").groupby("student", observed=True)["first_visit_month"].first()
    in_panel = in_panel.astype("datetime64[s]").dt.to_period("M")
    assert (met.reindex(in_panel.index.astype(str)).to_numpy() == in_panel.to_numpy()).all()
    truth = pd.read_csv(files.truth, dtype={"district_code": "str"})
    cells, pooled = truth[truth["district_code"] != "ALL"], truth[truth["district_code"] == "ALL"]
    sums = cells.assign(total=cells["students"] * cells["effect_pp"]).groupby("event_time")[["total", "students"]].sum()
    assert np.allclose(sums["total"] / sums["students"], pooled.set_index("event_time")["effect_pp"], rtol=1e-8)
    assert (cells.loc[cells["district_code"] == SMALL.null_code, "effect_pp"] == 0).all()
    assert json.loads(files.manifest.read_text())["simulated"] is True


def test_who_stays_depends_on_attendance_only_when_asked():
    def gap(per_absence):
        config = BASE.with_changes(attrition__per_absence=per_absence, attrition__monthly=0.02, effect__path="zero")
        blocks = list(simulate(config))
        rate = np.concatenate([(b.absent / b.days).mean(axis=1) for b in blocks])
        stayed = np.concatenate([b.present[:, -1] for b in blocks])
        return rate[~stayed].mean() - rate[stayed].mean()

    assert abs(gap(0.0)) < 0.02 < 0.05 < gap(0.3)


def test_a_remote_month_shifts_the_whole_district():
    before, after = (
        np.concatenate([b.absent_without for b in simulate(SMALL.with_changes(remote__share=share))])
        for share in (0, 1)
    )
    assert after[:, :10].mean() > 1.2 * before[:, :10].mean()
    # only the first year is taught remotely; the second has other draws of the same law
    assert abs(after[:, 10:].mean() / before[:, 10:].mean() - 1) < 0.1


def test_the_default_state_is_made_once(tmp_path):
    files = default_simulation(SMALL, tmp_path)
    stamp = files.panel.stat().st_mtime_ns
    assert default_simulation(SMALL, tmp_path).panel.stat().st_mtime_ns == stamp
    assert default_simulation(SMALL.with_changes(seed=2), tmp_path).panel.stat().st_mtime_ns != stamp


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"visits__rule": "luck"}, "visits.rule"),
        ({"districts": {"064|0011": 5}}, "codes as the study has them"),
        ({"districts": {}}, "codes as the study has them"),
        ({"districts": {"0640011": 0}}, "districts.0640011: 0: .*greater than"),
        ({"absence__color": 1}, "absence: Unknown key: 'color'"),
        ({"dirt": {"mud": 0.1}}, "dirt.mud"),
        ({"school_days": (20,)}, "ten numbers"),
    ],
)
def test_parameters_are_checked(changes, says):
    with pytest.raises(BadInput, match=says):
        BASE.with_changes(**changes)


def test_codes_of_another_state_have_students_of_their_own():
    blocks = list(simulate(BASE.with_changes(districts={"01370000": 300, "K-12/a": 300, "0640011": 300})))
    students = np.concatenate([block.student for block in blocks])
    schools = [set(block.school) for block in blocks]
    assert len(set(students)) == 900 and not set.intersection(*schools)
    assert schools[1] == {"0640000"} and all(code.startswith("K-12/a") for code in schools[2])


def test_districts_of_one_stem_have_schools_of_their_own():
    """NCES codes 0900070 and 0900120 are of one state: every student of both was in school 0900000."""
    blocks = list(simulate(BASE.with_changes(districts={"0900070": 300, "0900120": 300, "090": 9, "0640011": 300})))
    schools = {block.district_code: set(block.school) for block in blocks}
    assert schools["0640011"] == {"0640000"} and len(set.union(*schools.values())) == 4
    assert schools["0900070"] == {"09000700000"}


def test_a_missing_file_and_a_wrong_ending_are_named(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.yml"):
        load_config(Path("nowhere.yml"))
    with pytest.raises(BadInput, match="parquet"):
        write_simulation(tmp_path / "state.csv", SMALL)
