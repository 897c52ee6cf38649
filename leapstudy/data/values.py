"""What the text of a cell or of a column tells: school years, numbers, the form of codes, marks of hidden figures."""

import re
from collections.abc import Iterable
from decimal import Decimal

import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.data.state import school_year

MOST_MARKS = 40
FRACTION = re.compile(r"([<>]=?\s*|[≤≥]\s*)?(\d+\.?\d*|\.\d+)")
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)")
STATE = re.compile(
    r"(the )?state( ?wide)?( (total|average|level))?|.*\bstate ?(wide|total|average)\b.*"
    r"|all districts|(grand )?totals?",
    re.IGNORECASE,
)

SPAN = re.compile(r"(?<!\d)(20\d\d|19\d\d)\s*[-–/_ ]?\s*((?:19|20|21)?\d\d)(?!\d)")
ONE = re.compile(r"(?<!\d)(20\d\d|19\d\d)(?!\d|\s*[-–/]\s*\d)")
SHORT = re.compile(r"(?<![A-Z])(?:SY|FY)[ _]*'?(\d\d)(?!\d|\s*[-–/]\s*\d)", re.IGNORECASE)
SHORT_SPAN = re.compile(r"(?<![A-Z])(?:SY|FY)[ _]*'?(\d\d)\s*[-–/]\s*'?(\d\d)(?!\d)", re.IGNORECASE)
PAIR = re.compile(r"\d\d\s*[-–/]\s*\d\d")


def school_year_of(label: str, single: str = "spring") -> str:
    """Return a school year as ``2008-09`` from any usual label; empty where it is none.

    >>> [school_year_of(label) for label in ("2008-2009", "SY 2008-09", "200809", "2009", "FY09", "08-09", "2008-10")]
    ['2008-09', '2008-09', '2008-09', '2008-09', '2008-09', '2008-09', '']
    """
    if pair := SHORT_SPAN.search(f"SY{label.strip()}" if PAIR.fullmatch(label.strip()) else label):
        first = 2000 + int(pair[1])
        return school_year(first) if int(pair[2]) == (first + 1) % 100 else ""
    if span := SPAN.search(label):
        first, second = int(span[1]), int(span[2])
        if second % 100 == (first + 1) % 100:
            return school_year(first)
    if one := ONE.fullmatch(label.strip()) or (None if span else ONE.search(label)):
        return school_year(int(one[1]) - (single == "spring"))
    if short := SHORT.search(label):
        return school_year(2000 + int(short[1]) - 1)
    return ""


def number_text(cell: str) -> str:
    """Return a number without percent sign and thousands separators; any other text as it is.

    >>> [number_text(cell) for cell in ("93.1%", "1,204", "*", "<5")]
    ['93.1', '1204', '*', '<5']
    """
    bare = cell.strip().removesuffix("%").strip()
    bare = bare.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", bare) else bare
    return bare if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", bare) else cell.strip()


COMMA = r"[-+]?\d+,\d+\s*%?"
SURELY_DECIMAL = r"[-+]?(\d+,(\d{1,2}|\d{4,})|0+,\d+|\d{4,},\d+)\s*%?"


def figures_text(cells: pd.Series) -> pd.Series:
    """Return a column of figures as `number_text` returns cells; commas that can only be decimal ones are points.

    >>> figures_text(pd.Series(["0,931", "1", "*"])).tolist(), figures_text(pd.Series(["931", "1,204"])).tolist()
    (['0.931', '1', '*'], ['931', '1204'])
    """
    bare = cells.str.strip()
    if bare.str.fullmatch(SURELY_DECIMAL).any() and not bare.str.contains(r"\.\d").any():
        bare = bare.mask(bare.str.fullmatch(COMMA), bare.str.replace(",", "."))
    return bare.map(number_text)


def hundredfold(cell: str) -> str:
    """Return a fraction, or a bound of one, as the percent that it is, digit by digit; any other text as it is.

    >>> [hundredfold(cell) for cell in ("0.9312", "1", "*", ">= 0.95")]
    ['93.12', '100', '*', '>= 95']
    """
    hit = FRACTION.fullmatch(cell)
    return f"{hit[1] or ''}{(100 * Decimal(hit[2])).normalize():f}" if hit else cell


def is_year(text: str) -> bool:
    """Say whether a text is a year and nothing else."""
    return any(form.fullmatch(text) for form in (SPAN, ONE, SHORT_SPAN, SHORT))


def whole_state_code(units: pd.DataFrame) -> str:
    """Return the code of the state's own rows: a unit that is called so, or zeros alone; empty without one.

    Below a table the line of totals often has its label where the codes are.
    """
    hit = units["district_code"].str.fullmatch("0+")
    for name in ("district_code", "district"):
        hit |= units[name].str.strip().map(lambda text: bool(STATE.fullmatch(text)))
    return str(units.loc[hit, "district_code"].iloc[0]) if hit.any() else ""


def code_pattern(codes: Iterable[str]) -> str:
    """Return a regular expression of the codes: digits of one length, signs of one length, or any digits and letters.

    >>> code_pattern(["0035", "0350"]), code_pattern(["02M015", "31R605"])
    ('\\\\d{4}', '[0-9A-Z]{6}')
    """
    texts = list(codes)
    lengths = sorted({len(code) for code in texts})
    span = ",".join(str(length) for length in dict.fromkeys((lengths[0], lengths[-1])))
    classes = (r"\d", "[0-9A-Z]", "[0-9A-Za-z._-]")
    signs = next((each for each in classes if all(re.fullmatch(f"{each}+", code) for code in texts)), ".")
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


def bounds_of(mark: str, top: float) -> tuple[float, float] | None:
    """Return between which values a figure lies that is published as a bound, from 0 to `top`; None for other marks.

    >>> bounds_of(">= 95.0", 100), bounds_of("<5%", 100), bounds_of("*", 100)
    ((95.0, 100), (0.0, 5.0), None)
    """
    hit = re.fullmatch(r"(<|>|≤|≥|<=|>=)\s*(\d+\.?\d*)\s*%?", mark.strip())
    if not hit or float(hit[2]) > top:
        return None
    return (0.0, float(hit[2])) if hit[1] in "<=≤" else (float(hit[2]), top)
