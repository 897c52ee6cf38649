"""`check` reads every file that a run will read: whatever is wrong with one ends in words and exit code 2."""

import shutil
import sys

import pytest
import yaml
from own_files import before_a_start

from leapstudy.cli import main
from leapstudy.core import paths


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Return a copy of the workspace's inputs, made the workspace."""
    for name in ("data/raw", "params", "notebooks"):
        shutil.copytree(paths.root() / name, tmp_path / name)
    shutil.copy(paths.root() / "requirements.lock", tmp_path)
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(tmp_path))
    return tmp_path


def _check(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["leapstudy", "check"])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr()


def _students(**changes):
    def change(text):
        return yaml.safe_dump({**yaml.safe_load(text), **changes}).encode()

    return change


LATIN, WIDE = (lambda text: "# café".encode("latin-1") + text), (lambda text: text.decode().encode("utf-16"))
LIST, EMPTY, PLAIN = (lambda _: b"- a\n"), (lambda _: b""), (lambda _: b"seed: 7\n")
STUDY, RECORD, OWN = "params/study.yml", "params/comparison.json", "params/students.yml"
BARE, BRACE = (lambda _: b'comparison: { value: others, reason: "x" }'), (lambda _: b"{")
NOWHERE = _students(input="nowhere.csv", visits="nowhere.csv")
READ_LAST = ("study.yml", "plan.yml", "students.yml", "simulation.yml", "rollout.yml")
SUMS = "data/raw/leap_facts/SHA256SUMS"
TABLES = ("leap_facts/units.csv", "csde_districts/districts.csv", "csde_attendance_2022_23/attendance.csv")
# Files of a workspace, how each is broken, and what is told of it beside what is told of the others.
BROKEN = [
    [(f"params/{name}", WIDE, f"- {name} is not UTF-8") for name in READ_LAST],
    [(f"params/{name}", PLAIN, f"- {'The plan' if name == 'plan.yml' else name}") for name in READ_LAST],
    [
        (STUDY, LATIN, "- study.yml is not UTF-8"),
        (RECORD, LATIN, "- comparison.json is not UTF-8"),
        (OWN, _students(min_comparison=0), "- students.yml cannot be used: min_comparison"),
    ],
    [
        (STUDY, LIST, "- study.yml holds a list"),
        (RECORD, lambda _: b"[]", "- comparison.json is not a choice on record"),
        (OWN, lambda text: text + b"\nseed: 1\n", "- students.yml is not valid YAML: 'seed' stands twice"),
    ],
    [
        (STUDY, EMPTY, "- params/study.yml lacks"),
        (RECORD, BRACE, "- comparison.json is not a choice on record"),
        ("params/districts/Hartford.yml", EMPTY, "'Hartford.yml'"),
    ],
    [
        (STUDY, BARE, "- params/study.yml lacks contrast"),
        (OWN, NOWHERE, "nowhere.csv"),
        ("notebooks/10_district.ipynb", BRACE, "- 10_district.ipynb is not a notebook"),
    ],
    [("params/state.yml", WIDE, "state.yml is not UTF-8")],
    [("params/state.yml", PLAIN, "- tables: Field required")],
    [(SUMS, lambda _: b"no sum\n", "- leap_facts/SHA256SUMS, line 1")],
    [(SUMS, WIDE, "- SHA256SUMS is not UTF-8")],
    [(f"data/raw/{file}", WIDE, f"- {file} is not CSV in UTF-8") for file in TABLES],
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: ", ".join(words for *_, words in broken))
def test_broken_files_end_in_words_told_together(workspace, monkeypatch, capsys, broken):
    for name, change, _ in broken:
        path = workspace / name
        path.write_bytes(change(path.read_bytes() if path.is_file() else b""))
    code, told = _check(monkeypatch, capsys)
    assert code == 2 and "Traceback" not in told.err, told
    assert not [words for *_, words in broken if words not in told.err], told.err
    assert "which params/study.yml asks for" not in told.err, told


def test_a_sound_workspace_is_told_with_the_notebooks_that_stay_out(workspace, monkeypatch, capsys):
    (workspace / "notebooks" / "Untitled.ipynb").write_text("", encoding="utf-8")
    code, told = _check(monkeypatch, capsys)
    assert code == 0 and "have legal parameters" in told.out and "Untitled.ipynb" in told.out


def test_a_fault_of_student_settings_is_told_once_also_before_a_start(workspace, monkeypatch, capsys):
    before_a_start(workspace)
    settings = workspace / "params" / "students.yml"
    settings.write_bytes(_students(min_compairson=1)(settings.read_text(encoding="utf-8")))
    code, told = _check(monkeypatch, capsys)
    assert code == 2 and "no unit has a start" in told.err, told
    assert told.err.count("'min_compairson'") == 1, told.err


def test_a_link_to_nothing_is_no_file_of_a_districts_own_parameters(workspace, monkeypatch, capsys):
    (workspace / "params" / "districts" / "hartford.yml").symlink_to(workspace / "nowhere.yml")
    code, told = _check(monkeypatch, capsys)
    assert code == 2 and "hartford.yml cannot be read" in told.err, told
