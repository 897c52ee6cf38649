"""`leapstudy verify`: make every result again somewhere else, and name what moved and what made it move."""

import contextlib
import csv
import json
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from leapstudy.batch.batch import run_batch
from leapstudy.batch.job import Run
from leapstudy.batch.last_batch import RENEWED, published, relisted
from leapstudy.batch.manifest import NAME, damage, read_manifest
from leapstudy.batch.plan import make_plan
from leapstudy.batch.ro_crate import NAME as RECORD
from leapstudy.batch.ro_crate import recorded_hashes
from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.files import scratch_folder
from leapstudy.core.phrases import counted, points
from leapstudy.data import load_study
from leapstudy.site.build import build_site, rebuild_site
from leapstudy.site.index import SHOWN as SHOWN_STATES
from leapstudy.site.index import track_of
from leapstudy.site.render import DOCUMENTS
from leapstudy.site.stamps import STAMPS, note_documents, read_stamps
from leapstudy.students.guard import key_mark
from leapstudy.study.result import load_result

# Files with times or paths of their batch; what they say of the others is checked.
OF_THE_MOMENT = (NAME, RECORD, STAMPS, "run.log", "failed.ipynb")
DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
NAMED = 3
DERIVED = "LEAPSTUDY_DERIVED"
# Points within which a number counts as the same: far below what is printed, above what another processor may round.
TOLERANCE = 1e-8
RELISTED = f"{STAMPS}: its list of runs is not as the batch wrote it"
# Lines of what moved that are printed; more are counted.
SHOWN = 20
NUMBERS = ("estimate_pp", "se_pp", "ci_low_pp", "ci_high_pp", "p_value", "p_floor", "n_treated", "n_comparison")
NAMES = (
    "district_code",
    "estimator",
    "outcome",
    "comparison",
    "edition",
    "pre",
    "post",
    "event_time",
    "role",
    "p_method",
)
VERSIONS = {
    "leapstudy": "leapstudy",
    "python": "Python",
    "package_hash": "the package's sources",
    "lock_hash": "the lock file",
}


def same(old: Any, new: Any, tolerance: float) -> bool:
    """Return whether two values are the same: numbers within a tolerance, NaN only as NaN, all else exactly."""
    if isinstance(old, bool) or isinstance(new, bool) or not isinstance(old, int | float):
        return type(old) is type(new) and old == new
    if not isinstance(new, int | float):
        return False
    if not (math.isfinite(old) and math.isfinite(new)):
        return old == new or (math.isnan(old) and math.isnan(new))
    return abs(old - new) <= tolerance * max(1.0, abs(old))


def differences(old: Any, new: Any, tolerance: float, place: str = "") -> Iterator[str]:
    """Yield where two JSON values differ: `blocks.answer.effect: 1 -> 2`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from differences(old.get(name), new.get(name), tolerance, f"{place}.{name}" if place else name)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from differences(before, after, tolerance, f"{place}[{number}]")
    elif not same(old, new, tolerance):
        yield f"{place}: {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 40 else f"{text[:37]}..."


def moved_files(out: Path, again: Path, tolerance: float) -> list[str]:
    """Return one line for each published file that is not what the inputs give.

    Parameters
    ----------
    out
        The folder that was published.
    again
        The same made once more.
    tolerance
        Largest difference of a number that counts as none.
    """
    old, new = published(out), published(again)
    lines = [*_against_record(out, old), *_against_manifests(out)]
    for name in sorted({*old, *new}):
        if Path(name).name in (*OF_THE_MOMENT, *DOCUMENTS):
            continue
        if name not in new:
            lines.append(f"{name}: nothing makes this file")
        elif name not in old:
            lines.append(f"{name}: not there")
        elif old[name] != new[name]:
            changes = list(_differences(out / name, again / name, tolerance))
            more = f" and {len(changes) - NAMED} more" if len(changes) > NAMED else ""
            lines += [f"{name}: {'; '.join(changes[:NAMED])}{more}"] if changes else []
    return lines


def _against_record(out: Path, hashes: dict[str, str]) -> Iterator[str]:
    """Yield which files are not what the record and the site's own list of hashes say."""
    record = {name: digest for name, digest in recorded_hashes(out).items() if not name.endswith(tuple(DOCUMENTS))}
    try:
        stamps = read_stamps(out)
        sums = stamps["sums"]
    except (OSError, ValueError):
        yield f"{STAMPS}: cannot be read"
        stamps = sums = {}
    if stamps.get("documents"):
        # a report renews pages and pictures after the batch, and keeps their hashes
        record = {name: digest for name, digest in record.items() if not name.startswith(RENEWED)}
        record |= {name: digest for name, digest in sums.items() if not name.endswith(tuple(DOCUMENTS))}
    for name, digest in record.items():
        if hashes.get(name) != digest:
            yield f"{name}: not what {STAMPS if name in sums and stamps.get('documents') else RECORD} says"
    for name, digest in hashes.items():
        if name.endswith(tuple(DOCUMENTS)) and sums.get(name) != digest:
            yield f"{name}: not as `leapstudy report` wrote it"


def _against_manifests(out: Path) -> Iterator[str]:
    for path in sorted(out.glob(f"*/{NAME}")):
        manifest = read_manifest(path.parent)
        if manifest is None:
            yield f"{path.parent.name}/{NAME}: damaged"
        elif manifest.state == "done":
            yield from (f"{path.parent.name}: {text}" for text in damage(path.parent, manifest))


def _differences(old: Path, new: Path, tolerance: float) -> Iterator[str]:
    """Yield in words how two files differ that are not equal byte by byte."""
    try:
        if old.name == "result.json":
            before, after = (json.loads(path.read_text(encoding="utf-8")) for path in (old, new))
            # versions and hashes are told apart, and estimates by their names
            yield from differences(_rest(before), _rest(after), tolerance)
        elif old.suffix == ".csv":
            yield from differences(_rows(old), _rows(new), tolerance)
        elif old.suffix == ".ipynb":
            yield from differences(_cells(old), _cells(new), tolerance)
        elif old.suffix == ".html":
            yield from ["the page differs"] if _page(old) != _page(new) else []
        else:
            yield "the file differs"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        yield "cannot be read"


def _rest(result: Any) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in ("made", "estimates")}


def _rows(path: Path) -> list[list[Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return sorted(([_cell(cell) for cell in row] for row in csv.reader(file)), key=str)


def _cell(text: str) -> Any:
    try:
        return float(text) if "." in text else text
    except ValueError:
        return text


def _cells(path: Path) -> list[Any]:
    """Return what a notebook shows: kinds, sources and outputs; without parameters that name a path of the moment."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    own_cells = [cell for cell in cells if "injected-parameters" not in cell["metadata"].get("tags", [])]
    return [[cell["cell_type"], cell["source"], cell.get("outputs", [])] for cell in own_cells]


def _page(path: Path) -> str:
    """Return a page without the day in its footer."""
    body, foot, rest = path.read_text(encoding="utf-8").rpartition("<footer>")
    return body + foot + DAY.sub("", rest)


@dataclass(frozen=True, slots=True)
class Verification:
    """What a second run found: how much was compared, what moved, and what differs in the making."""

    runs: int
    estimates: int
    files: int
    moved: tuple[str, ...]
    differences: tuple[str, ...]

    def text(self) -> str:
        """Return the verdict, what moved, and what was made otherwise, for a person."""
        same = (
            f"Verified: {counted(self.estimates, 'estimate')} of {counted(self.runs, 'run')} and all "
            f"{counted(self.files, 'published file')} "
            "came out the same again, from the inputs alone."
        )
        verdict = f"{counted(len(self.moved), 'thing')} moved:" if self.moved else same
        rest = len(self.moved) - SHOWN
        more = [f"  and {rest} more"] if rest > 0 else []
        origin = ["Made with something else:", *(f"  {line}" for line in self.differences)] if self.differences else []
        return "\n".join([verdict, *(f"  {line}" for line in self.moved[:SHOWN]), *more, *origin])


def verify(out: Path, jobs: int, console: Console) -> Verification:
    """Make everything in `out` once more in a temporary place, from the inputs alone, and compare.

    Nothing that an earlier run kept is read: neither results nor the answers in `data/derived`.

    Parameters
    ----------
    out
        Folder of the results; only read.
    jobs
        Notebooks at a time.
    console
        Where progress is shown.

    Raises
    ------
    BadInput
        If there is no finished batch to compare with.
    """
    records = _site_runs(out)
    slugs = [run["slug"] for run in records if run["status"] in SHOWN_STATES]
    with scratch_folder() as scratch, _without_cache(scratch / "derived"):
        again = scratch / "reports"
        tracks = {track_of(slug) for slug in slugs}
        track = "students" if tracks == {"students"} else "all" if "students" in tracks else "public"
        plan = {run.slug: run for run in make_plan(load_study(started=track != "students"), [], track, {}, again)}
        runs = [replace(plan[slug], parameters=_parameters(plan[slug], out / slug)) for slug in slugs if slug in plan]
        run_batch(runs, again, jobs, force=True, console=console)
        build_site(again, [_again(run, plan, again) for run in records])
        _bring_documents(out, again)
        return _compared(out, again, slugs)


def _site_runs(out: Path) -> list[dict[str, Any]]:
    """Return the runs as the site lists them."""
    with contextlib.suppress(OSError, ValueError):
        if records := read_stamps(out)["runs"]:
            return records
    raise BadInput(f"There is no finished batch in {out.name}/ to verify. Run `leapstudy run` first.")


@contextmanager
def _without_cache(folder: Path) -> Iterator[None]:
    """Let this process and its kernels keep what they derive in another folder."""
    before = os.environ.get(DERIVED)
    os.environ[DERIVED] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(DERIVED)
        if before is not None:
            os.environ[DERIVED] = before


def _parameters(run: Run, folder: Path) -> dict[str, Any]:
    manifest = read_manifest(folder)
    params = {} if manifest is None else manifest.key.get("params") or {}
    return {name: params.get(name, value) for name, value in run.parameters.items()}


def _again(record: Mapping[str, Any], plan: Mapping[str, Run], again: Path) -> dict[str, Any]:
    """Return a run as the site should list it: what the plan knows comes from the plan."""
    run, notebook = plan.get(record["slug"]), again / record["slug"] / "notebook.ipynb"
    names = {"title": run.title, "source": run.notebook.name} if run else {}
    return {**record, **names, "notebook": notebook if notebook.is_file() else None}


def _bring_documents(out: Path, again: Path) -> None:
    """Let the pages made again lead to the documents that `report` has written since the batch, as those there do."""
    documents_before = read_stamps(out).get("documents", {})
    # by the names that there can be: a name in that file may lead anywhere
    places = [folder / name for folder in sorted(again.iterdir()) if folder.is_dir() for name in DOCUMENTS]
    documents = [path for path in places if path.relative_to(again).as_posix() in documents_before]
    for path in documents:
        with contextlib.suppress(OSError):  # one that is gone is told where the folders are compared
            shutil.copy(out / path.relative_to(again), path)
    note_documents(again, [path for path in documents if path.is_file()])
    rebuild_site(again)


def _compared(out: Path, again: Path, slugs: Sequence[str]) -> Verification:
    changes: list[str] = []
    differences: dict[str, None] = {}
    estimates = 0
    for slug in [slug for slug in slugs if track_of(slug)]:
        old, new = _result(out / slug), _result(again / slug)
        if not (old and new):
            changes.append(f"{slug}: {'the run gave no result this time' if old else 'its result cannot be read'}")
            continue
        estimates += len(old["estimates"])
        changes += [f"{slug}: {text}" for text in moved_estimates(old["estimates"], new["estimates"], TOLERANCE)]
        differences |= dict.fromkeys(made_otherwise(old.get("made") or {}, new["made"]))
        differences |= dict.fromkeys(_other_key(out / slug))
    changes += moved_files(out, again, TOLERANCE)
    changes += [RELISTED] * relisted(out)
    return Verification(len(slugs), estimates, len(published(out)), tuple(changes), tuple(differences))


def _other_key(folder: Path) -> list[str]:
    """Say where a run was made with another key for students' numbers: it deals the placebo's lots."""
    manifest = read_manifest(folder)
    key = None if manifest is None else manifest.key.get("student_key")
    return [] if key in (None, key_mark()) else ["the key for students' numbers is another one"]


def _result(folder: Path) -> dict[str, Any]:
    result, _ = attempt(load_result, folder / "result.json")
    return result if result and isinstance(result.get("estimates"), list) else {}


def moved_estimates(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], tolerance: float) -> list[str]:
    """Return one line for each estimate that moved, came or went."""
    before, after = _by_name(old), _by_name(new)
    lines = [f"{_words(name)}: no longer there" for name in before if name not in after]
    lines += [f"{_words(name)}: was not there before" for name in after if name not in before]
    for name in before:
        if name in after:
            lines += [f"{_words(name)}: {text}" for text in _field_changes(before[name], after[name], tolerance)]
    return lines


def _by_name(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """Return the rows by everything that names them; those that differ in nothing but numbers also by their turn."""
    turns: Counter[tuple[Any, ...]] = Counter()
    by_name = {}
    for row in rows:
        name = tuple(row.get(part) for part in NAMES)
        by_name[(*name, turns[name])] = row
        turns[name] += 1
    return by_name


def _field_changes(old: Mapping[str, Any], new: Mapping[str, Any], tolerance: float) -> Iterator[str]:
    for name in NUMBERS:
        before, after = old.get(name), new.get(name)
        if same(before, after, tolerance):
            continue
        if isinstance(before, int | float) and isinstance(after, int | float) and math.isfinite(after - before):
            yield f"{name} {before:.6g} -> {after:.6g} (by {points(after - before, 6)})"
        else:
            yield f"{name} {before} -> {after}"


def _words(key: Sequence[Any]) -> str:
    return ", ".join(str(part) for part in key[:-1] if part not in (None, ""))


def made_otherwise(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return in words what the two results were made with that is not the same: versions, sources, inputs."""
    lines = [
        f"{words}: {old.get(name)} -> {new.get(name)}" if name in ("leapstudy", "python") else f"{words} changed"
        for name, words in VERSIONS.items()
        if old.get(name) != new.get(name)
    ]
    for part, what in (("packages", "{name}: {old} -> {new}"), ("data_hashes", "the input {name} changed")):
        before, after = old.get(part) or {}, new.get(part) or {}
        lines += [
            what.format(name=name, old=before.get(name, "none"), new=after.get(name, "none"))
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        ]
    return lines
