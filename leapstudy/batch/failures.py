"""Why a run failed, in words for a person: cell, message, hint and detail."""

import errno
import re
from collections.abc import Sequence

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from leapstudy.batch.engine import FLOOD, INTERRUPT, MAX_BYTES, MAX_MESSAGES, Watch
from leapstudy.core.errors import LeapstudyError

ANSI = re.compile(r"\x1b\[[0-9;]*m")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DISK_HINT = "free some space, then `leapstudy run` goes on from there"
# How jupyter_client begins to say that a kernel died before its first cell.
DEAD_AT_START = "Kernel died before replying"
Failure = dict[str, str]


class CannotWrite(LeapstudyError):
    """A result could not be written; nothing that was not written whole counts as done."""

    def __init__(self, slug: str, error: OSError) -> None:
        what = "The disk is full" if error.errno in FULL else f"A file cannot be written ({error.strerror})"
        super().__init__(
            f"{what}: {slug} could not be kept. What was finished before stands; {DISK_HINT}, or give another folder "
            f"with --out."
        )


def _failure(cell: str, message: str, hint: str, detail: str) -> Failure:
    return {"cell": cell, "message": message, "hint": hint, "detail": detail}


def describe(failure: Exception, watch: Watch, timeout: int) -> Failure:
    """Return the failure of a run.

    Parameters
    ----------
    failure
        What papermill raised.
    watch
        The run's watch: it knows the cell, and whether the run was stopped on purpose.
    timeout
        The time limit of a cell, in seconds.
    """
    cell, detail = f"cell {watch.cell}" if watch.cell else "", str(failure)
    if watch.stopped == FLOOD:
        limit = f"{MAX_BYTES // 1_000_000} MB or {MAX_MESSAGES:,} outputs"
        return _failure(cell, f"printed more than {limit}", "look for a print or display in a loop", detail)
    if watch.stopped == INTERRUPT:
        return _failure(cell, "interrupted", "run again", detail)
    if isinstance(failure, PapermillExecutionError):
        return _in_cell(failure)
    if isinstance(failure, CellTimeoutError):
        hint = "look for an endless loop, or allow more with --timeout"
        return _failure(cell, f"took longer than the time limit of {timeout} s", hint, detail)
    if isinstance(failure, DeadKernelError) or detail.startswith(DEAD_AT_START):
        return _failure(cell, "the kernel died", "out of memory, or killed from outside", detail)
    first = detail.strip().splitlines()[0] if detail.strip() else "no message"
    return _failure(cell, f"{type(failure).__name__}: {first}", "see the log", detail)


def _in_cell(failure: PapermillExecutionError) -> Failure:
    first = str(failure.evalue).splitlines()[0] if failure.evalue else "no message"
    full = failure.ename == "OSError" and f"[Errno {errno.ENOSPC}]" in first
    return _failure(
        f"cell {failure.exec_count}",
        f"{failure.ename}: {first}",
        DISK_HINT if full else "open failed.ipynb at that cell",
        ANSI.sub("", "\n".join(failure.traceback)),
    )


def moved(parts: Sequence[str]) -> Failure:
    """Return the failure of a run whose inputs changed while it ran."""
    words = "; ".join(parts)
    return _failure("", f"its inputs changed while it ran ({words})", "run again", words)


def no_result(reason: str) -> Failure:
    """Return the failure of a run whose cells all ran and whose result is missing or cannot be read."""
    hint = "its last cell saves the result at result_path; open failed.ipynb"
    return _failure("", "every cell ran, but no result was written that can be read", hint, reason)
