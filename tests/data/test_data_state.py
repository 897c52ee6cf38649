"""A study is data: every fault in `state.yml` and in the file of starts is named, and words come from there."""

import copy
import re
import shutil
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import yaml
from pydantic import ValidationError

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.data import state as declared
from leapstudy.data.districts import COLUMNS, read_register, starts_of
from leapstudy.data.names import (
    comparison_short,
    comparison_words,
    contrast_words,
    counted_units,
    outcome_words,
    program_name,
    study_names,
)
from leapstudy.data.state import Calendar, State, load_state, read_state
from leapstudy.data.steps import look_at, steps

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the fast one where there is one


@pytest.fixture
def content() -> dict:
    return yaml.safe_load((paths.params() / "state.yml").read_text(encoding="utf-8"))


def _read(tmp_path, content) -> State:
    path = tmp_path / "state.yml"
    path.write_text(yaml.dump(content, Dumper=DUMPER), encoding="utf-8")
    return read_state(path)


def _parts(node, path=()):
    """Walk over every mapping of the file that has fixed keys, as the path to it."""
    free = {
        ("tables",),
        ("editions",),
        ("outcomes",),
        ("groups",),
        ("contrasts",),
        ("notes",),
        ("unit", "known_as"),
        ("unit", "traits"),
    }
    if isinstance(node, dict) and path[-1:] not in {
        ("where",),
        ("columns",),
        ("values",),
        ("constant",),
        ("noun",),
        ("plain",),
        ("done",),
        ("caveats",),
        ("preliminary",),
        ("listed",),
        ("shown",),
        ("said",),
    }:
        if path not in free:
            yield path
        for key, below in node.items():
            yield from _parts(below, (*path, key))


def test_an_unknown_key_in_any_part_is_named_with_the_legal_ones(tmp_path, content):
    places = list(_parts(content))
    assert len(places) > 20
    for place in places:
        spoilt = copy.deepcopy(content)
        part = spoilt
        for key in place:
            part = part[key]
        part["colour_of_bus"] = "yellow"
        with pytest.raises(BadInput, match="Unknown key: 'colour_of_bus'.*Legal: ") as error:
            _read(tmp_path, spoilt)
        assert ".".join(place) in str(error.value)


def test_all_faults_are_told_at_once(tmp_path, content):
    content["outcomes"]["attendance_rate"]["better"] = "higher"
    content["program"]["clean_until"] = "2023"
    content["contrasts"]["pre_mean_to_2021_22"]["post"] = [-2]
    content["unit"]["code"]["example"] = "43"
    content["programme"] = {"name": "x"}
    content["tables"]["districts"]["columns"]["drg"]["alowed"] = ["A"]
    content["breaks"][0]["unit"] = 2450014
    content["programme"] = "x"
    with pytest.raises(BadInput) as error:
        _read(tmp_path, content)
    text = str(error.value)
    assert "Unknown key: 'programme'. Did you mean 'program'" in text
    assert "Unknown key: 'alowed'. Did you mean 'allowed'" in text
    for place in (
        "outcomes.attendance_rate.better",
        "program.clean_until",
        "contrasts.pre_mean",
        "unit.code",
        "breaks.0",
    ):
        assert f"- {place}" in text, text


@pytest.mark.parametrize(
    ("pre", "post", "role"),
    [
        ([0], [1], "main"),
        ([-1], [-2], "placebo"),
        ([-2], [-1], "main"),
        ([-1], [0], "placebo"),
        ([-1, -1], [0], "main"),
    ],
)
def test_a_contrast_that_means_nothing_is_refused(tmp_path, content, pre, post, role):
    content["contrasts"]["odd"] = {"pre": pre, "post": post, "role": role}
    with pytest.raises(BadInput, match=r"contrasts\.odd"):
        _read(tmp_path, content)


def test_offsets_skip_the_years_that_the_study_does_not_use():
    gap = Calendar(written=("2019-20",), gap=("2019-20", "2020-21"))
    assert [gap.shift("2021-22", offset) for offset in (-2, -1, 0, 1)] == ["2017-18", "2018-19", "2021-22", "2022-23"]
    assert Calendar(written=("2019-20",)).shift("1999-00", -1) == "1998-99"


def test_fifteen_districts_start_in_one_year():
    starts = read_register(load_state())
    assert len({item.code for item in starts}) == 15
    assert {item.start for item in starts} == {"2021-22"}


def test_every_fault_of_the_starts_is_told_at_once():
    rows = [
        ("0430011", "2021-22", "", "a page"),
        ("0430011", "2022-23", "", "a page"),
        ("430011", "2021-22", "", "a page"),
        ("0640011", "2021", "", "a page"),
        ("0150011", "2021-22", "2020-21", "a page"),
        ("0340011", "2021-22", "", ""),
    ]
    with pytest.raises(BadInput) as error:
        starts_of(pd.DataFrame(rows, columns=COLUMNS), load_state())
    for told in (
        "more than one start",
        "'430011'",
        "'2021' is no school year",
        "lies before the start",
        "source is blank",
    ):
        assert told in str(error.value)


def test_words_come_from_the_state_and_an_unknown_name_is_an_error():
    names = study_names()
    assert names.state.unit.short("Capitol Region Education Council, student track") == "CREC, student track"
    assert names.state.unit.short("Hartford School District") == "Hartford"
    assert contrast_words("2019-20+2020-21", "2021-22") == "both years before to 2021-22"
    assert contrast_words("2019-20", "2020-21") == "placebo: 2019-20 to 2020-21"
    assert comparison_words("0640011,0430011") == "2 districts chosen by hand"
    assert counted_units(15, program_name()) == "15 LEAP districts"
    for ask in (comparison_words, comparison_short, outcome_words):
        with pytest.raises(BadInput, match="Legal: "):
            ask("aliance")


def test_another_state_is_another_file(tmp_path, content, monkeypatch):
    shutil.copytree(paths.raw() / "leap_facts", tmp_path / "data" / "raw" / "leap_facts")
    content["groups"]["alliance"]["words"]["long"] = "schools nearby"
    content["unit"]["noun"]["en"] = ["school", "schools"]
    (tmp_path / "params").mkdir()
    _read(tmp_path / "params", content)
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(tmp_path))
    assert comparison_words("alliance") == "schools nearby"
    assert counted_units(1) == "1 school"
    content["groups"]["alliance"]["words"]["long"] = "schools far away"
    _read(tmp_path / "params", content)
    assert comparison_words("alliance") == "schools far away"


# Keys that tell a reader what a figure counts and which notebooks are one study's own;
# nothing is computed from them.
SAID = {("Rule", "min_days"), ("Rule", "grades"), ("State", "articles")}


def test_every_legal_key_is_read_by_something():
    package = paths.root() / "leapstudy"
    text = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*") if path.suffix in (".py", ".j2"))
    parts = [part for part in vars(declared).values() if isinstance(part, type) and issubclass(part, declared.Part)]
    keys = {(part.__name__, key) for part in parts for key in part.model_fields}
    assert {key for key in keys if not re.search(rf"\.{key[1]}\b", text)} == SAID


ODD = (None, "", "(", -1, [["x"]], {}, {"x": 1}, float("nan"))


def _places(content, at=()):
    for key, value in content.items():
        yield (*at, key)
        if isinstance(value, dict):
            yield from _places(value, (*at, key))


@pytest.mark.slow
def test_a_foreign_value_at_any_key_of_a_study_ends_in_words(tmp_path):
    root = shutil.copytree(Path(__file__).parents[1] / "states" / "md", tmp_path / "md")
    content = yaml.safe_load((root / "params" / "state.yml").read_text(encoding="utf-8"))
    for place, at in enumerate(_places(content)):
        changed = copy.deepcopy(content)
        part = changed
        for key in at[:-1]:
            part = part[key]
        part[at[-1]] = ODD[place % len(ODD)]
        (root / "params" / "state.yml").write_text(yaml.dump(changed, Dumper=DUMPER), encoding="utf-8")
        with suppress(BadInput):
            for step in steps(look_at(root / "data" / "raw", root / "params")):
                assert all(step.faults), at


@pytest.mark.parametrize(("part", "words"), [("unit", "noun"), ("groups", "plain")])
def test_words_that_a_page_in_spanish_would_lack_are_refused(part, words):
    content = yaml.safe_load((Path(__file__).parents[1] / "states/md/params/state.yml").read_text(encoding="utf-8"))
    of = content["unit"]["noun"] if words == "noun" else content["groups"]["others"]["words"]["plain"]
    del of["es"]
    with pytest.raises(ValidationError, match="missing in es"):
        State.model_validate(content)


def test_an_outcome_that_no_table_gives_is_refused_and_not_read_as_another(tmp_path, content):
    content["outcomes"]["suspension_rate"] = {"better": "down", "words": "suspensions", "column": "percent"}
    with pytest.raises(BadInput, match=r"\['suspension_rate'\] are not said to be in any table.*chronic_absence"):
        _read(tmp_path, content)
