"""The package carries no state: no proper noun, code or school year of any study."""

import json
import re
from pathlib import Path

import yaml

from leapstudy.core import paths

ROOT = paths.root()
ALWAYS = (
    r"\bLEAP\b",
    r"\bAlliance\b",
    r"\bConnecticut\b",
    r"\bCSDE\b",
    r"\bEdSight\b",
    r"\bDRG\b",
    r"\b20[12]\d-\d\d\b",
    r"\bdrg_gh\b",
    r"\balliance\b",
    r"\b\d{7}\b",
    r"\bCREC\b",
    r"\bGreenwich\b",
    r"\bLEARN\b",
    r"\bHartford\b",
)
SUFFIXES = {".py", ".html", ".yml", ".ipynb", ".j2", ".md"}


def naming_lines(text: str) -> int:
    """Return how many lines name something of one study."""
    pattern = re.compile("|".join(ALWAYS))
    return sum(bool(pattern.search(line)) for line in text.splitlines())


def _text(path: Path) -> str:
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def test_no_line_names_one_study():
    articles = yaml.safe_load((ROOT / "params" / "state.yml").read_text(encoding="utf-8"))["articles"]
    files = [path for path in (ROOT / "leapstudy").rglob("*") if path.suffix in SUFFIXES]
    files += [path for path in (ROOT / "notebooks").glob("*.ipynb") if path.stem not in articles]
    counts = {str(path.relative_to(ROOT)): naming_lines(_text(path)) for path in sorted(files)}
    assert {name: count for name, count in counts.items() if count} == {}, "lines that name one study"


def test_the_pattern_sees_a_name_a_code_and_a_year():
    assert naming_lines("LEAP\nDistrict 0430011\nin 2021-22\nthe program\nseed 20261124") == 3
