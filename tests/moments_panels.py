"""Random clean panels, the engine to hold them, and the slow way from their rows to moments."""

import numpy as np
import pandas as pd
import pyarrow as pa
from moments_twin import moments_of as twin_of

from leapstudy.students.engine import connect
from leapstudy.students.moments.pivot import SHIFT
from leapstudy.students.moments.record import CELL_FIELDS, NEVER

# With a summer between them, in which visits happen and no school is.
MONTHS = pd.to_datetime(["2021-05-01", "2021-06-01", "2021-09-01", "2021-10-01"])


def random_panel(seed, students=120, gaps=0.2, parts=2, months=MONTHS):
    """Return rows of the cleaned panel: students come and go, move, change grade; days in halves, or other parts."""
    rng = np.random.default_rng(seed)
    districts, grades = np.array(["0640011", "0770011"]), np.array(["05", "06", None], dtype=object)
    cohorts = pd.to_datetime(["2021-06-01", "2021-07-01", "2021-10-01", None]).to_numpy()
    who, when = (part.ravel() for part in np.indices((students, len(months))))
    enrolled = rng.integers(10, 23, len(who)).astype(float)
    rows = pd.DataFrame(
        {
            "student": [f"~P{k:010d}".translate(str.maketrans("01", "ab")) for k in who],
            "district_code": districts[rng.integers(0, 2, len(who))],
            "grade": grades[rng.integers(0, 3, len(who))],
            "month": months[when],
            "days_enrolled": enrolled,
            "days_attended": np.floor(parts * enrolled * rng.beta(8, 1, len(who))) / parts,
            "first_visit_month": cohorts[rng.integers(0, 4, students)][who],
            "high_needs": pd.array([None, True, False], dtype="boolean")[rng.integers(0, 3, len(who))],
        }
    )
    return rows[rng.uniform(size=len(rows)) >= gaps].reset_index(drop=True)


def number(month):
    """Return 12 * year + month - 1, `NEVER` for an empty month."""
    return NEVER if pd.isna(month) else 12 * month.year + month.month - 1


def twin(panel):
    """The slow way: the district of each student's first month, then the sums of `moments_twin`."""
    rows = panel[panel["days_enrolled"] > 0].sort_values(["student", "month"])
    first = rows.drop_duplicates("student").set_index("student")
    return twin_of(
        pd.DataFrame(
            {
                "unit": rows["student"],
                "period": rows["month"].map(number),
                "y": 100 * rows["days_attended"] / rows["days_enrolled"],
                "cohort": rows["first_visit_month"].map(number),
                "district": rows["student"].map(first["district_code"]),
                "stratum": "",
                "weight": 1.0,
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
