"""Parameters are refused before any kernel starts, with the value, the legal ones and the next step."""

import pytest

from leapstudy.batch.params import KEYS, parse_settings, read_params, resolve, typed_settings
from leapstudy.core.errors import BadInput
from leapstudy.study.public import ask


def test_the_order_is_study_then_district_then_command_line(workspace):
    assert resolve("hartford", {}).comparison == "alliance"
    own = workspace / "params" / "districts" / "hartford.yml"
    own.write_text("comparison: {value: others, reason: 'a test'}\n", encoding="utf-8")
    assert resolve("hartford", {}).comparison == "others"
    assert resolve("hartford", {"comparison": "drg_gh"}).comparison == "drg_gh"
    assert resolve("windham", {}).comparison == "alliance"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("comparision=others", "Did you mean 'comparison'?"),
        ("prier=flat", "Did you mean 'prior'?"),
        ("comparison", "key=value"),
        ("seed=1.5", "whole number"),
        ("seed=-3", "whole number from 0 on"),
        ("seed=²", "whole number"),
        ("tolerance_points=nan", "must be a number"),
        ("tolerance_points=1e999", "must be a number"),
    ],
)
def test_a_bad_setting_is_shown(setting, words):
    declared = {**dict.fromkeys(KEYS, ""), "seed": 1, "tolerance_points": 0.5}
    with pytest.raises(BadInput) as error:
        typed_settings(parse_settings([setting]), declared)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("comparison", "aliance", "'alliance'"),
        ("contrast", "pre_mean", "pre_mean"),
        ("edition", "2023-24", "2023-24"),
        ("weights", "pupils", "students"),
        ("prior", "flatt", "'flat' or 'published'"),
        ("seed", "7", "seed"),
    ],
)
def test_a_value_outside_the_legal_ones_is_refused(workspace, key, value, words):
    with pytest.raises(BadInput) as error:
        resolve("hartford", {key: value})
    assert words in str(error.value)


def test_codes_are_a_legal_comparison_and_stay_text(workspace):
    settings = parse_settings(["comparison=0020011,0110011"])
    assert resolve("hartford", settings).spec().comparison == ("0020011", "0110011")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("comparison: others\n", "`value` and a `reason`"),
        ("comparison: {value: others}\n", "reason"),
        ("kontrast: {value: x, reason: y}\n", "contrast"),
        ("comparison: [", "not valid YAML"),
    ],
)
def test_a_parameter_file_needs_legal_keys_and_reasons(tmp_path, text, words):
    path = tmp_path / "hartford.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as error:
        read_params(path)
    assert words in str(error.value)


@pytest.mark.parametrize("codes", [["0020011", "0110011"], ("0020011", "0110011"), "0020011, 0110011"])
def test_codes_may_be_a_list_a_tuple_or_a_text(workspace, codes):
    assert resolve("hartford", {"comparison": codes}).spec().comparison == ("0020011", "0110011")
    assert ask(comparison=codes).comparison == ("0020011", "0110011")


@pytest.mark.parametrize("codes", [[], [20011, 110011], "", "0020011,"])
def test_what_is_no_list_of_codes_is_refused_and_codes_are_named_as_legal(workspace, codes):
    with pytest.raises(BadInput, match="district codes"):
        resolve("hartford", {"comparison": codes})


def test_a_setting_given_twice_is_refused():
    with pytest.raises(BadInput, match="seed is given twice: '1' and '2'"):
        parse_settings(["seed=1", "seed=2"])


def test_a_number_where_text_is_due_is_refused_also_from_yaml(workspace):
    own = workspace / "params" / "districts" / "hartford.yml"
    own.write_text("comparison: {value: 0020011, reason: 'octal in YAML'}\n", encoding="utf-8")
    with pytest.raises(BadInput, match="comparison"):
        resolve("hartford", {})
