"""A study of the rows that are in order, so that `leapstudy check` can name later faults beside earlier ones.

Nothing is estimated from it: it only says which groups and contrasts could be formed.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_bytes
from leapstudy.data.districts import checked_starts
from leapstudy.data.load import StudyData, assemble
from leapstudy.data.raw import as_text
from leapstudy.data.schema import NUMERIC, RANGES, column_fault, parse
from leapstudy.data.state import State
from leapstudy.data.tables import PublishedColumn, PublishedTable

# Share of sound rows below which a table is wrong as a whole (a wrong unit, say) and later steps wait for it.
ENOUGH = 0.5


def sound_study(raw: Path, state: State) -> StudyData:
    """Return the study of every table's sound rows and of every start that is legal and listed.

    Raises
    ------
    BadInput
        If a table as a whole cannot be used.
    """
    read = {name: _sound_table(raw, table, state) for name, table in state.tables.items()}
    codes = set(read[state.unit.table][0]["district_code"])
    file = state.program.starts
    starts, _ = checked_starts(as_text((raw / file).read_bytes(), file), state)
    register = [item for item in starts if item.code in codes and state.calendar.shift(item.start, 0) == item.start]
    if not register:
        raise BadInput("No start is in order.")
    return assemble(state, list({item.code: item for item in register}.values()), lambda table: read[table.name])


def _sound_table(raw: Path, table: PublishedTable, state: State) -> tuple[pd.DataFrame, str]:
    if not (raw / table.file).is_file():
        raise BadInput(f"{table.file} is missing.")
    content = (raw / table.file).read_bytes()
    text = as_text(content, table.file)
    if wrong := column_fault(table, text):
        raise BadInput(f"{table.file}: {wrong}")
    rows = sound_rows(table, text, state)
    if len(rows) < ENOUGH * len(text):
        raise BadInput(f"{table.file}: {len(text) - len(rows)} of {len(text)} rows are not in order.")
    return parse(table, rows, state.unit.code), sha256_bytes(content)


def sound_rows(table: PublishedTable, text: pd.DataFrame, state: State) -> pd.DataFrame:
    """Return the rows of a table whose every cell is what its column says, and whose key is theirs alone."""
    fine = pd.Series(True, index=text.index)
    for column in table.columns:
        fine &= _fine(column, text[column.source_name], state)
    keys = [table.column(name).source_name for name in table.key]
    return text[fine].drop_duplicates(keys, keep=False).reset_index(drop=True)


def _fine(column: PublishedColumn, cells: pd.Series, state: State) -> pd.Series:
    """Say of each cell whether it is a declared mark, or what its column holds."""
    if column.kind == "code":
        return cells.map(state.unit.code.fits).astype(bool)
    fine = cells.isin(column.legal) if column.legal else cells != ""
    if column.kind == "year":
        fine &= cells.map(state.calendar.read) != ""
    if column.kind in NUMERIC:
        numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
        fine &= np.isfinite(numbers) & numbers.between(*RANGES.get(column.kind, (-np.inf, np.inf)))
        fine &= (numbers % 1 == 0) | (column.kind != "count")
    return fine | cells.isin([*column.suppressed, *column.bounded]) | ((cells == "") & bool(column.blank))
