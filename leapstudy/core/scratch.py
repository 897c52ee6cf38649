"""Private folders for what a process needs for a while, and their end, also after a process that could not end them."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

PREFIX = "leapstudy-"
SHORT = 40
"""Bytes that the name of a folder with sockets may have: the name of a socket has about a hundred at most."""


@contextmanager
def scratch_folder(*, sockets: bool = False) -> Iterator[Path]:
    """Make a folder that only this user may open, and remove it with all it holds at the end."""
    folder = _new_folder(_parent(sockets))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def process_folder() -> Path:
    """Return this process's own folder, as for rows that do not fit in memory; it is removed when the process ends."""
    sweep()
    folder = _new_folder(_parent())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def sweep() -> None:
    """Remove this user's folders of processes that were killed, or ended without a farewell as warm kernels do."""
    for stale in {path for parent in (_parent(), _parent(sockets=True)) for path in parent.glob(f"{PREFIX}*")}:
        owner = stale.name.removeprefix(PREFIX).split("-")[0]
        mine = stale.is_dir() and not stale.is_symlink() and stale.stat().st_uid == os.getuid()
        if mine and owner.isdigit() and not _runs(int(owner)):
            shutil.rmtree(stale, ignore_errors=True)


def _new_folder(parent: Path) -> Path:
    """Make a folder whose name is not to be guessed, so that nobody can lay a link in its place."""
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))


def _parent(sockets: bool = False) -> Path:
    usual = Path(tempfile.gettempdir())
    return Path("/tmp") if sockets and os.name == "posix" and len(os.fsencode(usual)) > SHORT else usual


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
