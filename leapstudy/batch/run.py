"""A whole batch: what is stale runs in parallel, the rest stays; failures are told, never hidden."""

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from leapstudy.batch.execute import execute
from leapstudy.batch.gather import gather
from leapstudy.batch.manifest import Manifest, key_of, read_manifest, stale_reasons, write_manifest
from leapstudy.batch.plan import Run
from leapstudy.core.errors import BadInput
from leapstudy.report.site import build_site

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of a batch: what it was, its manifest, and whether it was run now or was fresh."""

    run: Run
    manifest: Manifest
    reran: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """A finished batch."""

    outcomes: tuple[Outcome, ...]
    index: Path

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The runs that did not succeed."""
        return tuple(item for item in self.outcomes if item.manifest.state != "done")


@contextmanager
def locked(out: Path) -> Any:
    """Hold the output folder for one batch at a time.

    Raises
    ------
    BadInput
        If the folder cannot be written, or another batch holds it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise BadInput(
            f"Another `leapstudy run` is writing to {out.name}/. Wait for it, or give another folder with --out."
        ) from None
    except OSError as error:
        raise BadInput(
            f"The output folder {str(out)!r} cannot be written ({error.strerror}). Give another one with --out."
        ) from None
    try:
        yield
    finally:
        lock.release()


def run_batch(
    plan: Sequence[Run], data_hashes: Mapping[str, str], out: Path, jobs: int, *, force: bool, console: Console
) -> Batch:
    """Run what is stale (or everything with `force`), gather the estimates, build the pages.

    Parameters
    ----------
    plan
        The runs, validated.
    data_hashes
        SHA-256 of every input file.
    out
        The output folder; held for this batch alone.
    jobs
        Notebooks at a time.
    force
        Run also what is fresh.
    console
        Where progress is shown.
    """
    # kernels inherit these: two notebooks on two cores must not fight over threads
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    with locked(out):
        keys = {run.slug: key_of(run, data_hashes) for run in plan}
        stale = [run for run in plan if force or stale_reasons(out / run.slug, keys[run.slug])]
        done = _execute_all(stale, out, keys, jobs, console)
        outcomes = tuple(
            Outcome(run, done[run.slug], True) if run.slug in done else Outcome(run, _fresh(out, run), False)
            for run in plan
        )
        gather(out, [run.slug for run in plan])
        index = build_site(out, [_page(item, out) for item in outcomes])
    return Batch(outcomes, index)


def _fresh(out: Path, run: Run) -> Manifest:
    manifest = read_manifest(out / run.slug)
    assert manifest is not None, "a fresh run has a manifest"
    return manifest


def _page(outcome: Outcome, out: Path) -> dict[str, Any]:
    run, manifest = outcome.run, outcome.manifest
    notebook = out / run.slug / "notebook.ipynb"
    return {
        "slug": run.slug, "title": run.title, "status": manifest.state, "error": manifest.error,
        "notebook": notebook if manifest.state == "done" else None,
    }  # fmt: skip


def _execute_all(
    stale: Sequence[Run], out: Path, keys: Mapping[str, dict[str, Any]], jobs: int, console: Console
) -> dict[str, Manifest]:
    if not stale:
        return {}
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    done: dict[str, Manifest] = {}
    running: set[str] = set()
    stop = threading.Event()

    def one(run: Run) -> Manifest | None:
        if stop.is_set():
            return None
        running.add(run.slug)
        return execute(run, out, keys[run.slug])

    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(jobs) as pool:
        task = progress.add_task("starting", total=len(stale))
        futures: dict[Future[Manifest | None], Run] = {pool.submit(one, run): run for run in stale}
        try:
            for future in as_completed(futures):
                run, manifest = futures[future], future.result()
                if manifest is not None:
                    done[run.slug] = manifest
                    running.discard(run.slug)
                progress.update(task, advance=1, description=", ".join(sorted(running)) or "done")
        except KeyboardInterrupt:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            _mark_interrupted(out, [run for run in stale if run.slug not in done], keys)
            raise
    return done


def _mark_interrupted(out: Path, runs: Sequence[Run], keys: Mapping[str, dict[str, Any]]) -> None:
    for run in runs:
        before = read_manifest(out / run.slug)
        if before is not None and before.state == "running":
            write_manifest(out / run.slug, replace(before, state="interrupted", key=keys[run.slug]))


def failure_table(failed: Sequence[Outcome]) -> Table:
    """Return one line for each distinct failure, with everyone it hit and where to look."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for item in failed:
        groups.setdefault((item.manifest.error.get("cell", ""), item.manifest.error.get("message", "")), []).append(
            item
        )
    table = Table("runs", "cell", "error", "hint", "log", title="What failed", title_justify="left")
    for (cell, message), items in groups.items():
        slugs = ", ".join(item.run.slug for item in items)
        table.add_row(slugs, cell, message, items[0].manifest.error.get("hint", ""), f"{items[0].run.slug}/run.log")
    return table
