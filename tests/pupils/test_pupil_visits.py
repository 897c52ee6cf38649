"""The funnel counts pupils, adds up, and holds nothing small once it is protected."""

import pandas as pd
import pytest

from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.evidence.privacy import audit, protect
from leapstudy.pupils.contract import SUPPORTS
from leapstudy.pupils.disclosure import MIN_COUNT
from leapstudy.pupils.engine import connect
from leapstudy.pupils.groups import DIMENSIONS, STATUSES, VISITED
from leapstudy.pupils.handle import open_pupils
from leapstudy.pupils.simulate import load_config, write_simulation
from leapstudy.pupils.visits import visit_counts

SMALL = load_config().with_changes(districts={"0640011": 300, "0770011": 40, "1510011": 200})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_simulation(tmp_path_factory.mktemp("state") / "state.parquet", SMALL)


@pytest.fixture(scope="module")
def counts(files):
    return visit_counts(open_pupils(files.panel, visits=files.visits, con=connect(threads=1)))


def _of(counts, **chosen):
    """The one count whose named dimensions have these values, every other being its total."""
    wanted = {**dict.fromkeys(DIMENSIONS, ALL), **chosen}
    rows = counts[(counts[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    return int(rows["pupils"].sum())


def test_counts_equal_a_slow_twin_on_rows(files, counts):
    panel, log = pd.read_parquet(files.panel), pd.read_parquet(files.visits)
    met = log[log["completed"]]
    again = met.groupby("pupil").size()
    assert _of(counts) == panel["pupil"].nunique() == 540
    assert _of(counts, status=VISITED) == len(again)
    assert _of(counts, status="tried, not met") == log["pupil"].nunique() - len(again)
    assert _of(counts, status=VISITED, visits="3 or more") == (again >= 3).sum()
    first = pd.to_datetime(met.groupby("pupil")["visit_date"].min())
    assert _of(counts, status=VISITED, cohort="2021 summer") == first.dt.month.isin([7, 8]).sum()
    coats = met[met["supports"].str.split(";").map(lambda given: "coats" in given)]
    assert _of(counts, status=VISITED, coats="yes") == coats["pupil"].nunique()


@pytest.mark.parametrize("dimension", ["district_code", "status"])
def test_parts_add_up_to_their_total(counts, dimension):
    parts = STATUSES if dimension == "status" else SMALL.districts
    assert sum(_of(counts, **{dimension: part}) for part in parts) == _of(counts)


@pytest.mark.parametrize("dimension", ["cohort", "visits", "grade_band", *SUPPORTS])
def test_every_visited_pupil_is_in_one_group(counts, dimension):
    groups = [value for value in counts[dimension].unique() if value != ALL]
    assert sum(_of(counts, status=VISITED, **{dimension: group}) for group in groups) == _of(counts, status=VISITED)


def test_protected_counts_give_nothing_small_away(counts):
    table = counts.assign(numerator=counts["pupils"], denominator=counts["pupils"]).drop(columns="pupils")
    assert table["numerator"].between(1, MIN_COUNT - 1).any(), "the test needs something to hide"
    published = protect({"visits": table}, DIMENSIONS, min_group=MIN_COUNT)
    assert audit(published, {"visits": table}, DIMENSIONS, min_group=MIN_COUNT).empty
    assert not published["visits"]["numerator"].between(1, MIN_COUNT - 1).any()
