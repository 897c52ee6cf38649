"""What only Spark does: open on this machine or on a cluster, keep tables, and read files as DuckDB reads them.

Every worker must see the files under the same path. No code of Python runs there, so that workers need Java only.
"""

import logging
import re
from collections.abc import Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import ibis
import ibis.util
import pyarrow as pa
from ibis.backends.pyspark import Backend
from ibis.backends.pyspark.datatypes import PySparkSchema
from ibis.expr.types import BooleanValue, Table, TimestampValue
from pyspark.sql import SparkSession

from leapstudy.core.errors import BadInput
from leapstudy.core.files import process_folder
from leapstudy.students.engine import sealed
from leapstudy.students.files import REPLACEMENT, Dialect

# PySpark's own, which print an error with the cell that it is about whatever level Spark's log is set to.
PYTHON_LOGGERS = ("DataFrameQueryContextLogger", "SQLQueryContextLogger")

SESSION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}

# The column in which Spark keeps a line that has too many or too few cells.
BROKEN = "_broken"


@ibis.udf.scalar.builtin(name="from_utc_timestamp", signature=(("timestamp('UTC')", "string"), "timestamp"))
def _at_zone(instant: TimestampValue, zone: str) -> Any:
    """Return the local time of an instant."""


@ibis.udf.scalar.builtin(name="timestamp_micros", signature=(("int64",), "timestamp('UTC')"))
def _of_micros(micros: int) -> Any:
    """Return the instant that many millionths of a second after 1970."""


def connect(master: str, memory_limit: str) -> Backend:
    """Open a Spark session, or take the one that is there.

    Dates mean the same everywhere (UTC), and no wrong cast passes for an empty cell (ANSI). Spark logs nothing:
    its messages quote cells.

    Raises
    ------
    BadInput
        If pyspark or Java is missing, or the master does not answer.
    """
    builder = SparkSession.builder.appName("leapstudy")
    for name, value in (_settings(master, memory_limit) if master else {}).items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        kind = type(error).__name__
    else:
        session.sparkContext.setLogLevel("OFF")
        for name in PYTHON_LOGGERS:
            logging.getLogger(name).disabled = True
        for name, value in SESSION.items():
            session.conf.set(name, value)
        return ibis.pyspark.connect(session)
    raise BadInput(f"Spark did not start at {master!r} ({kind}). It needs Java 17, and a master that answers.")


def _settings(master: str, memory_limit: str) -> dict[str, str]:
    """Return what must be set before Spark starts; what else a cluster needs stands in its own spark-defaults.conf."""
    own = {"spark.master": master, "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    if not master.startswith("local"):
        return own
    amount = re.fullmatch(r"(\d+)\s*([MG])i?B", memory_limit.strip(), re.IGNORECASE)
    if not amount:
        raise BadInput(f"Spark does not take memory_limit={memory_limit!r}; write it as '500MB' or '2GB'.")
    folder = str(process_folder())
    memory = {"spark.driver.memory": f"{amount[1]}{amount[2].lower()}", "spark.io.encryption.enabled": "true"}
    return own | memory | {"spark.local.dir": folder, "spark.sql.warehouse.dir": folder}


def memory(con: Backend) -> float:
    """Return no limit: sums come to the driver, whose memory Spark's own settings name."""
    return float("inf")


def keep(con: Backend, expression: Table) -> Table:
    """Compute an expression and keep its rows with the workers, without the steps that led to them.

    Spark plans a query anew from the files up, which takes longer than the query itself where one builds on another.
    """
    con._run_pre_execute_hooks(expression)
    types = PySparkSchema.from_ibis(expression.schema())  # Spark takes 1.0 in a query for a decimal number
    return _table(con, con._session.sql(con.compile(expression)).to(types).localCheckpoint())


def drop(con: Backend, table: Table) -> None:
    """Give up a table that was kept or lent."""
    con._session.catalog.dropTempView(table.get_name())


def lend(con: Backend, table: pa.Table) -> Table:
    """Send the workers a table of this process."""
    return _table(con, con._session.createDataFrame(table))


take_back = drop


def rows(con: Backend, dialect: Dialect, paths: Sequence[Path]) -> Table:
    """Return files of one dialect as one table with the files' own column names; broken lines are left out."""
    if dialect.kind == "delimited":
        table = _text(con, dialect, paths)
        return table.filter(~_is_broken(table, dialect.delimiter)).drop(BROKEN)
    reader = con._session.read.option("mergeSchema", "true")
    table = _table(con, sealed("opening the files", lambda: reader.parquet(*map(str, paths))))
    # nanoseconds, which Spark has no type for, arrive as whole numbers
    moments = [name for name in table.columns if dialect.type_of(name) == "moment" and table[name].type().is_integer()]
    return table.mutate(**{name: _of_micros(table[name] // 1000) for name in moments})


def lines(con: Backend, paths: Sequence[Path]) -> Table:
    """Return the lines of fixed-width files in the column `line`."""
    return _table(con, con._session.read.text([str(path) for path in paths])).rename(line="value")


def lost(con: Backend, dialect: Dialect, paths: Sequence[Path]) -> tuple[int, int]:
    """Return how many lines of text files fit no row, and how many are empty; what stands in them is never fetched."""
    table = _text(con, dialect, paths)
    is_broken = _is_broken(table, dialect.delimiter)
    empty = ~is_broken & ibis.coalesce(*(table[name].strip().nullif("") for name in dialect.columns)).isnull()
    query = table.aggregate(broken=is_broken.sum().fill_null(0), empty=empty.sum().fill_null(0))
    row = sealed("counting broken lines", query.to_pyarrow).to_pylist()[0]
    return int(row["broken"]), int(row["empty"])


def local(instant: TimestampValue, zone: str) -> TimestampValue:
    """Return an instant's local time."""
    return _at_zone(instant, zone)


def _text(con: Backend, dialect: Dialect, paths: Sequence[Path]) -> Table:
    names = (name.replace("`", "``") for name in (*dialect.columns, BROKEN))
    columns = ", ".join(f"`{name}` STRING" for name in names)
    options = {"sep": dialect.delimiter, "quote": '"', "escape": '"', "header": True, "mode": "PERMISSIVE"}
    options["multiLine"] = bool(dialect.ending)  # a file is then read in one piece: only where a name asks for it
    more = {"columnNameOfCorruptRecord": BROKEN, "columnPruning": False, "unescapedQuoteHandling": "RAISE_ERROR"}
    return _table(con, con._session.read.options(**options, **more).schema(columns).csv([str(path) for path in paths]))


def _is_broken(table: Table, delimiter: str) -> BooleanValue:
    """Say which lines fit no row; one delimiter too many at the end of a line is none too many."""
    cells = [table[name] for name in table.columns if name != BROKEN]
    sign = re.escape(delimiter)
    pattern = f'^(?:(?:"[^"]*(?:""[^"]*)*"|[^"{sign}]*){sign}){{{len(cells)}}}$'
    odd = table[BROKEN].notnull() & ~table[BROKEN].re_search(pattern)
    return reduce(or_, (cell.contains(REPLACEMENT).fill_null(False) for cell in cells), odd.fill_null(False))


def _table(con: Backend, frame: Any) -> Table:
    view = ibis.util.gen_name("files")
    frame.createTempView(view)
    return con.table(view)
