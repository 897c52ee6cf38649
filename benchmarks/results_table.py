"""How a benchmark keeps its figures: a line a figure, appended to a table, with the day and the machine."""

import csv
import datetime
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


def machine(packages: Iterable[str] = ()) -> dict[str, object]:
    """Return date, cores, load, Python and the versions of `packages`."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M"),
        "cores": os.cpu_count(),
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "versions": " ".join(filter(None, map(_version, packages))),
    }


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


def append(table: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Append rows to a table of results, with its header where it is new; a column that a row lacks stays empty."""
    RESULTS.mkdir(exist_ok=True)
    new = not table.exists()
    with table.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, restval="", lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)
