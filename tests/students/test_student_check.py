"""`check` counts exactly what was spoilt, repairs what it says, and never repeats a cell."""

import json
import subprocess
import sys
import traceback

import ibis
import numpy as np
import pandas as pd
import pytest
from student_tables import counts_of

from leapstudy.core.errors import BadInput
from leapstudy.students.check import (
    NOWHERE,
    Account,
    CheckReport,
    Finding,
    check_path,
    inspect_attendance,
    inspect_visits,
    kept_rows,
    limits_for,
    with_columns,
)
from leapstudy.students.contract import STUDENT_MONTH, Reading
from leapstudy.students.engine import connect, sealed
from leapstudy.students.handle import clean_panel
from leapstudy.students.readers import open_panel, read_visits
from leapstudy.students.rules import PANEL_RULES, VISIT_RULES, Limits, _judged, failing
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
    """Return the faults that a SIMULATED file was given, its report, and the report and panel of its rows shuffled."""
    folder = tmp_path_factory.mktemp("dirty")
    files = write_simulation(folder / "dirty.parquet", CONFIG)
    rows = pd.read_parquet(files.panel)
    rows.iloc[np.random.default_rng(0).permutation(len(rows))].to_parquet(folder / "shuffled.parquet")
    report = check_path(files.panel, known_districts=KNOWN, con=connect(threads=1))
    shuffled, clean = _cleaned(connect(threads=2), folder / "shuffled.parquet", KNOWN)
    return json.loads(files.manifest.read_text())["dirt"], report, shuffled, clean


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


def _cleaned(con, path, known=()):
    """Return the report and the repaired panel, errors left out as well (a run would stop at them)."""
    panel = open_panel(con, path, Reading())
    report, rows = inspect_attendance(panel, limits_for(panel.table, known, Reading()), "rows")
    return report, clean_panel(kept_rows(rows, (*STUDENT_MONTH.names, "failed", "alone"))).to_pandas()


def test_every_injected_fault_is_counted_and_nothing_else(dirty):
    """A conflict and a move are two rows each, and every other fault one."""
    injected, report, *_ = dirty
    rows_of = {"conflicting": 2, "two_districts": 2}
    assert _found(report) == {kind: count * rows_of.get(kind, 1) for kind, count in injected.items()}
    assert min(injected.values()) > 0
    assert not report.ok and report.simulated and "SIMULATED" in report.text()


def test_rows_in_and_out_add_up(dirty):
    injected, report, _, clean = dirty
    kinds = ("over_by_more", "zero_membership", "repeated", "lost_zeros", "unknown_district", "stopped_feed")
    account = report.accounts[0]
    assert account.rows_in - account.used == sum(injected[kind] for kind in kinds) + 2 * injected["conflicting"]
    assert len(clean) == account.used - injected["two_districts"]
    assert sum(account.aside.values()) + account.used == account.rows_in


def test_the_clean_panel_is_capped_and_has_one_row_per_student_and_month(dirty):
    injected, *_, clean = dirty
    assert not clean.duplicated(["student", "month"]).any()
    assert (clean["days_attended"] <= clean["days_enrolled"]).all()
    assert clean["capped"].sum() == injected["over_by_two"]
    assert (clean["days_enrolled"] > 0).all()


def test_row_order_changes_nothing(dirty):
    _, report, shuffled, _ = dirty
    pd.testing.assert_frame_equal(counts_of(report), counts_of(shuffled))
    assert report.accounts == shuffled.accounts


def test_a_clean_file_has_nothing_to_report(check_rows):
    report = check_rows({"status": "year_to_date"}, {"month": "2020-10", "status": "year_to_date"})
    assert report.ok and counts_of(report).empty
    assert (report.rows_in, report.accounts[0].used) == (2, 2)
    assert "Nothing to report" in report.text()


LETTERS = "abcdefghijklmnopqrst"
# What a district's rows are found to be, how many of them, and how they differ from a good row.
CASES = [
    ("no_student", 1, [{"student": ""}]),
    ("implausible_date", 1, [{"month": "0021-09-01"}]),
    ("implausible_date", 1, [{"month": "9999-12-01"}]),
    ("implausible_date", 1, [{"month": "1999-12-01"}]),
    ("unreadable", 1, [{"month": "09/01/21"}]),
    ("unreadable", 1, [{"month": "September"}]),
    ("unreadable", 1, [{"days_attended": "eighteen"}]),
    ("unreadable", 1, [{"days_enrolled": ""}]),
    ("unknown_status", 1, [{"status": "provisional"}]),
    ("mixed_status", 1, [{"status": "final"}, {"month": "2020-10", "status": "year_to_date"}]),
    ("crowded_month", 2, [{"school_code": "0640002", "days_attended": "10"}, {}]),
    ("thin_month", 1, [{"month": "2021-07"}, *({"student": letter} for letter in LETTERS[:13])]),
    ("suppressed", 1, [{"days_attended": "<5"}]),
    ("suppressed", 1, [{"days_attended": "*"}]),
    ("suppressed", 1, [{"days_attended": ">=95"}]),
    ("over_by_two", 1, [{"days_attended": "22"}]),
    ("over_by_more", 1, [{"days_attended": "23"}]),
    ("impossible_days", 1, [{"days_enrolled": "32"}]),
    ("impossible_days", 1, [{"days_attended": "-1"}]),
    ("zero_membership", 1, [{"days_enrolled": "0", "days_attended": "0"}]),
    ("unknown_grade", 1, [{"grade": "13"}]),
    ("no_grade", 1, [{"grade": ""}]),
    ("repeated", 1, [{}, {}]),
    ("repeated", 1, [{}, HALF]),
    ("repeated", 2, [{}, HALF, {**HALF, "days_attended": "8"}]),
    # 50 months lie between them, so that the word of a student's months alone would take them for one
    ("repeated", 1, [{"month": "2001-01"}, {"month": "2005-03"}, {"month": "2001-01"}]),
    ("", 0, [{"month": "2001-01"}, {"month": "2005-03"}]),
    ("conflicting", 2, [{}, {"days_attended": "17"}]),
    ("visits_differ", 2, [{"first_visit_month": "2021-07"}, {"month": "2020-10", "first_visit_month": "2021-08"}]),
    ("visits_differ", 2, [{"first_visit_month": "2021-07"}, {"month": "2020-10"}]),
    ("stopped_feed", 20, [{"student": letter, "days_attended": "20"} for letter in LETTERS]),
    ("", 0, [{"student": letter, "days_attended": "20"} for letter in LETTERS[:19]]),
]
# What a code that is no district's is found to be.
SLIPPED = {
    "640011": "lost_zeros",
    "0640011.0": "unknown_district",
    "0020011": "unknown_district",
    "": "no_district",
    "Mamani, Quispe": "odd_code",
}


def _rows_of_the_cases():
    """Return each case's rows in a district of its own, beside a good row that keeps its months and school full."""
    for number, (_, _, changes) in enumerate(CASES):
        code = f"{100 + number:03d}0011"
        good = {"student": "good", "school_code": "0640009"}
        for change in (good, *changes):
            own = change.get("student", ROW["student"])
            yield {**change, "district_code": code, "student": own and f"{own} of {number}"}
    for code in SLIPPED:
        yield {"district_code": code, "student": f"slipped to {code}"}
    for code in ("0640011", "0150011"):
        yield {**HALF, "district_code": code, "student": "moved"}


def test_each_rule_by_hand(check_rows):
    codes = [f"{100 + number:03d}0011" for number in range(len(CASES))]
    report = check_rows(*_rows_of_the_cases(), known=("0640011", "0150011", *codes))
    expected = {(code, rule): rows for code, (rule, rows, _) in zip(codes, CASES, strict=True) if rule}
    slipped = pd.Series(SLIPPED).value_counts().to_dict()
    expected |= {(NOWHERE, rule): rows for rule, rows in slipped.items()}
    expected |= {(code, "two_districts"): 1 for code in ("0640011", "0150011")}
    assert counts_of(report).set_index(["district_code", "rule"])["rows"].to_dict() == expected
    assert {(finding.rule, finding.severity) for finding in report.findings} == {
        (rule.id, rule.severity) for rule in PANEL_RULES if rule.id != "unmatched"
    }, "every rule has a case here, but for `unmatched`: it needs a shape of its own, see the readers' tests"


def _report(severity, rows):
    account = Account("attendance", 4, 4 - rows, {"some_rule": rows})
    return CheckReport(
        "rows.csv",
        "student_month",
        False,
        (account,),
        (Finding("attendance", "some_rule", severity, "", rows, "set aside", "Why."),),
    )


@pytest.mark.parametrize("severity", ["error", "quarantine", "fix", "warn"])
def test_an_error_alone_makes_a_file_unusable(severity):
    assert _report(severity, 4).ok is (severity != "error")


def test_small_counts_are_not_told_and_cannot_be_subtracted():
    text = _report("quarantine", 3).text()
    assert "Rows in: fewer than 6" in text and "about 0" not in text
    assert "3 rows" not in text and "Rows in: 4" not in text


def test_the_row_with_the_larger_membership_stays_and_two_districts_weigh_by_membership(tmp_path):
    rows = [
        ROW,
        {**ROW, "days_enrolled": "10", "days_attended": "2"},
        {**ROW, "month": "2020-10", "days_enrolled": "5", "days_attended": "1"},
        {**ROW, "month": "2020-10", "district_code": "0150011", "days_enrolled": "15", "days_attended": "15"},
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "rows.csv", index=False)
    clean = _cleaned(connect(threads=1), tmp_path / "rows.csv")[1].sort_values("month")
    assert clean["days_enrolled"].tolist() == [20, 20]
    assert clean["days_attended"].tolist() == [18, 16]
    assert clean["district_code"].tolist() == ["0640011", "0150011"]


SECRET = "SECRET-7788"


def test_no_cell_is_repeated_whatever_column_it_slipped_into(check_rows):
    report = check_rows({"month": "2020-10"}, *({column: SECRET} for column in ROW))
    assert SECRET not in report.text() and SECRET not in repr(report) and SECRET not in counts_of(report).to_string()
    assert NOWHERE in report.text() and {"unreadable", "unknown_grade"} <= set(_found(report))


def test_an_engine_error_is_sealed_with_its_whole_chain(tmp_path):
    def fail():
        return connect(threads=1).con.execute(f"select cast('{SECRET}' as integer)").fetchall()

    with pytest.raises(BadInput, match="ConversionException") as caught:
        sealed("counting", fail)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown and caught.value.__context__ is None
    assert ibis.options.sql.fuse_selects, "what is set for a query is the user's own again"


LONG_QUERY = """
import os, signal, threading
import ibis
from leapstudy.students.engine import connect, sealed
signal.signal(signal.SIGINT, signal.default_int_handler)
con = connect(threads=1)
one, other = (ibis.range(size).unnest().name(name).as_table() for name, size in (("a", 3_000_000), ("b", 30_000)))
rows = one.cross_join(other)
total = rows.agg(total=(rows.a.hash() % 7 + rows.b % 3).sum())
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
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


# What all of a student's visits are found to be, and how they differ from a good one.
VISIT_CASES = [
    (["no_date"], [{"visit_date": ""}, {"visit_date": ""}]),
    (["unknown_type"], [{"type": "letter"}]),
    (["unknown_result"], [{"result": "perhaps"}]),
    (["before_referral"], [{"visit_date": "2021-06-30"}]),
    (["unreadable"], [{"completed": "perhaps"}]),
    (["no_student"], [{"student": ""}, {"student": ""}]),
    (["implausible_date"], [{"visit_date": "2999-12-31"}]),
    (["unknown_support"], [{"supports": "food; massage"}]),
    (["no_referral"], [{"referral_date": ""}]),
    (["visited_again"], [{}, {"supports": "food"}]),
    ([], [{"completed": "no"}, {"visit_date": "2021-07-20"}]),
]


def test_the_visit_log_has_its_own_rules(tmp_path):
    rows = [
        {**VISIT, "student": f"~P{number:02d}", **change}
        for number, (_, changes) in enumerate(VISIT_CASES)
        for change in changes
    ]
    pd.DataFrame(rows).fillna("").to_csv(tmp_path / "visits.csv", index=False)
    report, judged = inspect_visits(
        read_visits(connect(threads=1), tmp_path / "visits.csv", Reading()), None, Limits(), "visits.csv", 1
    )
    found = {}
    for student, failed in judged.select("student", "failed").to_pandas().itertuples(index=False):
        key = int(student[2:]) if isinstance(student, str) else 5
        found.setdefault(key, []).append([rule.id for rule in failing(failed, VISIT_RULES)])
    assert found == {number: [rules] * len(changes) for number, (rules, changes) in enumerate(VISIT_CASES)}
    assert _found(report) == {rules[0]: len(changes) for rules, changes in VISIT_CASES if rules}


def test_a_day_that_stands_twice_is_one_visit(tmp_path):
    other, tried = {**VISIT, "supports": "food"}, {**VISIT, "completed": "no"}
    pd.DataFrame([VISIT, other, tried, {**VISIT, "visit_date": "2021-07-20"}]).to_csv(tmp_path / "v.csv", index=False)
    log = read_visits(connect(threads=1), tmp_path / "v.csv", Reading()).table
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
        (("640011", "640011"), ["lost_zeros", "lost_zeros"]),
        (("640011", "150011"), ["lost_zeros", "lost_zeros"]),
        (("640011", "D7"), ["lost_zeros", "unknown_district"]),
        (("640011", "D7", "D8"), []),
        (("99017", "99018"), []),
    ],
)
def test_a_file_in_which_every_code_lost_its_zeros_is_refused_and_another_states_is_not(codes, found):
    table = ibis.memtable({"district_code": codes, "student": codes})
    limits = limits_for(table, ("0640011", "0150011"), Reading())
    flags = {
        rule.id: rule.predicate for rule in PANEL_RULES if rule.id in ("odd_code", "lost_zeros", "unknown_district")
    }
    judged = _judged(table, limits)
    rows = judged.select(**{name: flag(judged, limits) for name, flag in flags.items()}).to_pandas()
    assert [name for _, row in rows.iterrows() for name in flags if row[name]] == found


def test_a_district_that_the_parameters_name_is_known_beside_the_studys_own():
    table = ibis.memtable({"district_code": ("0640011", "D7", "D8"), "student": ("a", "b", "c")})
    assert limits_for(table, ("0640011",), Reading(district_names={"D7": "Eastfield"})).known_districts == (
        "0640011",
        "D7",
    )
    names = Reading(district_names={"D7": "Eastfield"})
    assert limits_for(table, ("0150011",), names).known_districts == ()  # of another state all codes are their own


@pytest.mark.parametrize(
    ("codes", "found"),
    [(("0061", "0200", "0610CH001"), {}), (("0061", "200", "0610CH001"), {"lost_zeros": 1})],
)
def test_how_long_codes_of_letters_are_says_nothing_of_zeros_that_numbers_lost(check_rows, codes, found):
    """The same of a header line that stands again in the middle of a file: it is the one row that is refused."""
    rows = [{"district_code": code, "student": f"~Pbbbbbbbbb{place}"} for place, code in enumerate(codes)]
    assert _found(check_rows(*rows, known=())) == found
    header = {name: name for name in ROW}
    assert "lost_zeros" not in _found(check_rows(*rows[::2], header, known=()))


def test_a_file_of_which_half_the_codes_lost_their_zeros_is_refused_and_none_is_shown(check_rows):
    report = check_rows({"district_code": "640011"}, {"district_code": "D7", "month": "2020-10"})
    assert _found(report) == {"lost_zeros": 1, "unknown_district": 1}
    assert not report.ok and "640011" not in report.text() and "D7" not in report.text()


def test_the_columns_that_cannot_be_read_are_named_with_what_they_take(tmp_path):
    """A column of months by number is one fault in 40,000 rows, and must be found at one look."""
    head = "SASID,district_code,when,days_enrolled,days_attended"
    rows = [f"00{k:05d},0640011,{9 if k else '2021-01'},18,{'x' if k == 1 else 17}" for k in range(12)]
    path = tmp_path / "months.csv"
    path.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    how, con = Reading(columns={"student": "SASID", "month": "when"}), connect(threads=1)
    panel = open_panel(con, path, how)
    report = inspect_attendance(panel, limits_for(panel.table, (), how), path.name)[0]
    told = with_columns(report, con, path, how).text()
    assert "By column: month (11; written YYYY-MM), days_attended (fewer than 6; a number)." in told
    assert "By column" not in report.text() and "SASID" not in told and "0000001" not in told
