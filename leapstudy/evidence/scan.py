"""The last look before publishing: read every built file and name those in which a student's id stands."""

import base64
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.students.guard import holds_key, holds_pseudonym

ARCHIVE = b"PK\x03\x04"
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
PNG = b"\x89PNG\r\n\x1a\n"
PDF = b"%PDF-"
PACKED = (ARCHIVE, GZIP, PARQUET, PNG, PDF)
STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
ENCODED = re.compile(r"[A-Za-z0-9+/]{12,}={0,2}")
# Letters of a student's own number from which on it is looked for: a shorter one may be any count or code.
SHORTEST = 9
RUN = re.compile(rf"(?:[0-9]\.)?[-_0-9A-Za-z]{{{SHORTEST},}}")
# A student's own number that is looked for; hyphens and underscores may stand in it.
OWN = re.compile(rf"(?=[-_A-Za-z]*[0-9])[-_0-9A-Za-z]{{{SHORTEST},}}")
# Numbers that are compared at a time.
AT_ONCE = 50_000
# Archives inside archives and texts inside texts that are opened; what is packed deeper counts as unreadable.
DEEPEST = 4


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


def _all_texts(content: bytes, depth: int = DEEPEST) -> Iterator[str]:
    """Yield the content as text, and what is encoded or packed in it."""
    for text in _texts(content):
        yield text
        if depth:
            contents = [_decode(match) for match in ENCODED.findall(text)]
            plain = [part for part in contents if b"\x00" not in part and not part.startswith(PACKED)]
            yield b"\n".join(plain).decode("latin-1")  # many and short: to look at each by itself takes longest
            for part in contents:
                if b"\x00" in part or part.startswith(PACKED):
                    yield from _all_texts(part, 0)
    for part in _parts(content, depth):
        yield from _all_texts(part, max(depth - 1, 0))


def _hashes(words: Iterable[str]) -> np.ndarray:
    """Return the hashes (64 bits) of words in small letters, and without zeros in front where enough is left."""
    forms = {word.casefold() for word in words}
    forms |= {word.lstrip("0") for word in forms if word.startswith("0")}
    return np.fromiter((hash(word) for word in forms if len(word) >= SHORTEST), np.int64)


def _numbers(text: str) -> Iterator[str]:
    """Yield the words of a text that may be a student's own number; the digits behind a decimal point are none."""
    for run in RUN.findall(text):
        if "." in run:
            run = "".join(run.partition("-")[1:])
        yield run.strip("-_")
        if not run.isalnum():
            yield from run.replace("_", "-").split("-")


def _texts(content: bytes) -> Iterable[str]:
    """Return the bytes as text in every encoding in which an id could stand."""
    yield content.decode("latin-1")
    if b"\x00" in content:
        yield from (
            content[start:].decode(code, errors="ignore") for code in ("utf-16-le", "utf-16-be") for start in (0, 1)
        )


def _decode(text: str) -> bytes:
    whole = text.rstrip("=")
    whole = whole[: len(whole) // 4 * 4 + (len(whole) % 4 if len(whole) % 4 != 1 else 0)]
    return base64.b64decode(whole + "=" * (-len(whole) % 4))


def _parts(content: bytes, depth: int) -> Iterable[bytes]:
    """Return what is packed in the content; `Unreadable` where it is packed too deep or broken."""
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
            body = data.partition(b"\0")[2]
            body = body[1:] if kind == b"zTXt" else body[2:].split(b"\0", 2)[-1]
            with suppress(zlib.error):  # an iTXt that is not compressed stands in the bytes as it is
                yield zlib.decompress(body)
        place += size + 12


class Unreadable(Exception):
    """A file that cannot be opened to its last byte."""


def _words(file: Path, name: str, numbers: bool) -> np.ndarray | None:
    """Return the hashes of a file's words, empty without `numbers` to compare them with.

    None if the file or its name holds a pseudonym or the key, or cannot be read.
    """
    hashes = [np.zeros(0, np.int64)]
    try:
        inside = chain(_all_texts(name.encode("utf-8", "surrogateescape")), _all_texts(file.read_bytes()))
        for text in inside:
            if holds_pseudonym(text) or holds_key(text):
                return None
            if numbers:
                hashes.append(_hashes(_numbers(text)))
    except (Unreadable, OSError):
        return None
    return np.unique(np.concatenate(hashes))


def _matches(words: np.ndarray, raw_ids: Iterable[str]) -> np.ndarray:
    """Return those of the words (sorted hashes) that are a student's own number; the numbers pass a few at a time."""
    numbers, matches = iter(raw_ids), []
    while some := list(islice(numbers, AT_ONCE)):
        hashes = _hashes(number for number in some if OWN.fullmatch(number))
        places = np.minimum(np.searchsorted(words, hashes), len(words) - 1)
        matches.append(hashes[words[places] == hashes] if len(words) else words)
    return np.concatenate(matches) if matches else words[:0]


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
        zeros in front. Looked for are those of `SHORTEST` letters, digits, hyphens and underscores or more, a digit
        among them; pseudonyms and the key always. Memory grows with what was written, not with them.

    Raises
    ------
    BadInput
        If there is no such folder.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {str(folder)!r} to scan.")
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    ids = iter(raw_ids)
    first = list(islice(ids, 1))
    words = {name: _words(file, name, bool(first)) for file in files for name in [file.relative_to(folder).as_posix()]}
    read = [hashes for hashes in words.values() if hashes is not None]
    matches = _matches(np.unique(np.concatenate(read)), chain(first, ids)) if read else np.zeros(0, np.int64)
    leaking = tuple(name for name, hashes in words.items() if hashes is None or np.isin(matches, hashes).any())
    return ScanReport(len(files), leaking)
