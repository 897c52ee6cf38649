"""Replacing a pinned file on purpose: the new bytes, their hash, and a record of every cell that moved."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leapstudy.core.files import sha256_bytes, write_bytes_atomic, write_text_atomic
from leapstudy.data.differences import KINDS, Differences
from leapstudy.data.raw import SUMS, checksums, listed

RECORD = "EDITIONS.md"
HEAD = f"""# Editions

Every time that a file of this folder was replaced. The cells that moved, old and new, are in `editions/`.

| when | file | from | old SHA-256 | new SHA-256 | {" | ".join(KINDS)} |
|---|---|---|---|---|{"---|" * len(KINDS)}
"""


@dataclass(frozen=True, slots=True)
class Replacement:
    """One replacement of a pinned file: what it was made from, when, and what it moved."""

    origin: str
    when: str
    moved: Differences


def replace_pinned(folder: Path, name: str, content: bytes, made: Replacement) -> Path:
    """Write a new edition of a file below `data/raw/`, renew its checksum, and return the list of moved cells.

    Parameters
    ----------
    folder
        The source's folder.
    name
        The file's name there.
    content
        Its new bytes.
    made
        Where they are from, when they were taken, and what they moved.
    """
    old, new = checksums(folder)[name], sha256_bytes(content)
    listing = folder / "editions" / f"{Path(name).stem}_{old[:12]}_{new[:12]}.csv"
    write_bytes_atomic(listing, as_csv(made.moved.cells))
    counts = " | ".join(f"{made.moved.count(kind):,}" for kind in KINDS)
    record = folder / RECORD
    text = record.read_text(encoding="utf-8") if record.is_file() else HEAD
    write_text_atomic(record, f"{text}| {made.when} | {name} | {made.origin} | {old} | {new} | {counts} |\n")
    write_bytes_atomic(folder / name, content)
    pin(folder, {name: new})
    return listing


def pin(folder: Path, digests: dict[str, str]) -> None:
    """Write or renew lines of the folder's `SHA256SUMS`; the others stay."""
    known = listed(folder) if (folder / SUMS).is_file() else {}
    lines = [f"{digest}  {name}\n" for name, digest in sorted({**known, **digests}.items())]
    write_text_atomic(folder / SUMS, "".join(lines))


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return a table of text as CSV in UTF-8."""
    return frame.to_csv(index=False, lineterminator="\n").encode("utf-8")
