"""PDF and Word hold what the page holds, with tags, language, title and alternative text; refusals write nothing."""

import json
import shutil
from io import BytesIO

import pypdf
import pytest
from bs4 import BeautifulSoup
from docx import Document
from own_files import before_a_start, workspace_at
from site_factory import DAY, small_site

from leapstudy.core.errors import BadInput
from leapstudy.site import documents
from leapstudy.site.documents import NO_CHROMIUM, build_reports, report_docx, report_slugs

needs_chromium = pytest.mark.skipif(
    not any(shutil.which(name) for name in documents.CHROMIUM_NAMES),
    reason="Chromium is missing: no PDF can be printed",
)


@pytest.fixture(scope="module")
def out(tmp_path_factory, hartford_study):
    folder = tmp_path_factory.mktemp("documents")
    small_site(folder, [hartford_study])
    return folder


@pytest.fixture(scope="module")
def word(out):
    result = json.loads((out / "hartford" / "result.json").read_text(encoding="utf-8"))
    return Document(BytesIO(report_docx(result, DAY)))


def test_word_has_headings_in_order_and_the_whole_checklist(word):
    levels = [int(item.style.name[-1]) for item in word.paragraphs if item.style.name.startswith("Heading")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert levels.count(3) == 22


def test_word_pictures_have_alternative_text(word):
    pictures = word.inline_shapes
    assert len(pictures) == 1
    assert all(30 <= len(item._inline.docPr.get("descr")) <= 300 for item in pictures)


def test_word_tables_have_header_rows_and_fit_the_page_and_the_document_has_a_language(word):
    assert word.tables
    assert all(table.rows[0]._tr.xpath("./w:trPr/w:tblHeader") for table in word.tables)
    page = word.sections[0]
    room = page.page_width - page.left_margin - page.right_margin
    assert all(sum(cell.width for cell in table.rows[0].cells) <= room for table in word.tables)
    assert word.core_properties.language == "en-US"
    assert word.core_properties.title == "Did home visits raise attendance in Hartford?"


def _tags(node, found):
    node = node.get_object()
    if isinstance(node, list):
        for item in node:
            _tags(item, found)
    elif isinstance(node, dict):
        if "/S" in node:
            found.append((str(node["/S"]), node.get("/Alt")))
        if "/K" in node:
            _tags(node["/K"], found)
    return found


@needs_chromium
@pytest.mark.browser
def test_pdf_is_tagged_titled_described_and_linked_from_its_page(out):
    built = build_reports(out, ["hartford"], ["pdf", "docx", "html"], DAY)
    page = BeautifulSoup((out / "hartford" / "plain.html").read_text(encoding="utf-8"), "lxml")
    links = {link["href"] for link in page.find_all("a")}
    assert links >= {"report.pdf", "report.docx", "notebook.html"}, "the site keeps its neighbors"
    pdf = pypdf.PdfReader(next(path for path in built.paths if path.suffix == ".pdf"))
    root = pdf.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert pdf.metadata.title == "Did home visits raise attendance in Hartford?"
    tags = _tags(root["/StructTreeRoot"], [])
    names = [name for name, _ in tags]
    assert names.count("/H1") == 1
    assert "/TH" in names
    assert [alt for name, alt in tags if name == "/Figure"]
    assert all(30 <= len(alt) <= 300 for name, alt in tags if name == "/Figure")
    assert pdf.pages[1].extract_text().startswith("Technical appendix"), "the plain page is one page"
    assert not list((out / "hartford").glob(".print*"))


@needs_chromium
@pytest.mark.browser
def test_the_caption_of_a_table_stands_on_the_page_of_its_first_rows(out, tmp_path):
    browser = next(filter(None, map(shutil.which, documents.CHROMIUM_NAMES)))
    row = "<tr><th>{}</th></tr>"
    parts = [
        f"<p style='break-before: page'>{'line<br>' * n}</p><table><caption>caption {n}.</caption>"
        f"<thead>{row.format('head')}</thead>"
        f"<tbody>{row.format(f'first {n}.')}{row.format('second') * 3}</tbody></table>"
        for n in range(40, 56)
    ]
    page = out / "hartford" / ".print.html"
    style = '<link rel="stylesheet" href="../assets/style.css">'
    page.write_text(f"<html><head>{style}</head><body>{''.join(parts)}</body></html>", encoding="utf-8")
    documents._print(browser, page, tmp_path / "tables.pdf", tmp_path)
    page.unlink()
    texts = [sheet.extract_text() for sheet in pypdf.PdfReader(tmp_path / "tables.pdf").pages]
    assert len(texts) > len(parts), "some tables are broken or moved"
    for n in range(40, 56):
        (sheet,) = [text for text in texts if f"caption {n}." in text]
        assert f"first {n}." in sheet


@needs_chromium
@pytest.mark.browser
@pytest.mark.parametrize(("more", "on_second_page"), [(2, 0), (12, 3)])
def test_a_longer_plain_page_stays_one_or_takes_its_last_three_sections_to_the_next(
    out, tmp_path, more, on_second_page
):
    browser = next(filter(None, map(shutil.which, documents.CHROMIUM_NAMES)))
    result = json.loads((out / "hartford" / "result.json").read_text(encoding="utf-8"))
    page = BeautifulSoup(documents.report_html(result, DAY), "lxml")
    sections = page.select("main > section:not(.new-page)")
    sections[0].p.append(BeautifulSoup("<br>and so on" * more, "html.parser"))
    longer = out / "hartford" / ".print.html"
    longer.write_text(str(page), encoding="utf-8")
    documents._print(browser, longer, tmp_path / "longer.pdf", tmp_path)
    longer.unlink()
    second = pypdf.PdfReader(tmp_path / "longer.pdf").pages[1].extract_text()
    headings = [section.h2.text for section in sections]
    assert [heading for heading in headings if heading in second] == headings[len(headings) - on_second_page :]
    assert second.startswith("Technical appendix") == (on_second_page == 0)


def test_without_chromium_there_is_word_html_and_one_clear_line(out, monkeypatch):
    monkeypatch.setattr(documents, "CHROMIUM_NAMES", ("no-such-browser",))
    built = build_reports(out, ["hartford"], ["html", "pdf", "docx"], DAY)
    assert built.notes == (NO_CHROMIUM,)
    assert {path.suffix for path in built.paths} == {".html", ".docx"}


def test_an_unknown_format_and_a_missing_result_are_refused(out):
    with pytest.raises(BadInput, match="html, pdf, docx"):
        build_reports(out, ["hartford"], ["odt"], DAY)
    with pytest.raises(BadInput, match="leapstudy run windham"):
        build_reports(out, ["windham"], ["html"], DAY)


def test_a_failed_run_has_no_report(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "result.json").write_text('{"schema": 1}', encoding="utf-8")
    (tmp_path / "x" / "manifest.json").write_text('{"state": "failed"}', encoding="utf-8")
    with pytest.raises(BadInput, match="did not succeed"):
        build_reports(tmp_path, ["x"], ["html"], DAY)


def test_a_result_that_was_changed_since_its_run_has_no_report(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "result.json").write_text('{"schema": 1}', encoding="utf-8")
    told = '{"state": "done", "outputs": {"result.json": "0123"}}'
    (tmp_path / "x" / "manifest.json").write_text(told, encoding="utf-8")
    with pytest.raises(BadInput, match="not as its run left it.*`leapstudy run x`"):
        build_reports(tmp_path, ["x"], ["html"], DAY)
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["manifest.json", "result.json"]


def test_student_pages_made_before_a_start_are_reported_by_name(tmp_path, monkeypatch, hartford_study):
    """Its commands take every name that is the page's own, and the plain one as long as no other page has it."""
    command = workspace_at(tmp_path)
    before_a_start(tmp_path)
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(tmp_path))
    out = tmp_path / "reports"
    pages = ["students-all-districts", "students-hartford"]
    for slug in pages:
        (out / slug).mkdir(parents=True)
        hartford_study.save(str(out / slug / "result.json"))
    assert report_slugs(out, []) == pages
    for name in ("students-hartford", "hartford", "Hartford", "0640011"):
        assert report_slugs(out, [name]) == ["students-hartford"], name
    assert report_slugs(out, ["all-districts", "windham"]) == ["students-all-districts", "windham"]
    own = json.loads((out / "students-hartford" / "result.json").read_text(encoding="utf-8"))
    own["district"] = {"code": "77-1", "name": "Springfield", "slug": "springfield"}
    (out / "students-springfield").mkdir()
    (out / "students-springfield" / "result.json").write_text(json.dumps(own), encoding="utf-8")
    for name in ("springfield", "Springfield", "77-1"):
        assert report_slugs(out, [name]) == ["students-springfield"], "a district that student files alone know"
    (out / "hartford").mkdir()
    hartford_study.save(str(out / "hartford" / "result.json"))
    assert report_slugs(out, ["hartford"]) == ["hartford"]
    told, refused = command("status", "--track", "all"), command("run", "--track", "all", "--dry-run")
    assert told.returncode == 0 and "students-all-districts: never run" in told.stdout, told.stderr
    assert refused.returncode == 2 and "no unit has a start" in refused.stderr
