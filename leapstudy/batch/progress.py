"""What a person sees while a batch runs: who is at work, how many are done, and how long it will take."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from leapstudy.batch.job import Run
from leapstudy.batch.manifest import Manifest, read_manifest

NAMED = 4


def expected_seconds(runs: Sequence[Run], out: Path) -> dict[str, float]:
    """Return slug -> seconds that the run took last time; the mean of the others where it never ran."""
    seconds = {
        run.slug: manifest.seconds for run in runs if (manifest := read_manifest(out / run.slug)) and manifest.seconds
    }
    usual = sum(seconds.values()) / len(seconds) if seconds else 0.0
    return {run.slug: seconds.get(run.slug, usual) for run in runs}


@dataclass(slots=True)
class Board:
    """The progress of one batch, in a terminal as a bar, elsewhere as one line a run."""

    console: Console
    progress: Progress
    task: TaskID
    expected: Mapping[str, float]
    jobs: int
    running: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)
    measured: list[float] = field(default_factory=list)

    def started(self, run: Run) -> None:
        """Note that a run began."""
        self.running[run.slug] = time.monotonic()
        self._show()

    def ended(self, run: Run, manifest: Manifest) -> None:
        """Note that a run ended."""
        self.running.pop(run.slug, None)
        self.waiting.pop(run.slug, None)
        self.measured.append(manifest.seconds)
        self.progress.advance(self.task)
        self._show()
        if not self.console.is_terminal:
            n_done, total = len(self.measured), len(self.expected)
            self.console.print(f"{run.slug}: {manifest.state} in {manifest.seconds:.1f} s ({n_done} of {total})")

    def left(self) -> float:
        """Return the seconds still to come: by the last batch, or by this one's mean where there was none."""
        usual = sum(self.measured) / len(self.measured) if self.measured else 0.0
        return sum(seconds or usual for seconds in self.waiting.values()) / self.jobs

    def _show(self) -> None:
        names = list(self.running)
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        remainder = f"about {self.left():.0f} s left" if self.left() else ""
        self.progress.update(self.task, description=", ".join(names[:NAMED]) + more or "pages", left=remainder)


@contextmanager
def board(runs: Sequence[Run], expected: Mapping[str, float], jobs: int, console: Console) -> Iterator[Board]:
    """Show the progress of `runs` while the block runs."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=len(runs), left="")
        yield Board(console, progress, task, expected, min(jobs, len(runs)), waiting=dict(expected))


def failure_table(failed: Mapping[str, Manifest]) -> Table:
    """Return one line for each distinct failure, with everyone it hit and where to look."""
    groups: dict[tuple[str, str], list[str]] = {}
    for slug, manifest in failed.items():
        groups.setdefault((manifest.error.get("cell", ""), manifest.error.get("message", "")), []).append(slug)
    table = Table("runs", "cell", "error", "hint", "log", title="What failed", title_justify="left")
    for (cell, message), slugs in groups.items():
        hint = failed[slugs[0]].error.get("hint", "")
        # an error's text may hold brackets, which are no markup
        table.add_row(*map(escape, (", ".join(slugs), cell, message, hint, f"{slugs[0]}/run.log")))
    return table
