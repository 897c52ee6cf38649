"""The figures as published: read after their checksums have been compared, and replaced only on purpose.

Who replaces a pinned file writes the new bytes, their hash, and a record of every cell that moved.
"""

import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_bytes, write_bytes_atomic, write_text_atomic
from leapstudy.core.parameter_file import read_text
from leapstudy.data.differences import KINDS, Differences
from leapstudy.data.schema import parse
from leapstudy.data.tables import Code, PublishedTable

SUMS = "SHA256SUMS"
SUM = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>\S.*)")
RECORD = "EDITIONS.md"
HEAD = f"""# Editions

Every time that a file of this folder was replaced. The cells that moved, old and new, are in `editions/`.

| when | file | from | old SHA-256 | new SHA-256 | {" | ".join(KINDS)} |
|---|---|---|---|---|{"---|" * len(KINDS)}
"""


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


def read_table(raw: Path, table: PublishedTable, code: Code) -> tuple[pd.DataFrame, str]:
    """Return a verified and validated table with the study's names, and its SHA-256."""
    content, digest = read_bytes(raw, table.file)
    return parse(table, as_text(content, table.file), code), digest


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
