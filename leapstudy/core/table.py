"""Tables as HTML that a screen reader can walk: a caption, scoped headers; rows of a frame as plain mappings."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from leapstudy.core.phrases import number


def cell_text(value: Any, decimals: int = 2) -> str:
    """Return a value as a reader sees it: missing is a dash, no bound is none, minus is a real minus."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float) and math.isinf(value):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value, decimals)
    return str(value).replace("-", "−") if isinstance(value, int) else str(value)


def table_html(frame: pd.DataFrame, caption: str, decimals: int = 2) -> str:
    """Return `frame` as an HTML table; the first column heads its row, the index is not shown.

    Columns of whole numbers are written without decimals. A frame without rows is its caption alone.
    """
    if frame.empty:
        return f"<p>{escape(caption)}</p>"
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in frame.columns)
    digits = digits_of(frame, decimals)
    rows = "".join(_row(row, digits) for row in frame.astype(object).itertuples(index=False, name=None))
    wordy = {
        place: frame[name].map(lambda value: len(cell_text(value))).max()
        for place, name in enumerate(frame.columns, 1)
        if not pd.api.types.is_numeric_dtype(frame[name])
    }
    mark = f' class="{text_columns(wordy)}"' if text_columns(wordy) else ""
    return (
        f"<table{mark}><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


# Letters of a cell that stay on one line, such as a school year, which a browser would break at its hyphen.
SHORT = 12


def text_columns(longest: Mapping[int, int]) -> str:
    """Return the classes by which a table's columns of words are set from the left, and short ones on one line.

    Said once a table, since a site has ten thousand cells; the first column is set from the left everywhere.

    Parameters
    ----------
    longest
        Place of the column, counted from 1 -> letters of its longest cell.

    Examples
    --------
    >>> text_columns({1: 7, 2: 7, 3: 40})
    'n1 t2 n2 t3'
    """
    rules = {"t": lambda place: place > 1, "n": lambda place: longest[place] <= SHORT}
    return " ".join(f"{kind}{place}" for place in sorted(longest) for kind, holds in rules.items() if holds(place))


# Names of columns of measured numbers: one that happens to be whole has decimals, as the others have.
MEASURED = re.compile(r"^(estimate|effect|low|high|se|standard error|placebo|points|from|to)\b|_pp$", re.IGNORECASE)


def digits_of(frame: pd.DataFrame, decimals: int) -> list[int]:
    """Return the decimals of each column: none where all its numbers are whole, and it is none of measured ones."""
    whole = [_whole(frame[name]) for name in frame.columns]
    is_measure = [bool(MEASURED.search(str(name))) and _is_float(frame[name]) for name in frame.columns]
    fractions = any(of and not only for of, only in zip(is_measure, whole, strict=True))
    return [0 if only and not (of and fractions) else decimals for only, of in zip(whole, is_measure, strict=True)]


def _is_float(column: pd.Series) -> bool:
    return pd.api.types.is_float_dtype(column)


def _whole(column: pd.Series) -> bool:
    if not _is_float(column):
        return False
    values = column.dropna()
    return bool((values == values.round()).all())


def _row(row: tuple[Any, ...], digits: Sequence[int]) -> str:
    first, *rest = (escape(cell_text(value, places)) for value, places in zip(row, digits, strict=True))
    cells = "".join(f"<td>{value}</td>" for value in rest)
    return f'<tr><th scope="row">{first}</th>{cells}</tr>'


@dataclass(frozen=True, slots=True)
class Table:
    """A frame with a caption, shown in a notebook as an accessible table."""

    data: pd.DataFrame
    caption: str
    decimals: int = 2

    def html(self) -> str:
        """Return the table as HTML."""
        return table_html(self.data, self.caption, self.decimals)

    def _repr_html_(self) -> str:
        return self.html()


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one mapping a row, in order."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def extremes(frame: pd.DataFrame, column: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows with the lowest and the highest value of `column`; the first of equals."""
    places = (int(frame[column].argmin()), int(frame[column].argmax()))
    low, high = (records(frame.iloc[[place]])[0] for place in places)
    return low, high
