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
FAULTS = [
    *(("params/study.yml", change, "study.yml") for change in (LATIN, WIDE, LIST, EMPTY, PLAIN)),
    # one parser reads all of them: the others are held to be read, and to be asked for what they must have
    *(
        (f"params/{name}", change, name)
        for name in ("plan.yml", "students.yml", "simulation.yml", "state.yml", "rollout.yml")
        for change in (WIDE, PLAIN)
    ),
    ("params/study.yml", lambda _: b'comparison: { value: others, reason: "x" }', "params/study.yml lacks contrast"),
    ("params/comparison.json", lambda _: b"[]", "comparison.json"),
    ("params/comparison.json", lambda _: b"{", "comparison.json"),
    ("params/comparison.json", LATIN, "comparison.json"),
    ("params/students.yml", _students(min_comparison=0), "min_comparison"),
    ("params/students.yml", _students(input="nowhere.csv", visits="nowhere.csv"), "nowhere.csv"),
    ("params/students.yml", lambda text: text + b"\nseed: 1\n", "'seed' stands twice"),
    ("data/raw/leap_facts/SHA256SUMS", lambda _: b"no sum\n", "line 1"),
    ("data/raw/leap_facts/SHA256SUMS", WIDE, "SHA256SUMS"),
    *(
        (f"data/raw/{file}", WIDE, f"- {file} is not CSV in UTF-8")
        for file in ("leap_facts/units.csv", "csde_districts/districts.csv", "csde_attendance_2022_23/attendance.csv")
    ),
    ("params/districts/Hartford.yml", lambda _: b"", "Hartford.yml"),
    ("notebooks/10_district.ipynb", lambda _: b"{", "10_district.ipynb"),
]


@pytest.mark.parametrize(("name", "change", "words"), FAULTS)
def test_a_broken_file_ends_in_words(workspace, monkeypatch, capsys, name, change, words):
    path = workspace / name
    path.write_bytes(change(path.read_bytes() if path.is_file() else b""))
    code, told = _check(monkeypatch, capsys)
    assert code == 2 and words in told.err and "Traceback" not in told.err, told
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
