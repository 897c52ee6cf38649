"""A district's or state's own files, by the command line: from two CSV files to pages, from the parameters alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import NAMES, SCHOOL_MONTHS, STUDENT_KEY, students, workspace_at, write_pair, write_settings

from leapstudy.study.students import study_students

CODES = [f"{number:05d}" for number in range(350, 365)]
"""Codes of another state: five digits with zeros."""

pytestmark = pytest.mark.slow


@pytest.fixture
def workspace(tmp_path):
    """Return a copy of the workspace, and a function that runs a command in it."""
    root = tmp_path / "workspace"
    return root, workspace_at(root)


def _pages(root: Path, slug: str) -> dict[str, str]:
    folder = root / "reports" / f"students-{slug}"
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.html")}


def test_fifteen_districts_of_another_state_go_through(workspace, tmp_path):
    root, command = workspace
    rows, log = students({**dict.fromkeys(CODES, 90), CODES[0]: 350})
    write_settings(root, **write_pair(tmp_path / "private", rows, log), district_names={CODES[0]: "Springfield"})
    checked = command("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"Rows in: {len(rows):,}. Rows that stay: {len(rows):,}." in checked.stdout
    everything = command("run", "--track", "students", "--dry-run")
    assert len(everything.stdout.splitlines()) == len(CODES) + 1, everything.stdout
    done = command("run", "springfield", CODES[1], "all-districts", "--track", "students", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    pages = _pages(root, "springfield")
    assert {"plain.html", "appendix.html", "notebook.html", "plain.es.html"} <= set(pages)
    assert all("student files of Springfield" in page and "SIMULATED" not in page for page in pages.values())
    estimates = pd.read_csv(root / "reports" / "estimates.csv", dtype={"district_code": str})
    assert {CODES[0], "ALL"} <= set(estimates["district_code"]) <= {*CODES[:2], "ALL"}
    main = estimates[(estimates["district_code"] == "ALL") & (estimates["role"] == "main")].iloc[0]
    # 6% of days missed are won back at most: the truth lies between 1 and 6 points
    assert main["ci_low_pp"] < 4 and main["ci_high_pp"] > 1.5 and main["estimate_pp"] > 0
    made = command("report", "students-springfield", "--to", "html,docx")
    assert made.returncode == 0, made.stdout + made.stderr
    # a corrected file under the same name is another input
    rows.loc[0, "days_attended"] = 0
    write_pair(tmp_path / "private", rows, log)
    refused = command("status", "--track", "students")
    assert refused.returncode == 2 and "earlier" in refused.stderr, "one student's difference would be published"
    write_settings(root, earlier_answers="unpublished")
    assert "attendance" in command("status", "--track", "students").stdout


def test_one_district_and_an_error_before_the_first_kernel(workspace, tmp_path):
    root, command = workspace
    rows, log = students({"0640011": 300})
    private = tmp_path / "private"
    settings = write_pair(
        private, rows.drop(columns="district_code"), log.drop(columns=["district_code", "referral_date"])
    )
    columns = {ours: theirs for ours, theirs in NAMES.items() if ours not in ("district_code", "referral_date")}
    write_settings(root, **{**settings, "columns": columns, "district": "0640011"})
    done = command("run", "--track", "students", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    page = _pages(root, "hartford")["plain.html"]
    spoilt = rows.drop(columns="district_code").copy()
    spoilt["days_attended"] = spoilt["days_attended"].astype(object)
    spoilt.loc[5, "days_attended"] = "TELLTALE"
    write_pair(private, spoilt, log.drop(columns=["district_code", "referral_date"]))
    checked, refused = command("check"), command("run", "--track", "students")
    assert checked.returncode == refused.returncode == 2
    words = "Not usable before these are mended at the source: unreadable."
    assert words in checked.stdout + checked.stderr and words in refused.stdout + refused.stderr
    assert _pages(root, "hartford")["plain.html"] == page
    written = "".join(path.read_text(errors="ignore") for path in (root / "reports").rglob("*") if path.is_file())
    assert "TELLTALE" not in written + checked.stdout + checked.stderr + refused.stdout + refused.stderr


def _edfi(folder: Path, rows: pd.DataFrame) -> Path:
    folder.mkdir(parents=True)
    calendar = pd.concat([
        pd.DataFrame({"school_code": school, "date": pd.bdate_range(month.start_time, periods=18).strftime("%Y-%m-%d")})
        for school in rows["school_code"].unique() for month in SCHOOL_MONTHS
    ])  # fmt: skip
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


def test_every_other_shape_gives_the_same_answer(workspace, tmp_path, monkeypatch):
    """What the notebook calls, in this process: that a command brings it to the pages is held above."""
    root, _ = workspace
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", STUDENT_KEY)
    rows, log = students({"0640011": 250})
    private = tmp_path / "private"
    answers = {}
    inputs = {
        "edfi": {"input": _edfi(private / "edfi", rows)},
        "student_day": {"input": _days(private / "days" / "days.csv", rows)},
        "ct_monthly": {"input": _monthly(private / "monthly" / "monthly.txt", rows), "roster": private / "monthly" / "roster.csv"},
    }  # fmt: skip
    log.to_csv(private / "visits.csv", index=False)
    for shape, where in inputs.items():
        write_settings(
            root, visits=str(private / "visits.csv"), columns={}, **{key: str(path) for key, path in where.items()}
        )
        found = study_students("hartford").answer.estimates
        answers[shape] = [row.estimate_pp for row in found if row.role == "main"]
    assert answers["edfi"]
    for shape in ("student_day", "ct_monthly"):
        assert answers[shape] == pytest.approx(answers["edfi"]), shape
