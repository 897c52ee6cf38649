"""Results at a URL: what is there counts, what changed is sent, the manifest last."""

import sys

import fsspec
import pytest
from rich.console import Console
from tiny_notebooks import tiny_runs

from leapstudy.batch import remote
from leapstudy.batch.batch import run_batch
from leapstudy.batch.executors import LocalPool, SendingPool
from leapstudy.batch.last_batch import locked, reasons
from leapstudy.batch.manifest import Manifest, output_hashes, write_manifest
from leapstudy.batch.remote import Place
from leapstudy.cli import main
from leapstudy.core.errors import BadInput, LeapstudyError

QUIET = Console(quiet=True)


@pytest.fixture(params=["file", "memory"])
def place(request, workspace) -> Place:
    """Return a place whose URL is a folder, or memory."""
    url = f"file://{workspace}/far" if request.param == "file" else "memory://far"
    yield Place.of(url)
    fsspec.filesystem("memory").store.clear()


def _there(place):
    system, base = fsspec.core.url_to_fs(place.url)
    return {name.removeprefix(base).lstrip("/"): system.cat_file(name) for name in system.find(base)}


def _write(place, slug, text):
    """Write a run that ended well."""
    folder = place.folder / slug
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notebook.ipynb").write_text(text, encoding="utf-8")
    write_manifest(folder, Manifest("done", {"cells": text}, output_hashes(folder)))


def test_a_plain_folder_is_left_alone(tmp_path):
    place = Place.of(str(tmp_path))
    place.pull()
    place.push()
    assert place.folder == tmp_path and not place.url and list(tmp_path.iterdir()) == []


def test_what_is_pushed_is_pulled_elsewhere_and_what_is_gone_goes(place, monkeypatch, tmp_path):
    _write(place, "a", "one")
    _write(place, "b", "two")
    place.push()
    assert set(_there(place)) == {"a/notebook.ipynb", "a/manifest.json", "b/notebook.ipynb", "b/manifest.json"}
    other = Place(tmp_path / "another machine", place.url)
    other.pull()
    assert (other.folder / "a" / "notebook.ipynb").read_text(encoding="utf-8") == "one"
    (other.folder / "b" / "notebook.ipynb").unlink()
    other.push()
    assert "b/notebook.ipynb" not in _there(place)
    place.pull()
    assert not (place.folder / "b" / "notebook.ipynb").exists()


def test_what_was_tampered_with_on_either_side_is_put_right_by_the_url(place):
    _write(place, "a", "one")
    place.push()
    (place.folder / "a" / "notebook.ipynb").write_text("forged", encoding="utf-8")
    place.pull()
    assert (place.folder / "a" / "notebook.ipynb").read_text(encoding="utf-8") == "one"


def test_the_manifest_comes_last_so_that_half_a_run_never_looks_done(place, monkeypatch):
    _write(place, "a", "one")
    place.push()
    _write(place, "a", "changed")
    send = remote._send

    def broken(system, target, content):
        if target.endswith("notebook.ipynb"):
            raise OSError("connection lost")
        send(system, target, content)

    monkeypatch.setattr(remote, "_send", broken)
    with pytest.raises(LeapstudyError, match="connection lost"):
        place.push("a")
    assert "a/manifest.json" not in _there(place), "neither the old nor the new one vouches for what is there"
    monkeypatch.setattr(remote, "_send", send)
    place.push("a")
    assert b"changed" in _there(place)["a/manifest.json"] and _there(place)["a/notebook.ipynb"] == b"changed"


def test_what_is_newer_here_is_neither_deleted_nor_overwritten(place):
    _write(place, "a", "one")
    place.push()
    _write(place, "a", "newer")
    _write(place, "b", "never sent")
    place.pull()
    for slug, text in (("a", "newer"), ("b", "never sent")):
        assert (place.folder / slug / "notebook.ipynb").read_text(encoding="utf-8") == text
    place.push()
    assert _there(place)["a/notebook.ipynb"] == b"newer" and _there(place)["b/notebook.ipynb"] == b"never sent"


def test_what_another_machine_sent_since_is_not_removed(place, tmp_path):
    _write(place, "a", "one")
    place.push()
    other = Place(tmp_path / "another machine", place.url)
    other.pull()
    _write(other, "a", "longer, from the other machine")
    other.push()
    (place.folder / "a" / "notebook.ipynb").unlink()
    place.push()
    assert _there(place)["a/notebook.ipynb"] == b"longer, from the other machine"


def test_status_during_a_run_leaves_everything_as_it_is(place, monkeypatch, capsys):
    _write(place, "a", "one")
    place.push()
    running = place.folder / "hartford" / "result.json"
    running.parent.mkdir()
    running.write_text("half", encoding="utf-8")
    (place.folder / "a" / "notebook.ipynb").write_text("being written", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["leapstudy", "status", "--out", place.url])
    with locked(place.folder), pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().out
    assert ended.value.code == 0 and "A batch is at work there" in told and "hartford: never run" in told
    assert running.read_text(encoding="utf-8") == "half"
    assert (place.folder / "a" / "notebook.ipynb").read_text(encoding="utf-8") == "being written"


def test_only_results_are_brought_from_a_url(workspace):
    far = workspace / "far"
    far.mkdir()
    (far / "letter.txt").write_text("not ours", encoding="utf-8")
    with pytest.raises(BadInput, match="1 files that are no results"):
        Place.of(f"file://{far}").pull()
    place = Place.of(f"file://{far}")
    _write(place, "a", "one")
    place.push()
    place.pull()
    assert not (place.folder / "letter.txt").exists() and (far / "letter.txt").is_file()


@pytest.mark.parametrize(
    "out",
    [
        ".",
        "data",
        "data/raw",
        "params/districts",
        "notebooks/mine",
        "leapstudy",
        ".git/x",
        "..",
        "s3:/bucket/x",
        "s3://",
        "http:///",
        "file://x/y",
        "://x",
    ],
)
@pytest.mark.parametrize("command", ["run", "status", "report", "verify"])
def test_an_output_place_that_is_not_ones_own_is_refused(workspace, monkeypatch, capsys, command, out):
    named = out if ":/" in out else str(workspace / out)
    monkeypatch.setattr(sys, "argv", ["leapstudy", command, "--out", named])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and named.split("/..")[0][:12] in capsys.readouterr().err
    assert not (workspace / "data" / "raw" / "index.html").exists()


@pytest.mark.parametrize("command", ["run", "status", "report", "verify"])
def test_a_url_whose_library_is_missing_is_refused_by_every_command(workspace, monkeypatch, capsys, command, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["leapstudy", command, "--out", "adl://bucket/reports"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "cannot be opened" in capsys.readouterr().err
    assert not (tmp_path / "adl:").exists()


def test_an_unknown_protocol_is_refused(workspace):
    with pytest.raises(BadInput, match="cannot be opened"):
        Place.of("nowhere://bucket/reports").pull()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["memory"], indirect=True)
def test_a_batch_at_a_url_is_fresh_for_the_next_machine(place, workspace, light_kernel, tmp_path):
    plan = tiny_runs(workspace, place.folder)[:2]
    pool = lambda work: SendingPool(LocalPool(work), place)  # noqa: E731
    batch = run_batch(plan, place.folder, 2, console=QUIET, pool=pool)
    assert not batch.failed
    assert {"60-a/notebook.ipynb", "60-a/manifest.json", "60-b/manifest.json"} <= set(_there(place))
    place.push()
    assert "index.html" in _there(place)
    other = Place(tmp_path / "another machine", place.url)
    other.pull()
    assert reasons(plan, other.folder) == {"60-a": [], "60-b": []}
