"""The pages of one run: plain page in each language, technical appendix, executed notebook, or why there are none."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from markupsafe import Markup

from leapstudy.core.table import table_html
from leapstudy.data.names import short, study_names
from leapstudy.figures.plain import plain_chart
from leapstudy.site.notebook import notebook_body
from leapstudy.site.render import APPENDIX, DOCUMENTS, NOTEBOOK, PLAIN, Link, footer, link, render
from leapstudy.words.appendix import checklist
from leapstudy.words.plain_page import LANGUAGES, catalog, place_words, plain_page, title, unanswered_page
from leapstudy.words.reading import Reading, at, has_answer, read_result, why_none


def section_links(lang: str, here: str, there: Mapping[str, bool]) -> list[Link]:
    """Return the links at the top of a district's pages.

    Parameters
    ----------
    lang
        Language of the page.
    here
        File name of the page itself.
    there
        File name -> whether the run has that page.
    """
    say = catalog(lang)
    other = next(name for name in LANGUAGES if name != lang)
    pages = [
        (say["chrome_plain"], PLAIN[lang], ""),
        (say["chrome_other"], PLAIN[other], other),
        (say["chrome_appendix"], APPENDIX, ""),
        (say["chrome_notebook"], NOTEBOOK, ""),
    ]
    top = link(say["chrome_all"], "../index.html")
    return [top, *(link(text, name, here=name == here, lang=mark) for text, name, mark in pages if there.get(name))]


def chart_html(reading: Reading, lang: str) -> Markup:
    """Return the answer as an HTML figure, drawn for a wide page and for a phone."""
    say, exhibit = catalog(lang), plain_chart(reading, lang)
    names = {key: say[f"cap_{key}"] for key in ("source", "sample", "years", "n")}
    table = table_html(exhibit.data, f"{say['table']}: {exhibit.title}")
    region = f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(exhibit.title)}">{table}</div>'
    return Markup(
        f'<figure role="group">{exhibit.drawings()}'
        f"{exhibit.notes(exhibit.caption.text(**names), say['table'], region)}</figure>"
    )


def plain_html(
    result: Mapping[str, Any],
    lang: str,
    figures: Path,
    date: str,
    context: Mapping[str, Any],
    there: Mapping[str, bool],
) -> str:
    """Return the plain page of a result, in words alone where it has no answer; `context` holds the neighbors."""
    reading = read_result(result) if has_answer(result) else None
    page = unanswered_page(result["district"], lang, why_none(result)) if reading is None else plain_page(reading, lang)
    documents = [link(text, name) for name, text in DOCUMENTS.items() if there.get(name)]
    return render(
        "plain",
        lang=lang,
        title=page.title,
        page=page,
        chart="" if reading is None else chart_html(reading, lang),
        links=section_links(lang, PLAIN[lang], there),
        documents=documents,
        footer=footer(result, date, lang),
        simulated=bool(at(result, "made", "simulated")),
        **context,
    )


def appendix_html(result: Mapping[str, Any], date: str, context: Mapping[str, Any], there: Mapping[str, bool]) -> str:
    """Return the technical appendix of a result."""
    reading = read_result(result)
    return render(
        "appendix",
        title=f"Technical appendix: {place(reading)}",
        points=_points(result),
        links=section_links("en", APPENDIX, there),
        footer=footer(result, date),
        simulated=reading.simulated,
        **context,
    )


def report_html(result: Mapping[str, Any], figures: Path, date: str) -> str:
    """Return plain page and appendix as one document, to be printed."""
    reading = read_result(result)
    return render(
        "report",
        title=title(reading),
        page=plain_page(reading),
        chart=chart_html(reading, "en"),
        points=_points(result),
        footer=footer(result, date),
        simulated=reading.simulated,
    )


def _points(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "number": item.number,
            "title": item.title,
            "answer": item.answer,
            "html": "" if item.table is None else Markup(item.table.html()),
        }
        for item in checklist(result)
    ]


def notebook_html(
    path: Path,
    name: str,
    result: Mapping[str, Any] | None,
    figures: Path,
    date: str,
    addresses: Mapping[str, str],
    context: Mapping[str, Any],
    there: Mapping[str, bool],
) -> str:
    """Return the executed notebook as a page; `addresses` maps notebook files to their pages."""
    return render(
        "notebook",
        title=f"{name}: notebook",
        body=Markup(notebook_body(path, figures, "../", addresses, name if there.get(APPENDIX) else "")),
        links=section_links("en", NOTEBOOK, there),
        footer=footer(result, date),
        simulated=bool(((result or {}).get("made") or {}).get("simulated")),
        **context,
    )


def failed_html(name: str, status: str, error: Mapping[str, str], result: Mapping[str, Any] | None, date: str) -> str:
    """Return the page of a run that did not succeed; it shows no figure."""
    return render(
        "failed",
        title=f"{name}: {status}",
        status=status,
        error=error,
        links=[link(catalog("en")["chrome_all"], "../index.html")],
        footer=footer(result, date),
    )


def place(reading: Reading) -> str:
    """Return what a result is about: one unit, or all together."""
    if reading.track == "students":
        return place_words(reading, catalog("en"))
    names = study_names()
    everybody = f"all {names.program} {names.state.unit.noun['en'][1]}"
    return everybody if reading.code == "ALL" else short(reading.name)
