"""Validation of a published table against its declaration, by pandera, with errors in plain words."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.data.tables import Code, Column, Table

RANGES = {"fraction": (0.0, 1.0), "percent": (0.0, 100.0), "count": (0.0, float("inf"))}
NUMERIC = (*RANGES, "number", "flag")


def parse(table: Table, text: pd.DataFrame, code: Code) -> pd.DataFrame:
    """Return the published table with the study's names and types, or raise.

    Parameters
    ----------
    table
        The declaration.
    text
        The file's cells as text, blanks as empty strings.
    code
        The form of a unit's code.

    Raises
    ------
    BadInput
        For missing or unknown columns, codes that lost their leading zeros, a cell that is no number, a value outside
        the allowed ones, a percent where a fraction is due, or a repeated key.
    """
    _check_columns(table, text)
    named = text.rename(columns={column.source_name: column.name for column in table.columns})
    own = next(column.name for column in table.columns if column.kind == "code")
    _check_codes(table, named[own], code)
    typed = pd.DataFrame({column.name: _typed(table, column, named[column.name]) for column in table.columns})
    _validate(table, typed)
    return typed


def _check_columns(table: Table, text: pd.DataFrame) -> None:
    expected, found = [column.source_name for column in table.columns], list(text.columns)
    if sorted(expected) != sorted(found):
        missing, unknown = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
        raise BadInput(
            f"{table.file}: missing columns {missing or 'none'}, unknown columns {unknown or 'none'}. "
            f"Legal: {', '.join(expected)}. See data/CODEBOOK.md."
        )


def _check_codes(table: Table, codes: pd.Series, code: Code) -> None:
    bad = codes[~codes.map(code.fits).astype(bool)]
    if len(bad):
        value = bad.iloc[0]
        whole = value.zfill(len(code.example))
        hint = f" Did it lose its leading zeros? Then it was {whole!r}." if value != whole and code.fits(whole) else ""
        raise BadInput(
            f"{table.file}: code {value!r} does not have the form of {code.example!r} ({len(bad)} such rows).{hint} "
            "Read and write codes as text, never as numbers."
        )


def _typed(table: Table, column: Column, cells: pd.Series) -> pd.Series:
    blank = (cells == "") | cells.isin(column.suppressed)
    if (cells == "").any() and not column.blank:
        raise BadInput(
            f"{table.file}: column {column.name!r} has {(cells == '').sum()} empty cells, and none is allowed there."
        )
    if column.kind not in NUMERIC:
        return cells.mask(blank).astype("str")
    try:
        numbers = pd.to_numeric(cells.mask(blank)).astype("float64")
    except ValueError as error:
        raise BadInput(f"{table.file}: column {column.name!r} holds a cell that is no number: {error}.") from None
    odd = ~np.isfinite(numbers) if column.kind != "count" else ~np.isfinite(numbers) | (numbers % 1 != 0)
    if (odd & ~blank).any():
        kind = "whole number" if column.kind == "count" else "number"
        raise BadInput(
            f"{table.file}: column {column.name!r} holds {cells[odd & ~blank].iloc[0]!r}, which is no {kind}."
        )
    if column.kind == "fraction" and (numbers > 1).any():
        raise BadInput(
            f"{table.file}: column {column.name!r} must be a fraction (0 to 1) but holds {numbers.max():g}. "
            "It looks like a percent: divide by 100."
        )
    if column.kind == "percent" and numbers.max() <= 1:
        raise BadInput(
            f"{table.file}: column {column.name!r} must be a percent (0 to 100) but its largest value is "
            f"{numbers.max():g}. It looks like a fraction: multiply by 100."
        )
    return numbers


def _validate(table: Table, frame: pd.DataFrame) -> None:
    from pandera.errors import SchemaErrors

    try:
        with warnings.catch_warnings():
            # pandera looks for every engine that is installed, and pyspark warns about its own settings
            warnings.simplefilter("ignore")
            _schema(table).validate(frame, lazy=True)
    except SchemaErrors as errors:
        first = errors.failure_cases.iloc[0]
        raise BadInput(
            f"{table.file}: {len(errors.failure_cases)} cells fail; the first is {first['failure_case']!r} in column "
            f"{first['column']!r} (rule {first['check']!r}, row {first['index']}). See data/CODEBOOK.md for what is "
            f"allowed."
        ) from None
    repeated = frame[frame.duplicated(list(table.key), keep=False)]
    if len(repeated):
        raise BadInput(
            f"{table.file}: {len(repeated)} rows share a key {table.key}; the first is "
            f"{tuple(repeated.iloc[0][list(table.key)])}."
        )


def _schema(table: Table) -> Any:
    # pandera takes half a second to import; only a load pays for it
    import pandera.pandas as pa

    def rule(column: Column) -> pa.Column:
        checks = []
        if column.legal:
            checks.append(pa.Check.isin(column.legal))
        if column.kind in RANGES:
            checks.append(pa.Check.in_range(*RANGES[column.kind]))
        if column.kind == "flag":
            checks.append(pa.Check.isin([0.0, 1.0]))
        return pa.Column(None, checks, nullable=bool(column.blank or column.suppressed), title=column.means)

    return pa.DataFrameSchema({column.name: rule(column) for column in table.columns}, strict=True)
