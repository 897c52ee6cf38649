"""`data/CODEBOOK.md` from the declarations: ``python -m leapstudy.data.codebook`` writes it; a test compares."""

from leapstudy.core import paths
from leapstudy.core.files import write_text_atomic
from leapstudy.data.state import load_state
from leapstudy.data.tables import PublishedColumn, PublishedTable

HEAD = """# Codebook

Every published table of `data/raw/`, as declared in `params/state.yml`. Written by
`python -m leapstudy.data.codebook`; a test holds this page to the declarations.
"""


def codebook() -> str:
    """Return the whole codebook as Markdown."""
    return "\n".join([HEAD, *(_section(table) for table in load_state().tables.values())])


def _section(table: PublishedTable) -> str:
    rows = [_row(column) for column in table.columns]
    head = ["| column | in the file | kind | unit | meaning | allowed | blank means |", "|---|---|---|---|---|---|---|"]
    facts = f"`data/raw/{table.file}` · key: {', '.join(table.key)} · source: {table.source} · rights: {table.rights}"
    return "\n".join([f"## {table.title}", "", facts, "", *head, *rows, ""])


def _row(column: PublishedColumn) -> str:
    values = ", ".join(column.legal) or "any"
    blank = column.blank or ", ".join(column.suppressed) or "not allowed"
    return (
        f"| `{column.name}` | `{column.source_name}` | {column.kind} | {column.unit} | {column.means} | {values} "
        f"| {blank} |"
    )


if __name__ == "__main__":
    write_text_atomic(paths.root() / "data" / "CODEBOOK.md", codebook())
