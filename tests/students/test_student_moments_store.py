"""What is stored comes back bit by bit, and nothing made from something else is taken for it."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from moments_panels import in_engine, random_panel

from leapstudy.core.errors import BadInput
from leapstudy.evidence.privacy import audit, protect
from leapstudy.students.handle import StudentData
from leapstudy.students.moments.attrition import attrition_rates, attrition_table
from leapstudy.students.moments.expression import moments_of_panel
from leapstudy.students.moments.record import CELL_FIELDS
from leapstudy.students.moments.risk_sets import RiskDesign, risk_set_moments
from leapstudy.students.moments.store import Made, load_moments, load_sets, save_moments, save_sets

MADE = Made(data="a" * 64, strata=("grade_band",))


@pytest.fixture(scope="module")
def moments():
    return moments_of_panel(in_engine(random_panel(31)), strata=("grade_band",))


def _same(one, other):
    assert one.shift == other.shift and one.periods.tolist() == other.periods.tolist()
    for name in CELL_FIELDS:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_moments_come_back_as_they_were(tmp_path, moments):
    save_moments(tmp_path / "moments.parquet", moments, MADE)
    _same(load_moments(tmp_path / "moments.parquet", MADE), moments)
    assert [file.name for file in tmp_path.iterdir()] == ["moments.parquet"]


def test_risk_sets_come_back_as_they_were(tmp_path):
    design = RiskDesign((2,), (10,))
    sets = risk_set_moments(StudentData(in_engine(random_panel(32)), None, simulated=True), design)
    save_sets(tmp_path / "sets.parquet", sets, replace(MADE, design=repr(design)))
    back = load_sets(tmp_path / "sets.parquet", replace(MADE, design=repr(design)))
    assert list(back) == list(sets)
    for month, one in sets.items():
        _same(back[month], one)


@pytest.mark.parametrize("changed", [{"data": "b" * 64}, {"weights": "days"}, {"event": "referral"}, {"strata": ()}])
def test_moments_of_something_else_are_refused(tmp_path, moments, changed):
    save_moments(tmp_path / "moments.parquet", moments, MADE)
    with pytest.raises(BadInput, match=f"other {next(iter(changed))}"):
        load_moments(tmp_path / "moments.parquet", replace(MADE, **changed))


def test_a_changed_number_or_a_cut_file_is_refused(tmp_path, moments):
    path = tmp_path / "moments.parquet"
    save_moments(path, moments, MADE)
    table = pq.read_table(path)
    weight = table["weight"].to_numpy().copy()
    weight[0] += 1e-9
    place = table.column_names.index("weight")
    pq.write_table(table.set_column(place, "weight", [weight]), path)
    with pytest.raises(BadInput, match="changed after it was written"):
        load_moments(path, MADE)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadInput, match="cut off"):
        load_moments(path, MADE)
    with pytest.raises(BadInput, match="no other. Compute"):
        load_moments(tmp_path / "other", MADE)


def test_attrition_counts_equal_a_walk_over_rows():
    panel = random_panel(33)
    table = attrition_table(moments_of_panel(in_engine(panel)))
    first = panel.sort_values(["student", "month"]).drop_duplicates("student").set_index("student")
    for row in table.to_dict("records"):
        chosen = (first["district_code"] == row["district_code"]) & (
            first["first_visit_month"].notna() == row["visited"]
        )
        seen = {
            student: sorted(panel.loc[panel["student"] == student, "month"].dt.strftime("%Y-%m"))
            for student in first.index[chosen]
        }
        month, final = row["month"], table["month"].iloc[-1]
        assert row["students"] == len(seen)
        assert row["seen"] == sum(month in months for months in seen.values())
        assert row["entered"] == sum(months[0] == month for months in seen.values())
        assert row["left"] == sum(months[-1] == month != final for months in seen.values())
        assert row["away"] == sum(months[0] < month < months[-1] and month not in months for months in seen.values())


def test_shown_attrition_hides_small_groups():
    rates = attrition_rates(attrition_table(moments_of_panel(in_engine(random_panel(34, students=60)))))
    tables, names = {"attrition": rates}, ("district_code", "visited", "month")
    shown = protect(tables, names, measures=("percent",))
    small = (rates["denominator"] < 20) | (rates["numerator"] < 6)
    assert small.any() and shown["attrition"].loc[small, "percent"].isna().all()
    assert audit(shown, tables, names).empty
