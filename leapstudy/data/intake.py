"""From a state's own files to the study's table: the shape is declared in `params/intake.yml`, the figures are kept."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import Field, ValidationError

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.parameter_file import read_mapping
from leapstudy.data.sheets import as_table, read_sheets
from leapstudy.data.state import school_year
from leapstudy.data.tables import NonEmpty, Part

FILE, PUBLISHED = "intake.yml", "published"
KEY = ("district_code", "year", "group")
MEASURES = ("students", "rate", "chronic")
COLUMNS = ("district_code", "district", "year", "group", *MEASURES)
SPAN = re.compile(r"(?<!\d)(20\d\d|19\d\d)\s*[-–/_ ]?\s*((?:19|20)?\d\d)(?!\d)")
ONE = re.compile(r"(?<!\d)(20\d\d|19\d\d)(?!\d)")
SHORT = re.compile(r"\b(?:SY|FY)\s*'?(\d\d)(?!\d)", re.IGNORECASE)


class Source(Part):
    """One published file (below `published/`), the sheet and line of its column names, and the year that it is of."""

    file: NonEmpty
    sheet: str = ""
    header: Annotated[int, Field(ge=1)] = 1
    year: str = ""


class Recipe(Part):
    """How one table of the study is read from published files.

    Attributes
    ----------
    folder
        Folder below `data/raw/`.
    sources
        The published files; their rows are put below one another.
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
    single_year
        Whether a year such as 2019 is the spring in which a school year ends, or the fall in which it begins.
    pad
        Length to which codes are filled with zeros in front; 0 leaves them.
    """

    folder: NonEmpty
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    keep: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, NonEmpty]
    wide: dict[str, Annotated[str, Field(pattern=r"\{year\}")]] = Field(default_factory=dict)
    ratios: dict[str, tuple[NonEmpty, NonEmpty]] = Field(default_factory=dict)
    groups: dict[str, NonEmpty] = Field(default_factory=dict)
    single_year: Literal["spring", "fall"] = "spring"
    pad: Annotated[int, Field(ge=0, le=20)] = 0


@dataclass(frozen=True, slots=True)
class Tidy:
    """One table of the study as text, and what became of every published row; `rows_in` is the sum of `accounts`."""

    table: pd.DataFrame
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


def read_source(folder: Path, source: Source) -> pd.DataFrame:
    """Return one published file as text.

    Raises
    ------
    BadInput
        If the file or the sheet is not there.
    """
    sheets = read_sheets(folder / source.file)
    name = source.sheet or next(iter(sheets))
    if name not in sheets:
        raise bad_value(f"sheet of {source.file}", name, sheets)
    return as_table(sheets[name], source.header)[0]


def tidy(recipe: Recipe, frames: Sequence[pd.DataFrame]) -> Tidy:
    """Return the study's table from the recipe's sources.

    Parameters
    ----------
    recipe
        The declared shape.
    frames
        One table of text a source, in order.

    Raises
    ------
    BadInput
        If a source lacks a column, a label is no school year, or two rows have the same unit, year and group.
    """
    parts, accounts = [], {"used": 0}
    for source, frame in zip(recipe.sources, frames, strict=True):
        _require(recipe, source, frame)
        rows, aside = _kept(recipe, frame)
        for reason, n in aside.items():
            accounts[reason] = accounts.get(reason, 0) + n
        accounts["used"] += len(rows)
        parts.append(_long(recipe, source, rows))
    table = pd.concat(parts, ignore_index=True)
    table["district_code"] = table["district_code"].str.strip().str.zfill(recipe.pad)
    table = table[[name for name in COLUMNS if name in table]].sort_values(list(KEY), ignore_index=True)
    repeated = table[table.duplicated(list(KEY), keep=False)]
    if len(repeated):
        raise BadInput(
            f"{len(repeated)} rows share unit, year and student group with another row; the first is "
            f"{tuple(repeated.iloc[0][list(KEY)])}. Say under `keep:` of {FILE} which rows count."
        )
    return Tidy(table, sum(map(len, frames)), accounts)


def _require(recipe: Recipe, source: Source, frame: pd.DataFrame) -> None:
    asked = [
        *recipe.columns.values(),
        *recipe.keep,
        *(name for pair in recipe.ratios.values() for name in pair),
    ]
    for name in asked:
        if name not in frame:
            raise bad_value(f"column of {source.file}", name, frame.columns, f"Mend `columns:` of {FILE}.")


def _kept(recipe: Recipe, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows that are used, and how many are set aside by which rule."""
    aside: dict[str, int] = {}
    code = frame[recipe.columns["district_code"]]
    rules = [("no code of a unit", code != "")]
    rules += [(f"{column} is not {value}", frame[column] == value) for column, value in recipe.keep.items()]
    if recipe.groups:
        rules.append(("another student group", frame[recipe.columns["group"]].isin(recipe.groups)))
    left = pd.Series(True, index=frame.index)
    for reason, meets in rules:
        if n := int((left & ~meets).sum()):
            aside[reason] = n
        left &= meets
    return frame[left], aside


def _long(recipe: Recipe, source: Source, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the study's columns, one row a unit, year and group."""
    base = pd.DataFrame({name: rows[column] for name, column in recipe.columns.items()}, index=rows.index, dtype="str")
    for name, (top, bottom) in recipe.ratios.items():
        base[name] = [_percent(*pair) for pair in zip(rows[top], rows[bottom], strict=True)]
    base["group"] = base["group"].map(recipe.groups).astype("str") if recipe.groups else "all"
    if recipe.wide:
        base = _melted(recipe, base, rows)
    elif "year" in base:
        base["year"] = _years(base["year"], recipe, source)
    else:
        base["year"] = school_year_of(source.year, recipe.single_year)
        if not base["year"].all():
            raise BadInput(f"{source.file} has no column of years; say under `sources:` of {FILE} which year it is of.")
    base["students"] = base.get("students", "")
    for name in MEASURES:
        if name in base:
            base[name] = base[name].map(number_text)
    return base


def _years(labels: pd.Series, recipe: Recipe, source: Source) -> pd.Series:
    read = {label: school_year_of(label, recipe.single_year) for label in labels.unique()}
    if odd := [label for label, year in read.items() if not year]:
        raise BadInput(f"{source.file}: {', '.join(map(repr, odd[:4]))} in the column of years is no school year.")
    return labels.map(read).astype("str")


def _melted(recipe: Recipe, base: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    by_year = {name: columns_by_year(rows.columns, form, recipe.single_year) for name, form in recipe.wide.items()}
    parts = []
    for year in sorted({year for columns in by_year.values() for year in columns}):
        cells = {name: rows[columns[year]] if year in columns else "" for name, columns in by_year.items()}
        parts.append(base.assign(year=year, **cells))
    if not parts:
        raise BadInput(f"No column is called {' or '.join(map(repr, recipe.wide.values()))}. Mend `wide:` of {FILE}.")
    return pd.concat(parts, ignore_index=True)


def columns_by_year(columns: Iterable[str], form: str, single: str) -> dict[str, str]:
    """Return school year -> column, of the columns whose name has the form (``{year} Rate``)."""
    before, after = map(re.escape, form.split("{year}", 1))
    hits = [(column, re.fullmatch(f"{before}(.+){after}", column)) for column in columns]
    years = [(school_year_of(hit[1], single), column) for column, hit in hits if hit and _is_year(hit[1])]
    return {year: column for year, column in years if year}


def _is_year(text: str) -> bool:
    """Say whether a text is a year and nothing else."""
    return bool(SPAN.fullmatch(text) or ONE.fullmatch(text) or SHORT.fullmatch(text))


def _percent(top: str, bottom: str) -> str:
    """Return numerator over denominator in percent; a mark in either stays, so that a hidden figure stays hidden."""
    above, below = (number_text(cell) for cell in (top, bottom))
    for cell in (above, below):
        if not re.fullmatch(r"[\d.]+", cell):
            return cell
    return f"{100 * float(above) / float(below):.10g}" if float(below) else ""
