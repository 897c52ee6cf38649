"""The engine that holds the rows, through ibis: DuckDB, or a Spark of one machine or many.

What differs between the two stands in `on_duckdb` and `on_spark`: to open, to keep, to lend, to read files. Everything
else is one expression for both. An engine's error messages quote cells, so none of them gets out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TypeVar

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
from ibis.backends import BaseBackend
from ibis.common.exceptions import IbisError
from ibis.expr.operations import DatabaseTable
from ibis.expr.types import Table

from leapstudy.core.errors import BadInput
from leapstudy.core.names import DUCKDB, SPARK, SPARK_LOCAL, check_engine

Result = TypeVar("Result")
MEMORY_ERRORS = ("OutOfMemoryException",)
ENGINE_ERRORS = (duckdb.Error, IbisError, UnicodeDecodeError)
# What DuckDB raises, as a plain RuntimeError, where Ctrl-C ends a query.
INTERRUPTED = "Query interrupted"


@ibis.udf.agg.builtin(name="bit_or")
def bit_or(word: int) -> int:  # type: ignore[empty-body]
    """Join words bit by bit: every engine has it, though ibis knows of it in some only."""


def connect(memory_limit: str = "2GB", threads: int | None = None, engine: str = DUCKDB) -> BaseBackend:
    """Open an engine.

    Parameters
    ----------
    memory_limit
        Beyond it DuckDB spills to a private temporary folder; for a local Spark the memory of its one process. A
        cluster's workers have their own.
    threads
        Threads on this machine; all by default.
    engine
        ``"duckdb"``; ``"spark-local"`` (a Spark in this machine); ``"spark"`` (the session that is there already, as in
        a Databricks notebook or under spark-submit); or a Spark master such as ``"spark://host:7077"`` or ``"yarn"``.

    Raises
    ------
    BadInput
        If the engine or the limit is not understood, or Spark or Java is not installed.
    """
    if check_engine(engine) == DUCKDB:
        from leapstudy.students import on_duckdb

        return on_duckdb.connect(memory_limit, threads)
    from leapstudy.students import on_spark

    master = f"local[{threads or '*'}]" if engine == SPARK_LOCAL else "" if engine == SPARK else engine
    return on_spark.connect(master, memory_limit)


def on(con: BaseBackend) -> ModuleType:
    """Return the module that knows this engine: `on_duckdb` or `on_spark`."""
    if con.name == DUCKDB:
        from leapstudy.students import on_duckdb

        return on_duckdb
    from leapstudy.students import on_spark

    return on_spark


def memory(con: BaseBackend) -> float:
    """Return the bytes that the engine may hold on this machine; infinite where its workers' memory is their own."""
    return on(con).memory(con)


def keep(con: BaseBackend, doing: str, rows: Table) -> Table:
    """Compute an expression once and keep its rows in the engine; see `sealed` for what `doing` is."""
    return sealed(doing, lambda: on(con).keep(con, rows))


def release(rows: Table) -> None:
    """Give up rows that were kept in the engine; an expression over files, or over rows kept elsewhere, is left."""
    if isinstance(rows.op(), DatabaseTable):
        con = rows.get_backend()
        sealed("giving up rows", lambda: on(con).drop(con, rows))


@contextmanager
def held(doing: str, rows: Table) -> Iterator[Table]:
    """Compute an expression once and keep its rows in the engine that it belongs to, while the block runs."""
    table = keep(rows.get_backend(), doing, rows)
    try:
        yield table
    finally:
        release(table)


def in_memory(frame: pd.DataFrame) -> Table:
    """Return a small table of this process as an expression of any engine.

    Text as objects: of pandas' own strings PySpark makes rows of Python, which need Python on every worker.
    """
    return ibis.memtable(frame.astype(dict.fromkeys(frame.select_dtypes("str"), object)))


def lend(con: BaseBackend, table: pa.Table) -> Table:
    """Let an engine read a small table of this process for as long as the engine is open."""
    return on(con).lend(con, table)


@contextmanager
def lent(con: BaseBackend, table: pa.Table) -> Iterator[Table]:
    """Let an engine read a small table of this process, while the block runs."""
    loan = lend(con, table)
    try:
        yield loan
    finally:
        on(con).take_back(con, loan)


def sealed(doing: str, action: Callable[[], Result]) -> Result:
    """Run `action`; if the engine fails, say what was being done and nothing of what the engine said.

    The new error is raised after the old one has ended, so that no traceback carries the engine's words.

    Raises
    ------
    BadInput
        With the kind of the engine's error, never its message: that may quote a student's row.
    KeyboardInterrupt
        Where Ctrl-C ended the query.
    """
    try:
        with _plain_selects():
            return action()
    except Exception as error:
        interrupted = isinstance(error, RuntimeError) and str(error) == INTERRUPTED
        if not interrupted and not _engine_said(error):
            raise
        kind = type(error).__name__
    if interrupted:
        raise KeyboardInterrupt
    if kind in MEMORY_ERRORS:
        raise BadInput(
            f"The engine ran out of memory while {doing}. Raise memory_limit in params/students.yml (2GB serves a "
            "state of a million students), or make room on the disk that holds the temporary folder."
        )
    raise BadInput(
        f"The engine failed while {doing} ({kind}). Its message is withheld because it may quote a student's row. "
        "`leapstudy check PATH` counts what is wrong with the rows; if that fails too, the file itself is broken: cut "
        "off, of another separator or of another encoding."
    )


@contextmanager
def _plain_selects() -> Iterator[None]:
    """Let ibis write one SELECT within the other, as the expression has them.

    To merge them took it a third of the time in which it writes a query, and engines merge them in no time.
    """
    options = ibis.options.sql
    before, options.fuse_selects = options.fuse_selects, False
    try:
        yield
    finally:
        options.fuse_selects = before


def _engine_said(error: Exception) -> bool:
    """Say whether an error comes from an engine: Spark's are known by their package, which need not be there."""
    return isinstance(error, ENGINE_ERRORS) or type(error).__module__.split(".")[0] in ("pyspark", "py4j")
