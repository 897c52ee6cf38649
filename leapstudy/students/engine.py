"""The engine that holds the rows: DuckDB through ibis. Its error messages quote cells, so none of them gets out."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

import duckdb
import ibis
import ibis.util
import pyarrow as pa
from ibis.backends import BaseBackend
from ibis.backends.duckdb import Backend
from ibis.common.exceptions import IbisError
from ibis.expr.types import Table

from leapstudy.core.errors import BadInput

SPILL = "leapstudy-spill-"
Result = TypeVar("Result")
ENGINE_ERRORS = (duckdb.Error, IbisError, UnicodeDecodeError)


def connect(memory_limit: str = "2GB", threads: int | None = None) -> Backend:
    """Open an engine in memory that spills to a private temporary folder beyond `memory_limit`.

    Raises
    ------
    BadInput
        If the engine does not understand the limit.
    """
    spill = spill_folder()
    settings = {"memory_limit": memory_limit, "temp_directory": str(spill), "preserve_insertion_order": False}
    if threads is not None:
        settings["threads"] = threads
    try:
        return ibis.duckdb.connect(**settings)
    except duckdb.Error:
        raise BadInput(
            f"The engine does not take memory_limit={memory_limit!r}; write it as '500MB' or '2GB'."
        ) from None


@cache
def spill_folder() -> Path:
    """Return this process's private folder for what does not fit in memory; it is removed when the process ends.

    Folders of processes that were killed are removed first: they may hold rows. The name is not to be guessed, so that
    nobody can lay a link in its place.
    """
    base = Path(tempfile.gettempdir())
    for stale in base.glob(f"{SPILL}*"):
        owner = stale.name.removeprefix(SPILL).split("-")[0]
        mine = stale.is_dir() and not stale.is_symlink() and stale.stat().st_uid == os.getuid()
        if mine and owner.isdigit() and not _runs(int(owner)):
            shutil.rmtree(stale, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{SPILL}{os.getpid()}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def keep(con: Backend, doing: str, rows: Table) -> Table:
    """Compute an expression once and keep its rows in the engine; see `sealed` for what `doing` is."""
    return sealed(doing, lambda: con.create_table(ibis.util.gen_name("kept"), rows, temp=True))


@contextmanager
def held(doing: str, rows: Table) -> Iterator[Table]:
    """Compute an expression once and keep its rows in whatever engine it belongs to, while the block runs.

    On DuckDB the table is dropped by hand: ibis 12 with sqlglot 30 writes a DROP without a name.
    """
    con = rows.get_backend()
    if not isinstance(con, Backend):
        with sealed(doing, rows.cache) as cached:
            yield cached
        return
    table = keep(con, doing, rows)
    try:
        yield table
    finally:
        sealed(doing, lambda: con.raw_sql(f"DROP TABLE {table.get_name()}"))


@contextmanager
def lent(con: BaseBackend, table: pa.Table) -> Iterator[Table]:
    """Let an engine read a small table of this process, while the block runs."""
    if not isinstance(con, Backend):
        yield ibis.memtable(table)
        return
    name = ibis.util.gen_name("lent")
    con.con.register(name, table)
    try:
        yield con.table(name)
    finally:
        con.con.unregister(name)


def sealed(doing: str, action: Callable[[], Result]) -> Result:
    """Run `action`; if the engine fails, say what was being done and nothing of what the engine said.

    The new error is raised after the old one has ended, so that no traceback carries the engine's words.

    Raises
    ------
    BadInput
        With the kind of the engine's error, never its message: that may quote a student's row.
    """
    try:
        return action()
    except Exception as error:
        if not _engine_said(error):
            raise
        kind = type(error).__name__
    raise BadInput(
        f"The engine failed while {doing} ({kind}). Its message is withheld because it may quote a student's row. "
        "`leapstudy check PATH` counts what is wrong with the rows; if that fails too, the file itself is broken: cut "
        "off, of another separator or of another encoding."
    )


def _engine_said(error: Exception) -> bool:
    """Say whether an error comes from an engine: Spark's are known by their package, which need not be there."""
    return isinstance(error, ENGINE_ERRORS) or type(error).__module__.split(".")[0] in ("pyspark", "py4j")
