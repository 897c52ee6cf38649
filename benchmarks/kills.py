"""Real batches of both tracks killed at random moments: ``python benchmarks/kills.py [--kills 200] [--seed 1]``.

Runs `leapstudy run hartford --track all` in a copy of the workspace with a smaller SIMULATED state, and sends SIGKILL,
SIGTERM or SIGINT to the batch or SIGKILL to one of its processes. After each: no process left, no run called fresh
whose result is not the calm batch's, no half file under a name that is read. Now and then a batch may end: it must
end well, and every published file must be the calm batch's. Results are appended to `benchmarks/results/kills.csv`.
"""

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import yaml
from batch import workspace
from results_table import RESULTS, append, machine

from leapstudy.batch.last_batch import published
from leapstudy.batch.manifest import output_hashes, read_manifest
from leapstudy.batch.verify import moved_files

TABLE = RESULTS / "kills.csv"
COLUMNS = (
    "date",
    "kills",
    "by",
    "lost",
    "false_fresh",
    "half_files",
    "left_running",
    "left_files",
    "recovered",
    "of",
    "cores",
    "load",
    "python",
    "versions",
    "seed",
)
SMALLER = 12
SLUGS = ("hartford", "students-hartford")
WAIT_SECONDS = 20
TOLERANCE = 1e-9


class Attack:
    """A workspace, its calm batch, and what the kills have done to another one so far."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.root, self.chance, self.told = folder / "workspace", random.Random(seed), Counter[str]()
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.env = {**workspace(self.root), "TMPDIR": str(self.temporary)}
        self.calm, self.out = folder / "calm", folder / "killed"
        _shrink(self.root / "params" / "simulation.yml")
        began = time.monotonic()
        self.lost(self.batch(self.calm).wait(), "the calm batch failed")
        self.longest = time.monotonic() - began

    def batch(self, out: Path, *options: str) -> psutil.Popen:
        """Start a batch."""
        command = [sys.executable, "-m", "leapstudy", "run", "hartford", "--track", "all", "--out", str(out), *options]
        log = (self.root / "log.txt").open("ab")
        return psutil.Popen(command, env=self.env, cwd=self.root, stdout=log, stderr=log, start_new_session=True)

    def lost(self, wrong: object, what: str) -> None:
        """Count a loss and say it."""
        if wrong:
            self.told["lost"] += 1
            print("LOST:", what, wrong, flush=True)

    def kill(self) -> None:
        """Start a batch, disturb it at a random moment, and look at what it left."""
        process = self.batch(self.out)
        time.sleep(self.chance.uniform(0.5, 0.8 * self.longest))
        if process.poll() is not None:
            self.recover()
            return
        family = _family(process)
        number, victim = self.chance.choice(
            [
                (signal.SIGKILL, process),
                (signal.SIGKILL, self.chance.choice([process, *family])),
                (signal.SIGTERM, process),
                (signal.SIGINT, process),
            ]
        )
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.send_signal(number)
            self.told["kills"] += 1
            self.told[f"{number.name} {'batch' if victim is process else 'child'}"] += 1
        try:
            process.wait(6 * self.longest + WAIT_SECONDS)
        except psutil.TimeoutExpired:
            self.lost(True, "the batch hangs")
            process.kill()
        _, alive = psutil.wait_procs([*family, *_of(self.env)], timeout=WAIT_SECONDS)
        self.told["left running"] += len(alive)
        for item in alive:
            print("LEFT RUNNING:", item, flush=True)
        self.look()

    def look(self) -> None:
        """Find runs that say `done` without the calm batch's result, and files that are not whole."""
        for slug in SLUGS:
            manifest = read_manifest(self.out / slug)
            if manifest is not None and manifest.state == "done":
                fresh = output_hashes(self.out / slug) == manifest.outputs
                self.told["false fresh"] += fresh and _numbers(self.out / slug) != _numbers(self.calm / slug)
        for name in _broken(self.out):
            self.told["half files"] += 1
            print("HALF:", name, flush=True)

    def recover(self) -> None:
        """Let a batch end, hold all that it published against the calm batch, and take something away again."""
        command = [sys.executable, "-m", "leapstudy", "status", "--track", "all", "--out", str(self.out)]
        told = subprocess.run(command, env=self.env, cwd=self.root, capture_output=True, text=True, check=False)
        self.lost(told.returncode and told.stderr, "status failed")
        self.lost(self.batch(self.out).wait(), "the batch after the kills failed")
        moved = moved_files(self.calm, self.out, TOLERANCE)
        self.lost(moved, "other files than the calm batch's")
        verify = [sys.executable, "-m", "leapstudy", "verify", "--out", str(self.out)]
        told = subprocess.run(verify, env=self.env, cwd=self.root, capture_output=True, text=True, check=False)
        self.lost(told.returncode and told.stdout + told.stderr, "verify finds a change")
        self.told["of"] += 1
        self.told["recovered"] += not moved
        for slug in self.chance.sample(SLUGS, self.chance.choice((1, 2, 2))):
            (self.out / slug / self.chance.choice(("notebook.ipynb", "result.json", "manifest.json"))).unlink()


def _shrink(settings: Path) -> None:
    content = yaml.safe_load(settings.read_text(encoding="utf-8"))
    smaller = {code: round(students / SMALLER) for code, students in content["districts"].items()}
    settings.write_text(yaml.safe_dump({**content, "districts": smaller}), encoding="utf-8")


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _of(env: dict[str, str]) -> Iterator[psutil.Process]:
    """Yield what runs with the temporary folder of this attack, whoever its parent is by now."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == env["TMPDIR"]:
                yield process
        except psutil.Error:
            continue


def _numbers(folder: Path) -> str:
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return json.dumps({name: value for name, value in result.items() if name != "made"})


def _broken(out: Path) -> Iterator[str]:
    for name in published(out) if out.is_dir() else ():
        content = (out / name).read_bytes()
        whole = content.endswith((b"</html>\n", b"</html>")) if name.endswith(".html") else bool(content)
        if name.endswith((".json", ".ipynb")):
            try:
                json.loads(content)
            except ValueError:
                whole = False
        if not whole and not name.endswith("run.log"):
            yield name


def main() -> None:
    """Kill, recover, count, and keep the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        attack = Attack(Path(folder), asked.seed)
        while attack.told["kills"] < asked.kills:
            attack.kill()
            print(dict(attack.told), flush=True)
        attack.recover()
        left = [path for path in attack.temporary.rglob("*") if path.is_file()]
        print("left in the temporary folder:", *(path.relative_to(attack.temporary) for path in left))
        told = attack.told
    by = "; ".join(f"{name} {count}" for name, count in sorted(told.items()) if name.startswith("SIG"))
    row = {
        **machine(),
        "kills": asked.kills,
        "by": by,
        "lost": told["lost"],
        "false_fresh": told["false fresh"],
        "half_files": told["half files"],
        "left_running": told["left running"],
        "left_files": len(left),
        "recovered": told["recovered"],
        "of": told["of"],
        "seed": asked.seed,
    }
    append(TABLE, COLUMNS, [row])


if __name__ == "__main__":
    main()
