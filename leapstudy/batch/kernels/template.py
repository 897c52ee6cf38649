"""The process that warm kernels are forked from. It imports, and reads the study's tables; no user's code runs in it.

It is run as a file, so that nothing is imported but what it is told, and given one end of a socket pair. One request is
one line of JSON (arguments, environment, working directory), the answer is the new kernel's process number. When the
other end closes, it ends, and a kernel that lost its template ends too (ipykernel watches its parent).
"""

import gc
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

# as `leapstudy.core.names` has it: a batch's own kernels are asked for by it
FOR_PAGES = "LEAPSTUDY_FOR_PAGES"
# The package whose import withholds what holds a student's id.
GUARDED = "leapstudy"
# by its place: where PYTHONSAFEPATH is set, the file beside a script cannot be imported
family = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("family.py"))))
if not sys.flags.safe_path:
    del sys.path[0]  # the script's own folder: a cold kernel has no such entry


def preload(names: list[str]) -> None:
    """Import what is there, and call what stands after a colon; what fails is left to the notebook to tell."""
    gc.disable()  # nothing of an import is garbage, and looking for it takes a sixth of the time
    for name in names:
        module, _, function = name.partition(":")
        with suppress(Exception):
            imported = importlib.import_module(module)
            if function:
                getattr(imported, function)()
    if "pandas" in sys.modules:
        # pandas asks at its import whether it is in a notebook, and would take the template for a terminal
        # a study's frames are small: as Python's own, their names are looked up in half the time that Arrow takes
        sys.modules["pandas"].set_option("display.max_columns", 20, "mode.string_storage", "python")
    gc.collect()
    # what is imported is never freed: keeps the collector from copying its pages in every child
    gc.freeze()
    gc.enable()


def become_kernel(request: dict[str, Any], template: int) -> None:
    """Turn the forked child into the kernel that was asked for; returns when the kernel ends."""
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"] or str(Path.cwd()))
    time.tzset()
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "pandas" in sys.modules and FOR_PAGES not in request["env"]:
        sys.modules["pandas"].reset_option("mode.string_storage")  # a reader's own frames may be large
    from ipykernel.kernelapp import IPKernelApp

    if os.getppid() != template:
        return  # killed meanwhile: ipykernel would take whoever has adopted this process for its parent
    # ipykernel ends with the process that this names; a forked kernel's parent is the template
    # pyplot may be imported already, and would no longer tell the kernel to show what a cell draws
    arguments = [
        *request["arguments"],
        f"--IPKernelApp.parent_handle={template}",
        "--IPKernelApp.matplotlib=inline",
    ]
    sys.argv = ["ipykernel_launcher", *arguments]
    app = IPKernelApp.instance()
    app.initialize(arguments)
    if GUARDED in sys.modules:
        # imported where there was no kernel it guards none, and what is imported does nothing when it is again
        sys.modules[GUARDED].install_guard()
    app.start()


def fork() -> int:
    """Fork a leader of its own process group, which it is when this returns: from then on the group can be ended.

    Python 3.12 warns of threads, and those of libraries that were only imported hold no lock.
    """
    led, leads = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os.setsid()
    os.close(leads)
    if pid:
        os.read(led, 1)  # at its end when the child has closed the other side, or died
    os.close(led)
    return pid


def serve(channel: socket.socket, mark: str) -> None:
    """Say that it is ready, and fork one kernel a request until the other end closes or is gone.

    Then nothing that the kernels started goes on.
    """
    template = os.getpid()
    kernels: list[int] = []
    with suppress(OSError), channel, channel.makefile("rw", encoding="utf-8") as stream:
        channel.sendall(b"ready\n")
        for line in stream:
            pid = fork()
            if pid == 0:
                channel.close()
                try:
                    become_kernel(json.loads(line), template)
                finally:
                    os._exit(0)
            kernels.append(pid)
            stream.write(f"{pid}\n")
            stream.flush()
    for pid in kernels:
        # a number may be another process's by now
        if family.parent_of(pid) == template:
            family.end_group(pid)
    family.end_marked(mark)


@contextmanager
def ending_with(channel: socket.socket) -> Iterator[None]:
    """End at once when the owner dies while the block runs: imports take seconds, and on a busy machine a minute."""
    finish, poll = Event(), select.poll()
    poll.register(channel, 0)  # a peer that hangs up is told of unasked

    def watch() -> None:
        """End when the other side has hung up."""
        while not finish.is_set():
            if poll.poll(20):
                os._exit(0)

    watching = Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        finish.set()
        watching.join()  # a process that is forked has one thread


def main() -> None:
    """Import, and serve."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    # an interrupt is for the batch; children that end are reaped by the system
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with ending_with(channel):
        preload(json.loads(sys.argv[2]))
    serve(channel, sys.argv[3])


if __name__ == "__main__":
    main()
