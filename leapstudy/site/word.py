"""The report as a Word document: real headings, tables with header rows, and alternative text on the chart."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from docx import Document
from docx.document import Document as DocumentType
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Emu, Inches, Pt, RGBColor
from docx.table import _Cell
from pandas.api.types import is_numeric_dtype

from leapstudy.core.table import Table, cell_text, digits_of
from leapstudy.data.state import load_state
from leapstudy.figures.exhibit import Exhibit
from leapstudy.figures.plain import plain_chart
from leapstudy.site.render import footer
from leapstudy.words.appendix import checklist
from leapstudy.words.plain_page import catalog, plain_page
from leapstudy.words.reading import read_result

PAGE_WIDTH, MARGIN = Inches(6.5), Inches(1)
TEXT_FONT, TEXT_SIZE, TABLE_SIZE = "Arial", Pt(10), Pt(8)
TABLE_STYLE = "Light Shading"
# Width of a letter in a table, with what a cell leaves free at its sides.
LETTER = Inches(0.07)
# Letters after which a cell goes on in its next line.
LONGEST = 34


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
