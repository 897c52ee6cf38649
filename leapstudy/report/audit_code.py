"""Checks of how the code is kept: language, versions, tests, standards, logs, packaging, and what starts a run."""

import ast
import json
import re
from pathlib import Path

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import read_estimates
from leapstudy.report.audit_place import PROJECT, Place, absent, lacks, section

LOCK = "requirements.lock"
NO_BATCH = "no batch is there to look at; run `leapstudy run`"


def lock_file(place: Place) -> str:
    """Look for a lock file in which every version has a hash, and for the same in conda's form."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", place.text(LOCK))
    pinned = [block for block in blocks if "==" in block.split("\n")[0]]
    bare = [block.split("==")[0] for block in pinned if "--hash=sha256:" not in block]
    if not pinned:
        return f"{LOCK} pins nothing"
    return lacks(bare, "no hash for") or absent(place, "environment.yml")


def processing(place: Place) -> str:
    """Look for cleaning apart from estimation."""
    return absent(place, "leapstudy/data/clean.py", "leapstudy/did")


def open_language(place: Place) -> str:
    """Look for the package's modules and notebooks in Python."""
    return "" if place.sources and place.notebooks else "no Python sources or notebooks"


def version_control(place: Place) -> str:
    """Look for a repository."""
    return "" if (place.root / ".git").exists() else "this folder is no git repository (an unpacked archive?)"


def documented(place: Place) -> str:
    """Look for a docstring in every module and public function, and for the guides."""
    bare = [path.relative_to(place.root).as_posix() for path in place.sources if not _has_docstrings(path)]
    return lacks(bare, "public names without a docstring in") or absent(place, "README.md", "CONTRIBUTING.md")


def _has_docstrings(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = [
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    return all(ast.get_docstring(node) for node in [tree, *public])


def layout(place: Place) -> str:
    """Look for every folder of the README's tree."""
    named = re.findall(r"^([\w.]+(?:/[\w.]+)*/) ", section(place, "What is where"), re.MULTILINE)
    return "README.md has no annotated tree" if not named else absent(place, *named)


def reusable(place: Place) -> str:
    """Look for notebooks that define functions of their own."""
    return lacks((path.name for path in place.notebooks if _defines(path)), "functions in")


def _defines(path: Path) -> bool:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return any(
        re.search(r"^\s*def ", "".join(cell["source"]), re.MULTILINE) for cell in cells if cell["cell_type"] == "code"
    )


def standards(place: Place) -> str:
    """Look for a linter and a type checker that are set up and run with the tests."""
    tools, ran = place.project.get("tool", {}), place.text("leapstudy/bootstrap.py")
    return lacks(
        (name for name in ("ruff", "mypy") if name not in tools or f'"{name}"' not in ran), "not set up or not run"
    )


def tests(place: Place) -> str:
    """Look for unit tests in the rooms' own folders, and back tests against kept figures."""
    rooms = sorted(
        {
            path.relative_to(place.root / "leapstudy").parts[0]
            for path in place.sources
            if len(path.relative_to(place.root / "leapstudy").parts) > 1
        }
    )
    without = [
        room for room in (*rooms, "golden", "reference") if not list((place.root / "tests" / room).glob("test_*.py"))
    ]
    return lacks(without, "no tests for")


def logs(place: Place) -> str:
    """Look for a log beside every run of the last batch."""
    runs = [path.parent for path in place.out.glob("*/manifest.json")]
    return (
        NO_BATCH if not runs else lacks((path.name for path in runs if not (path / "run.log").is_file()), "no log for")
    )


def tidy(place: Place) -> str:
    """Look for the declared columns, and for one row an estimate, in the last batch's table."""
    path = place.out / "estimates.csv"
    if not path.is_file():
        return NO_BATCH
    try:
        rows = read_estimates(path)
    except BadInput as reason:
        return str(reason)
    return "" if len(rows) and rows["estimate_pp"].notna().all() else "estimates.csv has rows without an estimate"


def packaged(place: Place) -> str:
    """Look for the build system and the command that the package installs."""
    project = place.project
    there = project.get("build-system") and project.get("project", {}).get("scripts", {}).get("leapstudy")
    return "" if there else f"{PROJECT} declares no package with the command `leapstudy`"


def integration(place: Place) -> str:
    """Look for the script that a CI server starts, and for the tests in it."""
    return "" if "make test" in place.text(".ci/run") else ".ci/run does not run `make test`"


def events(place: Place) -> str:
    """Look in the last batch's manifests for what makes a run stale: data, package, parameters, lock file."""
    wanted = {"data", "package", "params", "lock"}
    manifests = [json.loads(path.read_text(encoding="utf-8")) for path in place.out.glob("*/manifest.json")]
    if not manifests:
        return NO_BATCH
    return (
        ""
        if all(wanted <= set(item.get("key") or {}) for item in manifests)
        else "a manifest does not say what its run was made from"
    )


def changelog(place: Place) -> str:
    """Look for this version in the changelog."""
    version = place.project.get("project", {}).get("version", "")
    return (
        ""
        if re.search(rf"^## {re.escape(version)}\b", place.text("CHANGELOG.md"), re.MULTILINE)
        else f"CHANGELOG.md has no entry for {version}"
    )
