"""A published file as a sheet of text: CSV and TSV in any usual encoding, and Excel with what its cells show.

What the text of a cell or of a column tells is read here too: school years, numbers, the form of codes, marks of hidden
figures.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd

from leapstudy.core.errors import BadInput, LeapstudyError, bad_value
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
TEXT, EXCEL = (".csv", ".tsv", ".txt"), (".xlsx", ".xlsm")
DELIMITERS = (",", "\t", ";", "|")
ENCODINGS = ("utf-8-sig", "cp1252")
# Lines among which the line of column names is looked for; titles and notes stand above it.
LOOKED_AT = 30

Rows = list[list[str]]


def read_sheets(path: Path) -> dict[str, Rows]:
    """Return the sheets of a file by name, each as rows of text; a text file has one, without a name.

    Raises
    ------
    BadInput
        If the file is missing or of another format.
    LeapstudyError
        If it is a workbook and the reader for it is not installed.
    """
    if not path.is_file():
        raise BadInput(f"There is no file {path.name} in {path.parent.name or 'this folder'}.")
    kind = path.suffix.lower()
    if kind in TEXT:
        return {"": _text_rows(path.read_bytes())}
    if kind in EXCEL:
        return _workbook(path)
    if kind == ".xls":
        raise BadInput(f"{path.name} is in the old Excel format. Save it as .xlsx or .csv.")
    raise bad_value("format of a published file", kind, (*TEXT, *EXCEL), "Save it in one of these.")


def _text_rows(content: bytes) -> Rows:
    # any text of even length can be decoded as UTF-16: only its mark at the start says that it is
    has_mark = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if has_mark else ENCODINGS:
        try:
            text = content.decode(encoding)
            break
        except UnicodeError:
            continue
    else:
        raise BadInput("The file is no text in UTF-8, UTF-16 or Windows-1252. Save it as CSV in UTF-8.")
    first = "\n".join(text.splitlines()[:LOOKED_AT])
    delimiter = max(DELIMITERS, key=first.count)
    return [[_bare(cell) for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]


def _bare(cell: str) -> str:
    """Return a cell without the signs that keep a spreadsheet from reading it as a number (``="0035"``, ``'0035``)."""
    text = cell.strip()
    match = re.fullmatch(r"=\"(.*)\"|'(\d.*)", text)
    return (match[1] or match[2] or "").strip() if match else text


def _workbook(path: Path) -> dict[str, Rows]:
    try:
        # an extra: only who has workbooks needs it
        from openpyxl import load_workbook
    except ImportError as reason:
        raise LeapstudyError(
            "Excel files need `openpyxl`: install leapstudy with the extra `excel`, or save the sheet as CSV."
        ) from reason
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as reason:
        raise BadInput(
            f"{path.name} cannot be read as a workbook ({type(reason).__name__}). Save it again as .xlsx or .csv."
        ) from None
    return {sheet.title: [[_cell_text(cell) for cell in row] for row in sheet.iter_rows()] for sheet in book.worksheets}


def _cell_text(cell: Any) -> str:
    """Return a cell as the workbook shows it: 35 with the format 0000 is 0035, 0.93 with the format 0% is 93%."""
    value, form = cell.value, str(getattr(cell, "number_format", "") or "")
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).strip()
    if "%" in form:
        return f"{100 * value:.12g}%"
    if re.fullmatch("0+", form) and value == int(value):
        return str(int(value)).zfill(len(form))
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def header_line(rows: Sequence[Sequence[str]]) -> int:
    """Return the line (from 1) that holds the column names: the first one about as wide as the table, and of names.

    Raises
    ------
    BadInput
        If no line looks like that.
    """
    width = max((sum(cell != "" for cell in row) for row in rows[: LOOKED_AT * 2]), default=0)
    for line, row in enumerate(rows[:LOOKED_AT], 1):
        above, below = (rows[place] if 0 <= place < len(rows) else () for place in (line - 2, line))
        cells = [cell for cell in row if cell]
        n_covered = sum(cell != "" for cell in _over(above, row))
        numbers = _numbers(cells)
        if width > 1 and len(cells) > 1 and n_covered >= 0.7 * width and numbers <= len(cells) / 4:
            return line + _is_below(row, below)
    raise BadInput(f"None of the first {LOOKED_AT} lines looks like column names. Delete what stands above them.")


def _numbers(cells: Sequence[str]) -> int:
    """Return how many cells are numbers and no years."""
    numbers = [cell for cell in cells if re.fullmatch(r"[-+]?[\d.,]+%?", cell)]
    return sum(not re.fullmatch(r"(19|20)\d\d", cell) for cell in numbers)


def _over(above: Sequence[str], row: Sequence[str]) -> list[str]:
    """Return a line with the cells above in its empty places, as where a name is merged over two lines."""
    return [cell or upper for cell, upper in zip_longest(row, above, fillvalue="")]


def _is_below(row: Sequence[str], below: Sequence[str]) -> bool:
    """Say whether the next line goes on with the names: it fills empty places of this one, and holds no number."""
    cells = [cell for cell in below if cell]
    further = [cell for upper, cell in zip_longest(row, below, fillvalue="") if cell and not upper]
    return bool(further) and len(cells) > 1 and not _numbers(cells)


def as_table(rows: Sequence[Sequence[str]], header: int) -> tuple[pd.DataFrame, int]:
    """Return the table below a line of column names, and how many lines were set aside as notes.

    Under merged cells names take what stands above them in front (``2009 Rate``). A line
    with one filled cell at most, where the table has more columns, is a note.

    Raises
    ------
    BadInput
        If two columns still have the same name.
    """
    names = [re.sub(r"\s+", " ", name).strip() for name in rows[header - 1]]
    above = [re.sub(r"\s+", " ", name).strip() for name in rows[header - 2]] if header > 1 else []
    full_names = [name for name in names if name]
    if above and (len({*full_names}) < len(full_names) or _over(above, names)[: len(names)] != names):
        names = _with_above(above, names)
    places = [place for place, name in enumerate(names) if name]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise BadInput(f"More than one column is called {', '.join(map(repr, twice))}. Give each a name of its own.")
    body = [[row[place] if place < len(row) else "" for place in places] for row in rows[header:]]
    rows_with_text = [row for row in body if any(row)]
    full = [row for row in rows_with_text if sum(cell != "" for cell in row) > (1 if len(places) > 2 else 0)]
    return pd.DataFrame(full, columns=[names[place] for place in places], dtype="str"), len(rows_with_text) - len(full)


def _with_above(above: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return each name with the last filled cell above or to the left above it in front; an empty one has only that
    above it, as where cells are merged over both lines.
    """
    labels, last = [], ""
    for upper, name in zip_longest(above[: len(names)], names, fillvalue=""):
        last = upper or last
        labels.append(f"{last} {name}".strip() if name else upper)
    return labels


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
