"""Results at a URL: a local mirror is worked in, and what changed goes back, the manifest last.

Whatever fsspec can open will do (`s3://`, `gs://`, `abfs://`, `sftp://`, `file://`, ...); its own package for the
protocol and the credentials of the environment are needed.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, LeapstudyError
from leapstudy.core.files import sha256_bytes, sha256_file, write_bytes_atomic, write_text_atomic

LEDGER = ".mirror.json"
Ledger = dict[str, dict[str, str]]
LOCAL_ONLY = {LEDGER, ".lock", ".batch.json"}
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Place:
    """Where results go: a folder, which is the mirror of `url` where there is one."""

    folder: Path
    url: str = ""

    @classmethod
    def of(cls, out: str) -> "Place":
        """Return the place that ``--out`` names; `reports/` where it names none."""
        if "://" not in out:
            return cls((Path(out) if out else paths.reports()).resolve())
        url = out.rstrip("/")
        return cls(paths.derived() / "mirrors" / sha256_bytes(url.encode())[:16], url)

    @property
    def index(self) -> str:
        """The page to open."""
        return f"{self.url or self.folder}/index.html"

    def pull(self) -> None:
        """Make the folder equal to what is at the URL; what is equal already is not read again.

        Raises
        ------
        BadInput
            If the URL cannot be reached, or its protocol is not installed.
        """
        if not self.url:
            return
        system, base = self._open()
        there, known = _listing(system, base), self._ledger()
        for name in set(_files(self.folder)) - set(there):
            (self.folder / name).unlink()
        for name, stamp in there.items():
            path = self.folder / name
            entry = known.get(name)
            if not entry or entry["there"] != stamp or not path.is_file() or sha256_file(path) != entry["here"]:
                write_bytes_atomic(path, system.cat_file(f"{base}/{name}"))
        self._write_ledger(
            {name: {"there": stamp, "here": sha256_file(self.folder / name)} for name, stamp in there.items()}
        )

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
                f"{slug or 'The pages'} could not be sent to {self.url} ({error}). What arrived stands; run again for the rest."
            ) from error

    def _send_changed(self, system: Any, base: str, slug: str) -> None:
        known = self._ledger()
        here = {name: sha256_file(self.folder / name) for name in _files(self.folder, slug)}
        changed = [name for name, digest in here.items() if known.get(name, {}).get("here") != digest]
        gone = [name for name in known if name not in here and name.startswith(f"{slug}/" if slug else "")]
        manifests = [name for name in changed if Path(name).name == MANIFEST]
        for name in [*gone, *manifests]:
            if system.exists(f"{base}/{name}"):
                system.rm_file(f"{base}/{name}")
        for name in sorted(changed, key=lambda name: Path(name).name == MANIFEST):
            _send(system, f"{base}/{name}", (self.folder / name).read_bytes())
        sent = {name: {"there": system.ukey(f"{base}/{name}"), "here": here[name]} for name in changed}
        self._write_ledger({name: entry for name, entry in {**known, **sent}.items() if name not in gone})

    def _open(self) -> tuple[Any, str]:
        import fsspec

        try:
            system, base = fsspec.core.url_to_fs(self.url)
            system.makedirs(base, exist_ok=True)
            system.invalidate_cache()
        except (ImportError, ValueError, OSError) as error:
            raise BadInput(
                f"--out {self.url!r} cannot be opened: {error}. Known protocols: file, memory, and those whose fsspec package is installed (s3fs, gcsfs, adlfs)."
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
    found: Iterable[str] = system.find(base)
    return {name.removeprefix(base).lstrip("/"): system.ukey(name) for name in found}


def _send(system: Any, target: str, content: bytes) -> None:
    """Write one file so that it appears whole: an upload is, and a plain disk gets a renamed temporary file."""
    system.makedirs(system._parent(target), exist_ok=True)
    with system.transaction, system.open(target, "wb") as handle:
        handle.write(content)
