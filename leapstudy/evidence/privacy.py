"""Suppression of small cells over all published tables together, so that no subtraction brings one back.

Many agencies hide a cell whose numerator is under 6 or whose denominator is under 20. Alone this leaves about a fifth
of the hidden cells recoverable: all minus high needs, state minus the other districts. So the tables become one set of
cells with every sum between them; a hidden cell that those sums determine gets company until none does
(complementary suppression; Cox 1980, "Suppression methodology and statistical disclosure control").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import null_space
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from leapstudy.core.errors import BadInput
from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.students.disclosure import COUNTS, MIN_COUNT, MIN_GROUP


@dataclass(frozen=True, slots=True)
class Cells:
    """Every distinct cell of the published tables, and the sums that hold between them.

    `counts` is (cells, 2): numerator and denominator; `listed` (cells,) is False for a group that no table names but
    that a subtraction gives; `sums` is (sums, cells) with -1 for the total and +1 for each part.
    """

    keys: pd.DataFrame
    counts: np.ndarray
    listed: np.ndarray
    sums: np.ndarray


def is_small(numerator: np.ndarray, denominator: np.ndarray, min_group: int = MIN_GROUP) -> np.ndarray:
    """Return which cells may not be shown by themselves; a cell without anybody in it says nothing and may."""
    return (np.asarray(denominator) > 0) & ((np.asarray(numerator) < MIN_COUNT) | (np.asarray(denominator) < min_group))


def _stack(tables: Mapping[str, pd.DataFrame], dimensions: Sequence[str]) -> pd.DataFrame:
    for name, table in tables.items():
        missing = [column for column in COUNTS if column not in table.columns]
        if missing:
            raise BadInput(f"The table {name!r} lacks {missing}; without counts nothing can be suppressed.")
    parts = [named_cells(table, dimensions).assign(**table[list(COUNTS)].to_dict("list")) for table in tables.values()]
    cells = pd.concat(parts, ignore_index=True)
    cells["numerator"] = cells["numerator"].fillna(cells["denominator"])  # a mean has only a denominator
    if cells.groupby(list(dimensions))[list(COUNTS)].nunique().gt(1).to_numpy().any():
        raise BadInput("Two published tables give different counts for the same cell. Build them from one source.")
    return cells.drop_duplicates(list(dimensions), ignore_index=True)


def named_cells(table: pd.DataFrame, dimensions: Sequence[str]) -> pd.DataFrame:
    """Return the dimensions as text, since beside a total the whole number 1 would become ``1.0``."""
    return table.reindex(columns=list(dimensions)).astype(object).fillna(ALL).astype(str)


def collect(tables: Mapping[str, pd.DataFrame], dimensions: Sequence[str]) -> Cells:
    """Return the tables as one set of cells with every sum between them.

    Parameters
    ----------
    tables
        Frames with the columns `numerator`, `denominator` and some of `dimensions`; a dimension that a table does
        not have, or whose value is ``ALL``, is the total over it.
    dimensions
        The columns that tell cells apart.

    Raises
    ------
    BadInput
        If a table has no counts, or two tables disagree about a cell.
    """
    cells = _stack(tables, dimensions)
    counts, sums = [cells[list(COUNTS)].to_numpy(dtype=float)], []
    extra = 0
    for dimension in dimensions:
        others = [name for name in dimensions if name != dimension]
        groups = cells.groupby(others, sort=False).indices.values() if others else [np.arange(len(cells))]
        for rows in groups:
            is_total = (cells[dimension].to_numpy() == ALL)[rows]
            if is_total.sum() != 1 or len(rows) < 2:
                continue
            total, parts = rows[is_total][0], rows[~is_total]
            rest = counts[0][total] - counts[0][parts].sum(axis=0)
            if (rest < 0).any():  # groups that overlap have no sum
                continue
            sums.append((total, parts, len(cells) + extra if rest[1] > 0 else None))
            if rest[1] > 0:
                counts.append(rest[None, :])
                extra += 1
    matrix = np.zeros((len(sums), len(cells) + extra))
    for row, (total, parts, remainder) in enumerate(sums):
        matrix[row, total] = -1
        matrix[row, parts] = 1
        if remainder is not None:
            matrix[row, remainder] = 1
    return Cells(cells[list(dimensions)], np.concatenate(counts), np.arange(len(cells) + extra) < len(cells), matrix)


def recoverable(cells: Cells, hidden: np.ndarray) -> np.ndarray:
    """Return which hidden cells an attacker computes exactly from the published ones, shape (cells,).

    A cell is determined if no solution of the sums moves it: it is zero in every vector of their null space. A sum
    whose hidden numerators add up to zero gives all of them away too.
    """
    solvable = np.zeros(len(hidden), dtype=bool)
    members = np.flatnonzero(hidden)
    system = cells.sums[:, members]
    system = system[(system != 0).any(axis=1)]
    graph = csr_array(system.T @ system != 0) if len(members) else csr_array((0, 0))
    pieces = connected_components(graph, directed=False)[1] if len(members) else np.array([], dtype=int)
    for piece in np.unique(pieces):
        inside = pieces == piece
        part = system[:, inside]
        part = part[(part != 0).any(axis=1)]
        if len(part):
            free = null_space(part)
            solvable[members[inside]] = (np.abs(free) < 1e-9).all(axis=1)
    total_shown = ~((cells.sums < 0) & hidden).any(axis=1)
    nothing = ((cells.sums > 0) & hidden) @ cells.counts[:, 0] == 0
    return solvable | (hidden & ((cells.sums[total_shown & nothing] > 0) & hidden).any(axis=0))


def _company(cells: Cells, exposed: int, hidden: np.ndarray) -> int | None:
    """Return the published cell with fewest people that shares a sum with an exposed one; else the fewest anywhere."""
    open_cells = cells.listed & ~hidden & (cells.counts[:, 0] > 0)
    near = open_cells & (cells.sums[cells.sums[:, exposed] != 0] != 0).any(axis=0)
    pool = np.flatnonzero(near if near.any() else open_cells)
    return int(pool[np.argmin(cells.counts[pool, 1])]) if len(pool) else None


def choose_hidden(cells: Cells, min_group: int = MIN_GROUP) -> np.ndarray:
    """Return which cells to hide: the small ones, and company for each that the sums would give away."""
    small = is_small(cells.counts[:, 0], cells.counts[:, 1], min_group)
    hidden = small.copy()
    while (exposed := np.flatnonzero(recoverable(cells, hidden) & small)).size:
        company = {_company(cells, int(cell), hidden) for cell in exposed} - {None}
        if not company:
            hidden |= cells.listed
            break
        hidden[[cell for cell in company if cell is not None]] = True
    return hidden


def protect(
    tables: Mapping[str, pd.DataFrame], dimensions: Sequence[str], min_group: int = MIN_GROUP
) -> dict[str, pd.DataFrame]:
    """Return the tables as they may be published together; the inputs are not changed.

    Parameters
    ----------
    tables
        See `collect`. **All** tables that will be published, in one call.
    dimensions
        The columns that tell cells apart, such as district_code, high_needs, cohort.
    min_group
        Smallest group of which anything is shown. Tables that only count the students of a large group by what happened
        to them, with the count in both columns, take `MIN_COUNT`.

    Returns
    -------
    dict of pandas.DataFrame
        Counts of hidden cells are empty and `suppressed` is True there.
    """
    cells = collect(tables, dimensions)
    hidden = choose_hidden(cells, min_group)[cells.listed]
    secret = set(cells.keys[hidden].itertuples(index=False, name=None))
    return {name: _hide(table, dimensions, secret) for name, table in tables.items()}


def _hide(table: pd.DataFrame, dimensions: Sequence[str], secret: set[tuple]) -> pd.DataFrame:
    keys = named_cells(table, dimensions)
    mask = np.array([key in secret for key in keys.itertuples(index=False, name=None)], dtype=bool)
    blanks = {name: table[name].mask(mask) for name in COUNTS}
    return table.assign(**blanks, suppressed=mask)
