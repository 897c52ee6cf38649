"""Risk sets as rows: counted and averaged as a slow twin does,
and the checks that rest on them held to a known truth.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from leapstudy.students import risk_rows as module
from leapstudy.students.handle import open_students
from leapstudy.students.lookback import at_risk_shares
from leapstudy.students.referral_rule import ReferralRule, find_rules
from leapstudy.students.risk_changes import BAND_EDGES
from leapstudy.students.risk_rows import risk_rows, risk_sets
from leapstudy.students.simulate import load_config, write_simulation
from leapstudy.study.student_outcomes import REFERRED, VISITED, beside_unexposed, check_rows, checks, effect_of_rows

SMALL = {"0640011": 700, "0770011": 500}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    config = load_config().with_changes(districts=SMALL, school_size=60)
    files = write_simulation(tmp_path_factory.mktemp("rows") / "students.parquet", config)
    return files, open_students(files.panel, files.visits)


def _rules(data):
    return find_rules(at_risk_shares(data))


def _number(day) -> int:
    return 12 * day.year + day.month - 1


def _twin(files) -> pd.DataFrame:
    """Return who is at risk when, in plain loops: student, g, ends, band, waiting, rates, base.

    One rule for all: its window is the last two school months.
    """
    panel, log = pd.read_parquet(files.panel), pd.read_parquet(files.visits)
    panel["t"] = [_number(day) for day in panel["month"]]
    first = panel.groupby("student", observed=True)["first_visit_month"].first().dropna().map(_number)
    referral = log.groupby("student", observed=True)["referral_date"].min().map(_number)
    months, rows = sorted(panel["t"].unique()), []
    for (student, code), own in panel.groupby(["student", "district_code"], observed=True):
        days = {
            t: (enrolled, attended) for t, enrolled, attended in own[["t", "days_enrolled", "days_attended"]].to_numpy()
        }
        for g in sorted(first.unique()):
            base = max((t for t in months if t < g), default=None)
            ends = first.get(student, np.inf)
            if base in days and ends >= g:
                seen = [days[t] for t in months[: months.index(base) + 1][-2:] if t in days]
                enrolled, attended = np.sum(seen, axis=0)
                band = np.digitize(100 * (enrolled - attended) / enrolled, BAND_EDGES)
                rates = {t: 100 * there / of for t, (of, there) in days.items()}
                rows.append((student, code, g, base, ends, band, referral.get(student, np.inf) < g, rates))
    columns = ["student", "code", "g", "base", "ends", "band", "waiting", "rates"]
    return pd.DataFrame(rows, columns=columns).assign(picked=lambda made: made["ends"] == made["g"])


def test_rows_changes_and_weights_are_those_of_a_slow_twin(opened):
    files, data = opened
    rule = ReferralRule("ALL", "last_two_months", 10, 1.0, 0.0, 0.1, 100)
    rows, twin = risk_rows(risk_sets(data, [rule]), (1, 6)), _twin(files)
    stratum = ["code", "band", "waiting"]
    twin["chance"] = twin.groupby(["g", *stratum])["picked"].transform("mean")
    twin = twin[twin.groupby(stratum)["picked"].transform("any")]
    changes, weights = [], []
    own = {student: rows[["g", "chance"]].to_numpy().tolist() for student, rows in twin.groupby("student")}
    for row in twin.itertuples():
        after = [y for t, y in row.rates.items() if row.g + 1 <= t <= row.g + 6]
        stays = row.picked or row.ends > row.g + 6
        changes.append(np.mean(after) - row.rates[row.base] if after and stays else np.nan)
        chance = [1 - chance for g, chance in own[row.student] if row.g < g <= row.g + 6]
        weights.append(1 / np.prod([one for one in chance if one > 0]) if stays and not row.picked else 1.0)
    used = np.isfinite(changes)
    assert rows.picked.sum() == twin["picked"].sum() and len(rows.change) == len(twin)
    assert np.isfinite(rows.change).sum() == used.sum()
    seen = np.isfinite(rows.change)
    assert rows.change[seen].sum() == pytest.approx(np.array(changes)[used].sum())
    assert (rows.weight * rows.change)[seen].sum() == pytest.approx((np.array(weights) * changes)[used].sum())
    assert rows.weight[seen & ~rows.picked].max() > 1.2 and (rows.weight[rows.picked] == 1).all()
    assert 0 < rows.exposure.max() < 1 and "numbers are not shown" in repr(rows)


def test_referrals_begin_before_who_is_met_is_known(opened):
    _, data = opened
    referred, visited = (risk_rows(risk_sets(data, _rules(data), event), (1, 6)) for event in ("referral", "visit"))
    assert referred.picked.sum() > visited.picked.sum()


def test_a_side_is_sampled_beyond_its_most_rows_and_whole_below(opened, monkeypatch):
    _, data = opened
    rules = _rules(data)
    whole = risk_rows(risk_sets(data, rules), (1, 6))
    picked = int(whole.picked.sum())
    for most, expected in ((picked, picked), (picked // 2, picked / 2)):
        monkeypatch.setattr(module, "MOST_ROWS", most)
        some = risk_rows(risk_sets(data, rules), (1, 6))
        spread = 0 if expected == picked else 4 * np.sqrt(expected / 2)
        assert abs(some.picked.sum() - expected) <= spread
        assert abs((~some.picked).sum() - most) <= 4 * np.sqrt(most)
        # what weighs a row, and how exposed it is, follows from all rows, also those that were not drawn
        assert _weighed(some) <= _weighed(whole) and len(_weighed(some)) > 20
    again = risk_rows(risk_sets(data, rules), (1, 6))
    assert np.array_equal(some.change, again.change, equal_nan=True), "whoever asks draws the same"


def _weighed(rows):
    return {tuple(row) for row in np.round(np.c_[rows.change, rows.weight, rows.exposure], 6) if np.isfinite(row[0])}


def test_the_checks_stand_beside_the_headline(opened):
    files, data = opened
    table = checks(data, risk_sets(data, _rules(data)), _rules(data))
    truth = pd.read_csv(files.truth, dtype={"district_code": "str"})
    inside = truth[(truth["district_code"] == "ALL") & truth["event_time"].between(1, 6)]
    effect = np.average(inside["effect_pp"], weights=inside["students"])
    assert (table["reason"] == "").all()
    assert table.loc[VISITED, "low_pp"] < effect < table.loc[VISITED, "high_pp"]
    assert 0 < table.loc[REFERRED, "estimate_pp"] < table.loc[VISITED, "estimate_pp"]
    assert check_rows(table, None) == ()


def test_a_district_without_an_unexposed_school_is_left_out_of_that_check_alone():
    """A small district of one school, which had its share of visits, must not refuse the check for all others."""
    rng = np.random.default_rng(8)
    n, district = 600, np.repeat([0, 1, 2], [280, 280, 40])
    school = np.where(district == 2, 9, rng.integers(0, 4, n) + 4 * district)
    picked, before = rng.random(n) < 0.3, rng.normal(85, 4, n)
    rows = SimpleNamespace(
        change=2.0 * picked - 0.3 * before + rng.normal(0, 1, n),
        picked=picked,
        history=np.column_stack([before, *(district == place for place in range(3))]),
        school=school,
        student=np.arange(n),
        weight=np.ones(n),
        exposure=np.where(school % 4 == 1, 0.1, -0.1),
    )
    used = beside_unexposed(rows)
    assert set(district[used]) == {0, 1} and set(district[picked & ~used]) == {2}
    assert not (rows.exposure[used & ~picked] > 0).any() and (rows.exposure[used & picked] > 0).any()
    found = effect_of_rows(rows, "few", beside_unexposed)
    assert found.low < 2 < found.high and found.n_treated == (picked & (district < 2)).sum()
    rows.student = np.where(picked, rows.student, rows.student // 3)
    assert effect_of_rows(rows, "few").n_comparison == len(set(rows.student[~picked])) < 250, "not three rows of each"


def test_most_schools_may_be_exposed_alike_and_the_others_are_those_compared_with():
    exposure = np.array([0.2, 0.2, 0.2, -0.1, 0.2])
    rows = SimpleNamespace(picked=np.zeros(5, dtype=bool), exposure=exposure, history=np.ones((5, 1)))
    assert beside_unexposed(rows).tolist() == [False, False, False, True, False]
    rows.exposure = np.full(5, 0.2)
    assert not beside_unexposed(rows).any(), "exposed alike, nobody is less so"
    rows.exposure = np.array([0.2, -0.1, -0.1, -0.1, 0.2])
    assert beside_unexposed(rows).tolist() == [False, True, True, True, False]
