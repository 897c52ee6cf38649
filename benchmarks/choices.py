"""Every legal choice, alone and in pairs, through whole notebooks:
``python benchmarks/choices.py [ct ma md students]``.

Deals choices so that every pair of legal values of two parameters stands together at least once in a choice that can be
asked (a covering array, the same at every run of a seed), for Connecticut, for the two studies in `tests/states` and
for small SIMULATED states of students. Each choice is planned as `leapstudy run` plans it; its notebook runs cell by
cell, its pages are made, and all that is printed, shown, drawn or written is searched for what no sentence may hold.
Pairs that cannot be asked are refused in words before a notebook starts; they are counted, and their words searched,
too. Counts are appended to `benchmarks/results/choices.csv`, with a hash of the package that they were made by.
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
from pathlib import Path
from typing import Any

import IPython.display
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from choice_values import (
    ALONE,
    OWN,
    POOLED,
    PUBLIC,
    ROLLOUT,
    STUDENTS,
    change,
    legal_values,
    lone,
    of_this_study,
    workspace,
)
from covering import covering
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from results_table import RESULTS, append, machine

from leapstudy.batch.job import Run, read_cells
from leapstudy.batch.plan import declared_parameters, make_plan
from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.sources import package_hash
from leapstudy.core.table import table_html
from leapstudy.data import StudyData, load_study
from leapstudy.figures.exhibit import Exhibit
from leapstudy.site.build import appendix_html, plain_html, report_html
from leapstudy.study.result import load_result
from leapstudy.study.student_files import stored_state
from leapstudy.words.plain_page import plain_page
from leapstudy.words.reading import has_answer, read_result

TABLE = RESULTS / "choices.csv"
COLUMNS = (
    "date",
    "study",
    "pairs",
    "pairs_refused",
    "dealt",
    "choices",
    "made",
    "refused",
    "broke",
    "package",
    "cores",
    "load",
    "python",
    "versions",
    "seed",
)
STUDIES = ("ct", "ma", "md", "students")
UNRULED = ("weights", "seed")
# One choice of so many is drawn and printed; of the others the texts of each figure are read.
EVERY = 4
BROKEN = re.compile(
    r"(?<![\w.])(?:nan|NaN|None(?! of)|inf|NaT|undefined|<NA>)(?!\w)"
    r"|\{\w*\}|\{\{|[−-]0\.0+(?![\d])|np\.\w+\(|Traceback|object at 0x"
    r"|(?<=\S)  (?=\S)|\(\)|\( | \)| [.,;](?=\s|$)|(?<!\.)\.\.(?!\.)|;\.|: ?\.(?=\s|$)|,,"
    r"|(?<![\w.,−+-])1 (?:comparison |other |treated |single )*(?:districts|schools|students|specifications|placebos"
    r"|intervals|years|methods|choices|cases|estimates|studies|relabelings)\b|holds zero|is due"
)
EMPTY = re.compile(r"<(h[1-6]|title|caption|figcaption|summary|th)\b[^>]*>\s*</\1>")
HIDDEN = re.compile(r"<(script|style|pre|code)\b.*?</\1>|base64,[A-Za-z0-9+/=]+", re.DOTALL)


class Walk:
    """The choices of one study, and what became of each."""

    def __init__(self, study: str, folder: Path, seed: int, log: Path | None) -> None:
        self.study, self.folder, self.seed, self.log = study, folder, seed, log
        self.root, self.told = folder / study, Counter[str]()
        self.pairs, self.refusals = dict[str, int](), dict[str, dict[Any, str]]()
        self.rollout, self.known = folder / "rollout.yml", dict[tuple[Any, ...], str]()
        workspace(study, self.root)
        os.environ["LEAPSTUDY_ROOT"] = str(self.root)

    def jobs(self) -> list[dict[str, Any]]:
        """Return every choice with the notebook that it is for, in the order of the seed."""
        if self.study == "students":
            jobs = self._dealt("20", STUDENTS)
        else:
            data = load_study()
            slugs = of_this_study(data, self.root)
            shutil.copy(self.root / "params" / "rollout.yml", self.rollout)
            jobs = [job for slug in slugs for job in self._of_notebook(data, slug)]
        random.Random(self.seed).shuffle(jobs)
        return jobs

    def _of_notebook(self, data: StudyData, slug: str) -> list[dict[str, Any]]:
        legal = legal_values(data, slug, declared_parameters(notebook_file(slug)))
        asked = self._dealt(slug, legal, lambda row: self._refusal(data, {"notebook": slug, **row}))
        usual = {key: values[0] for key, values in legal.items()}
        alone = {**ALONE.get(slug, {}), **({"district": lone(data)} if "district" in legal else {})}
        return asked + [{"notebook": slug, **usual, key: value} for key, values in alone.items() for value in values]

    def _dealt(self, slug: str, legal: Mapping[str, list[Any]], *refusal: Any) -> list[dict[str, Any]]:
        dealt = covering(legal, self.seed, *refusal)
        self.pairs[slug], self.refusals[slug] = dealt.n_pairs, dealt.refused
        for words in sorted(set(dealt.refused.values())):
            self._note({"notebook": slug}, "refused", broken(html.escape(words)), [words], 0)
        return [{"notebook": slug, **row} for row in dealt.rows]

    def _refusal(self, data: StudyData, job: dict[str, Any]) -> str:
        """Return why a choice cannot be asked, empty if it can; no rule looks at weights and seed."""
        for slug in self._planned(job) if job["notebook"] != ROLLOUT else ():
            key = (
                slug,
                *((name, value) for name, value in job.items() if name not in ("notebook", "district", *UNRULED)),
            )
            if key not in self.known:
                self.known[key] = ""
                try:
                    self._run(data, job, slug, self.folder / "out")
                except BadInput as refusal:
                    self.known[key] = str(refusal)
            if self.known[key]:
                return self.known[key]
        return ""

    def _planned(self, job: dict[str, Any]) -> tuple[str, ...]:
        """Return what is planned for a choice: the run itself last; what it asks of a district before."""
        return (
            (job["district"],) if job["notebook"] == PUBLIC else (*filter(None, [job.get("district")]), job["notebook"])
        )

    def _run(self, data: StudyData, job: dict[str, Any], slug: str, out: Path) -> Run:
        """Return the run of a choice as a batch plans it."""
        inner = ("notebook", "district", *(key for key in job if "__" in key or job["notebook"] == ROLLOUT))
        asked = {key: value for key, value in job.items() if key not in inner and value != ""}
        return make_plan(data, [slug], "public", asked, out)[0]

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
        self._note(job, state, faults[:9], said, round(time.monotonic() - began, 1))
        plt.close("all")
        shutil.rmtree(out, ignore_errors=True)

    def _note(self, job: dict[str, Any], state: str, faults: list[str], said: list[str], seconds: float) -> None:
        record = {"study": self.study, **job, "state": state, "faults": faults, "said": said, "s": seconds}
        if self.log:
            with self.log.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(record) + "\n")
        if faults and state != "made":
            print(self.study, *job.values(), *faults, sep="\n    ", flush=True)

    def public(self, job: dict[str, Any], out: Path) -> tuple[list[str], list[str]]:
        """Plan and run one choice of the public track."""
        try:
            run = [self._run(load_study(), job, slug, out) for slug in self._planned(job)][-1]
        except BadInput as refusal:
            raise Refused(str(refusal)) from None
        extra = {"district": job["district"]} if "district" in job else {}
        every = self.told.total() % EVERY == 0
        if job["notebook"] not in (OWN, ROLLOUT):
            return executed(run.notebook, {**run.parameters, **extra}, out / run.slug, every=every)
        given = {key: value for key, value in job.items() if key in run.parameters}
        shutil.copy(self.rollout, self.root / "params" / "rollout.yml")
        change(self.root / "params" / "rollout.yml", {key: value for key, value in job.items() if key not in given})
        try:
            return executed(run.notebook, {**run.parameters, **given}, out / run.slug, every=every)
        except BadInput as refusal:  # what a rollout's file cannot answer is found where its past is counted
            raise Refused(str(refusal)) from None

    def students(self, job: dict[str, Any], out: Path) -> tuple[list[str], list[str]]:
        """Measure one SIMULATED state, and run the notebook of each district and of all."""
        own = {key: value for key, value in job.items() if "__" not in key and key not in ("notebook", "districts")}
        change(self.root / "params" / "students.yml", own)
        change(self.root / "params" / "simulation.yml", {**job, **own})
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


def notebook_file(slug: str) -> Path:
    """Return the notebook of a slug."""
    named = {PUBLIC: "10_district", POOLED: "30_all_districts"}
    return paths.notebooks() / f"{named.get(slug, slug.replace('-', '_'))}.ipynb"


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
    result = load_result(path)
    there = dict.fromkeys(("index.html", "es.html", "technical.html", "notebook.html"), True)
    context: dict[str, Any] = {"neighbors": [], "up": "../"}
    yield from (plain_html(result, lang, "2026-01-01", context, there) for lang in ("en", "es"))
    if has_answer(result):
        yield appendix_html(result, "2026-01-01", context, there)
        yield from [report_html(result, "2026-01-01")] if report else []


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
            print(study, len(jobs), "choices of", walk.pairs, flush=True)
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
                    "pairs": sum(walk.pairs.values()),
                    "pairs_refused": sum(map(len, walk.refusals.values())),
                    "package": package_hash()[:12],
                    "dealt": len(jobs),
                    "choices": walk.told.total(),
                    **counts,
                    "seed": asked.seed,
                }
            ],
        )


if __name__ == "__main__":
    main()
