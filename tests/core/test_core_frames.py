import pandas as pd
import pytest

from leapstudy.core.table import extremes, records

FRAME = pd.DataFrame({"name": ["a", "b", "c", "d"], "value": [2.0, -1.0, 5.0, -1.0]}, index=[7, 7, 8, 9])


def test_records_are_rows_in_order_with_text_keys():
    assert [row["name"] for row in records(FRAME)] == ["a", "b", "c", "d"]


def test_extremes_are_whole_rows_also_where_the_index_repeats():
    low, high = extremes(FRAME, "value")
    assert (low["name"], high["name"]) == ("b", "c")


def test_the_extremes_of_nothing_are_an_error():
    with pytest.raises(ValueError):
        extremes(FRAME.iloc[:0], "value")
