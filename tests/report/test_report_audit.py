"""The audit looks at files: the project reaches gold but for what people give, and each demand can be missed."""

import json
import re
import shutil

import pytest

from leapstudy.core import paths
from leapstudy.core.estimate import COLUMNS
from leapstudy.report.audit import AEA, POINTS, RAP, TIER, audit, audit_text, level_reached
from leapstudy.report.citation import citation_faults

KEPT = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "Makefile", "pyproject.toml", "environment.yml",
        "requirements.lock", ".gitignore")  # fmt: skip
FOLDERS = (".ci", "benchmarks", "data/raw", "docs", "leapstudy", "notebooks", "params", "tests")
ROW = "public,0640011,Hartford,attendance_rate,alliance,1,19,2022-23,2020-21,2021-22,,did,main,0.5,,,,,,,"


@pytest.fixture
def place(tmp_path):
    """Return a copy of the workspace with a repository and a finished batch, for tests that take something away."""
    root = paths.root()
    for name in KEPT:
        shutil.copy(root / name, tmp_path / name)
    for name in FOLDERS:
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "data" / "CODEBOOK.md", tmp_path / "data")
    (tmp_path / ".git").mkdir()
    run = tmp_path / "reports" / "hartford"
    run.mkdir(parents=True)
    key = dict.fromkeys(("data", "package", "params", "lock"), "x")
    (run / "manifest.json").write_text(json.dumps({"state": "done", "key": key}), encoding="utf-8")
    (run / "run.log").write_text("done", encoding="utf-8")
    table = f"{','.join(COLUMNS)}\n{ROW}\n"
    (tmp_path / "reports" / "estimates.csv").write_text(table, encoding="utf-8")
    return tmp_path


def audited(root):
    return audit(root, root / "reports")


def missing(root):
    return {item.demand.split(":")[0]: item.detail for item in audited(root) if item.verdict == "missing"}


def replace(path, old, new=""):
    text = path.read_text(encoding="utf-8")
    assert re.search(old, text, re.MULTILINE), old
    path.write_text(re.sub(old, new, text, flags=re.MULTILINE), encoding="utf-8")


def test_the_project_reaches_gold_but_for_what_people_give(place):
    found = audited(place)
    assert missing(place) == {}
    assert [item.demand for item in found if item.verdict == "people"] == [
        "A peer has reviewed the code",
        "Code is published in the open and linked with the publication",
    ]
    assert level_reached(found) == "gold"
    assert {item.standard for item in found} == {AEA, TIER, RAP} and len(found) == len(POINTS)
    text = audit_text(found)
    assert "RAP level reached, as far as files can show: gold." in text and "Only people can give: A peer" in text


TAKEN_AWAY = [
    ("README.md", r"^15 LEAP.*$", "Overview with the result and how to get it", "answer"),
    ("README.md", r"`data/raw/csde_districts/`", "Data availability", "csde_districts"),
    ("data/raw/csde_districts/districts.csv", "Andover", "Dataset list", "csde_districts/districts.csv"),
    ("data/raw/leap_facts/README.md", "served.csv", "Codebook of every table", "leap_facts/served.csv"),
    ("requirements.lock", r"(?<=pandas==)[\s\S]*?(?=# via)", "Software", "no hash for: pandas"),
    ("params/study.yml", r"^seed:", "Controlled randomness", "no seed"),
    ("README.md", "GB", "Hardware, memory and run time", "memory"),
    ("README.md", "^## What is where", "Description of the programs, and their licence", "tree"),
    ("Makefile", "^study:", "Instructions to replicators", "make study"),
    ("leapstudy/report/figures/effects.py", r"^def forest\(", "List of exhibits with notebook and function, all there", "effects.forest"),
    ("CITATION.cff", "^version: .*", "References and citation", "version"),
    (".gitignore", "^reports/", "Output of the scripts, apart from what made it", "apart"),
    ("leapstudy/core/files.py", r'^    """Return the SHA-256 of `content`.*$', "Documented", "leapstudy/core/files.py"),
    ("README.md", "^leapstudy/core/ ", "A standard folder layout, as the README says", "gone/"),
    ("notebooks/00_start_here.ipynb", r"from leapstudy\.report import sentences", "Reusable functions", "00_start_here.ipynb"),
    ("pyproject.toml", r"^\[tool\.mypy\]", "A coding standard that is checked", "mypy"),
    ("pyproject.toml", r"^leapstudy = .*cli.*$", "Fully packaged, with a command", "command"),
    (".ci/run", "make test", "Tests run by continuous integration", ".ci/run"),
    ("CHANGELOG.md", r"^## 0\.1\.0", "Changes are signposted, this version among them", "0.1.0"),
    ("reports/hartford/manifest.json", '"data"', "Runs start from an event", "manifest"),
    ("reports/estimates.csv", ",0.5,", "Tidy results", "without an estimate"),
    ("reports/estimates.csv", "p_value,", "Tidy results", "lacks the columns"),
]  # fmt: skip
INSTEAD = {r"from leapstudy\.report import sentences": "def f(): pass", "^leapstudy/core/ ": "leapstudy/gone/ ", '"data"': '"date"', ",0.5,": ",,", r"^def forest\(": "def forest_(",
           "Andover": "Andovre", r"^\[tool\.mypy\]": "[tool.other]", r"(?<=pandas==)[\s\S]*?(?=# via)": "3.1 "}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "demand", "words"), TAKEN_AWAY, ids=[f"{item[0]}: {item[2]}" for item in TAKEN_AWAY]
)
def test_each_demand_can_be_missed_and_says_how(place, name, old, demand, words):
    replace(place / name, old, INSTEAD.get(old, ""))
    assert words in missing(place)[demand]


@pytest.mark.parametrize(
    ("name", "demand"),
    [
        (".git", "Code is under version control"),
        ("reports/hartford/run.log", "A log of every run"),
        ("tests/golden/test_golden_estimates.py", "Unit tests and back tests"),
        ("notebooks/02_the_data.ipynb", "Data appendix made by a script"),
        ("leapstudy/data/clean.py", "Processing scripts, apart from analysis"),
        ("notebooks", "Results come from code in an open language"),
    ],
)
def test_each_file_can_be_missed(place, name, demand):
    path = place / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert demand in missing(place)


def test_a_level_is_reached_only_with_all_below_it(place):
    (place / "reports" / "hartford" / "run.log").unlink()
    assert level_reached(audited(place)) == "bronze"
    shutil.rmtree(place / ".git")
    assert level_reached(audited(place)) == "none"


def test_the_citation_file_is_valid():
    text = (paths.root() / "CITATION.cff").read_text(encoding="utf-8")
    assert citation_faults(text, "0.1.0") == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("cff-version: 1.2.0", "cff-version: 9", "cff-version is 9"),
        ("type: software", "type: book", "type is 'book'"),
        ("version: 0.1.0", "version: 0.2.0", "the project's is '0.1.0'"),
        ("date-released: 2026-11-24", "date-released: soon", "not a day"),
        ('- name: "The leapstudy developers"', "- website: nowhere", "author without a name"),
        ("title: \"School Attendance by Student Group and District, 2022-2023\"", "year: 2023", "reference 1 lacks title"),
        ("authors:", "auth: [", "no YAML"),
    ],
)  # fmt: skip
def test_an_invalid_citation_file_is_told(old, new, words):
    text = (paths.root() / "CITATION.cff").read_text(encoding="utf-8")
    assert old in text
    assert words in "; ".join(citation_faults(text.replace(old, new, 1), "0.1.0"))


def test_no_citation_file_is_told():
    assert citation_faults("", "0.1.0") == ["CITATION.cff is not there or is empty"]
