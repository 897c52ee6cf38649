"""Where things are: below the study's folder, which is named, or the one that one works in, or the package's own."""

import hashlib
import os
from functools import cache
from pathlib import Path

# The file that makes a folder a study.
STUDY = Path("params") / "state.yml"


def root() -> Path:
    """Return the workspace's top folder: LEAPSTUDY_ROOT, or else the study that the working directory lies in, or else
    the package's own.
    """
    if place := os.environ.get("LEAPSTUDY_ROOT"):
        return inside(place)
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the folder was deleted meanwhile
        return own_root()
    return next((folder for folder in _above(here) if inside(folder, STUDY).is_file()), own_root())


@cache
def inside(folder: str | Path, *names: str | Path) -> Path:
    """Return a place below a folder, as one path for all who ask: every word of a page asks for two."""
    return Path(folder, *names)


@cache
def _above(here: Path) -> tuple[Path, ...]:
    """Return each folder from here upward."""
    return (here, *here.parents)


@cache
def own_root() -> Path:
    """Return the folder that the package came with: its own study, notebooks and examples."""
    return Path(__file__).resolve().parents[2]


def raw() -> Path:
    """Return the folder of figures as published (read-only)."""
    return inside(root(), "data", "raw")


def derived() -> Path:
    """Return the folder of what can be made again from `raw()` (ignored by git).

    In a checkout that cannot be written it is one of this user's own, outside the workspace; LEAPSTUDY_DERIVED names
    another, to make everything anew say.
    """
    if folder := os.environ.get("LEAPSTUDY_DERIVED"):
        return Path(folder)
    place = root() / "data" / "derived"
    if os.access(place if place.is_dir() else root() / "data", os.W_OK):
        return place
    own = hashlib.sha256(str(root().resolve()).encode()).hexdigest()[:16]
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leapstudy" / own


def notebooks() -> Path:
    """Return the folder of source notebooks."""
    return inside(root(), "notebooks")


def params() -> Path:
    """Return the folder of parameter files."""
    return inside(root(), "params")


def reports() -> Path:
    """Return the default folder of built pages and results."""
    return root() / "reports"


def named(text: str) -> Path:
    """Return where a path in a parameter file leads: from the workspace's top folder, unless it is a full one."""
    return (root() / Path(text).expanduser()).absolute()


def real(path: Path) -> Path:
    """Return where a path leads, its links followed; a loop of links, which nothing can be written to, is no error."""
    return Path(os.path.realpath(path))
