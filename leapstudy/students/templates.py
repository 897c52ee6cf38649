"""What a vendor needs to send usable files: headers, machine-readable schemas, and a dictionary with INVENTED rows."""

import json
from collections.abc import Sequence

from leapstudy.students.contract import (
    ENROLLMENT,
    OUTCOMES,
    STUDENT_DAY,
    STUDENT_MONTH,
    SUPPORTS,
    VISITS,
    FileColumn,
    FileTable,
)

SENT = ("first_visit_month",)
"""Columns that the workspace fills itself; no vendor sends them."""
KINDS = {"text": "string", "number": "number", "month": "yearmonth", "date": "date", "flag": "boolean"}
TABLES: dict[str, FileTable] = {
    "visits": VISITS,
    "attendance_by_month": STUDENT_MONTH,
    "attendance_by_day": STUDENT_DAY,
    "enrollment": ENROLLMENT,
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
    files = {f"{name}.csv": ",".join(column.name for column in sent(table)) + "\n" for name, table in TABLES.items()}
    schemas = {f"{name}.schema.json": schema(table) for name, table in TABLES.items()}
    return {**files, **schemas, "DICTIONARY.md": dictionary(supports)}


def sent(table: FileTable) -> tuple[FileColumn, ...]:
    """Return the columns that a vendor sends."""
    return tuple(column for column in table.columns if column.name not in SENT)


def schema(table: FileTable) -> str:
    """Return a table as a Frictionless Table Schema, which common validators read."""
    fields = [
        {
            "name": column.name,
            "type": KINDS[column.kind],
            "description": column.means,
            "constraints": _constraints(column),
        }
        for column in sent(table)
    ]
    key = [name for name in table.key if name in {column.name for column in sent(table)}]
    return json.dumps({"fields": fields, "primaryKey": key, "missingValues": [""]}, indent=2) + "\n"


def _constraints(column: FileColumn) -> dict[str, object]:
    found: dict[str, object] = {"required": True} if column.required else {}
    if column.allowed:
        found["enum"] = list(column.allowed)
    if column.kind == "number":
        found |= {"minimum": column.low, "maximum": column.high}
    return found


def dictionary(supports: Sequence[str] = SUPPORTS) -> str:
    """Return the dictionary of all templates as Markdown; its rows are INVENTED."""
    return "\n".join([HEAD.format(supports=", ".join(supports)), *(_section(*item) for item in TABLES.items())])


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
- **Send all again**, not only what changed, and say whether figures are final or year to date.
"""


def _section(name: str, table: FileTable) -> str:
    head = [
        f"## {name}.csv",
        "",
        f"One row: {table.grain.removeprefix('one row per ')}. Key: {', '.join(table.key)}.",
        "",
        "| column | kind | must be there | legal | example | meaning |",
        "|---|---|---|---|---|---|",
    ]
    rows = [
        f"| {c.name} | {c.kind} | {'yes' if c.required else 'no'} | {', '.join(c.allowed)} | {c.example} | {c.means} |"
        for c in sent(table)
    ]
    return "\n".join([*head, *rows, ""])
