"""Who had the program from when to when: the register, one row a start."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.data.raw import as_text, read_bytes
from leapstudy.data.state import State

COLUMNS = ("unit_code", "start", "end", "source")
YEAR = re.compile(r"\d{4}-\d{2}")


@dataclass(frozen=True, slots=True)
class Start:
    """One unit's first school year with the program, its last one where it ended, and where that is written."""

    code: str
    start: str
    end: str
    source: str


def read_register(state: State, raw: Path | None = None) -> tuple[Start, ...]:
    """Return the starts, sorted by year and code.

    Raises
    ------
    BadInput
        If the file is missing, was changed, or has a row without a legal code, start, end or source; all are named.
    """
    content, _ = read_bytes(raw or paths.raw(), state.program.starts)
    return starts_of(as_text(content), state)


def starts_of(rows: pd.DataFrame, state: State) -> tuple[Start, ...]:
    """Return the starts of a register's text, sorted by year and code; see `read_register`."""
    starts, faults = checked_starts(rows, state)
    if faults:
        raise BadInput(f"{state.program.starts}: {'; '.join(faults)}.")
    return starts


def checked_starts(rows: pd.DataFrame, state: State) -> tuple[tuple[Start, ...], list[str]]:
    """Return the starts, sorted by year and code, and everything that is wrong with them."""
    if tuple(rows.columns) != COLUMNS:
        return (), [f"it has the columns {list(rows.columns)}. Legal: {', '.join(COLUMNS)}"]
    starts = [Start(*(str(cell).strip() for cell in row)) for row in rows.itertuples(index=False)]
    faults = [fault for line, item in enumerate(starts, 2) for fault in _faults(line, item, state)]
    codes = [item.code for item in starts]
    faults += [f"{code} has more than one start" for code in sorted({code for code in codes if codes.count(code) > 1})]
    if not starts:
        faults.append("no unit has a start; write one row a unit")
    return tuple(sorted(starts, key=lambda item: (item.start, item.code))), faults


def _faults(line: int, item: Start, state: State) -> list[str]:
    unit = state.unit.code
    checks = (
        (re.fullmatch(unit.pattern, item.code), f"code {item.code!r} does not have the form of {unit.example!r}"),
        (YEAR.fullmatch(item.start), f"start {item.start!r} is no school year like '2009-10'"),
        (item.start not in state.calendar.gap, f"start {item.start!r} is a year that the study does not use"),
        (not item.end or YEAR.fullmatch(item.end), f"end {item.end!r} is neither blank nor a school year"),
        (not item.end or item.end >= item.start, f"end {item.end!r} lies before the start {item.start!r}"),
        (item.source, "the source is blank; say where the start is written"),
    )
    return [f"line {line}: {fault}" for legal, fault in checks if not legal]
