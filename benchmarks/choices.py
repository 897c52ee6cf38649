"""Every legal choice, alone and in pairs, through whole notebooks:
``python benchmarks/choices.py [ct ma md students]``.

Deals choices so that every pair of legal values of two parameters stands together at least once (a covering array, the
same at every run of a seed), for Connecticut, for the two studies in `tests/states` and for small SIMULATED states of
students. Each choice is planned as `leapstudy run` plans it; its notebook runs cell by cell, its pages are made, and
all that is printed, shown, drawn or written is searched for what no sentence may hold. A choice is made, refused in
words before a notebook starts, or broke. Counts are appended to `benchmarks/results/choices.csv`.
"""

import argparse
import ast
import contextlib
import html
import io
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations, product
from pathlib import Path
from typing import Any, get_args

import IPython.display
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import yaml
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from results_table import RESULTS, append, machine

from leapstudy.batch.job import read_cells
from leapstudy.batch.plan import declared_parameters, make_plan
from leapstudy.core import names, paths
from leapstudy.core.errors import BadInput
from leapstudy.core.table import table_html
from leapstudy.data import StudyData, load_study, treated_districts
from leapstudy.did.comparison import comparison_codes
from leapstudy.figures.exhibit import Exhibit
from leapstudy.site.pages import appendix_html, plain_html, report_html
from leapstudy.students.simulate.config import EffectPath, Pick, ReferralRule
from leapstudy.study.result import load_result
from leapstudy.study.student_files import stored_state
from leapstudy.words.plain_page import plain_page
from leapstudy.words.reading import has_answer, read_result

TABLE = RESULTS / "choices.csv"
COLUMNS = (
    "date",
    "study",
    "pairs",
    "choices",
    "made",
    "refused",
    "broke",
    "cores",
    "load",
    "python",
    "versions",
    "seed",
)
STUDIES = ("ct", "ma", "md", "students")
NOTEBOOKS = ("00-start-here", "02-the-data", "10", "all-districts", "40-explore")
MANY = 8
"""Codes in the longest comparison group chosen by hand."""
EVERY = 4
"""One choice of so many is drawn and printed; of the others the texts of each figure are read."""
STUDENTS = {
    "min_comparison": [1, 6, 200],
    "early": [[6, 4], [1, 1], [12, 1]],
    "months_after": [1, 9, 24],
    "seed": [0, 20261124],
    "visits__rule": [*get_args(ReferralRule)],
    "visits__pick": [*get_args(Pick)],
    "effect__path": [*get_args(EffectPath)],
    "visits__completed": [0.3, 1.0],
    "visits__share": [0.02, 0.4],
    "visits__first": ["2021-07", "2022-05"],
    "absence__month_sd": [0.0, 0.6],
    "attrition__monthly": [0.0, 0.05],
    "districts": [{"0640011": 500, "1630011": 60}, {"0640011": 150}, {"0640011": 20, "0770011": 400, "1630011": 300}],
}
"""Values of the student track: its own parameters, and what the SIMULATED state (`part__key`) is made by."""
BROKEN = re.compile(
    r"(?<![\w.])(?:nan|NaN|None(?! of)|inf|NaT|undefined|<NA>)(?!\w)"
    r"|\{\w*\}|\{\{|[−-]0\.0+(?![\d])|np\.\w+\(|Traceback|object at 0x"
    r"|(?<=\S)  (?=\S)|\(\)|\( | \)| [.,;](?=\s|$)|(?<!\.)\.\.(?!\.)|;\.|: ?\.(?=\s|$)|,,"
    r"|(?<![\w.,−+-])1 (?:comparison |other |treated |single )*(?:districts|schools|students|specifications|placebos"
    r"|intervals|years|methods|choices|cases|estimates|studies|relabelings)\b|holds zero|is due"
)
EMPTY = re.compile(r"<(h[1-6]|title|caption|figcaption|summary|th)\b[^>]*>\s*</\1>")
HIDDEN = re.compile(r"<(script|style|pre|code)\b.*?</\1>|base64,[A-Za-z0-9+/=]+", re.DOTALL)


def covering(legal: Mapping[str, list[Any]], seed: int) -> list[dict[str, Any]]:
    """Return choices in which every pair of legal values of two parameters stands at least once, by greedy search."""
    chance, places = random.Random(seed), {key: range(len(values)) for key, values in legal.items()}
    left = {(a, x, b, y) for a, b in combinations(legal, 2) for x, y in product(places[a], places[b])}
    rows = []
    while left:
        a, x, b, y = chance.choice(sorted(left))
        row = {a: x, b: y}
        for key in (key for key in legal if key not in row):
            values = chance.sample(places[key], len(places[key]))
            row[key] = max(values, key=lambda value: _new(left, row, key, value))
        left -= {(a, row[a], b, row[b]) for a, b in combinations(legal, 2)}
        rows.append({key: legal[key][row[key]] for key in legal})
    return rows


def _new(left: set[tuple[Any, ...]], row: Mapping[str, int], key: str, value: int) -> int:
    return sum(((one, at, key, value) in left) + ((key, value, one, at) in left) for one, at in row.items())


def legal_values(data: StudyData, declared: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the legal values of the parameters that a notebook of the public track declares."""
    state, codes = data.state, comparison_codes(data, data.state.usual("groups"))
    by_hand = [",".join(codes[:2]), ",".join(codes[3:6]), ",".join(codes[:MANY])]
    values = {
        "district": [item.slug for item in treated_districts(data.districts)],
        "comparison": ["", *state.groups, *by_hand],
        "contrast": ["", *state.contrasts],
        "edition": ["", *state.editions],
        "outcome": ["", *state.outcomes],
        "weights": [*get_args(names.Weights)],
        "scale": [*get_args(names.Scale)],
        "prior": [*get_args(names.PriorName)],
        "seed": [0, 20261124],
    }
    return {name: values[name] for name in declared if name in values}


class Walk:
    """The choices of one study, and what became of each."""

    def __init__(self, study: str, folder: Path, seed: int, log: Path | None) -> None:
        self.study, self.folder, self.seed, self.log = study, folder, seed, log
        self.root, self.told, self.pairs = folder / study, Counter[str](), 0
        workspace(study, self.root)
        os.environ["LEAPSTUDY_ROOT"] = str(self.root)

    def jobs(self) -> list[dict[str, Any]]:
        """Return every choice with the notebook that it is for, in the order of the seed."""
        if self.study == "students":
            jobs = [{"notebook": "20", **row} for row in covering(STUDENTS, self.seed)]
        else:
            data, jobs = load_study(), []
            for slug in NOTEBOOKS:
                legal = legal_values(data, declared_parameters(next(paths.notebooks().glob(_file(slug)))))
                jobs += [{"notebook": slug, **row} for row in covering(legal, self.seed)]
        random.Random(self.seed).shuffle(jobs)
        return jobs

    def take(self, job: dict[str, Any]) -> None:
        """Make one choice, and say what became of it."""
        out, began = self.folder / "out", time.monotonic()
        said: list[str] = []
        try:
            faults, said = self.students(job, out) if self.study == "students" else self.public(job, out)
            state = "broke" if faults else "made"
        except Refused as refusal:
            faults, state = [str(refusal)], "refused" if len(str(refusal)) > 30 else "broke"
        except Exception as error:
            faults, state = [_where(error)], "broke"
        self.told[state] += 1
        record = {
            "study": self.study,
            **job,
            "state": state,
            "faults": faults[:9],
            "said": said,
            "s": round(time.monotonic() - began, 1),
        }
        if self.log:
            with self.log.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(record) + "\n")
        if state == "broke":
            print(*job.values(), *faults[:9], sep="\n    ", flush=True)
        plt.close("all")
        shutil.rmtree(out, ignore_errors=True)

    def public(self, job: dict[str, Any], out: Path) -> tuple[list[str], list[str]]:
        """Plan and run one choice of the public track."""
        asked = {key: value for key, value in job.items() if key not in ("notebook", "district") and value != ""}
        slug = job["notebook"] if job["notebook"] != "10" else job["district"]
        try:
            for name in (job.get("district", slug), slug):
                run = make_plan(load_study(), [name], "public", asked, out)[0]
        except BadInput as refusal:
            raise Refused(str(refusal)) from None
        extra = {"district": job["district"]} if "district" in job else {}
        every = self.told.total() % EVERY == 0
        return executed(run.notebook, {**run.parameters, **extra}, out / slug, every=every)

    def students(self, job: dict[str, Any], out: Path) -> tuple[list[str], list[str]]:
        """Measure one SIMULATED state, and run the notebook of each district and of all."""
        own = {key: value for key, value in job.items() if "__" not in key and key not in ("notebook", "districts")}
        _change(self.root / "params" / "students.yml", own)
        _change(self.root / "params" / "simulation.yml", {**job, **own})
        try:
            stored = stored_state()
        except BadInput as refusal:
            raise Refused(str(refusal)) from None
        slugs = [item["slug"] for item in stored]
        notebook = paths.notebooks() / "20_students.ipynb"
        parts = [executed(notebook, {"district": slug}, out / slug, every=True) for slug in slugs]
        return [fault for faults, _ in parts for fault in faults], [line for _, said in parts for line in said]


def _where(error: Exception) -> str:
    """Return the error with the lines of this package that led to it."""
    frames = [item for item in traceback.extract_tb(error.__traceback__) if "site-packages" not in item.filename]
    return f"{error!r} at " + " < ".join(f"{Path(item.filename).name}:{item.lineno}" for item in frames[:1:-1])


class Refused(Exception):
    """A choice that was refused in words before a notebook started."""


def workspace(study: str, root: Path) -> None:
    """Make a study a workspace of its own, so that no choice touches this one."""
    own = Path(__file__).resolve().parents[1]
    there = own / "tests" / "states" / study
    home = there if there.is_dir() else own
    for name in ("data", "params"):
        shutil.copytree(home / name, root / name)
    shutil.copytree(own / "notebooks", root / "notebooks")
    for name in ("students.yml", "simulation.yml"):
        shutil.copy(own / "params" / name, root / "params")


def _file(slug: str) -> str:
    return {"10": "10_district.ipynb", "all-districts": "30_all_districts.ipynb"}.get(
        slug, slug.replace("-", "_") + ".ipynb"
    )


def _change(file: Path, given: Mapping[str, Any]) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    for key, value in given.items():
        *parts, last = key.split("__")
        target = content
        for part in parts:
            target = target[part]
        if last in target:
            target[last] = value
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


def executed(notebook: Path, given: Mapping[str, Any], folder: Path, *, every: bool) -> tuple[list[str], list[str]]:
    """Run a notebook and make its pages; return what is broken in them, and what was printed and said.

    With `every` all figures are drawn at both widths, and the printed report is made, too.
    """
    folder.mkdir(parents=True)
    path = folder / "result.json"
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        texts = list(_cells(notebook, {**given, "result_path": str(path)}, phone=every))
    lines = shown.getvalue().splitlines()
    texts += [*map(html.escape, lines), *_pages(path, report=every)]
    said = plain_page(read_result(load_result(path))).text if path.is_file() and has_answer(load_result(path)) else ""
    return [fault for text in texts for fault in broken(text)], [*lines, said]


def _cells(notebook: Path, given: Mapping[str, Any], *, phone: bool) -> Iterator[str]:
    """Run a notebook cell by cell, and return what each shows, as HTML; with `phone` drawn for both widths."""
    space: dict[str, Any] = {"__name__": "__main__"}
    show, shown = DisplayFormatter(), list[Any]()
    IPython.display.display = lambda *values, **_: shown.extend(values)
    for cell in (cell for cell in read_cells(notebook) if cell.kind == "code"):
        tree = ast.parse(cell.source)
        quiet = cell.source.rstrip().endswith(";") or not isinstance(tree.body[-1], ast.Expr)
        last = None if quiet else ast.Expression(tree.body.pop().value)
        exec(compile(tree, notebook.name, "exec"), space)
        if "parameters" in cell.tags:
            space |= given
        value = None if last is None else eval(compile(last, notebook.name, "eval"), space)
        for number in plt.get_fignums():
            figure = plt.figure(number)
            figure.savefig(io.BytesIO(), format="png", dpi=20)
            yield from _texts(figure)
        plt.close("all")
        for one in [value, *shown]:
            yield from _html(one, show, phone=phone)
        shown.clear()


def _texts(figure: Figure) -> list[str]:
    return [html.escape(text.get_text()) for text in figure.findobj(matplotlib.text.Text)]


def _html(value: Any, show: DisplayFormatter, *, phone: bool) -> Iterator[str]:
    """Return what a value shows in a notebook, as HTML."""
    if isinstance(value, Exhibit):
        yield value.drawings() if phone else "<br>".join(_texts(value.figure))
        table = table_html(value.data, value.title)
        yield value.notes(value.caption.text(), "Table", table) + html.escape(value.alt)
    elif isinstance(value, str):
        yield html.escape(value)
    elif value is not None:
        yield show.format(value)[0].get("text/html", "")


def _pages(path: Path, *, report: bool) -> Iterator[str]:
    """Make all pages of a result."""
    if not path.is_file():
        return
    result, folder = load_result(path), path.parent
    there = dict.fromkeys(("index.html", "es.html", "technical.html", "notebook.html"), True)
    context: dict[str, Any] = {"neighbors": [], "up": "../"}
    yield from (plain_html(result, lang, folder, "2026-01-01", context, there) for lang in ("en", "es"))
    if has_answer(result):
        yield appendix_html(result, "2026-01-01", context, there)
        yield from [report_html(result, folder, "2026-01-01")] if report else []


def broken(page: str) -> list[str]:
    """Return what no reader should see of a text in HTML, with what stands around it."""
    faults = [match.group(0) for match in EMPTY.finditer(page) if 'class="dataframe"' not in page]
    for node in re.split(r"<[^>]+>", HIDDEN.sub("hidden", page)):
        text = html.unescape(node).strip()
        faults += [
            f"{match.group(0)!r}: {text[max(0, match.start() - 90) : match.end() + 60]}"
            for match in BROKEN.finditer(text)
        ]
    return faults


def main() -> None:
    """Deal, run, count, and keep the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="*", default=STUDIES)
    parser.add_argument("--most", type=int, default=sys.maxsize, help="choices a study")
    parser.add_argument("--skip", type=int, default=0, help="choices that were made before")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, help="a JSON line a choice")
    asked = parser.parse_args()
    warnings.simplefilter("error")
    for kind in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
        warnings.simplefilter("ignore", kind)
    for study in asked.studies:
        with tempfile.TemporaryDirectory(prefix="choices-") as folder:
            walk = Walk(study, Path(folder), asked.seed, asked.log)
            jobs = walk.jobs()
            print(study, len(jobs), "choices", flush=True)
            for job in jobs[asked.skip :][: asked.most]:
                walk.take(job)
        counts = {state: walk.told[state] for state in ("made", "refused", "broke")}
        print(study, counts, flush=True)
        append(
            TABLE,
            COLUMNS,
            [
                {
                    **machine(),
                    "study": study,
                    "pairs": len(jobs),
                    "choices": walk.told.total(),
                    **counts,
                    "seed": asked.seed,
                }
            ],
        )


if __name__ == "__main__":
    main()
