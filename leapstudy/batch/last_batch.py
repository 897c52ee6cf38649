"""The last batch as it was asked for and built, so that a batch with nothing to do needs no table and no library.

Planning loads and validates every table. Where nothing that planning depends on has changed since the last batch, its
plan still holds, and whether its runs and pages are still as they were is a matter of hashes.
"""

import contextlib
import json
from collections.abc import Container, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leapstudy.batch.inputs import input_hashes
from leapstudy.batch.job import Run
from leapstudy.batch.manifest import Manifest, damage, key_of, read_manifest, stale_reasons
from leapstudy.core import paths
from leapstudy.core.files import sha256_bytes, sha256_file, write_text_atomic
from leapstudy.core.sources import package_hash, templates_hash
from leapstudy.site.index import EARLIER
from leapstudy.site.stamps import read_stamps

NAME = ".batch.json"


def asked(**what: Any) -> str:
    """Return one hash over what was asked for and every file that planning reads."""
    files = [*paths.notebooks().glob("*.ipynb"), *paths.params().rglob("*"), *paths.raw().rglob("*")]
    hashes = {str(path): sha256_file(path) for path in sorted(files) if path.is_file()}
    if what.get("track") != "public":
        hashes |= input_hashes("students")
    return sha256_bytes(json.dumps([what, hashes, package_hash()], sort_keys=True, default=str).encode())


def keep(out: Path, question: str, plan: Sequence[Run]) -> None:
    """Keep the plan and the hash of every file that is published."""
    runs = [{**asdict(run), "notebook": str(run.notebook)} for run in plan]
    content = {"asked": question, "runs": runs, "built": published(out), "templates": templates_hash()}
    write_text_atomic(out / NAME, json.dumps(content) + "\n")


def forget(out: Path) -> None:
    """Drop what was kept; a batch does so before it changes anything."""
    (out / NAME).unlink(missing_ok=True)


def kept_plan(out: Path, question: str) -> list[Run] | None:
    """Return the last batch's plan if it answers this question, else None."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        kept = _read(out)
        if kept["asked"] == question:
            return [Run(**{**run, "notebook": Path(run["notebook"])}) for run in kept["runs"]]
    return None


def reasons(plan: Sequence[Run], out: Path) -> dict[str, list[str]]:
    """Return slug -> why the run must be made again; empty where it is fresh."""
    inputs = {track: input_hashes(track) for track in {run.track for run in plan}}
    return {run.slug: stale_reasons(out / run.slug, key_of(run, inputs[run.track])) for run in plan}


def untouched(out: Path) -> bool:
    """Return whether everything that the last batch published is there as it was, made by today's templates."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = _read(out)
        return kept["templates"] == templates_hash() and kept["built"] == published(out)
    return False


def _read(out: Path) -> dict[str, Any]:
    return json.loads((out / NAME).read_text(encoding="utf-8"))


def published(out: Path) -> dict[str, str]:
    """Return name -> SHA-256 of every file of the output folder but hidden ones."""
    files = ((path.relative_to(out), path) for path in sorted(out.rglob("*")) if path.is_file())
    return {
        name.as_posix(): sha256_file(path)
        for name, path in files
        if not any(part.startswith(".") for part in name.parts)
    }


DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """A run of an earlier batch, as far as its folder tells."""

    slug: str
    title: str
    source: str
    manifest: Manifest
    damage: tuple[str, ...] = ()

    def page(self, out: Path) -> dict[str, Any]:
        """Return the run as `build_site` takes it; it may be stale by now, which `leapstudy status` tells."""
        status = DAMAGED if self.damage else EARLIER if self.sound else self.manifest.state
        return {
            "slug": self.slug,
            "title": self.title,
            "source": self.source,
            "error": {"message": "; ".join(self.damage)} if self.damage else self.manifest.error,
            "status": status,
            "notebook": out / self.slug / "notebook.ipynb" if self.sound else None,
        }

    @property
    def sound(self) -> bool:
        """Whether it ended well and its outputs are as it left them; anything else is named and left out."""
        return self.manifest.state == "done" and not self.damage


def previous_runs(out: Path, asked: Container[str]) -> list[PreviousRun]:
    """Return the runs of earlier batches that the new one does not ask for and whose folders are still there."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return [
            PreviousRun(run["slug"], run["title"], run["source"], manifest, _damage(out / run["slug"], manifest))
            for run in read_stamps(out)["runs"]
            if run["slug"] not in asked and (manifest := read_manifest(out / run["slug"])) is not None
        ]
    return []


def _damage(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    return tuple(damage(folder, manifest)) if manifest.state == "done" else ()
