"""What every page was last made from, so that a build writes only what changed."""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from leapstudy.core.files import sha256_bytes, sha256_file, write_text_atomic
from leapstudy.core.sources import package_hash, templates_hash

STAMPS, RESULT = "site.json", "result.json"
FIGURES = Path("assets") / "figures"
PICTURE = re.compile(r"assets/figures/([0-9a-f]+\.\w+)")


class Stamps:
    """What pages were made from, and the hash of each page, picture and document as it was written.

    A stamp is a hash over everything a page is made from. What is not as it was written is made again.
    """

    def __init__(self, out: Path) -> None:
        """Read the stamps of the last build; where they or a picture are not as they were, every page is made again."""
        self.out = out
        self.before: dict[str, str] = {}
        self.now: dict[str, str] = {}
        self.sums: dict[str, str] = {}
        self.documents: dict[str, str] = {}
        self.written = 0
        self.ahead = False
        self.runs: list[Any] = []
        (out / FIGURES).mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            last = read_stamps(out)
            self.runs, self.ahead, self.sums = last["runs"], last.get("ahead", False), dict(last["sums"])
            self.documents = dict(last.get("documents", {}))
            self.before = dict(last["pages"])
        if not self._pictures_are_whole():
            self.before = {}

    def _pictures_are_whole(self) -> bool:
        """Return whether every picture is there as it was written; any other file among them is taken away."""
        pictures = {path.relative_to(self.out).as_posix(): path for path in (self.out / FIGURES).iterdir()}
        strange = [path for name, path in pictures.items() if not self.is_as_written(name)]
        for path in strange:
            path.unlink()
        return not strange and all(name in pictures for name in self.sums if _is_picture(name))

    def is_as_written(self, name: str) -> bool:
        """Return whether a file is there with the hash that it was written with."""
        path = self.out / name
        return path.is_file() and self.sums.get(name) == sha256_file(path)

    def write(self, path: Path, parts: Sequence[Any], make: Callable[[], str]) -> None:
        """Write a page unless it is there as it was written, and was made from the same parts."""
        name = path.relative_to(self.out).as_posix()
        versions = [package_hash(), templates_hash()]
        stamp = sha256_bytes(json.dumps([*versions, *parts], default=str, sort_keys=True).encode())
        self.now[name] = stamp
        if self.before.get(name) != stamp or not self.is_as_written(name):
            text = make()
            write_text_atomic(path, text)
            self.sums[name] = sha256_bytes(text.encode())
            self.written += 1

    def keep_documents(self, slug: str, names: Iterable[str]) -> dict[str, bool]:
        """Return which documents a run has; one that was changed, or made from another result, is taken away."""
        for name in (f"{slug}/{name}" for name in names):
            result = self.out / slug / RESULT
            made_from = sha256_file(result) if result.is_file() else ""
            if not self.is_as_written(name) or self.documents.get(name) != made_from:
                (self.out / name).unlink(missing_ok=True)
                self.documents.pop(name, None)
        return {name: (self.out / slug / name).is_file() for name in names}

    def keep(self) -> None:
        """Keep what pages are made from while a batch is on its way; `finish` follows at its end."""
        self._save(self.before | self.now, self.runs, ahead=True)

    def finish(self, runs: Sequence[Mapping[str, Any]]) -> None:
        """Keep the stamps and the runs, and take away pictures that no page shows any more."""
        if self.now == self.before and not self.written and not self.ahead:
            return
        pages = [self.out / name for name in self.now]
        names = {name for page in pages for name in PICTURE.findall(page.read_text(encoding="utf-8"))}
        for picture in (self.out / FIGURES).iterdir():
            if picture.name not in names:
                picture.unlink()
        self._save(self.now, [_portable(run, self.out) for run in runs])

    def _save(self, pages: Mapping[str, str], runs: Sequence[Any], **more: Any) -> None:
        pictures = {path.relative_to(self.out).as_posix(): sha256_file(path) for path in (self.out / FIGURES).iterdir()}
        others = {name: digest for name, digest in self.sums.items() if not _is_picture(name)}
        sums = {name: digest for name, digest in others.items() if (self.out / name).is_file()} | pictures
        stamps = {"pages": pages, "runs": runs, "sums": sums, "documents": self.documents, **more}
        write_text_atomic(self.out / STAMPS, json.dumps(stamps, indent=1, sort_keys=True) + "\n")


def _is_picture(name: str) -> bool:
    return name.startswith(f"{FIGURES.as_posix()}/")


def note_documents(out: Path, paths: Sequence[Path]) -> None:
    """Keep the hashes of documents that were just written, and of the result that each was made from."""
    with contextlib.suppress(OSError, ValueError):
        stamps = read_stamps(out)
        for path in paths:
            stamps["sums"][path.relative_to(out).as_posix()] = sha256_file(path)
            stamps.setdefault("documents", {})[path.relative_to(out).as_posix()] = sha256_file(path.parent / RESULT)
        write_text_atomic(out / STAMPS, json.dumps(stamps, indent=1, sort_keys=True) + "\n")


def read_stamps(out: Path) -> dict[str, Any]:
    """Return what the last build left: `pages` (page -> stamp), `runs` (as `build_site` takes them), `sums` of files.

    Raises
    ------
    OSError
        If there is none.
    ValueError
        If it is not what a build leaves.
    """
    stamps = json.loads((out / STAMPS).read_text(encoding="utf-8"))
    shape = {"pages": dict, "runs": list, "sums": dict}
    whole = isinstance(stamps, dict) and all(isinstance(stamps.get(name), kind) for name, kind in shape.items())
    whole = whole and isinstance(stamps.get("documents", {}), dict)
    if not whole or not all(map(_is_run, stamps["runs"])):
        raise ValueError(f"{STAMPS} is not what a build leaves")
    return stamps


def _is_run(run: object) -> bool:
    kinds = {"slug": str, "status": str, "notebook": str | None}
    if not isinstance(run, dict) or not kinds.keys() <= run.keys():
        return False
    if not all(isinstance(run[name], kind) for name, kind in kinds.items()):
        return False
    return re.fullmatch(r"(?!\.)[^/\\]+", run["slug"]) is not None  # a folder of its own, and no other place


def _portable(run: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Return a run whose notebook is named relative to the output folder, so that the folder can move."""
    notebook = run.get("notebook")
    return {**run, "notebook": os.path.relpath(notebook, out) if notebook else None}
