"""A batch with nothing to do: the last plan holds, nothing heavy is imported, and a look finds what was touched."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from leapstudy.batch.batch import Outcome, _own_numbers, board, expected_seconds, failure_table, run_batch
from leapstudy.batch.job import Run, student_files
from leapstudy.batch.last_batch import NAME as BATCH
from leapstudy.batch.last_batch import (
    asked,
    keep,
    keep_fresh,
    kept_part,
    kept_plan,
    locked,
    published,
    reasons,
    touched,
    untouched,
)
from leapstudy.batch.manifest import Manifest, verdict
from leapstudy.batch.ro_crate import NAME as RECORD
from leapstudy.cli import main
from leapstudy.core.errors import BadInput
from leapstudy.site.build import rebuild_site
from leapstudy.site.stamps import STAMPS
from leapstudy.students.pseudonyms import pseudonym

QUIET = Console(quiet=True)


@pytest.mark.slow
def test_the_last_plan_holds_until_something_is_touched(tiny_plan, workspace):
    plan, out = tiny_plan
    question = asked(districts=None, out=out)
    assert kept_plan(out, question) is None
    batch = run_batch(plan, out, 2, console=QUIET, question=question)
    assert not batch.failed and batch.scan.ok
    assert kept_plan(out, question) == plan and not any(reasons(plan, out).values()) and untouched(out)
    assert expected_seconds(plan, out)["60-a"] > 0
    page = out / "60-a" / "notebook.html"
    text = page.read_text(encoding="utf-8")
    page.write_text(text + "<!-- by hand -->", encoding="utf-8")
    assert not untouched(out)
    page.unlink()
    assert not untouched(out)
    assert not any(item.reran for item in run_batch(plan, out, 2, console=QUIET, question=question).outcomes)
    assert page.read_text(encoding="utf-8") == text and untouched(out), "only the page was made again"
    whole = asked(districts=None, track="public", settings=None, out=out)
    with locked(out):
        keep_fresh(out, whole, plan)
    assert kept_plan(out, whole) is None, "a batch is at work"
    keep_fresh(out, whole, plan)
    assert kept_plan(out, whole) == plan and kept_part(out, "public", ("60-a",)) == plan[:1]
    plans = workspace / "params" / "plan.yml"
    plans.write_text(plans.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert kept_plan(out, asked(districts=None, out=out)) is None
    assert verdict(reasons(plan, out)["60-b"]) == "stale (data: params/plan.yml)"
    (out / "60-c" / "result.json").write_text("{}", encoding="utf-8")
    assert "output changed by hand: result.json" in verdict(reasons(plan, out)["60-c"])


def test_the_plan_of_both_tracks_holds_for_each_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr("leapstudy.batch.last_batch.published", lambda _: {})
    runs = [Run(slug, Path("x.ipynb"), {}, slug, track) for slug, track in (("a", "public"), ("b", "students"))]
    question = asked(districts=None, track="all", settings=None, out=tmp_path)
    assert kept_part(tmp_path, "public") is None, "nothing was planned"
    keep(tmp_path, question, runs)
    assert (kept_part(tmp_path, "public"), kept_part(tmp_path, "students")) == (runs[:1], runs[1:])
    assert kept_part(tmp_path, "public", ("a",)) == runs[:1]
    assert not any(kept_part(tmp_path, "public", (name,)) for name in ("b", "c")), "no run of this track"
    assert kept_part(tmp_path, "students", ("b",)) is None, "a name means more there"
    keep(tmp_path, asked(districts=["a"], track="all", settings=None, out=tmp_path), runs)
    assert kept_part(tmp_path, "public") is None, "only some of the runs were asked for"
    keep(tmp_path, question, runs[:1])
    assert kept_part(tmp_path, "public") is None, "one track was planned"
    keep(tmp_path, question, runs)
    (tmp_path / BATCH).write_text("[]")
    assert kept_part(tmp_path, "public") is None


@pytest.mark.slow
def test_every_published_file_that_was_changed_or_taken_away_is_named(tiny_plan, monkeypatch, capsys):
    plan, out = tiny_plan
    assert touched(out) == [], "where nothing was published nothing is wrong"
    run_batch(plan, out, 2, console=QUIET, question="q")
    _status_names_what_was_changed(plan, out, monkeypatch, capsys)
    assert touched(out) == []
    for name in published(out):
        content = (out / name).read_bytes()
        (out / name).write_bytes(content + b" ")
        told = touched(out)
        assert told == ([] if name == STAMPS else [f"changed by hand: {name}"]), name
        (out / name).unlink()
        assert touched(out) == [f"missing or damaged: {BATCH} or {STAMPS}" if name == STAMPS else f"missing: {name}"]
        (out / name).write_bytes(content)
    kept = json.loads((out / STAMPS).read_text(encoding="utf-8"))
    renamed = kept | {"runs": [{**run, "title": "another"} for run in kept["runs"]]}
    (out / STAMPS).write_text(json.dumps(renamed), encoding="utf-8")
    assert touched(out) == [f"changed by hand: {STAMPS}"]
    (out / STAMPS).write_text(json.dumps(kept), encoding="utf-8")
    (out / "of-ones-own.txt").write_text("not published here", encoding="utf-8")
    assert touched(out) == []
    (out / BATCH).unlink()
    assert touched(out) == [], "a batch from elsewhere has no plan here"
    (out / "estimates.csv").rename(out / "x.csv")
    assert touched(out) == ["missing: estimates.csv"]
    (out / "estimates.csv").write_text("district\n", encoding="utf-8")
    assert touched(out) == ["not as recorded: estimates.csv"]
    (out / RECORD).unlink()
    assert touched(out) == ["not finished"]
    (out / STAMPS).rename(out / ".kept")
    assert touched(out) == ["not finished"], "runs were made, and no page"
    (out / ".kept").rename(out / STAMPS)
    kept = json.loads((out / STAMPS).read_text(encoding="utf-8"))
    odd = [
        [],
        {},
        5,
        None,
        kept | {"runs": {}},
        kept | {"runs": [{}]},
        kept | {"runs": [5]},
        kept | {"sums": None},
        kept | {"documents": []},
    ]
    odd += [kept | {"runs": [run | {"slug": slug}]} for run in kept["runs"][:1] for slug in ("..", "../a", "", "a\\b")]
    odd += [{name: part for name, part in kept.items() if name != left} for left in ("pages", "runs", "sums")]
    for altered in odd:
        (out / STAMPS).write_text(json.dumps(altered), encoding="utf-8")
        assert touched(out) == [f"missing or damaged: {BATCH} or {STAMPS}"], altered
        assert rebuild_site(out) is None
    (out / STAMPS).write_text(json.dumps(kept | {"ahead": True}), encoding="utf-8")
    assert touched(out) == ["not finished"]


def _status_names_what_was_changed(plan, out, monkeypatch, capsys):
    monkeypatch.setattr("leapstudy.cli._plan", lambda *_, **__: (plan, "q", True))
    monkeypatch.setattr(sys, "argv", ["leapstudy", "status", "--out", str(out)])

    def told() -> str:
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        return capsys.readouterr().out

    assert "Pages and tables" not in told()
    changed = {name: (out / name).read_bytes() for name in ("estimates.csv", "60-a/notebook.html")}
    (out / "estimates.csv").write_text("", encoding="utf-8")
    (out / "60-a" / "notebook.html").unlink()
    assert told().endswith(
        "Pages and tables: stale (missing: 60-a/notebook.html; changed by hand: estimates.csv). leapstudy run makes "
        "them again.\n"
    )
    for name, content in changed.items():
        (out / name).write_bytes(content)


# Imported one after the other in one process: what a command needs, and what it must do without.
IMPORTS = (
    ("leapstudy.batch.job", "pandas pydantic"),
    (
        "leapstudy.cli leapstudy.batch.last_batch leapstudy.batch.remote",
        "pandas numpy papermill nbformat matplotlib pydantic",
    ),
    (
        "leapstudy.cli.checking leapstudy.batch.plan leapstudy.did.frames.cohorts leapstudy.did.pool",
        "scipy.stats scipy.optimize seaborn",
    ),
    # a batch of figures alone, which does not need the engine of students
    ("leapstudy.batch.batch leapstudy.site.build leapstudy.study.choice", "ibis duckdb"),
    # the grammar of addresses takes a second to compile
    ("leapstudy.batch.execute jsonschema nbformat", "rfc3987_syntax"),
)
LOOK = f"""
import sys
from importlib import import_module
from leapstudy.batch.job import student_files
print(student_files())
for needed, heavy in {IMPORTS!r}:
    for name in needed.split():
        import_module(name)
    print({{name for name in heavy.split() if sys.modules.get(name)}})
import nbformat
from nbformat.v4 import new_code_cell, new_notebook
nbformat.validate(new_notebook(cells=[new_code_cell("1")]))
try:
    nbformat.validate({{"cells": [{{"cell_type": "none"}}], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 5}})
except nbformat.ValidationError:
    print("refused")
"""


def test_nothing_heavy_is_imported_before_it_is_needed():
    """A look at the files of a SIMULATED study, a check of the last batch, a plan, a batch; notebooks are checked."""
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.splitlines() == ["{}", *["set()"] * len(IMPORTS), "refused"], done.stderr


@pytest.mark.parametrize(("text", "files"), [('input: ""', True), ("input:", False), ("[", False), ("[]", False)])
def test_that_no_student_file_is_named_is_seen_at_a_glance(text, files, monkeypatch, tmp_path):
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "students.yml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(tmp_path))
    if files:
        assert student_files() == {}
    else:
        with pytest.raises(BadInput, match="students.yml"):
            student_files()


@pytest.mark.slow
def test_a_student_in_a_page_is_found_named_by_file_and_never_kept(workspace, light_kernel, notebook_writer):
    name = pseudonym("4711", b"k" * 32)
    path = workspace / "notebooks" / "60_leak.ipynb"
    notebook_writer(path, ('result_path = ""', f"print({name!r})"))
    plan, out = [Run("60-leak", path, {"result_path": ""}, "Leak?")], workspace / "reports"
    batch = run_batch(plan, out, 1, console=QUIET, question="q")
    assert not batch.scan.ok and "60-leak/notebook.ipynb" in batch.scan.leaking
    assert name not in batch.scan.text() and kept_plan(out, "q") is None


@pytest.mark.parametrize(
    ("reran", "state", "looked_for"), [(True, "done", True), (False, "done", False), (True, "failed", False)]
)
def test_the_states_own_numbers_are_looked_for_where_student_files_were_read(monkeypatch, reran, state, looked_for):
    """Files that could not be read are not opened a second time."""
    numbers = frozenset({"9000000001"})
    monkeypatch.setattr("leapstudy.study.student_files.told_numbers", lambda _: numbers)
    run = Run("students-hartford", Path("20_students.ipynb"), {}, "Hartford", "students")
    assert _own_numbers((Outcome(run, Manifest(state, {}), reran),)) == (numbers if looked_for else ())


def test_identical_failures_share_a_line():
    def failed(cell, message):
        return Manifest("failed", {}, error={"cell": cell, "message": message, "hint": "look", "detail": ""})

    table = failure_table(
        {"a": failed("cell 3", "no peer"), "b": failed("cell 3", "no peer"), "c": failed("cell 4", "no peer")}
    )
    assert table.row_count == 2
    shown = Console(record=True, width=160, file=io.StringIO())
    shown.print(table)
    text = shown.export_text()
    assert "a, b" in text and "a/run.log" in text and "c/run.log" in text


def test_the_board_shows_names_and_the_time_that_is_left():
    runs = [Run(slug, Path("n.ipynb"), {}, slug) for slug in ("bethel", "canton", "darien")]
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with board(runs, {"bethel": 4.0, "canton": 0.0, "darien": 0.0}, 2, console) as shown:
        shown.started(runs[0])
        shown.started(runs[1])
        assert shown.left() == 2.0, "what is known from the last batch, over two at a time"
        shown.ended(runs[0], Manifest("done", {}, seconds=6.0))
        assert shown.left() == 6.0, "two more like the one that was measured, over two at a time"
        assert list(shown.running) == ["canton"]
    printed = console.file.getvalue()
    assert "canton" in printed and "about 6 s left" in printed and "1/3" in printed
