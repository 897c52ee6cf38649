"""One batch at a time in an output folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from leapstudy.core.errors import BadInput, FolderBusy


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the output folder for one batch at a time; a batch that was killed holds it no longer.

    Raises
    ------
    BadInput
        If the folder cannot be written; `FolderBusy` if another batch holds it.
    """
    lock = FileLock(out / ".lock")
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise FolderBusy(
            f"Another `leapstudy run` is writing to {out.name}/. Wait for it, or give another folder with --out."
        ) from None
    except OSError as error:
        raise BadInput(
            f"The output folder {str(out)!r} cannot be written ({error.strerror}). Give another one with --out."
        ) from None
    try:
        yield
    finally:
        lock.release()
