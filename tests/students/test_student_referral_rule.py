"""The referral rule is found in the log, and the placebo program applies it where nobody was visited."""

import numpy as np
import pandas as pd
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.students import eligible
from leapstudy.students.engine import connect
from leapstudy.students.handle import engine_table, open_students
from leapstudy.students.lookback import MONTHS_AFTER, at_risk_shares, lookbacks, months_behind, placebo_program
from leapstudy.students.referral_rule import WINDOWS, ReferralRule, as_shown, find_rules
from leapstudy.students.risk_changes import BAND_EDGES
from leapstudy.students.simulate import load_config, write_simulation

BASE = load_config().with_changes(districts={"0640011": 900, "0770011": 700})


def _open(folder, rule="last_two_months", **changes):
    files = write_simulation(folder / "state.parquet", BASE.with_changes(visits__rule=rule, **changes))
    return open_students(files.panel, visits=files.visits, con=connect(threads=1))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return _open(tmp_path_factory.mktemp("state"), attrition__monthly=0.03)


@pytest.fixture(scope="module")
def rules(data):
    return find_rules(at_risk_shares(data))


def _rows(table):
    """Rows for the tests' slow twins; the package itself never does this."""
    return table.to_pandas().assign(month=lambda rows: pd.to_datetime(rows["month"]))


def test_a_share_exactly_on_an_edge_is_on_it(tmp_path):
    """17.1 of 19 days attended are 10 percent missed; as floats they are 9.99999."""
    con = connect(threads=1)
    exact = [(days, edge) for days in range(5, 240) for edge in BAND_EDGES if days * edge % 10 == 0]  # tenths of a day
    rows = pd.DataFrame(
        {
            "student": [f"{days}/{edge}" for days, edge in exact],
            "edge": [edge for _, edge in exact],
            "district_code": "0640011",
            "month": pd.Timestamp("2020-09-01").date(),
            "days_enrolled": [days / 10 for days, _ in exact],
            "days_attended": [days / 10 - days * edge / 1000 for days, edge in exact],
        }
    )
    later = rows.assign(month=pd.Timestamp("2020-10-01").date())
    pd.concat([rows, later]).to_parquet(tmp_path / "panel.parquet")
    found = lookbacks(con.read_parquet(tmp_path / "panel.parquet")).to_pandas().set_index("student")
    assert len(rows) > 300
    assert (found["last_month"] == rows.set_index("student")["edge"].reindex(found.index)).all()


def test_a_lookback_worked_by_hand(tmp_path):
    con = connect(threads=1)
    days = {"2020-09": (20, 18), "2020-10": (20, 20), "2021-06": (10, 5), "2021-09": (20, 10), "2021-10": (20, 20)}
    rows = pd.DataFrame(
        {
            "student": "a",
            "district_code": "0640011",
            "month": pd.to_datetime([f"{month}-01" for month in days]).date,
            "days_enrolled": [float(enrolled) for enrolled, _ in days.values()],
            "days_attended": [float(attended) for _, attended in days.values()],
        }
    )
    other = rows.head(3).assign(student="b", days_attended=rows["days_enrolled"])
    gap = other[other["month"] != rows["month"][1]]
    pd.concat([rows, gap]).to_parquet(tmp_path / "panel.parquet")
    found = lookbacks(con.read_parquet(tmp_path / "panel.parquet")).to_pandas().sort_values(["student", "month"])
    one = found[found["student"] == "a"].set_index("position")
    assert one["last_month"].tolist() == [10, 0, 50, 50]
    assert one["last_two_months"].tolist() == [10, 5, 100 * 5 / 30, 50]
    assert one["year_to_date"].tolist() == [10, 5, 100 * 7 / 50, 50], "decided in September it is the whole year before"
    assert one["last_year"].isna().tolist() == [True, True, False, False] and one["last_year"].iat[-1] == 14
    june = found[(found["student"] == "b") & (found["position"] == 3)]
    assert june["last_month"].tolist() == [0] and june["last_two_months"].tolist() == [0], "October was missed"


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_takes_no_more_than_the_months_behind_it(data, window):
    last, months = "2022-02", eligible.months(data)
    behind = months_behind(window, last, months)

    def at_last(within):
        rows = _rows(lookbacks(engine_table(data), within=within))
        return rows[rows["month"] == pd.Timestamp(last)].set_index("student").sort_index()

    some, every = at_last(behind), at_last(())
    assert len(some) > 100 and len(behind) < len(months) and some["position"].equals(every["position"])
    assert some[window].equals(every[window])
    if window not in ("last_month", "year_to_date"):
        assert not at_last(behind[1:])[window].equals(every[window]), "the first of them counts, too"


def test_lookbacks_equal_a_slow_twin(data):
    rows = _rows(engine_table(data))
    months = np.sort(rows["month"].unique())
    rows["position"] = np.searchsorted(months, rows["month"])
    grid = {
        name: rows.pivot(index="student", columns="position", values=name)
        for name in ("days_enrolled", "days_attended")
    }
    missed = grid["days_enrolled"] - grid["days_attended"]
    found = _rows(lookbacks(engine_table(data))).set_index(["student", "position"])
    for student in missed.index[::150]:
        for position in (2, 9, 10, 14):
            if np.isnan(missed.loc[student, position - 1]):
                continue
            year = slice(0, 9) if position == 10 else slice(position // 10 * 10, position - 1)
            for window, span in (("last_two_months", slice(position - 2, position - 1)), ("year_to_date", year)):
                expected = 100 * missed.loc[student, span].sum() / grid["days_enrolled"].loc[student, span].sum()
                assert np.isclose(found.loc[(student, position), window], expected, equal_nan=True)


@pytest.mark.parametrize("rule", ["random", "last_year", "year_to_date", "last_two_months"])
def test_the_rule_of_the_simulation_is_found_in_its_log(rule, rules, tmp_path):
    for found in rules if rule == "last_two_months" else find_rules(at_risk_shares(_open(tmp_path, rule))):
        assert (found.window, found.percent) == (rule, 10) if rule != "random" else not found.found
        assert found.caught == 1 and found.leaves_overlap


def test_the_worst_are_seen_to_be_picked_almost_without_comparison(tmp_path):
    found = find_rules(at_risk_shares(_open(tmp_path, "worst")))[-1]
    assert found.window == "last_two_months" and found.percent >= 15 and found.monthly > 0.3
    assert not found.leaves_overlap


def test_a_rule_by_hand():
    shares = pd.DataFrame(
        [
            ("1", window, percent, at_risk, referred)
            for window in WINDOWS
            for percent, at_risk, referred in ((0, 80, 1), (10, 10, 4), (20, 10, 5))
        ],
        columns=["district_code", "window", "percent", "at_risk", "referred"],
    )
    own, everyone = find_rules(shares)
    assert own == ReferralRule("1", "last_month", 10, 0.9, 11 / 90, 9 / 20, 10)
    assert own.words() == "10% or more of days missed over the last month" and everyone.district_code == "ALL"
    assert np.isclose(own.fit, 0.9 - 11 / 90)


def test_shares_count_each_referral_once_and_nobody_after_it(data):
    shares = at_risk_shares(data)
    two = shares[shares["window"] == "last_two_months"]
    referred = sum(rule.referred for rule in find_rules(shares)[:-1])
    assert two["referred"].sum() == referred and (shares["referred"] <= shares["at_risk"]).all()


def test_the_placebo_program_has_no_visit_and_only_students_who_meet_the_rule(data, rules):
    panel, placebo = _rows(engine_table(data)), placebo_program(data, rules, 1)
    rows = _rows(engine_table(placebo))
    start = pd.to_datetime(panel["first_visit_month"]).min()
    assert (rows["month"] < start).all() and len(rows) == (panel["month"] < start).sum()
    seen = _rows(lookbacks(engine_table(placebo)))
    picked = rows[["student", "first_visit_month"]].dropna().drop_duplicates().set_axis(["student", "decided"], axis=1)
    at_pick = picked.assign(decided=pd.to_datetime(picked["decided"])).merge(
        seen.assign(decided=pd.to_datetime(seen["decided"])), on=["student", "decided"]
    )
    assert (at_pick["last_two_months"] >= 10).all() and len(at_pick) == placebo.size.visited > 50
    assert at_pick["position"].max() == seen["position"].max() - MONTHS_AFTER


def test_the_draw_depends_on_the_seed_and_on_nothing_else(data, rules):
    cohorts = [
        _rows(engine_table(placebo_program(data, rules, seed))).groupby("student")["first_visit_month"].max()
        for seed in (1, 1, 2)
    ]
    assert cohorts[0].equals(cohorts[1]) and not cohorts[0].equals(cohorts[2])


def test_the_draw_takes_the_rules_monthly_share(data, rules):
    rows = _rows(lookbacks(engine_table(placebo_program(data, rules, 3))))
    at_risk = (rows["last_two_months"] >= 10) & rows["position"].between(1, rows["position"].max() - MONTHS_AFTER)
    picked = placebo_program(data, rules, 3).size.visited
    expected = rules[-1].monthly * at_risk.sum()
    assert 0.6 * expected < picked < 1.05 * expected, "a little fewer, since nobody is picked twice"


def test_a_file_that_begins_with_the_program_has_no_placebo(tmp_path, data, rules):
    late = _rows(engine_table(data)).query("month >= '2021-04-01'")
    late.assign(first_visit_month=pd.to_datetime(late["first_visit_month"])).to_parquet(tmp_path / "late.parquet")
    with pytest.raises(BadInput, match="earlier school year"):
        placebo_program(open_students(tmp_path / "late.parquet", con=connect(threads=1)), rules, 1)


@pytest.mark.parametrize(
    ("caught", "referred", "shown"),
    [(1.0, 800, (1.0, False)), (0.995, 800, (0.9925, True)), (0.998, 9000, (0.99, False))],
)
def test_few_who_do_not_meet_the_rule_are_not_counted_out(caught, referred, shown):
    rule = as_shown(ReferralRule("1", "last_month", 10, caught, 0.1, 0.1, referred))
    assert (rule.caught, rule.nearly_all) == shown
