"""Reports to print and to edit: `leapstudy report`. PDF by Chromium's print, which keeps tags and alternative texts."""

import datetime
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from docx import Document
from docx.document import Document as DocumentType
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Emu, Inches, Pt, RGBColor
from docx.table import _Cell
from pandas.api.types import is_numeric_dtype

from leapstudy.core.errors import BadInput, LeapstudyError, bad_value
from leapstudy.core.files import scratch_folder, sha256_file, write_bytes_atomic, write_text_atomic
from leapstudy.core.names import STUDENT_SLUG, options
from leapstudy.core.table import Table, cell_text, digits_of
from leapstudy.data import find_district, load_study
from leapstudy.data.state import load_state
from leapstudy.figures.exhibit import Exhibit
from leapstudy.figures.plain import plain_chart
from leapstudy.site.build import appendix_html, plain_html, rebuild_site, report_html
from leapstudy.site.render import APPENDIX, DOCUMENTS, PLAIN, footer, write_assets
from leapstudy.site.stamps import note_documents
from leapstudy.study.result import load_result
from leapstudy.words.appendix import checklist
from leapstudy.words.plain_page import catalog, plain_page
from leapstudy.words.reading import has_answer, read_result

PAGE_WIDTH, MARGIN = Inches(6.5), Inches(1)
TEXT_FONT, TEXT_SIZE, TABLE_SIZE = "Arial", Pt(10), Pt(8)
TABLE_STYLE = "Light Shading"
# Width of a letter in a table, with what a cell leaves free at its sides.
LETTER = Inches(0.07)
# Letters after which a cell goes on in its next line.
LONGEST = 34
Format = Literal["html", "pdf", "docx"]
PDF, DOCX = "report.pdf", "report.docx"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PRINT_FLAGS = ("--no-pdf-header-footer", "--generate-pdf-document-outline")
PRINT_SECONDS = 60
NO_CHROMIUM = "No PDF was made: Chromium is missing. Install it (Debian: apt install chromium) and run this again."


@dataclass(frozen=True, slots=True)
class Reports:
    """What `build_reports` wrote, and what it could not do, one line each."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...]


def build_reports(out: Path, slugs: Sequence[str], formats: Sequence[str], date: str | None = None) -> Reports:
    """Write plain page and technical appendix of some runs from their result files alone.

    Parameters
    ----------
    out
        Folder of the results.
    slugs
        Runs by the name of their folder.
    formats
        Any of `html`, `pdf`, `docx`.
    date
        Day that the footers show; today by default.

    Raises
    ------
    BadInput
        For an unknown format, and for a run without a result or whose last run failed. Nothing is written then.
    """
    for name in formats:
        if name not in options(Format):
            raise bad_value("format", name, options(Format))
    day = date or datetime.date.today().isoformat()
    results = {slug: _result(out / slug) for slug in slugs}
    browser = next((executable for name in CHROMIUM_NAMES if (executable := shutil.which(name))), None)
    paths: list[Path] = []
    for slug, result in results.items():
        folder = out / slug
        if "pdf" in formats and browser:
            paths.append(_write_pdf(folder, result, out, day, browser))
        if "docx" in formats:
            write_bytes_atomic(folder / DOCX, report_docx(result, day))
            paths.append(folder / DOCX)
        if "html" in formats:
            paths += _write_html(folder, result, out, day)
    note_documents(out, [path for path in paths if path.name in DOCUMENTS])
    rebuild_site(out, date)  # pages link to the documents that are there
    notes = (NO_CHROMIUM,) if "pdf" in formats and not browser else ()
    return Reports(tuple(paths), notes)


def report_slugs(out: Path, names: Sequence[str]) -> list[str]:
    """Return the runs that are asked for, by slug, name or code; every run with a result where none is named.

    A name whose student page alone is there means that one.

    Raises
    ------
    BadInput
        If there is no result at all, a name is no district, or its run gave no effect.
    """
    results = {path.parent.name: load_result(path) for path in sorted(out.glob("*/result.json"))}
    if not results:
        raise BadInput(f"There is no result in {out.name}/ yet. Run `leapstudy run` first.")
    slugs = [slug for slug, result in results.items() if has_answer(result)]
    matches = [_slug(name, results) for name in names]
    for slug in matches:
        if slug in results and slug not in slugs:
            raise BadInput(
                f"{slug} has no effect to report; {out.name}/{slug}/{PLAIN['en']} says why, and is all that there is."
            )
    if not (matches or slugs):
        places = ", ".join(f"{out.name}/{slug}/{PLAIN['en']}" for slug in list(results)[:2])
        raise BadInput(f"No run in {out.name}/ has an effect to report; its plain page says why ({places}).")
    return matches or slugs


def _slug(name: str, results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the run that a name means: its folder, a district of the study, or one that student files alone know."""
    if not {name, STUDENT_SLUG + name}.intersection(results):
        own = (slug for slug, result in results.items() if name in (result.get("district") or {}).values())
        try:
            name = find_district(load_study(started=False).districts, name).slug
        except BadInput:
            if not (match := next(own, "")):
                raise
            return match
    return next((slug for slug in (name, STUDENT_SLUG + name) if slug in results), name)


def _result(folder: Path) -> dict[str, Any]:
    path, manifest = folder / "result.json", folder / "manifest.json"
    if not path.is_file():
        raise BadInput(f"There is no result for {folder.name!r} yet. Run `leapstudy run {folder.name}` first.")
    if manifest.is_file():
        state, digest = _state_and_hash(manifest)
        if state != "done":
            raise BadInput(
                f"The last run of {folder.name!r} did not succeed, so it has no report. See {folder.name}/run.log."
            )
        if digest != sha256_file(path):
            raise BadInput(
                f"{folder.name}/result.json is not as its run left it, so it has no report. Run `leapstudy run "
                f"{folder.name}` again."
            )
    return load_result(path)


def _state_and_hash(manifest: Path) -> tuple[str, str]:
    """Return the state of a run and the hash of its result, as its manifest tells; empty where it does not."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        return content["state"], content["outputs"].get("result.json", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""


def _write_html(folder: Path, result: dict[str, Any], out: Path, day: str) -> list[Path]:
    page_names = {name: (folder / name).is_file() for name in (*DOCUMENTS, "notebook.html")}
    page_names |= dict.fromkeys((*PLAIN.values(), APPENDIX), True)
    pages = {name: plain_html(result, lang, day, {}, page_names) for lang, name in PLAIN.items()}
    pages[APPENDIX] = appendix_html(result, day, {}, page_names)
    for name, text in pages.items():
        write_text_atomic(folder / name, text)
    write_assets(out)
    return [folder / name for name in pages]


def _write_pdf(folder: Path, result: dict[str, Any], out: Path, day: str, browser: str) -> Path:
    write_assets(out)
    page = folder / ".print.html"  # beside the other pages, so that its relative addresses hold
    try:
        write_text_atomic(page, report_html(result, day))
        with scratch_folder() as scratch:
            target = scratch / PDF
            _print(browser, page, target, scratch)
            write_bytes_atomic(folder / PDF, target.read_bytes())
    finally:
        page.unlink(missing_ok=True)
    return folder / PDF


def _print(browser: str, page: Path, target: Path, scratch: Path) -> None:
    flags = [*FLAGS, *PRINT_FLAGS, f"--user-data-dir={scratch / 'profile'}", f"--print-to-pdf={target}"]
    try:
        process = subprocess.run(
            [browser, *flags, page.as_uri()], capture_output=True, timeout=PRINT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise LeapstudyError(
            f"Chromium did not print {page.parent.name!r} within {PRINT_SECONDS} s. Try again."
        ) from None
    if process.returncode or not target.is_file():
        raise LeapstudyError(f"Chromium could not print {page.parent.name!r} (exit code {process.returncode}).")


def report_docx(result: Mapping[str, Any], date: str) -> bytes:
    """Return plain page and technical appendix of a result as the bytes of a Word document."""
    reading = read_result(result)
    page = plain_page(reading)
    document = Document()
    for name in ("Normal", "Caption", *(f"Heading {level}" for level in range(1, 4))):
        _plain(document.styles[name])
    document.sections[0].left_margin = document.sections[0].right_margin = MARGIN
    document.core_properties.title = page.title
    document.core_properties.language = "en-US"
    document.core_properties.author = "leapstudy"
    document.add_heading(page.title, level=1)
    if reading.simulated:
        document.add_paragraph().add_run(catalog("en")["simulated"]).bold = True
    if load_state().program.invented:
        document.add_paragraph().add_run(catalog("en")["invented"]).bold = True
    for section in page.sections:
        document.add_heading(section.heading, level=2)
        if section.key == "chart":
            _add_exhibit(document, plain_chart(reading))
        else:
            document.add_paragraph(section.text)
    _add_appendix(document, result)
    document.sections[0].footer.paragraphs[0].text = footer(result, date)
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def _add_appendix(document: DocumentType, result: Mapping[str, Any]) -> None:
    document.add_page_break()
    document.add_heading("Technical appendix", level=2)
    for point in checklist(result):
        document.add_heading(f"{point.number}. {point.title}", level=3)
        document.add_paragraph(point.answer)
        if point.table is not None:
            _add_table(document, point.table)


def _add_exhibit(document: DocumentType, exhibit: Exhibit) -> None:
    picture = document.add_picture(BytesIO(exhibit.png), width=PAGE_WIDTH)
    properties = picture._inline.docPr
    properties.set("descr", exhibit.alt)
    properties.set("title", exhibit.title)
    document.add_paragraph(exhibit.caption.text(), style="Caption")
    _add_table(document, Table(exhibit.data, "The figures in the picture"))


def _add_table(document: DocumentType, table: Table) -> None:
    frame = table.data
    document.add_paragraph(table.caption, style="Caption").paragraph_format.keep_with_next = True
    digits = digits_of(frame, table.decimals)
    texts = [[str(name) for name in frame.columns]]
    for row in frame.astype(object).itertuples(index=False, name=None):
        texts.append([cell_text(value, places) for value, places in zip(row, digits, strict=True)])
    grid = document.add_table(rows=len(texts), cols=len(frame.columns), style=TABLE_STYLE)
    grid.autofit = False
    columns = list(zip(*texts, strict=True))
    letters = [4 + min(max(map(_needed, cells)), LONGEST) for cells in columns]
    letter = min(LETTER, PAGE_WIDTH // sum(letters))
    for name, column, cells, count in zip(frame.columns, grid.columns, columns, letters, strict=True):
        side = WD_ALIGN_PARAGRAPH.RIGHT if is_numeric_dtype(frame[name]) else WD_ALIGN_PARAGRAPH.LEFT
        column.width = Emu(letter * count)
        for cell, text in zip(column.cells, cells, strict=True):
            cell.width = column.width
            _fill(cell, text, side)
    header = OxmlElement("w:tblHeader")  # Word and screen readers then take the first row as headers
    header.set(qn("w:val"), "true")
    grid.rows[0]._tr.get_or_add_trPr().append(header)


def _needed(text: str) -> int:
    """Return the letters that a cell needs in a line: its longest word, or all of it where it is short."""
    return max(min(len(text), 16), *map(len, text.split() or [""]))


def _fill(cell: _Cell, text: str, side: WD_ALIGN_PARAGRAPH) -> None:
    paragraph = cell.paragraphs[0]
    paragraph.alignment = side
    paragraph.paragraph_format.space_after = Pt(0)
    paragraph.add_run(text).font.size = TABLE_SIZE


def _plain(style: Any) -> None:
    """Set a style in the font of the pages, dark on white."""
    style.font.name, style.font.color.rgb = TEXT_FONT, RGBColor(0x22, 0x22, 0x22)
    style.element.rPr.rFonts.set(qn("w:asciiTheme"), TEXT_FONT)
    if style.name in ("Normal", "Caption"):
        style.font.size = TEXT_SIZE if style.name == "Normal" else TABLE_SIZE
