"""A whole batch: what is stale runs, the rest stays; failures are told, never hidden.

While it runs a person sees who is at work, how many are done, and how long it will take.
"""

import datetime
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from leapstudy.batch.execute import CannotWrite, own_files, time_limit
from leapstudy.batch.executors import LocalPool, Pool, Work
from leapstudy.batch.job import Run, input_hashes, one_thread, signature
from leapstudy.batch.last_batch import forget, keep, locked
from leapstudy.batch.manifest import Manifest, key_of, read_manifest, stale_reasons, write_manifest
from leapstudy.batch.ro_crate import RecordedRun, previous_runs, write_record
from leapstudy.core.estimate import Estimate, to_frame, write_estimates
from leapstudy.core.files import sweep
from leapstudy.core.names import ALL_SLUG, STUDENT_SLUG
from leapstudy.evidence.scan import ScanReport, scan_folder
from leapstudy.site.build import build_site, prepare_pages
from leapstudy.site.index import EXPECTED, track_of
from leapstudy.students.settings import load_settings
from leapstudy.study.result import load_result

NAMED = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of a batch: what it was, its manifest, and whether it was run now or was fresh."""

    run: Run
    manifest: Manifest
    reran: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """A finished batch: its runs, the page to open, and what the last look for students' ids found."""

    outcomes: tuple[Outcome, ...]
    index: Path
    scan: ScanReport

    @property
    def failed(self) -> dict[str, Manifest]:
        """Slug -> manifest of the runs that did not succeed."""
        return {item.run.slug: item.manifest for item in self.outcomes if item.manifest.state != "done"}


def run_batch(
    plan: Sequence[Run],
    out: Path,
    jobs: int,
    *,
    force: bool = False,
    timeout: int = 0,
    console: Console,
    pool: Callable[[Work], Pool] = LocalPool,
    question: str = "",
    after: Callable[[], None] = lambda: None,
) -> Batch:
    """Run what is stale (or everything with `force`), gather the estimates, build the pages, scan them.

    Parameters
    ----------
    plan
        The runs, validated.
    out
        The output folder; held for this batch alone.
    jobs
        Notebooks at a time.
    force
        Rerun everything, even if up to date.
    timeout
        Seconds that one cell may take; 0 takes `execute.time_limit`.
    console
        Where progress is shown.
    pool
        Where the runs happen.
    question
        What was asked for (`last_batch.asked`): the next batch that asks the same need not plan again.
    after
        What is done at the end while the folder is still held, sending its files on say.

    Raises
    ------
    BadInput
        If the folder cannot be written or another batch holds it.
    CannotWrite
        If the disk is full.
    """
    one_thread()
    start = datetime.datetime.now(datetime.UTC)
    with locked(out):
        forget(out)
        work = _work(plan, out, jobs, force, timeout)
        previous = previous_runs(out, {run.slug for run in plan})
        manifests = _execute(work, plan, previous, pool, console)
        outcomes = tuple(
            Outcome(run, manifests.get(run.slug) or _fresh(out, run), run.slug in manifests) for run in plan
        )
        batch = _publish(outcomes, previous, out, start)
        if batch.scan.ok:
            keep(out, question, plan)
        after()
        return batch


def _work(plan: Sequence[Run], out: Path, jobs: int, force: bool, timeout: int) -> Work:
    # the signatures first: a file that changes while the keys are made is noticed, too
    signatures = {run.slug: signature(run.track, own_files(run)) for run in plan}
    inputs = {track: input_hashes(track) for track in {run.track for run in plan}}
    keys = {run.slug: key_of(run, inputs[run.track]) for run in plan}
    stale = [run for run in plan if force or stale_reasons(out / run.slug, keys[run.slug])]
    return Work(_longest_first(stale), out, keys, signatures, jobs, timeout or time_limit(stale))


def _longest_first(runs: Sequence[Run]) -> list[Run]:
    """Return the runs with the longest in front: none that starts last may keep the others waiting.

    The first run of the student track measures the state for all of them; all districts together have robust bounds.
    """
    students = next((run for run in runs if run.track == "students"), None)
    long = [run for run in runs if run is students or run.slug == ALL_SLUG]
    return [*long, *(run for run in runs if run not in long)]


def _execute(
    work: Work, plan: Sequence[Run], previous: Sequence[RecordedRun], pool: Callable[[Work], Pool], console: Console
) -> dict[str, Manifest]:
    if not work.runs:
        return {}
    manifests: dict[str, Manifest] = {}
    expected = expected_seconds(work.runs, work.out)
    # what pages are made with takes seconds to import: it does so while the first kernels are at work
    Thread(target=_import_pages, daemon=True).start()
    try:
        with (
            board(work.runs, expected, work.jobs, console) as display,
            closing(pool(work).results(display.started)) as results,
        ):
            for run, manifest in results:
                manifests[run.slug] = manifest
                display.ended(run, manifest)
                if manifest.state == "done":
                    _prepare(run, plan, previous, work.out)
    finally:
        _mark_interrupted(work.out, [run for run in work.runs if run.slug not in manifests])
        sweep()  # kernels that have ended took no leave
    return manifests


def _import_pages() -> None:
    """Import ahead of time; where the batch ends meanwhile, whoever needs it says what is wrong."""
    with suppress(Exception):
        import_module("leapstudy.site.build")


def _prepare(run: Run, plan: Sequence[Run], previous: Sequence[RecordedRun], out: Path) -> None:
    """Write the pages of a run while others go on; a disk that is full is told at the end, when all of them are due."""
    expected = [_page(item, "done" if item is run else EXPECTED, out) for item in plan]
    with suppress(OSError):
        prepare_pages(out, [*expected, *(item.page(out) for item in previous)], run.slug)


def _mark_interrupted(out: Path, runs: Sequence[Run]) -> None:
    for run in runs:
        before = read_manifest(out / run.slug)
        if before is not None and before.state == "running":
            # on a full disk it stays `running`, which is read as interrupted too
            with suppress(OSError):
                write_manifest(out / run.slug, replace(before, state="interrupted"))


def _publish(
    outcomes: Sequence[Outcome], previous: Sequence[RecordedRun], out: Path, start: datetime.datetime
) -> Batch:
    """Make what is made of all runs together, and look at everything once more before anyone reads it."""
    pages = [_page(item.run, item.manifest.state, out, item.manifest.error) for item in outcomes]
    pages = sorted([*pages, *(item.page(out) for item in previous)], key=_place)
    unsound = {item.slug for item in previous if not item.sound}
    try:
        gather(out, [page["slug"] for page in pages if page["slug"] not in unsound])
        index = build_site(out, pages)
        write_record(out, [item.run for item in outcomes], previous, start, anew=any(item.reran for item in outcomes))
        return Batch(tuple(outcomes), index, scan_folder(out, _own_numbers(outcomes)))
    except OSError as failure:
        raise CannotWrite("the pages", failure) from failure


def _place(page: Mapping[str, Any]) -> tuple[bool, bool, str, bool, str]:
    """Return what runs are sorted by, whichever batch made them: units, articles, then the units of student files."""
    slug, track = page["slug"], track_of(page["slug"])
    own = track == "students"
    return own, not own and (not track or slug == ALL_SLUG), page["source"], slug == f"{STUDENT_SLUG}{ALL_SLUG}", slug


def _own_numbers(outcomes: Sequence[Outcome]) -> Iterable[str]:
    """Return the students' own numbers where their files were read anew; pseudonyms are looked for in any case."""
    read = [one for one in outcomes if one.reran and one.run.track == "students" and one.manifest.state == "done"]
    if not read:
        return ()
    from leapstudy.study.student_files import told_numbers  # brings the engine, which figures alone do not need

    return told_numbers(load_settings())


def _fresh(out: Path, run: Run) -> Manifest:
    manifest = read_manifest(out / run.slug)
    assert manifest is not None, "a fresh run has a manifest"
    return manifest


def _page(run: Run, state: str, out: Path, error: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    notebook = out / run.slug / "notebook.ipynb" if state == "done" else None
    return {
        "slug": run.slug,
        "title": run.title,
        "source": run.notebook.name,
        "status": state,
        "error": error or {},
        "notebook": notebook,
    }


def gather(out: Path, slugs: Iterable[str]) -> pd.DataFrame:
    """Write `estimates.csv` from the results of the districts among `slugs`, and return it; articles have none."""
    rows: list[Estimate] = []
    for slug in slugs:
        path = out / slug / "result.json"
        if track_of(slug) and path.is_file():
            rows += [Estimate(**row) for row in load_result(path)["estimates"]]
    frame = to_frame(rows)
    write_estimates(frame, out / "estimates.csv")
    return frame


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
