"""An output folder: held by one batch at a time, with the last one as it was asked for and built.

Planning loads and validates every table. Where nothing that planning depends on has changed since the last batch, its
plan still holds, and whether its runs and pages are still as they were is a matter of hashes: no table and no library
is needed.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from leapstudy.batch.job import Run, input_hashes
from leapstudy.batch.manifest import NAME as MANIFEST
from leapstudy.batch.manifest import key_of, some, stale_reasons
from leapstudy.core import paths
from leapstudy.core.errors import BadInput, FolderBusy
from leapstudy.core.files import sha256_bytes, sha256_file, write_text_atomic
from leapstudy.core.sources import package_hash, templates_hash
from leapstudy.site.stamps import FIGURES, STAMPS, read_stamps
from leapstudy.students.guard import key_mark


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the output folder for one batch at a time; a batch that was killed holds it no longer.

    Raises
    ------
    BadInput
        If the folder cannot be written; `FolderBusy` if another batch holds it.
    """
    lock = FileLock(out / ".lock")
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise FolderBusy(
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


NAME = ".batch.json"
RENEWED = (STAMPS, f"{FIGURES.as_posix()}/")


def asked(**what: Any) -> str:
    """Return one hash over what was asked for and every file that planning reads."""
    files = [*paths.notebooks().glob("*.ipynb"), *paths.params().rglob("*"), *paths.raw().rglob("*")]
    hashes = {str(path): sha256_file(path) for path in sorted(files) if path.is_file()}
    if what.get("track") != "public":
        hashes |= {**input_hashes("students"), "key": key_mark()}
    return sha256_bytes(json.dumps([what, hashes, package_hash()], sort_keys=True, default=str).encode())


def keep(out: Path, question: str, plan: Sequence[Run]) -> None:
    """Keep the plan and the hash of every file that is published."""
    runs = [{**asdict(run), "notebook": str(run.notebook)} for run in plan]
    content: dict[str, Any] = {"asked": question, "runs": runs, "built": published(out), "templates": templates_hash()}
    with contextlib.suppress(OSError, ValueError):
        content["shown"] = read_stamps(out)["runs"]
    write_text_atomic(out / NAME, json.dumps(content) + "\n")


def keep_fresh(out: Path, question: str, plan: Sequence[Run]) -> None:
    """Keep a plan of which nothing is left to do, so that the next batch that asks the same need not plan again."""
    with contextlib.suppress(BadInput, FolderBusy), locked(out):
        if untouched(out):
            keep(out, question, plan)


def forget(out: Path) -> None:
    """Drop what was kept; a batch does so before it changes anything."""
    (out / NAME).unlink(missing_ok=True)


def kept_plan(out: Path, question: str) -> list[Run] | None:
    """Return the last batch's plan if it answers this question, else None."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        record = _read(out)
        if record["asked"] == question:
            return [Run(**{**run, "notebook": Path(run["notebook"])}) for run in record["runs"]]
    return None


def kept_part(out: Path, track: str, names: Sequence[str] = ()) -> list[Run] | None:
    """Return runs of one track of the last batch if that was of everything and still holds, else None.

    All of them, or those of the public track that `names` has; a name that is no run's needs a plan to be understood.
    """
    # what is refused of the other track's files is nobody's question here
    with contextlib.suppress(BadInput, OSError, ValueError, TypeError, KeyError):
        every = "all" if len({run["track"] for run in _read(out)["runs"]}) > 1 else track
        if (every, names) == (track, ()) or (names and track != "public"):
            return None
        whole = kept_plan(out, asked(districts=None, track=every, settings=None, out=out)) or []
        runs = {run.slug: run for run in whole if run.track == track}
        return [runs[name] for name in dict.fromkeys(names or runs)] or None
    return None


def reasons(plan: Sequence[Run], out: Path) -> dict[str, list[str]]:
    """Return slug -> why the run must be made again; empty where it is fresh."""
    inputs = {track: input_hashes(track) for track in {run.track for run in plan}}
    return {run.slug: stale_reasons(out / run.slug, key_of(run, inputs[run.track])) for run in plan}


def untouched(out: Path) -> bool:
    """Return whether everything that the last batch published is there as it was, made by today's templates."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        record = _read(out)
        return record["templates"] == templates_hash() and record["built"] == published(out)
    return False


def touched(out: Path) -> list[str]:
    """Return why pages, pictures, documents and tables are not as they were written; empty where they are.

    A batch that did not finish, and one that came from elsewhere, have no plan here: what they wrote stands in their
    record.
    """
    try:
        record = _read(out) if (out / NAME).exists() else {}
        stamps = read_stamps(out) if record or (out / STAMPS).exists() else {}
        hashes = record["built"] if record else _hashes_on_record(out)
        # a report renews pages, pictures and documents after the batch, and keeps their hashes
        expected = {name: digest for name, digest in hashes.items() if not name.startswith(RENEWED)}
        expected |= stamps.get("sums", {})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return [f"missing or damaged: {NAME} or {STAMPS}"]
    if stamps.get("ahead") or (not hashes and any(out.glob(f"*/{MANIFEST}"))):
        return ["not finished"]
    current = published(out)
    missing = [name for name in expected if name not in current]
    by_hand = [name for name, digest in expected.items() if current.get(name, digest) != digest]
    if record and relisted(out):
        by_hand.append(STAMPS)
    words = "changed by hand" if record else "not as recorded"
    why = [f"{what}: {some(names)}" for what, names in (("missing", missing), (words, by_hand)) if names]
    return why + ["the templates changed"] * (record.get("templates", templates_hash()) != templates_hash())


def relisted(out: Path) -> bool:
    """Return whether the site's list of runs is not the last batch's: a report writes the file anew, never its runs."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return bool(_read(out)["shown"] != read_stamps(out)["runs"])
    return False  # of a batch that came from elsewhere, nothing is kept


def _hashes_on_record(out: Path) -> dict[str, str]:
    from leapstudy.batch.ro_crate import recorded_hashes  # imports this module, and pandas

    return recorded_hashes(out)


def _read(out: Path) -> dict[str, Any]:
    return json.loads((out / NAME).read_text(encoding="utf-8"))


def published(out: Path) -> dict[str, str]:
    """Return name -> SHA-256 of every file of the output folder but hidden ones."""
    files = ((path.relative_to(out), path) for path in sorted(out.rglob("*")) if path.is_file())
    return {
        name.as_posix(): sha256_file(path)
        for name, path in files
        if not any(part.startswith(".") for part in name.parts)
    }
