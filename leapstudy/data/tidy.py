"""From the rows of published files to the study's tables, as a recipe declares it: no cell is lost, none is changed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.data.intake import FILE, KEY, MEASURES, Recipe, Shape, Source
from leapstudy.data.values import is_year, number_text, school_year_of

MEASURE = "__measure__"


@dataclass(frozen=True, slots=True)
class Tidy:
    """The study's tables as text, and what became of every published row.

    `table` has unit, year, group and measures; `units` one row a unit. `rows_in` is the sum of `accounts`.
    """

    table: pd.DataFrame
    units: pd.DataFrame
    rows_in: int
    accounts: dict[str, int]


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
