"""The house keeps its own rules: imports one way, notebooks that are articles, documents that name what exists."""

import ast
import json
import re
import subprocess
import tomllib
from collections import Counter
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

from leapstudy.core import paths

ROOT = paths.root()
ROOMS = ["core", "data", "students", "did", "evidence", "study", "words", "figures", "site", "batch", "explore", "cli"]
# Directions that are still to be turned: none when the house is done.
BACKWARD = {("words", "figures")}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MODULES = sorted((ROOT / "leapstudy").rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(ROOT / "leapstudy").parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= set(names)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_those_before_it(path):
    here = _room(path)
    if here not in ROOMS:
        assert here in {"__init__", "__main__", "bootstrap"}
        return
    used = {name.split(".")[1] for name in _imports(path) if name.startswith("leapstudy.")}
    later = {room for room in used if ROOMS.index(room) > ROOMS.index(here) and (here, room) not in BACKWARD}
    assert not later, f"{here} imports {later}"


def test_a_constant_is_explained_by_a_comment_above_it():
    strings = []
    for path in MODULES:
        for first, later in pairwise(ast.parse(path.read_text(encoding="utf-8")).body):
            below = isinstance(later, ast.Expr) and isinstance(later.value, ast.Constant)
            strings += [f"{path.name}:{later.lineno}"] * (below and isinstance(first, ast.Assign | ast.AnnAssign))
    assert not strings, "a string below a constant is no docstring"


def test_modules_import_each_other_in_one_direction():
    """A cycle works for whoever happens to come in at the right door, and fails for the next."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in MODULES}
    graph = {}
    for name, path in names.items():
        top = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
        wanted = {f"{node.module}.{alias.name}" for node in top for alias in node.names} | {node.module for node in top}
        graph[name] = (wanted & set(names)) - {name}
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError


RUN = re.compile(r"leapstudy(?:\.\w+)+")
# They name modules that are run or loaded by name.
FILES_THAT_RUN = ("pyproject.toml", "Makefile", "CONTRIBUTING.md", "docs/exhibits.md", ".ci/run")
RUN_AS_A_FILE = "leapstudy.batch.kernels.template"


def _named(source: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= set(RUN.findall(node.value))
    return names


def test_every_module_is_reached_from_a_command_a_notebook_or_the_front_door():
    """What only tests reach is no part of the package: show it or delete it."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in MODULES}
    cells = ["".join(cell["source"]) for path in NOTEBOOKS for cell in _cells(path, "code")]
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in FILES_THAT_RUN if (ROOT / name).is_file()]
    todo = {"leapstudy.__init__", "leapstudy.__main__", "leapstudy.cli", "leapstudy.bootstrap"}
    todo |= {name for cell in cells for name in _named(cell)} | {name for text in texts for name in RUN.findall(text)}
    reached: set[str] = set()
    while todo:
        name = todo.pop()
        for module in {name, f"{name}.__init__"} & set(modules) - reached:
            reached.add(module)
            todo |= _named(modules[module].read_text(encoding="utf-8"))
    unreached = {name for name in set(modules) - reached if not name.endswith(("__init__", "__main__"))}
    assert unreached <= {RUN_AS_A_FILE}


def _defined(body: list[ast.stmt]) -> set[str]:
    """Names that nothing else calls by itself: no decorated function, no method of a class that has a base."""
    names = set()
    for node in body:
        if isinstance(node, ast.ClassDef):
            names |= {node.name} | (set() if node.bases else _defined(node.body))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list:
            names.add(node.name)
    return {name for name in names if not name.endswith("_")}


def test_every_function_is_used_by_more_than_tests():
    """A name that stands once in all of package and notebooks stands only where it is defined."""
    kinds = {".py", ".yml", ".j2", ".html", ".json"}
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "leapstudy").rglob("*") if path.suffix in kinds]
    texts += ["".join(cell["source"]) for path in NOTEBOOKS for cell in _cells(path, "code")]
    texts.append((ROOT / "pyproject.toml").read_text(encoding="utf-8"))  # entry points
    counts = Counter(word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text))
    bodies = [ast.parse(path.read_text(encoding="utf-8")).body for path in MODULES]
    defined = {name for body in bodies for name in _defined(body) | _constants(body)}
    assert not {name for name in defined if counts[name] < 2}


def _constants(body: list[ast.stmt]) -> set[str]:
    """The names that a module gives to values."""
    given = [node for node in body if isinstance(node, ast.Assign | ast.AnnAssign)]
    names = [name for node in given for name in ast.walk(node) if isinstance(name, ast.Name)]
    return {name.id for name in names if isinstance(name.ctx, ast.Store) and not name.id.endswith("_")}


def test_what_has_a_name_of_its_own_has_types_and_a_docstring():
    """Ruff asks it of what stands at the top of a module; this asks it of functions inside functions too."""
    missing, untyped = [], re.compile("no-untyped" + "-def")
    for path in MODULES:
        source = path.read_text(encoding="utf-8")
        named = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        # @wraps brings the docstring of what it wraps
        named = [node for node in named if "wraps(" not in "".join(map(ast.unparse, node.decorator_list))]
        missing += [(path.name, node.name) for node in named if node.name[0] != "_" and not ast.get_docstring(node)]
        missing += [(path.name, mark) for mark in untyped.findall(source)]
    assert missing == []


def test_formatting_is_the_formatters():
    """Ruff holds lines to 120 columns (E501), in tests and benchmarks too; nothing is kept out of its hands."""
    files = [path for path in _tracked() if path.suffix == ".py"]
    assert len(files) > len(MODULES)
    kept_out = re.compile("# fmt" + ":|noqa: " + "E501")
    assert not [path for path in files if kept_out.search(path.read_text(encoding="utf-8"))]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    ignored = {**settings["per-file-ignores"], "all": settings["ignore"]}
    assert {name for name, rules in ignored.items() if "E501" in rules} <= {"*.ipynb"}


# Lines of a function's body, its docstring aside.
LONGEST = 40


def test_no_function_is_longer_than_a_screen():
    long = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[min(len(node.body) - 1, ast.get_docstring(node) is not None)]
                if (node.end_lineno or 0) - first.lineno + 1 > LONGEST:
                    long.add((path.name, node.name))
    assert not long


def test_words_of_a_study_keep_their_capitals():
    """`str.capitalize` makes ``Ela proficiency`` of ``ELA proficiency``; `core.phrases.capital` does not."""
    assert [path.name for path in MODULES if ".capitalize()" in path.read_text(encoding="utf-8")] == []


def test_only_batch_knows_papermill():
    users = {_room(path) for path in MODULES if any(name.split(".")[0] == "papermill" for name in _imports(path))}
    assert users <= {"batch"}


@pytest.mark.parametrize("room", ["did", "evidence"])
def test_numbers_never_touch_the_disk(room):
    disk = re.compile(
        r"\bopen\(|read_csv|read_parquet|write_text|write_bytes|to_csv|to_parquet|core\.paths|core\.files"
    )
    users = [path.name for path in MODULES if _room(path) == room and disk.search(path.read_text(encoding="utf-8"))]
    # the privacy scanner reads finished pages: that is its work
    assert [name for name in users if not name.startswith("scan")] == []


def _cells(path: Path, kind: str) -> list[dict]:
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_an_article(path):
    code, prose = _cells(path, "code"), _cells(path, "markdown")
    sources = ["".join(cell["source"]) for cell in code]
    trees = [ast.parse(source) for source in sources]
    assert not [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in code) == 1
    assert sum(len(source.strip().splitlines()) for source in sources) <= 120
    title = "".join(prose[0]["source"]).splitlines()[0]
    assert title.startswith("# ") and title.rstrip().endswith("?")
    text = "\n".join("".join(cell["source"]) for cell in prose)
    for heading in ("**Question", "**Data", "**Sample", "**Method", "**Ask yourself"):
        assert heading in text, f"{path.name} lacks {heading}"
    assert "cannot" in "".join(prose[-1]["source"]).lower(), "an article ends with its limits"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_as_it_ran(path):
    code = _cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [out for cell in code for out in cell["outputs"] if out["output_type"] == "error"]
    assert any("nbval-check-output" in cell["metadata"].get("tags", []) for cell in code)


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_machine_path_or_a_package_index():
    machine = re.compile(
        "|".join(f"(?<![.\\w])/{top}/\\w" for top in ("tm" + "p", "wo" + "rk", "ro" + "ot", "ho" + "me"))
    )
    index = re.compile("|".join(("py" + r"pi\.org", "python" + "hosted", "npm" + r"js\.")))
    for path in _tracked():
        text = path.read_text(encoding="utf-8", errors="ignore")
        assert not machine.search(text), path
        assert not index.search(text), path


# built, or a reader's own: ignored by git
OWN = ("data/derived", "notebooks/mine")


def test_documents_name_only_what_exists():
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        name, text = path.name, path.read_text(encoding="utf-8")
        named = re.findall(r"`((?:notebooks|leapstudy|params|data|docs|tests|benchmarks)/[\w./-]*)`", text)
        missing = [item for item in named if not (ROOT / item).exists() and not item.startswith(OWN)]
        assert not missing, f"{name} names {missing}"


# Idioms of this house that no reader knows, British spellings, and a percent sign that stands off its number.
PRIVATE = re.compile(
    r"\b(holds?|holding) zero\b|\bleaves? (out zero|zero out)\b|\bzero is due\b|turn every screw|\bbent\b"
    r"|\bstray(s|ed)?\b|\bwon back\b|\btests? that leads?\b|\bleading tests?\b|\bstudentized by noise\b"
    r"|\bcould have seen\b|\bbeyond the recovery\b|\brows stay in the engine\b|\balso what is fresh\b"
    r"|\bspeaks (for|of)\b|\bpupils?\b|\bprogrammes?\b|\bbest guess\b|(?<=[0-9}]) %(?=[ .,;:)\"'])",
    re.IGNORECASE,
)
READ = ("leapstudy/", "notebooks/", "docs/", "README.md", "CONTRIBUTING.md")


def test_pages_and_code_use_the_words_of_the_field():
    files = [path.relative_to(ROOT).as_posix() for path in _tracked()]
    chosen = [name for name in files if name.startswith(READ)]
    texts = {
        name: (ROOT / name).read_text(encoding="utf-8", errors="ignore")
        for name in chosen
        if not name.endswith("es.yml")
    }
    found = {name: [hit.group(0) for hit in PRIVATE.finditer(text)] for name, text in texts.items()}
    assert not {name: hits for name, hits in found.items() if hits}
