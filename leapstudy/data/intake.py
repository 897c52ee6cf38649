"""From a state's own files to the study's table: the shape is declared in `params/intake.yml`, the figures are kept."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import Field, ValidationError

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.parameter_file import read_mapping
from leapstudy.data.sheets import as_table, header_line, read_sheets
from leapstudy.data.state import school_year
from leapstudy.data.tables import NonEmpty, Part

FILE, PUBLISHED = "intake.yml", "published"
MEASURE = "__measure__"
KEY = ("district_code", "year", "group")
MEASURES = ("students", "rate", "chronic")
SPAN = re.compile(r"(?<!\d)(20\d\d|19\d\d)\s*[-–/_ ]?\s*((?:19|20)?\d\d)(?!\d)")
ONE = re.compile(r"(?<!\d)(20\d\d|19\d\d)(?!\d)")
SHORT = re.compile(r"\b(?:SY|FY)\s*'?(\d\d)(?!\d)", re.IGNORECASE)


class Source(Part):
    """One published file (below `published/`), the sheet and line of its column names, and the year that it is of."""

    file: NonEmpty
    sheet: str = ""
    header: Annotated[int, Field(ge=1)] = 1
    year: str = ""


class Shape(Part):
    """How files of one shape are read.

    Attributes
    ----------
    sources
        The published files.
    keep
        Published column -> the value of the rows that are used.
    columns
        The study's name -> the published column.
    wide
        The study's name -> name of the columns that are a year each, with ``{year}`` where the year stands.
    ratios
        The study's name -> published numerator and denominator; the result is in percent.
    groups
        Published student group -> the study's; rows of other groups are set aside. Without it all rows are `all`.
    traits
        The study's name -> published column of what does not change: for the table of units.
    single_year
        Whether a year such as 2019 is the spring in which a school year ends, or the fall in which it begins.
    pad
        Length to which codes are filled with zeros in front; 0 leaves them.
    """

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    keep: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, NonEmpty]
    wide: dict[str, Annotated[str, Field(pattern=r"\{year\}")]] = Field(default_factory=dict)
    ratios: dict[str, tuple[NonEmpty, NonEmpty]] = Field(default_factory=dict)
    groups: dict[str, NonEmpty] = Field(default_factory=dict)
    traits: dict[str, NonEmpty] = Field(default_factory=dict)
    single_year: Literal["spring", "fall"] = "spring"
    pad: Annotated[int, Field(ge=0, le=20)] = 0

    @property
    def asked(self) -> list[str]:
        """The published columns that must be there."""
        ratios = (name for pair in self.ratios.values() for name in pair)
        return [*self.columns.values(), *self.keep, *ratios, *self.traits.values()]


class Recipe(Part):
    """One table of the study: its folder below `data/raw/`, and the shapes whose cells are put together by key.

    `whole_state` is the code of the state's own rows, which are no unit.
    """

    folder: NonEmpty
    whole_state: str = ""
    shapes: Annotated[tuple[Shape, ...], Field(min_length=1)]

    @property
    def files(self) -> list[str]:
        """The published files, each once, in order."""
        return list(dict.fromkeys(source.file for source in self.sources))

    @property
    def sources(self) -> list[Source]:
        """The sources of all shapes, in order."""
        return [source for shape in self.shapes for source in shape.sources]


@dataclass(frozen=True, slots=True)
class Tidy:
    """The study's tables as text, and what became of every published row.

    `table` has unit, year, group and measures; `units` one row a unit. `rows_in` is the sum of `accounts`.
    """

    table: pd.DataFrame
    units: pd.DataFrame
    rows_in: int
    accounts: dict[str, int]


def read_recipes(path: Path) -> dict[str, Recipe]:
    """Return table -> recipe; empty where the workspace has no such file.

    Raises
    ------
    BadInput
        With every fault of the file.
    """
    if not path.is_file():
        return {}
    recipes, faults = {}, []
    for name, part in read_mapping(path).items():
        try:
            recipes[name] = Recipe.model_validate(part)
        except ValidationError as error:
            faults += [f"- {name}.{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
    if faults:
        raise BadInput(f"{path.name} has {len(faults)} faults:\n" + "\n".join(faults))
    return recipes


def school_year_of(label: str, single: str = "spring") -> str:
    """Return a school year as ``2008-09`` from any usual label; empty where it is none.

    >>> [school_year_of(label) for label in ("2008-2009", "SY 2008-09", "200809", "2009", "FY09", "2008-10")]
    ['2008-09', '2008-09', '2008-09', '2008-09', '2008-09', '']
    """
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


def look(path: Path) -> list[tuple[Source, pd.DataFrame]]:
    """Return the tables that a published file holds: its only sheet, or the sheets with the columns of the largest.

    The year of a source is taken from the sheet's name, or else from the file's.

    Raises
    ------
    BadInput
        If no sheet looks like a table.
    """
    sheets = read_sheets(path)
    tables: list[tuple[Source, pd.DataFrame]] = []
    for name, rows in sheets.items():
        try:
            header = header_line(rows)
        except BadInput:
            continue
        year = school_year_of(name) or school_year_of(path.stem)
        tables.append((Source(file=path.name, sheet=name, header=header, year=year), as_table(rows, header)[0]))
    if not tables:
        raise BadInput(f"{path.name} has no line that looks like column names. Delete what stands above them.")
    largest = max((frame for _, frame in tables), key=len)
    return [(source, frame) for source, frame in tables if list(frame.columns) == list(largest.columns)]


def read_source(folder: Path, source: Source) -> pd.DataFrame:
    """Return one source as text.

    Raises
    ------
    BadInput
        If the file or the sheet is not there.
    """
    sheets = read_sheets(folder / source.file)
    if source.sheet not in sheets:
        raise bad_value(f"sheet of {source.file}", source.sheet, sheets)
    return as_table(sheets[source.sheet], source.header)[0]


def tidy(recipe: Recipe, frames: Mapping[Source, pd.DataFrame]) -> Tidy:
    """Return the study's tables from the recipe's sources.

    Parameters
    ----------
    recipe
        The declared shapes.
    frames
        Source -> its table of text.

    Raises
    ------
    BadInput
        If a source lacks a column, a label is no school year, two rows of one file have the same unit, year and group,
        or two files say different things of the same cell.
    """
    parts, accounts = [], {"used": 0}
    for shape in recipe.shapes:
        for source in shape.sources:
            _require(shape, source, frames[source])
            rows, aside = _used(shape, frames[source])
            for reason, n in {**aside, "used": len(rows)}.items():
                accounts[reason] = accounts.get(reason, 0) + n
            parts.append(_rows_of(shape, source, rows))
    every = pd.concat(parts, ignore_index=True).fillna("")
    measures = [name for name in MEASURES if name in every]
    table = _joined(every[every["year"] != ""], measures)
    table["students"] = table.get("students", "")
    table = table[[*KEY, *(name for name in MEASURES if name in table)]]
    units = _units(every[every["district_code"] != recipe.whole_state], table)
    return Tidy(table, units, sum(map(len, frames.values())), accounts)


def _require(shape: Shape, source: Source, frame: pd.DataFrame) -> None:
    for name in shape.asked:
        if name not in frame:
            raise bad_value(f"column of {source.file}", name, frame.columns, f"Mend {FILE}.")


def _used(shape: Shape, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows that are used, and how many are set aside by which rule."""
    rules = [("no code of a unit", frame[shape.columns["district_code"]] != "")]
    rules += [(f"{column} is not {value}", frame[column] == value) for column, value in shape.keep.items()]
    if shape.groups:
        rules.append(("another student group", frame[shape.columns["group"]].isin(shape.groups)))
    aside, left = {}, pd.Series(True, index=frame.index)
    for reason, meets in rules:
        if n := int((left & ~meets).sum()):
            aside[reason] = n
        left &= meets
    return frame[left], aside


def _rows_of(shape: Shape, source: Source, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the study's columns, one row a unit, year and group."""
    named = {**shape.columns, **shape.traits}
    base = pd.DataFrame({name: rows[column] for name, column in named.items()}, index=rows.index, dtype="str")
    base["district_code"] = base["district_code"].str.zfill(shape.pad)
    for name, (top, bottom) in shape.ratios.items():
        base[name] = [_percent(*pair) for pair in zip(rows[top], rows[bottom], strict=True)]
    base["group"] = base["group"].map(shape.groups).astype("str") if shape.groups else "all"
    base = _by_year(shape, source, base, rows)
    for name in set(MEASURES) & set(base):
        base[name] = base[name].map(number_text)
    repeated = base[base.duplicated(list(KEY), keep=False)]
    if len(repeated):
        raise BadInput(
            f"{source.file}: {len(repeated)} rows share unit, year and student group with another row; the first is "
            f"{tuple(repeated.iloc[0][list(KEY)])}. Say which rows count: --keep COLUMN=VALUE, or `keep:` of {FILE}."
        )
    return base


def _by_year(shape: Shape, source: Source, base: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    if shape.wide:
        return _melted(shape, base, rows)
    if not set(MEASURES) & set(base):  # a list of units
        return base.assign(year="")
    if "year" in base:
        return base.assign(year=_years(base["year"], shape, source))
    year = school_year_of(source.year, shape.single_year)
    if not year:
        raise BadInput(
            f"{source.file} has no column of years, and its name says none. Put the school year into the file's name, "
            f"or name the column: --column year=COLUMN."
        )
    return base.assign(year=year)


def _years(labels: pd.Series, shape: Shape, source: Source) -> pd.Series:
    read = {label: school_year_of(label, shape.single_year) for label in labels.unique()}
    if odd := [label for label, year in read.items() if not year]:
        raise BadInput(f"{source.file}: {', '.join(map(repr, odd[:4]))} in the column of years is no school year.")
    return labels.map(read).astype("str")


def _melted(shape: Shape, base: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    by_year = {name: columns_by_year(rows.columns, form, shape.single_year) for name, form in shape.wide.items()}
    parts = []
    for year in sorted({year for columns in by_year.values() for year in columns}):
        cells = {name: rows[columns[year]] if year in columns else "" for name, columns in by_year.items()}
        parts.append(base.assign(year=year, **cells))
    if not parts:
        raise BadInput(f"No column is called {' or '.join(map(repr, shape.wide.values()))}. Mend `wide:` of {FILE}.")
    return pd.concat(parts, ignore_index=True)


def columns_by_year(columns: Iterable[str], form: str, single: str) -> dict[str, str]:
    """Return school year -> column, of the columns whose name has the form (``{year} Rate``)."""
    before, after = map(re.escape, form.split("{year}", 1))
    hits = [(column, re.fullmatch(f"{before}(.+){after}", column)) for column in columns]
    years = [(school_year_of(hit[1], single), column) for column, hit in hits if hit and is_year(hit[1])]
    return {year: column for year, column in years if year}


def is_year(text: str) -> bool:
    """Say whether a text is a year and nothing else."""
    return any(form.fullmatch(text) for form in (SPAN, ONE, SHORT))


def _joined(every: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Return one row a key with the cells of all sources."""
    cells = every[[*KEY, *measures]].melt(list(KEY), var_name=MEASURE, value_name="cell")
    rows = cells[list(KEY)].drop_duplicates().sort_values(list(KEY), ignore_index=True)
    cells = cells[cells["cell"] != ""].drop_duplicates()
    twice = cells[cells.duplicated([*KEY, MEASURE], keep=False)]
    if len(twice):
        shown = ", ".join(twice.iloc[0][[*KEY, MEASURE]])
        raise BadInput(f"Two files say different things of {len(twice) // 2} cells; the first is {shown}.")
    wide = cells.pivot(index=list(KEY), columns=MEASURE, values="cell").reset_index()
    return rows.merge(wide, on=list(KEY), how="left").fillna("")


def _units(every: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a unit: its last name, what does not change, and its students in its first year."""
    fixed = [name for name in every if name not in (*KEY, *MEASURES)]
    rows = every.sort_values("year", kind="stable").replace({name: {"": None} for name in fixed})
    units = rows.groupby("district_code")[fixed].last().fillna("").reset_index()
    if "district" not in units:
        units.insert(1, "district", units["district_code"])
    first = table[(table["group"] == "all") & (table["students"] != "")].drop_duplicates("district_code")
    students = dict(zip(first["district_code"], first["students"], strict=True))
    return units.assign(students=[students.get(code, "") for code in units["district_code"]])


def _percent(top: str, bottom: str) -> str:
    """Return numerator over denominator in percent; a mark in either stays, so that a hidden figure stays hidden."""
    above, below = (number_text(cell) for cell in (top, bottom))
    for cell in (above, below):
        if not re.fullmatch(r"[\d.]+", cell):
            return cell
    return f"{100 * float(above) / float(below):.10g}" if float(below) else ""
