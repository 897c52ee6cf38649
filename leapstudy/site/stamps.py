"""What every page was last made from, so that a build writes only what changed."""

import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from leapstudy.core.files import sha256_bytes, write_text_atomic
from leapstudy.core.sources import package_hash

STAMPS = "site.json"
FIGURES = Path("assets") / "figures"
PICTURE = re.compile(r"assets/figures/([0-9a-f]+\.webp)")


class Stamps:
    """The stamps of the last build and of this one; a stamp is a hash over everything a page is made from."""

    def __init__(self, out: Path) -> None:
        """Read the stamps of the last build; where they or the pictures are gone, every page is made again."""
        self.out = out
        self.before: dict[str, str] = {}
        self.now: dict[str, str] = {}
        self.written = 0
        self.ahead = False
        self.runs: list[Any] = []
        (out / FIGURES).mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            last = read_stamps(out)
            self.runs, self.ahead = last["runs"], last.get("ahead", False)
            if any((out / FIGURES).iterdir()):
                self.before = dict(last["pages"])

    def write(self, path: Path, parts: Sequence[Any], make: Callable[[], str]) -> None:
        """Write a page unless it is there and was made from the same parts."""
        name = path.relative_to(self.out).as_posix()
        stamp = sha256_bytes(json.dumps([package_hash(), *parts], default=str, sort_keys=True).encode())
        self.now[name] = stamp
        if self.before.get(name) != stamp or not path.is_file():
            write_text_atomic(path, make())
            self.written += 1

    def keep(self) -> None:
        """Keep what pages are made from while a batch is on its way; `finish` follows at its end."""
        kept = {"pages": self.before | self.now, "runs": self.runs, "ahead": True}
        write_text_atomic(self.out / STAMPS, json.dumps(kept, indent=1, sort_keys=True) + "\n")

    def finish(self, runs: Sequence[Mapping[str, Any]]) -> None:
        """Keep the stamps and the runs, and take away pictures that no page shows any more."""
        if self.now == self.before and not self.written and not self.ahead:
            return
        pages = [self.out / name for name in self.now]
        used = {name for page in pages for name in PICTURE.findall(page.read_text(encoding="utf-8"))}
        for picture in (self.out / FIGURES).glob("*.webp"):
            if picture.name not in used:
                picture.unlink()
        kept = {"pages": self.now, "runs": [_portable(run, self.out) for run in runs]}
        write_text_atomic(self.out / STAMPS, json.dumps(kept, indent=1, sort_keys=True) + "\n")


def read_stamps(out: Path) -> dict[str, Any]:
    """Return what the last build left: `pages` (page -> stamp) and `runs` (as `build_site` takes them)."""
    return json.loads((out / STAMPS).read_text(encoding="utf-8"))


def _portable(run: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Return a run whose notebook is named relative to the output folder, so that the folder can move."""
    notebook = run.get("notebook")
    return {**run, "notebook": os.path.relpath(notebook, out) if notebook else None}
