import pandas as pd
import pytest

from leapstudy.core.table import digits_of, extremes, records

FRAME = pd.DataFrame({"name": ["a", "b", "c", "d"], "value": [2.0, -1.0, 5.0, -1.0]}, index=[7, 7, 8, 9])


def test_records_are_rows_in_order_with_text_keys():
    assert [row["name"] for row in records(FRAME)] == ["a", "b", "c", "d"]


def test_extremes_are_whole_rows_also_where_the_index_repeats():
    low, high = extremes(FRAME, "value")
    assert (low["name"], high["name"]) == ("b", "c")


def test_the_extremes_of_nothing_are_an_error():
    with pytest.raises(ValueError):
        extremes(FRAME.iloc[:0], "value")


def test_a_measured_number_that_happens_to_be_whole_has_the_decimals_of_its_table():
    """One row of 5.69 to 8.31 around 7: the estimate is 7.00, and a count that has gaps stays a count."""
    one = pd.DataFrame({"Month": [1.0], "estimate_pp": [7.0], "low_pp": [5.69], "high_pp": [8.31], "students": [40.0]})
    assert digits_of(one, 2) == [0, 2, 2, 2, 0]
    assert digits_of(one.assign(low_pp=5.0, high_pp=9.0), 2) == [0, 0, 0, 0, 0]
    named = pd.DataFrame({"Estimate": [7.0], "Low": [5.69], "Low, all months": [4.0], "Visited": [20.0]})
    assert digits_of(named, 2) == [2, 2, 2, 0]
