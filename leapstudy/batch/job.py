"""One run: a notebook with its parameters, its cells as plain text, its threads, and the files it depends on.

Nothing heavy is imported here.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_file
from leapstudy.core.names import SIMULATION, Track
from leapstudy.core.sources import package_files

# Notebooks side by side must not fight over the cores; and sums can differ in the last digit with the number of
# threads, so that it is in the manifest's key, too.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Run:
    """One notebook with its parameters and the name of its folder in the output."""

    slug: str
    notebook: Path
    parameters: dict[str, Any]
    title: str
    track: Track = "public"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: `code` or `markdown`, its source and its tags."""

    kind: str
    source: str
    tags: tuple[str, ...]


def read_cells(path: Path) -> Sequence[Cell]:
    """Return the cells of a notebook in order; to read them needs no schema, and importing one takes two seconds.

    Raises
    ------
    BadInput
        If the file is no notebook.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [
            Cell(cell["cell_type"], "".join(cell["source"]), tuple(cell["metadata"].get("tags", ()))) for cell in cells
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path.name} is not a notebook that can be read ({error}). Restore it from version control."
        ) from None


def one_thread() -> None:
    """Set one thread where nothing else is said; kernels inherit it."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")


def threads() -> dict[str, str]:
    """Return variable -> number of threads that a kernel of this process will take."""
    return {name: os.environ.get(name, "1") for name in ONE_THREAD}


# Its values are in the manifest already, typed; its comments and reasons change no figure.
RESOLVED = "study.yml"
ONLY_STUDENTS = {SIMULATION, "students.yml"}
# What is decided before a program starts: of it the student track takes its primary outcome and what was promised.
PLANNED = {"rollout.yml", "rollout_plan.yml"}
# Of the draws only the notebook that names the file reads it, and whatever rests on the draw that a study names.
DRAWS = "draws.json"
# Lists of units that drew lots; those of students lie outside the workspace.
UNIT_LISTS = "draw_*.csv"
Signature = tuple[tuple[str, int, int], ...]


def shared_files(track: Track) -> list[Path]:
    """Return the files of the workspace that every run of a track reads: published figures, and parameters."""
    exceptions = {RESOLVED, DRAWS} | (set() if track == "students" else PLANNED | ONLY_STUDENTS)
    if track == "public" and any(paths.params().glob(UNIT_LISTS)):
        exceptions -= {DRAWS, "rollout_plan.yml"}
    files = [*paths.raw().rglob("*"), *(path for path in paths.params().glob("*") if path.name not in exceptions)]
    return sorted(path for path in files if path.is_file() and path.suffix != ".md" and path.name[0] != ".")


def own_inputs(parameters: Mapping[str, Any]) -> dict[str, Path]:
    """Return name -> file of the parameters that name one, from the workspace on: whatever ends in `_path`.

    Who names `params/students.yml` reads the student files too; they go by their role, not their path.
    """
    root = paths.root()
    places = [
        root / str(value)
        for name, value in parameters.items()
        if name.endswith("_path") and name != "result_path" and value
    ]
    files = sorted(path for place in places for path in ([place] if place.is_file() else place.glob("**/*.*")))
    files_by_name = {
        path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path): path for path in files
    }
    return files_by_name | (student_files() if "params/students.yml" in files_by_name else {})


def student_files() -> dict[str, Path]:
    """Return role and number -> student file, as `params/students.yml` names them; none where the state is SIMULATED.

    Raises
    ------
    BadInput
        If parameters that name files cannot be used, or no file is there.
    """
    if _names_no_input():
        return {}
    from leapstudy.students.files import find  # imports pyarrow
    from leapstudy.students.settings import input_files, load_settings

    settings = load_settings()
    paths_of = {role: find(path).paths for role, path in input_files(settings).items()}
    return {f"{role} file {number}": file for role, files in paths_of.items() for number, file in enumerate(files, 1)}


def _names_no_input() -> bool:
    """Say whether the student track's parameters leave `input` empty, without a look at the rest.

    To import what checks them takes longer than all else that a batch with nothing to do needs.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return yaml.load((paths.params() / "students.yml").read_bytes(), loader)["input"] == ""
    return False


def input_hashes(track: Track = "public") -> dict[str, str]:
    """Return file -> SHA-256 of everything that a track's runs read; student files go by their role, not their path."""
    hashes = {path.relative_to(path.parents[1]).as_posix(): sha256_file(path) for path in shared_files(track)}
    own = student_files() if track == "students" else {}
    return hashes | {name: sha256_file(path) for name, path in own.items()}


def signature(track: Track, extra: Iterable[Path] = ()) -> Signature:
    """Return name, size and time of every file that results depend on: equal means untouched, at a glance.

    Parameters
    ----------
    track
        The run's track.
    extra
        Further files: a run's notebook and its own inputs.
    """
    lock = paths.root() / "requirements.lock"
    own = student_files().values() if track == "students" else ()
    stamps = []
    for path in [*shared_files(track), *package_files(), lock, *own, *extra]:
        try:
            about = path.stat()
        except FileNotFoundError:
            continue
        stamps.append((str(path), about.st_size, about.st_mtime_ns))
    return tuple(sorted(stamps))
