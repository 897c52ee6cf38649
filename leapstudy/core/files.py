"""Writing so that a reader never sees half a file, hashing what was read, and private folders with their end.

Folders end also after a process that could not end them.
"""

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from leapstudy.core import paths
from leapstudy.core.errors import BadInput

# Folders of the workspace that nothing else may be written to; `data/derived` is what is made.
OWN = ("data", "params", "notebooks", "leapstudy", "tests", "docs", "benchmarks", ".git", ".venv")


def require_free(folder: Path, what: str) -> Path:
    """Return a real folder to write to, unless it is the workspace itself, holds it, or is one of its own.

    Raises
    ------
    BadInput
        If it is; `what` names the folder there.
    """
    root = paths.root().resolve()
    inside = folder.is_relative_to(root) and not folder.is_relative_to(paths.derived().resolve())
    if root.is_relative_to(folder) or (inside and folder.relative_to(root).parts[0] in OWN):
        raise BadInput(f"{what} {str(folder)!r} holds the workspace's own files. Give another folder, reports/ say.")
    return folder


def sha256_bytes(content: bytes) -> str:
    """Return the SHA-256 of `content` as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def modified(path: Path) -> int:
    """Return when a file was last changed, in nanoseconds; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write to a temporary name in the same folder, then rename over `path`; makes the folder if missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Return what the user's files are not to allow; reading it means setting it, so it is put back at once."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_text_atomic(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; see `write_bytes_atomic`."""
    write_bytes_atomic(path, text.encode("utf-8"))


PREFIX = "leapstudy-"
# Bytes that the name of a folder with sockets may have: the name of a socket has about a hundred at most.
SHORT = 40


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
