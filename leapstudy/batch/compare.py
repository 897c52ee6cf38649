"""Two output folders held against each other: every published file, and every number in it."""

import csv
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leapstudy.batch.last_batch import RENEWED, published
from leapstudy.batch.manifest import NAME, damage, read_manifest
from leapstudy.batch.ro_crate import NAME as RECORD
from leapstudy.batch.ro_crate import recorded_hashes
from leapstudy.site.render import DOCUMENTS
from leapstudy.site.stamps import STAMPS, read_stamps

# Files with times or paths of their batch; what they say of the others is checked.
OF_THE_MOMENT = (NAME, RECORD, STAMPS, "run.log", "failed.ipynb")
DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
NAMED = 3


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
