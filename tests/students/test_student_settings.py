"""The student track's parameters are typed, and refused in words before anything is opened."""

from pathlib import Path

import pytest
import yaml

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.students.files import find
from leapstudy.students.lottery import lottery_of
from leapstudy.students.readers import edfi_parts
from leapstudy.students.settings import input_files, input_hashes, load_settings

PARAMS = (paths.params() / "students.yml").read_text(encoding="utf-8")
CONTENT = yaml.safe_load(PARAMS)


def _load(folder, **changes):
    path = folder / "students.yml"
    path.write_text(yaml.safe_dump({**CONTENT, **changes}), encoding="utf-8")
    return load_settings(path)


def test_the_default_input_is_the_simulated_state():
    assert load_settings().simulated
    assert set(input_files(load_settings())) == {"attendance", "visits", "outcomes"}
    assert set(input_hashes()) == {"params/students.yml", "params/simulation.yml"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"min_comparisons": 6}, "Did you mean 'min_comparison'"),
        ({"seed": 10**30}, "seed: .*less than or equal to"),
        ({"months_after": 0}, "months_after: .*greater than or equal to 1"),
        ({"early": [4, 6]}, "the earlier one first"),
        ({"visits": "log.csv"}, "visits need input"),
        ({"shape": "wide"}, "shape"),
        ({"columns": {"studnt": "SASID"}}, "Did you mean 'student'"),
        ({"values": {"typ": {"Home": "in_person"}}}, r"Did you mean 'type'.*`column: \{own value: legal value\}`"),
        (
            {"values": {"type": {"Home": "in_person", " HOME": "phone"}}},
            "type gives ' HOME' the meaning phone and 'Home' the meaning in_person",
        ),
        (
            {"categories": {"Late": 0.0, "LATE": 0.5}},
            "category gives 'LATE' the meaning 0.5 and 'Late' the meaning 0.0",
        ),
        ({"values": {"type": {"in_person": "Home"}}}, "meaning of a type .*'Home'.* Legal: in_person, phone"),
        ({"values": {"completed": {"Met": "met"}}}, "meaning of a completed .*'met'.* Legal: 1, true, t, yes, y, 0"),
        ({"time_zone": "Eastern"}, "'Eastern' is no time zone; write one such as America/New_York"),
        ({"memory_limit": "lots"}, "memory_limit: 'lots' is no amount of memory; write it as 500MB or 2GB"),
        ({"memory_limit": "0GB"}, "'0GB' is no amount of memory"),
        ({"engine": "duckbd"}, "Did you mean 'duckdb'"),
        ({"engine": "spark:/host:7077"}, "spark://HOST:PORT"),
    ],
)
def test_what_is_not_legal_is_refused_with_the_way_out(changes, words, tmp_path):
    with pytest.raises(BadInput, match=words):
        _load(tmp_path, **changes)


def test_the_example_of_own_values_is_one_that_is_read(tmp_path):
    line = next(line for line in PARAMS.splitlines() if line.startswith("values:"))
    example = yaml.safe_load(line.rpartition("): ")[2])
    assert _load(tmp_path, values=example).values == example
    assert _load(tmp_path, values={"grade": {"Kind.": "k", "First": "1"}, "type": {"H": "In-Person"}}).values


@pytest.mark.parametrize("amount", ["0.5GB", "500 MiB", "2g", "50%"])
def test_amounts_of_memory_that_the_engine_takes_are_legal(amount, tmp_path):
    assert _load(tmp_path, memory_limit=amount).memory_limit == amount


def test_a_missing_or_broken_file_is_said(tmp_path):
    with pytest.raises(BadInput, match="missing"):
        load_settings(tmp_path / "none.yml")
    (tmp_path / "students.yml").write_text("a: [", encoding="utf-8")
    with pytest.raises(BadInput, match="not valid YAML"):
        load_settings(tmp_path / "students.yml")


def test_a_changed_byte_of_a_student_file_changes_the_hashes_and_no_path_is_named(tmp_path):
    attendance, visits = tmp_path / "rows.csv", tmp_path / "log.csv"
    attendance.write_text("a", encoding="utf-8")
    visits.write_text("b", encoding="utf-8")
    settings = _load(tmp_path, input=str(attendance), visits=str(visits))
    before = input_hashes(settings)
    attendance.write_text("c", encoding="utf-8")
    after = input_hashes(settings)
    assert before["attendance 1"] != after["attendance 1"] and before["visits 1"] == after["visits 1"]
    assert not any(str(tmp_path) in name for name in before)


def test_a_path_in_the_parameters_starts_from_the_workspace_and_one_that_is_typed_from_where_one_is(
    tmp_path, monkeypatch
):
    here, study = tmp_path / "here", tmp_path / "study"
    for folder in (here, study / "params"):
        folder.mkdir(parents=True)
    (tmp_path / "rows.csv").write_text("a", encoding="utf-8")
    (study / "log.csv").write_text("b", encoding="utf-8")
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(study))
    monkeypatch.chdir(here)
    settings = _load(study / "params", input="../rows.csv", visits="log.csv", roster="none.csv", draw="none.csv")
    files = input_files(settings)
    assert files["attendance"].read_text() == "a" and files["visits"] == study / "log.csv"
    for refused, place in (
        (lambda: input_hashes(settings), study / "none.csv"),
        (lambda: lottery_of(settings), study / "none.csv"),
        (lambda: find("log.csv"), here / "log.csv"),
        (lambda: edfi_parts(Path("log")), here / "log"),
    ):
        with pytest.raises(BadInput) as refusal:
            refused()
        assert repr(str(place)) in str(refusal.value)


def test_supports_are_named_as_cells_of_the_log_are_read(tmp_path):
    text = (paths.params() / "students.yml").read_text(encoding="utf-8")
    start = text.index("supports: [")
    whole = text[start : text.index("]", start) + 1]

    def own(names):
        file = tmp_path / "students.yml"
        file.write_text(text.replace(whole, f"supports: {names}"), encoding="utf-8")
        return load_settings(file).supports

    assert own("[Bus pass, Home-school liaison, food]") == ("bus_pass", "home_school_liaison", "food")
    assert own("[met, grade, All]") == ("met", "grade", "all")
    for names in ("['a;b']", "['']", "[status]", "[Students]", "[numerator]", "[suppressed]"):
        with pytest.raises(BadInput, match="cannot name a support"):
            own(names)
    with pytest.raises(BadInput, match="supports name one twice"):
        own("[bus pass, Bus Pass]")
