"""The owner's side of the template: start it once, ask it for kernels, and hold each like an ordinary process."""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from leapstudy.batch.kernels.family import end_group, end_marked
from leapstudy.core.sources import package_files

# Beginnings of variables that matter while Python and the libraries start: where one differs, a kernel starts cold.
AT_IMPORT = ("PYTHON", "MPL", "OMP_", "OPENBLAS_", "MKL_", "BLIS_", "NUMEXPR_", "NUMBA_", "LD_", "LC_")
ALSO = ("PATH", "LANG", "LANGUAGE", "TZ", "VIRTUAL_ENV", "HOME")
INLINE = "module://matplotlib_inline.backend_inline"
TEMPLATE = Path(__file__).with_name("template.py")
WAIT_SECONDS = 0.01


@dataclass(slots=True)
class ForkedProcess:
    """A kernel forked by the template, with the part of `subprocess.Popen` that Jupyter's provisioner uses."""

    pid: int
    returncode: int | None = None
    stdin: None = field(default=None, init=False)
    stdout: None = field(default=None, init=False)
    stderr: None = field(default=None, init=False)

    def poll(self) -> int | None:
        """Return None while it runs; it is no child of this process, so that its exit code is not known."""
        if self.returncode is None and not self._alive():
            self.returncode = 0
        return self.returncode

    def _alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def wait(self, timeout: float | None = None) -> int:
        """Return when it has ended."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("kernel", timeout or 0)
            time.sleep(WAIT_SECONDS)
        return self.returncode or 0

    def send_signal(self, number: int) -> None:
        """Send a signal; one that has ended is left alone."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it, and what it started."""
        if self.poll() is None:
            end_group(self.pid)


def at_import(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the start of Python and of its libraries depends on."""
    return {name: value for name, value in env.items() if name.startswith(AT_IMPORT) or name in ALSO}


def package_stamp() -> list[tuple[Path, int]]:
    """Return when each of this package's files was changed: kernels forked from older ones would run old code."""
    return [(path, path.stat().st_mtime_ns) for path in package_files()]


class Template:
    """The template process of this process; made at the first request."""

    def __init__(self, preload: Sequence[str]) -> None:
        """Start it; imports go on while the caller does something else."""
        ours, theirs = socket.socketpair()
        # the debugger, which every kernel has, would warn on the user's screen that Python's own modules are frozen
        env = {**os.environ, "MPLBACKEND": INLINE, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        self.environment, self.package = at_import(env), package_stamp()
        self.mark = uuid4().hex
        command = [
            sys.executable,
            str(TEMPLATE),
            str(theirs.fileno()),
            json.dumps(list(preload)),
            self.mark,
        ]
        self.process = subprocess.Popen(command, env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        self.channel = ours
        self.stream = ours.makefile("rw", encoding="utf-8")
        self.lock = threading.Lock()
        self.ready = False

    def fork(self, arguments: Sequence[str], env: Mapping[str, str], cwd: str | None) -> ForkedProcess | None:
        """Return a new kernel, or None where the template cannot give one."""
        variables = {**env, "MPLBACKEND": env.get("MPLBACKEND", INLINE)}
        if at_import(variables) != self.environment or package_stamp() != self.package:
            return None
        request = json.dumps({"arguments": list(arguments), "env": variables, "cwd": cwd})
        with self.lock:
            try:
                if not self.ready:
                    self.ready = self.stream.readline() == "ready\n"
                self.stream.write(request + "\n")
                self.stream.flush()
                answer = self.stream.readline()
            except OSError:
                return None
        return ForkedProcess(int(answer)) if answer.strip() else None

    def close(self) -> None:
        """End the template, at work or still importing; it holds nothing, and its kernels end with it."""
        self.process.kill()
        with suppress(OSError):  # it may have died with a request unread
            self.stream.close()
        self.channel.close()
        self.process.wait()
        end_marked(self.mark)


_templates: dict[tuple[str, ...], Template] = {}
_making = threading.Lock()


def template(preload: Sequence[str]) -> Template | None:
    """Return this process's template, started if it is not there or has died; None where forking does not exist."""
    if not hasattr(os, "fork") or sys.platform == "darwin":
        return None
    key = tuple(preload)
    with _making:
        process_template = _templates.get(key)
        if process_template is None or process_template.process.poll() is not None:
            process_template = _templates[key] = Template(key)
        return process_template


@atexit.register
def close_templates(**_: Any) -> None:
    """End every template of this process."""
    while _templates:
        _templates.popitem()[1].close()
