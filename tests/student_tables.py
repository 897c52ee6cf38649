"""What follows from the declaration of the student tables: their part of the documents, rows that mean nothing, and
the counts of a check.
"""

import numpy as np
import pandas as pd

from leapstudy.students.check import CheckReport
from leapstudy.students.contract import FileColumn, FileTable


def counts_of(report: CheckReport) -> pd.DataFrame:
    """Return one row per rule and district with failures: role, rule, severity, district_code, rows; exact."""
    names = ["role", "rule", "severity", "district_code", "rows"]
    return pd.DataFrame([[getattr(found, name) for name in names] for found in report.findings], columns=names)


def _legal(column: FileColumn) -> str:
    if column.allowed:
        return ", ".join(column.allowed)
    if column.kind == "number":
        return f"{column.low:g} to {column.high:g}"
    return ""


def codebook_section(table: FileTable) -> str:
    """Return the table's part of `docs/student-files.md` as Markdown."""
    head = [
        f"### {table.name}",
        "",
        f"Grain: {table.grain}. Key: {', '.join(table.key)}.",
        "",
        "| column | kind | unit | required | legal | width | meaning |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = [
        (
            f"| {c.name} | {c.kind} | {c.unit} | {'yes' if c.required else 'no'} | {_legal(c)} | {c.width or ''} | "
            f"{c.means} |"
        )
        for c in table.columns
    ]
    return "\n".join([*head, *rows, ""])


def _fake_column(column: FileColumn, rows: int, rng: np.random.Generator) -> np.ndarray:
    if column.allowed:
        return rng.choice(column.allowed, rows)
    if column.kind in ("month", "date"):
        start = np.datetime64("2020-09" if column.kind == "month" else "2020-09-01")
        return (start + rng.integers(0, 12, rows)).astype("datetime64[s]")
    if column.kind == "flag":
        return rng.random(rows) < 0.5
    if column.kind == "number":
        return rng.integers(int(column.low), int(column.high) + 1, rows).astype(float)
    return np.array([f"{number:07d}" for number in rng.integers(1, 10**7, rows)])


def fake(table: FileTable, rows: int = 20, seed: int = 0) -> pd.DataFrame:
    """Return rows that are legal by kind and range, for tests; they mean nothing."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({column.name: _fake_column(column, rows, rng) for column in table.columns})
