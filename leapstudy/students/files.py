"""Which files there are, how their cells are separated and what their columns are called, read before any row is.

Only the first line of a text file and the schema of a parquet file are looked at. A first line that does not look like
a header is never shown: it may be a student's row.
"""

import csv
import gzip
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from leapstudy.core.errors import BadInput, bad_value

PARQUET, DELIMITED, FIXED = ".parquet", (".csv", ".tsv", ".csv.gz", ".tsv.gz"), (".txt", ".dat")
FORMATS = (PARQUET, *DELIMITED, *FIXED)
DELIMITERS = (",", ";", "\t", "|")
# What a column name looks like: it begins with a letter, or with the sign of ``# Days`` or ``% Present``.
NAME = re.compile(r"[#%*]?\s?[^\W\d_][\w\s.()/%#&'’*?°-]{0,60}")

# What may name a column and is not shown: a form's question, or ``Contact: State ID``; no date, no number.
QUESTION = re.compile(r"[#%*]?\s?[^\W\d_].{0,499}", re.DOTALL)

# How a column without a name is called, such as an index, or the end of lines that all end in a delimiter.
UNNAMED = "column {} without a name"

# What a header says of some column and a row of a student does not: words such as names of persons could be either.
OF_HEADERS = re.compile(r"(^|[^a-z])id\b|(?-i:[a-z]I[Dd])\b|student|date|days|month|membership|code\b", re.IGNORECASE)

# A run of digits that belongs to an id rather than to a name; a year may stand in a name.
LONG_DIGITS = re.compile(r"\d{5}")

LINE_END, QUOTED = re.compile(r"\r\n|\n|\r"), re.compile(r'"[^"]*"')
# What Excel writes above a header, to tell itself the separator.
SEPARATOR_LINE = re.compile(r"\s*\"?sep=.?\"?\s*", re.IGNORECASE)

FIRST_BYTES, NEXT_ROWS = 65_536, 20
# What is written for a byte that is no UTF-8.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

SHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
SHEET = " A spreadsheet is read once it is saved as 'CSV UTF-8', codes and ids as text."


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one file is written: its kind, its delimiter (text only), its columns, and the engine's type of each.

    `confirmed` says that the first line is a header: the next ones fit it as rows do, and it says what such a file has;
    else no column name is shown. `ending` is how its lines end where a column's name has several lines, else empty: the
    engine would take the first end of a line in that name for it.
    """

    kind: str
    delimiter: str
    columns: tuple[str, ...]
    types: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    confirmed: bool = True
    ending: str = ""

    @property
    def shown(self) -> tuple[str, ...]:
        """The column names that may be shown: they look like names and stand in a header."""
        return tuple(name for name in self.columns if self.confirmed and looks_like_name(name))

    def type_of(self, column: str) -> str:
        """Return the class of a column's type: text, number, flag, moment or other."""
        return self.types[self.columns.index(column)] if self.types else "text"

    def zone_of(self, column: str) -> str:
        """Return the time zone that a column of instants names, empty where it names none."""
        return self.zones[self.columns.index(column)] if self.zones else ""


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one input, in order of name, each with its dialect; `left_out` are names of files that were not
    read.
    """

    paths: tuple[Path, ...]
    dialects: tuple[Dialect, ...]
    left_out: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Kind of the files: parquet, delimited or fixed."""
        return self.dialects[0].kind

    def groups(self) -> dict[Dialect, list[Path]]:
        """Return the files by dialect, so that equal ones are read together."""
        by_dialect: dict[Dialect, list[Path]] = {}
        for path, dialect in zip(self.paths, self.dialects, strict=True):
            by_dialect.setdefault(dialect, []).append(path)
        return by_dialect


def find(path: Path | str) -> Files:
    """Return the files at `path`: a file, a folder (with the folders in it) or a glob.

    Raises
    ------
    BadInput
        If there are none, they differ in kind, or one has no header line.
    """
    place = Path(path).expanduser().absolute()
    entries = _entries(place)
    files = [name for name in entries if name.is_file()]
    data_files = [name for name in files if _ending(name)]
    if dead := [name.name for name in entries if _ending(name) and not (name.is_file() or name.is_dir())]:
        raise BadInput(f"{_name_list(dead)} at {str(place)!r} cannot be read: a link to nothing, or no file.")
    if not data_files:
        others = f" What is there: {_name_list(name.name for name in files)}." if files else ""
        others += SHEET if any(name.suffix.lower() in SHEETS for name in files) else ""
        raise BadInput(
            f"No data file at {str(place)!r}. Give a file, a folder or a glob of {', '.join(FORMATS)}.{others} "
            f"`leapstudy simulate students.parquet` makes one to try."
        )
    if len({kind_of(name) for name in data_files}) > 1:
        raise BadInput(
            f"The files at {str(place)!r} are of several kinds: {_name_list(name.name for name in data_files)}. "
            "Give a glob such as '*.parquet'."
        )
    allow_open_files(len(data_files))
    folders = [name for name in entries if name.is_symlink() and name.is_dir()]  # what lies in it is not gone through
    left_out = tuple(name.name for name in [*(name for name in files if not _ending(name)), *folders])
    return Files(tuple(data_files), tuple(dialect_of(name) for name in data_files), left_out)


def _entries(place: Path) -> list[Path]:
    """Return what is at a file, a folder (with the folders in it) or a glob, in order of name; nothing hidden is."""
    if place.is_file():
        return [place]
    folder, pattern = (place, "**/*") if place.is_dir() else (place.parent, place.name)
    names = folder.glob(pattern)
    return sorted(name for name in names if not any(part.startswith(".") for part in name.relative_to(folder).parts))


def _name_list(names: Iterable[str], most: int = 8) -> str:
    items = list(names)
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")


def _ending(path: Path) -> str:
    return next((ending for ending in FORMATS if path.name.lower().endswith(ending)), "")


def kind_of(path: Path) -> str:
    """Return `parquet`, `delimited` or `fixed` by a file's ending, and of a .txt by its first line.

    Raises
    ------
    BadInput
        If a .txt cannot be read.
    """
    ending = _ending(path)
    if ending not in FIXED:
        return "parquet" if ending == PARQUET else "delimited"
    _, names, _ = _first_rows(_start(path))
    return "delimited" if len(names) > 1 and _is_header(names) else "fixed"


def allow_open_files(count: int) -> None:
    """Raise this process's limit of open files where many are to be read at once.

    Raises
    ------
    BadInput
        If the system allows fewer.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = count + 128
    if soft != resource.RLIM_INFINITY and soft < need:
        if hard != resource.RLIM_INFINITY and hard < need:
            raise BadInput(
                f"{count} files are to be read and this system allows {hard} open files. Join them, or raise `ulimit "
                f"-n`."
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))


def dialect_of(path: Path) -> Dialect:
    """Return how one file is written.

    Raises
    ------
    BadInput
        If a parquet file is broken, or a text file has no header line or another encoding than UTF-8.
    """
    kind = kind_of(path)
    if kind == "parquet":
        return _parquet(path)
    if kind == "fixed":
        return Dialect("fixed", "", ())
    start = _start(path)
    delimiter, names, rows = _first_rows(start)
    columns = _header(names, path.name)
    is_header = len(names) > 1 and all(names) and all(len(row) == len(names) for row in rows)
    below = any(cell and not looks_like_name(cell.strip()) for row in rows[:1] for cell in row)
    has_header_word = any(map(OF_HEADERS.search, names))
    match = LINE_END.search(QUOTED.sub("", start)) if any(map(LINE_END.search, names)) else None
    ending = match[0] if match else ""
    return Dialect("delimited", delimiter, columns, confirmed=is_header and below and has_header_word, ending=ending)


def _parquet(path: Path) -> Dialect:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError):
        schema = None
    if schema is None:
        raise BadInput(f"{path.name} is no parquet file, or it is cut off. Export it again.")
    _require_own_names(schema.names, path.name)
    zones = tuple(getattr(field.type, "tz", None) or "" for field in schema)
    return Dialect("parquet", "", tuple(schema.names), tuple(_class(field.type) for field in schema), zones)


def _class(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _class(kind.value_type)
    if pa.types.is_boolean(kind):
        return "flag"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "moment"
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    return "text" if any(is_one(kind) for is_one in text) else "other"


def _first_rows(text: str) -> tuple[str, list[str], list[list[str]]]:
    """Return a text's delimiter, its first row, and the next ones that are not blank; a cell may have several lines."""
    readers = {sign: csv.reader(io.StringIO(text, newline=""), delimiter=sign) for sign in DELIMITERS}
    first = {sign: next(reader, []) for sign, reader in readers.items()}
    delimiter = max(DELIMITERS, key=lambda sign: len(first[sign]))
    return (
        delimiter,
        [name.strip() for name in first[delimiter]],
        [*filter(None, islice(readers[delimiter], NEXT_ROWS))],
    )


def _header(names: Sequence[str], file: str) -> tuple[str, ...]:
    """Return a text file's column names from its first row, which `BadInput` never shows where it is no header."""
    if not _is_header(names):
        raise BadInput(
            f"The first line of {file} does not look like a header: {len(names)} columns, of which "
            f"{sum(map(_may_name, names))} could be names. Is the header line missing? "
            "Add one with the columns' names; what stands there is not shown, since it may be a student's row."
        )
    columns = tuple(name or UNNAMED.format(number) for number, name in enumerate(names, 1))
    _require_own_names(columns, file)
    return columns


def _is_header(names: Sequence[str]) -> bool:
    """Say whether a row may be a header: every cell of it that is not empty may name a column."""
    return any(names) and all(map(_may_name, filter(None, names)))


def _may_name(text: str) -> bool:
    return bool(QUESTION.fullmatch(unicodedata.normalize("NFC", text))) and not LONG_DIGITS.search(text)


def _require_own_names(names: Sequence[str], file: str) -> None:
    """Raise `BadInput` where engines, to which capital letters make no difference, take two names for one."""
    if len({name.casefold() for name in names}) < len(names):
        raise BadInput(f"{file} has two columns of one name. Give each column its own.")


def looks_like_name(text: str) -> bool:
    """Say whether a text may be a column's name and so may be shown: no number, no date, no id."""
    whole = unicodedata.normalize("NFC", text)
    return bool(NAME.fullmatch(whole)) and not LONG_DIGITS.search(whole)


def _start(path: Path) -> str:
    """Return the beginning of a text file; `BadInput` where it is empty or its first line is not UTF-8."""
    try:
        with _opened(path) as file:
            start = file.read(FIRST_BYTES)
    except (OSError, EOFError):
        start = b""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
        raise BadInput(f"{path.name} is not written in UTF-8 (it looks like UTF-16). Export it as 'CSV UTF-8'.")
    text = start.decode("utf-8-sig", errors="replace")
    first = re.split(r"[\r\n]", text.lstrip(), maxsplit=1)[0]
    if not first.strip() or REPLACEMENT in first:
        raise BadInput(
            f"{path.name} is empty, cannot be opened, or its first line is not UTF-8. Export it as 'CSV UTF-8'."
        )
    if SEPARATOR_LINE.fullmatch(first):
        raise BadInput(
            f"{path.name} begins with a line that tells its separator (sep=), which spreadsheets write for themselves. "
            "Delete that line, so that the first one holds the columns' names, or export the file as 'CSV UTF-8'."
        )
    return text[: text.rfind("\n")] if len(start) == FIRST_BYTES else text


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")  # type: ignore[return-value]


def with_two_line_ends(paths: Sequence[Path]) -> list[str]:
    """Return the names of text files of which some lines end as on Windows and others do not."""
    two_ended = []
    for path in paths:
        with _opened(path) as file:
            ends = {line.endswith(b"\r\n") for line in file if line.endswith(b"\n")}
        two_ended += [path.name] if len(ends) > 1 else []
    return two_ended


# How a column is called in one's own files: one name, or one for each kind of file.
Own = str | Sequence[str]


def own_name(mapping: Mapping[str, Own], name: str, columns: Sequence[str]) -> str:
    """Return how a column of the contract is called in a file: the first name given that it has, else the first."""
    own_names = mapping.get(name, name)
    names, keys = [own_names] if isinstance(own_names, str) else own_names, {name_key(column) for column in columns}
    return next((own for own in names if name_key(own) in keys), names[0])


def source_columns(
    dialect: Dialect,
    names: Sequence[str],
    mapping: Mapping[str, Own],
    constants: Mapping[str, str],
    file: str,
    spared: Sequence[str] = (),
) -> dict[str, str]:
    """Return the contract's name -> the file's column, for those of `names` that the file has.

    A column is found under the name that `mapping` gives, else under the contract's own; capital letters, spaces and
    hyphens make no difference. Constants are not looked for; those of `spared` may be missing under the name that is
    given, and are found under the contract's own then.

    Raises
    ------
    BadInput
        If a mapped column is not there.
    """
    columns_of = {}
    for name in names:
        if name in constants:
            continue
        own = own_name(mapping, name, dialect.columns)
        column = column_of(dialect.columns, own, file)
        if column is None and name in spared:
            column = column_of(dialect.columns, name, file)
        if name in mapping and name not in spared and column is None:
            raise bad_value(
                f"column of {file} under columns: {name}",
                own,
                dialect.shown,
                f"Write the name as the file has it; where files differ, all names: {name}: [one, other].",
            )
        if column is not None:
            columns_of[name] = column
    return columns_of


def column_of(columns: Sequence[str], own: str, file: str) -> str | None:
    """Return the column that is called so, or by a name that differs in nothing that counts.

    Raises
    ------
    BadInput
        If there are two of the latter, and which is meant cannot be known.
    """
    alike = [column for column in columns if name_key(column) == name_key(own)]
    if own in alike or not alike:
        return own if alike else None
    if len(alike) > 1:
        raise BadInput(
            f"{file} has {len(alike)} columns that could be {own!r}: their names differ in capital letters, spaces and "
            "signs only. Give each column its own name."
        )
    return alike[0]


def name_key(name: str) -> str:
    """Return a column's name without what makes no difference: capital letters, spaces, hyphens, kinds of accents."""
    return re.sub(r"[\W_]+", "_", unicodedata.normalize("NFC", name).strip().casefold())


def is_simulated(path: Path | str) -> bool:
    """Say whether any parquet file at `path` (a file, a folder or a glob) carries the mark SIMULATED."""
    schemas = [pq.read_schema(file) for file in _entries(Path(path)) if file.is_file() and _ending(file) == PARQUET]
    return any((schema.metadata or {}).get(b"leapstudy") == b"SIMULATED" for schema in schemas)
