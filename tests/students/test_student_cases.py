"""Files as they came from outside: what each is found to be. Ids are invented; inputs in `files/`."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from own_files import STUDENT_KEY, students
from student_tables import counts_of

from leapstudy.core.errors import BadInput
from leapstudy.students.check import check_path
from leapstudy.students.contract import Reading
from leapstudy.students.engine import connect
from leapstudy.students.handle import open_students
from leapstudy.students.readers import open_panel
from leapstudy.students.rules import PART_RULES

FILES = Path(__file__).parent / "files"
KNOWN = ("0640011", "0430011")


def _rules(report) -> dict[str, int]:
    return counts_of(report).groupby("rule")["rows"].sum().to_dict()


@pytest.mark.parametrize(
    ("name", "rows_in", "used", "rules"),
    [
        ("trailing_commas.csv", 160, 160, {}),
        ("ma_district.csv", 160, 160, {}),
        ("upper_mix", 160, 160, {}),
        ("cat_wider.csv", 161, 80, {"unparsed": 81}),
        ("us_dates_2y.csv", 160, 0, {"unreadable": 160, "nothing_left": 160}),
        ("one_old_year.csv", 160, 159, {"implausible_date": 1, "thin_month": 1}),
        ("all_180.csv", 160, 0, {"impossible_days": 160, "nothing_left": 160}),
        ("empty.csv", 0, 0, {"nothing_left": 0}),
        ("two_schools.csv", 3, 1, {"crowded_month": 2}),
        ("edfi/base", 100, 100, {}),
    ],
)
def test_what_each_file_is_found_to_be(name, rows_in, used, rules):
    report = check_path(FILES / name, known_districts=KNOWN, con=connect(threads=1))
    assert (report.rows_in, report.accounts[0].used) == (rows_in, used)
    found = _rules(report)
    assert {rule: found.get(rule) for rule in rules} == rules
    assert bool(rules) or report.text().endswith("Nothing to report: every rule holds for every row.")


# What a school's three files have that another's have not, with the rows of it, those used, and what is counted.
FAULTS = (
    ("calendar_holidays", 100, 100, {"no_school_day": 36}),
    ("present_rows", 100, 100, {"no_absence": 1075}),
    ("tardy_blank_duration", 100, 100, {"no_absence": 100}),
    ("exit_before_entry", 99, 98, {"exit_before_entry": 1}),
    ("entry_us_one_school", 87, 50, {"unreadable": 25}),
    ("calendar_us_october", 90, 50, {"unreadable": 42}),
    ("overlap_two_schools", 120, 80, {"crowded_month": 40}),
    ("year_2086_event", 100, 100, {"implausible_date": 1}),
)


def test_what_one_school_gets_wrong_is_counted_of_it_alone(tmp_path):
    """The schools of all these folders stand in one: each is found to be what it is by itself."""
    for part in ("enrolment", "absences", "calendar"):
        rows = [pd.read_csv(FILES / "edfi" / name / f"{part}.csv", dtype=str) for name, *_ in FAULTS]
        for number, frame in enumerate(rows, start=1):
            for column in {"student", "school_code"} & set(frame):
                frame[column] = str(number) + frame[column]
        pd.concat(rows).to_csv(tmp_path / f"{part}.csv", index=False)
    report = check_path(tmp_path, known_districts=KNOWN, con=connect(threads=1))
    _, rows_in, used, rules = zip(*FAULTS, strict=True)
    assert (report.rows_in, report.accounts[0].used) == (sum(rows_in), sum(used))
    found, told = _rules(report), sum(map(Counter, rules), Counter())
    assert {rule: found.get(rule) for rule in told} == told


@pytest.fixture(scope="module")
def base():
    return _read(FILES / "edfi" / "base")


def _read(path, how=None):
    """Return what is read of files, before any rule: the rows, and the account of every part."""
    panel = open_panel(connect(threads=1), path, how or Reading())
    rows = panel.table.to_pandas()
    return rows.sort_values(rows.columns.tolist(), ignore_index=True), panel


@pytest.mark.parametrize("name", ["exit_9999", "other_names", "enrollment_us_spelling", "dup_enrolment", "upper_ext"])
def test_what_another_export_writes_is_read_the_same(base, name):
    pd.testing.assert_frame_equal(_read(FILES / "edfi" / name)[0], base[0])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_header.csv", "does not look like a header: 7 columns, of which 0 could be names"),
        ("names_camel.csv", "it has \\['DaysEnrolled', .*Map the file's own names under `columns:`"),
        ("one_folder", "Not all of the files are student month tables: visits.csv"),
    ],
)
def test_what_is_refused_and_how(name, words):
    with pytest.raises(BadInput, match=words) as caught:
        check_path(FILES / name, known_districts=KNOWN)
    assert "S00000" not in str(caught.value) and "0640101" not in str(caught.value)


def test_own_names_are_read_by_the_parameters():
    names = {"student": "StudentID", "district_code": "DistrictCode", "school_code": "SchoolCode"}
    days = {"days_enrolled": "DaysEnrolled", "days_attended": "DaysPresent", "grade": "GradeLevel"}
    report = check_path(FILES / "names_camel.csv", Reading({**names, **days}), KNOWN)
    assert report.ok and report.accounts[0].used == 160


def test_attendance_and_log_may_call_the_student_differently(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", STUDENT_KEY)
    rows, log = students({"0640011": 60})
    rows.rename(columns={"student": "SASID"}).to_csv(tmp_path / "attendance.csv", index=False)
    log.rename(columns={"student": "Student Number"}).to_csv(tmp_path / "visits.csv", index=False)
    files = tmp_path / "attendance.csv", tmp_path / "visits.csv"
    opened = open_students(*files, Reading({"student": ["SASID", "student_number"]}), KNOWN)
    assert opened.has_log and [account.used for report in opened.reports for account in report.accounts] == [
        len(rows),
        len(log),
    ]
    with pytest.raises(BadInput, match=r"visits.csv under columns: student.* all names: student: \[one, other\]"):
        open_students(*files, Reading({"student": "SASID"}), KNOWN)


def test_ids_as_text_in_one_file_and_as_numbers_in_the_next_are_refused(tmp_path):
    rows = pd.DataFrame(
        {
            "student": ["0012", "0013"],
            "district_code": "0640011",
            "month": pd.Timestamp("2021-09-01"),
            "days_enrolled": 20,
            "days_attended": 18,
        }
    )
    rows.to_parquet(tmp_path / "2021.parquet")
    rows.assign(student=[12, 13]).to_parquet(tmp_path / "2022.parquet")
    with pytest.raises(BadInput, match="2022.parquet: student is stored as number"):
        check_path(tmp_path, known_districts=KNOWN)


@pytest.mark.parametrize(
    ("zone", "instant", "month"),
    [
        ("Europe/Berlin", "2021-09-01 00:00", "2021-09"),
        ("-04:00", "2021-09-30 20:30", "2021-09"),
        ("America/New_York", "2021-09-30 20:30", "2021-09"),
    ],
)
def test_an_instant_is_the_date_on_its_own_clock(tmp_path, zone, instant, month):
    local = pd.Timestamp(instant, tz=zone if "/" in zone else "Etc/GMT+4")
    table = pa.table(
        {
            "student": ["A1"],
            "district_code": ["0640011"],
            "days_enrolled": [20],
            "days_attended": [18],
            "month": pa.array([local.value // 1000], pa.timestamp("us", tz=zone)),
        }
    )
    pq.write_table(table, tmp_path / "zone.parquet")
    panel = open_panel(connect(threads=1), tmp_path / "zone.parquet", Reading()).table
    assert str(panel.month.to_pandas()[0])[:7] == month


def test_instants_in_utc_need_a_time_zone(tmp_path):
    month = pa.array([int(np.datetime64("2021-10-01T01:00", "us").astype(int))], pa.timestamp("us", tz="UTC"))
    rows = {
        "student": ["A1"],
        "district_code": ["0640011"],
        "days_enrolled": [20],
        "days_attended": [18],
        "month": month,
    }
    pq.write_table(pa.table(rows), tmp_path / "utc.parquet")
    with pytest.raises(BadInput, match="time_zone"):
        check_path(tmp_path / "utc.parquet", known_districts=KNOWN)
    panel = open_panel(connect(threads=1), tmp_path / "utc.parquet", Reading(time_zone="America/New_York")).table
    assert str(panel.month.to_pandas()[0])[:7] == "2021-09"


@pytest.mark.parametrize("codes", [["9{:06d}"], ['0640011"', "Mamani, Quispe"]])
def test_ids_or_names_in_the_place_of_district_codes_are_refused_and_never_shown(tmp_path, codes):
    rows = pd.DataFrame(
        {"student": [f"{k:07d}" for k in range(60)], "month": "2021-10", "days_enrolled": 18, "days_attended": 17}
    )
    rows["district_code"] = [codes[k % len(codes)].format(k) for k in range(60)]
    rows.to_csv(tmp_path / "a.csv", index=False)
    report = check_path(tmp_path / "a.csv", known_districts=KNOWN)
    assert _rules(report)["odd_code"] == 60 and not report.ok
    assert "Quispe" not in report.text() and "9000001" not in report.text()


def _with_names(folder: Path, encoding: str, more: str = "") -> Path:
    """Write 40 rows with a column that nobody reads; in every tenth of them stands a letter beyond ASCII."""
    rows = [f"s{k},0640011,0640101,03,2021-10-01,18,17,{'José' if k % 10 == 0 else 'x'}" for k in range(40)]
    header = "student,district_code,school_code,grade,month,days_enrolled,days_attended,notes"
    (folder / "names.csv").write_text("\n".join([header, *rows]) + "\n" + more, encoding=encoding)
    return folder / "names.csv"


def test_a_line_that_breaks_in_a_column_nobody_reads_counts_once(tmp_path):
    report = check_path(_with_names(tmp_path, "latin-1"), known_districts=KNOWN)
    assert report.accounts[0].rows_in == 40 and dict(report.accounts[0].aside) == {"unparsed": 4} and not report.ok
    assert "Jos" not in report.text()


def test_empty_lines_of_a_spreadsheet_are_counted_and_refuse_nothing(tmp_path):
    lines = (",,,,,,,\n", '"","",,,,,,\n', " ,,\t,,,,,  \n")
    report = check_path(_with_names(tmp_path, "utf-8", "".join(lines) * 3), known_districts=KNOWN)
    account = report.accounts[0]
    assert report.ok and (account.rows_in, account.used, dict(account.aside)) == (49, 40, {"empty_row": 9})
    assert _rules(report) == {"empty_row": 9}
    (tmp_path / "names.csv").write_text((tmp_path / "names.csv").read_text().splitlines()[0] + "\n" + 7 * lines[0])
    assert not check_path(tmp_path / "names.csv", known_districts=KNOWN).ok


@pytest.mark.parametrize("name", ["edfi/base", "visits.csv"])
def test_empty_lines_of_every_table_are_counted(tmp_path, name):
    place = shutil.copytree(FILES / name, tmp_path / "own") if "/" in name else _log(tmp_path)
    before = check_path(place, known_districts=KNOWN)
    files = sorted(place.rglob("*.csv")) if place.is_dir() else [place]
    for file in files:
        text = file.read_text(encoding="utf-8")
        file.write_text(text.rstrip("\n") + "\n" + "," * text.splitlines()[0].count(",") + "\n", encoding="utf-8")
    after = check_path(place, known_districts=KNOWN)
    told = [account.aside.get("empty_row", 0) for account in after.accounts]
    assert sum(told) == len(files) and before.ok == after.ok
    assert [account.used for account in after.accounts] == [account.used for account in before.accounts]


def _log(folder: Path) -> Path:
    text = "student,referral_date,visit_date,type,completed\n" + "A1,2021-10-01,2021-10-05,in person,1\n" * 3
    (folder / "visits.csv").write_text(text, encoding="utf-8")
    return folder / "visits.csv"


NAMES = ("student", "district_code", "month", "days_enrolled", "days_attended")
ROWS = [f"A{k},0640011,2021-{month:02d},20,18" for k in range(30) for month in (9, 10)]


# Names of columns as a customer database and a form give them.
QUESTIONS = ("Contact: State ID", "Which district, as the " + "very " * 20 + "first report said – do you know?")


def _named(*names: str) -> str:
    return "\n".join([",".join(names), *ROWS])


@pytest.mark.parametrize(
    ("name", "text", "columns"),
    [
        ("a trailing delimiter.csv", _named(*NAMES).replace("\n", ",\n") + ",", {}),
        ("an index.csv", "," + _named(*NAMES).replace("\nA", "\n1,A"), {}),
        ("signs.csv", _named(*NAMES[:3], "# Days", "% Days*"), {"days_enrolled": "# Days", "days_attended": "% Days*"}),
        ("words.csv", _named("N° d’élève", *NAMES[1:]), {"student": "N° d’élève"}),
        ("accents.csv", _named("Nu\u0301mero", *NAMES[1:]), {"student": "N\u00famero"}),
        ("two lines.csv", _named("student", '"district\ncode"', *NAMES[2:]), {}),
        ("hard spaces.csv", _named(*NAMES[:3], "days\u00a0enrolled", "days attended"), {}),
        ("blank lines.csv", _named(*NAMES).replace("\nA5", "\n\n  \t \nA5") + "\n   ", {}),
        ("tabs.txt", _named(*NAMES).replace(",", "\t"), {}),
        (
            "questions.csv",
            _named(f'"{QUESTIONS[0]}"', f'"{QUESTIONS[1]}"', *NAMES[2:]),
            {"student": QUESTIONS[0], "district_code": QUESTIONS[1]},
        ),
        (
            "questions of two lines.csv",
            _named('"State\nID"', '"Which\ndistrict?"', *NAMES[2:])
            .replace("20,18\n", "20,18\r\n")
            .replace("attended\n", "attended\r\n"),
            {"student": "State ID", "district_code": "Which district?"},
        ),
    ],
)
def test_headers_as_exports_have_them(tmp_path, name, text, columns):
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    rows, panel = _read(tmp_path / name, Reading(columns))
    assert len(rows) == len(ROWS) and not any(panel.lost.values()) and not rows["unreadable"].any()
    assert set(rows["student"]) == {f"A{k}" for k in range(30)} and set(rows["district_code"]) == {"0640011"}
    assert rows["month"].nunique() == 2 and (rows["days_enrolled"] == 20).all() and (rows["days_attended"] == 18).all()


def test_of_two_columns_of_nearly_one_name_the_one_that_was_named_is_read(tmp_path):
    text = "\n".join([",".join([*NAMES, "days-enrolled"]), *(row + ",3" for row in ROWS)])
    (tmp_path / "rows.csv").write_text(text)
    assert check_path(tmp_path / "rows.csv", known_districts=KNOWN).accounts[0].used == len(ROWS)
    with pytest.raises(BadInput, match="2 columns that could be 'Days Enrolled'"):
        check_path(tmp_path / "rows.csv", Reading({"days_enrolled": "Days Enrolled"}), KNOWN)
    rows = pd.DataFrame([row.split(",") for row in ROWS], columns=NAMES)
    rows.assign(Month=rows["month"]).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(BadInput, match=r"rows.parquet has two columns of one name"):
        check_path(tmp_path / "rows.parquet", known_districts=KNOWN)


@pytest.mark.parametrize("above", ["Quispe Mamani\n02/03/2022", "Student,Quispe Mamani\nDate,02/03/2022"])
def test_what_stands_above_the_header_is_never_shown(tmp_path, above):
    (tmp_path / "rows.csv").write_text(f"{above}\n{_named(*NAMES)}")
    with pytest.raises(BadInput, match="what it has is not shown") as caught:
        check_path(tmp_path / "rows.csv", known_districts=KNOWN)
    assert "Quispe" not in str(caught.value)


def test_a_folder_as_another_program_leaves_it(tmp_path):
    rows = pd.DataFrame([row.split(",") for row in ROWS], columns=NAMES)
    (tmp_path / "year.parquet").mkdir()
    rows.to_parquet(tmp_path / "year.parquet" / "part-0.parquet")
    (tmp_path / "._year.parquet").write_bytes(b"\0\5\x16\7")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    rows.to_parquet(tmp_path / ".ipynb_checkpoints" / "year-checkpoint.parquet")
    (tmp_path / "elsewhere").symlink_to(FILES)
    report = check_path(tmp_path, known_districts=KNOWN)
    assert report.ok and report.rows_in == len(rows) and report.left_out == ("elsewhere",)
    (tmp_path / "last_year.parquet").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"last_year.parquet at .* a link to nothing"):
        check_path(tmp_path, known_districts=KNOWN)


def test_blank_lines_of_a_fixed_width_file_are_counted_and_refuse_nothing(tmp_path):
    rows = [f"{'0640011':7}{f'A{k}':12}{'2021-09':7}{20:5}{18:5}{0:5}{0:5}" for k in range(30)]
    (tmp_path / "month.txt").write_text("\n".join(["", " ", *rows, "", " " * 46, "", ""]))
    report = check_path(tmp_path / "month.txt", known_districts=KNOWN)
    account = report.accounts[0]
    assert report.ok and account.used == 30 and account.rows_in == 30 + account.aside["empty_row"] > 30


def test_the_ed_fi_shape_as_its_api_writes_it(base, tmp_path):
    words = {"05": "Fifth grade"}
    for part, name in {
        "enrolment": "Student-School Associations",
        "absences": "Student School Attendance Events",
        "calendar": "calendar_dates",
    }.items():
        rows = pd.read_csv(FILES / "edfi" / "base" / f"{part}.csv", dtype=str)
        for column, kind in {"grade": "GradeLevel", "category": "AttendanceEventCategory"}.items():
            if column in rows:
                rows[column] = f"uri://ed-fi.org/{kind}Descriptor#" + rows[column].replace(words)
        if part == "calendar":
            rows["calendar_event"] = "uri://ed-fi.org/CalendarEventDescriptor#Instructional day"
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    rows, panel = _read(tmp_path)
    pd.testing.assert_frame_equal(rows, base[0])
    assert panel.parts == base[1].parts and panel.lost == base[1].lost


@pytest.mark.parametrize(("every", "told"), [(3, True), (30, False)])
def test_absences_whose_students_are_in_no_enrollment_are_refused_where_they_are_many(tmp_path, every, told):
    shutil.copytree(FILES / "edfi" / "base", tmp_path / "own")
    rows = pd.read_csv(tmp_path / "own" / "absences.csv", dtype=str)
    strange = rows.index % every == 0
    rows["student"] = rows["student"].mask(strange, "0" + rows["student"])
    rows.to_csv(tmp_path / "own" / "absences.csv", index=False)
    noted = [part.noted.get("not_enrolled", 0) for part in _read(tmp_path / "own")[1].parts]
    assert sum(noted) == strange.sum() * told and PART_RULES["not_enrolled"][0] == "error"


@pytest.mark.parametrize(
    "row", ["Maria,Lopez,Hartford", "DAVID,Lopez,Hartford High School", "Lopez,Maria,Kindergarten"]
)
def test_a_first_row_of_words_alone_is_no_header_and_is_never_shown(tmp_path, row):
    (tmp_path / "a.csv").write_text(f"{row}\n1,Perez,x\n2,Perez,y\n", encoding="utf-8")
    with pytest.raises(BadInput, match="what it has is not shown") as caught:
        check_path(tmp_path / "a.csv", known_districts=KNOWN)
    assert "Lopez" not in str(caught.value)
    (tmp_path / "a.csv").write_text("StudentID,Surname,Place\n1,Perez,x\n2,Perez,y\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"it has \['Place', 'StudentID', 'Surname'\]"):
        check_path(tmp_path / "a.csv", known_districts=KNOWN)
