"""Moments from the engine are the sums that a slow walk over rows gives."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from moments_twin import moments_of as twin_of

from leapstudy.core.errors import BadInput
from leapstudy.pupils.engine import connect
from leapstudy.pupils.handle import open_pupils
from leapstudy.pupils.moments.expression import moments_of, moments_of_panel
from leapstudy.pupils.moments.pivot import SHIFT
from leapstudy.pupils.moments.record import CELL_FIELDS, NEVER
from leapstudy.pupils.simulate import load_config, write_simulation

MONTHS = pd.to_datetime(["2021-05-01", "2021-06-01", "2021-09-01", "2021-10-01"])
"""With a summer between them, in which visits happen and no school is."""

SMALL = load_config().with_changes(districts={"0640011": 300, "0770011": 60})


def random_panel(seed, pupils=120, gaps=0.2, parts=2, months=MONTHS):
    """Return rows of the cleaned panel: pupils come and go, move, change grade; days in halves, or other parts."""
    rng = np.random.default_rng(seed)
    districts, grades = np.array(["0640011", "0770011"]), np.array(["05", "06", None], dtype=object)
    cohorts = pd.to_datetime(["2021-06-01", "2021-07-01", "2021-10-01", None]).to_numpy()
    who, when = (part.ravel() for part in np.indices((pupils, len(months))))
    enrolled = rng.integers(10, 23, len(who)).astype(float)
    rows = pd.DataFrame(
        {
            "pupil": [f"~P{k:010d}".translate(str.maketrans("01", "ab")) for k in who],
            "district_code": districts[rng.integers(0, 2, len(who))],
            "grade": grades[rng.integers(0, 3, len(who))],
            "month": months[when],
            "days_enrolled": enrolled,
            "days_attended": np.floor(parts * enrolled * rng.beta(8, 1, len(who))) / parts,
            "first_visit_month": cohorts[rng.integers(0, 4, pupils)][who],
            "high_needs": pd.array([None, True, False], dtype="boolean")[rng.integers(0, 3, len(who))],
        }
    )
    return rows[rng.uniform(size=len(rows)) >= gaps].reset_index(drop=True)


def number(month):
    """Return 12 * year + month - 1, `NEVER` for an empty month."""
    return NEVER if pd.isna(month) else 12 * month.year + month.month - 1


def twin(panel, strata=(), weights="pupils"):
    """The slow way: the traits of each pupil's first month, then the sums of `moments_twin`."""
    rows = panel[panel["days_enrolled"] > 0].sort_values(["pupil", "month"])
    first = rows.drop_duplicates("pupil").set_index("pupil")
    band = first["grade"].map(lambda g: {"05": "PK-5", "06": "6-12"}.get(g, "no grade"))
    need = first["high_needs"].map(
        lambda n: "need not known" if pd.isna(n) else "high needs" if n else "not high needs"
    )
    names = {"grade_band": band, "high_needs": need}
    stratum = pd.Series([", ".join(names[name][p] for name in strata) for p in first.index], first.index)
    return twin_of(
        pd.DataFrame(
            {
                "unit": rows["pupil"],
                "period": rows["month"].map(number),
                "y": 100 * rows["days_attended"] / rows["days_enrolled"],
                "cohort": rows["first_visit_month"].map(number),
                "district": rows["pupil"].map(first["district_code"]),
                "stratum": rows["pupil"].map(stratum),
                "weight": rows["pupil"].map(rows.groupby("pupil")["days_enrolled"].sum()) if weights == "days" else 1.0,
            }
        ),
        SHIFT,
    )


def assert_equal(found, expected, rel=1e-12):
    """Compare cell by cell; the order of cells is no part of the contract of the twin."""
    order = [np.lexsort((*m.seen.T, m.stratum, m.cohort, m.district)) for m in (found, expected)]
    found, expected = found.where(order[0]), expected.where(order[1])
    assert found.periods.tolist() == expected.periods.tolist()
    for name in CELL_FIELDS:
        one, other = getattr(found, name), getattr(expected, name)
        if one.dtype.kind == "f":
            scale = np.abs(other[np.isfinite(other)]).max()
            np.testing.assert_allclose(one, other, rtol=rel, atol=rel * scale, err_msg=name)
        else:
            assert one.tolist() == other.tolist(), name


def in_engine(panel, threads=None):
    """Return the rows as a table of a fresh engine."""
    con = connect(threads=threads)
    con.con.register("panel", pa.Table.from_pandas(panel, preserve_index=False))
    return con.table("panel")


@pytest.mark.parametrize("weights", ["pupils", "days"])
@pytest.mark.parametrize("strata", [(), ("grade_band",), ("high_needs", "grade_band")])
@pytest.mark.parametrize("seed", [0, 1])
def test_unbalanced_panels_equal_the_slow_twin(seed, strata, weights):
    panel = random_panel(seed)
    found = moments_of_panel(in_engine(panel), strata=strata, weights=weights)
    assert_equal(found, twin(panel, strata, weights))
    assert found.pupils.sum() == panel["pupil"].nunique()


@pytest.mark.parametrize("weights", ["pupils", "days"])
def test_days_in_thirds_take_the_general_way_and_are_as_exact(weights):
    panel = random_panel(7, parts=3)
    assert_equal(moments_of_panel(in_engine(panel), weights=weights), twin(panel, weights=weights))


def test_more_months_than_one_number_holds():
    panel = random_panel(8, pupils=25, gaps=0.5, months=pd.date_range("2016-09-01", periods=65, freq="MS"))
    assert_equal(moments_of_panel(in_engine(panel)), twin(panel))


def test_four_pupils_and_three_months_by_hand():
    """A: 90, 80, 100 %; B: the same district and pattern, 70, 60, 50; C: visited in summer; D: leaves after month 1."""
    attended = {"A": [18, 8, 20], "B": [14, 6, 10], "C": [20, 10, 20], "D": [10]}
    enrolled = [20, 10, 20]
    rows = [
        (pupil, MONTHS[t], enrolled[t], days, pd.Timestamp("2021-07-01") if pupil == "C" else pd.NaT)
        for pupil, months in attended.items()
        for t, days in enumerate(months)
    ]
    panel = pd.DataFrame(rows, columns=["pupil", "month", "days_enrolled", "days_attended", "first_visit_month"])
    panel = panel.assign(district_code="0640011", grade="05", high_needs=False)
    moments = moments_of_panel(in_engine(panel))
    assert moments.periods.tolist() == [12 * 2021 + 4, 12 * 2021 + 5, 12 * 2021 + 8]
    assert moments.cohort.tolist() == [NEVER, NEVER, 12 * 2021 + 6]
    assert moments.seen.tolist() == [[True, False, False], [True] * 3, [True] * 3]
    assert moments.pupils.tolist() == [1, 2, 1]
    assert moments.total.tolist() == [[-43, 0, 0], [90 + 70 - 186, 80 + 60 - 186, 100 + 50 - 186], [7, 7, 7]]
    both = [[-3, -13, 7], [-23, -33, -43]]  # A and B less 93
    assert moments.cross[1].tolist() == [[sum(p[s] * p[t] for p in both) for t in range(3)] for s in range(3)]
    assert moments.cross[0].tolist() == [[43.0**2, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_row_order_and_threads_change_nothing():
    panel = random_panel(2)
    mixed = panel.sample(frac=1, random_state=1)
    one, two = (moments_of_panel(in_engine(rows, n)) for rows, n in ((panel, 1), (mixed, 2)))
    assert_equal(one, two)
    assert one.district.tolist() == two.district.tolist() and one.seen.tolist() == two.seen.tolist()


def test_months_without_membership_are_no_months():
    panel = random_panel(3)
    summer = panel.drop_duplicates("pupil").assign(month=pd.Timestamp("2021-07-01"), days_enrolled=0.0)
    assert_equal(moments_of_panel(in_engine(pd.concat([panel, summer]))), moments_of_panel(in_engine(panel)))


def test_the_simulated_state_from_its_handle(tmp_path):
    files = write_simulation(tmp_path / "state.parquet", SMALL)
    data = open_pupils(files.panel, visits=files.visits, con=connect(threads=1))
    visit, referral = moments_of(data), moments_of(data, event="referral")
    assert visit.pupils.sum() == referral.pupils.sum() == data.size.pupils
    assert visit.pupils[visit.cohort < NEVER].sum() == data.size.visited
    log = pd.read_parquet(files.visits)
    assert referral.pupils[referral.cohort < NEVER].sum() == log["pupil"].nunique()


def test_unknown_options_name_the_legal_ones():
    panel = in_engine(random_panel(4, pupils=5))
    with pytest.raises(BadInput, match=r"stratum: 'grade'.*grade_band"):
        moments_of_panel(panel, strata=("grade",))
    with pytest.raises(BadInput, match=r"'day'.*Legal: pupils, days"):
        moments_of_panel(panel, weights="day")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda rows: pd.concat([rows, rows.head(1)]), "several rows in one month"),
        (lambda rows: rows.assign(district_code=None), "no district"),
        (lambda rows: rows.assign(days_enrolled=0.0), "No month has any days"),
    ],
)
def test_rows_that_are_not_clean_are_refused(spoil, message):
    with pytest.raises(BadInput, match=message):
        moments_of_panel(in_engine(spoil(random_panel(6, pupils=5)).astype({"district_code": "str"})))


def test_no_value_of_a_row_is_in_an_error():
    panel = random_panel(5, pupils=5).assign(district_code="~Psecretpupil")
    with pytest.raises(BadInput) as caught:
        moments_of_panel(in_engine(panel))
    assert "secret" not in str(caught.value) and caught.value.__cause__ is caught.value.__context__ is None
