"""Published files in any shape: labels, numbers and rows that are all accounted for."""

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leapstudy.core.errors import BadInput
from leapstudy.data.guess import Asked, guess_shape
from leapstudy.data.intake import Recipe, Source
from leapstudy.data.sheets import as_table, header_line
from leapstudy.data.tidy import tidy
from leapstudy.data.values import code_pattern, number_text, school_year_of

FORMS = (
    "{a}-{b:02d}",
    "{a}-{c}",
    "{a}–{b:02d}",
    "{a}/{b:02d}",
    "{a}{b:02d}",
    "SY {a}-{b:02d}",
    "SY{b:02d}",
    "FY{b:02d}",
    "{c}",
)


@given(st.integers(2001, 2040), st.sampled_from(FORMS))
def test_every_usual_label_is_the_same_school_year(first, form):
    label = form.format(a=first, b=(first + 1) % 100, c=first + 1)
    assert school_year_of(label) == f"{first}-{(first + 1) % 100:02d}"
    assert school_year_of(str(first), "fall") == school_year_of(label)


@given(st.integers(2001, 2040), st.integers(2, 60))
@example(2040, 60)
def test_two_years_that_do_not_follow_are_no_school_year(first, gap):
    assert school_year_of(f"{first}-{first + gap}") == ""
    assert school_year_of(f"{first}-{gap % 10}") == "", "half a range is no single year either"


@given(st.integers(0, 10**9), st.integers(0, 9))
def test_signs_and_separators_change_no_number_and_a_mark_stays(whole, tenth):
    assert float(number_text(f"{whole:,}.{tenth}%")) == float(f"{whole}.{tenth}")
    assert number_text(f"<{whole}") == f"<{whole}"


@given(st.lists(st.from_regex(r"[0-9A-Z]{1,8}", fullmatch=True), min_size=1))
def test_the_guessed_form_fits_every_code_that_it_was_guessed_from(codes):
    pattern = code_pattern(codes)
    assert pd.Series(codes).str.fullmatch(pattern).all()


def _read(**tables):
    """Return the tidy tables of frames given as rows, guessed one by one."""
    frames, shapes = {}, []
    for name, rows in tables.items():
        source = Source(file=f"{name}.csv", year=school_year_of(name))
        frames[source] = pd.DataFrame(rows[1:], columns=rows[0], dtype="str")
        shapes.append(guess_shape(source, frames[source], Asked()))
    return tidy(Recipe(folder="figures", shapes=tuple(shapes)), frames)


HEAD = ["District Code", "District Name", "School Year", "Student Group", "Enrollment", "Attendance Rate"]


def test_every_published_row_is_used_or_set_aside_by_a_rule():
    rows = [
        HEAD,
        ["01", "A", "2019", "All Students", "1,200", "93.1%"],
        ["01", "A", "2019", "English Learners", "20", "*"],
        ["", "", "2019", "All Students", "9", "9%"],
    ]
    made = _read(one=rows)
    assert made.accounts == {"used": 1, "no code of a unit": 1, "another student group": 1}
    assert made.rows_in == sum(made.accounts.values()) == len(rows) - 1
    assert made.table.to_dict("records") == [
        {"district_code": "01", "year": "2018-19", "group": "all", "students": "1200", "rate": "93.1"}
    ]
    assert made.units.to_dict("records") == [{"district_code": "01", "district": "A", "students": "1200"}]


def test_files_that_say_the_same_are_joined_and_files_that_disagree_are_refused():
    one = [["District Code", "Enrollment"], ["01", "100"], ["02", "200"]]
    other = [["District Code", "Enrollment", "Chronically Absent %"], ["01", "100", "12.5"]]
    made = _read(**{"a_2018-19": one, "b_2018-19": other})
    assert made.table[["district_code", "students", "chronic"]].to_numpy().tolist() == [
        ["01", "100", "12.5"],
        ["02", "200", ""],
    ]
    other[1][1] = "101"
    with pytest.raises(BadInput, match="different things of 1 cells; the first is 01, 2018-19, all, students"):
        _read(**{"a_2018-19": one, "b_2018-19": other})


def test_rows_that_repeat_a_unit_and_year_are_refused_with_the_way_out():
    rows = [HEAD, *(["01", "A", "2019", "All Students", n, "93.1%"] for n in ("5", "6"))]
    with pytest.raises(BadInput, match="2 rows share unit, year and student group.*--keep COLUMN=VALUE"):
        _read(one=rows)


def test_the_table_begins_below_titles_and_ends_above_notes():
    rows = [
        ["Department", "", ""],
        ["", "", ""],
        ["", "2019", "2020"],
        ["Code", "Rate", "Rate"],
        ["01", "9", "8"],
        ["* hidden", "", ""],
    ]
    table, notes = as_table(rows, header_line(rows))
    assert list(table.columns) == ["Code", "2019 Rate", "2020 Rate"] and len(table) == 1 and notes == 1
    with pytest.raises(BadInput, match="looks like column names"):
        header_line([["1", "2"], ["3", "4"]])
