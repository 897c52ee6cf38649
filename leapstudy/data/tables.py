"""How a table is declared: columns, kinds, units, meaning, allowed values, key; and a published one besides.

Validation (`schema.py`), `data/CODEBOOK.md` (`codebook.py`) and the tests' fake data (`fake.py`) follow from it.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from leapstudy.core.errors import bad_value
from leapstudy.core.parameter_file import Part

Kind = Literal["code", "text", "year", "choice", "flag", "count", "fraction", "percent", "number"]
SchoolYear = Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]
NonEmpty = Annotated[str, Field(min_length=1)]


class Code(Part):
    """The form of a unit's code; `whole_state` marks the state's own rows in the published tables."""

    pattern: NonEmpty
    example: NonEmpty
    whole_state: str = ""
    why: str = ""

    @model_validator(mode="after")
    def _example_fits(self) -> Self:
        try:
            fits = re.fullmatch(self.pattern, self.example)
        except re.error as error:
            raise ValueError(f"The pattern {self.pattern!r} is no regular expression ({error}).") from None
        if not fits:
            raise ValueError(f"The example {self.example!r} does not have the form {self.pattern!r}.")
        return self

    def fits(self, code: str) -> bool:
        """Say whether a text has the form of a unit's code, or marks the whole state."""
        return bool(re.fullmatch(self.pattern, code)) or (code != "" and code == self.whole_state)


class Column(Part):
    """What every table of the workspace says of a column: what it holds, in which unit, and which values are allowed.

    `values` maps published choices to the study's.
    """

    name: NonEmpty
    unit: str = ""
    means: str = ""
    allowed: tuple[str, ...] = ()
    values: dict[str, str] = Field(default_factory=dict)


class PublishedColumn(Column):
    """One column of a published table.

    `name` is the study's name and `published_as` the publisher's, where it differs. `blank` says that a cell may be
    empty and what that means, `suppressed` which marks stand for a figure that is not shown, `bounded` which marks say
    only between which values it lies (``{">= 95.0": [95, 100]}``). `year` makes the column one year of a wide table.
    """

    kind: Kind
    published_as: str = ""
    unit: str = "text"
    suppressed: tuple[str, ...] = ()
    bounded: dict[str, tuple[float, float]] = Field(default_factory=dict)
    blank: str = ""
    year: SchoolYear | None = None

    @property
    def source_name(self) -> str:
        """The column's name in the published file."""
        return self.published_as or self.name

    @property
    def legal(self) -> tuple[str, ...]:
        """The published values that are allowed; any where empty."""
        return self.allowed or tuple(self.values)


class AddUp(Part):
    """How several rows of a unit and year become one: over which key column, and which counts make which percent.

    Counts are added; `to` is ``100 * numerator / denominator``, and `students` the denominator. A rate of the table is
    the mean of its rows by the denominator; a row that is bounded makes the sum bounded.
    """

    over: NonEmpty
    numerator: NonEmpty
    denominator: NonEmpty
    to: NonEmpty


class Table(Part):
    """What every table says of itself: its name, the columns that name a row, and its columns in order."""

    name: NonEmpty
    key: Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _columns_know_their_names(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("columns"), dict):
            return {**values, "columns": named(values["columns"])}
        return values

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)


class PublishedTable(Table):
    """One published table: its file below `data/raw/`, its key and its columns; `constant` fills columns it lacks."""

    file: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    title: NonEmpty
    source: NonEmpty
    rights: NonEmpty
    columns: Annotated[tuple[PublishedColumn, ...], Field(min_length=1)]
    constant: dict[str, str] = Field(default_factory=dict)
    add_up: AddUp | None = None

    @model_validator(mode="after")
    def _key_exists(self) -> Self:
        for name in self.key:
            if name not in self.names:
                raise ValueError(str(bad_value("key column", name, self.names)))
        parts = [self.add_up.over, self.add_up.numerator, self.add_up.denominator] if self.add_up else []
        for name in parts:
            self.column(name)
        if [column.kind for column in self.columns].count("code") != 1:
            raise ValueError("A table needs exactly one column of kind code.")
        return self

    @property
    def folder(self) -> str:
        """The folder below `data/raw/`."""
        return self.file.split("/")[0]

    @property
    def years(self) -> dict[str, str]:
        """The columns of a wide table that are a year each: column -> school year."""
        return {column.name: column.year for column in self.columns if column.year}

    def column(self, name: str) -> PublishedColumn:
        """Return a column by the study's name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise bad_value(f"column of {self.file}", name, self.names)


def named(parts: dict[str, Any]) -> list[Any]:
    """Return the values of a mapping, each with its key as `name`."""
    return [{"name": name, **part} if isinstance(part, dict) else part for name, part in parts.items()]
