"""The last look before publishing: read every built file and name those in which a student's id stands."""

import base64
import re
import zipfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from leapstudy.core.errors import BadInput
from leapstudy.students.telltale import holds_pseudonym

TEXTS = {".html", ".ipynb", ".log", ".json", ".jsonl", ".csv", ".md", ".txt", ".svg", ".yml", ".xml", ".js", ".css"}
ZIPPED = {".docx", ".xlsx", ".zip"}
PICTURE = re.compile(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)")
WORD = re.compile(r"[0-9A-Za-z]+")


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
        return f"{len(self.leaking)} of {self.files_read} files hold a student's id: " + ", ".join(self.leaking)


def holds_student(text: str, raw_ids: Collection[str] = frozenset()) -> bool:
    """Say whether a text holds a pseudonym or one of `raw_ids` as a word, also inside an embedded SVG picture."""
    embedded = (base64.b64decode(found).decode("utf-8", errors="ignore") for found in PICTURE.findall(text))
    pages = [text, *embedded]
    return any(holds_pseudonym(page) or not set(raw_ids).isdisjoint(WORD.findall(page)) for page in pages)


def _pages(file: Path) -> Iterable[str]:
    if file.suffix in ZIPPED:
        with zipfile.ZipFile(file) as archive:
            yield from (archive.read(name).decode("utf-8", errors="ignore") for name in archive.namelist())
    else:
        yield file.read_text(encoding="utf-8", errors="ignore")


def scan_folder(folder: Path, raw_ids: Iterable[str] = ()) -> ScanReport:
    """Read every page, notebook, table and log under `folder`.

    Pictures and PDF are not read: they are made from the pages, which are.

    Parameters
    ----------
    folder
        What is about to be published.
    raw_ids
        The state's own numbers, where they are at hand; pseudonyms are found without.

    Raises
    ------
    BadInput
        If there is no such folder.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {str(folder)!r} to scan.")
    ids = frozenset(raw_ids)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix in TEXTS | ZIPPED)
    leaking = [file for file in files if any(holds_student(page, ids) for page in _pages(file))]
    return ScanReport(len(files), tuple(str(file.relative_to(folder)) for file in leaking))
