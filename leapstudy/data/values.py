"""What the values of a column tell: the form of codes, the state's own rows, marks of figures that are not shown."""

import re
from collections.abc import Iterable

import pandas as pd

from leapstudy.core.errors import BadInput

MOST_MARKS = 40
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)")
STATE = re.compile(
    r"(the )?state( ?wide)?( (total|average|level))?|.*\bstate ?(wide|total|average)\b.*|all districts", re.IGNORECASE
)


def whole_state_code(units: pd.DataFrame) -> str:
    """Return the code of the state's own rows: a unit that is called so, or zeros alone; empty without one."""
    hit = units["district"].str.strip().map(lambda name: bool(STATE.fullmatch(name)))
    hit |= units["district_code"].str.fullmatch("0+")
    return str(units.loc[hit, "district_code"].iloc[0]) if hit.any() else ""


def code_pattern(codes: Iterable[str]) -> str:
    """Return a regular expression of the codes: digits of one length, signs of one length, or any digits and letters.

    >>> code_pattern(["0035", "0350"]), code_pattern(["02M015", "31R605"])
    ('\\\\d{4}', '[0-9A-Z]{6}')
    """
    known = list(codes)
    lengths = sorted({len(code) for code in known})
    span = ",".join(str(length) for length in dict.fromkeys((lengths[0], lengths[-1])))
    classes = (r"\d", "[0-9A-Z]", "[0-9A-Za-z._-]")
    signs = next((each for each in classes if all(re.fullmatch(f"{each}+", code) for code in known)), ".")
    return f"{signs}{{{span}}}"


def marks(cells: pd.Series) -> list[str]:
    """Return what stands in a column of figures and is no number: marks of figures that are not shown.

    Raises
    ------
    BadInput
        If there are so many that the column is none of figures.
    """
    odd = sorted({cell for cell in cells.unique() if cell and not NUMBER.fullmatch(cell)})
    if len(odd) > MOST_MARKS:
        raise BadInput(f"A column of figures holds {len(odd)} different cells that are none, {odd[0]!r} for example.")
    return odd
