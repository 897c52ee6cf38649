"""SIMULATED tables with the declared columns, for tests: legal values only, drawn with a seed."""

import numpy as np
import pandas as pd

from leapstudy.data.tables import Column, Table


def fake_table(table: Table, seed: int, n: int = 20) -> pd.DataFrame:
    """Return a SIMULATED table as the publisher would write it (all cells text), with `n` distinct keys.

    Parameters
    ----------
    table
        The declaration; every cell is drawn from what it allows.
    seed
        Seed of the draws.
    n
        Rows.
    """
    rng = np.random.default_rng(seed)
    columns = {column.source_name: _cells(column, rng, n) for column in table.columns}
    return pd.DataFrame(columns, dtype="str")


def _cells(column: Column, rng: np.random.Generator, n: int) -> list[str]:
    if column.kind == "code":
        return [f"{10_011 + 10_000 * place:07d}" for place in range(n)]
    if column.allowed:
        return list(rng.choice(column.allowed, n))
    if column.kind == "flag":
        return [str(value) for value in rng.integers(0, 2, n)]
    if column.kind == "fraction":
        return [f"{value:.4f}" for value in rng.uniform(0.5, 0.999, n)]
    if column.kind == "percent":
        return [f"{value:.1f}" for value in rng.uniform(2, 40, n)]
    if column.kind in ("count", "number"):
        return [str(value) for value in rng.integers(1, 10, n)]
    return [f"SIMULATED {place}" for place in range(n)]
