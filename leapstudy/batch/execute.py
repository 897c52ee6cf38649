"""One notebook through papermill: its own log, a time limit, and outputs that appear whole or not at all."""

import errno
import logging
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillException, PapermillExecutionError
from traitlets.config import Config

from leapstudy.batch.engine import ENGINE, FLOOD, INTERRUPT, MAX_BYTES, MAX_MESSAGES, NO_HISTORY, Watch, settle_streams
from leapstudy.batch.job import Run, Signature, input_hashes, own_inputs, signature, student_files
from leapstudy.batch.kernels import KERNEL, offer
from leapstudy.batch.manifest import Manifest, State, changed, key_of, output_hashes, write_manifest
from leapstudy.core.errors import BadInput, LeapstudyError
from leapstudy.core.files import scratch_folder, write_text_atomic
from leapstudy.core.live import WIDGET
from leapstudy.core.sources import package_hash
from leapstudy.site.index import track_of
from leapstudy.study.result import load_result

ANSI = re.compile(r"\x1b\[[0-9;]*m")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DISK_HINT = "free some space, then `leapstudy run` goes on from there"
# How jupyter_client begins to say that a kernel died before its first cell.
DEAD_AT_START = "Kernel died before replying"
Failure = dict[str, str]
# How long a cell may take. Of student files the first cell that asks measures every district, and others wait for it:
# at 500 MB of memory two cores take about 2 s for a MiB of CSV, and an endless loop still ends.
TIMEOUT_SECONDS, SECONDS_A_MIB = 300, 5
NOTEBOOK, FAILED = "notebook.ipynb", "failed.ipynb"
RESULT = "result.json"
MADE = (NOTEBOOK, FAILED, RESULT, "run.log", "manifest.json")


class CannotWrite(LeapstudyError):
    """A result could not be written; nothing that was not written whole counts as done."""

    def __init__(self, slug: str, error: OSError) -> None:
        what = "The disk is full" if error.errno in FULL else f"A file cannot be written ({error.strerror})"
        super().__init__(
            f"{what}: {slug} could not be kept. What was finished before stands; {DISK_HINT}, or give another folder "
            f"with --out."
        )


def _failure(cell: str, message: str, hint: str, detail: str) -> Failure:
    return {"cell": cell, "message": message, "hint": hint, "detail": detail}


def describe(failure: Exception, watch: Watch, timeout: int) -> Failure:
    """Return the failure of a run.

    Parameters
    ----------
    failure
        What papermill raised.
    watch
        The run's watch: it knows the cell, and whether the run was stopped on purpose.
    timeout
        The time limit of a cell, in seconds.
    """
    cell, detail = f"cell {watch.cell}" if watch.cell else "", str(failure)
    if watch.stopped == FLOOD:
        limit = f"{MAX_BYTES // 1_000_000} MB or {MAX_MESSAGES:,} outputs"
        return _failure(cell, f"printed more than {limit}", "look for a print or display in a loop", detail)
    if watch.stopped == INTERRUPT:
        return _failure(cell, "interrupted", "run again", detail)
    if isinstance(failure, PapermillExecutionError):
        return _in_cell(failure)
    if isinstance(failure, CellTimeoutError):
        hint = "look for an endless loop, or allow more with --timeout"
        return _failure(cell, f"took longer than the time limit of {timeout} s", hint, detail)
    if isinstance(failure, DeadKernelError) or detail.startswith(DEAD_AT_START):
        return _failure(cell, "the kernel died", "out of memory, or killed from outside", detail)
    first = detail.strip().splitlines()[0] if detail.strip() else "no message"
    return _failure(cell, f"{type(failure).__name__}: {first}", "see the log", detail)


def _in_cell(failure: PapermillExecutionError) -> Failure:
    first = str(failure.evalue).splitlines()[0] if failure.evalue else "no message"
    full = failure.ename == "OSError" and f"[Errno {errno.ENOSPC}]" in first
    return _failure(
        f"cell {failure.exec_count}",
        f"{failure.ename}: {first}",
        DISK_HINT if full else "open failed.ipynb at that cell",
        ANSI.sub("", "\n".join(failure.traceback)),
    )


def moved(parts: Sequence[str]) -> Failure:
    """Return the failure of a run whose inputs changed while it ran."""
    words = "; ".join(parts)
    return _failure("", f"its inputs changed while it ran ({words})", "run again", words)


def no_result(reason: str) -> Failure:
    """Return the failure of a run whose cells all ran and whose result is missing or cannot be read."""
    hint = "its last cell saves the result at result_path; open failed.ipynb"
    return _failure("", "every cell ran, but no result was written that can be read", hint, reason)


logging.getLogger("papermill").setLevel(logging.CRITICAL)


def execute(
    run: Run,
    out: Path,
    key: Mapping[str, Any],
    *,
    kernel: str = KERNEL,
    timeout: int = TIMEOUT_SECONDS,
    watch: Watch | None = None,
    seen: Signature | None = None,
) -> Manifest:
    """Run one notebook and return its manifest, which is also written to the run's folder.

    A failure is returned, not raised: the other runs go on. The executed notebook keeps its name only if every cell
    ran and no input changed meanwhile; a failed one is kept beside it as `failed.ipynb`.

    Parameters
    ----------
    run
        The notebook and its parameters.
    out
        Folder of the results; the run writes only to its own folder in it.
    key
        What the run is made from, computed before it starts.
    kernel
        Name of the kernel.
    timeout
        Seconds that one cell may take.
    watch
        Lets another thread stop the run.
    seen
        The inputs' signature when `key` was computed; as they are now where it is not given.

    Raises
    ------
    CannotWrite
        If a file cannot be written: the disk is full, say.
    """
    offer()
    watch, folder, seen = watch or Watch(), out / run.slug, seen or signature(run.track, own_files(run))
    try:
        clear(folder)
        write_manifest(folder, Manifest("running", dict(key)))
        start = time.perf_counter()
        error = _run_cells(run, folder, kernel, timeout, watch)
        if not error and signature(run.track, own_files(run)) != seen:
            error = _input_changes(run, key, folder)
        error = error or _without_result(run, folder)
        state: State = "interrupted" if watch.stopped == INTERRUPT else "failed" if error else "done"
        manifest = Manifest(state, dict(key), {}, time.perf_counter() - start, error)
        write_text_atomic(folder / "run.log", _log(run, manifest))
        if state == "done":
            manifest = replace(manifest, outputs=output_hashes(folder))
        write_manifest(folder, manifest)
    except OSError as failure:
        raise CannotWrite(run.slug, failure) from failure
    return manifest


def clear(folder: Path) -> None:
    """Take away what an earlier run made, its half-written files too."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in [*(folder / name for name in MADE), *folder.glob(".*.tmp")]:
        path.unlink(missing_ok=True)


def _run_cells(run: Run, folder: Path, kernel: str, timeout: int, watch: Watch) -> Failure:
    """Execute, and write the notebook once, at the end; return the failure, or nothing."""
    # papermill fills parameters into the braces of a path
    source = str(run.notebook).replace("{", "{{").replace("}", "}}")
    try:
        with scratch_folder(sockets=True) as sockets:
            notebook = papermill.execute_notebook(
                source,
                None,
                run.parameters,
                engine_name=ENGINE,
                kernel_name=kernel,
                progress_bar=False,
                execution_timeout=timeout,
                start_timeout=60,
                shutdown_kernel="immediate",
                config=_private(sockets),
                watch=watch,
            )
    except (PapermillException, CellTimeoutError, DeadKernelError, NoSuchKernel, RuntimeError, ValueError) as failure:
        if watch.notebook is not None:
            settle_streams(watch.notebook)
            write_text_atomic(folder / FAILED, nbformat.writes(watch.notebook) + "\n")
        (folder / RESULT).unlink(missing_ok=True)
        return describe(failure, watch, timeout)
    settle_streams(notebook)
    write_text_atomic(folder / NOTEBOOK, nbformat.writes(notebook) + "\n")
    return {}


def _private(folder: Path) -> Config:
    """Return settings for a kernel's connection in a folder that only this user may open."""
    connection: dict[str, str] = {"connection_file": str(folder / "connection.json")}
    if os.name == "posix":
        connection |= {"transport": "ipc", "ip": f"{folder}/kernel"}
    return Config({"KernelManager": connection})


def time_limit(runs: Iterable[Run]) -> int:
    """Return the seconds that one cell of these runs may take where the person names none."""
    files = student_files().values() if any(run.track == "students" for run in runs) else ()
    return TIMEOUT_SECONDS + SECONDS_A_MIB * (sum(file.stat().st_size for file in files) >> 20)


def own_files(run: Run) -> list[Path]:
    """Return the files that this run alone depends on: its notebook and what its parameters name."""
    return [run.notebook, *own_inputs(run.parameters).values()]


def _without_result(run: Run, folder: Path) -> Failure:
    """Return the failure of a run that ended well and left no result that can be read; articles need none."""
    if not track_of(run.slug) or not (folder / NOTEBOOK).is_file():
        return {}
    try:
        load_result(folder / RESULT)
    except BadInput as reason:
        _set_aside(folder)
        return no_result(str(reason))
    return {}


def _set_aside(folder: Path) -> None:
    (folder / NOTEBOOK).replace(folder / FAILED)
    (folder / RESULT).unlink(missing_ok=True)


def _input_changes(run: Run, key: Mapping[str, Any], folder: Path) -> Failure:
    """Return what changed while the run was on its way; a file touched but equal is no change."""
    package_hash.cache_clear()
    parts = changed(key, key_of(run, input_hashes(run.track)))
    if not parts:
        return {}
    _set_aside(folder)
    return moved(parts)


def _log(run: Run, manifest: Manifest) -> str:
    lines = [f"{run.slug}: {run.notebook.name}", f"state: {manifest.state} after {manifest.seconds:.1f} s"]
    lines += [f"  {name} = {value!r}" for name, value in run.parameters.items() if name != "result_path"]
    lines += [f"{name}: {text}" for name, text in manifest.error.items()]
    return "\n".join(lines) + "\n"


def refresh_notebook(path: Path) -> None:
    """Execute every cell and keep the outputs; times, widgets and other traces of the moment are left out.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails; the file stays as it was.
    """
    offer()
    notebook = nbformat.read(path, as_version=4)
    with scratch_folder(sockets=True) as sockets:
        NotebookClient(
            notebook,
            timeout=300,
            kernel_name=KERNEL,
            record_timing=False,
            extra_arguments=list(NO_HISTORY),
            config=_private(sockets),
        ).execute()
    settle_streams(notebook)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    write_text_atomic(path, nbformat.writes(notebook) + "\n")
