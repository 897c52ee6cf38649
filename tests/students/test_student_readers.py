"""Five shapes of file, one panel: the same students written in each shape give the same rows."""

import pandas as pd
import pytest
from student_tables import codebook_section, fake

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.students import contract, sources
from leapstudy.students.check import check_path
from leapstudy.students.contract import CT_MONTHLY, STUDENT_MONTH, TABLES, Reading
from leapstudy.students.engine import connect
from leapstudy.students.handle import StudentData
from leapstudy.students.readers import open_panel, panel_of, read_visits, shape_of, with_first_visit
from leapstudy.students.risk_rows import panel_by
from leapstudy.students.rules import PART_RULES
from leapstudy.students.sources import read, require_somewhere

SCHOOL_DAYS = pd.date_range("2020-09-01", "2020-10-30", freq="B")
STUDENTS = [("~Paaaaaaaaaa", "0640011", "0640001", "05"), ("~Pbbbbbbbbbb", "0640011", "0640001", "09")]
MISSED = {"~Paaaaaaaaaa": ["2020-09-03", "2020-09-04", "2020-10-12"], "~Pbbbbbbbbbb": ["2020-10-01"]}


def _days():
    rows = [
        (*student, day, 0.0 if str(day.date()) in MISSED[student[0]] else 1.0)
        for student in STUDENTS
        for day in SCHOOL_DAYS
    ]
    return pd.DataFrame(rows, columns=["student", "district_code", "school_code", "grade", "date", "attended"])


def _months():
    """The slow, obvious twin: pandas over the days."""
    days = _days().assign(month=lambda d: d["date"].dt.strftime("%Y-%m-01"))
    key = ["student", "district_code", "school_code", "grade", "month"]
    return days.groupby(key, as_index=False).agg(days_enrolled=("attended", "size"), days_attended=("attended", "sum"))


def _shown(
    panel, columns=("student", "district_code", "school_code", "grade", "month", "days_enrolled", "days_attended")
):
    frame = panel.select(*columns).to_pandas()
    frame["month"] = frame["month"].astype(str).str.slice(0, 10)
    return frame.sort_values(["student", "month"], ignore_index=True).astype(
        {"days_enrolled": float, "days_attended": float}
    )


def _expected(columns=slice(None)):
    return _months().astype({"days_enrolled": float, "days_attended": float}).loc[:, columns]


def _write_month_csv(folder):
    _months().to_csv(folder / "months.csv", index=False)
    return folder / "months.csv"


def _write_month_parquet(folder):
    _months().assign(month=lambda d: pd.to_datetime(d["month"])).to_parquet(folder / "months.parquet")
    return folder / "months.parquet"


def _write_many(folder):
    for number, (_, part) in enumerate(_months().groupby("student")):
        part.to_csv(folder / f"part_{number}.csv", index=False)
    return folder / "part_*.csv"


def _write_days(folder):
    _days().assign(date=lambda d: d["date"].dt.strftime("%Y-%m-%d")).to_csv(folder / "days.csv", index=False)
    return folder / "days.csv"


def _write_edfi(folder):
    place = folder / "edfi"
    place.mkdir()
    spells = pd.DataFrame(STUDENTS, columns=["student", "district_code", "school_code", "grade"])
    spells.assign(entry_date="2020-08-25", exit_date="").to_csv(place / "enrollment.csv", index=False)
    events = [(student, "0640001", day) for student, days in MISSED.items() for day in days]
    pd.DataFrame(events, columns=["student", "school_code", "date"]).to_csv(place / "absences.csv", index=False)
    calendar = pd.DataFrame({"school_code": "0640001", "date": SCHOOL_DAYS.strftime("%Y-%m-%d")})
    calendar.to_csv(place / "calendar.csv", index=False)
    return place


WRITERS = [_write_month_csv, _write_month_parquet, _write_many, _write_days, _write_edfi]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_every_shape_gives_the_same_panel(write, tmp_path):
    panel = open_panel(connect(threads=1), write(tmp_path), Reading()).table
    assert tuple(panel.columns[: len(STUDENT_MONTH.names)]) == STUDENT_MONTH.names
    pd.testing.assert_frame_equal(_shown(panel), _expected(), check_dtype=False)
    assert not panel.aggregate(bad=(panel.unreadable | panel.suppressed | (panel.unmatched > 0)).any()).to_pandas()[
        "bad"
    ][0]


def test_the_fixed_width_file_adds_in_person_and_remote_days(tmp_path):
    lines = [
        f"{row.district_code}{row.student}{row.month[:7]}"
        f"{row.days_enrolled - 4:>5}{row.days_attended - 3:>5}{4:>5}{3:>5}"
        for row in _months().itertuples()
    ]
    (tmp_path / "monthly.txt").write_text("\n".join(lines) + "\n")
    roster = pd.DataFrame(
        [(p, school, grade) for p, _, school, grade in STUDENTS], columns=["student", "school_code", "grade"]
    )
    roster.to_csv(tmp_path / "roster.csv", index=False)
    con = connect(threads=1)
    assert sum(column.width for column in CT_MONTHLY.columns) == len(lines[0])
    with_roster = open_panel(con, tmp_path / "monthly.txt", Reading(), roster=tmp_path / "roster.csv").table
    pd.testing.assert_frame_equal(_shown(with_roster), _expected(), check_dtype=False)
    without = open_panel(con, tmp_path / "monthly.txt", Reading()).table
    assert _shown(without)["grade"].isna().all()


def test_names_map_by_a_dictionary(tmp_path):
    path = tmp_path / "own_names.csv"
    _months().rename(columns={"student": "SASID", "days_attended": "Days Present"}).to_csv(path, index=False)
    con = connect(threads=1)
    panel = open_panel(con, path, Reading({"student": "SASID", "days_attended": "days present"})).table
    pd.testing.assert_frame_equal(_shown(panel), _expected(), check_dtype=False)
    with pytest.raises(BadInput, match=r"lacks the columns \['student', 'days_attended'\]"):
        open_panel(con, path, Reading())
    with pytest.raises(BadInput, match="Unknown column of own_names.csv under columns: grade: 'absent here'"):
        open_panel(con, path, Reading({"student": "SASID", "days_attended": "Days Present", "grade": "absent here"}))


def test_a_log_may_lack_the_district_that_attendance_calls_by_its_own_name(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("student,Day,completed\np01,2021-10-08,yes\n", encoding="utf-8")
    how = Reading({"district_code": "LocalEducationAgencyId", "visit_date": "Day"})
    con = connect(threads=1)
    assert read_visits(con, log, how).table.count().execute() == 1
    _months().to_csv(tmp_path / "months.csv", index=False)
    with pytest.raises(BadInput, match=r"lacks the columns \['district_code'\]"):
        open_panel(con, tmp_path / "months.csv", Reading({"district_code": "LocalEducationAgencyId"}))
    with pytest.raises(BadInput, match="under columns: visit_date: 'Dai'"):
        read_visits(con, log, Reading({"visit_date": "Dai"}))


def test_a_column_of_several_tables_may_be_called_by_its_own_name_in_one_of_them(tmp_path):
    """Outcomes without a status beside attendance that calls its own `rowState`; a name that no file has is refused."""
    head = "student,district_code,month,days_enrolled,days_attended,rowState\n"
    attendance, outcomes = tmp_path / "attendance.csv", tmp_path / "outcomes.csv"
    attendance.write_text(f"{head}0009001,0640011,2021-01,10,9,final\n", encoding="utf-8")
    head = "student,outcome,period_start,period_end,value,of"
    rows = "0009001,grades,2021-01-01,2021-03-31,2,4"
    how = Reading(columns={"status": "rowState"})
    for extra, cell, read_as in (("", "", None), (",status", ",year_to_date", "year_to_date")):
        outcomes.write_text(f"{head}{extra}\n{rows}{cell}\n", encoding="utf-8")
        require_somewhere([attendance, outcomes], how)
        told = read(connect(threads=1), outcomes, contract.OUTCOMES, how).table.to_pandas()
        assert [value if isinstance(value, str) else None for value in told["status"]] == [read_as]
    with pytest.raises(BadInput, match="column under columns: status: 'rowStates'. Did you mean 'rowState'"):
        require_somewhere([attendance, outcomes], Reading(columns={"status": "rowStates"}))


def test_an_empty_cell_may_be_given_a_meaning(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("student,visit_date,completed\np01,2021-10-08,Met\np02,,\np03,,  \n", encoding="utf-8")
    con, own = connect(threads=1), {"Met": "yes"}
    without = read_visits(con, log, Reading(values={"completed": own})).table.execute()
    assert list(without["unreadable"]) == [False, True, True]
    told = read_visits(con, log, Reading(values={"completed": {**own, "": "no"}})).table.execute()
    assert list(told["completed"]) == [True, False, False]
    assert not told["unreadable"].any()


def test_codes_stored_as_numbers_are_refused(tmp_path):
    _months().astype({"district_code": "int64"}).to_parquet(tmp_path / "numbers.parquet")
    with pytest.raises(BadInput, match="leading zeros"):
        open_panel(connect(threads=1), tmp_path / "numbers.parquet", Reading())


def test_an_absence_outside_enrollment_is_a_stray_and_overlapping_spells_count_once(tmp_path):
    place = _write_edfi(tmp_path)
    spells = pd.read_csv(place / "enrollment.csv", dtype="str")
    pd.concat([spells, spells.head(1)]).assign(exit_date="2020-09-30").to_csv(place / "enrollment.csv", index=False)
    frame = open_panel(connect(threads=1), place, Reading()).table.to_pandas().set_index(["student", "month"])
    october = frame[frame.index.get_level_values("month").astype(str).str.startswith("2020-10")]
    assert october["unmatched"].sum() == 2 and (october["days_enrolled"] == 0).all()
    assert (frame.drop(october.index)["days_enrolled"] == (SCHOOL_DAYS.month == 9).sum()).all()


def test_an_exit_date_that_is_the_day_after_is_no_day_of_the_spell(tmp_path):
    place, con = _write_edfi(tmp_path), connect(threads=1)
    spells = pd.read_csv(place / "enrollment.csv", dtype="str")

    def enrolled(exit_date: str, meaning: str = "last day", fate: str = "used") -> float:
        spells.assign(exit_date=exit_date).to_csv(place / "enrollment.csv", index=False)
        panel = open_panel(con, place, Reading(exit_date=meaning))
        assert {fate: len(spells)} in [part.fates for part in panel.parts]
        return panel.table.days_enrolled.sum().to_pyarrow().as_py()

    last, school_days = "2020-09-30", len(spells) * (SCHOOL_DAYS.month == 9).sum()
    assert enrolled(last) == enrolled("2020-10-01", "day after") == school_days
    assert enrolled(last, "day after") == school_days - len(spells)
    never = enrolled("2020-08-25", "day after", "no_day_enrolled")
    assert never == 0, "who left on the day of entry was never there"


@pytest.mark.parametrize(
    ("exits", "entries", "told"),
    [
        (["2020-09-01"] * 6, ["2020-09-01"] * 6, 6),
        (["2020-09-01"] * 5, ["2020-09-01"] * 5, 0),  # a few students of one day
        (["2020-09-15", ""] * 6, ["2020-09-01", "2020-09-15"] * 6, 6),  # the next school's first day
        (["2020-09-14", ""] * 6, ["2020-09-01", "2020-09-15"] * 6, 0),
        (["2020-09-01"] * 6 + ["2020-10-01"] * 594, ["2020-09-01"] * 600, 0),  # 1 of 100 exits may be so
    ],
)
def test_exits_that_look_like_the_first_day_out_are_told_with_the_parameter_that_says_so(
    exits, entries, told, tmp_path
):
    place, con = _write_edfi(tmp_path), connect(threads=1)
    times = 2 if "" in exits else 1
    ids = [f"S{number // times:04}" for number in range(len(exits))]
    spells = pd.DataFrame({"student": ids, "entry_date": entries, "exit_date": exits}).assign(
        district_code="0640011", school_code="0640001", grade="05"
    )
    spells.to_csv(place / "enrollment.csv", index=False)
    (place / "absences.csv").write_text("student,school_code,date\nS0000,0640001,2020-09-01\n")
    noted = [part.noted.get("exit_on_entry", 0) for part in panel_of(con, place, Reading()).parts]
    assert sum(noted) == told and PART_RULES["exit_on_entry"][0] == "warn"
    if told and "" not in exits:
        after = panel_of(con, place, Reading(exit_date="day after"))
        assert not any("exit_on_entry" in {**part.noted, **part.fates} for part in after.parts)
        assert "`exit_date: day after`" in PART_RULES["exit_on_entry"][1]


def test_a_day_listed_twice_counts_once(tmp_path):
    path = _write_days(tmp_path)
    days = pd.read_csv(path, dtype="str")
    pd.concat([days, days.head(1).assign(attended="0.5")]).to_csv(path, index=False)
    panel = open_panel(connect(threads=1), path, Reading()).table
    pd.testing.assert_frame_equal(_shown(panel), _expected(), check_dtype=False)
    assert panel.to_pandas()["unmatched"].sum() == 1


def test_rows_of_class_periods_make_the_same_days_under_any_name_and_are_counted_without_it(tmp_path):
    place = _write_edfi(tmp_path)
    events = pd.read_csv(place / "absences.csv", dtype="str").assign(category="UA")
    each = pd.concat([events.assign(PERIOD_NO=f"{number}(A-E)") for number in range(1, 8)])
    pd.concat([each, each.head(3)]).to_csv(place / "absences.csv", index=False)
    how = Reading({"period": "PERIOD_NO"}, categories={"UA": 0.142857})
    panel = open_panel(connect(threads=1), place, how).table
    pd.testing.assert_frame_equal(_shown(panel), _expected(), check_dtype=False)
    assert panel.to_pandas()["unmatched"].sum() == 3
    unnamed = open_panel(connect(threads=1), place, Reading(categories={"UA": 0.142857})).table
    assert unnamed.to_pandas()["unmatched"].sum() == 6 * len(events) + 3, "each row is used, or counted"
    days = pd.read_csv(_write_days(tmp_path), dtype="str")
    rows = pd.concat([days.assign(Period=number) for number in range(1, 5)])
    pd.concat([rows, rows.head(2)]).to_csv(tmp_path / "periods.csv", index=False)
    panel = open_panel(connect(threads=1), tmp_path / "periods.csv", Reading()).table
    pd.testing.assert_frame_equal(_shown(panel), _expected(), check_dtype=False)
    assert (panel.to_pandas()[["unmatched", "source_rows"]].sum() == [2, len(rows) + 2]).all()


@pytest.mark.parametrize(
    ("given", "how", "used"),
    [
        ({}, {}, 0),
        ({"category": "Unexcused Absence"}, {}, 0),
        ({"category": ["UA", "ua", "Unexcused Absence", "UA"]}, {"categories": {"ua": 0.25}}, 3),
        ({"category": "Unexcused Absence"}, {"categories": {"staff day": 0}}, 0),
        ({}, {"categories": {"UA": 0.25}}, 0),
        ({"absent": "0.25"}, {}, 4),
    ],
)
def test_a_period_missed_needs_its_share_of_the_day(tmp_path, given, how, used):
    """Else each of four days of which a student missed one period of seven counted as a day missed."""
    place = _write_edfi(tmp_path)
    events = pd.read_csv(place / "absences.csv", dtype="str")
    events = events.drop(columns=["absent", "category"], errors="ignore").assign(period="3", **given)
    events.to_csv(place / "absences.csv", index=False)
    *_, absences = panel_of(connect(threads=1), place, Reading(**how)).parts
    fates = {"used": used, "no_share_of_period": len(events) - used}
    assert absences.fates == {fate: rows for fate, rows in fates.items() if rows}


def test_a_period_may_be_stored_as_a_number(tmp_path):
    days = pd.read_csv(_write_days(tmp_path), dtype="str")
    rows = pd.concat([days.assign(period=number) for number in range(1, 5)], ignore_index=True)
    rows.to_parquet(tmp_path / "periods.parquet", index=False)
    panel = open_panel(connect(threads=1), tmp_path / "periods.parquet", Reading()).table
    pd.testing.assert_frame_equal(_shown(panel), _expected(), check_dtype=False)


def test_a_period_missed_is_its_share_of_the_day(tmp_path):
    days = pd.read_csv(_write_days(tmp_path), dtype="str")
    rows = pd.concat([days.assign(period=number) for number in range(1, 5)], ignore_index=True)
    rows.loc[rows.groupby("date").cumcount() == 0, "attended"] = "0"
    rows.to_csv(tmp_path / "periods.csv", index=False)
    found = open_panel(connect(threads=1), tmp_path / "periods.csv", Reading()).table.to_pandas()
    taken = pd.to_numeric(rows["attended"]).sum() / 4
    assert found["days_attended"].sum() == taken and found["days_enrolled"].sum() == len(days)


def _visit_log(folder):
    rows = [
        ("~Paaaaaaaaaa", "0640011", "2020-09-20", "2020-09-25", "phone", "no"),
        ("~Paaaaaaaaaa", "0640011", "2020-09-20", "2020-10-05", "in_person", "yes"),
        ("~Paaaaaaaaaa", "0640011", "2020-09-20", "2020-11-05", "in_person", "yes"),
        ("~Pbbbbbbbbbb", "0640011", "2020-10-01", "", "", "no"),
    ]
    frame = pd.DataFrame(rows, columns=["student", "district_code", "referral_date", "visit_date", "type", "completed"])
    frame.to_csv(folder / "visits.csv", index=False)
    return folder / "visits.csv"


def test_the_first_completed_visit_makes_the_cohort_and_a_referral_the_intention(tmp_path):
    con, log = connect(threads=1), _visit_log(tmp_path)
    assert shape_of(log, Reading()) == "visits"
    visits = read_visits(con, log, Reading()).table
    panel = with_first_visit(open_panel(con, _write_month_csv(tmp_path), Reading()).table, visits)
    first = panel.to_pandas().groupby("student")["first_visit_month"].first()
    assert str(first["~Paaaaaaaaaa"])[:10] == "2020-10-01" and pd.isna(first["~Pbbbbbbbbbb"])
    referred = panel_by(StudentData(panel, visits, simulated=False), "referral")
    first = referred.to_pandas().groupby("student")["first_visit_month"].first().astype(str).str.slice(0, 10)
    assert first.tolist() == ["2020-09-01", "2020-10-01"]


def test_missing_files_and_mixed_kinds_are_named(tmp_path):
    con = connect(threads=1)
    with pytest.raises(BadInput, match=r"nothing\.csv"):
        open_panel(con, tmp_path / "nothing.csv", Reading())
    _write_month_csv(tmp_path)
    _write_month_parquet(tmp_path)
    with pytest.raises(BadInput, match="several kinds"):
        open_panel(con, tmp_path, Reading())
    with pytest.raises(BadInput, match="shape"):
        open_panel(con, tmp_path / "months.csv", Reading(), shape="student_week")
    with pytest.raises(BadInput, match="memory_limit"):
        connect(memory_limit="plenty")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_codebook_and_fake_data_come_from_the_declaration(table):
    text = codebook_section(table)
    assert text in (paths.root() / "docs" / "student-files.md").read_text(encoding="utf-8")
    assert all(f"| {name} | " in text for name in table.names)
    made = fake(table, 30)
    assert tuple(made.columns) == table.names
    for column in table.columns:
        if column.allowed:
            assert set(made[column.name]) <= set(column.allowed)
        if column.kind == "number":
            assert made[column.name].between(column.low, column.high).all()


def test_more_files_than_the_system_lets_be_open_at_once(tmp_path):
    resource = pytest.importorskip("resource")
    rows = _months()
    for number in range(150):
        rows.assign(student=f"~P{number:010d}").to_csv(tmp_path / f"{number}.csv", index=False)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
    try:
        panel = open_panel(connect(threads=1), tmp_path, Reading()).table
        assert panel.count().execute() == 150 * len(rows)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_spreadsheet_is_told_how_it_is_read(tmp_path):
    (tmp_path / "Attendance.XLSX").write_bytes(b"PK")
    with pytest.raises(
        BadInput, match="What is there: Attendance.XLSX. A spreadsheet is read once it is saved as 'CSV"
    ):
        check_path(tmp_path)


# What a cell is read as; None where it is not of its kind.
CELLS = {
    "month": [
        ("2021-09", "2021-09-01"),
        (" 2021-9-14\t", "2021-09-01"),
        ("2021-09-1T", "2021-09-01"),
        ("2021-09-14T08:00", "2021-09-01"),
        *[
            (odd, None)
            for odd in (
                "09/14/2021",
                "2021-13-01",
                "2021/09/14",
                "-021-09-14",
                "20210914",
                "epoch",
                "ABCD-09-01",
                "2021-09-1x",
            )
        ],
    ],
    "days_enrolled": [
        (" 18\t", 18.0),
        ("1e1", 10.0),
        *[(odd, None) for odd in ("18,5", "nan", "-inf", "inf", "five", "0x12", "1_8", "8d", "18f", "1e400")],
    ],
    "high_needs": [("YES", True), (" f ", False), ("2", None)],
    "grade": [("9", "09"), (" k", "K"), ("13", "13")],
    "status": [("Year-To Date", "year_to_date"), (" YTD", "year_to_date")],
    "school_code": [("\tS 1 ", "S 1"), ("é", "é"), ("x" * 255, "x" * 255), ("x" * 256, None)],
}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_is_read_as_a_person_would(tmp_path, name):
    plain = {"student": "A", "district_code": "1", "month": "2021-10", "days_enrolled": "20", "days_attended": "18"}
    cells = CELLS[name]
    rows = pd.DataFrame([{**plain, "days_attended": f"{at / 100}", name: cell} for at, (cell, _) in enumerate(cells)])
    rows.to_csv(tmp_path / "a.csv", index=False)
    read = sources.read(connect(threads=1), tmp_path / "a.csv", contract.STUDENT_MONTH, Reading()).table.to_pandas()
    read = read.sort_values("days_attended")
    shown = read[name].astype("string").str[:10] if name == "month" else read[name]
    found = [None if pd.isna(value) else value for value in shown]
    assert found == [meant for _, meant in cells]
    assert read["unreadable"].tolist() == [meant is None for _, meant in cells]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{head}\r\n{row}\n{row}\r\n", "Lines of rows.csv end in two ways"),
        ("{head}\n{row}\n{row}\r\n", "Lines of rows.csv end in two ways"),
        ("sep=,\r\n{head}\r\n{row}\r\n", r"begins with a line that tells its separator \(sep=\)"),
    ],
    ids=["Windows first", "Windows last", "the separator first"],
)
def test_what_an_editor_or_a_spreadsheet_left_in_a_file_is_named_with_the_way_out(tmp_path, text, told):
    head, row = "student,district_code,month,days_enrolled,days_attended", "0009001,0640011,2021-01,10,9"
    path = tmp_path / "rows.csv"
    path.write_bytes(text.format(head=head, row=row).encode())
    with pytest.raises(BadInput, match=told) as refused:
        open_panel(connect(threads=1), path, Reading())
    assert "0009001" not in str(refused.value) and "CSV UTF-8" in str(refused.value)
