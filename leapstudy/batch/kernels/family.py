"""Everything that a kernel started ends with it: its process group, and what left the group but carries its mark.

Standard library only, since the template is run as a file of its own and reads this one the same way.
"""

import contextlib
import os
import signal
from pathlib import Path

# Variable of a kernel's environment that its children inherit; its value is not guessed and not used twice.
MARK = "LEAPSTUDY_KERNEL"


def end_group(pid: int) -> None:
    """End a kernel's process group, the kernel itself included; one that is gone is left alone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_marked(mark: str) -> None:
    """End every process of this user whose mark begins with `mark`; only Linux tells which these are."""
    entry = f"{MARK}={mark}".encode()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(part.startswith(entry) for part in (place / "environ").read_bytes().split(b"\0")):
                os.kill(int(place.name), signal.SIGKILL)


def parent_of(pid: int) -> int:
    """Return the parent's process number; 0 where the process is gone or the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
        )
    return 0
