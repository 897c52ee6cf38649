"""Ctrl-C and SIGTERM, heard wherever they arrive."""

import signal
import sys
import threading
from _thread import interrupt_main
from collections.abc import Callable
from functools import partial
from typing import Any

# Long enough for the callback in which the interrupt was lost to have ended.
AGAIN_SECONDS = 0.05


def listen() -> None:
    """Raise KeyboardInterrupt in the main thread on SIGTERM as on Ctrl-C, and once more where it was lost.

    A batch system says that time is up with SIGTERM. Python runs the handler wherever the main thread happens to be;
    inside the callback of a weak reference or a ``__del__`` the exception is reported as ignored, and whoever waits
    goes on waiting.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.unraisablehook = partial(_once_more, before=sys.unraisablehook)


def _once_more(lost: Any, before: Callable[[Any], Any]) -> None:
    if issubclass(lost.exc_type, KeyboardInterrupt):
        threading.Timer(AGAIN_SECONDS, _interrupt).start()
    else:
        before(lost)


def _interrupt() -> None:
    if hasattr(signal, "pthread_kill"):
        # ends a system call that the main thread waits in, as the terminal's own does
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        interrupt_main()


def of_interrupt(error: BaseException | None) -> bool:
    """Say whether an error is what a library made of Ctrl-C, such as one that was being imported."""
    return error is not None and (
        isinstance(error, KeyboardInterrupt) or of_interrupt(error.__cause__ or error.__context__)
    )
