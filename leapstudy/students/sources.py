"""From files to typed tables: find the files, map the names, read cells as text, and mark what cannot be read."""

import functools
import operator
import re
from collections.abc import Mapping
from pathlib import Path

import ibis
from ibis.backends.duckdb import Backend
from ibis.expr.types import BooleanValue, StringValue, Table, Value

from leapstudy.core.errors import BadInput
from leapstudy.students import contract
from leapstudy.students.contract import Column
from leapstudy.students.engine import sealed

SUPPRESSED = r"^(\*+|[<>]=?\s*[0-9.]+\s*%?)$"
TRUE, FALSE = ("1", "true", "t", "yes", "y"), ("0", "false", "f", "no", "n")
FORMATS = (".parquet", ".csv", ".csv.gz", ".txt", ".dat")


def bounds(cell: str, low: float = 0, high: float = 100) -> tuple[float, float]:
    """Return what a cell of a published table says: a number twice, or the bounds of a suppressed value.

    Parameters
    ----------
    cell
        ``"12.5"``, ``"*"``, ``"<5"`` or ``">=95"``.
    low, high
        The least and greatest value the figure can have.

    Raises
    ------
    BadInput
        If the cell is neither a number nor a sign of suppression; it is never taken for zero or missing.
    """
    text = cell.strip().removesuffix("%").strip()
    if re.fullmatch(r"\*+", text):
        return low, high
    if sign := re.fullmatch(r"([<>])=?\s*([0-9.]+)", text):
        edge = float(sign[2])
        return (low, edge) if sign[1] == "<" else (edge, high)
    if re.fullmatch(r"-?[0-9.]+", text):
        return float(text), float(text)
    raise BadInput(f"A published figure must be a number, '*', '<5' or '>=95'; got {cell!r}.")


def find(path: Path | str) -> list[Path]:
    """Return the files at `path`: a file, a folder or a glob.

    Raises
    ------
    BadInput
        If there are none, or they differ in kind.
    """
    place = Path(path)
    if place.is_file():
        found = [place] if place.name.endswith(FORMATS) else []
    else:
        names = place.glob("*") if place.is_dir() else place.parent.glob(place.name)
        found = sorted(file for file in names if file.name.endswith(FORMATS))
    if not found:
        raise BadInput(f"No data file at {str(path)!r}. Give a file, a folder or a glob of {', '.join(FORMATS)}.")
    if len({file.suffix for file in found}) > 1:
        raise BadInput(f"The files at {str(path)!r} are of several kinds. Give a glob such as '*.parquet'.")
    return found


def scan(con: Backend, files: list[Path], table: contract.Table, mapping: Mapping[str, str] | None = None) -> Table:
    """Return the files as one table with the contract's column names; text files as text, so that no code is a number.

    Parameters
    ----------
    con
        The engine.
    files
        Files of one kind.
    table
        What they should hold.
    mapping
        The contract's name to the file's name, for columns that are called otherwise.

    Raises
    ------
    BadInput
        If a column is missing, or a code was stored as a number.
    """
    raw = _renamed(sealed("opening the files", lambda: _open(con, files, table)), mapping)
    contract.require_columns(table, raw.columns, files[0].name)
    for column in table.columns:
        if column.kind == "text" and column.name in raw.columns and not raw[column.name].type().is_string():
            raise BadInput(
                f"{files[0].name}: {column.name} is stored as {raw[column.name].type()}; codes are text, since a number "
                "has lost its leading zeros. Export it as text."
            )
    absent = {c.name: ibis.null("string").name(c.name) for c in table.columns if c.name not in raw.columns}
    return raw.mutate(**absent).select(*table.names)


def _renamed(raw: Table, mapping: Mapping[str, str] | None) -> Table:
    return raw.rename({ours: theirs for ours, theirs in (mapping or {}).items() if theirs in raw.columns})


def columns_of(con: Backend, files: list[Path], mapping: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the column names of parquet or CSV files, the mapped ones under the contract's names."""
    raw = sealed("opening the files", lambda: _open(con, files, contract.STUDENT_MONTH))
    return tuple(_renamed(raw, mapping).columns)


def _open(con: Backend, files: list[Path], table: contract.Table) -> Table:
    names = [str(file) for file in files]
    if files[0].suffix == ".parquet":
        return con.read_parquet(names, union_by_name=True)
    if files[0].suffix in (".txt", ".dat"):
        return _fixed_width(con, names, table)
    return con.read_csv(names, all_varchar=True, header=True, union_by_name=True)


def _fixed_width(con: Backend, names: list[str], table: contract.Table) -> Table:
    lines = con.read_csv(names, header=False, columns={"line": "VARCHAR"}, delim="\x1f", quote="", escape="")
    starts = [sum(column.width for column in table.columns[:index]) for index in range(len(table.columns))]
    cells = {c.name: lines.line.substr(start, c.width) for c, start in zip(table.columns, starts, strict=True)}
    return lines.select(**cells)


def _blank_to_null(value: Value) -> StringValue:
    return value.cast("string").strip().nullif("")


def _as_date(value: Value) -> Value:
    if value.type().is_temporal():
        return value.cast("date")
    text = _blank_to_null(value)
    whole = ibis.ifelse(text.re_search(r"^[0-9]{4}-[0-9]{2}$"), text + "-01", text)
    return whole.try_cast("date")


def _as_flag(value: Value) -> BooleanValue:
    if value.type().is_boolean():
        return value
    text = _blank_to_null(value).lower()
    return ibis.cases((text.isin(TRUE), True), (text.isin(FALSE), False), else_=ibis.null("boolean"))


def _as_grade(value: Value) -> StringValue:
    text = _blank_to_null(value).upper()
    return ibis.ifelse(text.re_search("^[1-9]$"), ibis.literal("0") + text, text)


def _convert(column: Column, value: Value) -> Value:
    if column.kind == "number":
        number = value.cast("float64") if value.type().is_numeric() else _blank_to_null(value).try_cast("float64")
        return ibis.ifelse(number.isnan() | number.isinf(), ibis.null("float64"), number)
    if column.kind == "month":
        return _as_date(value).truncate("M")
    if column.kind == "date":
        return _as_date(value)
    if column.kind == "flag":
        return _as_flag(value)
    return _as_grade(value) if column.name == "grade" else _blank_to_null(value)


def _any(flags: list[BooleanValue]) -> BooleanValue:
    return functools.reduce(operator.or_, flags, ibis.literal(False))


def typed(raw: Table, table: contract.Table) -> Table:
    """Return the table in the contract's types, with two marks per row and no cell that fails loudly.

    `suppressed` says that a number is a sign such as ``*`` or ``<5``; `unreadable` that a required cell is empty or
    that a filled cell is not of its kind. Rules count both; neither becomes zero or a silent gap.
    """
    cells, unreadable, suppressed = {}, [], []
    for column in table.columns:
        value = raw[column.name]
        cells[column.name] = _convert(column, value)
        empty = value.isnull() if not value.type().is_string() else _blank_to_null(value).isnull()
        hidden = ibis.literal(False)
        if column.kind == "number" and value.type().is_string():
            hidden = _blank_to_null(value).re_search(SUPPRESSED).fill_null(False)
            suppressed.append(hidden)
        if column.kind != "text":
            unreadable.append(cells[column.name].isnull() & ~empty & ~hidden)
        if column.required and column.name != "student" and column.kind != "text":
            unreadable.append(empty)
    return raw.select(**cells, unreadable=_any(unreadable), suppressed=_any(suppressed))
