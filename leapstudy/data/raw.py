"""Reading the figures as published, after their checksums have been compared."""

import re
from io import BytesIO
from pathlib import Path

import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_bytes
from leapstudy.core.parameter_file import read_text
from leapstudy.data.schema import parse
from leapstudy.data.tables import Code, Table

SUMS = "SHA256SUMS"
SUM = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>\S.*)")


def checksums(folder: Path) -> dict[str, str]:
    """Return file name -> SHA-256 as written in the folder's `SHA256SUMS`.

    Raises
    ------
    BadInput
        If the list is missing, or the folder holds a csv file that the list does not name.
    """
    sums = listed(folder)
    unlisted = sorted(path.name for path in folder.glob("*.csv") if path.name not in sums)
    if unlisted:
        raise BadInput(
            f"{folder.name} holds {', '.join(unlisted)}, which {SUMS} does not name. Add its checksum or remove it."
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
    if broken := [number for number, line in enumerate(lines, 1) if not SUM.fullmatch(line)]:
        raise BadInput(
            f"{folder.name}/{SUMS}, line {broken[0]}: not a SHA-256 and a file name. Write it with `sha256sum *.csv`."
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
    found = sha256_bytes(content)
    if found != expected:
        raise BadInput(
            f"data/raw/{file} was changed: its SHA-256 is {found[:12]}... and {SUMS} says {expected[:12]}... "
            "Raw figures are read-only: restore the file from version control, or renew SHA256SUMS if the source did "
            "change."
        )
    return content, found


def as_text(content: bytes) -> pd.DataFrame:
    """Return a csv file's cells as text; blanks stay empty strings and no code loses its zeros.

    Raises
    ------
    BadInput
        If the bytes are no table of text.
    """
    try:
        return pd.read_csv(BytesIO(content), dtype="str", keep_default_na=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"A table of data/raw/ is not CSV in UTF-8 ({reason}). Save it again as CSV in UTF-8.") from None


def read_table(raw: Path, table: Table, code: Code) -> tuple[pd.DataFrame, str]:
    """Return a verified and validated table with the study's names, and its SHA-256."""
    content, digest = read_bytes(raw, table.file)
    return parse(table, as_text(content), code), digest
