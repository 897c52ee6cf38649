"""Outcomes beyond attendance: what is refused, each on its own clock,
and effects held to the SIMULATED state's truth.
"""

import numpy as np
import pandas as pd
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.did.permutation import holm
from leapstudy.students.contract import OUTCOME_NAMES, Reading
from leapstudy.students.handle import open_students
from leapstudy.students.lookback import at_risk_shares
from leapstudy.students.outcomes import KINDS, open_outcomes, outcome_points
from leapstudy.students.referral_rule import find_rules
from leapstudy.students.risk_rows import WITHIN, risk_rows, risk_sets
from leapstudy.students.rules import OUTCOME_RULES
from leapstudy.students.settings import load_settings
from leapstudy.students.simulate import load_config, write_simulation
from leapstudy.study import student_outcomes
from leapstudy.study.student_outcomes import NOT_HELD, outcome_effects


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    config = load_config().with_changes(
        districts={"0640011": 1200, "0770011": 800}, school_size=60, attrition__monthly=0.01, visits__first="2021-07"
    )
    files = write_simulation(tmp_path_factory.mktemp("outcomes") / "students.parquet", config)
    return files, open_students(files.panel, files.visits)


def test_the_contract_and_the_kinds_name_the_same_outcomes():
    assert tuple(KINDS) == OUTCOME_NAMES and all(kind.trap for kind in KINDS.values())


def _spoilt(rows: pd.DataFrame, fault: str) -> pd.DataFrame:
    rows = rows.astype({"outcome": "str", "status": "str"}).copy()
    if fault == "unknown_outcome":
        rows.loc[0, "outcome"] = "TELLTALE"
    elif fault == "backward":
        rows.loc[0, "period_end"] = rows.loc[0, "period_start"] - pd.Timedelta(days=1)
    elif fault == "out_of_range":
        rows.loc[0, "of"] = 0.0
    elif fault == "twice":
        rows = pd.concat([rows, rows.head(1)], ignore_index=True)
    elif fault == "mixed_status":
        rows.loc[0, "status"] = "year_to_date"
    return rows


FAULTS = [rule.id for rule in OUTCOME_RULES if rule.severity == "error" and rule.id not in ("no_student", "unreadable")]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_outcome_is_refused_without_showing_a_cell(opened, tmp_path, fault):
    files, data = opened
    rows = pd.read_parquet(files.outcomes).head(400)
    rows = rows.assign(**{name: pd.to_datetime(rows[name]) for name in ("period_start", "period_end")})
    _spoilt(rows, fault).to_csv(tmp_path / "outcomes.csv", index=False)
    with pytest.raises(BadInput, match=fault.replace("_", ".")) as refused:
        open_outcomes(data, tmp_path / "outcomes.csv", Reading())
    assert "TELLTALE" not in str(refused.value) and "~P" not in str(refused.value)


@pytest.mark.parametrize("name", ["grades", "enrolled"])
def test_before_and_after_are_those_of_a_slow_twin(opened, name):
    files, data = opened
    rows = risk_rows(
        risk_sets(data, find_rules(at_risk_shares(data))),
        (1, WITHIN),
        outcome=outcome_points(open_outcomes(data, files.outcomes, Reading()), name),
        take=KINDS[name].take,
    )
    table = pd.read_parquet(files.outcomes)
    table = table[table["outcome"] == name]
    number = {
        column: [12 * day.year + day.month - 1 for day in table[column]] for column in ("period_start", "period_end")
    }
    table = table.assign(s=number["period_start"], t=number["period_end"], y=100 * table["value"] / table["of"])
    panel = pd.read_parquet(files.panel)
    first = panel.groupby("student", observed=True)["first_visit_month"].first().dropna()
    first = first.map(lambda day: 12 * day.year + day.month - 1)
    seen = panel.groupby("student", observed=True)["month"].agg(set)
    months = sorted({12 * day.year + day.month - 1 for day in panel["month"]})
    changes = []
    for student, own in table.groupby("student", observed=True):
        g = first.get(student)
        if g is None:
            continue
        base = max((t for t in months if t < g), default=None)
        if base is None or not any(12 * day.year + day.month - 1 == base for day in seen[student]):
            continue
        before, after = own[own["t"] < g].sort_values("t"), own[own["s"] > g].sort_values("t")
        after = after if name == "grades" else after[after["t"] - g <= WITHIN]
        if len(before) and len(after):
            changes.append(after["y"].iloc[0 if name == "grades" else -1] - before["y"].iloc[-1])
    picked = rows.change[rows.picked]
    assert np.isfinite(picked).sum() == len(changes)
    assert np.nansum(picked) == pytest.approx(np.sum(changes), rel=1e-5)


def test_effects_cover_the_truth_and_are_corrected(opened, monkeypatch):
    files, data = opened
    monkeypatch.setattr(student_outcomes, "input_files", lambda _: {"outcomes": files.outcomes})
    sets = risk_sets(data, find_rules(at_risk_shares(data)))
    table = outcome_effects(data, sets, load_settings(), "attendance").set_index("outcome")
    truth = pd.read_csv(files.outcome_truth).set_index("outcome")["effect_pp"]
    assert truth["grades"] > 1 and truth["chronic_absence"] < 0 and truth["enrolled"] == 0
    assert set(table.index[table["reason"] == ""]) == set(KINDS)
    assert (table["p_holm"] >= table["p_value"]).all() and not table["primary"].any()
    assert table["p_holm"].tolist() == pytest.approx(holm(table["p_value"]))
    for name, row in table.iterrows():
        assert row["low_pp"] < truth[name] < row["high_pp"], name
    with monkeypatch.context() as patch:
        patch.setattr(student_outcomes, "open_outcomes", lambda *asked: _marks(open_outcomes(*asked)))
        marks = outcome_effects(data, sets, load_settings(), "attendance").set_index("outcome")
    assert marks["reason"].to_dict() == {name: "" if name == "grades" else NOT_HELD for name in KINDS}, "none is a few"
    planned = outcome_effects(data, sets, load_settings(), "chronic_absence").set_index("outcome")
    first, others = planned.loc["chronic_absence"], planned.drop("chronic_absence")
    assert planned.index[0] == "chronic_absence" and first["p_holm"] == first["p_value"]
    assert set(others.index) == {"attendance", *KINDS} - {"chronic_absence"}
    assert others["p_holm"].tolist() == pytest.approx(holm(others["p_value"]))


def _marks(table):
    return table.filter(table.outcome == "grades")


def test_graduation_is_refused_with_the_reason():
    with pytest.raises(BadInput, match="Graduation has no before"):
        outcome_points(None, "graduation")
