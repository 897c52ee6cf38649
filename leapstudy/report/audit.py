"""`leapstudy audit`: the workspace held against three standards of reproducible work, each point looked up in its files.

- the Social Science Data Editors' template README, which the American Economic Association asks for;
- the TIER Protocol 4.0 (Project TIER), by the role of each component: the protocol leaves its folder names free;
- the levels of a Reproducible Analytical Pipeline (NHS RAP Community of Practice): baseline (bronze), silver, gold.

What only people can give (a peer's review, publication) is listed as such, and never counted as reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leapstudy.report import audit_code as code
from leapstudy.report import audit_readme as readme
from leapstudy.report.audit_place import Check, Place

Verdict = Literal["met", "missing", "people"]
Level = Literal["bronze", "silver", "gold"]
LEVELS: tuple[Level, ...] = ("bronze", "silver", "gold")
AEA, TIER, RAP = "AEA template README", "TIER Protocol 4.0", "NHS RAP"


@dataclass(frozen=True, slots=True)
class Point:
    """One demand of a standard: how it is looked up, or None where only people can give it."""

    standard: str
    demand: str
    look_up: Check | None
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One demand and what was found: what is missing, or who must give it; empty where it is met."""

    standard: str
    demand: str
    verdict: Verdict
    detail: str
    level: Level | None


POINTS: tuple[Point, ...] = (
    Point(AEA, "Overview with the result and how to get it", readme.overview),
    Point(AEA, "Data availability: every source with rights and whether it is provided", readme.data_statement),
    Point(AEA, "Dataset list: every folder of figures describes itself and has checksums that hold", readme.datasets),
    Point(AEA, "Codebook of every table", readme.codebook),
    Point(AEA, "Software: every version locked, with hashes", code.lock_file),
    Point(AEA, "Controlled randomness: seeds declared", readme.seeds),
    Point(AEA, "Hardware, memory and run time", readme.hardware),
    Point(AEA, "Description of the programs, and their licence", readme.programs),
    Point(AEA, "Instructions to replicators: one command", readme.one_command),
    Point(AEA, "List of exhibits with notebook and function, all there", readme.exhibits),
    Point(AEA, "References and citation: CITATION.cff is valid and has this version", readme.citation),
    Point(TIER, "Read Me", readme.overview),
    Point(TIER, "Input data as obtained, unchanged", readme.datasets),
    Point(TIER, "Metadata: data sources guide and codebooks", readme.codebook),
    Point(TIER, "Processing scripts, apart from analysis", code.processing),
    Point(TIER, "Data appendix made by a script", readme.data_appendix),
    Point(TIER, "Analysis scripts for every exhibit", readme.exhibits),
    Point(TIER, "Master script that runs everything", readme.one_command),
    Point(TIER, "Output of the scripts, apart from what made it", readme.outputs),
    Point(RAP, "Results come from code in an open language", code.open_language, "bronze"),
    Point(RAP, "Code is under version control", code.version_control, "bronze"),
    Point(RAP, "A README gives the steps to reproduce", readme.one_command, "bronze"),
    Point(RAP, "A peer has reviewed the code", None, "bronze"),
    Point(RAP, "Code is published in the open and linked with the publication", None, "bronze"),
    Point(RAP, "Outputs without manual steps", readme.one_command, "silver"),
    Point(RAP, "Documented: user guide, structure, method, a docstring for every public function", code.documented, "silver"),
    Point(RAP, "A standard folder layout, as the README says", code.layout, "silver"),
    Point(RAP, "Reusable functions: no function lives in a notebook", code.reusable, "silver"),
    Point(RAP, "A coding standard that is checked", code.standards, "silver"),
    Point(RAP, "Unit tests and back tests", code.tests, "silver"),
    Point(RAP, "Dependencies with their versions", code.lock_file, "silver"),
    Point(RAP, "A log of every run", code.logs, "silver"),
    Point(RAP, "Tidy results: one row an estimate, with the declared columns", code.tidy, "silver"),
    Point(RAP, "Fully packaged, with a command", code.packaged, "gold"),
    Point(RAP, "Tests run by continuous integration", code.integration, "gold"),
    Point(RAP, "Runs start from an event: what new data or code make stale, and only that", code.events, "gold"),
    Point(RAP, "Changes are signposted, this version among them", code.changelog, "gold"),
)  # fmt: skip


def audit(root: Path, out: Path) -> tuple[Finding, ...]:
    """Hold a workspace and its last batch against every demand.

    Parameters
    ----------
    root
        The workspace's top folder.
    out
        Folder of the results.
    """
    place = Place(root, out)
    return tuple(_finding(point, place) for point in POINTS)


def _finding(point: Point, place: Place) -> Finding:
    if point.look_up is None:
        return Finding(point.standard, point.demand, "people", "only people can give this", point.level)
    detail = point.look_up(place)
    return Finding(point.standard, point.demand, "missing" if detail else "met", detail, point.level)


def level_reached(findings: Sequence[Finding]) -> str:
    """Return the highest RAP level whose demands, and those of the levels below, are met as far as files can show."""
    reached = "none"
    for level in LEVELS:
        if any(item.level == level and item.verdict == "missing" for item in findings):
            break
        reached = level
    return reached


def audit_text(findings: Sequence[Finding]) -> str:
    """Return the audit as a person reads it: each standard with its count, what is missing, and the level reached."""
    lines = []
    for standard in (AEA, TIER, RAP):
        own = [item for item in findings if item.standard == standard]
        met = sum(item.verdict == "met" for item in own)
        lines.append(f"{standard}: {met} of {len(own)} met")
        lines += [_line(item) for item in own]
    people = [item.demand for item in findings if item.verdict == "people"]
    lines.append(f"RAP level reached, as far as files can show: {level_reached(findings)}.")
    lines.append(f"Only people can give: {'; '.join(people)}.")
    return "\n".join(lines)


def _line(item: Finding) -> str:
    level = f" ({item.level})" if item.level else ""
    detail = f": {item.detail}" if item.detail else ""
    return f"  {item.verdict:7} {item.demand}{level}{detail}"
