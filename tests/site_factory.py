"""A small site with every kind of page, made without a kernel: for the tests of pages and browser."""

import base64
from io import BytesIO
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from leapstudy.core import paths
from leapstudy.core.names import FOR_PAGES
from leapstudy.figures import ladder, power, rebound, students_before, students_effects
from leapstudy.figures.plain import answer_chart
from leapstudy.site.build import build_site

DAY = "2026-11-24"


def exhibits(study):
    return [
        answer_chart(study),
        power.ruler(study),
        rebound.rebound(study),
        ladder.ladder(study.answer),
    ]


def student_exhibits(study):
    return [
        students_before.picked(study),
        students_before.raw_paths(study),
        students_effects.event_study(study),
        students_effects.designs(study),
    ]


# By the identity of a study: the study, so that no other takes its place, and what its exhibits show.
DRAWN: dict[int, tuple[object, list[tuple[str, str, dict, dict]]]] = {}


def drawn(study, draw):
    """Return title, text, data and metadata of each exhibit; of one study they are drawn once a session."""
    if id(study) not in DRAWN:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(FOR_PAGES, "1")
            shown = [(exhibit.title, exhibit.alt, *exhibit._repr_mimebundle_()) for exhibit in draw(study)]
        DRAWN[id(study)] = study, shown
    return DRAWN[id(study)][1]


def student_run(out: Path, study) -> dict[str, object]:
    """Write result and notebook of a student study, and return its run."""
    slug = f"students-{study.slug}"
    (out / slug).mkdir(parents=True)
    study.save(str(out / slug / "result.json"))
    notebook = notebook_of(
        study.name, drawn(study, student_exhibits), study.answer.parts, out / slug / "notebook.ipynb"
    )
    title = f"{study.name} School District, student track"
    return {"slug": slug, "title": title, "status": "done", "notebook": notebook, "error": None}


def executed_notebook(study, path: Path) -> Path:
    """Write the notebook of a study of districts."""
    return notebook_of(study.district.name, drawn(study, exhibits), study.answer.editions, path)


def notebook_of(name: str, shown_in_it, table, path: Path) -> Path:
    """Write a notebook as papermill would leave it: prose, code, exhibits, printed text, a plain frame."""
    cells = [new_markdown_cell(f"# Did it work in {name}?\n\n[claims](01_the_claims.ipynb), [gone](99_gone.ipynb)")]
    for count, (title, alt, data, metadata) in enumerate(shown_in_it, start=1):
        shown = new_output("execute_result", data=data, metadata=metadata, execution_count=count)
        said = new_output("stream", text=alt + "\n")
        cells += [
            new_markdown_cell(f"### {title}?"),
            new_code_cell("exhibit", execution_count=count, outputs=[shown, said]),
        ]
    for count in (1, 2):
        picture = {"image/png": base64.b64encode(_picture(count)).decode("ascii")}
        shown = new_output("display_data", data=picture)
        cells += [new_markdown_cell(f"### A plot, {count}"), new_code_cell("plot", execution_count=8, outputs=[shown])]
    frame = table.to_html()
    cells.append(
        new_code_cell(
            "frame",
            execution_count=9,
            outputs=[new_output("execute_result", data={"text/html": frame}, execution_count=9)],
        )
    )
    nbformat.write(new_notebook(cells=cells), str(path))
    return path


def _picture(shade: int) -> bytes:
    out = BytesIO()
    Image.new("RGB", (400, 300), (shade, 80, 120)).save(out, format="png")
    return out.getvalue()


def small_site(out: Path, studies, student_studies=()) -> Path:
    """Build a site of the given studies, one failed run and two articles, and return its index."""
    runs = [student_run(out, study) for study in student_studies]
    for study in studies:
        folder = out / study.district.slug
        folder.mkdir(parents=True, exist_ok=True)
        study.save(str(folder / "result.json"))
        notebook = executed_notebook(study, folder / "notebook.ipynb")
        runs.append(
            {
                "slug": study.district.slug,
                "title": study.district.name,
                "status": "done",
                "notebook": notebook,
                "error": None,
            }
        )
    article = out / "01-the-claims"
    article.mkdir(exist_ok=True)
    notebook = executed_notebook(studies[0], article / "notebook.ipynb")
    runs.append(
        {
            "slug": "01-the-claims",
            "title": "Are the claims true?",
            "status": "done",
            "notebook": notebook,
            "error": None,
        }
    )
    runs.append(
        {
            "slug": "40-explore",
            "title": "What if we had asked differently?",
            "status": "done",
            "notebook": paths.notebooks() / "40_explore.ipynb",  # as it is kept: without widgets
            "error": None,
        }
    )
    error = {"message": "ZeroDivisionError: division by zero", "cell": "4: study", "hint": "", "log": "x/run.log"}
    runs.append(
        {"slug": "danbury", "title": "Danbury School District", "status": "failed", "notebook": None, "error": error}
    )
    (out / "estimates.csv").write_text("track\n", encoding="utf-8")
    return build_site(out, runs, DAY)
