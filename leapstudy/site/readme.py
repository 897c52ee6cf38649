"""The README from what is there, so that it cannot lie: ``python -m leapstudy.site.readme`` writes it."""

import ast
import re
from pathlib import Path

import nbformat
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from leapstudy.core import paths
from leapstudy.core.files import write_bytes_atomic, write_text_atomic
from leapstudy.data.raw import as_text
from leapstudy.data.state import load_state
from leapstudy.figures.exhibit import Exhibit
from leapstudy.figures.plain import answer_chart
from leapstudy.study.public import Study, study_all
from leapstudy.words import findings as sentences
from leapstudy.words import over_years

TIMES = {"study": "about two minutes", "test": "about ten minutes"}
TREE = (
    ("notebooks/", "articles: a question, one exhibit, one sentence; parameterized"),
    ("params/study.yml", "every parameter with unit and reason; districts/: what differs"),
    ("params/students.yml", "the student track: where the files are, how students are compared"),
    ("params/plan.yml", "the analysis plan, frozen by hash; reports list deviations"),
    ("params/rollout.yml", "before a program: who is eligible, phases, budget, scenarios"),
    ("params/comparison.json", "comparison groups ranked before any outcome was shown"),
    ("params/simulation.yml", "the SIMULATED state: sizes, rule, effects, dirt"),
    ("data/raw/", "figures as published, read-only, with checksums and sources"),
    ("leapstudy/core/", "names, errors, paths, the record of one estimate"),
    ("leapstudy/data/", "declarations, validation, cleaning, ledger"),
    ("leapstudy/students/", "student files: contract, check, simulated state"),
    ("leapstudy/students/moments/", "rows to sums in one pass, on DuckDB or Spark"),
    ("leapstudy/did/", "designs, estimates: pure functions"),
    ("leapstudy/did/inference/", "one treated district: every test side by side"),
    ("leapstudy/did/pooling/", "all districts: partial pooling, many tests at once"),
    ("leapstudy/did/sensitivity/", "specifications, placebos, bounds"),
    ("leapstudy/did/staggered/", "visits at different times: ATT(g,t) and its peers"),
    ("leapstudy/evidence/", "power, cost, grade, plan, privacy"),
    ("leapstudy/study/", "one question in, everything known about it out; the result file"),
    ("leapstudy/figures/", "exhibits: a picture, its finding, its table"),
    ("leapstudy/words/", "findings, the plain page, the appendix, in words"),
    ("leapstudy/site/", "pages, site, documents"),
    ("leapstudy/explore/", "controls for a notebook"),
    ("leapstudy/batch/", "parameters, parallel runs, what is stale and why"),
    ("leapstudy/batch/kernels/", "kernels that start warm, for papermill, nbval, JupyterLab"),
    ("benchmarks/", "pairs with the peers, simulations of coverage; results kept"),
    ("tests/", "by hand, slow twins, published figures, properties, end to end"),
    ("docs/", "running on a cluster or at a URL"),
    ("environment.yml", "the same versions for conda and Binder, written by make lock"),
    ("requirements.lock", "every version with its hash, Python 3.11 to 3.14"),
)
KEPT = (
    ("size_power.csv", "size_power.py", "size and power of each test of one treated district (SIMULATED)"),
    ("pooling_coverage.csv", "pooling_coverage.py", "coverage of pooled intervals (SIMULATED)"),
    ("montecarlo.csv", "montecarlo.py", "bias and coverage of each student design by referral rule (SIMULATED)"),
    (
        "students_moments.csv",
        "students_moments.py",
        "time and memory from file to estimates, beside the peers (SIMULATED)",
    ),
    (
        "student_gates.csv",
        "student_gates.py",
        "false claims of a rise by how students were picked, true effect zero (SIMULATED)",
    ),
    ("student_lottery.csv", "student_lottery.py", "size, bias and coverage of the analysis of a draw (SIMULATED)"),
    ("student_checks.csv", "student_checks.py", "bias and coverage of adjusted checks and other outcomes (SIMULATED)"),
    ("placebo_programs.csv", "placebo_programs.py", "size of the pooled test in each study's own figures"),
    ("batch.csv", "batch.py", "time of a batch beside papermill alone, and of a rerun"),
    ("explorer.csv", "explorer.py", "time from a choice in the explorer to its pictures"),
)
FIGURE_CALL = re.compile(r"^(?:study\.\w+ and )?(\w+)\.(\w+)\(", re.MULTILINE)
FIGURES = "from leapstudy.figures import"
IMPORTED = re.compile(r"(?<=[ ,])(\w+)(?: as (\w+))?(?=,|$)", re.MULTILINE)
"""Modules of figures as a notebook's imports call them."""
DIRECT = re.compile(r"from leapstudy\.figures\.(\w+) import (\w+)(?: as (\w+))?")
DIRECT_CALL = re.compile(r"^(\w+)\(", re.MULTILINE)
MODULES = {path.stem for path in (Path(__file__).parents[1] / "figures").glob("*.py")}


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
        times=TIMES,
    )


def commands() -> str:
    """Return the text of `docs/commands.md`: every command by its example, and what lies where."""
    return _template("commands.md.j2").render(commands=_commands(), tree=_tree())


def exhibits() -> str:
    """Return the text of `docs/exhibits.md`: every exhibit, source and kept simulation."""
    kept = (f"| `benchmarks/results/{result}` | `benchmarks/{script}` | {what} |" for result, script, what in KEPT)
    return _template("exhibits.md.j2").render(exhibits=_exhibits(), sources=_sources(), kept="\n".join(kept))


def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("leapstudy.site"),
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


def _tree() -> str:
    width = max(len(name) for name, _ in TREE) + 2
    return "\n".join(f"{name:<{width}}{note}" for name, note in TREE)


def _exhibits() -> str:
    rows = []
    for path in sorted(paths.notebooks().glob("*.ipynb")):
        heading = ""
        known: dict[str, str] = {}
        direct: dict[str, tuple[str, str]] = {}
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                heading = next(
                    (line.lstrip("# ") for line in cell.source.splitlines() if line.startswith(("# ", "## "))), heading
                )
                continue
            lines = "\n".join(line for line in cell.source.splitlines() if line.startswith(FIGURES))
            names = {alias or module: module for module, alias in IMPORTED.findall(lines) if module in MODULES}
            known |= names
            calls = [(known[module], name) for module, name in FIGURE_CALL.findall(cell.source) if module in known]
            direct |= {alias or name: (module, name) for module, name, alias in DIRECT.findall(cell.source)}
            calls += [direct[name] for name in DIRECT_CALL.findall(cell.source) if name in direct]
            rows += [f"| {heading} | `notebooks/{path.name}` | `{module}.{name}` |" for module, name in calls]
    return "\n".join(rows)


def _sources() -> str:
    rows = []
    for table in load_state().tables.values():
        n = len(as_text((paths.raw() / table.file).read_bytes()))
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
