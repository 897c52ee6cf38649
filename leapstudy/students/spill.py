"""Private folders for what does not fit in memory, and their end, also after a process that could not end them."""

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

SPILL = "leapstudy-spill-"


@cache
def spill_folder() -> Path:
    """Return this process's private folder for what does not fit in memory; it is removed when the process ends.

    The name is not to be guessed, so that nobody can lay a link in its place.
    """
    sweep_spills()
    folder = Path(tempfile.mkdtemp(prefix=f"{SPILL}{os.getpid()}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def sweep_spills() -> None:
    """Remove this user's folders of processes that were killed, or ended without a farewell as warm kernels do."""
    for stale in Path(tempfile.gettempdir()).glob(f"{SPILL}*"):
        owner = stale.name.removeprefix(SPILL).split("-")[0]
        mine = stale.is_dir() and not stale.is_symlink() and stale.stat().st_uid == os.getuid()
        if mine and owner.isdigit() and not _runs(int(owner)):
            shutil.rmtree(stale, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
