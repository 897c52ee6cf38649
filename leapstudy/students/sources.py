"""From files to typed tables: map the names, read cells as text, and mark what cannot be read."""

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
from ibis.backends import BaseBackend
from ibis.expr.types import BooleanValue, IntegerValue, StringValue, Table, Value

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.students import contract
from leapstudy.students.contract import FileColumn, Reading
from leapstudy.students.engine import on, sealed
from leapstudy.students.files import (
    Dialect,
    Files,
    column_of,
    find,
    name_key,
    own_name,
    source_columns,
    with_two_line_ends,
)

SUPPRESSED = r"^(\*+|[<>]=?\s*[0-9.]+\s*%?)$"
# Dates that have one meaning; a local time and its offset may follow, the date is the one that is written.
ISO_DATE = r"^[0-9]{4}-[0-9]{1,2}(-[0-9]{1,2}([T ].*)?)?$"

# What a number is written in, and the largest: one engine would take 1_000 for one, the other 18d or inf.
NUMBER, LARGEST = "^[0-9.eE+-]+$", 1e300

# What stands before a value that comes from an Ed-Fi API, and the columns whose values do.
DESCRIPTOR, DESCRIBED = "^uri://[^#]*#", ("grade", "category", "calendar_event")


@dataclass(frozen=True, slots=True)
class Source:
    """One table as it stands in its files: `table` is typed and marked; `lost` counts what is no row of it, by rule."""

    table: Table
    files: Files
    lost: Mapping[str, int]


def read(con: BaseBackend, path: Path | str, table: contract.FileTable, how: Reading) -> Source:
    """Read the files at `path` as one of the contract's tables.

    Raises
    ------
    BadInput
        If files or columns are missing, a code was stored as a number, or files differ in a column's type.
    """
    files = find(path)
    lost = lost_lines(con, files)
    raw = scan(con, files, table, how, whole=bool(lost))
    return Source(typed(raw, table, how), files, lost)


def scan(con: BaseBackend, files: Files, table: contract.FileTable, how: Reading, *, whole: bool = False) -> Table:
    """Return the files as one table with the contract's column names; text as text, so that no code is a number.

    `whole` reads the columns that nobody needs, too, so that every line that `lost_lines` counts is left out.
    """
    if files.kind == "fixed":
        lines = on(con).lines(con, files.paths)
        return _fixed_width(lines.filter(_letters(lines.line) > 0), table)
    _require_one_table(files, table, how)
    selects = [_select(con, dialect, paths, table, how, whole) for dialect, paths in files.groups().items()]
    _require_equal_types(files, table, how)
    return ibis.union(*selects) if len(selects) > 1 else selects[0]


def _require_one_table(files: Files, table: contract.FileTable, how: Reading) -> None:
    """Raise `BadInput` where only some of the files are of this table: say an attendance file and a log."""
    columns = [name for name in table.required if name not in how.constants]
    fits = [all(_has(dialect.columns, name, how) for name in columns) for dialect in files.dialects]
    if any(fits) and not all(fits):
        others = [path.name for path, fit in zip(files.paths, fits, strict=True) if not fit]
        raise BadInput(
            f"Not all of the files are {table.name.replace('_', ' ')} tables: {', '.join(others[:5])} "
            "lack its columns. Name one file, or a glob of those that belong together."
        )


def columns_of(files: Files, how: Reading) -> set[str]:
    """Return the contract's names that the first file has, for telling shapes apart."""
    names = dict.fromkeys(name for table in contract.TABLES for name in table.names)
    columns = {name for name in names if _has(files.dialects[0].columns, name, how)}
    return columns | set(how.constants)


def _has(columns: Sequence[str], name: str, how: Reading) -> bool:
    return name_key(own_name(how.columns, name, columns)) in {name_key(column) for column in columns}


def _select(
    con: BaseBackend, dialect: Dialect, paths: Sequence[Path], table: contract.FileTable, how: Reading, whole: bool
) -> Table:
    mapping = {name: own for name, own in how.columns.items() if name in table.names}
    elsewhere = [name for name in ELSEWHERE if name not in table.required]
    columns = source_columns(dialect, table.names, mapping, how.constants, paths[0].name, elsewhere)
    contract.require_columns(table, {*columns, *how.constants}, paths[0].name, dialect.shown)
    rows, cells = on(con).rows(con, dialect, paths), {}
    if whole:
        # an engine only knows that it is more than 0 once it has read the row's every cell
        letters = functools.reduce(operator.add, (_letters(rows[name]) for name in rows.columns))
        rows = rows.filter(letters > 0)
    for column in table.columns:
        if column.name in how.constants:
            cells[column.name] = ibis.literal(how.constants[column.name])
        elif column.name in columns:
            cells[column.name] = _cell(rows, dialect, columns[column.name], column, paths[0].name, how)
        else:
            cells[column.name] = ibis.null("string")
    return rows.select(**cells)


# Columns of several tables that are read together, where a table of which it is no required column may lack the own
# name that another one has.
ELSEWHERE = ("district_code", "status")
# Text that may as well be stored as a number: it has no leading zeros to lose.
COUNTED = ("period",)


def require_somewhere(places: Sequence[Path], how: Reading) -> None:
    """Raise `BadInput` where no file of those read together has the own name of a column that some may lack."""
    dialects = [dialect for place in places for dialect in find(place).dialects]
    for name in (name for name in ELSEWHERE if name in how.columns):
        if not any(_has(dialect.columns, name, how) for dialect in dialects):
            own_names = dict.fromkeys(column for dialect in dialects for column in dialect.shown)
            own = own_name(how.columns, name, ())
            raise bad_value(
                f"column under columns: {name}", own, own_names, "Write the name as one of the files has it."
            )


def _cell(rows: Table, dialect: Dialect, source: str, column: FileColumn, file: str, how: Reading) -> Value:
    value, kind = rows[source], dialect.type_of(source)
    if column.kind == "text" and kind != "text" and column.name not in COUNTED:
        raise BadInput(
            f"{file}: {column.name} is stored as {kind}, not as text; a code that is a number has lost its leading "
            "zeros. Export it as text."
        )
    if dialect.kind == "delimited" or "text" in (kind, column.kind):
        return value.cast("string")
    zone = dialect.zone_of(source)
    if kind != "moment" or not zone:
        return value
    if zone.upper() in ("UTC", "+00:00", "Z") and not how.time_zone:
        raise BadInput(
            f"{file}: {column.name} holds instants in UTC, whose local date cannot be known. Say where they are meant "
            "by `time_zone:` in params/students.yml (America/New_York, say), or export dates."
        )
    place = zone if zone.upper() not in ("UTC", "+00:00", "Z") else how.time_zone
    return on(rows.get_backend()).local(value, place)


def _require_equal_types(files: Files, table: contract.FileTable, how: Reading) -> None:
    if files.kind != "parquet":
        return
    for column in table.names:
        types = {
            dialect.type_of(source): path.name
            for path, dialect in zip(files.paths, files.dialects, strict=True)
            if (source := column_of(dialect.columns, own_name(how.columns, column, dialect.columns), path.name))
        }
        types.pop("other", None)
        if len(types) > 1:
            kinds = ", ".join(f"{kind} in {file}" for kind, file in types.items())
            raise BadInput(
                f"The files store {column} in different ways: {kinds}. Export all of them as text, or alike."
            )


def lost_lines(con: BaseBackend, files: Files) -> dict[str, int]:
    """Return how many lines of text files are no row, by rule: they fit none, or are empty in every cell.

    No reader returns such lines; counting them is what keeps them from vanishing. What stands in them is never fetched.
    """
    if files.kind == "fixed":
        lines = on(con).lines(con, files.paths)
        blank = sealed("counting empty lines", lines.filter(_letters(lines.line) == 0).count().to_pyarrow).as_py()
        return {"empty_row": int(blank)} if blank else {}
    if files.kind != "delimited":
        return {}
    groups = files.groups().items()
    try:
        unparsed, empty = zip(*(on(con).lost(con, dialect, paths) for dialect, paths in groups), strict=True)
    except BadInput:
        if not (mixed := with_two_line_ends(files.paths)):
            raise
        raise BadInput(
            f"Lines of {', '.join(mixed[:5])} end in two ways, as where a file of Windows was joined with another one. "
            "Export it again as 'CSV UTF-8', or open it in an editor and save it with one kind of line end."
        ) from None
    counts = {"unparsed": sum(unparsed), "empty_row": sum(empty)}
    return {rule: lines for rule, lines in counts.items() if lines}


def _letters(cell: StringValue) -> IntegerValue:
    """Return how many letters a cell has, spaces at its ends aside."""
    return cell.strip().length().fill_null(0)


def _fixed_width(lines: Table, table: contract.FileTable) -> Table:
    starts = [sum(column.width for column in table.columns[:index]) for index in range(len(table.columns))]
    cells = {c.name: lines.line.substr(start, c.width) for c, start in zip(table.columns, starts, strict=True)}
    return lines.select(**cells)


# Name of a column that holds what was read of the text in another.
READ = "{name} as read"


def _plain(value: Value, column: FileColumn) -> Value:
    """Return text without the blanks around it, empty cells as nulls; a number or a date as it is stored."""
    kind = value.type()
    native = {"number": kind.is_numeric(), "month": kind.is_temporal(), "date": kind.is_temporal()}
    if native.get(column.kind, column.kind == "flag" and kind.is_boolean()):
        return value
    text = value.cast("string")
    blank = (text.left(1) <= " ") | (text.right(1) <= " ")  # to strip every cell takes as long as all else that is read
    return ibis.ifelse(blank, text.strip().nullif(""), text)


def _as_number(value: Value) -> Value:
    number = value.cast("float64") if value.type().is_numeric() else _plain_number(value).try_cast("float64")
    return ibis.ifelse(number.abs() <= LARGEST, number, ibis.null("float64"))


def _plain_number(text: StringValue) -> StringValue:
    """Return the text of a number, null where an engine alone would take it for one."""
    odd = ibis.ifelse(text.re_search(NUMBER), text, ibis.null("string"))
    usual = text.isin(tuple(map(str, range(32))))  # days of a month: what most are, and needs no pattern
    return ibis.ifelse(usual, text, odd)


def _as_date(value: Value) -> Value:
    if value.type().is_temporal():
        return value.cast("date")
    whole = ibis.ifelse(value.re_search(r"^[0-9]{4}-[0-9]{1,2}$"), value + "-01", value.re_extract(r"^[0-9-]+", 0))
    odd = ibis.ifelse(value.re_search(ISO_DATE), whole, ibis.null("string"))
    hyphens = (value.substr(4, 1) == "-") & (value.substr(7, 1) == "-")
    digits = (value >= "0") & (value.right(1) <= "9")
    usual = (value.length() == 10) & hyphens & digits  # what most are, and needs no pattern
    return ibis.ifelse(usual, value, odd).try_cast("date")


def _as_flag(value: Value) -> BooleanValue:
    if value.type().is_boolean():
        return value
    text = value.lower()
    return ibis.cases((text.isin(contract.TRUE), True), (text.isin(contract.FALSE), False), else_=ibis.null("boolean"))


def _as_grade(column: FileColumn, value: StringValue) -> StringValue:
    text = _translate(value.upper(), column.values)
    return ibis.ifelse(text.isin(tuple("123456789")), ibis.literal("0") + text, text)


def _as_choice(column: FileColumn, value: StringValue) -> StringValue:
    """Return a choice in the contract's spelling where capitals, spaces and hyphens are all that differs."""
    text = value.lower().re_replace(r"[\s-]+", "_")
    return _translate(text, column.values)


def _convert(column: FileColumn, value: Value, own: Mapping[str, str]) -> Value:
    if column.kind == "number":
        return _as_number(value)
    if column.kind == "month":
        return _as_date(value).truncate("M")
    if column.kind == "date":
        return _as_date(value)
    if column.kind == "flag":
        return _as_flag(_translate(value.cast("string"), own) if own else value)
    text = ibis.ifelse(value.length() > contract.LONGEST, ibis.null("string"), value)
    if column.name in DESCRIBED:
        text = ibis.ifelse(text.startswith("uri://"), text.re_replace(DESCRIPTOR, ""), text)
    text = _translate(text, own)
    if column.name == "grade":
        return _as_grade(column, text)
    if column.name == "supports":
        return text.lower().re_replace(r"\s*[;,]\s*", ";").re_replace(r"[\s-]+", "_")
    return _as_choice(column, text) if column.allowed else text


def _translate(text: StringValue, pairs: Mapping[str, str]) -> StringValue:
    """Return the text, or what stands for it in `pairs` whatever its capitals; of an empty cell the pair of ``""``."""
    translations = {contract.as_found(theirs): ours for theirs, ours in pairs.items()}
    if "" in translations:
        text = text.fill_null(translations.pop(""))
    if not translations:
        return text
    translation = ibis.cases(*((text.lower() == theirs, ours) for theirs, ours in translations.items()), else_=text)
    # most cells need no translation: found at one look
    return ibis.ifelse(text.lower().isin(tuple(translations)), translation, text)


def _any(flags: Sequence[BooleanValue]) -> BooleanValue:
    return functools.reduce(operator.or_, flags, ibis.literal(False))


def typed(raw: Table, table: contract.FileTable, how: Reading) -> Table:
    """Return the table in the contract's types, with two marks per row and no cell that fails loudly.

    `suppressed` says that a number is a sign such as ``*`` or ``<5``; `unreadable` that a required cell is empty or
    that a filled cell is not of its kind. Rules count both; neither becomes zero or a silent gap.
    """
    rows = _read(raw, table, how)
    unreadable, suppressed = zip(*(_marks(rows, column) for column in table.columns), strict=True)
    cells = {c.name: rows[READ.format(name=c.name)] for c in table.columns}
    return rows.select(**cells, unreadable=_any(unreadable), suppressed=_any(suppressed))


def _read(raw: Table, table: contract.FileTable, how: Reading) -> Table:
    """Return each column as its text, and beside it as what was read of it."""
    # each a relation of its own: in one, an engine reads a cell again for every mark that asks for it
    texts = raw.select(**{c.name: _plain(raw[c.name], c) for c in table.columns}).view()
    read = {c.name: _convert(c, texts[c.name], how.values.get(c.name, {})) for c in table.columns}
    return texts.mutate(**{READ.format(name=name): value for name, value in read.items()}).view()


def _marks(rows: Table, column: FileColumn) -> tuple[BooleanValue, BooleanValue]:
    """Return whether a cell of a column is unreadable, and whether it is a sign for a number that is not shown."""
    text, missing = rows[column.name], rows[READ.format(name=column.name)].isnull()
    hidden = ibis.literal(False)
    if column.kind == "number" and text.type().is_string():
        hidden = ibis.ifelse(missing & text.notnull(), text.re_search(SUPPRESSED), False).fill_null(False)
        missing = missing & ~hidden
    is_required = column.required and column.name != "student" and column.kind != "text"
    return missing if is_required else missing & text.notnull(), hidden


def unread_columns(con: BaseBackend, path: Path | str, table: contract.FileTable, how: Reading) -> dict[str, int]:
    """Return in which columns cells cannot be read, and how many, for who must mend them; no cell is fetched."""
    rows = _read(scan(con, find(path), table, how), table, how)
    counts = rows.aggregate(**{column.name: _marks(rows, column)[0].sum() for column in table.columns})
    unread = sealed("looking for cells that cannot be read", counts.to_pyarrow).to_pylist()[0]
    return {name: int(count) for name, count in unread.items() if count}
