"""Published files in any shape: labels, numbers and rows that are all accounted for."""

import re

import pandas as pd
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl import Workbook

from leapstudy.core.errors import BadInput
from leapstudy.data.intake import Recipe, Source, look, tidy
from leapstudy.data.new_study import Asked, draft, guess_shape
from leapstudy.data.schema import checked
from leapstudy.data.sheets import (
    as_table,
    code_pattern,
    figures_text,
    header_line,
    number_text,
    read_sheets,
    school_year_of,
)
from leapstudy.data.state import State
from leapstudy.data.tables import Code

ANY = Asked()
YEARS = ("2017-18", "2018-19", "2021-22")
FORMS = (
    "{a}-{b:02d}",
    "{a}-{c}",
    "{a}–{b:02d}",
    "{a}/{b:02d}",
    "{a}{b:02d}",
    "SY {a}-{b:02d}",
    "SY{b:02d}",
    "SY{d:02d}-{b:02d}",
    "{d:02d}-{b:02d}",
    "FY{b:02d}",
    "{c}",
)


@given(st.integers(2001, 2040), st.sampled_from(FORMS))
def test_every_usual_label_is_the_same_school_year(first, form):
    label = form.format(a=first, b=(first + 1) % 100, c=first + 1, d=first % 100)
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


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (["0,9312", "1", "*"], ["0.9312", "1", "*"]),
        (["93,1%", "92,441 %", "<5"], ["93.1", "92.441", "<5"]),
        (["1,204", "931"], ["1204", "931"]),
        (["1,204", "93.1"], ["1204", "93.1"]),
    ],
    ids=["fractions", "percents", "thousands", "points and thousands"],
)
def test_a_comma_is_a_point_where_a_column_shows_that_it_can_be_nothing_else(cells, read):
    assert figures_text(pd.Series(cells)).tolist() == read


@given(st.lists(st.from_regex(r"[0-9A-Z]{1,8}", fullmatch=True), min_size=1))
def test_the_guessed_form_fits_every_code_that_it_was_guessed_from(codes):
    pattern = code_pattern(codes)
    assert pd.Series(codes).str.fullmatch(pattern).all()


def _read(asked=ANY, restated=False, **tables):
    """Return the tidy tables of frames given as rows, guessed one by one."""
    frames, shapes = {}, []
    for name, rows in tables.items():
        source = Source(file=f"{name}.csv", year=school_year_of(name))
        frames[source] = pd.DataFrame(rows[1:], columns=rows[0], dtype="str")
        shapes.append(guess_shape(source, frames[source], asked))
    order = tuple(source.file for source in frames) if restated else ()
    return tidy(Recipe(folder="figures", shapes=tuple(shapes), restated=order), frames)


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
    later = _read(restated=True, **{"a_2018-19": one, "b_2018-19": other})
    assert later.restated == 1 and later.table["students"].tolist() == ["101", "200"]
    with pytest.raises(BadInput, match="different things of 1 cell in 2018-19 .*; the first is 01, 2018-19, all, st"):
        _read(**{"a_2018-19": one, "b_2018-19": other})


def test_rows_that_repeat_a_unit_and_year_are_refused_with_the_way_out():
    head = [*HEAD, "Charter"]
    rows = [head, *(["01", "A", "2019", "All Students", "5", "93.1%", charter] for charter in ("Y", "N"))]
    said = r"2 rows share unit.*differ in Charter \(Y, N\).*--keep COLUMN=VALUE.*`add_up:` of the table"
    with pytest.raises(BadInput, match=said):
        _read(one=rows)
    spanish = [["District Code", "Año escolar", "Tasa"], ["01", "2017-2018", "0,93"], ["01", "2018-2019", "0,92"]]
    with pytest.raises(BadInput, match="No column of years is named: where there is one, --column year=COLUMN"):
        _read(one=spanish)


def test_a_code_is_whole_with_that_of_the_larger_unit_where_it_tells_no_unit_alone():
    head = ["School Year", "District Code", "School Code", "School Name", "Attendance Rate"]
    rows = [head, *(["2019", district, "050", "A", "93.1"] for district in ("01", "02")), ["2019", "02", "", "", "9"]]
    made = _read(Asked("school"), one=rows)
    assert made.units["district_code"].tolist() == ["01-050", "02-050"] and made.accounts["no code of a unit"] == 1


@pytest.mark.parametrize("rate", ["Attendance Rate", "ATT_RATE", "PCT_ATTENDED", "ADA_PCT", "avg_daily_att_pct"])
@pytest.mark.parametrize("chronic", ["Chronic Absence Rate", "CHRON_ABS_PCT", "PCT_CHRONICALLY_ABSENT"])
def test_usual_short_names_of_figures_are_known(rate, chronic):
    head = ["LEA_ID", "LEA_NAME", "SCHOOL_YEAR", rate, chronic]
    (row,) = _read(one=[head, ["01", "A", "2018-19", "93.1", "12.5"]]).table.to_dict("records")
    assert (row["rate"], row["chronic"]) == ("93.1", "12.5")


def test_a_count_and_its_denominator_are_a_share_however_short_their_names():
    head = ["unit_code", "school", "year", "chronic_absentee_cnt", "chronic_absentee_denom"]
    (row,) = _read(one=[head, ["30-0004", "A", "2018", "84", "240"]]).table.to_dict("records")
    assert (row["chronic"], row["students"]) == ("35", "240")


NAMED = {
    "Division Number": ("Division Name", "Present Days", "Days Enrolled"),
    "LEA": ("LEA Name", "ADA", "ADM"),
    "ENTITY_CD": ("ENTITY_NAME", "Average Daily Attendance", "Average Daily Membership"),
}


@pytest.mark.parametrize("code", NAMED)
def test_counts_of_days_are_a_rate_and_never_one_by_themselves(code):
    name, above, below = NAMED[code]
    rows = [["Year", code, "County Code", name, above, below], ["2019", "12.0", "1", "A", "180.5", "200.0"]]
    made = _read(one=rows)
    assert made.table[["district_code", "rate"]].to_numpy().tolist() == [["12", "90.25"]]
    assert "students" not in made.units or made.units["students"].tolist() == [""]


@pytest.mark.parametrize("years", [("2017-18",), ("2018-19", "2017-18")])
def test_years_of_fractions_among_percents_are_found_and_said(years):
    cells = {year: f"{'0.' if year in years else ''}93{'' if year in years else '.0'}" for year in YEARS}
    rows = [["District Code", "Year", "Attendance Rate"]]
    rows += [[code, year, cell] for code in ("01", "02", "03") for year, cell in cells.items()]
    frame = pd.DataFrame(rows[1:], columns=rows[0], dtype="str")
    made = draft([(Source(file="a.csv"), frame)], Asked(), "s")
    assert pd.to_numeric(made.tables.table["rate"]).eq(93).all() and set(made.recipe.fractions["rate"]) == set(years)
    assert any(f"rate is a fraction in {', '.join(sorted(years))}" in line for line in made.told)
    table = State.model_validate(
        yaml.safe_load(
            re.sub(
                'TODO: year and[^"]*',
                "2020-01",
                re.sub('TODO: last school[^"]*', "2021-22", made.texts["params/state.yml"]),
            )
        )
    ).tables["attendance"]
    untold = tidy(made.recipe.model_copy(update={"fractions": {}}), {Source(file="a.csv"): frame}).table
    faults = checked(table, untold, Code(pattern=r"\d\d", example="01"))[1]
    assert len(faults) == 1 and f"nothing above 1 in {', '.join(sorted(years))}" in faults[0]


def test_every_sheet_of_a_workbook_that_is_a_table_of_the_units_is_read(tmp_path):
    book = Workbook()
    book.active.append(["Term", "Meaning"])
    for name, more in (("2017-18", []), ("SY18-19", ["Note"])):
        sheet = book.create_sheet(name)
        sheet.append(["District Code", "Attendance Rate", *more])
        sheet.append(["01", 93.1, *more])
    for name in ("Enrollment", "Chronic Absence %"):
        sheet = book.create_sheet(name)
        sheet.append(["District Code", f"{name} 2018", f"{name} 2019"])
        sheet.append(["01", "5", "7"])
    book.save(tmp_path / "a.xlsx")
    looked = look(tmp_path / "a.xlsx")
    assert [source.year for source, _ in looked[:2]] == ["2017-18", "2018-19"] and len(looked) == 4
    made = draft(looked, Asked(), "s").tables.table
    assert made.drop(columns="group").to_numpy().tolist() == [
        ["01", year, "5" if year == "2017-18" else "7", "93.1", "5" if year == "2017-18" else "7"]
        for year in ("2017-18", "2018-19")
    ]
    assert [source.sheet for source, _ in look(tmp_path / "a.xlsx", ["Enrollment"])] == ["Enrollment"]


@pytest.mark.parametrize("total", [["State Total", ""], ["Grand total", ""], ["", "Total"], ["999", "TOTAL"]])
def test_a_line_of_totals_below_the_table_is_no_unit(tmp_path, total):
    """Its label is often merged over codes and names, so that it stands where a code does."""
    lines = [
        ["District Code", "District", "Attendance Rate 2018", "Attendance Rate 2019"],
        ["011", "A", "93.1", "92"],
        ["012", "B", "94", "91"],
    ]
    text = "\n".join(map(",".join, [*lines, [*total, "93.5", "91.5"]]))
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    made = draft(look(tmp_path / "a.csv"), Asked(), "s")
    assert made.tables.units["district_code"].tolist() == ["011", "012"]
    assert made.recipe.whole_state == total[0]


def test_a_cell_that_is_guarded_against_spreadsheets_is_what_it_guards(tmp_path):
    (tmp_path / "a.csv").write_text('Code,Rate\n"=""0035""",\'0.91\n', encoding="utf-8")
    assert read_sheets(tmp_path / "a.csv")[""][1] == ["0035", "0.91"]


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
    merged = [
        ["Code", "District", "Rate", ""],
        ["", "", "2017-2018", "2018-2019"],
        ["01", "A", "9", "8"],
    ]
    for above in ([], [["Title", "", "", ""]]):
        rows = [*above, *merged]
        assert list(as_table(rows, header_line(rows))[0]) == ["Code", "District", "Rate 2017-2018", "Rate 2018-2019"]
    with pytest.raises(BadInput, match="looks like column names"):
        header_line([["1", "2"], ["3", "4"]])
