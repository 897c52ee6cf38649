"""`leapstudy watch`: counted by hand and by a slow twin, small counts hidden,
and outcomes by arm closed until their day.
"""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from own_files import NAMES, students, write_pair

from leapstudy.core.errors import BadInput
from leapstudy.evidence.watch import Promise, Watch, lines, require_outcomes_open, watch
from leapstudy.students.contract import Reading
from leapstudy.students.disclosure import VISITED
from leapstudy.students.handle import open_students
from leapstudy.students.lottery import WAITING, Lottery, read_lottery
from leapstudy.students.lottery_outcomes import require_reach
from leapstudy.students.visits import FEW, FLOWS, NO_CODE, Progress, progress, visit_counts
from leapstudy.study.student_files import protected, supports

UNTIL = date(2021, 12, 31)
TABLES = ("totals", "schools", "weeks", "stopped", "arms", "attempts")
SECRET = "an invented key of forty characters, no more"


def _progress(**changes) -> Progress:
    counts = {
        "schools": pd.DataFrame(
            [
                ("D", "A", "met", 40, 80),
                ("D", "A", "referred, not tried", 10, 0),
                ("D", "A", "tried, not met", 10, 0),
                ("D", "B", "met", 30, 30),
                ("D", "B", "referred, not tried", 12, 0),
                ("D", "B", "tried, not met", 3, 0),
            ],
            columns=["district_code", "school_code", "status", "students", "visits"],
        ),
        "weeks": pd.DataFrame(
            [
                ("2021-12-06", "referred", 60),
                ("2021-12-13", "referred", 45),
                ("2021-12-06", "met", 68),
                ("2021-12-13", "met", 2),
            ],
            columns=["week", "flow", "students"],
        ),
        "feeds": pd.DataFrame(
            [
                ("D", school, month, 20)
                for school in "ABC"
                for month in ("2021-10", "2021-11")
                if (school, month) != ("C", "2021-11")
            ],
            columns=["district_code", "school_code", "month", "students"],
        ),
        "arms": pd.DataFrame({"phase": ["first", WAITING], "students": [60, 61], "met": [50, 8], "too_early": [0, 8]}),
        "attempts": pd.DataFrame(
            [
                ("result", "met", 70),
                ("result", "moved", 4),
                ("language", "es", 12),
                ("language", "pt", 5),
                ("support", "tutoring", 0),
            ],
            columns=["what", "value", "students"],
        ),
    }
    return Progress(**{**counts, **changes})


@pytest.fixture(scope="module")
def report() -> Watch:
    promise = Promise(
        first=date(2021, 12, 1),
        last=date(2022, 1, 31),
        referred=400,
        met=0.8,
        visits=1.5,
        outcomes_from=date(2022, 9, 1),
    )
    return watch(_progress(), UNTIL, promise)


def test_counts_by_hand(report):
    school = report.schools.set_index("school_code")
    assert school.loc["A", list(FLOWS)].tolist() == [60, 50, 40]
    assert school.loc["A", "coverage_pct"] == 67 and school.loc["A", "visits"] == 2.0
    assert school.loc["B", ["referred", "met"]].tolist() == [45, 30]
    totals = report.totals.set_index("what")
    # 31 of 62 days have passed: half of the promised
    assert totals.loc["students referred"].tolist() == [105, 200]
    assert totals.loc["students met"].tolist() == [70, 160]
    assert totals.loc["visits a met student"].tolist() == [1.6, 1.5]
    assert report.stopped[["school_code", "last_month", "months_missing"]].to_numpy().tolist() == [["C", "2021-10", 1]]


def test_small_counts_and_what_would_tell_them_are_hidden(report):
    assert np.isnan(report.schools.set_index("school_code").loc["B", "tried"])
    met = report.weeks.set_index("week")["met"]
    assert met[["2021-12-06", "2021-12-13"]].isna().all()  # 68 alone would give the 2 away


def test_what_needs_attention_comes_in_words(report):
    crossed, stopped, *behind = report.warnings
    assert crossed.startswith("About 10 students met before a visit was drawn"), "to the nearest five, as the tables"
    assert "1 school did not send" in stopped
    assert [line.split(",")[0] for line in behind] == [
        "Behind the plan: students referred",
        "Behind the plan: students met",
    ]
    quiet = Progress(
        **{name: getattr(_progress(), name).iloc[:0] for name in ("feeds", "arms", "attempts")},
        schools=_progress().schools,
        weeks=_progress().weeks,
    )
    assert watch(quiet, UNTIL).warnings == ()


def test_weeks_stand_beside_the_referrals_due_in_them(report):
    # 400 over 62 days from Wednesday, December 1 on: 6.45 a day, 7 days a week; a week without events has a row, too
    weeks = report.weeks.set_index("week")
    assert list(weeks.index) == ["2021-11-29", "2021-12-06", "2021-12-13", "2021-12-20", "2021-12-27"]
    assert weeks["promised"].tolist() == [32.3, 45.2, 45.2, 45.2, 32.3], "half of them after 31 days"
    assert weeks["referred"].tolist() == [0, 60, 45, 0, 0]
    first = Promise(first=date(2021, 12, 8), last=date(2022, 1, 31), referred=55)
    assert watch(_progress(), date(2021, 12, 15), first).weeks["promised"].tolist() == [5, 3], "one a day"
    assert "promised" not in watch(_progress(), UNTIL).weeks


def test_how_attempts_went_is_told_without_a_language_of_a_few(report):
    told = report.attempts.set_index("value")["students"]
    assert (told["met"], told["es"], told["tutoring"]) == (70, 10, 0)
    assert np.isnan(told["moved"]) and "pt" not in told


def test_too_few_visits_a_met_student_are_told_once_the_time_is_over():
    few = Promise(first=date(2021, 12, 1), last=date(2022, 1, 31), visits=3)
    assert not any("visits a met" in text for text in watch(_progress(), UNTIL, few).warnings)
    assert any("visits a met student, 1.6 where 3" in text for text in watch(_progress(), few.last, few).warnings)


def test_a_phase_whose_month_is_over_and_of_whom_nobody_was_met_is_named():
    arms = pd.DataFrame({"phase": ["first", "second", WAITING], "students": 60, "met": [0, 0, 0], "too_early": 0})
    idle = replace(_progress(), arms=arms)
    month = f"{UNTIL:%Y-%m}"
    told = watch(idle, UNTIL, starts={"first": "2021-11", "second": month}).warnings
    assert [text[:24] for text in told if "has been met" in text] == ["Nobody of phase 'first' "]
    met = replace(idle, arms=arms.assign(met=[1, 0, 0]))
    assert not any("has been met" in text for text in watch(met, UNTIL, starts={"first": "2021-11"}).warnings)


def test_a_program_that_has_not_begun_has_its_report():
    none = Progress(
        **{name: getattr(_progress(), name).iloc[:0] for name in ("schools", "weeks", "arms", "feeds", "attempts")}
    )
    report = watch(none, UNTIL, Promise(first=UNTIL, last=UNTIL, referred=400, met=0.8))
    assert report.totals.set_index("what")["so_far"].iloc[:3].tolist() == [0, 0, 0]
    assert report.schools.empty and report.stopped.empty and len(report.warnings) == 2
    assert report.weeks.to_numpy().tolist() == [["2021-12-27", 0, 0, 0, 400]]
    assert watch(none, UNTIL).weeks.empty and lines(report.schools) == []


@pytest.mark.parametrize("planned", [None, date(2022, 9, 1)])
def test_outcomes_by_arm_are_refused_before_their_day(planned):
    with pytest.raises(BadInput, match=r"Outcomes by arm are closed"):
        require_outcomes_open(planned, date(2022, 8, 31))


def test_outcomes_by_arm_open_on_their_day():
    require_outcomes_open(date(2022, 9, 1), date(2022, 9, 1))


def test_a_report_carries_no_outcome(report):
    columns = {column for name in TABLES for column in getattr(report, name)}
    assert columns == {
        "what",
        "so_far",
        "promised",
        "district_code",
        "school_code",
        *FLOWS,
        "coverage_pct",
        "visits",
        "week",
        "last_month",
        "months_missing",
        "phase",
        "students",
        "too_early",
        "value",
    }


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Return own files, and the same opened: 150 students of two districts."""
    folder = tmp_path_factory.mktemp("watch")
    rows, log = students({"0640011": 90, "0770011": 60})
    write_pair(folder, rows, log)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAPSTUDY_STUDENT_KEY", SECRET)
        how = Reading({name: own for name, own in NAMES.items() if name != "type"})
        yield folder, rows, log, open_students(folder / "attendance.csv", folder / "visits.csv", how)


def test_progress_counts_as_a_slow_twin_does(opened):
    _, rows, log, data = opened
    counts = progress(data, UNTIL)
    school = rows.sort_values("month").groupby("student")["school_code"].last()
    status, week = {}, {}
    for one in log[pd.to_datetime(log["referral_date"]).dt.date <= UNTIL].itertuples():
        tried = one.visit_date <= UNTIL
        met = tried and one.completed == "Y"
        key = (school[one.student], "met" if met else "tried, not met" if tried else "referred, not tried")
        status[key] = status.get(key, 0) + 1
        for flow, day, there in (
            ("referred", one.referral_date, True),
            ("tried", one.visit_date, tried),
            ("met", one.visit_date, met),
        ):
            if there:
                monday = str(day - pd.Timedelta(days=day.weekday()))
                week[monday, flow] = week.get((monday, flow), 0) + 1
    assert {(row.school_code, row.status): row.students for row in counts.schools.itertuples()} == status
    assert {(row.week, row.flow): row.students for row in counts.weeks.itertuples()} == week
    assert len(counts.feeds) == rows.groupby(["school_code", "month"]).ngroups


def test_results_languages_and_the_states_own_supports_are_counted_as_a_slow_twin_does(opened, monkeypatch):
    folder, _, log, _ = opened
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", SECRET)
    place = np.arange(len(log))
    met = (log["completed"] == "Y").to_numpy()
    log = log.assign(
        result=np.where(met, "met", np.where(place % 3, "refused", "")),
        language=np.array(["Spanish", "PT", "", "Maria Telltale"])[place % 4],
        supports=np.where(met, np.array(["tutoring;food", "bus pass", ""])[place % 3], ""),
    )
    log.drop(columns="type").rename(columns=NAMES).to_csv(folder / "visits_in_full.csv", index=False)
    columns = {name: own for name, own in NAMES.items() if name != "type"}
    how = Reading(columns, supports=("bus_pass", "food", "tutoring"))
    data = open_students(folder / "attendance.csv", folder / "visits_in_full.csv", how)
    until = date(2022, 6, 30)
    found = progress(data, until).attempts
    tried = log[log["visit_date"] <= until].assign(met=met[(log["visit_date"] <= until).to_numpy()])
    of = tried.groupby
    expected = {("result", name or "not said"): n for name, n in of("result")["student"].nunique().items()}
    expected |= {("type", "not said"): tried["student"].nunique()}
    named = tried["language"].map({"Spanish": "es", "PT": "pt", "": "not said"}).fillna(NO_CODE)
    expected |= {("language", name): n for name, n in of(named)["student"].nunique().items()}
    for name in how.supports:
        own = tried["met"] & tried["supports"].str.replace(" ", "_").str.split(";").map({name}.issubset)
        expected |= {("support", name): tried.loc[own, "student"].nunique()} if own.any() else {}
    assert {(row.what, row.value): row.students for row in found.itertuples()} == expected
    assert {"refused", "es", "tutoring", "bus_pass"} <= set(found["value"]) and "Telltale" not in str(expected)
    counts = visit_counts(data)
    given = counts[(counts["district_code"] == "ALL") & (counts["status"] == VISITED) & (counts["tutoring"] == "yes")]
    own = log[met & log["supports"].str.contains("tutoring")]
    assert given["students"].tolist() == [own["student"].nunique()]
    assert list(supports(protected(counts), data.supports)["support"]) and "coats" not in counts


def test_crossovers_of_a_draw_of_students(opened):
    folder, rows, log, data = opened
    ids = sorted(rows["student"].unique())
    phase = {one: "first" if place % 2 else WAITING for place, one in enumerate(ids)}
    path = folder / "draw.csv"
    pd.DataFrame({"unit": ids, "stratum": "all", "phase": list(phase.values())}).to_csv(path, index=False)
    lottery = read_lottery(path, "student", {"first": "2021-11"})
    assert not any(one in repr(lottery) for one in ids)
    arms = progress(data, UNTIL, lottery).arms.set_index("phase")
    met = log[(log["completed"] == "Y") & (log["visit_date"] <= UNTIL)]
    early = met[(met["student"].map(phase) == WAITING) | (met["visit_date"] < date(2021, 11, 1))]
    assert arms["students"].to_dict() == {"first": 75, WAITING: 75}
    assert arms["met"].to_dict() == met["student"].map(phase).value_counts().to_dict()
    assert arms["too_early"].sum() == len(early) > 0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"unit": ["a", "a", "b"]}, "2 units|1 unit more than once"),
        ({"phase": ["first", "first", "first"]}, "nobody is left to compare with"),
        ({"phase": ["first", "frist", WAITING]}, "Unknown phase of the draw: 'frist'. Did you mean 'first'"),
        ({"phase": ["first", "comparison", WAITING]}, "who is compared has the phase .waiting."),
    ],
)
def test_a_list_that_is_no_draw_is_refused_without_naming_a_unit(tmp_path, changed, words):
    path = tmp_path / "draw.csv"
    table = {
        "unit": ["TELLTALE1", "TELLTALE2", "b"],
        "stratum": ["s"] * 3,
        "phase": ["first", "first", WAITING],
    } | changed
    pd.DataFrame(table).to_csv(path, index=False)
    with pytest.raises(BadInput, match=words) as refused:
        read_lottery(path, "school", {"first": "2021-11"})
    assert "TELLTALE" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        ("unit,stratum,phase\nTELLTALE1,Pe\u00f1a,first\n".encode("latin-1"), "a letter in it is of another encoding"),
        (b"unit,stratum,phase\nTELLTALE1,s,first\nTELLTALE2,s,first,TELLTALE3\n", "line 3 has more cells"),
        (b'unit,stratum,phase\n"TELLTALE1,s,first\n', "its quotes do not close"),
    ],
)
def test_a_list_that_is_no_table_is_refused_without_a_cell(tmp_path, content, words):
    path = tmp_path / "draw.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=f"draw.csv is not CSV in UTF-8: {words}") as refused:
        read_lottery(path, "student", {"first": "2021-11"})
    assert "TELLTALE" not in str(refused.value) and "TELLTALE" not in str(refused.value.__context__)


def test_two_phases_with_one_start_are_refused_before_a_file_is_read(tmp_path):
    """They leave a period without a month, which the files would be blamed for."""
    path = tmp_path / "draw.csv"
    path.write_text(f"unit,stratum,phase\n1,s,first\n2,s,second\n3,s,{WAITING}\n", encoding="utf-8")
    with pytest.raises(BadInput, match="Of the phases first, second some have one start"):
        read_lottery(path, "school", {"first": "2021-11", "second": "2021-11"})


@pytest.mark.parametrize(("first", "last"), [("2021-11", "2022-06"), ("2021-12", "2022-06"), ("2020-09", "2022-01")])
def test_starts_around_which_the_files_do_not_lie_are_named(first, last):
    """The list was said to be of other files, since nobody had a school before the first start."""
    lottery = Lottery("school", pd.DataFrame(), {"first": "2021-11", "second": "2022-02"})
    require_reach(lottery, "2021-10", "2022-02")
    with pytest.raises(BadInput, match=f"{first} to {last}, do not lie around .* draw, 2021-11, 2022-02"):
        require_reach(lottery, first, last)


def test_a_list_of_students_whose_columns_slipped_shows_none_of_them(tmp_path):
    path = tmp_path / "draw.csv"
    pd.DataFrame({"unit": ["s"], "stratum": ["first"], "phase": ["TELLTALE1"]}).to_csv(path, index=False)
    with pytest.raises(BadInput, match="The phase of 1 line of draw.csv is none of first, waiting") as refused:
        read_lottery(path, "student", {"first": "2021-11"})
    assert "TELLTALE" not in str(refused.value)


def test_a_schools_name_that_may_be_a_students_is_never_told(opened, monkeypatch):
    folder, rows, *_ = opened
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", SECRET)
    slipped = rows.assign(school_code="Telltale " + rows["student"])
    slipped.rename(columns=NAMES).to_csv(folder / "slipped.csv", index=False)
    data = open_students(folder / "slipped.csv", folder / "visits.csv", Reading(NAMES))
    counts = progress(data, date(2022, 6, 30))
    assert set(counts.schools["school_code"]) | set(counts.feeds["school_code"]) == {FEW}
    assert counts.schools["students"].sum() == progress(opened[3], date(2022, 6, 30)).schools["students"].sum()
