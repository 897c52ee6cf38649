"""The one expression: pupils to sums by district, cohort, stratum and pattern of seen months, on any engine."""

from collections.abc import Sequence
from typing import Literal

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr.types import NumericValue, Table

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.pupils.engine import sealed
from leapstudy.pupils.handle import PupilData, engine_table, visit_table
from leapstudy.pupils.moments.pivot import (
    MASK_BITS,
    SHIFT,
    STRATA,
    check_strata,
    masks,
    month_number,
    pupil_rows,
    trait,
)
from leapstudy.pupils.moments.record import NEVER, Moments

Weights = Literal["pupils", "days"]
"""Each pupil counts once, or by the days enrolled over the whole panel."""

Event = Literal["visit", "referral"]
"""What begins a cohort: the first completed visit, or the first referral."""

JOIN = ", "
"""Between the names of crossed strata."""


def moments_of(
    data: PupilData, *, strata: Sequence[str] = (), weights: Weights = "pupils", event: Event = "visit"
) -> Moments:
    """Compute the moments of all pupils in one pass inside the engine.

    A pupil belongs to the district, grade band and need of the first month in which it is seen: later moves, the
    visit included, change nothing. Every pupil with any membership is in exactly one cell; nothing is dropped.

    Parameters
    ----------
    data
        From `leapstudy.pupils.handle.open_pupils`.
    strata
        Any of ``"grade_band"`` and ``"high_needs"``; crossed where both are given.
    weights
        ``"pupils"`` (each counts once) or ``"days"`` (days enrolled over the panel).
    event
        ``"visit"`` (first completed visit) or ``"referral"`` (first referral; needs the visit log).

    Raises
    ------
    BadInput
        If an option is not known, or the engine fails; never with a value of a row.
    """
    check_option("event", event, Event)
    panel = engine_table(data)
    return moments_of_panel(
        _by_referral(panel, visit_table(data)) if event == "referral" else panel, strata=strata, weights=weights
    )


def moments_of_panel(panel: Table, *, strata: Sequence[str] = (), weights: Weights = "pupils") -> Moments:
    """Compute the moments of a clean pupil-month table in any engine that ibis speaks to: DuckDB, Spark, a warehouse.

    Parameters
    ----------
    panel
        The table `PUPIL_MONTH` of `leapstudy.pupils.contract`, one row per pupil and month.
    strata, weights
        See `moments_of`.
    """
    check_strata(strata)
    check_option("weights", weights, Weights)
    periods = seen_periods(panel)
    pupils = pupil_rows(panel, periods)
    return gather(cell_sums(pupils, len(periods), strata, weights), periods, strata)


def _by_referral(panel: Table, log: Table) -> Table:
    first = log.group_by("pupil").agg(first_visit_month=log.referral_date.min().truncate("M"))
    return panel.drop("first_visit_month").left_join(first, "pupil", rname="{name}_log").select(*panel.columns)


def seen_periods(panel: Table) -> list[int]:
    """Return the numbers of the months with any membership, in order.

    Raises
    ------
    BadInput
        If there is none.
    """
    rows = panel.filter(panel.days_enrolled > 0)
    months = rows.select(period=month_number(rows.month)).distinct()
    found = sealed("listing the months", months.to_pyarrow)["period"].to_pylist()
    if not found:
        raise BadInput("No month has any days of membership. `leapstudy check PATH` says why.")
    return sorted(int(period) for period in found)


def cell_sums(pupils: Table, periods: int, strata: Sequence[str], weights: Weights) -> Table:
    """Return the sums over pupils by cell as an expression; only the upper triangle of the products is computed."""
    keys = {name: trait(pupils.traits, name) for name in ("district", "cohort", *strata)} | masks(pupils, periods)
    if weights == "pupils":
        rows = pupils.mutate(w=ibis.literal(1.0), **keys)
        return rows.group_by(list(keys)).agg(**_sizes(rows), **_products(rows, "y", periods))
    rows = pupils.mutate(w=pupils.days, **keys)
    rows = rows.mutate(**{f"v{t}": rows.w * rows[f"y{t}"] for t in range(periods)})
    squared = {f"q{t}": (rows.w * rows[f"v{t}"]).sum() for t in range(periods)}
    return rows.group_by(list(keys)).agg(**_sizes(rows), **squared, **_products(rows, "v", periods))


def _sizes(rows: Table) -> dict[str, NumericValue]:
    weight = {"weight": rows.w.sum(), "weight_sq": (rows.w * rows.w).sum()}
    return {"pupils": rows.count(), "rows": rows.rows.sum(), **weight}


def _products(rows: Table, letter: str, periods: int) -> dict[str, NumericValue]:
    """Return the sums of the columns letter0, letter1, ... and of their products."""
    values = [rows[f"{letter}{t}"] for t in range(periods)]
    sums = {f"t{t}": value.sum() for t, value in enumerate(values)}
    pairs = ((s, t) for s in range(periods) for t in range(s, periods))
    return sums | {f"c{s}_{t}": (values[s] * values[t]).sum() for s, t in pairs}


def gather(sums: Table, periods: Sequence[int], strata: Sequence[str]) -> Moments:
    """Run the expression and return its cells in order of district, cohort (never first), stratum and pattern.

    Raises
    ------
    BadInput
        If the rows were not clean: a pupil without district, or with two rows in a month.
    """
    table = sealed("computing the moments", sums.to_pyarrow)
    keys = [name for name in table.column_names if name in ("district", "cohort", *STRATA) or name.startswith("mask")]
    if table["district"].null_count:
        raise BadInput("Some pupils have no district. `leapstudy check PATH` counts them.")
    table = table.sort_by([(name, "ascending") for name in keys])
    moments = _record(table, np.asarray(periods), strata)
    if not (moments.pupils * moments.seen.sum(axis=1) == _column(table, "rows")).all():
        raise BadInput(
            "Some pupils have several rows in one month. Open the files with `open_pupils`, which merges them."
        )
    return moments


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
    masks_of = [_column(table, f"mask{t // MASK_BITS}") >> (t % MASK_BITS) for t in range(periods)]
    return (np.stack(masks_of, axis=1) & 1).astype(bool)


def _stratum(table: pa.Table, strata: Sequence[str]) -> np.ndarray:
    names = [np.array(STRATA[name])[_column(table, name)] for name in strata]
    return np.array([JOIN.join(cell) for cell in zip(*names, strict=True)] or [""] * table.num_rows, dtype=str)


def _record(table: pa.Table, periods: np.ndarray, strata: Sequence[str]) -> Moments:
    months = len(periods)
    cohort = _column(table, "cohort").astype(float)
    total = _matrix(table, "t", months)
    return Moments(
        periods=periods,
        district=np.array([f"{code:07d}" for code in _column(table, "district")]),
        cohort=np.where(cohort == 0, NEVER, cohort),
        stratum=_stratum(table, strata),
        seen=_seen(table, months),
        pupils=_column(table, "pupils").astype(np.int64),
        weight=_column(table, "weight").astype(float),
        weight_sq=_column(table, "weight_sq").astype(float),
        total=total,
        total_sq=_matrix(table, "q", months) if "q0" in table.column_names else total,
        cross=_cross(table, months),
        shift=SHIFT,
    )
