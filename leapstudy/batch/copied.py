"""The notebooks that `leapstudy new` copied into a workspace, held against those of the leapstudy that is installed."""

import json
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_bytes, write_text_atomic
from leapstudy.core.parameter_file import read_mapping

# Notebook -> hash of its cells as they were copied, beside the notebooks; a workspace of one's own making has none.
LISTING = "COPIED.json"


@dataclass(frozen=True, slots=True)
class Copied:
    """The copies that are older than the package's notebooks: as they were copied, and changed by hand since."""

    stale: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def shipped() -> dict[str, Path]:
    """Return the package's notebooks by name, without the articles of its own study."""
    articles = read_mapping(paths.own_root() / paths.STUDY)["articles"]
    notebooks = sorted((paths.own_root() / "notebooks").glob("*.ipynb"))
    return {path.stem: path for path in notebooks if path.stem not in articles}


def copy(folder: Path, names: Collection[str] | None = None) -> None:
    """Copy the package's notebooks into a folder, all where none are named, and write down what they were."""
    notebooks = {name: path for name, path in shipped().items() if names is None or name in names}
    folder.mkdir(exist_ok=True)
    for path in notebooks.values():
        shutil.copy(path, folder / path.name)
    hashes = {**_recorded_hashes(folder), **{name: _cells(path) for name, path in notebooks.items()}}
    write_text_atomic(folder / LISTING, json.dumps(hashes, indent=1) + "\n")


def copied(folder: Path) -> Copied:
    """Return which copies in a folder are older than the package's notebooks; what was deleted is not missed."""
    stale: list[str] = []
    own_copies: list[str] = []
    hashes = _recorded_hashes(folder)
    for name, path in shipped().items() if hashes else ():
        own, was = folder / path.name, hashes.get(name)
        if was is None or not own.is_file() or own.read_bytes() == path.read_bytes():
            continue
        now, new = _cells(own), _cells(path)
        if new not in (was, now):
            (stale if now == was else own_copies).append(name)
    return Copied(tuple(stale), tuple(own_copies))


def take_over(folder: Path) -> tuple[str, ...]:
    """Copy what is stale and what is not there, and return its names: whatever a person wrote is left alone."""
    missing = [name for name, path in shipped().items() if not (folder / path.name).exists()]
    names = tuple(sorted([*copied(folder).stale, *missing]))
    copy(folder, names)
    return names


def require_current() -> None:
    """Raise `BadInput` where notebooks of the workspace are those of an earlier leapstudy."""
    if stale := copied(paths.notebooks()).stale:
        raise BadInput(
            f"The notebooks {', '.join(stale)} are copies from an earlier leapstudy, which the installed one may not "
            "run. `leapstudy refresh --copied` takes over its own; notebooks that you changed are not touched."
        )


def _recorded_hashes(folder: Path) -> dict[str, str]:
    place = folder / LISTING
    return {str(name): str(digest) for name, digest in read_mapping(place).items()} if place.is_file() else {}


def _cells(path: Path) -> str:
    """Return the hash of a notebook's cells as they are written: what they gave is not in it."""
    try:
        cells = json.loads(path.read_bytes())["cells"]
        text = json.dumps([(cell["cell_type"], "".join(cell["source"])) for cell in cells])
    except (ValueError, KeyError, TypeError):
        return "no notebook"
    return sha256_bytes(text.encode())
