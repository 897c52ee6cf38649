"""One notebook through papermill: its own log, a time limit, and outputs that appear whole or not at all."""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import papermill
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillException, PapermillExecutionError
from traitlets.config import Config

from leapstudy.batch.kernels import KERNEL, offer
from leapstudy.batch.manifest import Manifest, output_hashes, write_manifest
from leapstudy.batch.plan import Run
from leapstudy.core.files import write_text_atomic

TIMEOUT_SECONDS = 300
PARTIAL = ".notebook.partial.ipynb"
logging.getLogger("papermill").setLevel(logging.ERROR)


def execute(
    run: Run, out: Path, key: Mapping[str, Any], *, kernel: str = KERNEL, timeout: int = TIMEOUT_SECONDS
) -> Manifest:
    """Run one notebook and return its manifest, which is also written to the run's folder.

    A failure is returned, not raised: the other runs go on. The executed notebook keeps its name only if every cell
    ran; a failed one is kept beside it as `failed.ipynb`.
    """
    offer()
    folder = out / run.slug
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("notebook.ipynb", "failed.ipynb", "result.json", "manifest.json"):
        (folder / name).unlink(missing_ok=True)
    write_manifest(folder, Manifest("running", dict(key)))
    start = time.perf_counter()
    partial = folder / PARTIAL
    error: dict[str, str] = {}
    try:
        with TemporaryDirectory(prefix="leapstudy-") as sockets:
            papermill.execute_notebook(
                run.notebook, partial, run.parameters, kernel_name=kernel, progress_bar=False, log_output=False,
                execution_timeout=timeout, start_timeout=60, coalesce_streams=True, shutdown_kernel="immediate",
                config=_local_sockets(sockets),
            )  # fmt: skip
        partial.replace(folder / "notebook.ipynb")
    except (PapermillException, CellTimeoutError, DeadKernelError, NoSuchKernel, OSError, RuntimeError) as failure:
        error = describe(failure)
        if partial.is_file():
            partial.replace(folder / "failed.ipynb")
        (folder / "result.json").unlink(missing_ok=True)
    seconds = time.perf_counter() - start
    manifest = Manifest(
        "failed" if error else "done", dict(key), {} if error else output_hashes(folder), seconds, error
    )
    write_text_atomic(folder / "run.log", _log(run, manifest))
    write_manifest(folder, manifest)
    return manifest


def _local_sockets(folder: str) -> Config:
    """Return settings for sockets in a folder that only this user may open; Jupyter's default where there are none."""
    if os.name != "posix":
        return Config()
    return Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})


def describe(failure: Exception) -> dict[str, str]:
    """Return a failure as cell, message, hint and detail, in words for a person."""
    if isinstance(failure, PapermillExecutionError):
        return {
            "cell": f"cell {failure.exec_count}",
            "message": f"{failure.ename}: {str(failure.evalue).splitlines()[0] if failure.evalue else 'no message'}",
            "hint": "open failed.ipynb at that cell",
            "detail": "\n".join(failure.traceback),
        }
    if isinstance(failure, CellTimeoutError):
        return {
            "cell": "a cell",
            "message": "took longer than the time limit",
            "hint": "look for an endless loop",
            "detail": str(failure),
        }
    if isinstance(failure, DeadKernelError):
        return {
            "cell": "a cell",
            "message": "the kernel died",
            "hint": "out of memory, or killed from outside",
            "detail": str(failure),
        }
    first = str(failure).strip().splitlines()[0] if str(failure).strip() else type(failure).__name__
    return {"cell": "", "message": f"{type(failure).__name__}: {first}", "hint": "see the log", "detail": str(failure)}


def _log(run: Run, manifest: Manifest) -> str:
    lines = [f"{run.slug}: {run.notebook.name}", f"state: {manifest.state} after {manifest.seconds:.1f} s"]
    lines += [f"  {name} = {value!r}" for name, value in run.parameters.items() if name != "result_path"]
    lines += [f"{name}: {text}" for name, text in manifest.error.items()]
    return "\n".join(lines) + "\n"
