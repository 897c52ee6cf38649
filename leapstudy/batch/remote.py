"""Results at a URL: a local mirror is worked in, and what changed goes back, the manifest last.

Whatever fsspec can open will do (`s3://`, `gs://`, `abfs://`, `sftp://`, `file://`, ...); its own package for the
protocol and the credentials of the environment are needed.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leapstudy.batch.manifest import damage, read_manifest
from leapstudy.core import paths
from leapstudy.core.errors import BadInput, LeapstudyError
from leapstudy.core.files import require_free, sha256_bytes, sha256_file, write_bytes_atomic, write_text_atomic

LEDGER = ".mirror.json"
Ledger = dict[str, dict[str, str]]
LOCAL_ONLY = {LEDGER, ".lock", ".batch.json"}
MANIFEST = "manifest.json"
# Files of the results' own top folder; the others are in `assets/` and in one folder a run.
TOP = {"index.html", "estimates.csv", "site.json", "ro-crate-metadata.json"}
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
# A whole address; of a file it begins with a slash or a drive.
URL = re.compile(f"(?!file://(?!/|[A-Za-z]:)){SCHEME.pattern}/.*[^/ ].*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where results go: a folder, which is the mirror of `url` where there is one."""

    folder: Path
    url: str = ""

    @classmethod
    def of(cls, out: str) -> "Place":
        """Return the place that ``--out`` names; `reports/` where it names none.

        Raises
        ------
        BadInput
            If it is a URL cut short, or a folder that holds something else of the workspace.
        """
        if not URL.fullmatch(out):
            if SCHEME.match(out) or "://" in out:
                raise BadInput(
                    f"--out {out!r} is neither a folder nor a whole URL. Write a URL as s3://bucket/reports."
                )
            return cls(require_free(paths.real(Path(out) if out else paths.reports()), "--out"))
        url = out.rstrip("/")
        return cls(paths.derived() / "mirrors" / sha256_bytes(url.encode())[:16], url)

    @property
    def index(self) -> str:
        """The page to open."""
        return f"{self.url or self.folder}/index.html"

    def pull(self) -> None:
        """Bring what changed at the URL into the folder; what is newer here, and what was never sent, stays.

        The caller holds the folder's lock: a batch that writes there would lose what it has just made.

        Raises
        ------
        BadInput
            If the URL cannot be reached, its protocol is not installed, or it holds something else than results.
        """
        if not self.url:
            return
        system, base = self._open()
        ledger_before = self._ledger()
        marks = self._results(_listing(system, base), {name.split("/")[0] for name in ledger_before})
        newer = {slug for slug in {name.split("/")[0] for name in ledger_before} if self._is_newer(slug, ledger_before)}
        for name in set(ledger_before) - set(marks):
            path = self.folder / name
            if name.split("/")[0] not in newer and path.is_file() and sha256_file(path) == ledger_before[name]["here"]:
                path.unlink()
        ledger = {name: entry for name, entry in ledger_before.items() if name.split("/")[0] in newer}
        for name in [name for name in marks if name.split("/")[0] not in newer]:
            path, entry = self.folder / name, ledger_before.get(name)
            if not entry or entry["there"] != marks[name] or not path.is_file() or sha256_file(path) != entry["here"]:
                write_bytes_atomic(path, system.cat_file(f"{base}/{name}"))
            ledger[name] = {"there": marks[name], "here": sha256_file(path)}
        self._write_ledger(ledger)

    def _is_newer(self, slug: str, ledger: Ledger) -> bool:
        """Return whether a run was made here after it was last sent: a whole one with another manifest."""
        folder, entry = self.folder / slug, ledger.get(f"{slug}/{MANIFEST}")
        manifest = read_manifest(folder)
        if manifest is None or manifest.state != "done" or damage(folder, manifest):
            return False
        return entry is None or sha256_file(folder / MANIFEST) != entry["here"]

    def _results(self, marks: Mapping[str, str], slugs: set[str]) -> dict[str, str]:
        """Return what of the files at the URL is results; whatever else lies there is neither read nor touched."""
        runs = {name.split("/")[0] for name in marks if name.endswith(f"/{MANIFEST}") and name.count("/") == 1} | slugs
        if marks and not runs and not TOP & set(marks):
            raise BadInput(
                f"--out {self.url!r} holds {len(marks)} files that are no results. Give a folder of its own there."
            )
        return {name: mark for name, mark in marks.items() if name in TOP or name.split("/")[0] in {*runs, "assets"}}

    def push(self, slug: str = "") -> None:
        """Send what changed, of one run or of everything.

        A run's old manifest goes first and its new one comes last, so that a run half sent never looks done.

        Raises
        ------
        LeapstudyError
            If something cannot be sent; a run whose manifest has not arrived counts as interrupted.
        """
        if not self.url:
            return
        system, base = self._open()
        try:
            self._send_changed(system, base, slug)
        except OSError as error:
            raise LeapstudyError(
                f"{slug or 'The pages'} could not be sent to {self.url} ({error}). What arrived stands; run again for "
                f"the rest."
            ) from error

    def _send_changed(self, system: Any, base: str, slug: str) -> None:
        ledger = self._ledger()
        digests = {name: sha256_file(self.folder / name) for name in _files(self.folder, slug)}
        changes = [name for name, digest in digests.items() if ledger.get(name, {}).get("here") != digest]
        losses = [name for name in ledger if name not in digests and name.startswith(f"{slug}/" if slug else "")]
        manifests = [name for name in changes if Path(name).name == MANIFEST]
        for name in [*losses, *manifests]:
            # what another machine sent since is newer, and stays
            place = f"{base}/{name}"
            if system.exists(place) and (name in manifests or system.ukey(place) == ledger[name]["there"]):
                system.rm_file(place)
        for name in sorted(changes, key=lambda name: Path(name).name == MANIFEST):
            _send(system, f"{base}/{name}", (self.folder / name).read_bytes())
        entries = {name: {"there": system.ukey(f"{base}/{name}"), "here": digests[name]} for name in changes}
        self._write_ledger({name: entry for name, entry in {**ledger, **entries}.items() if name not in losses})

    def _open(self) -> tuple[Any, str]:
        import fsspec

        try:
            system, base = fsspec.core.url_to_fs(self.url)
            system.makedirs(base, exist_ok=True)
            system.invalidate_cache()
        except (ImportError, ValueError, OSError) as error:
            raise BadInput(
                f"--out {self.url!r} cannot be opened: {error}. Known protocols: file, memory, and those whose fsspec "
                f"package is installed (s3fs, gcsfs, adlfs)."
            ) from None
        return system, str(base).rstrip("/")

    def _ledger(self) -> Ledger:
        try:
            return json.loads((self.folder / LEDGER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def _write_ledger(self, entries: Ledger) -> None:
        write_text_atomic(self.folder / LEDGER, json.dumps(entries) + "\n")


def _files(folder: Path, slug: str = "") -> Iterator[str]:
    for path in sorted((folder / slug).rglob("*")):
        if path.is_file() and path.name not in LOCAL_ONLY and path.suffix != ".tmp":
            yield path.relative_to(folder).as_posix()


def _listing(system: Any, base: str) -> dict[str, str]:
    """Return file -> its mark at the URL, which changes with the content."""
    names: Iterable[str] = system.find(base)
    return {name.removeprefix(base).lstrip("/"): system.ukey(name) for name in names}


def _send(system: Any, target: str, content: bytes) -> None:
    """Write one file so that it appears whole: an upload is, and a plain disk gets a renamed temporary file."""
    system.makedirs(system._parent(target), exist_ok=True)
    with system.transaction, system.open(target, "wb") as handle:
        handle.write(content)
