"""The tables that the student track reads, from `contract.yml`: validation, codebook and templates all come from there.

Every shape of attendance file leads to one panel, `STUDENT_MONTH`: a row is a student in a month.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from leapstudy.core.errors import BadInput
from leapstudy.core.parameter_file import packaged
from leapstudy.data.tables import Column, Table

Kind = Literal["text", "number", "month", "date", "flag"]
Shape = Literal["student_month", "student_day", "edfi", "ct_monthly"]
"""How attendance is kept in the files."""


class FileColumn(Column):
    """One column of a student table; `contract.yml` says what each key means."""

    kind: Kind
    example: str = ""
    required: bool = True
    low: int = 0
    high: int = 31
    width: int = 0


class FileTable(Table):
    """One table: its grain, its key and its columns in order."""

    grain: str
    columns: tuple[FileColumn, ...]

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that a file must have."""
        return tuple(column.name for column in self.columns if column.required)

    def __getitem__(self, name: str) -> FileColumn:
        """Return one column by name."""
        return next(column for column in self.columns if column.name == name)


def _table(name: str, says: dict[str, Any], shared: Mapping[str, Any]) -> FileTable:
    """Return a table; a column that several tables have is what is said of it once, and what this table says."""
    columns = {column: shared.get(column, {}) | (own or {}) for column, own in says["columns"].items()}
    return FileTable.model_validate({**says, "name": name, "columns": columns})


_DECLARED = packaged(__file__, "contract")
TABLES = tuple(_table(name, says, _DECLARED["columns"]) for name, says in _DECLARED["tables"].items())
(STUDENT_MONTH, STUDENT_DAY, ENROLLMENT, ABSENCES, CALENDAR, CT_MONTHLY, ROSTER, VISITS, OUTCOMES) = TABLES
LONGEST = 255
"""Letters of a cell of text; a longer one is no code, and whole columns of them are more than memory holds."""
GRADES, STATUSES = STUDENT_MONTH["grade"].allowed, STUDENT_MONTH["status"].allowed
VISIT_TYPES, VISIT_RESULTS = VISITS["type"].allowed, VISITS["result"].allowed
OUTCOME_NAMES = OUTCOMES["outcome"].allowed
SUPPORTS: tuple[str, ...] = tuple(_DECLARED["supports"])
CATEGORIES: dict[str, float] = _DECLARED["categories"]
CALENDAR_EVENTS: dict[str, float] = _DECLARED["calendar_events"]


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read: what the parameters say beside where the files are.

    Attributes
    ----------
    columns
        The contract's column name -> the file's own, or one for each kind of file; two names may read one column.
    constants
        Columns that the files lack and that are the same in every row: ``{"district_code": "06400"}``.
    values
        Column -> the file's own value -> the contract's.
    categories
        Category of an attendance event -> the share of the day that it means; beside `CATEGORIES`.
    supports
        Legal supports in the visit log.
    time_zone
        Where instants in UTC are meant, as ``America/New_York``.
    """

    columns: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    categories: Mapping[str, float] = field(default_factory=dict)
    supports: tuple[str, ...] = SUPPORTS
    time_zone: str = ""


def require_columns(table: FileTable, present: Iterable[str], what: str, shown: Sequence[str]) -> None:
    """Raise `BadInput` if a required column is missing; `shown` are the file's names that may be shown, cells never."""
    missing = [name for name in table.required if name not in set(present)]
    if missing:
        has = f"it has {sorted(shown)}" if shown else "what it has is not shown, since its first line may be no header"
        raise BadInput(
            f"{what} lacks the columns {missing} of the table {table.name!r}; {has}. "
            "Map the file's own names under `columns:` in params/students.yml, as `name here: name there`"
            + (", or give `district:` for a file of one district." if "district_code" in missing else ".")
        )
