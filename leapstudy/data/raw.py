"""The figures as published: read after their checksums have been compared, replaced on purpose, compared cell by cell.

Who replaces a pinned file writes the new bytes, their hash, and a record of every cell that moved.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_bytes, write_bytes_atomic, write_text_atomic
from leapstudy.core.parameter_file import read_text
from leapstudy.core.phrases import capital
from leapstudy.data.schema import parse
from leapstudy.data.tables import Code, PublishedTable

# Names that no published column has.
COLUMN, CELL = "__column__", "__cell__"
KINDS = ("changed", "added", "vanished", "rewritten")
SUMS = "SHA256SUMS"
SUM = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>\S.*)")
RECORD = "EDITIONS.md"
HEAD = f"""# Editions

Every time that a file of this folder was replaced. The cells that moved, old and new, are in `editions/`.

| when | file | from | old SHA-256 | new SHA-256 | {" | ".join(KINDS)} |
|---|---|---|---|---|{"---|" * len(KINDS)}
"""


@dataclass(frozen=True, slots=True)
class Differences:
    """What a new edition moved.

    Attributes
    ----------
    cells : DataFrame
        kind, the key's columns, column, old, new: one row a cell whose text differs. `kind` is 'changed',
        'added' (a new row or column, or a cell that was blank), 'vanished', or 'rewritten' (the same number as before,
        written otherwise).
    same : int
        Cells that are the same text in both.
    """

    cells: pd.DataFrame
    same: int

    def count(self, kind: str) -> int:
        """Return how many cells are of one kind."""
        return int((self.cells["kind"] == kind).sum())

    @property
    def counts(self) -> str:
        """The counts of every kind as a sentence."""
        counts = ", ".join(f"{self.count(kind):,} {kind}" for kind in KINDS)
        return f"{self.same:,} cells are the same, {counts}"


def differences(old: pd.DataFrame, new: pd.DataFrame, key: Sequence[str]) -> Differences:
    """Compare two tables of text by key.

    Parameters
    ----------
    old, new
        Cells as text, blanks as empty strings; columns as published.
    key
        The columns that name a row, in both tables.

    Raises
    ------
    BadInput
        If a key column is missing, or names more than one row.

    Examples
    --------
    >>> old = pd.DataFrame({"code": ["01", "02"], "rate": ["0.90", "0.8"]})
    >>> new = pd.DataFrame({"code": ["01", "03"], "rate": ["0.9", "0.7"]})
    >>> print(differences(old, new, ["code"]).counts)
    0 cells are the same, 0 changed, 1 added, 1 vanished, 1 rewritten
    """
    sides = [_cells(frame, list(key), name) for name, frame in (("the pinned table", old), ("the new one", new))]
    both = pd.merge(*sides, on=[*key, COLUMN], how="outer", suffixes=("old", "new"))
    both = both.set_axis([*key, "column", "old", "new"], axis=1).fillna({"old": "", "new": ""})
    changes = both[both["old"] != both["new"]]
    kinds = [_kind(*pair) for pair in zip(changes["old"], changes["new"], strict=True)]
    cells = changes.assign(kind=pd.Series(kinds, index=changes.index, dtype="str"))[
        ["kind", *key, "column", "old", "new"]
    ]
    return Differences(cells.reset_index(drop=True), len(both) - len(changes))


def _cells(frame: pd.DataFrame, key: list[str], name: str) -> pd.DataFrame:
    """Return one row a cell that is not blank."""
    missing = [column for column in key if column not in frame]
    if missing:
        raise BadInput(f"{capital(name)} has no column {', '.join(missing)}; it has {', '.join(frame.columns)}.")
    duplicates = frame[frame.duplicated(key)]
    if len(duplicates):
        raise BadInput(f"In {name} {len(duplicates)} rows repeat a key {tuple(duplicates.iloc[0][key])}.")
    long = frame.melt(key, var_name=COLUMN, value_name=CELL)
    return long[long[CELL] != ""]


def _kind(old: str, new: str) -> str:
    if not old:
        return "added"
    if not new:
        return "vanished"
    numbers = [pd.to_numeric(cell, errors="coerce") for cell in (old, new)]
    return "rewritten" if numbers[0] == numbers[1] else "changed"


def with_rows(old: pd.DataFrame, new: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Return the old table with the new one's rows: the same key takes the new row, the others are appended in order.

    Raises
    ------
    BadInput
        If the columns are not the same.
    """
    if list(old.columns) != list(new.columns):
        raise BadInput(
            f"The new rows have the columns {', '.join(new.columns)}; the table has {', '.join(old.columns)}. "
            "They must be the same to be added."
        )
    names = list(key)
    is_only_old = old.merge(new[names], on=names, how="left", indicator=True)["_merge"].to_numpy() == "left_only"
    return pd.concat([old[is_only_old], new], ignore_index=True)


def checksums(folder: Path) -> dict[str, str]:
    """Return file name -> SHA-256 as written in the folder's `SHA256SUMS`.

    Raises
    ------
    BadInput
        If the list is missing, or the folder holds a csv file that the list does not name.
    """
    sums = listed(folder)
    strangers = sorted(path.name for path in folder.glob("*.csv") if path.name not in sums)
    if strangers:
        raise BadInput(
            f"{folder.name} holds {', '.join(strangers)}, which {SUMS} does not name. Add its checksum or remove it."
        )
    return sums


def listed(folder: Path) -> dict[str, str]:
    """Return file name -> SHA-256 as written in the folder's `SHA256SUMS`, whatever else lies there.

    Raises
    ------
    BadInput
        If the list is missing, or a line of it is none.
    """
    listing = folder / SUMS
    if not listing.is_file():
        raise BadInput(f"{folder.name}/{SUMS} is missing. Restore data/raw/ from version control.")
    lines = [line for line in read_text(listing).splitlines() if line.strip()]
    if faults := [number for number, line in enumerate(lines, 1) if not SUM.fullmatch(line)]:
        raise BadInput(
            f"{folder.name}/{SUMS}, line {faults[0]}: not a SHA-256 and a file name. Write it with `sha256sum *.csv`."
        )
    return {match["name"]: match["digest"] for line in lines if (match := SUM.fullmatch(line))}


def read_bytes(raw: Path, file: str) -> tuple[bytes, str]:
    """Return a raw file's bytes and their SHA-256.

    Raises
    ------
    BadInput
        If the file is missing or a byte of it differs from what `SHA256SUMS` says.
    """
    path = raw / file
    expected = checksums(path.parent).get(path.name)
    if expected is None or not path.is_file():
        raise BadInput(f"data/raw/{file} is missing. Restore data/raw/ from version control.")
    content = path.read_bytes()
    digest = sha256_bytes(content)
    if digest != expected:
        raise BadInput(
            f"data/raw/{file} was changed: its SHA-256 is {digest[:12]}... and {SUMS} says {expected[:12]}... "
            "Raw figures are read-only: restore the file from version control, or renew SHA256SUMS if the source did "
            "change."
        )
    return content, digest


def as_text(content: bytes, file: str) -> pd.DataFrame:
    """Return a csv file's cells as text; blanks stay empty strings and no code loses its zeros.

    Raises
    ------
    BadInput
        If the bytes are no table of text; `file` is named.
    """
    try:
        return pd.read_csv(BytesIO(content), dtype="str", keep_default_na=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"{file} is not CSV in UTF-8 ({reason}). Save it again as CSV in UTF-8.") from None


# Tables as they were parsed last, with their declarations.
_PARSED: dict[tuple[str, str], tuple[PublishedTable, Code, pd.DataFrame]] = {}
MOST_PARSED = 16


def read_table(raw: Path, table: PublishedTable, code: Code) -> tuple[pd.DataFrame, str]:
    """Return a verified and validated table with the study's names, and its SHA-256.

    What a file holds is parsed once for each declaration: another parameter of the study asks for it again.
    """
    content, digest = read_bytes(raw, table.file)
    kept = _PARSED.pop((table.name, digest), None)
    if kept is None or kept[:2] != (table, code):
        kept = table, code, parse(table, as_text(content, table.file), code)
    _PARSED[table.name, digest] = kept
    for oldest in list(_PARSED)[:-MOST_PARSED]:
        _PARSED.pop(oldest, None)
    return kept[2].copy(deep=False), digest


@dataclass(frozen=True, slots=True)
class Replacement:
    """One replacement of a pinned file: what it was made from, when, and what it moved."""

    origin: str
    when: str
    moved: Differences


def replace_pinned(folder: Path, name: str, content: bytes, replacement: Replacement) -> Path:
    """Write a new edition of a file below `data/raw/`, renew its checksum, and return the list of moved cells.

    Parameters
    ----------
    folder
        The source's folder.
    name
        The file's name there.
    content
        Its new bytes.
    replacement
        Where they are from, when they were taken, and what they moved.
    """
    old, new = checksums(folder)[name], sha256_bytes(content)
    listing = folder / "editions" / f"{Path(name).stem}_{old[:12]}_{new[:12]}.csv"
    write_bytes_atomic(listing, as_csv(replacement.moved.cells))
    counts = " | ".join(f"{replacement.moved.count(kind):,}" for kind in KINDS)
    record = folder / RECORD
    text = record.read_text(encoding="utf-8") if record.is_file() else HEAD
    write_text_atomic(
        record, f"{text}| {replacement.when} | {name} | {replacement.origin} | {old} | {new} | {counts} |\n"
    )
    write_bytes_atomic(folder / name, content)
    pin(folder, {name: new})
    return listing


def pin(folder: Path, digests: dict[str, str]) -> None:
    """Write or renew lines of the folder's `SHA256SUMS`; the others stay."""
    sums = listed(folder) if (folder / SUMS).is_file() else {}
    lines = [f"{digest}  {name}\n" for name, digest in sorted({**sums, **digests}.items())]
    write_text_atomic(folder / SUMS, "".join(lines))


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return a table of text as CSV in UTF-8."""
    return frame.to_csv(index=False, lineterminator="\n").encode("utf-8")
