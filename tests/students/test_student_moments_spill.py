"""The engine spills where its memory is too small for the rows, and the moments are the same."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moments_panels import assert_equal

from leapstudy.students.engine import connect
from leapstudy.students.moments.pivot import moments_of_panel

# At 75 MB this fails unless the engine may write to disk; at 100 MB it fits.
STUDENTS, MONTHS = 250_000, 10


@pytest.fixture(scope="module")
def unsorted(tmp_path_factory):
    """Rows of many students in random order, in a parquet file."""
    rng = np.random.default_rng(51)
    who, when = np.divmod(rng.permutation(STUDENTS * MONTHS), MONTHS)
    months = np.datetime64("2021-09") + np.arange(MONTHS)
    rows = {
        "student": np.char.add("~P", np.char.zfill(who.astype(str), 10)),
        "district_code": np.where(who % 3 == 0, "0640011", "0770011"),
        "grade": np.where(who % 2 == 0, "05", "06"),
        "month": months[when].astype("datetime64[D]"),
        "days_enrolled": np.full(len(who), 20, dtype="int16"),
        "days_attended": rng.integers(0, 21, len(who)).astype("int16"),
        "first_visit_month": np.where(who % 7 == 0, np.datetime64("2022-01"), np.datetime64("NaT")).astype("M8[D]"),
        "high_needs": who % 5 == 0,
    }
    path = tmp_path_factory.mktemp("rows") / "unsorted.parquet"
    pq.write_table(pa.table(rows), path)
    return path


def test_a_small_memory_limit_changes_nothing(unsorted):
    wide, narrow = (
        moments_of_panel(connect(limit, threads=2).read_parquet(str(unsorted))) for limit in ("2GB", "75MB")
    )
    assert wide.students.sum() == STUDENTS
    assert_equal(narrow, wide)
