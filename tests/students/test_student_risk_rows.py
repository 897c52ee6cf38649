"""Risk sets as rows: counted and averaged as a slow twin does, and the checks that rest on them held to a known truth."""

import numpy as np
import pandas as pd
import pytest

from leapstudy.students import risk_rows as module
from leapstudy.students.handle import open_students
from leapstudy.students.risk_rows import risk_rows, risk_sets
from leapstudy.students.simulate import load_config, write_simulation
from leapstudy.study.student_checks import REFERRED, VISITED, check_rows, checks

SMALL = {"0640011": 700, "0770011": 500}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    config = load_config().with_changes(districts=SMALL, school_size=60)
    files = write_simulation(tmp_path_factory.mktemp("rows") / "students.parquet", config)
    return files, open_students(files.panel, files.visits)


def _number(day) -> int:
    return 12 * day.year + day.month - 1


def test_rows_and_changes_are_those_of_a_slow_twin(opened):
    files, data = opened
    rows = risk_rows(risk_sets(data), (1, 6))
    panel = pd.read_parquet(files.panel)
    panel["t"] = [_number(day) for day in panel["month"]]
    panel["y"] = 100 * panel["days_attended"] / panel["days_enrolled"]
    first = panel.groupby("student", observed=True)["first_visit_month"].first().dropna().map(_number)
    rates = {
        student: dict(zip(own["t"], own["y"], strict=True)) for student, own in panel.groupby("student", observed=True)
    }
    months, picked, changes = sorted(panel["t"].unique()), 0, []
    for g in sorted(first.unique()):
        base = max((t for t in months if t < g), default=None)
        for student, own in rates.items():
            ends = first.get(student, np.inf)
            if base not in own or ends < g:
                continue
            picked += ends == g
            after = [y for t, y in own.items() if g + 1 <= t <= g + 6 and (ends == g or t < ends)]
            changes.append(np.mean(after) - own[base] if after else np.nan)
    assert rows.picked.sum() == picked and len(rows.change) == len(changes)
    assert np.nansum(rows.change) == pytest.approx(np.nansum(changes))
    assert np.isnan(rows.change).sum() == np.isnan(changes).sum()
    assert 0 < rows.exposure.max() < 1 and "numbers are not shown" in repr(rows)


def test_referrals_begin_before_who_is_met_is_known(opened):
    _, data = opened
    assert risk_rows(risk_sets(data, "referral"), (1, 6)).picked.sum() > risk_rows(risk_sets(data), (1, 6)).picked.sum()


def test_a_sample_keeps_every_visited_student(opened, monkeypatch):
    _, data = opened
    whole = risk_rows(risk_sets(data), (1, 6))
    monkeypatch.setattr(module, "MOST_ROWS", 2_000)
    some, again = risk_rows(risk_sets(data), (1, 6)), risk_rows(risk_sets(data), (1, 6))
    assert some.picked.sum() == whole.picked.sum()
    assert 1_600 < (~some.picked).sum() < 2_400 and np.array_equal(some.change, again.change, equal_nan=True)


def test_the_checks_stand_beside_the_headline(opened):
    files, data = opened
    table = checks(data, risk_sets(data))
    truth = pd.read_csv(files.truth, dtype={"district_code": "str"})
    inside = truth[(truth["district_code"] == "ALL") & truth["event_time"].between(1, 6)]
    effect = np.average(inside["effect_pp"], weights=inside["students"])
    assert (table["reason"] == "").all()
    assert table.loc[VISITED, "low_pp"] < effect < table.loc[VISITED, "high_pp"]
    assert 0 < table.loc[REFERRED, "estimate_pp"] < table.loc[VISITED, "estimate_pp"]
    assert check_rows(table, None) == ()
