"""A batch: what fails is told, what is fresh stays, and nothing is lost."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import pytest
from estimates_file import read_estimates
from filelock import FileLock
from rich.console import Console

from leapstudy.batch import executors
from leapstudy.batch.batch import _longest_first, failure_table, run_batch
from leapstudy.batch.job import input_hashes
from leapstudy.batch.last_batch import locked, reasons
from leapstudy.batch.manifest import Manifest, key_of, read_manifest, stale_reasons, verdict, write_manifest
from leapstudy.batch.plan import declared_parameters, make_plan
from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate

QUIET = Console(quiet=True)
pytestmark = pytest.mark.slow


def _plan(study, names, out, **settings):
    return make_plan(study, names, "public", settings, out)


def test_a_failing_district_stops_nobody_and_never_looks_like_success(workspace, study):
    out = workspace / "reports"
    plan = _plan(study, ["hartford", "windham"], out)
    batch = run_batch(plan, out, 2, console=QUIET)
    assert list(batch.failed) == ["windham"]
    assert (out / "hartford" / "notebook.ipynb").is_file()
    assert not (out / "windham" / "notebook.ipynb").exists() and (out / "windham" / "failed.ipynb").is_file()
    error = read_manifest(out / "windham").error
    assert error["message"] == "ValueError: no figures for Windham" and error["cell"] == "cell 3"
    assert "no figures for Windham" in (out / "windham" / "run.log").read_text(encoding="utf-8")
    assert failure_table(batch.failed).row_count == 1
    assert "failed" in batch.index.read_text(encoding="utf-8")
    _only_what_is_stale_runs_again(workspace, study, out, plan)


def test_the_longest_runs_start_first_and_the_others_keep_their_order(workspace, study):
    plan = _plan(study, [], workspace / "reports")
    slugs = [run.slug for run in _longest_first(plan)]
    assert slugs[0] == "all-districts" and sorted(slugs) == sorted(run.slug for run in plan)
    assert slugs[1:] == [run.slug for run in plan if run.slug != "all-districts"]


ROW = {
    "track": "public",
    "district_code": "",
    "district": "",
    "outcome": "attendance_rate",
    "comparison": "alliance",
    "n_treated": 1,
    "n_comparison": 19,
    "edition": "2022-23",
    "pre": "2020-21",
    "post": "2021-22",
    "estimator": "did",
    "role": "sensitivity",
    "estimate_pp": 0.5,
}
RESULT_CELLS = (
    'district = "hartford"\nresult_path = ""',
    'if district == "windham":\n    raise ValueError("no figures for Windham")',
    "from io import BytesIO\nfrom IPython.display import Image as Shown\nfrom PIL import Image\nmade = BytesIO()\n"
    "Image.new('RGB', (len(district), 8)).save(made, 'png')\nShown(made.getvalue())",
    "import json\nfrom pathlib import Path\n"
    f"row = {{**{asdict(Estimate(**ROW))}, 'district_code': district}}\n"
    "Path(result_path).write_text(json.dumps({'schema': 1, 'track': 'public', 'estimates': [row]}), encoding='utf-8')",
)


def test_the_runs_of_an_earlier_batch_stay_on_the_site_and_in_the_tables(workspace, study, notebook_writer):
    notebook_writer(workspace / "notebooks" / "10_district.ipynb", RESULT_CELLS)
    out = workspace / "reports"
    run_batch(_plan(study, ["hartford", "danbury", "windham"], out), out, 2, console=QUIET)
    pictures = sorted((out / "assets" / "figures").iterdir())
    run_batch(_plan(study, ["hartford"], out), out, 2, force=True, console=QUIET)
    index = (out / "index.html").read_text(encoding="utf-8")
    found = dict(re.findall(r'data-name="?(\w+).*?data-status="?(\w+)', index))
    assert found == {"hartford": "done", "danbury": "earlier", "windham": "failed"}
    assert "kept from a batch before the last one" in index and "no figures for Windham" in index
    assert len(pictures) == 2 and sorted((out / "assets" / "figures").iterdir()) == pictures
    assert list(read_estimates(out / "estimates.csv")["district_code"]) == ["danbury", "hartford"], "in one order"
    record = json.loads((out / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    assert sum(item["@type"] == "CreateAction" for item in record["@graph"]) == 1 + 3, "the batch and its runs"


def _only_what_is_stale_runs_again(workspace, study, out, plan):
    assert reasons(plan, out) == {"hartford": [], "windham": ["failed: ValueError: no figures for Windham"]}
    before = (out / "hartford" / "manifest.json").stat().st_mtime_ns
    batch = run_batch(plan, out, 2, console=QUIET)
    assert [item.run.slug for item in batch.outcomes if item.reran] == ["windham"]
    assert (out / "hartford" / "manifest.json").stat().st_mtime_ns == before
    other = _plan(study, ["hartford"], out, comparison="others")
    assert reasons(other, out)["hartford"] == ["params: comparison alliance -> others"]
    moved = {**input_hashes(), "csde_districts/districts.csv": "0" * 64}
    assert stale_reasons(out / "hartford", key_of(plan[0], moved)) == ["data: csde_districts/districts.csv"]
    (out / "hartford" / "notebook.ipynb").unlink()
    assert reasons(plan, out)["hartford"] == ["output missing: notebook.ipynb"]


def test_what_never_ran_or_was_cut_off_runs(workspace, study, tmp_path):
    out = workspace / "reports"
    plan = _plan(study, ["hartford"], out)
    assert reasons(plan, out)["hartford"] == ["never run"]
    folder = out / "hartford"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"state": "running", "key": {}}), encoding="utf-8")
    assert reasons(plan, out)["hartford"] == ["interrupted"]


@pytest.mark.parametrize(
    "text",
    [
        '{"state": "do',
        "[]",
        "7",
        "null",
        '{"state": "done"}',
        '{"state": "fine", "key": {}}',
        '{"state": "done", "key": []}',
        '{"state": "done", "key": {"data": [1]}}',
        '{"state": "done", "key": {"params": "x"}}',
        "[" * 100_000,
        '{"state": "done", "key": {}, "outputs": {"a": 1}}',
        '{"state": "failed", "key": {}, "error": {"message": []}}',
        '{"state": "done", "key": {}, "seconds": NaN}',
        '{"state": "done", "key": {}, "extra": 1}',
    ],
)
def test_a_manifest_of_another_shape_makes_the_run_stale_and_says_why(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    assert stale_reasons(tmp_path, {"cells": "x", "data": {}}) == ["its manifest is damaged"]
    (tmp_path / "manifest.json").write_bytes(b"\xff\xfe")
    assert verdict(stale_reasons(tmp_path, {})) == "stale (its manifest is damaged)"


def test_a_notebook_that_leaves_no_result_is_failed(workspace, study, notebook_writer):
    out, path = workspace / "reports", workspace / "notebooks" / "10_district.ipynb"
    for cell in ("pass", "open(result_path, 'w').write('{\"schema\": 1, ')"):
        notebook_writer(path, ('district = ""\nresult_path = ""', cell))
        plan = make_plan(study, ["hartford"], "public", {}, out)
        manifest = run_batch(plan, out, 1, console=QUIET).failed["hartford"]
        assert manifest.error["message"] == "every cell ran, but no result was written that can be read"
        folder = out / "hartford"
        assert {item.name for item in folder.iterdir()} == {"failed.ipynb", "manifest.json", "notebook.html", "run.log"}


def test_a_damaged_result_of_an_earlier_batch_is_named_and_left_out(workspace, study):
    out = workspace / "reports"
    run_batch(_plan(study, ["hartford", "danbury"], out), out, 2, console=QUIET)
    for text in ('{"schema": 1, "estimates": [], "made": {"leapstudy": "forged"}}', '{"schema": 1, "esti'):
        (out / "hartford" / "result.json").write_text(text, encoding="utf-8")
        batch = run_batch(_plan(study, ["danbury"], out), out, 1, console=QUIET)
        index = batch.index.read_text(encoding="utf-8")
        assert not batch.failed and "output changed by hand: result.json" in index
        assert dict(re.findall(r'data-name="?(\w+).*?data-status="?(\w+)', index))["hartford"] == "damaged"


def test_a_second_batch_in_the_same_folder_is_refused(tmp_path):
    held = FileLock(tmp_path / ".lock")
    with held, pytest.raises(BadInput, match="Another `leapstudy run`"), locked(tmp_path):
        pass


def test_an_output_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(BadInput, match="cannot be written"), locked(tmp_path / "file" / "reports"):
        pass


def test_the_plan_names_every_run_and_refuses_strangers(workspace, study):
    out = workspace / "reports"
    assert len(_plan(study, [], out)) == 16
    with pytest.raises(BadInput, match="never had LEAP"):
        _plan(study, ["ansonia"], out)
    with pytest.raises(BadInput, match="no peer"):
        _plan(study, ["crec"], out, comparison="drg_gh")


def test_a_second_parameters_cell_and_a_derived_value_are_refused(tmp_path, notebook_writer):
    path = tmp_path / "x.ipynb"
    notebook_writer(path, ("a = 1", "b = 2"))
    assert declared_parameters(path) == {"a": 1}
    text = json.loads(path.read_text(encoding="utf-8"))
    text["cells"][2]["metadata"]["tags"] = ["parameters"]
    path.write_text(json.dumps(text), encoding="utf-8")
    with pytest.raises(BadInput, match="2 cells tagged"):
        declared_parameters(path)
    notebook_writer(path, ("a: int = 1",))
    with pytest.raises(BadInput, match="plain assignments"):
        declared_parameters(path)


def test_ctrl_c_marks_what_was_cut_off(workspace, study, monkeypatch):
    out = workspace / "reports"
    plan = _plan(study, ["hartford"], out)

    def interrupted(run, folder, key, **_):
        write_manifest(folder / run.slug, Manifest("running", dict(key)))
        raise KeyboardInterrupt

    monkeypatch.setattr(executors, "execute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_batch(plan, out, 1, console=QUIET)
    assert read_manifest(out / "hartford").state == "interrupted"


def test_a_killed_batch_leaves_nothing_that_looks_done(workspace, study, light_kernel):
    out = workspace / "reports"
    command = [sys.executable, "-m", "leapstudy", "run", "hartford", "danbury", "--out", str(out), "--jobs", "1"]
    process = subprocess.Popen(command, env={**os.environ, "LEAPSTUDY_ROOT": str(workspace)}, start_new_session=True)
    while not (out / "hartford" / "manifest.json").exists() and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    plan = _plan(study, ["hartford", "danbury"], out)
    assert set(reasons(plan, out)["hartford"]) <= {"interrupted", "never run"}
    batch = run_batch(plan, out, 2, console=QUIET)
    assert not batch.failed and not any(reasons(plan, out).values())
