"""The one expression: students to sums by district, cohort, stratum and pattern of seen months, on any engine."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr.types import NumericValue, Table

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.students.engine import sealed
from leapstudy.students.handle import StudentData, engine_table, visit_table
from leapstudy.students.moments.pivot import MASK_BITS, SHIFT, Students, masks, students_of
from leapstudy.students.moments.record import NEVER, Moments
from leapstudy.students.moments.traits import STRATA, check_strata, district_places, trait

JOIN = ", "
"""Between the names of crossed strata."""


def trait_names(strata: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the names of each trait's values, by their number."""
    return {name: STRATA[name] for name in strata}


def gather(
    sums: Table, periods: Sequence[int], strata: Mapping[str, Sequence[str]], districts: Sequence[str]
) -> Moments:
    """Run the expression and return its cells in order of district, cohort (never first), stratum and pattern.

    Parameters
    ----------
    sums
        From `leapstudy.students.moments.expression.cell_sums`.
    periods
        Month numbers, length T.
    strata
        For each stratum column the names of its numbers.
    districts
        Codes of all districts, as `Students` has them.

    Raises
    ------
    BadInput
        See `fetch`.
    """
    return record(fetch(sums, len(periods), strata), periods, strata, districts)


def fetch(sums: Table, periods: int, strata: Iterable[str]) -> pa.Table:
    """Run the expression of sums and return its cells, sorted and checked.

    Raises
    ------
    BadInput
        If the rows were not clean: a student with two rows in a month.
    """
    table = sealed("computing the moments", sums.to_pyarrow)
    seen = _seen(table, periods).sum(axis=1)
    if not (_column(table, "students") * seen == _column(table, "rows")).all():
        raise BadInput(
            "Some students have several rows in one month. Open the files with `open_students`, which merges them."
        )
    keys = ["district", "cohort", *strata, *(name for name in table.column_names if name.startswith("mask"))]
    return table.sort_by([(name, "ascending") for name in keys])


def _column(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table[name].to_numpy(zero_copy_only=False))


def _matrix(table: pa.Table, letter: str, periods: int) -> np.ndarray:
    """Return columns letter0, letter1, ... as an array (C, T), zero where a month is not seen."""
    columns = [np.nan_to_num(_column(table, f"{letter}{t}").astype(float)) for t in range(periods)]
    return np.stack(columns, axis=1)


def _cross(table: pa.Table, periods: int) -> np.ndarray:
    cross = np.zeros((table.num_rows, periods, periods))
    for s in range(periods):
        for t in range(s, periods):
            cross[:, s, t] = cross[:, t, s] = np.nan_to_num(_column(table, f"c{s}_{t}").astype(float))
    return cross


def _seen(table: pa.Table, periods: int) -> np.ndarray:
    bits = [_column(table, f"mask{t // MASK_BITS}") >> (t % MASK_BITS) for t in range(periods)]
    return (np.stack(bits, axis=1) & 1).astype(bool)


def _stratum(table: pa.Table, strata: Mapping[str, Sequence[str]]) -> np.ndarray:
    names = [np.array(values)[_column(table, name)] for name, values in strata.items()]
    return np.array([JOIN.join(cell) for cell in zip(*names, strict=True)] or [""] * table.num_rows, dtype=str)


def record(
    table: pa.Table, periods: Sequence[int], strata: Mapping[str, Sequence[str]], districts: Sequence[str]
) -> Moments:
    """Return fetched cells as the record that estimators take."""
    months, places = len(periods), district_places(districts)
    cohort = _column(table, "cohort").astype(float)
    total = _matrix(table, "t", months)
    return Moments(
        periods=np.asarray(periods),
        district=np.array([places[int(number)] for number in _column(table, "district")], dtype=str),
        cohort=np.where(cohort == 0, NEVER, cohort),
        stratum=_stratum(table, strata),
        seen=_seen(table, months),
        students=_column(table, "students").astype(np.int64),
        weight=_column(table, "weight").astype(float),
        weight_sq=_column(table, "weight_sq").astype(float),
        total=total,
        total_sq=_matrix(table, "q", months) if "q0" in table.column_names else total,
        cross=_cross(table, months),
        shift=SHIFT,
    )


Weights = Literal["students", "days"]
"""Each student counts once, or by the days enrolled over the whole panel."""

Event = Literal["visit", "referral"]
"""What begins a cohort: the first completed visit, or the first referral."""


def moments_of(
    data: StudentData, *, strata: Sequence[str] = (), weights: Weights = "students", event: Event = "visit"
) -> Moments:
    """Compute the moments of all students in one pass inside the engine.

    A student belongs to the district, grade band and need of the first month in which it is seen: later moves, the
    visit included, change nothing. Every student with any membership is in exactly one cell; nothing is dropped.

    Parameters
    ----------
    data
        From `leapstudy.students.handle.open_students`.
    strata
        Any of ``"grade_band"`` and ``"high_needs"``; crossed where both are given.
    weights
        ``"students"`` (each counts once) or ``"days"`` (days enrolled over the panel).
    event
        ``"visit"`` (first completed visit) or ``"referral"`` (first referral; needs the visit log).

    Raises
    ------
    BadInput
        If an option is not known, or the engine fails; never with a value of a row.
    """
    return moments_of_panel(panel_by(data, event), strata=strata, weights=weights)


def moments_of_panel(panel: Table, *, strata: Sequence[str] = (), weights: Weights = "students") -> Moments:
    """Compute the moments of a clean student-month table in any engine that ibis speaks to: DuckDB, Spark, a warehouse.

    Parameters
    ----------
    panel
        The table `STUDENT_MONTH` of `leapstudy.students.contract`, one row per student and month.
    strata, weights
        See `moments_of`.
    """
    check_strata(strata)
    check_option("weights", weights, Weights)
    with students_of(panel) as students:
        split = students.with_columns({name: trait(students.table.traits, name) for name in strata})
        return gather(cell_sums(split, strata, weights), students.periods, trait_names(strata), students.districts)


def panel_by(data: StudentData, event: Event = "visit") -> Table:
    """Return the panel's expression with the cohort that `event` begins, for the package's own aggregate queries."""
    check_option("event", event, Event)
    panel = engine_table(data)
    if event == "visit":
        return panel
    log = visit_table(data)
    first = log.group_by("student").agg(first_visit_month=log.referral_date.min().truncate("M"))
    return panel.drop("first_visit_month").left_join(first, "student", rname="{name}_log").select(*panel.columns)


def student_weight(table: Table, periods: int, weights: Weights) -> NumericValue:
    """Return each student's weight."""
    if weights == "students":
        return ibis.literal(1.0)
    return sum((table[f"e{t}"] for t in range(1, periods)), table.e0)


def cell_sums(students: Students, strata: Iterable[str], weights: Weights) -> Table:
    """Return the sums over students by cell as an expression; only the upper triangle of the products is computed.

    Parameters
    ----------
    students
        One row per student.
    strata
        Columns of whole numbers that split the cells further.
    weights
        See `moments_of`.
    """
    table, periods = students.table, len(students.periods)
    made = {name: trait(table.traits, name) for name in ("district", "cohort")} | masks(table, periods)
    keys = [*made, *strata]
    rows = table.mutate(w=student_weight(table, periods, weights), **made)
    if weights == "students":
        return rows.group_by(keys).agg(**_sizes(rows), **_products(rows, "y", periods))
    rows = rows.mutate(**{f"v{t}": rows.w * rows[f"y{t}"] for t in range(periods)})
    squared = {f"q{t}": (rows.w * rows[f"v{t}"]).sum() for t in range(periods)}
    return rows.group_by(keys).agg(**_sizes(rows), **squared, **_products(rows, "v", periods))


def _sizes(rows: Table) -> dict[str, NumericValue]:
    weight = {"weight": rows.w.sum(), "weight_sq": (rows.w * rows.w).sum()}
    return {"students": rows.count(), "rows": rows.rows.sum(), **weight}


def _products(rows: Table, letter: str, periods: int) -> dict[str, NumericValue]:
    """Return the sums of the columns letter0, letter1, ... and of their products."""
    values = [rows[f"{letter}{t}"] for t in range(periods)]
    sums = {f"t{t}": value.sum() for t, value in enumerate(values)}
    pairs = ((s, t) for s in range(periods) for t in range(s, periods))
    return sums | {f"c{s}_{t}": (values[s] * values[t]).sum() for s, t in pairs}
