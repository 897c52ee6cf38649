"""Moments from the engine are the sums that a slow walk over rows gives."""

import numpy as np
import pandas as pd
import pytest
from moments_panels import MONTHS, assert_equal, in_engine, random_panel, twin

from leapstudy.core.errors import BadInput
from leapstudy.students.engine import connect
from leapstudy.students.handle import open_students
from leapstudy.students.moments import pivot
from leapstudy.students.moments.pivot import moments_of, moments_of_panel
from leapstudy.students.moments.record import NEVER
from leapstudy.students.risk_rows import panel_by
from leapstudy.students.simulate import load_config, write_simulation

SMALL = load_config().with_changes(districts={"0640011": 300, "0770011": 60})


@pytest.mark.parametrize("seed", [0, 1])
def test_unbalanced_panels_equal_the_slow_twin(seed):
    panel = random_panel(seed)
    found = moments_of_panel(in_engine(panel))
    assert_equal(found, twin(panel))
    assert found.students.sum() == panel["student"].nunique()


def test_the_moments_of_two_files_add_up_to_those_of_both():
    """Sums over different students, so that files may be read one at a time, or each where it lies."""
    panel = random_panel(4)
    first = panel["student"].isin(sorted(panel["student"].unique())[:50])
    parts = [moments_of_panel(in_engine(panel[part])) for part in (first, ~first)]
    stacked = pd.concat([_cells(one) for one in parts])
    whole = _cells(moments_of_panel(in_engine(panel)))
    pd.testing.assert_frame_equal(stacked.groupby(level=[0, 1, 2]).sum(), whole.sort_index(), rtol=1e-12, atol=1e-9)


def _cells(moments):
    """Return a row per cell: its key as the index, and everything that is summed."""
    patterns = ["".join("01"[int(seen)] for seen in row) for row in moments.seen]
    index = pd.MultiIndex.from_arrays([moments.district, moments.cohort, patterns])
    sums = [moments.students[:, None], moments.weight[:, None], moments.total, moments.cross.reshape(moments.cells, -1)]
    return pd.DataFrame(np.concatenate([part.astype(float) for part in sums], axis=1), index)


def test_days_in_thirds_take_the_general_way_and_are_as_exact():
    panel = random_panel(7, parts=3)
    assert_equal(moments_of_panel(in_engine(panel)), twin(panel))


def test_more_months_than_one_number_holds(monkeypatch):
    monkeypatch.setattr(pivot, "MASK_BITS", 3)
    panel = random_panel(8)
    assert_equal(moments_of_panel(in_engine(panel)), twin(panel))


def test_four_students_and_three_months_by_hand():
    """A: 90, 80, 100 %; B: the same district and pattern, 70, 60, 50; C: visited in summer; D: leaves after month 1."""
    attended = {"A": [18, 8, 20], "B": [14, 6, 10], "C": [20, 10, 20], "D": [10]}
    enrolled = [20, 10, 20]
    rows = [
        (student, MONTHS[t], enrolled[t], days, pd.Timestamp("2021-07-01") if student == "C" else pd.NaT)
        for student, months in attended.items()
        for t, days in enumerate(months)
    ]
    panel = pd.DataFrame(rows, columns=["student", "month", "days_enrolled", "days_attended", "first_visit_month"])
    panel = panel.assign(district_code="0640011", grade="05", high_needs=False)
    moments = moments_of_panel(in_engine(panel))
    assert moments.periods.tolist() == [12 * 2021 + 4, 12 * 2021 + 5, 12 * 2021 + 8]
    assert moments.cohort.tolist() == [NEVER, NEVER, 12 * 2021 + 6]
    assert moments.seen.tolist() == [[True, False, False], [True] * 3, [True] * 3]
    assert moments.students.tolist() == [1, 2, 1]
    assert moments.total.tolist() == [[-43, 0, 0], [90 + 70 - 186, 80 + 60 - 186, 100 + 50 - 186], [7, 7, 7]]
    both = [[-3, -13, 7], [-23, -33, -43]]  # A and B less 93
    assert moments.cross[1].tolist() == [[sum(p[s] * p[t] for p in both) for t in range(3)] for s in range(3)]
    assert moments.cross[0].tolist() == [[43.0**2, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_row_order_and_threads_change_nothing():
    panel = random_panel(2)
    mixed = panel.sample(frac=1, random_state=1)
    one, two = (moments_of_panel(in_engine(rows, n)) for rows, n in ((panel, 1), (mixed, 2)))
    assert_equal(one, two)
    assert one.district.tolist() == two.district.tolist() and one.seen.tolist() == two.seen.tolist()


def test_months_without_membership_are_no_months():
    panel = random_panel(3)
    summer = panel.drop_duplicates("student").assign(month=pd.Timestamp("2021-07-01"), days_enrolled=0.0)
    assert_equal(moments_of_panel(in_engine(pd.concat([panel, summer]))), moments_of_panel(in_engine(panel)))


def test_the_simulated_state_from_its_handle(tmp_path):
    files = write_simulation(tmp_path / "state.parquet", SMALL)
    data = open_students(files.panel, visits=files.visits, con=connect(threads=1))
    visit, referral = moments_of(data), moments_of_panel(panel_by(data, "referral"))
    assert visit.students.sum() == referral.students.sum() == data.size.students
    assert visit.students[visit.cohort < NEVER].sum() == data.size.visited
    log = pd.read_parquet(files.visits)
    assert referral.students[referral.cohort < NEVER].sum() == log["student"].nunique()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda rows: pd.concat([rows, rows.head(1)]), "several rows in one month"),
        (lambda rows: rows.assign(district_code=None), "no district"),
        (lambda rows: rows.assign(days_enrolled=0.0), "No month has any days"),
    ],
)
def test_rows_that_are_not_clean_are_refused(spoil, message):
    with pytest.raises(BadInput, match=message):
        moments_of_panel(in_engine(spoil(random_panel(6, students=5)).astype({"district_code": "str"})))


def test_no_value_of_a_row_is_in_an_error():
    panel = in_engine(random_panel(5, students=5).assign(spoilt="~Psecretstudent"))
    with pytest.raises(BadInput, match="The engine failed while listing the months") as caught:
        moments_of_panel(panel.mutate(days_enrolled=panel.spoilt.cast("float64")))
    assert "secret" not in str(caught.value) and caught.value.__cause__ is caught.value.__context__ is None
