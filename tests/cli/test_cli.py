"""Commands as a person types them: what they say, and the exit code."""

import os
import subprocess
import sys

import pytest

from leapstudy.cli import main


def leapstudy(*arguments, root=None):
    """Run the command line and return the finished process."""
    env = {**os.environ, **({"LEAPSTUDY_ROOT": str(root)} if root else {}), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "leapstudy.cli", *arguments], capture_output=True, text=True, env=env, check=False
    )


@pytest.mark.parametrize(
    "command", ["run", "check", "status", "list", "lab", "refresh", "simulate", "report", "verify", "data diff"]
)
def test_every_command_has_help_with_an_example(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["leapstudy", *command.split(), "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().out.replace("\n", " ")
    assert ended.value.code == 0 and f"leapstudy {command}" in told and "Example" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "harford"), "Did you mean 'hartford'"),
        (("run", "430011"), "'0430011'"),
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
        (("check", "nowhere.parquet"), "simulate"),
        (("refresh", "10_distrct"), "10_district"),
        (("sing",), "sing"),
    ],
)
def test_bad_input_is_said_in_plain_words(arguments, words, monkeypatch, capsys):
    # in this process, which has the libraries: a process of its own for each takes seconds to import them
    monkeypatch.setattr(sys, "argv", ["leapstudy", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and words in capsys.readouterr().err


def test_bad_input_is_shown_without_a_traceback():
    done = leapstudy("run", "harford")
    assert done.returncode == 2, done.stderr
    assert "Did you mean 'hartford'" in done.stderr and "Traceback" not in done.stderr + done.stdout


def test_a_dry_run_says_what_would_run_and_why(tmp_path):
    done = leapstudy("run", "hartford", "windham", "--dry-run", "--out", str(tmp_path))
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "hartford: 10_district.ipynb: never run",
        "windham: 10_district.ipynb: never run",
    ]
    assert list(tmp_path.iterdir()) == []


def test_the_workspace_checks_out():
    done = leapstudy("check")
    assert done.returncode == 0 and "6 files are as pinned" in done.stdout and "200 districts" in done.stdout


def test_a_simulated_file_is_made_and_checked(tmp_path):
    path = tmp_path / "students.parquet"
    made = leapstudy("simulate", str(path))
    assert made.returncode == 0 and "SIMULATED" in made.stdout, made.stderr
    checked = leapstudy("check", str(path))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "SIMULATED" in checked.stdout


@pytest.mark.parametrize("command", ["report", "verify"])
def test_without_results_a_command_says_what_to_run_first(command, tmp_path):
    done = leapstudy(command, "--out", str(tmp_path))
    assert done.returncode == 2 and "Run `leapstudy run` first" in done.stderr
