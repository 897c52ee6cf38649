"""From a state's own files to the study's table: the shape is declared in `params/intake.yml`, the figures are kept."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal, Self

import pandas as pd
from pydantic import Field, ValidationError, model_validator

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.parameter_file import Part, faults_of, read_mapping
from leapstudy.data.sheets import as_table, header_line, read_sheets, school_year_of
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
