"""SIMULATED tables with the declared columns, for tests: legal values only, drawn with a seed."""

import numpy as np
import pandas as pd

from leapstudy.data.state import school_year
from leapstudy.data.tables import Code, PublishedColumn, PublishedTable


def fake_table(table: PublishedTable, code: Code, seed: int, n: int = 20) -> pd.DataFrame:
    """Return a SIMULATED table as the publisher would write it (all cells text), with `n` distinct keys.

    Parameters
    ----------
    table
        The declaration; every cell is drawn from what it allows.
    code
        The form of a unit's code; its example's digits are counted up.
    seed
        Seed of the draws.
    n
        Rows.
    """
    rng = np.random.default_rng(seed)
    columns = {column.source_name: _cells(column, code, rng, n) for column in table.columns}
    return pd.DataFrame(columns, dtype="str")


def _cells(column: PublishedColumn, code: Code, rng: np.random.Generator, n: int) -> list[str]:
    if column.kind == "code":
        return [_counted(code.example, place) for place in range(n)]
    if column.legal:
        return list(rng.choice(column.legal, n))
    if column.kind == "year":
        return [school_year(2000 + place % 20) for place in range(n)]
    if column.kind == "flag":
        return [str(value) for value in rng.integers(0, 2, n)]
    if column.kind == "fraction":
        return [f"{value:.4f}" for value in rng.uniform(0.5, 0.999, n)]
    if column.kind == "percent":
        return [f"{value:.1f}" for value in rng.uniform(2, 40, n)]
    if column.kind in ("count", "number"):
        return [str(value) for value in rng.integers(1, 10, n)]
    return [f"SIMULATED {place}" for place in range(n)]


def _counted(example: str, place: int) -> str:
    """Return the example with its digits replaced by a number, zeros included."""
    digits = iter(f"{place + 1:0{sum(sign.isdigit() for sign in example)}d}")
    return "".join(next(digits) if sign.isdigit() else sign for sign in example)
