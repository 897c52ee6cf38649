"""The files that results depend on: hashed for the manifest, and watched while a notebook runs."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import leapstudy
from leapstudy.core import paths
from leapstudy.core.files import sha256_file
from leapstudy.core.names import Track
from leapstudy.students.settings import input_hashes as student_hashes
from leapstudy.students.settings import load_settings

RESOLVED = "study.yml"
"""Its values are in the manifest already, typed; its comments and reasons change no figure."""
ONLY_STUDENTS = {"simulation.yml", "students.yml"}
Signature = tuple[tuple[str, int, int], ...]


def _shared(track: Track) -> list[Path]:
    skipped = {RESOLVED} if track == "students" else {RESOLVED, *ONLY_STUDENTS}
    figures = paths.raw().glob("*/*.csv")
    settings = (path for path in paths.params().glob("*.yml") if path.name not in skipped)
    return sorted([*figures, *settings])


def own_inputs(parameters: Mapping[str, Any]) -> list[Path]:
    """Return the files of the parameters that name one: `students_path` and whatever else ends in `_path`."""
    named = [
        Path(str(value))
        for name, value in parameters.items()
        if name.endswith("_path") and name != "result_path" and value
    ]
    return sorted(path for place in named for path in ([place] if place.is_file() else place.glob("**/*.*")))


def input_hashes(track: Track = "public") -> dict[str, str]:
    """Return file -> SHA-256 of the published figures and the parameter files that a track's runs read."""
    hashes = {path.relative_to(path.parents[1]).as_posix(): sha256_file(path) for path in _shared(track)}
    return hashes | (student_hashes(load_settings()) if track == "students" else {})


def signature(extra: Iterable[Path] = ()) -> Signature:
    """Return name, size and time of every file that results depend on: equal means untouched, at a glance.

    Parameters
    ----------
    extra
        Further files: a run's notebook and its own inputs.
    """
    package = Path(leapstudy.__file__).parent.rglob("*.py")
    lock = paths.root() / "requirements.lock"
    found = []
    for path in [*_shared("students"), *package, lock, *extra]:
        try:
            about = path.stat()
        except FileNotFoundError:
            continue
        found.append((str(path), about.st_size, about.st_mtime_ns))
    return tuple(sorted(found))
