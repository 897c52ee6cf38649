"""The tables that the student track reads, from `contract.yml`: validation, codebook and templates all come from there.

Every shape of attendance file leads to one panel, `STUDENT_MONTH`: a row is a student in a month. Templates say what a
vendor needs to send usable files: headers, machine-readable schemas, and a dictionary with INVENTED rows.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from leapstudy.core.errors import BadInput
from leapstudy.core.parameter_file import packaged
from leapstudy.data.tables import Column, Table

Kind = Literal["text", "number", "month", "date", "flag"]
# How attendance is kept in the files.
Shape = Literal["student_month", "student_day", "edfi", "ct_monthly"]
# What a district's code looks like, whatever the state.
CODE = "^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,19}$"

# Which day the exit of an enrollment is.
ExitDate = Literal["last day", "day after"]


class FileColumn(Column):
    """One column of a student table; `contract.yml` says what each key means."""

    kind: Kind
    example: str = ""
    required: bool = True
    low: int = 0
    high: int = 31
    width: int = 0

    def told_legal(self, supports: Sequence[str]) -> tuple[str, ...]:
        """Return the legal values or bounds, with the state's own list of supports; none where text of any kind is."""
        if self.name == "supports":
            return tuple(supports)
        bounds = (f"{self.low} to {self.high}",) if self.kind == "number" else ()
        return self.allowed or (("true", "false") if self.kind == "flag" else bounds)


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


def _table(name: str, says: dict[str, Any], common: Mapping[str, Any]) -> FileTable:
    """Return a table; a column that several tables have is what is said of it once, and what this table says."""
    columns = {column: common.get(column, {}) | (own or {}) for column, own in says["columns"].items()}
    return FileTable.model_validate({**says, "name": name, "columns": columns})


_DECLARED = packaged(__file__, "contract")
TABLES = tuple(_table(name, says, _DECLARED["columns"]) for name, says in _DECLARED["tables"].items())
(STUDENT_MONTH, STUDENT_DAY, ENROLLMENT, ABSENCES, CALENDAR, CT_MONTHLY, ROSTER, VISITS, OUTCOMES) = TABLES
# Letters of a cell of text; a longer one is no code, and whole columns of them are more than memory holds.
LONGEST = 255
# How files and parameters write a flag, in any capitals.
TRUE, FALSE = ("1", "true", "t", "yes", "y"), ("0", "false", "f", "no", "n")
GRADES, STATUSES = STUDENT_MONTH["grade"].allowed, STUDENT_MONTH["status"].allowed
VISIT_TYPES, VISIT_RESULTS = VISITS["type"].allowed, VISITS["result"].allowed
OUTCOME_NAMES = OUTCOMES["outcome"].allowed
SUPPORTS: tuple[str, ...] = tuple(_DECLARED["supports"])
LANGUAGES: dict[str, str] = _DECLARED["languages"]
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
    exit_date
        Which day the exit of an enrollment is: its last one, or the one after it.
    district_names
        Code -> name of districts that the study's table does not know.
    """

    columns: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    categories: Mapping[str, float] = field(default_factory=dict)
    supports: tuple[str, ...] = SUPPORTS
    time_zone: str = ""
    exit_date: ExitDate = "last day"
    district_names: Mapping[str, str] = field(default_factory=dict)


def require_columns(table: FileTable, present: Iterable[str], what: str, names: Sequence[str]) -> None:
    """Raise `BadInput` if a required column is missing; `names` are the file's names that may be shown, cells never."""
    missing = [name for name in table.required if name not in set(present)]
    if missing:
        has = f"it has {sorted(names)}" if names else "what it has is not shown, since its first line may be no header"
        raise BadInput(
            f"{what} lacks the columns {missing} of the table {table.name!r}; {has}. "
            "Map the file's own names under `columns:` in params/students.yml, as `name here: name there`"
            + (", or give `district:` for a file of one district." if "district_code" in missing else ".")
        )


def as_found(own: str) -> str:
    """Return a value that the parameters name as cells are looked up: without blanks around it, in small letters."""
    return own.strip().lower()


def meanings(column: str) -> tuple[str, ...]:
    """Return what a file's own value of a column may mean: the column's legal values, or those of a flag.

    Examples
    --------
    >>> meanings("result")
    ('met', 'not_home', 'refused', 'moved')
    """
    home = next(table[column] for table in TABLES if column in table.names)
    return home.allowed or (*TRUE, *FALSE)


# Columns that the workspace fills itself; no vendor sends them.
SENT = ("first_visit_month",)
KINDS = {"text": "string", "number": "number", "month": "yearmonth", "date": "date", "flag": "boolean"}
SENT_TABLES: dict[str, FileTable] = {
    "visits": VISITS,
    "attendance_by_month": STUDENT_MONTH,
    "attendance_by_day": STUDENT_DAY,
    "enrollment": ENROLLMENT,
    "absences": ABSENCES,
    "calendar": CALENDAR,
    "outcomes": OUTCOMES,
}


def templates(supports: Sequence[str] = SUPPORTS) -> dict[str, str]:
    """Return file name -> content: for each table a header and a schema, and one dictionary.

    Parameters
    ----------
    supports
        The state's own list of supports.

    Examples
    --------
    >>> templates()["visits.csv"].split(",")[:3]
    ['student', 'district_code', 'referral_date']
    """
    files = {
        f"{name}.csv": ",".join(column.name for column in sent(table)) + "\n" for name, table in SENT_TABLES.items()
    }
    schemas = {f"{name}.schema.json": schema(table, supports) for name, table in SENT_TABLES.items()}
    return {**files, **schemas, "DICTIONARY.md": dictionary(supports)}


def sent(table: FileTable) -> tuple[FileColumn, ...]:
    """Return the columns that a vendor sends."""
    return tuple(column for column in table.columns if column.name not in SENT)


def schema(table: FileTable, supports: Sequence[str] = SUPPORTS) -> str:
    """Return a table as a Frictionless Table Schema, which common validators read; `supports` as in `templates`."""
    fields = [
        {
            "name": column.name,
            "type": KINDS[column.kind],
            "description": column.means,
            "constraints": _constraints(column, supports),
        }
        for column in sent(table)
    ]
    key = [name for name in table.key if name in {column.name for column in sent(table)}]
    return json.dumps({"fields": fields, "primaryKey": key, "missingValues": [""]}, indent=2) + "\n"


def _constraints(column: FileColumn, supports: Sequence[str]) -> dict[str, object]:
    constraints: dict[str, object] = {"required": True} if column.required else {}
    if column.allowed:
        constraints["enum"] = list(column.allowed)
    if column.kind == "number":
        constraints |= {"minimum": column.low, "maximum": column.high}
    if column.name == "supports":
        names = "|".join(map(re.escape, supports))
        constraints["pattern"] = f"({names})(;({names}))*"
    return constraints


def dictionary(supports: Sequence[str] = SUPPORTS) -> str:
    """Return the dictionary of all templates as Markdown; its rows are INVENTED."""
    tables = (_section(name, table, supports) for name, table in SENT_TABLES.items())
    return "\n".join([HEAD.format(supports=", ".join(supports)), *tables])


HEAD = """# Dictionary for whoever sends the files

One CSV a table, UTF-8, the header as in the template. Dates as YYYY-MM-DD, months as YYYY-MM. Codes and ids are text
and keep their zeros. An empty cell means "not known", never "no". Each `*.schema.json` is a Frictionless Table Schema:
a validator that reads one can check a file before it is sent. All example cells are INVENTED.

- **Every referral has a row**, also where nobody was tried (empty `visit_date`) or met (`completed` false). A log of
  met families alone cannot say what an offer does, and who is met is selected.
- **Every attempt has a row**, with how it ended: met, not_home, refused, moved. A refusal is not an absence from home.
- **No names**: neither of students nor of visitors. `visitor` is a role. Free text about a family has no column, and is
  not to be sent.
- **Supports** that may be named here: {supports}.
- **Attendance of every student enrolled**, visited or not, also of those who left: up to the day on which they left.
  One form of it is sent: by month, by day, or as enrollment, absences and calendar, three files in a folder.
- **Send all again**, not only what changed, and say whether figures are final or year to date.
"""


def _section(name: str, table: FileTable, supports: Sequence[str]) -> str:
    head = [
        f"## {name}.csv",
        "",
        f"One row: {table.grain.removeprefix('one row per ')}. Key: {', '.join(table.key)}.",
        "",
        "| column | kind | must be there | legal | example | meaning |",
        "|---|---|---|---|---|---|",
    ]
    rows = [
        f"| {c.name} | {c.kind} | {'yes' if c.required else 'no'} | {', '.join(c.told_legal(supports))} "
        f"| {c.example} | {c.means} |"
        for c in sent(table)
    ]
    return "\n".join([*head, *rows, ""])
