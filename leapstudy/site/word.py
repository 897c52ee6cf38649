"""The report as a Word document: real headings, tables with header rows, and alternative text on the chart."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from docx import Document
from docx.document import Document as DocumentType
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Inches, Pt

from leapstudy.core.table import Table, cell_text, digits_of
from leapstudy.data.state import load_state
from leapstudy.figures.exhibit import Exhibit
from leapstudy.figures.plain import plain_chart
from leapstudy.site.render import footer
from leapstudy.words.appendix import checklist
from leapstudy.words.plain_page import catalog, plain_page
from leapstudy.words.reading import read_result

CHART_WIDTH = Inches(6.2)
TABLE_SIZE = Pt(8)


def report_docx(result: Mapping[str, Any], date: str) -> bytes:
    """Return plain page and technical appendix of a result as the bytes of a Word document."""
    reading = read_result(result)
    page = plain_page(reading)
    document = Document()
    document.core_properties.title = page.title
    document.core_properties.language = "en-US"
    document.core_properties.author = "leapstudy"
    document.add_heading(page.title, level=1)
    if reading.simulated:
        document.add_paragraph(catalog("en")["simulated"])
    if load_state().program.invented:
        document.add_paragraph(catalog("en")["invented"])
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
    picture = document.add_picture(BytesIO(exhibit.png), width=CHART_WIDTH)
    described = picture._inline.docPr
    described.set("descr", exhibit.alt)
    described.set("title", exhibit.title)
    document.add_paragraph(f"{exhibit.title}. {exhibit.caption.text()}", style="Caption")
    _add_table(document, Table(exhibit.data, exhibit.title))


def _add_table(document: DocumentType, table: Table) -> None:
    frame = table.data
    document.add_paragraph(table.caption, style="Caption")
    grid = document.add_table(rows=1, cols=len(frame.columns), style="Light Grid Accent 1")
    _fill(grid.rows[0].cells, [str(name) for name in frame.columns])
    header = OxmlElement("w:tblHeader")  # Word and screen readers then take the first row as headers
    header.set(qn("w:val"), "true")
    grid.rows[0]._tr.get_or_add_trPr().append(header)
    digits = digits_of(frame, table.decimals)
    for row in frame.astype(object).itertuples(index=False, name=None):
        _fill(grid.add_row().cells, [cell_text(value, places) for value, places in zip(row, digits, strict=True)])


def _fill(cells: Any, texts: list[str]) -> None:
    for cell, text in zip(cells, texts, strict=True):
        cell.text = text
        for run in cell.paragraphs[0].runs:
            run.font.size = TABLE_SIZE
