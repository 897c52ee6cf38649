"""The record of a batch, to be checked years later: an RO-Crate of inputs, hashes, versions, seeds and timings.

RO-Crate 1.1 (Soiland-Reyes et al. 2022): one JSON-LD file beside the results that describes every file of them, and
one action a run that says from what, with what, when and how each was made. What earlier batches left in the
output folder stays in it, on the site and in the tables beside the new runs.
"""

import contextlib
import datetime
import json
import mimetypes
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import leapstudy
from leapstudy.batch.job import Run
from leapstudy.batch.last_batch import published
from leapstudy.batch.manifest import Manifest, damage, read_manifest
from leapstudy.core.files import modified, write_text_atomic
from leapstudy.data.names import program_name
from leapstudy.site.index import EARLIER
from leapstudy.site.stamps import read_stamps
from leapstudy.study.result import made

DAMAGED = "damaged"
NAME = "ro-crate-metadata.json"
SPEC = "https://w3id.org/ro/crate/1.1"
CONTEXT = [f"{SPEC}/context", {"sha256": "https://schema.org/sha256"}]
LICENSE = "https://spdx.org/licenses/MIT"
SOFTWARE, PYTHON, LOCK = "#leapstudy", "#python", "#requirements.lock"
STATUS = {"done": "http://schema.org/CompletedActionStatus"}
FAILED = "http://schema.org/FailedActionStatus"
Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run of this batch or an earlier one, as far as its folder tells."""

    slug: str
    title: str
    source: str
    manifest: Manifest
    ended: datetime.datetime
    damage: tuple[str, ...] = ()

    def page(self, out: Path) -> dict[str, Any]:
        """Return the run as `build_site` takes it; it may be stale by now, which `leapstudy status` tells."""
        status = DAMAGED if self.damage else EARLIER if self.sound else self.manifest.state
        return {
            "slug": self.slug,
            "title": self.title,
            "source": self.source,
            "error": {"message": "; ".join(self.damage)} if self.damage else self.manifest.error,
            "status": status,
            "notebook": out / self.slug / "notebook.ipynb" if self.sound else None,
        }

    @property
    def sound(self) -> bool:
        """Whether it ended well and its outputs are as it left them; anything else is named and left out."""
        return self.manifest.state == "done" and not self.damage


def previous_runs(out: Path, slugs: Container[str]) -> list[RecordedRun]:
    """Return the runs of earlier batches that the new one does not ask for and whose folders are still there."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        runs = [run for run in read_stamps(out)["runs"] if run["slug"] not in slugs]
        recorded = [_recorded(out, run["slug"], run["title"], run["source"]) for run in runs]
        return [replace(run, damage=_damage(out / run.slug, run.manifest)) for run in recorded if run is not None]
    return []


def _recorded(out: Path, slug: str, title: str, source: str) -> RecordedRun | None:
    """Return a run as its folder tells it; None without a manifest."""
    manifest, place = read_manifest(out / slug), out / slug / "manifest.json"
    if manifest is None:
        return None
    return RecordedRun(
        slug, title, source, manifest, datetime.datetime.fromtimestamp(modified(place) / 1e9, datetime.UTC)
    )


def _damage(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    return tuple(damage(folder, manifest)) if manifest.state == "done" else ()


def write_record(
    out: Path, runs: Iterable[Run], previous: Iterable[RecordedRun], started: datetime.datetime, *, anew: bool = True
) -> Path:
    """Describe a finished batch in its output folder.

    Parameters
    ----------
    out
        The output folder.
    runs
        The batch's runs; one without a manifest is left out.
    previous
        Runs of earlier batches that stay in the folder.
    started
        When the batch began, with its time zone.
    anew
        Write it also where there is one that still says what is there; a batch with nothing to do leaves that as it is.
    """
    path = out / NAME
    if not anew and recorded_hashes(out) == {item["name"]: item["sha256"] for item in describe_files(out)}:
        return path
    own = (_recorded(out, run.slug, run.title, run.notebook.name) for run in runs)
    records = [*(run for run in own if run is not None), *previous]
    crate = crate_of(describe_files(out), records, made({}), started, datetime.datetime.now(datetime.UTC))
    write_text_atomic(path, json.dumps(crate, indent=1, ensure_ascii=False) + "\n")
    return path


def recorded_hashes(out: Path) -> dict[str, str]:
    """Return file -> SHA-256 as the record says; empty where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        graph = json.loads((out / NAME).read_text(encoding="utf-8"))["@graph"]
        return {item["name"]: item["sha256"] for item in graph if item["@type"] == "File"}
    return {}


def describe_files(out: Path) -> list[Entity]:
    """Return every file of the output folder with its size, type and hash; hidden files and the record are left out."""
    return [_file(out, name, digest) for name, digest in published(out).items() if name != NAME]


def _file(out: Path, name: str, digest: str) -> Entity:
    kind = "application/x-ipynb+json" if name.endswith(".ipynb") else mimetypes.guess_type(name)[0]
    return {
        "@id": quote(name),
        "@type": "File",
        "name": name,
        "contentSize": str((out / name).stat().st_size),
        "encodingFormat": kind or "application/octet-stream",
        "sha256": digest,
    }


def crate_of(
    files: Sequence[Entity],
    runs: Sequence[RecordedRun],
    with_what: Mapping[str, Any],
    started: datetime.datetime,
    ended: datetime.datetime,
) -> Entity:
    """Return the crate: the root, its files, one action a run, and everything that these name.

    Parameters
    ----------
    files
        The files, from `describe_files`.
    runs
        The runs.
    with_what
        Versions and lock hash, as `made` gives them.
    started, ended
        When the batch began and ended.
    """
    actions = [entity for run in runs for entity in _action(run, files)]
    inputs = {name: digest for run in runs for name, digest in _data(run).items()}
    return {
        "@context": CONTEXT,
        "@graph": [
            {"@id": NAME, "@type": "CreativeWork", "conformsTo": {"@id": SPEC}, "about": {"@id": "./"}},
            _root(files, runs, ended),
            _batch(files, runs, started, ended),
            *files,
            *actions,
            *(_input(name, digest) for name, digest in sorted(inputs.items())),
            *_instruments(with_what),
        ],
    }


def _root(files: Sequence[Entity], runs: Sequence[RecordedRun], end: datetime.datetime) -> Entity:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Did {program_name()} raise attendance: results of one batch",
        "description": (
            f"Estimates, pages and executed notebooks of {len(runs)} runs of leapstudy {leapstudy.__version__}."
        ),
        "datePublished": end.date().isoformat(),
        "license": {"@id": LICENSE},
        "hasPart": _ids(files),
        "mentions": [{"@id": "#batch"}, *({"@id": _run_id(run.slug)} for run in runs)],
    }


def _batch(
    files: Sequence[Entity], runs: Sequence[RecordedRun], start: datetime.datetime, end: datetime.datetime
) -> Entity:
    sound = all(run.manifest.state == "done" for run in runs)
    top_files = [item for item in files if "/" not in item["name"]]
    return {
        "@id": "#batch",
        "@type": "CreateAction",
        "name": "The batch: gather estimates, build the site",
        "instrument": {"@id": SOFTWARE},
        "object": [{"@id": _run_id(run.slug)} for run in runs],
        "result": _ids(top_files),
        "startTime": _iso(start),
        "endTime": _iso(end),
        "actionStatus": {"@id": STATUS["done"] if sound else FAILED},
    }


def _action(run: RecordedRun, files: Sequence[Entity]) -> list[Entity]:
    parameters = [
        {"@id": f"#{run.slug}-{name}", "@type": "PropertyValue", "name": name, "value": value}
        for name, value in (run.manifest.key.get("params") or {}).items()
    ]
    seconds = datetime.timedelta(seconds=run.manifest.seconds)
    action = {
        "@id": _run_id(run.slug),
        "@type": "CreateAction",
        "name": f"{run.source}: {run.title}",
        "instrument": {"@id": SOFTWARE},
        "object": [*({"@id": _input_id(name)} for name in sorted(_data(run))), *_ids(parameters)],
        "result": _ids(item for item in files if item["name"].startswith(f"{run.slug}/")),
        "startTime": _iso(run.ended - seconds),
        "endTime": _iso(run.ended),
        "actionStatus": {"@id": STATUS.get(run.manifest.state, FAILED)},
    }
    if run.manifest.error:
        action["error"] = run.manifest.error.get("message", run.manifest.state)
    return [action, *parameters]


def _instruments(with_what: Mapping[str, Any]) -> list[Entity]:
    packages = [
        {"@id": f"#package-{name}", "@type": "SoftwareApplication", "name": name, "softwareVersion": version}
        for name, version in with_what["packages"].items()
    ]
    software = {
        "@id": SOFTWARE,
        "@type": "SoftwareApplication",
        "name": "leapstudy",
        "softwareVersion": with_what["leapstudy"],
        "identifier": f"sha256 of the sources: {with_what['package_hash']}",
        "license": {"@id": LICENSE},
        "softwareRequirements": [{"@id": PYTHON}, {"@id": LOCK}, *_ids(packages)],
    }
    python = {"@id": PYTHON, "@type": "ComputerLanguage", "name": "Python", "version": with_what["python"]}
    lock = {"@id": LOCK, "@type": "CreativeWork", "name": "requirements.lock", "sha256": with_what["lock_hash"]}
    license = {"@id": LICENSE, "@type": "CreativeWork", "name": "MIT License"}
    return [software, python, lock, license, *packages]


def _input(name: str, digest: str) -> Entity:
    return {"@id": _input_id(name), "@type": "CreativeWork", "name": name, "sha256": digest}


def _data(run: RecordedRun) -> dict[str, str]:
    return run.manifest.key.get("data") or {}


def _input_id(name: str) -> str:
    return f"#input/{quote(name)}"


def _run_id(slug: str) -> str:
    return f"#run-{slug}"


def _ids(entities: Iterable[Entity]) -> list[Entity]:
    return [{"@id": item["@id"]} for item in entities]


def _iso(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="seconds")
