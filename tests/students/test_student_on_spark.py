"""The whole student track on a Spark cluster of the test's own gives what DuckDB gives: files, rules, visits,
effects.
"""

import dataclasses
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from moments_panels import assert_equal, in_engine, random_panel
from own_files import NAMES, students, write_pair
from spark_cluster import cluster, has_java

from leapstudy.core.errors import BadInput
from leapstudy.students.check import check_path
from leapstudy.students.contract import Reading
from leapstudy.students.engine import connect
from leapstudy.students.handle import engine_table, open_students, visit_table
from leapstudy.students.lookback import control_program, placebo_program
from leapstudy.students.moments.pivot import moments_of_panel
from leapstudy.students.readers import open_panel
from leapstudy.students.settings import load_settings
from leapstudy.students.sketch import group_sketches
from leapstudy.students.visits import progress
from leapstudy.study import student_estimates, student_outcomes
from leapstudy.study.student_estimates import measure

CLOSE = 1e-9
HEADER = "student,district_code,month,days_enrolled,days_attended"
# Lines that are fine, that fit no row, that are empty, and of which a cell is odd.
LINES = (
    "~Pabc,0640011,2021-10-01,20,18",
    '~Pabd,"0640011",2021-10,20,18.5',
    "~Pabe,0640011,2021-10-01,20,18,",
    "~Pabf,0640011,2021-10,2,1,7",
    "~Pabh,0640011",
    "~P\udce9,0640011,1,2,3",
    ",,,,",
    '"",,,"",',
    "~Pabi,0640011,2021-10-01,20,*",
    "~Pabj,0640011,10/01/2021,20,18",
    "~Pabk,0640011,2021-10,x,1",
    "~Pabl,0640011,2021-10-01,20,21",
    "~Pabl,0640011,2021-10-01,20,18",
    ",0640011,2021-10,20,18",
    *(f"~Pac{cell},0640011,2021-10,20,{cell}" for cell in ("inf", "8d", "18f", "1_8", "1e400", "0x1p3")),
    "~Pabg,0640011,2021-10-1T,20,18",
    "  \t ",
)
FILES = Path(__file__).parent / "files"

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.skipif(not has_java(), reason="Spark needs Java 17: install it, or set JAVA_HOME"),
]


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    pytest.importorskip("pyspark", reason="Spark needs the extra: pip install leapstudy[spark]")
    folder = tmp_path_factory.mktemp("spark")
    handler = signal.getsignal(signal.SIGINT)
    with cluster(folder) as address:
        con = connect(engine=address)
        yield con
        con.disconnect()
    signal.signal(signal.SIGINT, handler)  # pyspark leaves one of its own, which fails once its session is gone


@pytest.fixture(scope="module")
def both(spark, tmp_path_factory):
    """One district's own CSV files with raw ids and own names, opened on each engine."""
    rows, log = students({"0640011": 260, "0770011": 120})
    # those who are always there, and the first autumn, cost as much and are in no risk set
    missed = (rows["days_enrolled"] - rows["days_attended"]).groupby(rows["student"]).transform("max")
    rows = rows[(rows["month"] >= "2020-12") & ((missed >= 5) | rows["student"].isin(log["student"]))]
    folder = tmp_path_factory.mktemp("files")
    write_pair(folder, rows, log)
    _marks(rows).to_csv(folder / "outcomes.csv", index=False)
    how = Reading(NAMES, values={"type": {"In person": "in_person"}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAPSTUDY_STUDENT_KEY", "an invented key of forty characters, no more")
        patch.setattr(student_outcomes, "input_files", lambda _: {"outcomes": folder / "outcomes.csv"})
        yield [
            open_students(folder / "attendance.csv", folder / "visits.csv", how, con=con)
            for con in (connect(threads=1), spark)
        ]


def _marks(rows):
    """Return each student's mark of each of four half years, which follows the days attended."""
    half = pd.to_datetime(rows["month"]).map(lambda day: f"{day.year}-{'01' if day.month < 7 else '07'}-01")
    days = rows.groupby(["student", half.rename("period_start")], as_index=False)[
        ["days_attended", "days_enrolled"]
    ].sum()
    value = (100 * days["days_attended"] / days["days_enrolled"] + days.index % 7).round(1)
    end = days["period_start"].str.replace("-07-01", "-12-31").str.replace("-01-01", "-06-30")
    marks = {"outcome": "grades", "period_end": end, "value": value, "of": 107, "status": "final"}
    return days[["student", "period_start"]].assign(**marks)


def _same(one, other, at="measured"):
    """Walk two results and compare every number to `CLOSE` and everything else exactly; rows in any order."""
    assert type(one) is type(other), at
    if isinstance(one, pd.DataFrame):
        keys = [name for name in one if one[name].dtype.kind != "f"]
        one, other = (frame.sort_values(keys).reset_index(drop=True) if keys else frame for frame in (one, other))
        pd.testing.assert_frame_equal(one, other, rtol=CLOSE, atol=CLOSE, obj=at)
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            _same(getattr(one, field.name), getattr(other, field.name), f"{at}.{field.name}")
    elif isinstance(one, dict):
        assert list(one) == list(other), at
        for key, value in one.items():
            _same(value, other[key], f"{at}[{key}]")
    elif isinstance(one, tuple):
        _same(dict(enumerate(one)), dict(enumerate(other)), at)
    elif isinstance(one, np.ndarray) and one.dtype.kind == "f":
        np.testing.assert_allclose(other, one, rtol=CLOSE, atol=CLOSE, err_msg=at)
    elif isinstance(one, float):
        assert other == pytest.approx(one, rel=CLOSE, abs=CLOSE, nan_ok=True), at
    else:
        assert np.all(one == other), at


def _rows(table):
    """Return the rows of a table of any engine in one order, times and missing values written in one way."""
    rows = table.to_pandas().astype(object)
    return sorted(map(repr, rows.where(rows.notna(), None).itertuples(index=False)))


def _sketches(data):
    return group_sketches(engine_table(data), visit_table(data))


def _asked_apart(*_: object) -> None:
    raise BadInput("what it asks of the engine that the visited do not is asked by itself")


def test_the_whole_track_gives_the_same_on_a_cluster(both, monkeypatch):
    here, there = both
    assert there.size == here.size and here.size.visited > 20
    for one, other in zip(here.reports, there.reports, strict=True):
        assert other.text() == one.text()
    assert _sketches(there) == _sketches(here)
    settings = load_settings()
    for name in ("placebo_program", "control_program"):
        monkeypatch.setattr(student_estimates, name, _asked_apart)
    found = measure(here, settings)
    assert any(effects.effects is not None for effects in found.visited.at_risk.values())
    assert (found.outcomes.set_index("outcome")["reason"] == "").loc["grades"]
    _same(found, measure(there, settings))
    for program in (lambda data: placebo_program(data, found.rules, settings.seed), control_program):
        _same(*(_rows(engine_table(program(data))) for data in both))


def test_how_the_program_runs_is_counted_the_same(both):
    until = pd.Timestamp("2022-03-15").date()
    here, there = (progress(data, until) for data in both)
    assert here.weeks["students"].sum() > 50
    _same(here, there)


def test_each_line_has_the_same_fate(spark, tmp_path):
    (tmp_path / "a.csv").write_bytes("\n".join([HEADER, *LINES, ""]).encode("utf-8", "surrogateescape"))
    one, other = (check_path(tmp_path / "a.csv", con=con) for con in (connect(threads=1), spark))
    assert one.text() == other.text() and one.accounts == other.accounts and one.findings == other.findings
    assert (one.rows_in, one.accounts[0].aside["unparsed"], one.accounts[0].aside["empty_row"]) == (
        len(LINES) - 1,
        3,
        2,
    )


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_column_names_of_a_form_are_read_the_same(spark, tmp_path, ending):
    names = {"student": "The `state` ID", "district_code": "Which\ndistrict: code?"}
    header = ",".join(f'"{name}"' for name in names.values()) + ",month,days_enrolled,days_attended"
    rows = [f"~Pab{letter},0640011,2021-10,20,18" for letter in "cde"]
    (tmp_path / "rows.csv").write_text(ending.join([header, *rows, ""]), encoding="utf-8", newline="")
    assert len(_read(spark, tmp_path / "rows.csv", Reading(names))) == 3


def _read(spark, path, how=None):
    """Return the panel of files, which both engines read the same, row by row and line by line."""
    one, other = (open_panel(con, path, how or Reading()) for con in (connect(threads=1), spark))
    assert dataclasses.replace(one, table=None) == dataclasses.replace(other, table=None)
    rows = _rows(one.table)
    assert _rows(other.table.select(*one.table.columns)) == rows
    return rows


def test_days_of_any_fraction_give_the_same_moments(spark, tmp_path):
    panel = random_panel(42, students=60, parts=7)
    dates = {name: panel[name].astype("datetime64[s]").dt.date for name in ("month", "first_visit_month")}
    panel.assign(**dates).to_parquet(tmp_path / "panel.parquet")
    there = spark.read_parquet(str(tmp_path / "panel.parquet"))
    assert_equal(moments_of_panel(there), moments_of_panel(in_engine(panel)), CLOSE)


def test_parts_with_endings_in_both_cases_are_read_the_same(spark):
    assert _read(spark, FILES / "upper_mix")


def test_lists_of_absences_are_read_the_same(spark, tmp_path):
    """One school writes its dates as in the US, students go to two schools at once, and days of presence are listed."""
    folder = shutil.copytree(FILES / "edfi" / "present_rows", tmp_path / "edfi")
    us, two = (
        (FILES / "edfi" / name / "enrolment.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        for name in ("entry_us_one_school", "overlap_two_schools")
    )
    (folder / "enrolment.csv").write_text("".join(us + two[len(us) :]), encoding="utf-8")
    assert _read(spark, folder)


def test_a_fixed_width_file_is_read_the_same(spark, tmp_path):
    (tmp_path / "monthly.txt").write_text(f"0640011{'~Pabc':12}2021-10   20   18    0    0\n")
    assert len(_read(spark, tmp_path / "monthly.txt")) == 1


@pytest.mark.parametrize(("zone", "unit"), [("America/New_York", "us"), ("-04:00", "ns")])
def test_an_instant_is_the_date_on_its_own_clock(spark, tmp_path, zone, unit):
    instant = pd.Timestamp("2021-10-01 00:30", tz="UTC")
    rows = pd.DataFrame({"student": ["~Pabc"], "district_code": ["0640011"], "days_enrolled": 20, "days_attended": 18})
    rows = rows.assign(month=pd.Series([instant]).dt.as_unit(unit).dt.tz_convert(zone))
    rows.to_parquet(tmp_path / "zone.parquet")
    panel = open_panel(spark, tmp_path / "zone.parquet", Reading()).table
    assert str(panel.month.to_pandas()[0])[:7] == "2021-09"


def test_spark_says_nothing_of_a_row_in_an_error(spark, tmp_path, capfd):
    random_panel(43, students=5).assign(spoilt="~Psecretstudent").to_parquet(tmp_path / "panel.parquet")
    panel = spark.read_parquet(str(tmp_path / "panel.parquet"))
    with pytest.raises(BadInput, match="The engine failed") as caught:
        moments_of_panel(panel.mutate(days_enrolled=panel.spoilt.cast("float64")))
    assert "secret" not in str(caught.value) and caught.value.__context__ is None
    assert "secret" not in "".join(capfd.readouterr())
