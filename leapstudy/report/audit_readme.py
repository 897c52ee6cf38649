"""Checks of what a reader needs: the README, the figures and their descriptions, exhibits, citation."""

import hashlib
import re
from pathlib import Path

import yaml

from leapstudy.report.audit_place import Place, absent, lacks, section
from leapstudy.report.citation import citation_faults


def overview(place: Place) -> str:
    """Look for the answer with an interval in the prose before the README's first section."""
    prose = [line for line in place.readme.split("\n## ")[0].splitlines() if not line.startswith(("!", "*", "#"))]
    return (
        "" if any("interval" in line for line in prose) else "README.md does not begin with the answer and its interval"
    )


def data_statement(place: Place) -> str:
    """Look for a line with rights and provision for every folder of figures."""
    table = section(place, "Data")
    if "rights" not in table or "provided" not in table:
        return "README.md has no data table with rights and provision"
    return lacks(
        (path.name for path in place.raw if f"data/raw/{path.name}/" not in table), "not in the README's table"
    )


def datasets(place: Place) -> str:
    """Look for a README and checksums that hold in every folder of figures."""
    faults = [f"{path.name}/{name}" for path in place.raw for name in _folder_faults(path)]
    return "no figures in data/raw/" if not place.raw else lacks(faults, "missing or changed")


def _folder_faults(folder: Path) -> list[str]:
    sums = folder / "SHA256SUMS"
    faults = [name for name in ("README.md", "SHA256SUMS") if not (folder / name).is_file()]
    listed = (
        [line.split(maxsplit=1) for line in sums.read_text(encoding="utf-8").splitlines() if line.strip()]
        if sums.is_file()
        else []
    )
    told = {name.lstrip("*"): digest for digest, name in listed}
    faults += [name for name, digest in told.items() if _sha256(folder / name) != digest]
    return faults + [path.name for path in sorted(folder.glob("*.csv")) if path.name not in told]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def codebook(place: Place) -> str:
    """Look for every table of figures in the codebook or in its folder's README."""
    book = place.text("data/CODEBOOK.md")
    tables = [path for folder in place.raw for path in sorted(folder.glob("*.csv"))]
    missing = [f"{path.parent.name}/{path.name}" for path in tables if not _described(path, book)]
    return "data/CODEBOOK.md is not there" if not book else lacks(missing, "not described")


def _described(table: Path, book: str) -> bool:
    guide = table.parent / "README.md"
    own = guide.read_text(encoding="utf-8") if guide.is_file() else ""
    return f"{table.parent.name}/{table.name}" in book or table.name in own


def seeds(place: Place) -> str:
    """Look for a seed with its reason among the parameters."""
    entry = (yaml.safe_load(place.text("params/study.yml") or "{}") or {}).get("seed") or {}
    return "" if entry.get("reason") and isinstance(entry.get("value"), int) else "params/study.yml declares no seed"


def hardware(place: Place) -> str:
    """Look for cores, memory and minutes in the README."""
    words = {"cores": r"\bcores?\b", "memory": r"\bGB\b", "run time": r"\bminutes?\b|\bseconds\b"}
    return lacks(
        (name for name, pattern in words.items() if not re.search(pattern, place.readme)), "README.md does not state"
    )


def programs(place: Place) -> str:
    """Look for the annotated tree and the licence."""
    return absent(place, "LICENSE") or (
        "" if "notebooks/" in section(place, "What is where") else "README.md has no annotated tree"
    )


def one_command(place: Place) -> str:
    """Look for one target that runs everything, and for it in the README."""
    target = re.search(r"^study:", place.text("Makefile"), re.MULTILINE)
    return "" if target and "make study" in place.readme else "no `make study`, or README.md does not name it"


def exhibits(place: Place) -> str:
    """Look for every exhibit's notebook and function where the README says they are."""
    rows = re.findall(r"`(notebooks/[\w.]+)` \| `(\w+)\.(\w+)`", section(place, "Exhibits"))
    if not rows:
        return "README.md lists no exhibits"
    return lacks(
        sorted({f"{module}.{name}" for path, module, name in rows if not _has_exhibit(place, path, module, name)}),
        "not there",
    )


def _has_exhibit(place: Place, notebook: str, module: str, name: str) -> bool:
    source = place.text(f"leapstudy/report/figures/{module}.py")
    return (place.root / notebook).is_file() and re.search(rf"^def {name}\(", source, re.MULTILINE) is not None


def citation(place: Place) -> str:
    """Look for a valid citation file with the project's version."""
    faults = citation_faults(place.text("CITATION.cff"), place.project.get("project", {}).get("version", ""))
    return "; ".join(faults)


def data_appendix(place: Place) -> str:
    """Look for the notebook on the data."""
    return absent(place, "notebooks/02_the_data.ipynb")


def outputs(place: Place) -> str:
    """Look for results in a folder of their own that version control leaves out."""
    ignored = place.text(".gitignore").splitlines()
    return "" if "reports/" in ignored and "data/derived/" in ignored else ".gitignore does not keep results apart"
