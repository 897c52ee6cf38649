"""The command line as a person types it, each command in a new process that finds its libraries imported.

Most of what a short command costs is imports; a server that has done them, and nothing else, forks
every command. That a command starts from nothing too is held by tests/cli/test_cli.py. A batch runs in this process:
its kernels are forked from the template that is here, which takes four seconds to make.
"""

import atexit
import io
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import pytest

from leapstudy.cli import main

SERVER = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
PRELOADED = [
    "leapstudy.cli",
    "leapstudy.batch.batch",
    "leapstudy.site.build",
    "leapstudy.site.documents",
    "leapstudy.did.frames.estimators",
    "leapstudy.study.door",
    "leapstudy.study.students",
    "leapstudy.study.student_check",
]
assert all(map(find_spec, PRELOADED)), "the server passes over a name that is no module, without a word"
SERVER.set_forkserver_preload(PRELOADED)


def _become(arguments: tuple[str, ...], environment: dict[str, str], told: list[str]) -> None:
    """Be `python -m leapstudy` with these arguments; what it prints goes to two files."""
    os.environ.clear()
    os.environ.update(environment)
    for number, name in enumerate(told, start=1):
        os.dup2(os.open(name, os.O_WRONLY), number)
    sys.argv = ["leapstudy", *arguments]
    try:
        runpy.run_module("leapstudy", run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # a child of `multiprocessing` leaves without


def _here(arguments: tuple[str, ...], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Give a command in this process, with what the environment says of the study."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in environment:
            if name.startswith("LEAPSTUDY_"):
                patch.setenv(name, environment[name])
        patch.setattr(sys, "argv", ["leapstudy", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), out.getvalue(), err.getvalue())


def commands_in(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a command in this environment and returns its code and what it printed."""

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        if arguments[0] == "run":
            return _here(arguments, environment)
        with tempfile.TemporaryDirectory() as folder:
            told = [Path(folder) / name for name in ("out", "err")]
            for path in told:
                path.touch()
            process = SERVER.Process(target=_become, args=(arguments, environment, [str(path) for path in told]))
            process.start()
            process.join()
            out, err = (path.read_text(encoding="utf-8") for path in told)
            return subprocess.CompletedProcess(arguments, process.exitcode or 0, out, err)

    return command
