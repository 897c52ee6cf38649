"""The site in `reports/`: an index, and the pages of every run; only what changed is written again.

A run has a plain page in each language, a technical appendix and its executed notebook, or says why there are none.
"""

import datetime
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from markupsafe import Markup

from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_file, write_text_atomic
from leapstudy.core.names import ALL_SLUG, STUDENT_SLUG
from leapstudy.core.table import table_html
from leapstudy.data.names import program_name, short, unit_nouns
from leapstudy.figures.plain import plain_chart
from leapstudy.site.index import (
    OF_STUDENTS,
    Entry,
    addresses,
    entry_of,
    error_of,
    expected_entry,
    index_html,
    neighbors,
    track_of,
)
from leapstudy.site.notebook import notebook_body
from leapstudy.site.render import APPENDIX, DOCUMENTS, NOTEBOOK, PLAIN, Link, footer, link, render, write_assets
from leapstudy.site.stamps import FIGURES, Stamps, read_stamps
from leapstudy.study.result import load_result
from leapstudy.words.appendix import checklist
from leapstudy.words.plain_page import LANGUAGES, catalog, pager_words, place_words, plain_page, title, unanswered_page
from leapstudy.words.reading import Reading, at, has_answer, read_result, why_none


def build_site(out: Path, runs: Sequence[Mapping[str, Any]], date: str | None = None) -> Path:
    """Write the pages of every run and the index, and return the index's path.

    Parameters
    ----------
    out
        Folder of the results; each run has its own in it.
    runs
        `slug`, `title`, `status`, `notebook` (path of the executed one, or None) and `error` (a mapping, a text or
        None) of each run. Only a run whose status is one of `index.SHOWN` is shown with figures.
    date
        Day that the footers show; today by default.
    """
    entries = [entry_of(out, run) for run in runs]
    build = _build(out, entries, date)
    for entry, run in zip(entries, runs, strict=True):
        build.write_run(entry, run)
    write_assets(out)
    build.stamps.finish(runs)
    index = out / "index.html"
    write_text_atomic(index, index_html(entries, out, build.day))
    return index


def prepare_pages(out: Path, runs: Sequence[Mapping[str, Any]], slug: str, date: str | None = None) -> None:
    """Write the pages of one run that has just ended well, while others still run.

    The others are taken to end well, too. Where one does not, `build_site` finds that pages were made from something
    else and writes them again; so this saves time at the end and decides nothing.

    Parameters
    ----------
    out, runs, date
        As for `build_site`; the status of a run that has not ended is `EXPECTED`.
    slug
        The run that has ended.
    """
    first = next((str(run["slug"]) for run in runs if track_of(str(run["slug"])) == "public"), slug)
    entries = [entry_of(out, run) if run["slug"] == slug else expected_entry(run) for run in runs]
    build = _build(out, entries, date)
    with suppress(BadInput):  # articles show its data and version, at the end for sure
        build = replace(build, common=load_result(out / first / "result.json"))
    for entry, run in zip(entries, runs, strict=True):
        if entry.slug == slug:
            build.write_run(entry, run)
    build.stamps.keep()


def _build(out: Path, entries: Sequence[Entry], date: str | None) -> "Build":
    day = date or datetime.date.today().isoformat()
    common = next((item.result for item in entries if item.result and item.track == "public"), None)
    return Build(out, day, Stamps(out), neighbors(entries), addresses(entries), common)


def rebuild_site(out: Path, date: str | None = None) -> Path | None:
    """Build the site of the last batch again, for a new document say; return None where there was none."""
    try:
        runs = read_stamps(out)["runs"]
    except (OSError, ValueError):
        return None
    entries = [{**run, "notebook": out / run["notebook"] if run["notebook"] else None} for run in runs]
    return build_site(out, entries, date)


@dataclass(frozen=True, slots=True)
class Build:
    """One build of the site: where, for which day, and what the pages share.

    `common` is a result whose data and version stand in the footers of pages without a result of their own.
    """

    out: Path
    day: str
    stamps: Stamps
    neighbors: Mapping[str, tuple[Entry | None, Entry | None]]
    addresses: Mapping[str, str]
    common: Mapping[str, Any] | None

    def write_run(self, entry: Entry, run: Mapping[str, Any]) -> None:
        """Write the pages of one run; of a failed one only why it failed, and nothing of an earlier success."""
        folder, notebook = self.out / entry.slug, Path(run.get("notebook") or "")
        if not entry.shown or not notebook.is_file():
            for name in (*PLAIN.values(), APPENDIX, *DOCUMENTS):
                (folder / name).unlink(missing_ok=True)
            self._write_failed(entry, run)
            return
        for name in {*PLAIN.values(), APPENDIX} - set(entry.pages):
            (folder / name).unlink(missing_ok=True)
        pages = dict.fromkeys(entry.pages, True) | self.stamps.keep_documents(entry.slug, DOCUMENTS)
        self._write_notebook(entry, notebook, pages)
        if entry.result and PLAIN["en"] in entry.pages:
            self._write_result(entry, entry.result, pages)

    def _write_failed(self, entry: Entry, run: Mapping[str, Any]) -> None:
        error = error_of(run)
        make = partial(failed_html, short(entry.title), entry.status, error, self.common, self.day)
        self.stamps.write(self.out / entry.slug / NOTEBOOK, [entry.status, error], make)

    def _write_notebook(self, entry: Entry, notebook: Path, pages: Mapping[str, bool]) -> None:
        around, result = self._around(entry, NOTEBOOK), entry.result or self.common
        what = (notebook, short(entry.title), result, self.out / FIGURES, self.day, self.addresses, around, pages)
        parts = [sha256_file(notebook), around, pages, self.addresses, (result or {}).get("made")]
        self.stamps.write(self.out / entry.slug / NOTEBOOK, parts, partial(notebook_html, *what))

    def _write_result(self, entry: Entry, result: Mapping[str, Any], pages: Mapping[str, bool]) -> None:
        folder = self.out / entry.slug
        makers = {name: partial(plain_html, result, lang) for lang, name in PLAIN.items()}
        if APPENDIX in entry.pages:
            makers[APPENDIX] = partial(appendix_html, result)
        for name, make in makers.items():
            around = self._around(entry, name)
            parts = [sha256_file(folder / "result.json"), around, pages]
            self.stamps.write(folder / name, parts, partial(make, self.day, around, pages))

    def _around(self, entry: Entry, page: str) -> dict[str, Any]:
        before, after = self.neighbors.get(entry.slug, (None, None))
        return {
            name: None if other is None else link(_name_on(other, page), f"../{other.slug}/{page}")
            for name, other in (("previous", before), ("next", after))
        }


def _name_on(entry: Entry, page: str) -> str:
    """Return what a neighbor is called on a page, in the page's language."""
    lang = next((lang for lang, name in PLAIN.items() if name == page), "en")
    if lang == "en":
        return short(entry.title)
    # one that is still expected has no reading yet, and a unit's name is the same in every language
    if entry.reading and entry.slug.removeprefix(STUDENT_SLUG) == ALL_SLUG:
        return pager_words(entry.reading, lang)
    return short(entry.title.removesuffix(OF_STUDENTS))


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
    result: Mapping[str, Any], lang: str, date: str, context: Mapping[str, Any], there: Mapping[str, bool]
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


def report_html(result: Mapping[str, Any], date: str) -> str:
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
    return f"all {program_name()} {unit_nouns()}" if reading.code == "ALL" else short(reading.name)
