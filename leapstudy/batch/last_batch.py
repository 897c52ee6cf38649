"""The last batch as it was asked for and built, so that a batch with nothing to do needs no table and no library.

Planning loads and validates every table. Where nothing that planning depends on has changed since the last batch, its
plan still holds, and whether its runs and pages are still as they were is a matter of hashes.
"""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leapstudy.batch.inputs import input_hashes
from leapstudy.batch.job import Run
from leapstudy.batch.manifest import key_of, stale_reasons
from leapstudy.core import paths
from leapstudy.core.files import sha256_bytes, sha256_file, write_text_atomic
from leapstudy.core.sources import package_hash, templates_hash

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
