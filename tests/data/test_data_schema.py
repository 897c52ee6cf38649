"""A published table that is not what it promises is refused in plain words."""

import pytest
from fake_tables import fake_table
from hypothesis import given, settings
from hypothesis import strategies as st

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.data.codebook import codebook
from leapstudy.data.schema import parse
from leapstudy.data.state import load_state

TABLES, CODE = load_state().tables, load_state().unit.code


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_fake_data_from_the_declaration_pass_it(table):
    parsed = parse(table, fake_table(table, CODE, seed=1), CODE)
    assert list(parsed.columns) == [column.name for column in table.columns]
    assert parsed["district_code"].str.len().eq(7).all()


def test_the_codebook_is_what_the_declarations_say():
    assert (paths.root() / "data" / "CODEBOOK.md").read_text(encoding="utf-8") == codebook()


def _broken(column, value, table=TABLES["attendance_2022_23"]):
    frame = fake_table(table, CODE, seed=2)
    frame.loc[3, column] = value
    return frame


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("district_code", "430011", "leading zeros"),
        ("attendance_rate", "93.5", "percent"),
        ("attendance_rate", "much", "no number"),
        ("attendance_rate", "", "1 empty cell,"),
        ("attendance_rate", "-0.1", "-0.1"),
        ("students", "inf", "whole number"),
        ("students", "12.7", "whole number"),
        ("students", "nan", "no number"),
        ("year", "2018-19", "2018-19"),
        ("student_group", "Everyone", "Everyone"),
        ("edition", "2025 (new)", "2025 (new)"),
    ],
)
def test_a_bad_cell_is_shown_with_its_column(column, value, words):
    with pytest.raises(BadInput) as error:
        parse(TABLES["attendance_2022_23"], _broken(column, value), CODE)
    assert words in str(error.value) and "csde_attendance_2022_23" in str(error.value)


def test_a_fraction_where_a_percent_is_due_is_named():
    frame = fake_table(TABLES["chronic_absence"], CODE, seed=3).assign(**{"2015-16": "0.12"})
    with pytest.raises(BadInput, match="looks like a fraction"):
        parse(TABLES["chronic_absence"], frame, CODE)


def test_a_missing_and_an_unknown_column_are_both_named():
    frame = fake_table(TABLES["districts"], CODE, seed=4).rename(columns={"alliance": "aliance"})
    with pytest.raises(BadInput, match=r"missing columns \['alliance'\], unknown columns \['aliance'\]"):
        parse(TABLES["districts"], frame, CODE)


def test_a_repeated_key_is_refused():
    frame = fake_table(TABLES["districts"], CODE, seed=5)
    frame.loc[1, "district_code"] = frame.loc[0, "district_code"]
    with pytest.raises(BadInput, match="share a key"):
        parse(TABLES["districts"], frame, CODE)


@settings(max_examples=30)
@given(st.floats(min_value=1.0001, max_value=1e6) | st.floats(min_value=-1e6, max_value=-1e-6))
def test_no_rate_outside_zero_to_one_gets_in(value):
    with pytest.raises(BadInput):
        parse(TABLES["attendance_2021_22"], _broken("attendance_rate", repr(value), TABLES["attendance_2021_22"]), CODE)
