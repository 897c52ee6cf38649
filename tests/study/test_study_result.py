"""A result file keeps what it was given, says what made it, and is the same bytes each time."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import leapstudy
from leapstudy.core.errors import BadInput
from leapstudy.study.result import jsonable, load_result, made, restored, save_result
from leapstudy.study.student_results import DesignAnswer


@dataclass(frozen=True)
class Box:
    values: np.ndarray
    frame: pd.DataFrame
    nothing: float = float("nan")


def test_every_kind_of_value_becomes_plain():
    frame = pd.DataFrame({"code": ["0010011", "0020011"], "n": pd.array([1, None], dtype="Int64"), "x": [0.5, np.inf]})
    got = jsonable(Box(np.array([1.0, np.nan]), frame))
    assert got == {
        "values": [1.0, None],
        "frame": {"code": ["0010011", "0020011"], "n": [1, None], "x": [0.5, None]},
        "nothing": None,
    }
    json.dumps(got, allow_nan=False)


def test_a_frame_comes_back(hartford):
    got = jsonable(hartford)
    back = pd.DataFrame(got["event_study"]["table"]).astype({"se_pp": float})
    pd.testing.assert_frame_equal(back, hartford.event_study.table, check_dtype=False)


def test_it_is_written_read_and_the_same_each_time(tmp_path, hartford):
    for name in ("a.json", "b.json"):
        save_result(tmp_path / name, track="public", estimates=hartford.estimates, blocks={"answer": hartford})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    read = load_result(tmp_path / "a.json")
    assert read["schema"] == 1
    assert read["blocks"]["answer"]["main"]["estimate_pp"] == hartford.main.estimate_pp


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda content: content.update(extra=1), "extra"),
        (lambda content: content.update(track="pupils"), "track"),
        (lambda content: content["estimates"][0].pop("edition"), "estimates.0.edition"),
        (lambda content: content["estimates"][0].update(estimate_pp="much"), "estimates.0.estimate_pp"),
    ],
)
def test_one_schema_is_written_and_read(tmp_path, hartford, change, field):
    path = tmp_path / "result.json"
    save_result(path, track="public", estimates=hartford.estimates)
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BadInput, match=f"schema: {field}: .*leapstudy run"):
        load_result(path)
    with pytest.raises(ValueError, match="track"):
        save_result(path, track="both")


def test_an_empty_path_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_result("", track="public")
    assert list(tmp_path.iterdir()) == []


def test_what_made_it_is_kept():
    block = made({"a.csv": "0" * 64}, simulated=True)
    assert block["leapstudy"] == leapstudy.__version__
    assert len(block["package_hash"]) == len(block["lock_hash"]) == 64
    assert block["data_hashes"] == {"a.csv": "0" * 64}
    assert block["simulated"] is True


@pytest.mark.parametrize(
    ("content", "words"), [("{", "cannot be read"), ('{"schema": 0}', "schema 0"), ("[]", "schema")]
)
def test_a_file_of_another_shape_is_refused(tmp_path, content, words):
    path = tmp_path / "result.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=words):
        load_result(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match="leapstudy run"):
        load_result(tmp_path / "result.json")


def test_what_is_written_of_an_answer_is_read_back_whole(hartford):
    """Also what stands last, such as why a design has no effect: pages say it."""
    path = pd.DataFrame({"event_time": [1.0, 2.0], "low_pp": [np.nan, np.nan]})
    card = (("Estimator", "cs"), ("Base months", "the last one"))
    design = DesignAnswer("at_risk", path, path, None, hartford.main, 0.5, ("few",), card, "overlap")
    again = restored(DesignAnswer, json.loads(json.dumps(jsonable(design))))
    pd.testing.assert_frame_equal(again.path, path)
    assert (again.main, again.placebo, again.why_none) == (None, hartford.main, "overlap")
    assert (again.refused, again.card) == (("few",), card)
