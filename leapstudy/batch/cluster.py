"""Runs on a Dask cluster that exists already: each run travels with its files, and its results come back by themselves.

A worker that dies loses only what it was doing, and Dask gives that to another. Results are written here as they come
and released there, so nothing finished is ever computed again.
"""

import io
import json
import os
import threading
import zipfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from leapstudy.batch.execute import CannotWrite, Failure, clear, execute
from leapstudy.batch.executors import Started, Work
from leapstudy.batch.job import Run, input_hashes, one_thread
from leapstudy.batch.manifest import NAME, Manifest, changed, key_of, write_manifest
from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.files import process_folder, scratch_folder, sha256_bytes, write_bytes_atomic

WAIT_SECONDS = 30
Files = dict[str, bytes]


def need_dask() -> None:
    """Raise `BadInput` where Dask is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise BadInput(
            "--dask needs Dask, which is not installed here. Install it with: python -m pip install dask distributed"
        ) from None


def run_on_worker(run: Run, key: Mapping[str, Any], parcel: bytes, digest: str, timeout: int) -> tuple[Manifest, Files]:
    """Run one notebook where this is called; return its manifest and the files it made.

    A worker whose package, lock file or Python differs would give other results: that is a failure with its reason.
    """
    one_thread()
    root = unpack(parcel, digest)
    os.environ["LEAPSTUDY_ROOT"] = str(root)
    with scratch_folder() as folder:
        result = str(folder / run.slug / "result.json")
        parameters = {name: result if name == "result_path" else value for name, value in run.parameters.items()}
        here = replace(run, notebook=root / "notebooks" / run.notebook.name, parameters=parameters)
        differs = changed(key, key_of(here, input_hashes(run.track)))
        if differs:
            return Manifest("failed", dict(key), error=_other_worker(differs)), {}
        manifest = execute(here, folder, key, timeout=timeout)
        files = (path for path in (folder / run.slug).iterdir() if path.name != NAME)
        return manifest, {path.name: path.read_bytes() for path in files}


def _other_worker(differs: list[str]) -> Failure:
    words = "; ".join(differs)
    hint = "install the same lock file and package on every worker"
    return {"cell": "", "message": f"the worker differs from this machine ({words})", "hint": hint, "detail": words}


@dataclass(frozen=True, slots=True)
class ClusterPool:
    """The runs of a batch on the cluster whose scheduler is at `address`."""

    work: Work
    address: str

    def results(self, started: Started) -> Generator[tuple[Run, Manifest]]:
        """Yield each run with its manifest as its files arrive.

        Raises
        ------
        BadInput
            If no scheduler answers, or it has no worker.
        """
        from distributed import as_completed

        client = self._connect()
        futures: dict[Any, Run] = {}
        try:
            for run in self.work.runs:
                self._mark(run)
                futures[self._submit(client, run)] = run
                started(run)
            for future in as_completed(list(futures), loop=client.loop):
                run = futures.pop(future)
                manifest, files = _outcome(future, self.work.keys[run.slug])
                # the cluster may forget it now: it would be computed again if its worker died
                future.release()
                self._keep(run, manifest, files)
                yield run, manifest
        finally:
            client.cancel(list(futures))
            client.close()

    def _connect(self) -> Any:
        from distributed import Client

        try:
            client = Client(self.address, timeout=WAIT_SECONDS, set_as_default=False)
            client.wait_for_workers(1, timeout=WAIT_SECONDS)
        except (OSError, ValueError, TimeoutError) as error:
            raise BadInput(
                f"The Dask cluster at {self.address!r} cannot be used ({error or 'no answer'}). Give the address that "
                f"`dask scheduler` prints, for example tcp://10.0.0.1:8786, and start at least one worker."
            ) from None
        return client

    def _submit(self, client: Any, run: Run) -> Any:
        parcel, key = pack(run.notebook), self.work.keys[run.slug]
        return client.submit(
            run_on_worker,
            run,
            key,
            parcel,
            sha256_bytes(parcel),
            self.work.timeout,
            key=f"leapstudy-{run.slug}-{uuid4().hex}",
            pure=False,
        )

    def _mark(self, run: Run) -> None:
        folder = self.work.out / run.slug
        try:
            clear(folder)
            write_manifest(folder, Manifest("running", self.work.keys[run.slug]))
        except OSError as failure:
            raise CannotWrite(run.slug, failure) from failure

    def _keep(self, run: Run, manifest: Manifest, files: Files) -> None:
        folder = self.work.out / run.slug
        try:
            for name, content in files.items():
                write_bytes_atomic(folder / name, content)
            write_manifest(folder, manifest)
        except OSError as failure:
            raise CannotWrite(run.slug, failure) from failure


def _outcome(future: Any, key: Mapping[str, Any]) -> tuple[Manifest, Files]:
    try:
        return future.result()
    except Exception as failure:  # whatever a worker raises is this run's failure, not the batch's
        first = str(failure).strip().splitlines()[0] if str(failure).strip() else "no message"
        message = f"{type(failure).__name__} on the cluster: {first}"
        hint = "see the worker's log; a worker that dies every time may be short of memory"
        return Manifest(
            "failed", dict(key), error={"cell": "", "message": message, "hint": hint, "detail": str(failure)}
        ), {}


def pack(notebook: Path) -> bytes:
    """Return notebook (without outputs), parameters, published figures and lock file as one archive."""
    root = paths.root()
    files = {path for folder in (paths.params(), paths.raw()) for path in folder.rglob("*") if path.is_file()}
    files |= {path for path in [root / "requirements.lock"] if path.is_file()}
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        # without times: equal content is an equal parcel
        archive.writestr(zipfile.ZipInfo(f"notebooks/{notebook.name}"), _stripped(notebook), zipfile.ZIP_DEFLATED)
        for path in sorted(files):
            name = zipfile.ZipInfo(path.relative_to(root).as_posix())
            archive.writestr(name, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def _stripped(notebook: Path) -> str:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(content)


def unpack(parcel: bytes, digest: str) -> Path:
    """Return the folder of an unpacked parcel, private to this process and gone with it.

    Parameters
    ----------
    parcel
        What `pack` gave.
    digest
        Its SHA-256 as the sender knows it.

    Raises
    ------
    BadInput
        If the parcel is not what was sent.
    """
    if sha256_bytes(parcel) != digest:
        raise BadInput("The files of this run were changed on their way to the worker. Run again.")
    folder = process_folder() / digest
    with _making:
        if not folder.is_dir():
            part = folder.with_suffix(".part")
            part.mkdir(mode=0o700, exist_ok=True)
            with zipfile.ZipFile(io.BytesIO(parcel)) as archive:
                archive.extractall(part)
            part.replace(folder)
    return folder


_making = threading.Lock()
