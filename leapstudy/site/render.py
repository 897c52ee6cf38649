"""Jinja2 around every page: language, links, footer; autoescaped, and an unknown name is an error."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from leapstudy.core.files import sha256_bytes, write_text_atomic
from leapstudy.data.names import study_names
from leapstudy.data.state import load_state
from leapstudy.figures.palette import faces
from leapstudy.words.plain_page import catalog, period_words
from leapstudy.words.reading import at

PLAIN = {"en": "plain.html", "es": "plain.es.html"}
APPENDIX, NOTEBOOK = "appendix.html", "notebook.html"
# File names of a run's pages and documents.
DOCUMENTS = {"report.pdf": "PDF", "report.docx": "Word"}
ASSETS = ("style.css", "site.js")
# Digits of a hash that a footer shows; result.json holds all of them.
SHORT = 8
END_TAGS = re.compile(r"</(?:td|th|tr|thead|tbody|li)>\n?")
# Elements that have no end in HTML; one of a drawing (SVG) that is not closed would swallow those after it.
CLOSED = re.compile(r"<((?:br|col|hr|img|input|link|meta)\b[^<>]*?) ?/>")
TAG, QUOTED = re.compile(r"<[a-z][^<>]*[^<>/]>"), re.compile(r'="([\w./#-]+)"')
Link = dict[str, Any]


@cache
def environment() -> Environment:
    """Return the templates."""
    return Environment(
        loader=PackageLoader("leapstudy.site", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, *, lang: str = "en", up: str = "../", **context: Any) -> str:
    """Return a page.

    Parameters
    ----------
    template
        Name without its ending (`plain`).
    lang
        Language of the page's own words.
    up
        Relative address of the site's top (``../`` from a district's folder, empty from the top).
    **context
        What the template shows; `title` and `footer` are needed, the rest is empty where not given.
    """
    defaults: dict[str, Any] = {"links": [], "previous": None, "next": None, "simulated": False}
    defaults["invented"] = load_state().program.invented
    page = environment().get_template(f"{template}.html.j2")
    return lean(page.render(**{**defaults, **context}, lang=lang, up=up, say=catalog(lang))) + "\n"


def lean(page: str) -> str:
    """Leave out what HTML does not need and a site has ten thousand times: some end tags, and quotes around a word."""
    open_ended = CLOSED.sub(r"<\1>", END_TAGS.sub("", page))
    return TAG.sub(lambda tag: QUOTED.sub(r"=\1", tag[0]), open_ended)


def link(text: str, href: str, *, here: bool = False, lang: str = "") -> Link:
    """Return a link as the templates take it."""
    return {"text": text, "href": href, "here": here, "lang": lang}


def footer(result: Mapping[str, Any] | None, date: str, lang: str = "en") -> str:
    """Return the line that says data edition, hash, version and date; empty pieces are named as unknown."""
    record = (result or {}).get("made") or {}
    hashes = record.get("data_hashes") or {}
    data = sha256_bytes("".join(f"{name}{value}" for name, value in sorted(hashes.items())).encode()) if hashes else ""
    return catalog(lang)["footer"].format(
        source=_source(result, lang),
        data=data[:SHORT] or "–",
        version=record.get("leapstudy") or "–",
        package=str(record.get("package_hash") or "–")[:SHORT],
        date=date,
    )


def _source(result: Mapping[str, Any] | None, lang: str) -> str:
    """Return where the figures are from: the state's files, a simulation, or student records that were never shared."""
    if at(result, "made", "simulated"):
        return catalog(lang)["source_simulated"]
    if at(result, "track") == "students":
        own, period = str(at(result, "made", "source") or ""), str(at(result, "blocks", "period") or "")
        return period_words(own, period, catalog(lang)) or catalog(lang)["source_students"]
    edition = str(at(result, "params", "edition") or "")
    return study_names().all_sources(edition)


def write_assets(out: Path) -> None:
    """Write style, with the face of all pages and drawings in it, and script beside the pages."""
    for name in ASSETS:
        text = files("leapstudy.site").joinpath("templates", name).read_text(encoding="utf-8")
        if name.endswith(".css"):
            text = faces() + text
        path = out / "assets" / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text_atomic(path, text)
