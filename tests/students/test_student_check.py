"""`check` counts exactly what was spoilt, repairs what it says, and never repeats a cell."""

import json
import subprocess
import sys
import traceback

import numpy as np
import pandas as pd
import pytest
from student_tables import counts_of

from leapstudy.core.errors import BadInput
from leapstudy.students.check import NOWHERE, check_path, inspect_attendance, inspect_visits, kept_rows, limits_for
from leapstudy.students.contract import STUDENT_MONTH, Reading
from leapstudy.students.engine import connect, sealed
from leapstudy.students.handle import clean_panel
from leapstudy.students.readers import open_panel, read_visits
from leapstudy.students.rules import PANEL_RULES, VISIT_RULES
from leapstudy.students.simulate import load_config, write_simulation
from leapstudy.students.visits import log_by_student

RATES = {
    "over_by_two": 0.004,
    "over_by_more": 0.003,
    "zero_membership": 0.004,
    "repeated": 0.003,
    "conflicting": 0.002,
    "two_districts": 0.002,
    "lost_zeros": 0.001,
    "unknown_district": 0.001,
    "stopped_feed": 0.02,
}
CONFIG = load_config().with_changes(districts={"0640011": 900, "1510011": 1300, "2410014": 500}, dirt=RATES)
KNOWN = (*CONFIG.districts, CONFIG.wrong_codes.elsewhere)
ROW = {
    "student": "~Paaaaaaaaaa",
    "district_code": "0640011",
    "school_code": "0640001",
    "grade": "05",
    "month": "2020-09",
    "days_enrolled": "20",
    "days_attended": "18",
}


HALF = {"days_enrolled": "10", "days_attended": "9"}


@pytest.fixture(scope="module")
def dirty(tmp_path_factory):
    files = write_simulation(tmp_path_factory.mktemp("dirty") / "dirty.parquet", CONFIG)
    return files, json.loads(files.manifest.read_text())["dirt"]


@pytest.fixture
def check_rows(tmp_path):
    """Check rows given as changes of one good row; returns the report."""

    def check(*changes, known=("0640011", "0150011")):
        rows = pd.DataFrame([{**ROW, **change} for change in changes]).fillna("")
        rows.to_csv(tmp_path / "rows.csv", index=False)
        return check_path(tmp_path / "rows.csv", known_districts=known, con=connect(threads=1))

    return check


def _found(report):
    return counts_of(report).query("rule != 'nothing_left'").groupby("rule")["rows"].sum().to_dict()


def _clean(con, path, known=()):
    """Return the repaired panel, errors left out as well (a run would stop at them)."""
    panel = open_panel(con, path, Reading())
    _, rows = inspect_attendance(panel, limits_for(panel.table, known, Reading()), "rows")
    return clean_panel(kept_rows(rows, (*STUDENT_MONTH.names, "failed", "alone")))


def test_every_injected_fault_is_counted_and_nothing_else(dirty):
    """A conflict and a move are two rows each, and every other fault one."""
    files, injected = dirty
    report = check_path(files.panel, known_districts=KNOWN, con=connect(threads=1))
    rows_of = {"conflicting": 2, "two_districts": 2}
    assert _found(report) == {kind: count * rows_of.get(kind, 1) for kind, count in injected.items()}
    assert min(injected.values()) > 0
    assert not report.ok and report.simulated and "SIMULATED" in report.text()


@pytest.mark.parametrize(("months", "repeated"), [(("2001-01", "2005-03"), 0), (("2001-01", "2005-03", "2001-01"), 1)])
def test_months_that_share_a_bit_are_told_apart(check_rows, months, repeated):
    """50 months lie between them, so that the word of a student's months alone would take them for one."""
    report = check_rows(*({"month": month} for month in months))
    assert _found(report).get("repeated", 0) == repeated


def test_rows_in_and_out_add_up(dirty):
    files, injected = dirty
    con = connect(threads=1)
    report = check_path(files.panel, known_districts=KNOWN, con=con)
    kinds = ("over_by_more", "zero_membership", "repeated", "lost_zeros", "unknown_district", "stopped_feed")
    assert (
        report.rows_in - report.accounts[0].used == sum(injected[kind] for kind in kinds) + 2 * injected["conflicting"]
    )
    assert _clean(con, files.panel, KNOWN).count().to_pandas() == report.accounts[0].used - injected["two_districts"]
    account = report.accounts[0]
    assert sum(account.aside.values()) + account.used == account.rows_in == len(pd.read_parquet(files.panel))


def test_the_clean_panel_is_capped_and_has_one_row_per_student_and_month(dirty):
    files, injected = dirty
    con = connect(threads=1)
    clean = _clean(con, files.panel, KNOWN).to_pandas()
    assert not clean.duplicated(["student", "month"]).any()
    assert (clean["days_attended"] <= clean["days_enrolled"]).all()
    assert clean["capped"].sum() == injected["over_by_two"]
    assert (clean["days_enrolled"] > 0).all()


def test_a_clean_file_has_nothing_to_report(check_rows):
    report = check_rows({}, {"month": "2020-10"})
    assert report.ok and counts_of(report).empty
    assert (report.rows_in, report.accounts[0].used) == (2, 2)
    assert "Nothing to report" in report.text()


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("no_student", [{"student": ""}]),
        ("lost_zeros", [{"district_code": "640011"}]),
        ("unknown_district", [{"district_code": "0640011.0"}]),
        ("unknown_district", [{"district_code": "0020011"}]),
        ("no_district", [{"district_code": ""}]),
        ("odd_code", [{"district_code": "Mamani, Quispe"}]),
        ("implausible_date", [{"month": "0021-09-01"}]),
        ("implausible_date", [{"month": "9999-12-01"}]),
        ("implausible_date", [{"month": "1999-12-01"}]),
        ("unreadable", [{"month": "09/01/21"}]),
        ("unknown_status", [{"status": "provisional"}]),
        ("crowded_month", [{"school_code": "0640002", "days_attended": "10"}, {}]),
        ("thin_month", [{"month": "2021-07"}, *({"student": f"~P{'a' * 9}{letter}"} for letter in "abcdefghijklm")]),
        ("unreadable", [{"days_attended": "eighteen"}]),
        ("unreadable", [{"month": "September"}]),
        ("unreadable", [{"days_enrolled": ""}]),
        ("suppressed", [{"days_attended": "<5"}]),
        ("suppressed", [{"days_attended": "*"}]),
        ("suppressed", [{"days_attended": ">=95"}]),
        ("over_by_two", [{"days_attended": "22"}]),
        ("over_by_more", [{"days_attended": "23"}]),
        ("impossible_days", [{"days_enrolled": "32"}]),
        ("impossible_days", [{"days_attended": "-1"}]),
        ("zero_membership", [{"days_enrolled": "0", "days_attended": "0"}]),
        ("unknown_grade", [{"grade": "13"}]),
        ("no_grade", [{"grade": ""}]),
        ("repeated", [{}, {}]),
        ("repeated", [{}, {"days_enrolled": "10", "days_attended": "9"}]),
        ("conflicting", [{}, {"days_attended": "17"}]),
        ("two_districts", [HALF, {**HALF, "district_code": "0150011"}]),
        ("visits_differ", [{"first_visit_month": "2021-07"}, {"month": "2020-10", "first_visit_month": "2021-08"}]),
        ("visits_differ", [{"first_visit_month": "2021-07"}, {"month": "2020-10"}]),
        ("mixed_status", [{"status": "final"}, {"month": "2020-10", "status": "year_to_date"}]),
        ("stopped_feed", [{"student": f"~P{letter * 10}", "days_attended": "20"} for letter in "abcdefghijklmnopqrst"]),
    ],
)
def test_each_rule_by_hand(check_rows, rule, changes):
    # a good row of another student keeps the file from being empty, and its district known
    good = {
        "student": "~Pzzzzzzzzzz",
        "school_code": "0640009",
        "status": next((c["status"] for c in changes if "status" in c), ""),
    }
    report = check_rows(good, *changes)
    assert list(_found(report)) == [rule]
    severity = {item.id: item.severity for item in PANEL_RULES}[rule]
    assert report.ok == (severity != "error")


def test_every_rule_has_a_case_or_a_source_test():
    """`unmatched` needs a shape of its own, see the readers' tests."""
    marks = test_each_rule_by_hand.pytestmark[0].args[1]
    assert {rule.id for rule in PANEL_RULES} - {case[0] for case in marks} == {"unmatched"}


def test_nineteen_perfect_students_are_no_stopped_feed(check_rows):
    perfect = [{"student": f"~P{letter * 10}", "days_attended": "20"} for letter in "abcdefghijklmnopqrs"]
    assert counts_of(check_rows(*perfect)).empty


def test_the_row_with_the_larger_membership_stays_and_two_districts_weigh_by_membership(tmp_path):
    rows = [
        ROW,
        {**ROW, "days_enrolled": "10", "days_attended": "2"},
        {**ROW, "month": "2020-10", "days_enrolled": "5", "days_attended": "1"},
        {**ROW, "month": "2020-10", "district_code": "0150011", "days_enrolled": "15", "days_attended": "15"},
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "rows.csv", index=False)
    con = connect(threads=1)
    clean = _clean(con, tmp_path / "rows.csv").to_pandas().sort_values("month")
    assert clean["days_enrolled"].tolist() == [20, 20]
    assert clean["days_attended"].tolist() == [18, 16]
    assert clean["district_code"].tolist() == ["0640011", "0150011"]


def test_small_counts_are_not_told_and_cannot_be_subtracted(check_rows):
    text = check_rows({}, *({"month": f"2020-{month}", "days_attended": "25"} for month in (10, 11, 12))).text()
    assert "Rows in: fewer than 6" in text and "about 0" not in text
    assert "3 rows" not in text and "Rows in: 4" not in text


SECRET = "SECRET-7788"


@pytest.mark.parametrize("column", list(ROW))
def test_no_cell_is_repeated_whatever_column_it_slipped_into(check_rows, column):
    report = check_rows({column: SECRET}, {"month": "2020-10"})
    assert SECRET not in report.text() and SECRET not in repr(report) and SECRET not in counts_of(report).to_string()
    if column == "district_code":
        assert NOWHERE in report.text()


def test_an_engine_error_is_sealed_with_its_whole_chain(tmp_path):
    def fail():
        return connect(threads=1).con.execute(f"select cast('{SECRET}' as integer)").fetchall()

    with pytest.raises(BadInput, match="ConversionException") as caught:
        sealed("counting", fail)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown and caught.value.__context__ is None


LONG_QUERY = """
import os, signal, threading
import ibis
from leapstudy.students.engine import connect, sealed
signal.signal(signal.SIGINT, signal.default_int_handler)
con = connect(threads=1)
one, other = (ibis.range(size).unnest().name(name).as_table() for name, size in (("a", 3_000_000), ("b", 30_000)))
rows = one.cross_join(other)
total = rows.agg(total=(rows.a.hash() % 7 + rows.b % 3).sum())
threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    sealed("counting", lambda: con.to_pyarrow(total))
except KeyboardInterrupt:
    print("stopped")
"""


def test_a_query_that_is_interrupted_ends_as_every_interruption_does():
    """DuckDB says RuntimeError where Ctrl-C ends a query: commands tell what is left, where that was a traceback."""
    ran = subprocess.run([sys.executable, "-c", LONG_QUERY], capture_output=True, text=True, timeout=120, check=False)
    assert ran.stdout == "stopped\n", ran.stderr


def test_a_broken_file_is_reported_without_its_content(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(SECRET.encode() * 20)
    with pytest.raises(BadInput) as caught:
        check_path(tmp_path / "broken.parquet")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


VISIT = {
    "student": "~Paaaaaaaaaa",
    "district_code": "0640011",
    "referral_date": "2021-07-01",
    "visit_date": "2021-07-10",
    "type": "phone",
    "completed": "yes",
    "supports": "Food; mental health",
}


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("no_date", {"visit_date": ""}),
        ("unknown_type", {"type": "letter"}),
        ("before_referral", {"visit_date": "2021-06-30"}),
        ("unreadable", {"completed": "perhaps"}),
        ("no_student", {"student": ""}),
        ("implausible_date", {"visit_date": "2999-12-31"}),
        ("unknown_support", {"supports": "food; massage"}),
        ("no_referral", {"referral_date": ""}),
    ],
)
def test_the_visit_log_has_its_own_rules(tmp_path, rule, change):
    later = {**VISIT, "visit_date": "2021-07-11"}
    pd.DataFrame([VISIT, {**later, **change}]).fillna("").to_csv(tmp_path / "visits.csv", index=False)
    report = check_path(tmp_path / "visits.csv", known_districts=("0640011",), con=connect(threads=1))
    assert _found(report) == {rule: 1}
    assert rule in {item.id for item in VISIT_RULES}


def test_a_day_that_stands_twice_is_one_visit_and_told(tmp_path):
    other, tried = {**VISIT, "supports": "food"}, {**VISIT, "completed": "no"}
    pd.DataFrame([VISIT, other, tried, {**VISIT, "visit_date": "2021-07-20"}]).to_csv(tmp_path / "v.csv", index=False)
    con = connect(threads=1)
    assert _found(check_path(tmp_path / "v.csv", known_districts=("0640011",), con=con)) == {"visited_again": 2}
    log = read_visits(con, tmp_path / "v.csv", Reading()).table
    for left_out, rule in (("student", "no_student"), ("visit_date", "no_date")):
        pd.DataFrame([{**VISIT, left_out: ""}] * 2).to_csv(tmp_path / "odd.csv", index=False)
        assert _found(check_path(tmp_path / "odd.csv", known_districts=("0640011",), con=con)) == {rule: 2}
    assert log_by_student(log, ())["met"].to_pyarrow().to_pylist() == [2]


def test_a_day_that_is_listed_twice_is_set_aside_once_and_its_month_is_used(tmp_path):
    """The other days of the month count, so that they are no rows that count for nothing."""
    day = {name: ROW[name] for name in ("student", "district_code", "school_code", "grade")}
    days = [{**day, "date": f"2021-09-{number:02d}", "attended": number % 2} for number in (1, 2, 3, 6, 7, 8, 8)]
    pd.DataFrame(days).to_csv(tmp_path / "days.csv", index=False)
    report = check_path(tmp_path / "days.csv", known_districts=("0640011",), con=connect(threads=1))
    assert _found(report)["unmatched"] == 1
    account = report.accounts[0]
    assert (account.rows_in, account.used, account.aside) == (7, 6, {"unmatched": 1})


def test_a_visit_before_the_students_own_first_month_is_told(tmp_path):
    later = [{**ROW, "student": "~Pbbbbbbbbbb", "month": month} for month in ("2021-11", "2021-12")]
    pd.DataFrame([{**ROW, "month": "2021-09"}, *later]).to_csv(tmp_path / "rows.csv", index=False)
    seen = {**VISIT, "referral_date": "2021-10-02", "visit_date": "2021-10-10"}
    log = [seen, {**seen, "student": "~Pbbbbbbbbbb"}, {**seen, "student": "~Pbbbbbbbbbb", "visit_date": "2021-11-01"}]
    pd.DataFrame(log).to_csv(tmp_path / "visits.csv", index=False)
    con = connect(threads=1)
    panel, source = (
        open_panel(con, tmp_path / "rows.csv", Reading()),
        read_visits(con, tmp_path / "visits.csv", Reading()),
    )
    limits = limits_for(panel.table, (), Reading())
    report, _ = inspect_visits(source, panel.table, limits, "visits.csv", 0.1)
    assert _found(report) == {"before_enrollment": 1}


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        (("640011", "640011"), {"lost_zeros": 2}),
        (("640011", "150011"), {"lost_zeros": 2}),
        (("640011", "D7"), {"lost_zeros": 1, "unknown_district": 1}),
        (("640011", "D7", "D8"), {}),
        (("99017", "99018"), {}),
    ],
)
def test_a_file_in_which_every_code_lost_its_zeros_is_refused_and_another_states_is_not(check_rows, codes, found):
    report = check_rows(*({"district_code": code, "month": f"2020-{10 + i}"} for i, code in enumerate(codes)))
    assert _found(report) == found
    assert report.ok is ("lost_zeros" not in found)
    assert not any(code in report.text() for code in codes)


def test_row_order_changes_nothing(dirty, tmp_path):
    files, _ = dirty
    rows = pd.read_parquet(files.panel)
    rows.iloc[np.random.default_rng(0).permutation(len(rows))].to_parquet(tmp_path / "shuffled.parquet")
    one, other = (check_path(path, known_districts=KNOWN) for path in (files.panel, tmp_path / "shuffled.parquet"))
    pd.testing.assert_frame_equal(counts_of(one), counts_of(other))
