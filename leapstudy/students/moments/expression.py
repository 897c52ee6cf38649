"""The one expression: students to sums by district, cohort and pattern of seen months, on any engine."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from ibis.expr.types import NumericValue, Table

from leapstudy.core.errors import BadInput
from leapstudy.students.engine import held, memory, sealed
from leapstudy.students.handle import StudentData, engine_table
from leapstudy.students.moments.pivot import MASK_BITS, SHIFT, Students, district_places, masks, students_of, trait
from leapstudy.students.moments.record import NEVER, Moments

# Of one product of two months in a cell: eight of each in the table that is fetched, half of it, and in the record.
BYTES_A_PRODUCT = 16
# Of the memory limit, beside which the sums may take so much.
SHARE_OF_MEMORY = 1 / 2
TOO_MANY_CELLS = (
    "Students come and go in so many different ways that the sums by district, first visit and pattern of months seen "
    "take more than half of memory_limit. Raise memory_limit in params/students.yml, or measure fewer months at a time."
)


def moments_of(data: StudentData) -> Moments:
    """Compute the moments of all students in one pass inside the engine.

    A student belongs to the district of the first month in which it is seen: later moves, the visit included, change
    nothing. Every student with any membership is in exactly one cell, and counts once; nothing is dropped.

    Raises
    ------
    BadInput
        If the engine fails; never with a value of a row.
    """
    return moments_of_panel(engine_table(data))


def moments_of_panel(panel: Table) -> Moments:
    """Compute the moments of a clean student-month table in any engine that ibis speaks to: DuckDB, Spark, a warehouse.

    Parameters
    ----------
    panel
        The table `STUDENT_MONTH` of `leapstudy.students.contract`, one row per student and month.

    Raises
    ------
    BadInput
        If a student has two rows in a month, or the engine fails.
    """
    with students_of(panel) as students:
        cells = _fetch(_cell_sums(students), len(students.periods))
        return _record(cells, students.periods, students.districts)


def _cell_sums(students: Students) -> Table:
    """Return the sums over students by cell as an expression; only the upper triangle of the products is computed."""
    table, periods = students.table, len(students.periods)
    keys = {name: trait(table.traits, name) for name in ("district", "cohort")} | masks(table, periods)
    rows = table.mutate(**keys)
    values = [rows[f"y{t}"] for t in range(periods)]
    sums: dict[str, NumericValue] = {"students": rows.count(), "rows": rows.rows.sum()}
    sums |= {f"t{t}": value.sum() for t, value in enumerate(values)}
    pairs = ((s, t) for s in range(periods) for t in range(s, periods))
    return rows.group_by(list(keys)).agg(**sums, **{f"c{s}_{t}": (values[s] * values[t]).sum() for s, t in pairs})


def _fetch(sums: Table, periods: int) -> pa.Table:
    """Run the expression and return its cells in order of district, cohort (never first) and pattern, checked."""
    table = _in_room(sums, periods)
    if not (_column(table, "students") * _presence(table, periods).sum(axis=1) == _column(table, "rows")).all():
        raise BadInput(
            "Some students have several rows in one month. Open the files with `open_students`, which merges them."
        )
    keys = ["district", "cohort", *(name for name in table.column_names if name.startswith("mask"))]
    return table.sort_by([(name, "ascending") for name in keys])


def _in_room(sums: Table, periods: int) -> pa.Table:
    """Return the cells, unless they are more than memory has room for: these sums live outside the engine."""
    with held("computing the moments", sums) as cells:
        count = sealed("counting the cells", cells.count().to_pyarrow).as_py()
        if count * periods**2 * BYTES_A_PRODUCT > memory(sums.get_backend()) * SHARE_OF_MEMORY:
            raise BadInput(TOO_MANY_CELLS)
        return sealed("reading the moments", cells.to_pyarrow)


def _column(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table[name].to_numpy(zero_copy_only=False))


def _sum(table: pa.Table, name: str) -> np.ndarray:
    """Return a column of sums, zero where a month is not seen."""
    return np.nan_to_num(_column(table, name).astype(float))


def _cross(table: pa.Table, periods: int) -> np.ndarray:
    cross = np.zeros((table.num_rows, periods, periods))
    for s in range(periods):
        for t in range(s, periods):
            cross[:, s, t] = cross[:, t, s] = _sum(table, f"c{s}_{t}")
    return cross


def _presence(table: pa.Table, periods: int) -> np.ndarray:
    bits = [_column(table, f"mask{t // MASK_BITS}") >> (t % MASK_BITS) for t in range(periods)]
    return (np.stack(bits, axis=1) & 1).astype(bool)


def _record(table: pa.Table, periods: Sequence[int], districts: Sequence[str]) -> Moments:
    """Return fetched cells as the record that estimators take."""
    months, places = len(periods), district_places(districts)
    cohort, students = _column(table, "cohort").astype(float), _column(table, "students").astype(np.int64)
    total = np.stack([_sum(table, f"t{t}") for t in range(months)], axis=1)
    return Moments(
        periods=np.asarray(periods),
        district=np.array([places[int(number)] for number in _column(table, "district")], dtype=str),
        cohort=np.where(cohort == 0, NEVER, cohort),
        stratum=np.full(table.num_rows, ""),
        seen=_presence(table, months),
        students=students,
        weight=students.astype(float),
        weight_sq=students.astype(float),
        total=total,
        total_sq=total,
        cross=_cross(table, months),
        shift=SHIFT,
    )
