"""Whatever a file holds, what is outside the engine stays of one size, or the file is refused in words."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.students import contract, pseudonyms
from leapstudy.students.check import MOST_CODES, limits_for
from leapstudy.students.contract import Reading
from leapstudy.students.engine import connect, keep, lend, memory
from leapstudy.students.moments import pivot
from leapstudy.students.sources import read

KEY = b"an invented key of forty characters, no more"


def _kept(**columns):
    con = connect("100MB", threads=1)
    return con, keep(con, "lending", lend(con, pa.table(columns)))


def test_ids_leave_the_engine_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(pseudonyms, "AT_ONCE", 2_000)
    peaks = []
    for students in (4_000, 16_000):
        con, table = _kept(student=[f"s{i:09d}" for i in range(students)])
        tracemalloc.start()
        answer = pseudonyms.pseudonymize(con, table, KEY)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        ids = answer.student.to_pyarrow().to_pylist()
        assert sorted(ids) == sorted(pseudonyms.pseudonym(f"s{i:09d}", KEY) for i in range(students))
    assert peaks[1] < peaks[0] + 1_200_000, "a list of all ids would take 0.2 KB for each of 12,000"


def test_two_students_of_one_pseudonym_are_refused(monkeypatch):
    monkeypatch.setattr(pseudonyms, "AT_ONCE", 2)
    monkeypatch.setattr(pseudonyms, "pseudonym", lambda raw, _: "~P" + "a" * 9 + raw[-1])
    con, table = _kept(student=["x1", "x2", "x3", "y1"])
    with pytest.raises(BadInput, match="share a pseudonym"):
        pseudonyms.pseudonymize(con, table, KEY)


def test_more_cells_than_memory_has_room_for_are_refused(monkeypatch):
    months = np.arange("2021-09", "2022-01", dtype="M8[M]").astype("M8[D]")
    con, table = _kept(
        student=["a", "a", "b", "b"],
        district_code=["1"] * 4,
        month=months[[0, 1, 0, 3]],
        days_enrolled=[20.0] * 4,
        days_attended=[18.0] * 4,
        first_visit_month=pa.nulls(4, pa.date32()),
    )
    cells, periods = 2, 3
    for room, refused in ((1, False), (0.99, True)):
        monkeypatch.setattr(pivot, "memory", lambda _, room=room: 2 * room * cells * periods**2 * 16)
        if refused:
            with pytest.raises(BadInput, match="Raise memory_limit"):
                pivot.moments_of_panel(table)
        else:
            assert pivot.moments_of_panel(table).cells == cells
    assert memory(con) == pytest.approx(100e6, rel=0.01)


@pytest.mark.parametrize(("letters", "unreadable", "unparsed"), [(255, 0, 0), (256, 1, 0), (70_000, 0, 1)])
def test_a_cell_of_many_letters_is_counted_and_never_read(tmp_path, letters, unreadable, unparsed):
    header = "student,district_code,school_code,month,days_enrolled,days_attended"
    rows = [f"9,1,{'S' * letters},2021-09,20,18", "8,1,S,2021-09,20,18"]
    (tmp_path / "rows.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    source = read(connect(), tmp_path / "rows.csv", contract.STUDENT_MONTH, Reading())
    told = source.table.select("school_code", "unreadable").to_pyarrow().to_pylist()
    assert sum(row["unreadable"] for row in told) == unreadable and source.lost.get("unparsed", 0) == unparsed
    assert max(len(row["school_code"] or "") for row in told) <= contract.LONGEST


def test_a_column_of_codes_without_end_is_taken_for_ids():
    students = range(5 * MOST_CODES)
    _, table = _kept(student=[f"{i}" for i in students], district_code=[f"D{i % MOST_CODES}" for i in students])
    assert limits_for(table, (), Reading()).codes_like_ids
    fewer = table.filter(table.district_code != "D7")
    assert not limits_for(fewer, (), Reading()).codes_like_ids
    known = limits_for(table, ("D7", "X"), Reading())
    assert known.known_districts == ("D7", "X") and not known.codes_like_ids
