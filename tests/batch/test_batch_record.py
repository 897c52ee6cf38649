"""The run record keeps RO-Crate's musts, and `verify` names what moved and what made it move."""

import datetime
import json
import math
import shutil
from copy import deepcopy
from pathlib import Path
from urllib.parse import unquote

import pytest
from own_files import before_a_start
from rich.console import Console

from leapstudy.batch.batch import run_batch
from leapstudy.batch.last_batch import forget, keep, published
from leapstudy.batch.manifest import Manifest, write_manifest
from leapstudy.batch.plan import make_plan
from leapstudy.batch.ro_crate import NAME, crate_of, describe_files, recorded_hashes, write_record
from leapstudy.batch.verify import (
    RELISTED,
    TOLERANCE,
    Verification,
    _bring_documents,
    _compared,
    differences,
    made_otherwise,
    moved_estimates,
    moved_files,
    verify,
)
from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_file
from leapstudy.data import load_study
from leapstudy.site.documents import build_reports
from leapstudy.site.stamps import STAMPS, read_stamps
from leapstudy.study.result import load_result, made

QUIET = Console(quiet=True)
STARTED = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
RUN_CELLS = (
    'district = "hartford"\ncomparison = "alliance"\nseed = 1\nresult_path = ""',
    "from leapstudy.study.public import study_district\n"
    "study_district(district, comparison=comparison, seed=seed).save(result_path)",
)
KEY = {
    "params": {"comparison": "others", "seed": 7},
    "data": {"csde_districts/districts.csv": "a" * 64},
    "python": "3.11",
}


@pytest.fixture
def written(workspace, study):
    """Return the output folder of a batch of two runs, one of them failed, and its record."""
    out = workspace / "reports"
    plan = make_plan(study, ["hartford", "danbury"], "public", {}, out)
    for run, manifest in zip(
        plan,
        (Manifest("done", KEY, {}, 3.0), Manifest("failed", KEY, {}, 1.0, {"message": "ValueError: no"})),
        strict=True,
    ):
        (out / run.slug).mkdir(parents=True)
        (out / run.slug / "notebook page.html").write_text(run.slug, encoding="utf-8")
        write_manifest(out / run.slug, manifest)
    (out / "index.html").write_text("index", encoding="utf-8")
    (out / ".lock").write_text("", encoding="utf-8")
    write_record(out, plan, [], STARTED)
    return out


def crate(out):
    return json.loads((out / NAME).read_text(encoding="utf-8"))


def entities(out):
    return {item["@id"]: item for item in crate(out)["@graph"]}


def ids(value):
    """Return every {"@id": ...} inside a value."""
    if isinstance(value, dict):
        return [value["@id"]] if set(value) == {"@id"} else [name for item in value.values() for name in ids(item)]
    return [name for item in value for name in ids(item)] if isinstance(value, list) else []


def test_the_root_and_its_descriptor_are_as_the_standard_asks(written):
    assert crate(written)["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    found = entities(written)
    assert len(found) == len(crate(written)["@graph"]), "every @id stands once"
    descriptor = found[NAME]
    assert descriptor["@type"] == "CreativeWork" and descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = found["./"]
    assert root["@type"] == "Dataset" and root["name"] and root["description"] and root["license"]["@id"] in found
    assert datetime.date.fromisoformat(root["datePublished"])


def test_every_file_is_part_with_its_size_and_hash(written):
    found = entities(written)
    parts = {item["@id"] for item in found["./"]["hasPart"]}
    there = [path for path in written.rglob("*") if path.is_file() and path.name not in (NAME, ".lock")]
    assert {unquote(part) for part in parts} == {path.relative_to(written).as_posix() for path in there}
    assert "hartford/notebook%20page.html" in parts
    for part in parts:
        path, entity = written / unquote(part), found[part]
        assert entity["@type"] == "File" and entity["encodingFormat"]
        assert (entity["contentSize"], entity["sha256"]) == (str(path.stat().st_size), sha256_file(path))


def test_every_entity_has_a_type_and_every_reference_leads_to_one(written):
    found = entities(written)
    outside = ("https://w3id.org/", "http://schema.org/")
    for entity in found.values():
        assert entity["@type"]
        for value in entity.values():
            assert all(name in found or name.startswith(outside) for name in ids(value))


def test_each_run_is_an_action_with_inputs_parameters_results_and_times(written):
    found = entities(written)
    action = found["#run-hartford"]
    assert action["@type"] == "CreateAction" and action["instrument"] == {"@id": "#leapstudy"}
    assert {"@id": "#input/csde_districts/districts.csv"} in action["object"]
    assert found["#hartford-seed"] == {"@id": "#hartford-seed", "@type": "PropertyValue", "name": "seed", "value": 7}
    assert {"@id": "hartford/notebook%20page.html"} in action["result"]
    start, end = (datetime.datetime.fromisoformat(action[name]) for name in ("startTime", "endTime"))
    assert end - start == datetime.timedelta(seconds=3)
    failed = found["#run-danbury"]
    assert failed["actionStatus"]["@id"].endswith("FailedActionStatus") and failed["error"] == "ValueError: no"
    assert (
        found["#batch"]["startTime"] == STARTED.isoformat()
        and found["#batch"]["actionStatus"] == failed["actionStatus"]
    )


def test_versions_and_lock_file_are_named(written):
    found, now = entities(written), made({})
    assert found["#package-numpy"]["softwareVersion"] == now["packages"]["numpy"]
    assert found["#python"]["version"] == now["python"] and found["#requirements.lock"]["sha256"] == now["lock_hash"]
    assert now["package_hash"] in found["#leapstudy"]["identifier"]


def test_the_record_leaves_itself_out_and_a_batch_with_nothing_to_do_leaves_the_record(written, study):
    before = (written / NAME).read_bytes()
    assert NAME not in [item["name"] for item in describe_files(written)]
    write_record(written, [], [], STARTED, anew=False)
    assert (written / NAME).read_bytes() == before and recorded_hashes(written)
    assert crate_of([], [], made({}), STARTED, STARTED)["@graph"][1]["hasPart"] == []


def rows():
    base = {
        "district_code": "0640011",
        "estimator": "did",
        "outcome": "attendance_rate",
        "edition": "2022-23",
        "role": "main",
    }
    return [
        {**base, "comparison": "alliance", "estimate_pp": 0.5, "p_value": 0.2, "se_pp": None},
        {**base, "comparison": "others", "estimate_pp": -0.5, "p_value": 0.4, "se_pp": 1.0},
    ]


def test_what_moved_is_named_with_how_far():
    new = deepcopy(rows())
    assert moved_estimates(rows(), new, TOLERANCE) == []
    new[0]["estimate_pp"] += TOLERANCE / 2
    assert moved_estimates(rows(), new, TOLERANCE) == []
    new[0]["estimate_pp"] = 0.75
    new[1]["se_pp"] = None
    first, second = moved_estimates(rows(), new, TOLERANCE)
    assert first == "0640011, did, attendance_rate, alliance, 2022-23, main: estimate_pp 0.5 -> 0.75 (by +0.250000)"
    assert second.endswith("se_pp 1.0 -> None")


def test_estimates_that_came_or_went_are_named_and_order_is_nothing():
    new = rows()[::-1]
    assert moved_estimates(rows(), new, TOLERANCE) == []
    assert moved_estimates(rows(), new[1:], TOLERANCE)[0].endswith("others, 2022-23, main: no longer there")
    assert "was not there before" in moved_estimates(rows()[:1], rows(), TOLERANCE)[0]


def test_what_made_it_otherwise_is_named():
    old, new = (
        {"python": "3.11", "packages": {"numpy": "2.4"}, "data_hashes": {"a.csv": "1"}, "lock_hash": "x"}
        for _ in range(2)
    )
    assert made_otherwise(old, new) == []
    new |= {"python": "3.12", "packages": {"numpy": "2.5"}, "data_hashes": {"a.csv": "2"}, "lock_hash": "y"}
    assert made_otherwise(old, new) == [
        "Python: 3.11 -> 3.12",
        "the lock file changed",
        "numpy: 2.4 -> 2.5",
        "the input a.csv changed",
    ]


@pytest.mark.slow
def test_a_batch_verifies_until_somebody_touches_anything(workspace, study, notebook_writer, tmp_path):
    out = workspace / "reports"
    notebook_writer(workspace / "notebooks" / "10_district.ipynb", RUN_CELLS)
    run_batch(make_plan(study, ["hartford"], "public", {"comparison": "others"}, out), out, 1, console=QUIET)
    assert entities(out)["#hartford-comparison"]["value"] == "others"
    sound = tmp_path / "sound"
    shutil.copytree(out, sound)
    _every_change_is_found(out, sound)
    build_reports(out, ["hartford"], ["docx"])
    assert "report.docx" in (out / "hartford" / "plain.html").read_text(encoding="utf-8")
    found = verify(out, 1, QUIET)
    assert found.moved == () and found.differences == (), "a report is no change of what was published"
    assert found.runs == 1 and found.estimates > 10
    assert found.files == len(published(out)) > 10 and not list((workspace / "data").glob("derived"))
    page, document = out / "hartford" / "plain.html", out / "hartford" / "report.docx"
    page.write_text(page.read_text(encoding="utf-8").replace("report.docx", "other.docx"), encoding="utf-8")
    document.write_bytes(document.read_bytes() + b" ")
    path = out / "hartford" / "result.json"
    result = load_result(path)
    for row in result["estimates"]:
        row["estimate_pp"] = math.nan
    result["made"]["packages"]["numpy"] = "1.0"
    path.write_text(json.dumps(result), encoding="utf-8")
    found = verify(out, 1, QUIET)
    pages = {"hartford/plain.html: the page differs", "hartford/report.docx: not as `leapstudy report` wrote it"}
    assert pages <= set(found.moved)
    told = [line for line in found.moved if line.startswith("hartford: 0640011, did") and "estimate_pp nan -> " in line]
    assert told and len(found.moved) >= found.estimates
    assert len(found.differences) == 1 and found.differences[0].startswith("numpy: 1.0 -> ")


@pytest.mark.slow
def test_student_pages_made_before_a_start_verify(workspace, notebook_writer):
    before_a_start(workspace)
    out, data = workspace / "reports", load_study(started=False)
    district = {"code": "ALL", "name": "All districts", "slug": "all-districts"}
    parts = f"district={district}, estimates=[], made=made({{}}, simulated=True)"
    saved = f'save_result(result_path, track="students", {parts})'
    cells = ('district = ""\nresult_path = ""', f"from leapstudy.study.result import made, save_result\n{saved}")
    notebook_writer(workspace / "notebooks" / "20_students.ipynb", cells)
    batch = run_batch(make_plan(data, [], "students", {}, out), out, 1, console=QUIET)
    assert not batch.failed
    found = verify(out, 1, QUIET)
    assert found.runs == 1 and found.moved == ()


def _every_change_is_found(out, sound):
    """Every published file, changed, cut, gone or one too many, is named;
    and so is a number in any part of a result.
    """
    for name in published(sound):
        for content in (lambda text: text + b" ", lambda text: text[: len(text) // 2], lambda text: b""):
            path, before = out / name, (sound / name).read_bytes()
            path.write_bytes(content(before))
            assert any(Path(name).parts[0] in line for line in moved_files(out, sound, TOLERANCE)) or name == NAME, name
            path.write_bytes(before)
        path.unlink()
        assert any(Path(name).parts[0] in line for line in moved_files(out, sound, TOLERANCE)) or name == NAME, name
        path.write_bytes(before)
    (out / "assets" / "more.js").write_text("x", encoding="utf-8")
    assert moved_files(out, sound, TOLERANCE) == ["assets/more.js: nothing makes this file"]
    (out / "assets" / "more.js").unlink()
    assert moved_files(out, sound, TOLERANCE) == []
    keep(out, "q", [])
    before = (out / STAMPS).read_text(encoding="utf-8")
    (out / STAMPS).write_text(json.dumps(json.loads(before) | {"runs": []}), encoding="utf-8")
    assert RELISTED in _compared(out, sound, []).moved, "told also where a report wrote the file anew"
    (out / STAMPS).write_text(before, encoding="utf-8")
    assert RELISTED not in _compared(out, sound, []).moved
    forget(out)


def test_documents_are_brought_by_the_names_that_there_can_be(tmp_path, monkeypatch):
    monkeypatch.setattr("leapstudy.batch.verify.rebuild_site", lambda _: None)
    theirs, scratch = tmp_path / "a" / "theirs", tmp_path / "b" / "c" / "scratch"
    names = [
        "hartford/report.docx",
        "../report.docx",
        "../../report.docx",
        "hartford/result.json",
        "danbury/report.pdf",
    ]
    for place in (theirs, scratch):
        (place / "hartford").mkdir(parents=True)
        kept = {"pages": {}, "runs": [], "sums": {}, "documents": dict.fromkeys(names if place == theirs else [], "x")}
        (place / STAMPS).write_text(json.dumps(kept), encoding="utf-8")
        (place / "hartford" / "result.json").write_text(place.name, encoding="utf-8")
    for name in ("hartford/report.docx", "../report.docx", "../../report.docx"):
        (theirs / name).write_text("theirs", encoding="utf-8")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    _bring_documents(theirs, scratch)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} - before == {scratch / "hartford" / "report.docx"}
    assert (scratch / "hartford" / "result.json").read_text(encoding="utf-8") == "scratch"
    assert set(read_stamps(scratch)["documents"]) == {"hartford/report.docx"}


def test_one_thing_is_not_told_as_several():
    assert Verification(1, 1, 1, (), ()).text().startswith("Verified: 1 estimate of 1 run and all 1 published file ")
    assert Verification(2, 9, 9, ("x",), ()).text().startswith("1 thing moved:")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"a": [1.0, {"b": 2.0}]}, {"a": [1.0, {"b": 2.5}]}, ["a[1].b: 2.0 -> 2.5"]),
        ({"a": math.nan}, {"a": 1.0}, ["a: nan -> 1.0"]),
        ({"a": 1.0}, {"a": math.nan}, ["a: 1.0 -> nan"]),
        ({"a": math.inf}, {"a": 1.0}, ["a: inf -> 1.0"]),
        ({"a": None}, {"a": 0.0}, ["a: None -> 0.0"]),
        ({"a": True}, {"a": 1}, ["a: True -> 1"]),
        ({"a": "Hartford"}, {"a": "Windham"}, ["a: Hartford -> Windham"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a: [1] -> [1, 2]"]),
        ({"a": 1}, {"a": 1, "b": 2}, ["b: None -> 2"]),
        ({"a": 1.0}, {"a": 1.0 + 1e-12}, []),
    ],
)
def test_values_differ_in_words(old, new, told):
    assert list(differences(old, new, TOLERANCE)) == told


def test_nothing_to_verify_is_said(tmp_path):
    with pytest.raises(BadInput, match="Run `leapstudy run` first"):
        verify(tmp_path, 1, QUIET)
