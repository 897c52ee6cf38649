"""Rows of a frame as plain mappings, so that a cell is what it is and not any scalar that pandas could hold."""

from typing import Any

import pandas as pd


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one mapping a row, in order."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def extremes(frame: pd.DataFrame, column: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows with the lowest and the highest value of `column`; the first of equals."""
    places = (int(frame[column].argmin()), int(frame[column].argmax()))
    low, high = (records(frame.iloc[[place]])[0] for place in places)
    return low, high
