"""From a state's own files to the study's tables, as `params/intake.yml` declares it: no cell is lost or changed."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import pandas as pd
from pydantic import Field, ValidationError, model_validator

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.parameter_file import Part, faults_of, read_mapping
from leapstudy.core.phrases import counted
from leapstudy.data.sheets import (
    as_table,
    figures_text,
    header_line,
    hundredfold,
    number_text,
    read_sheets,
    school_year_of,
)
from leapstudy.data.tables import NonEmpty, SchoolYear

FILE, PUBLISHED = "intake.yml", "published"
KEY = ("district_code", "year", "group")
# Enrollment, attendance, chronic absence, and the figure of another outcome, which is never guessed.
MEASURES = ("students", "rate", "chronic", "figure")
# What a column may be read as.
READ = (*KEY, "district", *MEASURES)
# Between the columns that are one code together.
JOIN = "+"
# Share of a sheet's columns that the largest sheet must have too.
ALIKE = 0.5


class Source(Part):
    """One published file (below `published/`), the sheet and line of its column names, and the year that it is of."""

    file: NonEmpty
    sheet: str = ""
    header: Annotated[int, Field(ge=1)] = 1
    year: str = ""

    @property
    def place(self) -> str:
        """The file, and the sheet of a workbook."""
        return f"{self.file}, sheet {self.sheet}" if self.sheet else self.file


class Shape(Part):
    """How files of one shape are read.

    Attributes
    ----------
    sources
        The published files.
    keep
        Published column -> the value of the rows that are used.
    columns
        The study's name -> the published column; a code may be several, to be joined by hyphens: ``LEA+School``.
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
    wide: dict[str, NonEmpty] = Field(default_factory=dict)
    ratios: dict[str, tuple[NonEmpty, NonEmpty]] = Field(default_factory=dict)
    groups: dict[str, NonEmpty] = Field(default_factory=dict)
    traits: dict[str, NonEmpty] = Field(default_factory=dict)
    single_year: Literal["spring", "fall"] = "spring"
    pad: Annotated[int, Field(ge=0, le=20)] = 0

    @model_validator(mode="after")
    def _names_are_the_studys(self) -> Self:
        if "district_code" not in self.columns:
            raise ValueError("`columns` must name the column of the unit's code: district_code.")
        legal = {"columns": READ, "wide": MEASURES, "ratios": MEASURES}
        for part, names in legal.items():
            if odd := [name for name in getattr(self, part) if name not in names]:
                raise ValueError(str(bad_value(f"name in `{part}`", odd[0], names, "`traits` takes any other.")))
        if odd := [form for form in self.wide.values() if "{year}" not in form]:
            raise ValueError(f"`wide` names {odd[0]!r}; write {{year}} where the year stands in the columns' names.")
        return self

    @property
    def asked(self) -> list[str]:
        """The published columns that must be there."""
        ratios = (name for pair in self.ratios.values() for name in pair)
        columns = (part for column in self.columns.values() for part in column.split(JOIN))
        return [*columns, *self.keep, *ratios, *self.traits.values()]


class Recipe(Part):
    """One table of the study: its folder below `data/raw/`, and the shapes whose cells are put together by key.

    `whole_state` is the code of the state's own rows, which are no unit. `fractions` are the school years whose rates
    are published as fractions while other years' are percents: measure -> years. `restated` are files in the order of
    their publication: where two differ, the last one counts.
    """

    folder: NonEmpty
    whole_state: str = ""
    fractions: dict[Literal["rate", "chronic"], tuple[SchoolYear, ...]] = Field(default_factory=dict)
    restated: tuple[str, ...] = ()
    shapes: Annotated[tuple[Shape, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _restated_files_are_read(self) -> Self:
        if odd := [name for name in self.restated if name not in self.files]:
            raise ValueError(str(bad_value("file in `restated`", odd[0], self.files)))
        return self

    @property
    def files(self) -> list[str]:
        """The published files, each once, in order."""
        return list(dict.fromkeys(source.file for source in self.sources))

    @property
    def sources(self) -> list[Source]:
        """The sources of all shapes, in order."""
        return [source for shape in self.shapes for source in shape.sources]


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
            faults += [f"- {name}.{place}: {fault}" for place, fault in faults_of(error, Recipe)]
    if faults:
        raise BadInput(f"{path.name} has {len(faults)} faults:\n" + "\n".join(faults))
    return recipes


def look(path: Path, only: Collection[str] = ()) -> list[tuple[Source, pd.DataFrame]]:
    """Return the tables that a published file holds: its only sheet, or the sheets that share columns with the largest,
    half of them or the first.

    The year of a source is taken from the sheet's name, or else from the file's. Of `only`, where it names sheets of
    the file, no other sheet is read.

    Raises
    ------
    BadInput
        If no sheet looks like a table.
    """
    sheets = read_sheets(path)
    sheets = {name: rows for name, rows in sheets.items() if name in only} or sheets
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
    return [(source, frame) for source, frame in tables if _alike(frame, largest)]


def _alike(frame: pd.DataFrame, largest: pd.DataFrame) -> bool:
    common = {*frame} & {*largest}
    return frame.columns[0] == largest.columns[0] or len(common) >= ALIKE * frame.shape[1]


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


MEASURE, FILE_OF = "__measure__", "__file__"
MOST_SHOWN = 4
# A year and nothing else, in any notation.
YEAR_ALONE = r"((SY|FY)?[ _]*'?)?\d{2,4}(\s*[-–/_ ]?\s*'?\d{2,4})?"


@dataclass(frozen=True, slots=True)
class Tidy:
    """The study's tables as text, and what became of every published row.

    `table` has unit, year, group and measures; `units` one row a unit. `rows_in` is the sum of `accounts`, `restated`
    the number of cells that a later file says otherwise than an earlier one.
    """

    table: pd.DataFrame
    units: pd.DataFrame
    rows_in: int
    accounts: dict[str, int]
    restated: int = 0


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
            for name in lacking(shape, frames[source]):
                raise bad_value(f"column of {source.place}", name, frames[source].columns, f"Mend {FILE}.")
            rows, aside = _split_rows(shape, frames[source])
            for reason, n in {**aside, "used": len(rows)}.items():
                accounts[reason] = accounts.get(reason, 0) + n
            parts.append(_rows_of(shape, source, rows).assign(**{FILE_OF: source.file}))
    every = pd.concat(parts, ignore_index=True).fillna("")
    measures = [name for name in MEASURES if name in every]
    table, older = _by_key(every[every["year"] != ""], measures, recipe)
    for name, years in recipe.fractions.items():
        table[name] = [hundredfold(c) if y in years else c for c, y in zip(table[name], table["year"], strict=True)]
    table["students"] = table.get("students", "")
    table = table[[*KEY, *(name for name in MEASURES if name in table)]]
    units = _units(every[every["district_code"] != recipe.whole_state], table)
    return Tidy(table, units, sum(map(len, frames.values())), accounts, older)


def lacking(shape: Shape, frame: pd.DataFrame) -> list[str]:
    """Return the columns that a shape reads and a table does not have, those that are a year each by their form."""
    missing_columns = [name for name in shape.asked if name not in frame]
    return missing_columns + [
        form for form in shape.wide.values() if not columns_by_year(frame, form, shape.single_year)
    ]


def _split_rows(shape: Shape, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows that are used, and how many are set aside by which rule."""
    rules = [("no code of a unit", codes_of(shape, frame) != "")]
    rules += [(f"{column} is not {value}", frame[column] == value) for column, value in shape.keep.items()]
    if shape.groups:
        rules.append(("another student group", frame[shape.columns["group"]].isin(shape.groups)))
    aside, mask = {}, pd.Series(True, index=frame.index)
    for reason, meets in rules:
        if n := int((mask & ~meets).sum()):
            aside[reason] = n
        mask &= meets
    return frame[mask], aside


def _rows_of(shape: Shape, source: Source, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the study's columns, one row a unit, year and group."""
    columns = {name: column for name, column in {**shape.columns, **shape.traits}.items() if name != "district_code"}
    base = pd.DataFrame({name: rows[column] for name, column in columns.items()}, index=rows.index, dtype="str")
    base["district_code"] = codes_of(shape, rows).str.zfill(shape.pad)
    for name, (top, bottom) in shape.ratios.items():
        parts = (figures_text(rows[column]) for column in (top, bottom))
        base[name] = [_percent(*pair) for pair in zip(*parts, strict=True)]
    base["group"] = base["group"].map(shape.groups).astype("str") if shape.groups else "all"
    base = _by_year(shape, source, base, rows)
    for name in set(MEASURES) & set(base):
        base[name] = figures_text(base[name])
    duplicates = base[base.duplicated(list(KEY), keep=False)]
    if len(duplicates):
        code, year, group = duplicates.iloc[0][list(KEY)]
        undated = "" if year else " No column of years is named: where there is one, --column year=COLUMN."
        raise BadInput(
            f"{source.place}: {len(duplicates)} rows share unit, year and student group with another row; the first is "
            f"{', '.join(filter(None, (code, year, group)))}.{_differing(duplicates, rows)}{undated} Say "
            "which rows count: --keep COLUMN=VALUE, or "
            f"`keep:` of {FILE}; or which sheets, --sheet NAME. Where rows are to be added up, such as a row a grade, "
            "draft from one of them and write `add_up:` of the table in params/state.yml (docs/another-state.md). "
            f"Where a code is whole only with that of the larger unit, --column district_code='COLUMN{JOIN}COLUMN'."
        )
    return base


def _differing(duplicates: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Return which columns of text differ between the rows that share the first key, with their first values."""
    first = (duplicates[list(KEY)] == duplicates.iloc[0][list(KEY)]).all(axis=1)
    own = rows.loc[rows.index.intersection(duplicates.index[first])]
    values = {name: [value for value in own[name].unique() if value] for name in rows}
    examples = [
        f"{name} ({', '.join(of[:MOST_SHOWN])}{', ...' if len(of) > MOST_SHOWN else ''})"
        for name, of in sorted(values.items(), key=lambda item: len(item[1]))
        if len(of) > 1 and not any(number_text(value).replace(".", "").isdigit() for value in of)
    ]
    return f" Its rows differ in {'; '.join(examples)}." if examples else ""


def codes_of(shape: Shape, rows: pd.DataFrame) -> pd.Series:
    """Return the codes: a column, or several joined by hyphens, empty where one of them is; ``35.0`` is 35."""
    column = shape.columns["district_code"]
    parts = [rows[name] for name in ([column] if column in rows else column.split(JOIN))]
    whole = [part.str.removesuffix(".0") if part.str.fullmatch(r"(\d+\.0)?").all() else part for part in parts]
    codes = whole[0].str.cat(whole[1:], sep="-") if len(whole) > 1 else whole[0]
    return codes.mask(pd.concat([part == "" for part in whole], axis=1).any(axis=1), "")


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
    return pd.concat(parts, ignore_index=True)


def columns_by_year(columns: Iterable[str], form: str, single: str) -> dict[str, str]:
    """Return school year -> column, of the columns whose name has the form (``{year} Rate``)."""
    before, after = map(re.escape, form.split("{year}", 1))
    hits = [(column, re.fullmatch(f"{before}(.+){after}", column)) for column in columns]
    years = [(_year_between(hit[1], single), column) for column, hit in hits if hit]
    return {year: column for year, column in years if year}


def _year_between(label: str, single: str) -> str:
    """Return the school year that a part of a column's name is; of two digits (``DA0AT21R``) too."""
    whole = f"20{label}" if re.fullmatch(r"\d\d", label) else label
    return school_year_of(whole, single) if re.fullmatch(YEAR_ALONE, whole, re.IGNORECASE) else ""


def _by_key(every: pd.DataFrame, measures: Sequence[str], recipe: Recipe) -> tuple[pd.DataFrame, int]:
    """Return one row a key with the cells of all sources, and how many of them a later file has restated."""
    cells = every[[*KEY, FILE_OF, *measures]].melt([*KEY, FILE_OF], var_name=MEASURE, value_name="cell")
    rows = cells[list(KEY)].drop_duplicates().sort_values(list(KEY), ignore_index=True)
    cells = cells[cells["cell"] != ""]
    place = [*KEY, MEASURE]
    differing = cells.drop_duplicates([*place, "cell"]).duplicated(place, keep=False)
    twice = cells.loc[differing.index[differing]]
    n_restated = int(twice.drop_duplicates(place).shape[0])
    if n_restated and not recipe.restated:
        files, years = (", ".join(sorted(twice[name].unique())) for name in (FILE_OF, "year"))
        raise BadInput(
            f"Files say different things of {counted(n_restated, 'cell')} in {years} ({files}); the first is "
            f"{', '.join(twice.iloc[0][place])}. Where a later file restates an earlier one, name the files in the "
            f"order of their publication and say --restated, or `restated: [FILE, ...]` of {FILE}: the last one counts."
        )
    order = {file: rank for rank, file in enumerate(recipe.restated)}
    ranks = cells[FILE_OF].map(lambda file: order.get(file, len(order)))
    cells = cells.loc[ranks.sort_values(kind="stable").index].drop_duplicates(place, keep="last")
    wide = cells.pivot(index=list(KEY), columns=MEASURE, values="cell").reset_index()
    return rows.merge(wide, on=list(KEY), how="left").fillna(""), n_restated


def _units(every: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a unit: its last name, what does not change, and its students in its first year."""
    traits = [name for name in every if name not in (*KEY, *MEASURES, FILE_OF)]
    rows = every.sort_values("year", kind="stable").replace({name: {"": None} for name in traits})
    units = rows.groupby("district_code")[traits].last().fillna("").reset_index()
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
