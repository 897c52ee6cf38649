"""Validation of a published table against its declaration, by pandera: every fault at once, in plain words."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.phrases import counted
from leapstudy.data.tables import Code, PublishedColumn, PublishedTable

RANGES = {"fraction": (0.0, 1.0), "percent": (0.0, 100.0), "count": (0.0, float("inf"))}
# Ending of the column that says where a figure is published as bounds; the figure itself is then missing.
BOUND = "_is_bounded"
# Figures of a year below which their size says nothing of their unit.
FEW = 3
NUMERIC = (*RANGES, "number", "flag")


def parse(table: PublishedTable, text: pd.DataFrame, code: Code) -> pd.DataFrame:
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
        With every fault of `checked`.
    """
    frame, faults = checked(table, text, code)
    if len(faults) > 1:
        raise BadInput(f"{table.file} has {len(faults)} faults:\n" + "\n".join(f"- {fault}" for fault in faults))
    if faults:
        raise BadInput(f"{table.file}: {faults[0]}")
    return frame


def checked(table: PublishedTable, text: pd.DataFrame, code: Code) -> tuple[pd.DataFrame, list[str]]:
    """Return the table's columns that can be read, and everything that is wrong with it.

    Faults are missing or unknown columns, codes that lost their leading zeros, cells that are no number, values outside
    the allowed ones, a percent where a fraction is due, and repeated keys; each names its column and how many cells.
    """
    if wrong := column_fault(table, text):
        return pd.DataFrame(), [wrong]
    own_text = text.rename(columns={column.source_name: column.name for column in table.columns})
    own = next(column.name for column in table.columns if column.kind == "code")
    faults = [fault for fault in [code_fault(own_text[own], code)] if fault]
    columns = {}
    for column in table.columns:
        cells, fault = _typed(column, own_text[column.name])
        if fault:
            faults.append(fault)
        else:
            columns[column.name] = cells
    frame = pd.DataFrame(columns)
    bounds = {f"{item.name}{BOUND}": own_text[item.name].isin(item.bounded) for item in table.columns if item.bounded}
    value_faults = [*_value_faults(table, frame), *_scale_faults(table, frame), *_duplicates(table, own_text)]
    return frame.assign(**bounds), [*faults, *value_faults]


def column_fault(table: PublishedTable, text: pd.DataFrame) -> str:
    """Return what is wrong with the columns' names; empty where nothing is."""
    expected, names = [column.source_name for column in table.columns], list(text.columns)
    if sorted(expected) == sorted(names):
        return ""
    missing, unknown = sorted(set(expected) - set(names)), sorted(set(names) - set(expected))
    return (
        f"missing columns {missing or 'none'}, unknown columns {unknown or 'none'}. Legal: {', '.join(expected)}. "
        "See data/CODEBOOK.md."
    )


def code_fault(codes: pd.Series, code: Code) -> str:
    """Return what is wrong with the units' codes; empty where nothing is."""
    bad = codes[~codes.isin([one for one in codes.unique() if code.fits(one)])]
    if bad.empty:
        return ""
    value = bad.iloc[0]
    whole = value.zfill(len(code.example))
    hint = f" Did it lose its leading zeros? Then it was {whole!r}." if value != whole and code.fits(whole) else ""
    return (
        f"code {value!r} does not have the form of {code.example!r} ({counted(len(bad), 'such row')}).{hint} "
        "Read and write codes as text, never as numbers."
    )


def _typed(column: PublishedColumn, cells: pd.Series) -> tuple[pd.Series, str]:
    """Return the cells as the column's kind, and what is wrong with them."""
    blank = (cells == "") | cells.isin([*column.suppressed, *column.bounded])
    if (cells == "").any() and not column.blank:
        empty = counted(int((cells == "").sum()), "empty cell")
        return cells, f"column {column.name!r} has {empty}, and none is allowed there."
    if column.kind == "text":  # names as published hold doubled spaces
        cells = cells.str.split().str.join(" ")
    if column.kind not in NUMERIC:
        return cells.mask(blank).astype("str"), ""
    numbers = pd.to_numeric(cells.mask(blank), errors="coerce").astype("float64")
    if (odd := numbers.isna() & ~blank).any():
        return cells, f"column {column.name!r} holds {_cells(cells[odd])}: no number."
    return numbers, _number_fault(column, cells[~blank], numbers[~blank])


def _number_fault(column: PublishedColumn, cells: pd.Series, numbers: pd.Series) -> str:
    odd = ~np.isfinite(numbers) | ((numbers % 1 != 0) & (column.kind == "count"))
    if odd.any():
        kind = "whole number" if column.kind == "count" else "number"
        return f"column {column.name!r} holds {_cells(cells[odd])}: no {kind}."
    if column.kind == "fraction" and (numbers > 1).any():
        return (
            f"column {column.name!r} must be a fraction (0 to 1) but holds {numbers.max():g}. "
            "It looks like a percent: divide by 100."
        )
    if column.kind == "percent" and numbers.max() <= 1:
        return (
            f"column {column.name!r} must be a percent (0 to 100) but its largest value is {numbers.max():g}. "
            "It looks like a fraction: multiply by 100."
        )
    return ""


def _cells(cells: pd.Series) -> str:
    """Return the first few different cells and how many there are."""
    values = list(dict.fromkeys(cells))
    words = ", ".join(map(repr, values[:4])) + (f" and {len(values) - 4} more" if len(values) > 4 else "")
    return f"{words} ({len(cells)} cell{'s' if len(cells) > 1 else ''})"


def _value_faults(table: PublishedTable, frame: pd.DataFrame) -> list[str]:
    from pandera.errors import SchemaErrors

    try:
        with warnings.catch_warnings():
            # pandera looks for every engine that is installed, and pyspark warns about its own settings
            warnings.simplefilter("ignore")
            _schema(table, frame).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        return [
            f"column {column!r} holds {_cells(cells['failure_case'])}: not allowed by {check!r}; the first is in row "
            f"{cells['index'].iloc[0]}. See data/CODEBOOK.md for what is allowed."
            for (column, check), cells in cases.groupby(["column", "check"], sort=False)
        ]
    return []


def _scale_faults(table: PublishedTable, frame: pd.DataFrame) -> list[str]:
    """Name the years whose percents are all at most 1 while other years' are not: their file held fractions."""
    years = next((column.name for column in table.columns if column.kind == "year"), "")
    percents = [column.name for column in table.columns if column.kind == "percent" and column.name in frame]
    faults = []
    for name in percents if years in frame else []:
        of = frame[name].groupby(frame[years]).agg(["max", "count"])
        odd = of.index[(of["max"] <= 1) & (of["count"] >= FEW) & (of["max"].max() > 1)]
        if len(odd):
            faults.append(
                f"column {name!r} holds nothing above 1 in {', '.join(odd)}, and percents in other years. "
                f"Those look like fractions: multiply by 100, or say `fractions: {{ {name}: [...] }}` of intake.yml."
            )
    return faults


def _duplicates(table: PublishedTable, text: pd.DataFrame) -> list[str]:
    duplicates = text[text.duplicated(list(table.key), keep=False)]
    if duplicates.empty:
        return []
    first = tuple(duplicates.iloc[0][list(table.key)])
    return [f"{len(duplicates)} rows share a key {table.key}; the first is {first}."]


def _schema(table: PublishedTable, frame: pd.DataFrame) -> Any:
    # pandera takes half a second to import; only a load pays for it
    import pandera.pandas as pa

    def rule(column: PublishedColumn) -> pa.Column:
        """Return what the cells of a column may be."""
        checks = []
        if column.legal:
            checks.append(pa.Check.isin(column.legal))
        if column.kind in RANGES:
            checks.append(pa.Check.in_range(*RANGES[column.kind]))
        if column.kind == "flag":
            checks.append(pa.Check.isin([0.0, 1.0]))
        return pa.Column(
            None, checks, nullable=bool(column.blank or column.suppressed or column.bounded), title=column.means
        )

    return pa.DataFrameSchema({column.name: rule(column) for column in table.columns if column.name in frame})
