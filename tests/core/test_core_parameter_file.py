"""A parameter file of any shape ends in words, quickly."""

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from leapstudy.core.errors import BadInput
from leapstudy.core.parameter_file import LONGEST_BYTES, Part, checked_part, read_mapping

DEEP = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("café: 1".encode("latin-1"), "not UTF-8"),
        ("name: 1".encode("utf-16"), "not UTF-8"),
        (b"- a\n- b\n", "holds a list"),
        (b"7\n", "holds a number"),
        (b"true\n", "holds yes or no"),
        (b"2021-09-01\n", "holds text"),
        (b"some words\n", "holds text"),
        (b"a: 1\nb: 2\na: 3\n", "'a' stands twice, again in line 3"),
        (b"a: {b: 1, b: 2}", "'b' stands twice"),
        (DEEP.encode(), "line 2 refers to another place"),
        (b"[" * 20_000, "nest"),
        (b"- " * 20_000, "nested too deeply"),
        (b"? [a, b]\n: 1\n", "plain text"),
        (b"7: x\n", "the name 7"),
        (b"a: [", "not valid YAML"),
        (b"a: 2024-99-99\n", "not valid YAML"),
        (b"a: !!python/object:os.system x\n", "not valid YAML"),
        (b" " * (LONGEST_BYTES + 1), "no parameter file is that long"),
    ],
)
def test_what_is_no_mapping_is_refused_in_words(tmp_path, content, words):
    path = tmp_path / "hartford.yml"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="hartford.yml") as error:
        read_mapping(path)
    assert words in str(error.value)


def test_a_byte_order_mark_and_an_empty_file_are_fine(tmp_path):
    path = tmp_path / "x.yml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_mapping(path) == {"a": 1}
    path.write_bytes(b"# nothing yet\n")
    assert read_mapping(path) == {}


def test_a_date_is_its_text_with_or_without_quotes(tmp_path):
    path = tmp_path / "x.yml"
    path.write_text('a: 2026-11-29\nb: "2026-11-29"\nc: [2026-11-29 10:00:00]\n', encoding="utf-8")
    assert read_mapping(path) == {"a": "2026-11-29", "b": "2026-11-29", "c": ["2026-11-29 10:00:00"]}


@given(st.binary(max_size=200))
def test_any_bytes_give_a_mapping_or_words(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "x.yml"
    path.write_bytes(content)
    try:
        assert isinstance(read_mapping(path), dict)
    except BadInput as error:
        assert "x.yml" in str(error)


def test_a_value_of_the_wrong_form_or_size_is_told_with_itself():
    class Asked(Part):
        month: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]
        share: Annotated[float, Field(gt=0)]

    with pytest.raises(BadInput) as told:
        checked_part({"month": "TODO: when", "share": -0.5, "more": 1}, Asked, "asked.yml")
    assert "month: 'TODO: when': string should match" in str(told.value)
    assert "share: -0.5: input should be greater than 0" in str(told.value)
    assert str(told.value).endswith("the whole file: Unknown key: 'more'. Legal: month, share.")


def test_an_empty_text_is_an_empty_place_only_where_a_value_may_be_missing():
    class Kind(Part):
        months: Annotated[int, Field(ge=1)] | None = None
        name: str = "x"
        number: int = 1

    assert checked_part({"months": "", "name": ""}, Kind, "x.yml") == Kind(months=None, name="")
    with pytest.raises(BadInput, match="number: ''"):
        checked_part({"number": ""}, Kind, "x.yml")
