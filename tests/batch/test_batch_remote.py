"""Results at a URL: what is there counts, what changed is sent, the manifest last."""

import json

import fsspec
import pytest
from conftest import tiny_runs
from rich.console import Console

from leapstudy.batch import remote
from leapstudy.batch.batch import run_batch
from leapstudy.batch.executors import LocalPool, SendingPool
from leapstudy.batch.last_batch import reasons
from leapstudy.batch.remote import Place
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
    folder = place.folder / slug
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notebook.ipynb").write_text(text, encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps({"about": text}), encoding="utf-8")


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


def test_an_unknown_protocol_is_refused(workspace):
    with pytest.raises(BadInput, match="cannot be opened"):
        Place.of("nowhere://bucket/reports").pull()


@pytest.mark.slow
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
