"""What only DuckDB does: open in memory, keep tables, and read files.

Every cell of a text file is read as text; lines that fit no row are skipped and counted.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.util
import pyarrow as pa
from ibis.backends.duckdb import Backend
from ibis.expr.operations import DatabaseTable, Namespace
from ibis.expr.types import Table, TimestampValue

from leapstudy.core.errors import BadInput
from leapstudy.core.files import process_folder
from leapstudy.students.engine import sealed
from leapstudy.students.files import Dialect

# Bytes; a longer line fits no row. The reader holds 2,048 rows at a time, which no limit counts.
LONGEST_LINE = 65_536
BUFFER = 32 * 2**20
# What `strip` takes away from a cell, as SQL.
BLANKS = " || ".join(f"chr({ord(sign)})" for sign in " \t\n\r\v\f")


@ibis.udf.scalar.builtin(name="timezone", signature=(("string", "timestamp('UTC')"), "timestamp"))
def _at_zone(zone: str, instant: TimestampValue) -> Any:
    """Return the local time of an instant."""


def connect(memory_limit: str, threads: int | None) -> Backend:
    """Open an engine in memory that spills to a private temporary folder beyond `memory_limit`.

    Raises
    ------
    BadInput
        If the engine does not understand the limit.
    """
    spill = process_folder()
    settings = {"memory_limit": memory_limit, "temp_directory": str(spill), "preserve_insertion_order": False}
    if threads is not None:
        settings["threads"] = threads
    try:
        con = ibis.duckdb.connect(**settings)
    except duckdb.Error:
        raise BadInput(
            f"The engine does not take memory_limit={memory_limit!r}; write it as '500MB' or '2GB'."
        ) from None
    con.raw_sql("SET enable_progress_bar = false")  # in a notebook a slow query would leave its bar in the output
    return con


def memory(con: Backend) -> float:
    """Return the bytes of the memory limit."""
    amount, unit = con.con.cursor().execute("SELECT current_setting('memory_limit')").fetchall()[0][0].split()
    return float(amount) * 1024.0 ** ("bytes", "KiB", "MiB", "GiB", "TiB").index(unit)


def keep(con: Backend, expression: Table) -> Table:
    """Compute an expression and keep its rows.

    As ibis's own `create_table`, which copies the query once more and then asks the engine for the types that it gave.
    """
    con._run_pre_execute_hooks(expression)
    name, schema = ibis.util.gen_name("kept"), expression.schema()
    columns = ", ".join(column.sql(con.dialect) for column in schema.to_sqlglot_column_defs(con.dialect))
    query = con.compiler.to_sqlglot(expression).sql(con.dialect, copy=False)
    con.con.execute(f"CREATE TEMP TABLE {name} ({columns})")
    con.con.execute(f"INSERT INTO {name} {query}").fetchall()
    return DatabaseTable(name, schema, con, Namespace("temp", "main")).to_expr()


def drop(con: Backend, table: Table) -> None:
    """Drop a kept table, by hand: ibis 12 with sqlglot 30 writes a DROP without a name."""
    con.raw_sql(f"DROP TABLE {table.get_name()}")


def lend(con: Backend, table: pa.Table) -> Table:
    """Let the engine read a table of this process where it lies."""
    name = ibis.util.gen_name("lent")
    con.con.register(name, table)
    return con.table(name)


def take_back(con: Backend, table: Table) -> None:
    """Forget a table that was lent."""
    con.con.unregister(table.get_name())


def rows(con: Backend, dialect: Dialect, paths: Sequence[Path]) -> Table:
    """Return files of one dialect as one table with the files' own column names."""
    view = ibis.util.gen_name("files")
    sealed(
        "opening the files", lambda: con.raw_sql(f"CREATE TEMP VIEW {view} AS SELECT * FROM {_reader(dialect, paths)}")
    )
    return con.table(view)


def lines(con: Backend, paths: Sequence[Path]) -> Table:
    """Return the lines of fixed-width files in the column `line`."""
    names = [str(path) for path in paths]
    return con.read_csv(names, header=False, columns={"line": "VARCHAR"}, delim="\x1f", quote="", escape="")


def lost(con: Backend, dialect: Dialect, paths: Sequence[Path]) -> tuple[int, int]:
    """Return how many lines of text files fit no row, and how many are empty; what stands in them is never fetched."""
    errors, scans = ibis.util.gen_name("rejected"), ibis.util.gen_name("scans")
    reader = _reader(dialect, paths).replace(
        "ignore_errors = true", f"store_rejects = true, rejects_table = '{errors}', rejects_scan = '{scans}'"
    )

    def count() -> tuple[int, int]:
        """Read every cell, and return how many lines fit no row and how many are empty."""
        names = ['"' + name.replace('"', '""') + '"' for name in dialect.columns]
        first = "coalesce(" + ", ".join(f"nullif(trim({name}, {BLANKS}), '')" for name in names) + ")"
        query = f"SELECT count(*) FILTER (WHERE {first} IS NULL), bit_xor(hash({', '.join(names)})) FROM {reader}"
        ((empty, _),) = con.con.execute(query).fetchall()  # the tables of broken lines are there once all is read
        # a blank line is none, with spaces in it or without
        condition = f"trim(csv_line, {BLANKS}) IS DISTINCT FROM ''"
        lines_lost = f"SELECT DISTINCT file_id, line FROM {errors} WHERE {condition}"
        row = con.con.execute(f"SELECT count(*) FROM ({lines_lost})").fetchone()
        con.con.execute(f"DROP TABLE {errors}")
        con.con.execute(f"DROP TABLE {scans}")
        return int(row[0]), int(empty)

    return sealed("counting broken lines", count)


def local(instant: TimestampValue, zone: str) -> TimestampValue:
    """Return an instant's local time; an offset such as -04:00 is added by hand."""
    offset = re.fullmatch(r"([+-])(\d{2}):?(\d{2})", zone)
    if offset:
        minutes = int(offset[1] + "1") * (60 * int(offset[2]) + int(offset[3]))
        return _at_zone("UTC", instant) + ibis.interval(minutes=minutes)
    return _at_zone(zone, instant)


def _reader(dialect: Dialect, paths: Sequence[Path]) -> str:
    names = "[" + ", ".join(_quoted(str(path)) for path in paths) + "]"
    if dialect.kind == "parquet":
        return f"read_parquet({names}, union_by_name = true)"
    columns = ", ".join(f"{_quoted(name)}: 'VARCHAR'" for name in dialect.columns)
    ending = f"new_line = {_quoted(dialect.ending.encode('unicode_escape').decode())}, " if dialect.ending else ""
    return (
        f"read_csv({names}, delim = {_quoted(dialect.delimiter)}, quote = '\"', escape = '\"', header = true, "
        f"auto_detect = false, columns = {{{columns}}}, {ending}ignore_errors = true, null_padding = false, "
        f"max_line_size = {LONGEST_LINE}, buffer_size = {BUFFER})"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
