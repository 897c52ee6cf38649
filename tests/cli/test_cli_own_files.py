"""A district's or state's own files, by the command line: from two CSV files to pages, from the parameters alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import NAMES, SCHOOL_MONTHS, STUDENT_KEY, students, workspace_at, write_pair, write_settings

from leapstudy.students.handle import engine_table, visit_table
from leapstudy.students.settings import load_settings
from leapstudy.study.student_files import open_own
from leapstudy.study.students import study_students

# Codes of another state: five digits with zeros.
CODES = [f"{number:05d}" for number in range(350, 365)]

pytestmark = pytest.mark.slow


@pytest.fixture
def workspace(tmp_path):
    """Return a copy of the workspace, and a function that runs a command in it."""
    root = tmp_path / "workspace"
    return root, workspace_at(root)


def _pages(root: Path, slug: str) -> dict[str, str]:
    folder = root / "reports" / f"students-{slug}"
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.html")}


def test_fifteen_districts_of_another_state_go_through_until_a_file_is_spoilt(workspace, tmp_path):
    root, command = workspace
    private = tmp_path / "private"
    rows, log = students({**dict.fromkeys(CODES, 90), CODES[0]: 350})
    write_settings(root, **write_pair(private, rows, log), district_names={CODES[0]: "Springfield"})
    checked = command("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"Rows in: {len(rows):,}. Rows that stay: {len(rows):,}." in checked.stdout
    everything = command("run", "--track", "students", "--dry-run")
    assert len(everything.stdout.splitlines()) == len(CODES) + 1, everything.stdout
    done = command("run", "springfield", "all-districts", "--track", "students", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    pages = _pages(root, "springfield")
    assert {"plain.html", "appendix.html", "notebook.html", "plain.es.html"} <= set(pages)
    assert all("student files of Springfield" in page and "SIMULATED" not in page for page in pages.values())
    estimates = pd.read_csv(root / "reports" / "estimates.csv", dtype={"district_code": str})
    assert set(estimates["district_code"]) == {CODES[0], "ALL"}
    main = estimates[(estimates["district_code"] == "ALL") & (estimates["role"] == "main")].iloc[0]
    # 6% of days missed are recovered at most: the truth lies between 1 and 6 points
    assert main["ci_low_pp"] < 4 and main["ci_high_pp"] > 1.5 and main["estimate_pp"] > 0
    made = command("report", "students-springfield", "--to", "html,docx")
    assert made.returncode == 0, made.stdout + made.stderr
    pages = _pages(root, "springfield")  # with the way to the report
    # a corrected file under the same name is another input
    rows.loc[0, "days_attended"] = 0
    write_pair(private, rows, log)
    refused = command("status", "--track", "students")
    assert refused.returncode == 2 and "earlier" in refused.stderr, "one student's difference would be published"
    write_settings(root, earlier_answers="unpublished")
    assert "attendance" in command("status", "--track", "students").stdout
    spoilt = rows.astype({"days_attended": object})
    spoilt.loc[5, "days_attended"] = "TELLTALE"
    write_pair(private, spoilt, log)
    said = ""
    for asked in (["check"], ["run", "springfield", "--track", "students"]):
        refused = command(*asked)
        said += refused.stdout + refused.stderr
        assert refused.returncode == 2, asked
        assert "Not usable before these are mended at the source: unreadable." in refused.stdout + refused.stderr, asked
    assert _pages(root, "springfield") == pages, "an error before the first kernel leaves the pages as they were"
    written = "".join(path.read_text(errors="ignore") for path in (root / "reports").rglob("*") if path.is_file())
    assert "TELLTALE" not in written + said


def _edfi(folder: Path, rows: pd.DataFrame) -> Path:
    folder.mkdir(parents=True)
    calendar = pd.concat(
        [
            pd.DataFrame(
                {"school_code": school, "date": pd.bdate_range(month.start_time, periods=18).strftime("%Y-%m-%d")}
            )
            for school in rows["school_code"].unique()
            for month in SCHOOL_MONTHS
        ]
    )
    calendar.to_csv(folder / "CalendarDates.csv", index=False)
    one = rows.drop_duplicates("student")[["student", "district_code", "school_code", "grade"]]
    one.assign(entry_date="2020-08-25", exit_date="").to_csv(folder / "StudentSchoolAssociations.csv", index=False)
    missed = rows[rows["days_enrolled"] > rows["days_attended"]]
    events = [
        (row.student, row.school_code, str(day.date()), "Unexcused Absence")
        for row in missed.itertuples()
        for day in pd.bdate_range(row.month, periods=18)[: row.days_enrolled - row.days_attended]
    ]
    present = [(events[0][0], events[0][1], "2021-10-05", "Tardy")]
    names = ["student", "school_code", "date", "category"]
    pd.DataFrame(events + present, columns=names).to_csv(folder / "StudentSchoolAttendanceEvents.csv", index=False)
    return folder


def _days(path: Path, rows: pd.DataFrame) -> Path:
    path.parent.mkdir(parents=True)
    days = rows.loc[rows.index.repeat(rows["days_enrolled"])].reset_index(drop=True)
    place = days.groupby(["student", "month"]).cumcount()
    firsts = pd.to_datetime(days["month"]).to_numpy("datetime64[D]")
    days["date"] = np.busday_offset(firsts, place, roll="forward").astype(str)
    days["attended"] = (place >= days["days_enrolled"] - days["days_attended"]).astype(int)
    days[["student", "district_code", "school_code", "grade", "date", "attended"]].to_csv(path, index=False)
    return path


def _monthly(path: Path, rows: pd.DataFrame) -> Path:
    path.parent.mkdir(parents=True)
    lines = [
        f"{row.district_code}{row.student:<12}{row.month[:7]}{row.days_enrolled:>5}{row.days_attended:>5}{0:>5}{0:>5}"
        for row in rows.itertuples()
    ]
    path.write_text("\n".join(lines) + "\n")
    rows.drop_duplicates("student")[["student", "school_code", "grade"]].to_csv(path.parent / "roster.csv", index=False)
    return path


def test_every_shape_is_the_same_rows_and_one_district_has_its_answer(lean, workspace, tmp_path, monkeypatch):
    """What the notebook calls, in this process: that a command brings it to the pages is held above."""
    root, _ = workspace
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", STUDENT_KEY)
    rows, log = students({"0640011": 250})
    private = tmp_path / "private"
    roster = private / "monthly" / "roster.csv"
    shapes = {
        "edfi": {"input": _edfi(private / "edfi", rows)},
        "student_day": {"input": _days(private / "days" / "days.csv", rows)},
        "ct_monthly": {"input": _monthly(private / "monthly" / "monthly.txt", rows), "roster": roster},
    }
    log.to_csv(private / "visits.csv", index=False)
    # a district's own pair has no column for the district
    pair = write_pair(private / "own", *(frame.drop(columns="district_code") for frame in (rows, log)))
    columns = {ours: theirs for ours, theirs in NAMES.items() if ours != "district_code"}
    write_settings(root, **{**pair, "columns": columns, "district": "0640011"})
    own = _opened()
    without = ["district_code", "referral_date"]  # a log without referrals is one too
    pair = write_pair(private / "bare", rows.drop(columns="district_code"), log.drop(columns=without))
    columns = {ours: theirs for ours, theirs in NAMES.items() if ours not in without}
    write_settings(root, **{**pair, "columns": columns, "district": "0640011"})
    assert any(row.role == "main" for row in study_students("hartford").answer.estimates)
    assert len(own[0]) == len(rows) and len(own[1]) == len(log)
    for shape, where in shapes.items():
        files = {key: str(path) for key, path in where.items()}
        write_settings(root, visits=str(private / "visits.csv"), columns={}, district="", **files)
        for table, same in zip(_opened(), own, strict=True):
            pd.testing.assert_frame_equal(table[same.columns], same, check_dtype=False, obj=shape)


def _opened() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of attendance and visits that the parameters name, as every estimate sees them."""
    data = open_own(load_settings())
    attendance, visits = engine_table(data).to_pandas(), visit_table(data).to_pandas()
    return (
        attendance.sort_values(["student", "month"], ignore_index=True),
        visits.sort_values(["student", "visit_date"], ignore_index=True),
    )


def test_what_is_wrong_with_attendance_log_and_key_is_told_at_once(tmp_path):
    root = tmp_path / "workspace"
    command = workspace_at(root, key="")
    rows, log = students({"0640011": 40})
    rows = rows.astype({"days_attended": object})
    rows.loc[:9, "days_attended"] = "TELLTALE"
    pair = write_pair(tmp_path / "private", rows, log)
    for visits, told, files in (("", "names attendance and no visit log", 1), (pair["visits"], "_STUDENT_KEY_FILE", 2)):
        write_settings(root, **{**pair, "visits": visits})
        done = command("check")
        said = done.stdout + done.stderr
        assert done.returncode == 2 and "[error] unreadable" in said and told in said and "TELLTALE" not in said
        assert said.count("Rows in: ") == files and said.count(told) == 1, "each report and each reason stand once"
