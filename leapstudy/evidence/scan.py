"""The last look before publishing: read every built file and name those in which a student's id stands."""

import base64
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from leapstudy.core.errors import BadInput
from leapstudy.students.guard import holds_key, holds_pseudonym

ARCHIVE = b"PK\x03\x04"
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
PNG = b"\x89PNG\r\n\x1a\n"
PDF = b"%PDF-"
STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
ENCODED = re.compile(r"[A-Za-z0-9+/]{12,}={0,2}")
WORD = re.compile(r"(?<![0-9A-Za-z])(?<![0-9]\.)[0-9A-Za-z]+")
"""A word; the digits behind a decimal point are none."""
DEEPEST = 4
"""Archives inside archives and texts inside texts that are opened; what is packed deeper counts as unreadable."""


@dataclass(frozen=True, slots=True)
class ScanReport:
    """Names of the files that hold a student's id, and how many files were read."""

    files_read: int
    leaking: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether no file holds an id; the command exits with 1 otherwise."""
        return not self.leaking

    def text(self) -> str:
        """Name the files, never the ids."""
        if self.ok:
            return f"No student id in {self.files_read} files."
        return f"{len(self.leaking)} of {self.files_read} files hold a student's id, or cannot be read: " + ", ".join(
            self.leaking
        )


def holds_student(content: bytes, ids: Collection[str] = frozenset(), depth: int = DEEPEST) -> bool:
    """Say whether bytes hold a pseudonym or one of `ids` as a word, also where base64, UTF-16, archives hide it."""
    return any(_names(text, ids, depth) for text in _texts(content)) or any(
        holds_student(part, ids, max(depth - 1, 0)) for part in _parts(content, depth)
    )


def _plain(word: str) -> str:
    """Return a student's number without what a program changes: capital letters, zeros in front."""
    return word.casefold().lstrip("0")


def _names(text: str, ids: Collection[str], depth: int) -> bool:
    if holds_pseudonym(text) or holds_key(text):
        return True
    if ids and not frozenset(map(_plain, WORD.findall(text))).isdisjoint(ids):
        return True
    if depth == 0:
        return False
    return any(holds_student(_decoded(found), ids, 0) for found in ENCODED.findall(text))


def _texts(content: bytes) -> Iterable[str]:
    """Return the bytes as text in every encoding in which an id could stand."""
    yield content.decode("latin-1")
    if b"\x00" in content:
        yield from (
            content[start:].decode(code, errors="ignore") for code in ("utf-16-le", "utf-16-be") for start in (0, 1)
        )


def _decoded(text: str) -> bytes:
    whole = text.rstrip("=")
    whole = whole[: len(whole) // 4 * 4 + (len(whole) % 4 if len(whole) % 4 != 1 else 0)]
    return base64.b64decode(whole + "=" * (-len(whole) % 4))


def _parts(content: bytes, depth: int) -> Iterable[bytes]:
    """Return what is packed in the content.

    Raises
    ------
    Unreadable
        If it is packed too deep or broken, so that nobody can say what is in it.
    """
    if content.startswith(PDF):
        yield from _pdf_streams(content)
    if content.startswith(PNG):
        yield from _png_texts(content)
    if not content.startswith((ARCHIVE, GZIP, PARQUET)):
        return
    if depth == 0:
        raise Unreadable
    try:
        if content.startswith(GZIP):
            yield gzip.decompress(content)
        elif content.startswith(ARCHIVE):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                yield "\n".join(archive.namelist()).encode("utf-8")
                yield from (archive.read(name) for name in archive.namelist())
        else:
            import pyarrow.parquet as pq  # only where a parquet file was written

            table = pq.read_table(io.BytesIO(content))
            yield "\n".join(str(value) for column in table.columns for value in column.to_pylist()).encode("utf-8")
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError):
        raise Unreadable from None


def _pdf_streams(content: bytes) -> Iterable[bytes]:
    """Return the compressed streams of a PDF; others stand in its bytes as they are, or are pictures."""
    for stream in STREAM.findall(content):
        with suppress(zlib.error):
            yield zlib.decompressobj().decompress(stream)


def _png_texts(content: bytes) -> Iterable[bytes]:
    """Return the compressed text chunks of a picture."""
    place = len(PNG)
    while place + 8 <= len(content):
        size, kind = int.from_bytes(content[place : place + 4]), content[place + 4 : place + 8]
        data = content[place + 8 : place + 8 + size]
        if kind in (b"zTXt", b"iTXt"):
            packed = data.partition(b"\0")[2]
            packed = packed[1:] if kind == b"zTXt" else packed[2:].split(b"\0", 2)[-1]
            with suppress(zlib.error):  # an iTXt that is not compressed stands in the bytes as it is
                yield zlib.decompress(packed)
        place += size + 12


class Unreadable(Exception):
    """A file that cannot be opened to its last byte."""


def _leaks(file: Path, name: str, ids: frozenset[str]) -> bool:
    """Say whether a file or its name holds an id; what cannot be read counts as holding one."""
    try:
        return holds_student(name.encode("utf-8", "surrogateescape"), ids) or holds_student(file.read_bytes(), ids)
    except (Unreadable, OSError):
        return True


def scan_folder(folder: Path, raw_ids: Iterable[str] = ()) -> ScanReport:
    """Read every byte of every file under `folder`, and the files' names; archives, gzip and parquet are opened.

    What cannot be read to its end is named like a leak. What a picture shows, what a PDF writes with a font's own
    numbers of letters, and what a user encodes on purpose is not seen.

    Parameters
    ----------
    folder
        What is about to be published.
    raw_ids
        The state's own numbers, where they are at hand, found also in other letters (capital or small) or without the
        zeros in front; pseudonyms and the key are found without.

    Raises
    ------
    BadInput
        If there is no such folder.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {str(folder)!r} to scan.")
    ids = frozenset(map(_plain, raw_ids))
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    names = {file: file.relative_to(folder).as_posix() for file in files}
    leaking = tuple(names[file] for file in files if _leaks(file, names[file], ids))
    return ScanReport(len(files), leaking)
