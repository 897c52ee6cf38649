"""What a run was made from, so that it reruns only when something changed, and can say what."""

import contextlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from leapstudy.batch.job import Run, own_inputs, read_cells, threads
from leapstudy.core import paths
from leapstudy.core.files import sha256_bytes, sha256_file, write_text_atomic
from leapstudy.core.sources import libraries, package_hash
from leapstudy.students.guard import key_mark

State = Literal["running", "done", "failed", "interrupted"]
NAME = "manifest.json"
OUTPUTS = ("notebook.ipynb", "result.json", "run.log")
LONGEST_SECONDS = 1e9
DAMAGED = "its manifest is damaged"
WORDS = {
    "cells": "the notebook's cells",
    "package": "the package's sources",
    "lock": "the lock file",
    "student_key": "the key for students' numbers",
    "libraries": "the installed libraries",
}
# Names that a sentence tells one by one; more are counted.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Manifest:
    """One run as it was: its state, the parts of its key, the hashes of its outputs, and the error if it failed."""

    state: State
    key: dict[str, Any]
    outputs: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    error: dict[str, str] = field(default_factory=dict)


def key_of(run: Run, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Return everything that the run's output depends on, part by part.

    Parameters
    ----------
    run
        The run; its notebook and the files that its own parameters name are read.
    inputs
        File -> SHA-256 of what all runs of the track share, from `input_hashes`.
    """
    lock = paths.root() / "requirements.lock"
    data = {**inputs, **{name: sha256_file(path) for name, path in own_inputs(run.parameters).items()}}
    return {
        **({"student_key": key_mark()} if "attendance file 1" in data else {}),
        "cells": _code_hash(run.notebook, *_look(run.notebook)),
        "params": {name: value for name, value in run.parameters.items() if name != "result_path"},
        "data": data,
        "package": package_hash(),
        "lock": _file_hash(lock, *_look(lock)) if lock.is_file() else "",
        "libraries": libraries(),
        "python": platform.python_version(),
        "threads": threads(),
    }


def _look(path: Path) -> tuple[int, int]:
    """Return size and time of a file; zeros where there is none, which reading it will say."""
    with contextlib.suppress(OSError):
        about = path.stat()
        return about.st_size, about.st_mtime_ns
    return 0, 0


@lru_cache(maxsize=64)
def _code_hash(notebook: Path, _size: int, _time: int) -> str:
    """Return the hash of a notebook's code; the runs of a batch share few notebooks, and each is read once."""
    cells = [cell.source for cell in read_cells(notebook) if cell.kind == "code"]
    return sha256_bytes("\0".join(cells).encode())


@lru_cache(maxsize=8)
def _file_hash(path: Path, _size: int, _time: int) -> str:
    return sha256_file(path)


def output_hashes(folder: Path) -> dict[str, str]:
    """Return name -> SHA-256 of the outputs that are there."""
    return {name: sha256_file(folder / name) for name in OUTPUTS if (folder / name).is_file()}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest atomically; it is the last file that a run writes."""
    write_text_atomic(folder / NAME, json.dumps(asdict(manifest), indent=1, ensure_ascii=False) + "\n")


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest, or None where there is none of the right shape."""
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        manifest = Manifest(**json.loads((folder / NAME).read_text(encoding="utf-8")))
        return manifest if _is_sound(manifest) else None
    return None


def _is_sound(manifest: Manifest) -> bool:
    """Return whether every part is of its kind: dataclasses take whatever they are given."""
    texts = [*manifest.outputs.items(), *manifest.error.items()]
    return (
        manifest.state in get_args(State)
        and isinstance(manifest.key, dict)
        and isinstance(manifest.key.get("params", {}), dict)
        and isinstance(manifest.key.get("data", {}), dict)
        and all(isinstance(part, str) for pair in texts for part in pair)
        and isinstance(manifest.seconds, int | float)
        and 0 <= manifest.seconds < LONGEST_SECONDS
    )


def stale_reasons(folder: Path, key: Mapping[str, Any]) -> list[str]:
    """Return why a run must be made again; empty if it is fresh."""
    manifest = read_manifest(folder)
    if manifest is None:
        return [DAMAGED if (folder / NAME).exists() else "never run"]
    if manifest.state == "failed":
        return [f"failed: {manifest.error.get('message', 'see its log')}"]
    if manifest.state != "done":
        return ["interrupted"]
    return [*changed(manifest.key, key), *damage(folder, manifest)]


def damage(folder: Path, manifest: Manifest) -> list[str]:
    """Return in words what of a run's outputs is not as the run left it."""
    hashes = output_hashes(folder)
    missing = [name for name in ("notebook.ipynb", *manifest.outputs) if name not in hashes]
    by_hand = [name for name, digest in hashes.items() if manifest.outputs.get(name) != digest]
    lines = (("output missing", dict.fromkeys(missing)), ("output changed by hand", by_hand))
    return [f"{what}: {', '.join(names)}" for what, names in lines if names]


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return in words which parts of a key differ: `params: comparison near -> others`."""
    return [_difference(part, old.get(part), value) for part, value in new.items() if old.get(part) != value]


def _difference(part: str, before: Any, value: Any) -> str:
    if part == "python":
        return f"python: {before} -> {value}"
    if not (isinstance(value, dict) and isinstance(before, dict)):
        return f"{WORDS.get(part, part)} changed"
    names = [name for name in {**before, **value} if before.get(name) != value.get(name)]
    lines = [name if part == "data" else f"{name} {before.get(name)} -> {value.get(name)}" for name in names]
    return f"{part}: {some(lines)}"


def some(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def verdict(reasons: list[str]) -> str:
    """Return one word or clause for a person: fresh, stale (why), failed, interrupted or never run."""
    if not reasons:
        return "fresh"
    if reasons[0].startswith(("never run", "interrupted", "failed")):
        return "; ".join(reasons)
    return f"stale ({'; '.join(reasons)})"
