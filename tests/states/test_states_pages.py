"""Massachusetts and Baltimore by the command line: every page made, nothing of another state on any, zero inside."""

import csv
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from commands import commands_in
from one_verdict import differences, unsaid

from leapstudy.core import paths

STATES = Path(__file__).parent
FOREIGN = re.compile(
    r"\b(Connecticut|Hartford|Greenwich|LEAP|Alliance|CSDE|EdSight|DRG|CREC|LEARN|Goodwin|GEER|American Rescue Plan)\b"
    r"|alliance|drg_gh|pre_mean_to_2021_22"
)
PICTURE = re.compile(r"base64,[A-Za-z0-9+/=]+")
RUNS = {
    "ma": ["springfield", "all-districts", "00-start-here", "50-your-own-analysis"],
    "md": ["western-high", "all-districts", "02-the-data", "40-explore"],
}
# Baltimore's units are schools: outside code and the names of columns and notebooks, nothing is a district.
NOUN = re.compile(r"[Dd]istri(?:ct|to)s?")
CODE = re.compile(
    r"<(pre|code|script|style)\b.*?</\1>|<[^>]*>(?:district|districts|district_code)(?=<)"
    r"|\b(?:href|src|id|class|for|name|data-[a-z]+)=(?:\"[^\"]*\"|[^\s>]*)",
    re.DOTALL,
)
NAMES = re.compile(r"\b(?:10_district|30_all_districts|all-districts|params/districts)\b")
# Both programs are INVENTED.
TRUTH = 0.0

pytestmark = pytest.mark.slow


@pytest.fixture(params=RUNS)
def workspace(request, tmp_path):
    """Return a state's name, its workspace and a function that runs a command in it."""
    root = shutil.copytree(STATES / request.param, tmp_path / request.param)
    own, articles = paths.root(), re.compile(r"01_.*")
    (root / "notebooks").mkdir()
    for notebook in (own / "notebooks").glob("*.ipynb"):
        if not articles.match(notebook.name):
            shutil.copy(notebook, root / "notebooks")
    shutil.copytree(own / "data" / "examples", root / "data" / "examples")
    for name in ("params/students.yml", "params/simulation.yml", "requirements.lock"):
        shutil.copy(own / name, root / name)
    env = {**os.environ, "LEAPSTUDY_ROOT": str(root), "PYTHONPATH": os.pathsep.join(sys.path)}
    return request.param, root, commands_in(env)


def test_every_page_is_made_and_says_whose_it_is(workspace, monkeypatch):
    state, root, command = workspace
    checked = command("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    done = command("run", *RUNS[state], "--jobs", "2")
    assert done.returncode == 0 and " 0 failed" in done.stdout, done.stdout + done.stderr
    pages = {path: PICTURE.sub("", path.read_text(encoding="utf-8")) for path in root.glob("reports/**/*.html")}
    assert {path.parent.name for path in pages} >= {*RUNS[state], "reports"}
    assert [str(path.relative_to(root)) for path, page in pages.items() if "INVENTED" not in page] == []
    foreign = {str(path.relative_to(root)): FOREIGN.findall(page) for path, page in pages.items()}
    assert {name: words for name, words in foreign.items() if words} == {}
    prose = {str(path.relative_to(root)): NAMES.sub("", CODE.sub("\n", page)) for path, page in pages.items()}
    calls = {name: [line for line in text.splitlines() if NOUN.search(line)] for name, text in prose.items()}
    assert state != "md" or {name: lines for name, lines in calls.items() if lines} == {}
    said = [path for path, page in pages.items() if re.search(r"year -\d", CODE.sub("", page))]
    assert said == [], "a year since the start has a true minus"
    with (root / "reports" / "estimates.csv").open(encoding="utf-8", newline="") as file:
        mains = [row for row in csv.DictReader(file) if row["role"] == "main"]
    assert {row["district_code"] for row in mains} > {"ALL"}
    pooled = next(row for row in mains if row["district_code"] == "ALL")
    assert float(pooled["ci_low_pp"]) < TRUTH < float(pooled["ci_high_pp"])
    verdict = json.loads((root / "reports" / "all-districts" / "result.json").read_text(encoding="utf-8"))
    assert verdict["blocks"]["evidence"]["verdict"]["kind"] not in ("positive", "negative")
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    assert differences(root / "reports") == [] and unsaid(root / "reports") == []
