"""Set the workspace up and run it, with nothing but Python: ``python -m leapstudy.bootstrap study``.

The Makefile calls this too, so that Linux, macOS and Windows take the same steps. Standard library only,
because it runs before anything is installed.
"""

import argparse
import hashlib
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import venv
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON, PIP = (BIN / (f"{name}.exe" if os.name == "nt" else name) for name in ("python", "pip"))
STAMP = VENV / "installed.txt"
RUN_LOCK, TEST_LOCK = ROOT / "requirements.lock", ROOT / "requirements-test.lock"
SUPPORTED = ((3, 11), (3, 14))

SHARE = ROOT / "leapstudy" / "batch" / "kernels" / "share"
# The study's own; one that a person adds under another name is theirs.
NOTEBOOKS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("notebooks/[0-9][0-9]_*.ipynb"))
# Lines of pip that are shown where it fails.
LAST = 30
WARM = ["--nbval-kernel-name", "leapstudy-warm", "--nbval-sanitize-with", "tests/nbval.cfg"]
# Two workers, a module at a time, in the order of tests/conftest.py; one that hung would be given the same again.
TWO = ["-n", "2", "--dist", "loadscope", "--no-loadscope-reorder", "--max-worker-restart", "0"]
# Imported before nbval, so that pytest's three processes do not compile a grammar for more than a second each.
EARLY = ["-p", "leapstudy.batch"]
# What an interrupted command ends with, as in a shell; one that a signal ended, with 128 and the signal's number.
INTERRUPTED, BY_SIGNAL = 130, 128
# Keeps one core busy for half a minute: it runs beside the commands after it, and what it says comes last.
BESIDE = ["-m", "mypy"]

TASKS: dict[str, tuple[Path, list[list[str]]]] = {
    "setup": (RUN_LOCK, []),
    "setup-test": (TEST_LOCK, []),
    "study": (RUN_LOCK, [["-m", "leapstudy", "run", "--track", "all"]]),
    "lab": (RUN_LOCK, [["-m", "leapstudy", "lab"]]),
    "test": (
        TEST_LOCK,
        [
            ["-m", "ruff", "check", "."],
            ["-m", "ruff", "format", "--check", "."],
            BESIDE,
            ["-m", "leapstudy", "check"],
            # a stripped cell would compare nothing; tests/house holds every cell to its execution count
            ["-m", "pytest", *EARLY, "--nbval-lax", *WARM, *TWO, "tests", *NOTEBOOKS],
        ],
    ),
}


def fingerprint(lock: Path) -> str:
    """Return what the environment was built from: lock file, project file and Python version."""
    parts = (lock.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), repr(sys.version_info[:3]).encode())
    return f"{lock.name} {hashlib.sha256(b''.join(parts)).hexdigest()}"


def is_installed(lock: Path) -> bool:
    """Return whether `.venv` holds what `lock` asks for; the test lock holds all of the other's versions too."""
    found = STAMP.read_text(encoding="utf-8").strip() if STAMP.exists() else ""
    return found in {fingerprint(lock), fingerprint(TEST_LOCK)}


def install(lock: Path) -> None:
    """Create `.venv` and install the locked versions (checked by hash) and the workspace itself."""
    print(f"Setting up .venv from {lock.name} (one to two minutes, once) ...", flush=True)
    if not PIP.exists():  # pip comes last: without it the environment was begun and cut off
        venv.create(VENV, symlinks=os.name != "nt", with_pip=True)  # a copy that still runs could not be written over
    STAMP.unlink(missing_ok=True)
    # the lock file is complete, so that nothing is left to resolve; pip would byte-compile on one core only
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--no-compile"]
    with tempfile.TemporaryDirectory() as folder:
        lists = halves(lock, Path(folder))
        run_told([[*pip, "--progress-bar", "off", "--require-hashes", "-r", str(part)] for part in lists])
    # by its path: setuptools' usual finder loses to the clone's own folder, seen from the one above as an empty package
    by_path = ["--no-build-isolation", "--config-settings", "editable_mode=compat"]
    subprocess.run([*pip, "--quiet", *by_path, "-e", str(ROOT)], check=True)
    print("  compiling", flush=True)
    # libraries ship a few files for other Pythons, which cannot be compiled and are never imported;
    # nobody imports a library's own tests
    everything = ["-x", r"[/\\]tests?[/\\]", str(VENV), str(ROOT / "leapstudy")]
    subprocess.run([str(PYTHON), "-W", "ignore", "-m", "compileall", "-qq", "-j", "0", *everything], check=False)
    STAMP.write_text(fingerprint(lock) + "\n", encoding="utf-8")


def halves(lock: Path, folder: Path) -> list[Path]:
    """Write every other package of a lock file into each of two lists: pip works on one core, and needs no order."""
    _, *packages = re.split(r"(?m)^(?=[\w.-]+(?:\[[^\]]*\])?==)", lock.read_text(encoding="utf-8"))
    lists = [folder / f"{part}.txt" for part in range(2)]
    for part, place in enumerate(lists):
        place.write_text("".join(packages[part::2]), encoding="utf-8")
    return lists


def run_told(commands: list[list[str]]) -> None:
    """Run pips side by side, with a line for every twenty packages; what a pip said last is shown only if it fails."""
    fetched = itertools.count(1)

    def run(command: list[str]) -> None:
        """Run one pip to its end."""
        last: deque[str] = deque(maxlen=LAST)
        pipe = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
        )
        with pipe as process:
            for line in process.stdout or ():
                last.append(line)
                if line.startswith(("Collecting ", "Processing ")) and (done := next(fetched)) % 20 == 0:
                    print(f"  {done} packages fetched", flush=True)
                elif line.startswith("Installing "):
                    print("  installing", flush=True)
        if process.returncode:
            print(*last, sep="", end="", flush=True)
            raise subprocess.CalledProcessError(process.returncode, command)

    with ThreadPoolExecutor() as pool:
        list(pool.map(run, commands))


def check_python() -> None:
    """Stop with a plain sentence where this Python is not one that the lock file serves."""
    low, high = SUPPORTED
    if not low <= sys.version_info[:2] <= high:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"This is Python {found}; leapstudy needs 3.11 to 3.14. Start it again with one of these.")


def main(arguments: list[str] | None = None) -> int:
    """Set up if needed, then run the task's commands one after another; return the first failing exit code."""
    parser = argparse.ArgumentParser(prog="python -m leapstudy.bootstrap", description=__doc__)
    parser.add_argument("task", choices=TASKS)
    task, extra = parser.parse_known_args(arguments)
    check_python()
    lock, commands = TASKS[task.task]
    if not is_installed(lock):
        try:
            install(lock)
        except subprocess.CalledProcessError as failure:
            print("Setting up failed; the lines above say why. Nothing else was run.", file=sys.stderr)
            return failure.returncode
        except KeyboardInterrupt:
            print("Interrupted while setting up. The same command goes on from there.", file=sys.stderr)
            return INTERRUPTED
    env = {**os.environ, "JUPYTER_PATH": os.pathsep.join(filter(None, [str(SHARE), os.environ.get("JUPYTER_PATH")]))}
    return run_all(commands, extra, env)


def run_all(commands: list[list[str]], extra: list[str], env: dict[str, str]) -> int:
    """Run commands one after another, `BESIDE` besides; return the first failing exit code."""
    beside, code = [], 0
    for command in commands:
        line = [str(PYTHON), *command, *(extra if command is commands[-1] else [])]
        if command is BESIDE:
            beside.append(subprocess.Popen(line, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True))
        elif code := ended(line, env):
            break
    for process in beside:
        if code > BY_SIGNAL:
            process.kill()
        print(process.communicate()[0], end="", flush=True)
        code = code or process.returncode
    return code


def ended(line: list[str], env: dict[str, str]) -> int:
    """Run a command and return its exit code, as a shell does where a signal ended it.

    It hears Ctrl-C from the terminal itself, and says what it left: killed meanwhile, it could not. SIGTERM is passed
    on to it.
    """
    asked: list[bool] = []
    running: list[subprocess.Popen[bytes]] = []

    def _pass_on(*_: object) -> None:
        asked.append(True)
        for process in running:
            process.terminate()

    before = signal.signal(signal.SIGTERM, _pass_on)
    try:
        running.append(subprocess.Popen(line, cwd=ROOT, env=env))
        if asked:  # while it was being started
            running[0].terminate()
        while True:
            with suppress(KeyboardInterrupt):
                code = running[0].wait()
                return code if code >= 0 else BY_SIGNAL - code
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
