"""What a run was made from, so that it reruns only when something changed, and can say what."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from leapstudy.batch.cells import read_cells
from leapstudy.batch.plan import Run
from leapstudy.core import paths
from leapstudy.core.files import sha256_bytes, sha256_file, write_text_atomic
from leapstudy.report.result import made, package_hash

State = Literal["running", "done", "failed", "interrupted"]
NAME = "manifest.json"
OUTPUTS = ("notebook.ipynb", "result.json")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One run as it was: its state, the parts of its key, the hashes of its outputs, and the error if it failed."""

    state: State
    key: dict[str, Any]
    outputs: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    error: dict[str, str] = field(default_factory=dict)


def key_of(run: Run, data_hashes: Mapping[str, str]) -> dict[str, Any]:
    """Return everything that the run's output depends on, part by part."""
    cells = [cell.source for cell in read_cells(run.notebook) if cell.kind == "code"]
    parameters = {name: value for name, value in run.parameters.items() if name != "result_path"}
    lock = paths.root() / "requirements.lock"
    return {
        "cells": sha256_bytes("\0".join(cells).encode()),
        "params": parameters,
        "data": dict(data_hashes),
        "package": package_hash(),
        "lock": sha256_file(lock) if lock.is_file() else "",
        "python": made({})["python"],
    }


def output_hashes(folder: Path) -> dict[str, str]:
    """Return name -> SHA-256 of the outputs that are there."""
    return {name: sha256_file(folder / name) for name in OUTPUTS if (folder / name).is_file()}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest atomically; it is the last file that a run writes."""
    write_text_atomic(folder / NAME, json.dumps(asdict(manifest), indent=1, ensure_ascii=False) + "\n")


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest, or None where there is none that can be read."""
    try:
        return Manifest(**json.loads((folder / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def stale_reasons(folder: Path, key: Mapping[str, Any]) -> list[str]:
    """Return why a run must be made again; empty if it is fresh."""
    manifest = read_manifest(folder)
    if manifest is None:
        return ["never run"]
    if manifest.state == "failed":
        return [f"failed: {manifest.error.get('message', 'see its log')}"]
    if manifest.state != "done":
        return ["interrupted"]
    reasons = _changed(manifest.key, key)
    missing = [name for name in manifest.outputs if not (folder / name).is_file()]
    if missing:
        return [*reasons, f"output missing: {', '.join(missing)}"]
    changed = [name for name, digest in output_hashes(folder).items() if manifest.outputs.get(name) != digest]
    return [*reasons, *([f"output changed by hand: {', '.join(changed)}"] if changed else [])]


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    words = {"cells": "the notebook's cells", "package": "the package's sources", "lock": "the lock file"}
    reasons = []
    for part, value in new.items():
        before = old.get(part)
        if before == value:
            continue
        if isinstance(value, dict) and isinstance(before, dict):
            names = [name for name in {**before, **value} if before.get(name) != value.get(name)]
            told = [f"{name} {before.get(name)} -> {value.get(name)}" if part == "params" else name for name in names]
            reasons.append(f"{part}: {', '.join(told)}")
        elif part == "python":
            reasons.append(f"python: {before} -> {value}")
        else:
            reasons.append(f"{words.get(part, part)} changed")
    return reasons
