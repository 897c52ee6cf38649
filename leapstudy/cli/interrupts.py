"""Ctrl-C and SIGTERM, heard wherever they arrive."""

import signal
import sys
import threading
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Long enough for the callback in which the interrupt was lost to have ended.
AGAIN_SECONDS = 0.05


@contextmanager
def listening() -> Iterator[None]:
    """Raise KeyboardInterrupt in the main thread on SIGTERM as on Ctrl-C, and once more where it was lost.

    A batch system says that time is up with SIGTERM. Python runs the handler wherever the main thread happens to be;
    inside the callback of a weak reference or a ``__del__`` the exception is reported as ignored, and whoever waits
    goes on waiting. What was both lost and heard, as in the middle of an import, is not asked again after the end.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    before, asked = sys.unraisablehook, []

    def _once_more(lost: Any) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            asked.append(threading.Timer(AGAIN_SECONDS, _interrupt))
            asked[-1].start()
        else:
            before(lost)

    sys.unraisablehook = _once_more
    try:
        yield
    finally:
        sys.unraisablehook = before
        for timer in asked:
            timer.cancel()
        # An interrupt that went through a string being executed, as of a dataclass that was being imported, would make
        # Python end by a signal whoever caught it; the next string clears that.
        exec("")


def _interrupt() -> None:
    # not by SIGINT, which a shell lets commands in its background ignore
    if hasattr(signal, "pthread_kill"):
        # ends a system call that the main thread waits in, as a signal from outside does
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    else:
        interrupt_main(signal.SIGTERM)


def of_interrupt(error: BaseException | None) -> bool:
    """Say whether an error is what a library made of Ctrl-C, such as one that was being imported."""
    return error is not None and (
        isinstance(error, KeyboardInterrupt) or of_interrupt(error.__cause__ or error.__context__)
    )
