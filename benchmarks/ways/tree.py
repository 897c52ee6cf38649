"""The most memory that a command and all its children hold together, sampled from /proc."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

EVERY_S = 0.1


def _children() -> dict[int, list[int]]:
    """Return parent -> children of every process."""
    found: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(place.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue
        found.setdefault(parent, []).append(int(place.parent.name))
    return found


def _tree(top: int) -> list[int]:
    children, tree = _children(), [top]
    for pid in tree:
        tree += children.get(pid, [])
    return tree


def _pss_mib(pid: int) -> float:
    """Return the memory of a process in MiB, what it shares divided among those who share it; 0 once it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("Pss:")), 0.0)


def peak_of_tree(
    command: Sequence[str], env: Mapping[str, str], cwd: str | Path
) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run a command to its end; return the peak of its tree in MiB, and the command as it ended."""
    peak = 0.0
    with subprocess.Popen(
        command, env=dict(env), cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        while running.poll() is None:
            peak = max(peak, sum(map(_pss_mib, _tree(running.pid))))
            time.sleep(EVERY_S)
        said = running.stdout.read() if running.stdout else ""
    return peak, subprocess.CompletedProcess(command, running.returncode, said, "")
