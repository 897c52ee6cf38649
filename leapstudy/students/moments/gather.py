"""From the engine's table of sums to the record `Moments`: the only thing that leaves."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from ibis.expr.types import Table

from leapstudy.core.errors import BadInput
from leapstudy.students.engine import sealed
from leapstudy.students.moments.pivot import MASK_BITS, SHIFT
from leapstudy.students.moments.record import NEVER, Moments
from leapstudy.students.moments.traits import STRATA, district_places

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
