"""The README from what is there, so that it cannot lie: ``python -m leapstudy.site.readme`` writes it."""

import ast

import nbformat
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined, Template

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
    """Return every command of the command line by its example and its docstring, read from the source."""
    folder = paths.root() / "leapstudy" / "cli"
    nodes = [node for path in sorted(folder.glob("*.py")) for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    words = {node.name: ast.get_docstring(node) or "" for node in functions}
    texts = {ast.unparse(node.targets[0]): node.value for node in nodes if isinstance(node, ast.Assign)}
    used = [(call, node.name) for node in functions for call in node.decorator_list]
    calls = [node for node in nodes if isinstance(node, ast.Call) and node.args]
    used += [(call.func, ast.unparse(call.args[0]).split(".")[-1]) for call in calls]
    found = [(_example(call, texts), name) for call, name in used]
    lines = [f"- `{example}`: {' '.join(words[name].split())}" for example, name in found if example]
    return "\n".join(dict.fromkeys(lines))


def _example(call: ast.expr, texts: dict[str, ast.expr]) -> str:
    """Return the example that a call such as ``app.command(epilog="Example: ...")`` gives; empty for any other."""
    given = [item.value for item in getattr(call, "keywords", ()) if item.arg == "epilog"]
    value = texts.get(ast.unparse(given[0]).split(".")[-1], given[0]) if given else None
    text = value.value if isinstance(value, ast.Constant) else ""
    return str(text).removeprefix("Example: ") if str(text).startswith("Example: leapstudy") else ""


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
            shown = [line.value for line in lines if isinstance(line, ast.Expr)]
            shown = [value.values[-1] if isinstance(value, ast.BoolOp) else value for value in shown]
            calls = [ast.unparse(value.func).split(".") for value in shown if isinstance(value, ast.Call)]
            names = [".".join([figures[first], *rest]) for first, *rest in calls if first in figures]
            rows += [f"| {heading} | `notebooks/{path.name}` | `{name}` |" for name in names]
    return "\n".join(rows)


def _imported_figures(lines: list[ast.stmt]) -> dict[str, str]:
    """Return name in the notebook -> module, or module and function, of what it imports from the room of figures."""
    imports = [line for line in lines if isinstance(line, ast.ImportFrom) and line.module]
    named = [(f"{node.module}.{alias.name}", alias.asname or alias.name) for node in imports for alias in node.names]
    room = "leapstudy.figures."
    return {name: target.removeprefix(room) for target, name in named if target.startswith(room)}


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
