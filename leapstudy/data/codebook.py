"""`data/CODEBOOK.md` from the declarations: ``python -m leapstudy.data.codebook`` writes it, a test holds it to them."""

from leapstudy.core import paths
from leapstudy.core.files import write_text_atomic
from leapstudy.data.tables import TABLES, Column, Table

HEAD = """# Codebook

Every published table of `data/raw/`, as declared in `leapstudy/data/tables.py`. Written by
`python -m leapstudy.data.codebook`; a test holds this page to the declarations.
"""


def codebook() -> str:
    """Return the whole codebook as Markdown."""
    return "\n".join([HEAD, *(_section(table) for table in TABLES)])


def _section(table: Table) -> str:
    rows = [_row(column) for column in table.columns]
    head = ["| column | in the file | kind | unit | meaning | allowed | blank means |", "|---|---|---|---|---|---|---|"]
    facts = f"`data/raw/{table.file}` · key: {', '.join(table.key)} · source: {table.source} · rights: {table.rights}"
    return "\n".join([f"## {table.title}", "", facts, "", *head, *rows, ""])


def _row(column: Column) -> str:
    allowed = ", ".join(column.allowed) or "any"
    return f"| `{column.name}` | `{column.source_name}` | {column.kind} | {column.unit} | {column.meaning} | {allowed} | {column.blank or 'not allowed'} |"


if __name__ == "__main__":
    write_text_atomic(paths.root() / "data" / "CODEBOOK.md", codebook())
