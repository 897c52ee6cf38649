"""Commands as a person types them: what they say, and the exit code."""

import os
import subprocess
import sys

import pandas as pd
import pytest

from leapstudy.cli import main
from leapstudy.core import paths


@pytest.fixture
def leapstudy(monkeypatch, capsys):
    """Return a function that gives a command in this process, which has the libraries: its code, and what it said."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["leapstudy", *arguments])
        monkeypatch.setenv("COLUMNS", "200")
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr()

    return command


@pytest.mark.parametrize(
    "command", ["run", "check", "status", "list", "lab", "refresh", "simulate", "report", "verify", "data diff"]
)
def test_every_command_has_help_with_an_example(command, leapstudy):
    code, told = leapstudy(*command.split(), "--help")
    shown = told.out.replace("\n", " ")
    assert code == 0 and f"leapstudy {command}" in shown and "Example" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "harford"), "Did you mean 'hartford'"),
        (("run", "430011"), "'0430011'"),
        (("run", "01_claims"), "Articles: 00_start_here, 01_the_claims, 02_the_data"),
        (("run", "--track", "students", "--set", "comparison=others"), "Legal: none. No notebook"),
        (("run", "hartford", "--set", "comparision=others"), "'comparison'"),
        (("run", "hartford", "--set", "comparison=aliance"), "'alliance'"),
        (("run", "hartford", "--set", "edition=2024"), "edition"),
        (("run", "hartford", "--set", "outcome=chronic_absence"), "2019-20"),
        (("run", "--track", "private"), "public, students, all"),
        (("run", "--jbos", "2"), "--jobs"),
        (("run", "--timeout", "0"), "--timeout"),
        (("run", "--out", "nowhere://bucket/reports"), "cannot be opened"),
        (("run", "hartford", "--out", f"{os.devnull}/reports"), "cannot be written"),
        (("templates", f"{os.devnull}/reports"), "cannot be read or written"),
        (("templates", str(paths.raw())), "holds the workspace's own files"),
        (("data", "pin", os.__file__), "is no file. Name it below data/raw/"),
        (("data", "pin", "../../params/study.yml"), "is no file. Name it below data/raw/"),
        (("choose", "alliance", "--reason", " "), "with its reason"),
        (("check", "nowhere.parquet"), "simulate"),
        (("refresh", "10_distrct"), "10_district"),
        (("sing",), "sing"),
    ],
)
def test_bad_input_is_said_in_plain_words(arguments, words, leapstudy):
    code, told = leapstudy(*arguments)
    assert code == 2 and words in told.err


@pytest.mark.parametrize(
    ("line", "words"), [(("run", "hartford", "--out"), "cannot be written"), (("simulate",), "does not end in")]
)
def test_a_loop_of_links_is_no_place_for_results(line, words, leapstudy, tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    code, told = leapstudy(*line, str(loop))
    assert code == 2 and words in told.err


def test_bad_input_is_shown_without_a_traceback():
    line = [sys.executable, "-m", "leapstudy", "run", "harford"]
    done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}, check=False)
    assert done.returncode == 2, done.stderr
    assert "Did you mean 'hartford'" in done.stderr and "Traceback" not in done.stderr + done.stdout


def test_what_a_library_makes_of_ctrl_c_ends_as_ctrl_c_does(leapstudy, monkeypatch):
    def imported(**_: object) -> None:
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr("leapstudy.cli.app", imported)
    code, told = leapstudy("list")
    assert code == 130 and "Interrupted. Nothing half made" in told.err


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_while_the_commands_are_imported_ends_in_words(tmp_path):
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    line = [sys.executable, "-m", "leapstudy", "list"]
    done = subprocess.run(line, capture_output=True, text=True, env=env, check=False)
    assert (done.returncode, done.stderr) == (130, "Interrupted before anything was done.\n")


def test_a_dry_run_says_what_would_run_and_why(leapstudy, tmp_path):
    code, told = leapstudy("run", "hartford", "windham", "--dry-run", "--out", str(tmp_path))
    assert code == 0
    assert told.out.splitlines() == [
        "hartford: 10_district.ipynb: never run",
        "windham: 10_district.ipynb: never run",
    ]
    assert list(tmp_path.iterdir()) == []


def test_the_workspace_checks_out(leapstudy):
    code, told = leapstudy("check")
    assert code == 0 and "6 files are as pinned" in told.out and "200 districts" in told.out


def test_a_simulated_file_is_made_and_checked(leapstudy, small_state, monkeypatch, tmp_path):
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(small_state))
    path = tmp_path / "students.parquet"
    for arguments in (("simulate", str(path)), ("check", str(path))):
        code, told = leapstudy(*arguments)
        assert code == 0 and "SIMULATED" in told.out, told
    own = tmp_path / "own.visits.parquet"
    pd.DataFrame({"student": ["A1"]}).to_parquet(own)
    before = own.read_bytes()
    code, told = leapstudy("simulate", str(tmp_path / "own.parquet"))
    assert code == 2 and "own.visits.parquet is there and is no simulation" in told.err and own.read_bytes() == before
    for name in (
        "a.truth.csv",
        "b.manifest.json",
        "c.draw.csv",
        "d.outcome_truth.csv",
        "e.parquet",
        "f.outcomes.parquet",
    ):
        (tmp_path / name).write_text("my own notes")
        code, told = leapstudy("simulate", str(tmp_path / f"{name[0]}.parquet"))
        assert code == 2 and f"{name} is there and is no simulation" in told.err
        assert (tmp_path / name).read_text() == "my own notes"


@pytest.mark.parametrize("command", ["report", "verify"])
def test_without_results_a_command_says_what_to_run_first(command, leapstudy, tmp_path):
    code, told = leapstudy(command, "--out", str(tmp_path))
    assert code == 2 and "Run `leapstudy run` first" in told.err
