"""The README from what is there, so that it cannot lie: ``python -m leapstudy.cli.readme`` writes it."""

import ast

import nbformat
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined, Template
from typer.main import get_command

from leapstudy.cli import app
from leapstudy.core import paths
from leapstudy.core.files import write_bytes_atomic, write_text_atomic
from leapstudy.data.raw import as_text
from leapstudy.data.state import load_state
from leapstudy.figures.exhibit import Exhibit
from leapstudy.figures.plain import answer_chart
from leapstudy.study.public import Study, study_all
from leapstudy.words import findings as sentences
from leapstudy.words import over_years


def readme(study: Study, picture: Exhibit) -> str:
    """Return the README's text.

    Parameters
    ----------
    study
        The pooled study.
    picture
        The figure that stands at its top.
    """
    return _template("README.md.j2").render(
        answer=sentences.answer(study),
        reach=". ".join(str(sentences.could_we_see_it(study)).split(". ")[:2]) + ".",
        years="" if study.years is None else over_years.in_short(study.years),
        alt=picture.alt,
        caption=picture.caption.text(),
    )


def commands() -> str:
    """Return the text of `docs/commands.md`: every command by its example, and what lies where."""
    return _template("commands.md.j2").render(commands=_commands())


def exhibits() -> str:
    """Return the text of `docs/exhibits.md`: every exhibit, source and kept simulation."""
    return _template("exhibits.md.j2").render(exhibits=_exhibits(), sources=_sources())


def _template(name: str) -> Template:
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(paths.root() / "docs"), PackageLoader("leapstudy.site")]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(name)


def _commands() -> str:
    """Return every command by its example and what it does, in the order of `leapstudy --help`."""
    panels: dict[str, list[str]] = {}
    for command in get_command(app).commands.values():  # type: ignore[attr-defined]
        for one in getattr(command, "commands", {"": command}).values():
            example, sentence = one.epilog.removeprefix("Example: "), " ".join(one.help.split())
            panels.setdefault(command.rich_help_panel, []).append(f"- `{example}`: {sentence}")
    return "\n\n".join(f"**{panel}**\n\n" + "\n".join(lines) for panel, lines in panels.items())


def _exhibits() -> str:
    rows = []
    for path in sorted(paths.notebooks().glob("*.ipynb")):
        heading = ""
        figures: dict[str, str] = {}
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                titles = [line.lstrip("# ") for line in cell.source.splitlines() if line.startswith(("# ", "## "))]
                heading = titles[0] if titles else heading
                continue
            lines = ast.parse(cell.source).body
            figures |= _imported_figures(lines)
            values = [line.value for line in lines if isinstance(line, ast.Expr)]
            values = [value.values[-1] if isinstance(value, ast.BoolOp) else value for value in values]
            calls = [ast.unparse(value.func).split(".") for value in values if isinstance(value, ast.Call)]
            names = [".".join([figures[first], *rest]) for first, *rest in calls if first in figures]
            rows += [f"| {heading} | `notebooks/{path.name}` | `{name}` |" for name in names]
    return "\n".join(rows)


def _imported_figures(lines: list[ast.stmt]) -> dict[str, str]:
    """Return name in the notebook -> module, or module and function, of what it imports from the room of figures."""
    imports = [line for line in lines if isinstance(line, ast.ImportFrom) and line.module]
    aliases = [(f"{node.module}.{alias.name}", alias.asname or alias.name) for node in imports for alias in node.names]
    room = "leapstudy.figures."
    return {name: target.removeprefix(room) for target, name in aliases if target.startswith(room)}


def _sources() -> str:
    rows = []
    for table in load_state().tables.values():
        n = len(as_text((paths.raw() / table.file).read_bytes(), table.file))
        rows.append(f"| {table.title} (`data/raw/{table.folder}/`): {table.source} | {n:,} | {table.rights} | yes |")
    rows.append("| Facts of the program (`data/raw/leap_facts/`), each row with its source | | facts, cited | yes |")
    rows.append("| Student files of a state or district | | confidential | no |")
    return "\n".join(rows)


def main() -> None:
    """Write README.md and its figure."""
    study = study_all(robust=False)
    picture = answer_chart(study)
    write_bytes_atomic(paths.root() / "docs" / "answer.png", picture.png)
    write_text_atomic(paths.root() / "README.md", readme(study, picture))
    write_text_atomic(paths.root() / "docs" / "exhibits.md", exhibits())
    write_text_atomic(paths.root() / "docs" / "commands.md", commands())


if __name__ == "__main__":
    main()
