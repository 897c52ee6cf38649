"""The funnel counts students, adds up, and holds nothing small once it is protected."""

import ibis
import pandas as pd
import pytest
from disclosure_attack import audit

from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.evidence.privacy import protect
from leapstudy.students.contract import SUPPORTS, Reading
from leapstudy.students.disclosure import BY, MIN_COUNT, STATUSES, VISITED
from leapstudy.students.engine import connect
from leapstudy.students.handle import open_students
from leapstudy.students.simulate import load_config, write_simulation
from leapstudy.students.visits import grade_band, visit_counts
from leapstudy.study.student_files import protected, supports

DIMENSIONS = (*BY, *SUPPORTS)
SMALL = load_config().with_changes(districts={"0640011": 300, "0770011": 40, "1510011": 200})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_simulation(tmp_path_factory.mktemp("state") / "state.parquet", SMALL)


@pytest.fixture(scope="module")
def counts(files):
    return visit_counts(open_students(files.panel, visits=files.visits, con=connect(threads=1)))


def _of(counts, **chosen):
    """The one count whose named dimensions have these values, every other being its total."""
    wanted = {**dict.fromkeys(DIMENSIONS, ALL), **chosen}
    rows = counts[(counts[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    return int(rows["students"].sum())


def test_counts_equal_a_slow_twin_on_rows(files, counts):
    panel, log = pd.read_parquet(files.panel), pd.read_parquet(files.visits)
    met = log[log["completed"]]
    again = met.groupby("student").size()
    assert _of(counts) == panel["student"].nunique() == 540
    assert _of(counts, status=VISITED) == len(again)
    assert _of(counts, status="tried, not met") == log["student"].nunique() - len(again)
    assert _of(counts, status=VISITED, visits="3 or more") == (again >= 3).sum()
    first = pd.to_datetime(met.groupby("student")["visit_date"].min())
    assert _of(counts, status=VISITED, cohort="2021 summer") == first.dt.month.isin([7, 8]).sum()
    coats = met[met["supports"].str.split(";").map(lambda given: "coats" in given)]
    assert _of(counts, status=VISITED, coats="yes") == coats["student"].nunique()


def test_a_support_may_be_called_as_a_column_inside_the_engine(files, counts, tmp_path):
    """A support `met` ended in a TypeError, `student` and `grade` in errors of the engine; `counts` in one after it."""
    named = dict(zip(SUPPORTS, ("met", "student", "grade", "first", "tried", "counts", "self"), strict=True))
    log = pd.read_parquet(files.visits)
    log["supports"] = log["supports"].replace(named, regex=True)
    log.to_csv(tmp_path / "visits.csv", index=False)
    how = Reading(supports=tuple(named.values()))
    own = visit_counts(open_students(files.panel, tmp_path / "visits.csv", how, con=connect(threads=1)))
    pd.testing.assert_frame_equal(own, counts.rename(columns=named))
    given = supports(protected(own), how.supports)
    assert set(given["support"]) == set(named.values()) and given["share"].between(0.01, 1).all()


def test_a_log_that_tells_of_no_support_names_none(files, tmp_path):
    log = pd.read_parquet(files.visits).drop(columns="supports")
    log.to_csv(tmp_path / "visits.csv", index=False)
    counts = visit_counts(open_students(files.panel, tmp_path / "visits.csv", con=connect(threads=1)))
    assert supports(protected(counts), SUPPORTS).empty


@pytest.mark.parametrize("dimension", ["district_code", "status"])
def test_parts_add_up_to_their_total(counts, dimension):
    parts = STATUSES if dimension == "status" else SMALL.districts
    assert sum(_of(counts, **{dimension: part}) for part in parts) == _of(counts)


@pytest.mark.parametrize("dimension", ["cohort", "visits", "grade_band", *SUPPORTS])
def test_every_visited_student_is_in_one_group(counts, dimension):
    groups = [value for value in counts[dimension].unique() if value != ALL]
    assert sum(_of(counts, status=VISITED, **{dimension: group}) for group in groups) == _of(counts, status=VISITED)


def test_protected_counts_give_nothing_small_away(counts):
    table = counts.assign(numerator=counts["students"], denominator=counts["students"]).drop(columns="students")
    assert table["numerator"].between(1, MIN_COUNT - 1).any(), "the test needs something to hide"
    published = protect({"visits": table}, DIMENSIONS, min_group=MIN_COUNT)
    assert audit(published, {"visits": table}, DIMENSIONS, min_group=MIN_COUNT).empty
    assert not published["visits"]["numerator"].between(1, MIN_COUNT - 1).any()


def test_a_grade_that_lost_its_zero_belongs_to_no_band():
    """As text "1" lies between "06" and "12": it must not become a grade of the upper band."""
    grades = ["PK", "K", "01", "05", "06", "12", "1", "9", "13", "", "0", "|", None]
    table = ibis.memtable(pd.DataFrame({"place": range(len(grades)), "grade": grades}))
    bands = connect(threads=1).to_pandas(table.mutate(band=grade_band(table.grade)).order_by("place"))["band"]
    assert bands.fillna("none").tolist() == ["PK-5"] * 4 + ["6-12"] * 2 + ["none"] * 7
