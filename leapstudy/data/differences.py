"""A new edition of a published table against the pinned one, cell by cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.phrases import capital

# Names that no published column has.
COLUMN, CELL = "__column__", "__cell__"
KINDS = ("changed", "added", "vanished", "rewritten")


@dataclass(frozen=True, slots=True)
class Differences:
    """What a new edition moved.

    Attributes
    ----------
    cells : DataFrame
        kind, the key's columns, column, old, new: one row a cell whose text differs. `kind` is 'changed',
        'added' (a new row or column, or a cell that was blank), 'vanished', or 'rewritten' (the same number as before,
        written otherwise).
    same : int
        Cells that are the same text in both.
    """

    cells: pd.DataFrame
    same: int

    def count(self, kind: str) -> int:
        """Return how many cells are of one kind."""
        return int((self.cells["kind"] == kind).sum())

    @property
    def counts(self) -> str:
        """The counts of every kind as a sentence."""
        counts = ", ".join(f"{self.count(kind):,} {kind}" for kind in KINDS)
        return f"{self.same:,} cells are the same, {counts}"


def differences(old: pd.DataFrame, new: pd.DataFrame, key: Sequence[str]) -> Differences:
    """Compare two tables of text by key.

    Parameters
    ----------
    old, new
        Cells as text, blanks as empty strings; columns as published.
    key
        The columns that name a row, in both tables.

    Raises
    ------
    BadInput
        If a key column is missing, or names more than one row.

    Examples
    --------
    >>> old = pd.DataFrame({"code": ["01", "02"], "rate": ["0.90", "0.8"]})
    >>> new = pd.DataFrame({"code": ["01", "03"], "rate": ["0.9", "0.7"]})
    >>> print(differences(old, new, ["code"]).counts)
    0 cells are the same, 0 changed, 1 added, 1 vanished, 1 rewritten
    """
    sides = [_cells(frame, list(key), name) for name, frame in (("the pinned table", old), ("the new one", new))]
    both = pd.merge(*sides, on=[*key, COLUMN], how="outer", suffixes=("old", "new"))
    both = both.set_axis([*key, "column", "old", "new"], axis=1).fillna({"old": "", "new": ""})
    changes = both[both["old"] != both["new"]]
    kinds = [_kind(*pair) for pair in zip(changes["old"], changes["new"], strict=True)]
    cells = changes.assign(kind=pd.Series(kinds, index=changes.index, dtype="str"))[
        ["kind", *key, "column", "old", "new"]
    ]
    return Differences(cells.reset_index(drop=True), len(both) - len(changes))


def _cells(frame: pd.DataFrame, key: list[str], name: str) -> pd.DataFrame:
    """Return one row a cell that is not blank."""
    missing = [column for column in key if column not in frame]
    if missing:
        raise BadInput(f"{capital(name)} has no column {', '.join(missing)}; it has {', '.join(frame.columns)}.")
    duplicates = frame[frame.duplicated(key)]
    if len(duplicates):
        raise BadInput(f"In {name} {len(duplicates)} rows repeat a key {tuple(duplicates.iloc[0][key])}.")
    long = frame.melt(key, var_name=COLUMN, value_name=CELL)
    return long[long[CELL] != ""]


def _kind(old: str, new: str) -> str:
    if not old:
        return "added"
    if not new:
        return "vanished"
    numbers = [pd.to_numeric(cell, errors="coerce") for cell in (old, new)]
    return "rewritten" if numbers[0] == numbers[1] else "changed"


def with_rows(old: pd.DataFrame, new: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Return the old table with the new one's rows: the same key takes the new row, the others are appended in order.

    Raises
    ------
    BadInput
        If the columns are not the same.
    """
    if list(old.columns) != list(new.columns):
        raise BadInput(
            f"The new rows have the columns {', '.join(new.columns)}; the table has {', '.join(old.columns)}. "
            "They must be the same to be added."
        )
    names = list(key)
    is_only_old = old.merge(new[names], on=names, how="left", indicator=True)["_merge"].to_numpy() == "left_only"
    return pd.concat([old[is_only_old], new], ignore_index=True)
