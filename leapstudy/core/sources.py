"""Which version of the package and of its libraries this is, cheap enough to ask at every command."""

import os
import re
import sys
from functools import cache
from pathlib import Path

import leapstudy
from leapstudy.core import paths
from leapstudy.core.files import sha256_bytes

# What pages alone are made with: a change makes pages again, and no run.
TEMPLATES = Path("site", "templates")
LOCKED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)


def package_files() -> list[Path]:
    """Return every file of the package that results are made with: sources, catalogs, settings; no templates."""
    templates = str(_folder() / TEMPLATES) + os.sep
    return [Path(file) for file in _files(_folder()) if not file.startswith(templates)]


@cache
def package_hash() -> str:
    """Return one hash over the package's sources: file names and bytes, in order."""
    return _hash(package_files())


@cache
def templates_hash() -> str:
    """Return one hash over what only pages are made with."""
    return _hash([Path(file) for file in _files(_folder() / TEMPLATES)])


@cache
def libraries() -> dict[str, str]:
    """Return name -> installed version of every library that the lock file names.

    By the names of the folders that describe them: reading their metadata takes a second.
    """
    lock = paths.root() / "requirements.lock"
    names = {_plain(name) for name in LOCKED.findall(lock.read_text(encoding="utf-8"))} if lock.is_file() else set()
    # the first place on the path wins, as at an import
    places = [Path(place) for place in reversed(sys.path) if place]
    stems = (path.stem for place in places for path in place.glob("*.dist-info"))
    versions = {_plain(name): version for name, _, version in (stem.partition("-") for stem in stems)}
    return {name: versions.get(name, "") for name in sorted(names)}


def _folder() -> Path:
    return Path(leapstudy.__file__).parent


def _files(top: Path) -> list[str]:
    """Return the files below a folder but hidden and compiled ones, in order; as text, since each kernel asks anew."""
    files = ((folder, name) for folder, _, names in os.walk(top) for name in names)
    return sorted(
        f"{folder}{os.sep}{name}"
        for folder, name in files
        if name[0] != "." and not folder.endswith("__pycache__")  # where Python also keeps files that it still writes
    )


def _hash(files: list[Path]) -> str:
    folder = _folder()
    return sha256_bytes(b"\0".join(path.relative_to(folder).as_posix().encode() + path.read_bytes() for path in files))


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
