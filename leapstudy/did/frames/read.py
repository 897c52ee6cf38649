"""A frame of any source as matrices of units by times; what cannot be carried is refused in words, never by a cell's
value.
"""

import contextlib
import numbers
import re
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.phrases import agree, counted

NEVER = np.inf
# Whole numbers from here on are codes, such as 202012 and 202101 for months: they count by their order.
CODES = 10_000
# Nor is a step this long one of a clock: months written 2012 and 2101, school years 1718 and 1819.
JUMP = 80
# Whole-number times further apart than this are dates written as numbers; they are counted, not subtracted.
LONGEST = 1_000
# Standard deviation of an outcome below which the estimators would take its noise for rounding.
LEAST_SPREAD = 1e-3
NOUNS = {"school_code": "school"} | {noun: noun for noun in ("district", "school", "student")}


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns that hold what a difference-in-differences needs; None where there is none.

    `post` and `weights` are taken where the frame has them, and `value` where it has no `rate_pct`, so that the columns
    of `leapstudy.panel` need no naming.
    """

    outcome: str = "rate_pct"
    unit: str = "district_code"
    time: str = "year"
    treated: str | None = "treated"
    post: str | None = "post"
    first_treated: str | None = None
    weights: str | None = "weight"
    cluster: str | None = None
    strata: str | None = None

    @property
    def noun(self) -> str:
        """What a unit is called: `district_code` holds whatever the study's units are."""
        return NOUNS.get(self.unit, "unit")


@dataclass(frozen=True, slots=True)
class UnitPanel:
    """A balanced panel of U units and T times.

    Attributes
    ----------
    columns : Columns
        What the columns were called.
    units, times : ndarray of object, shapes (U,) and (T,)
        Their own labels, times in order.
    clock : ndarray of int, shape (T,)
        Times as whole numbers: themselves where they are years or periods, else 0, 1, 2, ... in their order, as months
        written 202012 are.
    y : ndarray, shape (U, T)
        The outcome.
    first : ndarray, shape (U,)
        First treated time on the scale of `clock`; infinite where never treated.
    weights : ndarray, shape (U, T), or None
        None where all units count alike.
    cluster, stratum : ndarray of object, shape (U,), or None
    """

    columns: Columns
    units: np.ndarray
    times: np.ndarray
    clock: np.ndarray
    y: np.ndarray
    first: np.ndarray
    weights: np.ndarray | None = None
    cluster: np.ndarray | None = None
    stratum: np.ndarray | None = None

    @property
    def texts(self) -> list[str]:
        """The times as text."""
        return [str(time.date()) if isinstance(time, pd.Timestamp) else str(time) for time in self.times]

    @property
    def treated(self) -> np.ndarray:
        """Which units start by the last time, shape (U,)."""
        return self.first <= self.clock[-1]


def read_frame(data: Any, columns: Columns) -> UnitPanel:
    """Return a frame as matrices of units by times, without changing it.

    Parameters
    ----------
    data
        A pandas DataFrame, or what turns into one by `to_pandas()` (polars, pyarrow). Unit and time may be index
        levels.
    columns
        Which column holds what.

    Raises
    ------
    BadInput
        For a column that is not there, text where numbers belong, missing or infinite values, two rows of a unit in one
        time, a unit without a row in some time, times whose order cannot be known, and a treatment that begins and ends
        again or of which nobody knows when it began.
    """
    frame, columns = _with_columns(_as_frame(data), columns)
    times, clock, place = _times(frame[columns.time], columns.time)
    units, row = _coded(frame[columns.unit], columns.unit)
    _check_rows(row, place, len(units), len(times), columns)
    cell = (row, place)
    y = _matrix(numbers_of(frame, columns.outcome), cell, (len(units), len(times)))
    _check_spread(y, columns.outcome)
    first = _first(frame, columns, cell, times, clock, len(units))
    weights = None if columns.weights is None else _weights(frame, columns.weights, cell, y.shape)
    constant = (_constant(frame, name, row, len(units)) for name in (columns.cluster, columns.strata))
    return UnitPanel(columns, units, times, clock, y, first, weights, *constant)


def _as_frame(data: Any) -> pd.DataFrame:
    frame = data.to_pandas() if not isinstance(data, pd.DataFrame) and hasattr(data, "to_pandas") else data
    if not isinstance(frame, pd.DataFrame):
        raise BadInput(f"A DataFrame is needed, with one row a unit and time; this is a {type(data).__name__}.")
    levels = [name for name in frame.index.names if name is not None and name not in frame.columns]
    frame = frame.reset_index(levels) if levels else frame
    duplicates = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
    if duplicates:
        raise BadInput(f"Two columns are called {', '.join(duplicates)}. Give each column a name of its own.")
    if not len(frame):
        raise BadInput("The frame has no rows. Check the filter or the join that it was made by.")
    return frame


def _with_columns(frame: pd.DataFrame, columns: Columns) -> tuple[pd.DataFrame, Columns]:
    """Return the frame and the columns to use: of the two optional ones those that are there."""
    names = {name: getattr(columns, name) for name in Columns.__dataclass_fields__}
    for name, column in names.items():
        if not isinstance(column, Hashable) or (column is None and name in ("outcome", "unit", "time")):
            raise _no_column(frame, name, column)
    for name, usual in (("post", "post"), ("weights", "weight")):
        if names[name] == usual and usual not in frame.columns:
            names[name] = None
    if names["outcome"] == "rate_pct" and "rate_pct" not in frame.columns and "value" in frame.columns:
        names["outcome"] = "value"  # as `leapstudy.panel` calls what is no share
    if names["first_treated"] is not None:
        names |= {"treated": None, "post": None}
    if names["first_treated"] is None and names["treated"] is None:
        raise BadInput("Nothing says who was treated and when. Name the column: treated= (0 or 1), or first_treated=.")
    for name, column in names.items():
        if column is not None and column not in frame.columns:
            raise _no_column(frame, name, column)
    return frame, Columns(**names)


def _no_column(frame: pd.DataFrame, name: str, column: object) -> BadInput:
    there = [str(item) for item in frame.columns]
    return bad_value("column", column, there, f"Name the column that holds it: {name}=.")


def numbers_of(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column as finite numbers, or raise `BadInput` that says what is wrong, without a cell's value."""
    column = frame[name]
    missing = int(column.isna().sum())
    if missing:
        raise BadInput(
            f"Column {name!r} has {counted(missing, 'missing value')} in {counted(len(column), 'row')}. "
            "Drop those units or fill the values yourself, so that it is your choice who is left out."
        )
    plain = types.is_numeric_dtype(column) and not types.is_complex_dtype(column)
    if not plain and not all(isinstance(value, numbers.Real | Decimal) for value in column):
        raise BadInput(
            f"Column {name!r} holds {column.dtype}, and numbers belong there. Convert it first: "
            f"pd.to_numeric(frame[{name!r}])."
        )
    try:
        values = column.to_numpy(dtype=float, na_value=np.nan)
    except OverflowError:
        raise _too_large(name) from None
    if not np.isfinite(values).all():
        raise BadInput(
            f"Column {name!r} has {counted(int((~np.isfinite(values)).sum()), 'infinite value')}. Take them out first."
        )
    return values


def _too_large(name: str) -> BadInput:
    return BadInput(
        f"Column {name!r} holds whole numbers too large to reckon with. Take them out, or write fewer digits."
    )


def _refuse_containers(column: pd.Series, name: str) -> None:
    if not all(issubclass(kind, Hashable) for kind in _kinds(column)):
        raise BadInput(f"Column {name!r} holds lists or the like. One number, date or text a cell is needed.")


def _kinds(column: pd.Series) -> set[type]:
    """Return the types of a column's cells; where it can hold one type alone, no cell but the first is looked at."""
    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    return set(map(type, values if types.is_object_dtype(values) else values[:1]))


def _times(column: pd.Series, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the times in order, as whole numbers, and each row's place among them."""
    if column.isna().any():
        raise BadInput(
            f"Column {name!r} has {counted(int(column.isna().sum()), 'row')} without a time. Drop or mend them."
        )
    _refuse_containers(column, name)
    is_ordered = isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered
    if is_ordered:
        column = column.cat.remove_unused_categories()
        times, place = column.cat.categories.to_numpy(dtype=object), column.cat.codes.to_numpy()
    else:
        plain = column.astype(column.cat.categories.dtype) if isinstance(column.dtype, pd.CategoricalDtype) else column
        _check_order(plain, name)
        place, index = pd.factorize(plain, sort=True)
        times = pd.Index(index).to_numpy(dtype=object)
    try:
        whole = not is_ordered and all(isinstance(time, numbers.Real) and float(time).is_integer() for time in times)
    except OverflowError:
        raise _too_large(name) from None
    clock = np.array([int(time) for time in times]) if whole else np.arange(len(times))
    if clock[-1] - clock[0] >= LONGEST or clock[-1] >= CODES or (np.diff(clock) >= JUMP).any():
        clock = np.arange(len(times))
    return times, clock, place


# Text whose letters are in the order of time: a year of four digits first, or one digit alone. 98-99 and 09-2020 are
# not.
YEAR_FIRST = re.compile(r"\D*(?:19|20)\d\d.*|\D*\d\D*", re.DOTALL)


def _check_order(column: pd.Series, name: str) -> None:
    if (
        types.is_numeric_dtype(column)
        or types.is_datetime64_any_dtype(column)
        or isinstance(column.dtype, pd.PeriodDtype)
    ):
        return
    kinds = _kinds(column)
    shapes = {re.sub(r"\d", "0", value) for value in column if isinstance(value, str)}
    if len(kinds) > 1 or (kinds == {str} and (len(shapes) > 1 or not all(map(YEAR_FIRST.fullmatch, column)))):
        raise BadInput(
            f"The order of the times in {name!r} cannot be known from its text. Give whole numbers, dates, school "
            "years written alike (2000-01), or an ordered category: pd.Categorical(values, categories, ordered=True)."
        )


def _coded(column: pd.Series, name: str) -> tuple[np.ndarray, np.ndarray]:
    if column.isna().any():
        raise BadInput(
            f"Column {name!r} has {counted(int(column.isna().sum()), 'row')} without a unit. Drop or mend them."
        )
    _refuse_containers(column, name)
    if len(_kinds(column)) > 1:
        raise BadInput(f"Column {name!r} mixes numbers and text. Write every unit's code in one way: .astype(str).")
    row, index = pd.factorize(column, sort=True)
    return pd.Index(index).to_numpy(dtype=object), row


def _check_rows(row: np.ndarray, place: np.ndarray, units: int, times: int, columns: Columns) -> None:
    if times < 2:
        raise BadInput(f"All rows are of one {columns.time!r}; a change needs two times or more.")
    counts = np.bincount(row * times + place, minlength=units * times).reshape(units, times)
    if (counts > 1).any():
        raise BadInput(
            f"{counted(int((counts > 1).sum()), 'pair')} of {columns.unit!r} and {columns.time!r} with two "
            "rows or more. One row a unit and time is needed: filter to one group, or aggregate first."
        )
    gaps = int((counts == 0).any(axis=1).sum())
    if gaps:
        raise BadInput(
            f"{gaps:,} of {units:,} units {agree(gaps, 'lacks', 'lack')} a row in one of the {times} times. "
            f"Keep those that have all: frame.groupby({columns.unit!r}).filter(lambda unit: len(unit) == {times})."
        )


def _check_spread(y: np.ndarray, name: str) -> None:
    spread = float(y.std())
    if spread == 0:
        raise BadInput(f"Column {name!r} is the same in every row: nothing changed that could be compared.")
    if spread < LEAST_SPREAD:
        raise BadInput(
            f"Column {name!r} varies by {spread:.1g} only, which would be taken for rounding. Give it in a smaller "
            "unit, such as percent for shares, or multiplied by 1,000."
        )


def _matrix(values: np.ndarray, cell: tuple[np.ndarray, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    matrix = np.empty(shape)
    matrix[cell] = values
    return matrix


def _weights(
    frame: pd.DataFrame, name: str, cell: tuple[np.ndarray, np.ndarray], shape: tuple[int, int]
) -> np.ndarray | None:
    weights = _matrix(numbers_of(frame, name), cell, shape)
    if (weights <= 0).any():
        raise BadInput(f"Column {name!r} has weights of zero or below. Drop those units, or give weights above zero.")
    return None if np.ptp(weights) == 0 else weights


def _constant(frame: pd.DataFrame, name: str | None, row: np.ndarray, units: int) -> np.ndarray | None:
    if name is None:
        return None
    labels, code = _coded(frame[name], name)
    by_unit = np.zeros(units, dtype=int)
    by_unit[row] = code
    if (by_unit[row] != code).any():
        raise BadInput(
            f"Column {name!r} changes within a unit. Each unit belongs to one: take its value before the start."
        )
    return labels[by_unit]


def _first(
    frame: pd.DataFrame,
    columns: Columns,
    cell: tuple[np.ndarray, np.ndarray],
    times: np.ndarray,
    clock: np.ndarray,
    units: int,
) -> np.ndarray:
    """Return each unit's first treated time on the scale of the clock, infinite for never."""
    if columns.first_treated is not None:
        return _first_given(frame[columns.first_treated], columns.first_treated, cell[0], times, clock, units)
    assert columns.treated is not None
    status = _flags(frame, columns.treated)
    if columns.post is not None:
        status = status & _flags(frame, columns.post)
    by_time = _matrix(status, cell, (units, len(times))).astype(bool)
    if columns.post is None and by_time.any() and (by_time == by_time[:, :1]).all():
        raise BadInput(
            f"Column {columns.treated!r} is the same in every time of a unit, so that nothing says when the treatment "
            f"began. Name the column that does: post= (0 before, 1 from the start on) or first_treated=."
        )
    if (np.diff(by_time.astype(int), axis=1) < 0).any():
        raise BadInput(
            f"{int((np.diff(by_time.astype(int), axis=1) < 0).any(axis=1).sum()):,} units are treated and later "
            f"untreated again. Only treatments that stay are estimated: end those units' rows where the treatment ends."
        )
    began = by_time.any(axis=1)
    return np.where(began, clock[by_time.argmax(axis=1)].astype(float), NEVER)


def _flags(frame: pd.DataFrame, name: str) -> np.ndarray:
    column = frame[name]
    values = numbers_of(frame, name) if column.dtype != bool else column.to_numpy(dtype=float)
    if not np.isin(values, (0.0, 1.0)).all():
        raise BadInput(
            f"Column {name!r} must be 0 or 1 (or False and True) in every row; it holds other numbers too. A column of "
            "the times when units start is named by first_treated=, with treated=None and post=None."
        )
    return values.astype(bool)


def _check_starts(values: np.ndarray, name: str, times: np.ndarray) -> None:
    """Refuse starts where no time can be: below zero, or a part of a time such as 2014.5 among years."""
    below, part = values < 0, values % 1 != 0
    if times[0] > 0 and below.any():
        raise BadInput(
            f"Column {name!r} has {counted(int(below.sum()), 'row')} with a start below zero, where no time is. "
            "Leave the cell empty for never treated."
        )
    if part.any() and all(float(time).is_integer() for time in times):
        raise BadInput(
            f"Column {name!r} has {counted(int(part.sum()), 'row')} with a start within a time, and the times are "
            "whole numbers. Write the first time that counts as treated."
        )


def _is_after(value: Any, last: Any) -> bool:
    """Return whether a start lies after the last time; texts are compared where their letters are in its order."""
    if isinstance(value, str) and isinstance(last, str):
        alike = re.sub(r"\d", "0", value) == re.sub(r"\d", "0", last)
        return alike and YEAR_FIRST.fullmatch(value) is not None and value > last
    if not (isinstance(value, date | pd.Period) and isinstance(last, date | pd.Period)):
        return False
    with contextlib.suppress(TypeError, ValueError):  # one with a time zone or of another length, one without
        return bool(value > last)
    return False


def _first_given(
    column: pd.Series, name: str, row: np.ndarray, times: np.ndarray, clock: np.ndarray, units: int
) -> np.ndarray:
    """Return first treated times as given: missing, infinite, or 0 where no time is near 0, means never."""
    _refuse_containers(column, name)
    whole = all(isinstance(time, numbers.Real) for time in times) and not isinstance(column.dtype, pd.CategoricalDtype)
    if whole and types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        _check_starts(values[np.isfinite(values)], name, times)
        never = np.isnan(values) | np.isinf(values) | ((values == 0) & (float(times[0]) > 1))
        number = np.where(never, NEVER, values)
        if not np.array_equal(clock.astype(float), times.astype(float)):
            later = values > float(times[-1])  # a start after the last time is far beyond it, however far it is
            number = np.where(never, NEVER, np.searchsorted(times.astype(float), values) + LONGEST * later)
    else:
        place = {time: float(at) for time, at in zip(times, clock, strict=True)}
        column = column.mask(column.map(lambda value: isinstance(value, str) and not value.strip()).astype(bool))
        other = column.notna() & ~column.isin(list(times))
        in_order = pd.Index(times).is_monotonic_increasing  # categories may be in an order of their own
        later = other & np.array([in_order and _is_after(value, times[-1]) for value in column], dtype=bool)
        unknown = other & ~later
        if unknown.any():
            raise BadInput(
                f"Column {name!r} has {counted(int(unknown.sum()), 'row')} whose value is none of the times. "
                "Write starts as the times are written, and leave the cell empty for never treated."
            )
        number = np.array([place.get(value, NEVER) if pd.notna(value) else NEVER for value in column])
        number[later.to_numpy()] = float(clock[-1]) + LONGEST
    first = np.full(units, np.nan)
    first[row] = number
    if (first[row] != number).any():
        raise BadInput(f"Column {name!r} changes within a unit. A unit has one start, the same in all of its rows.")
    return first
