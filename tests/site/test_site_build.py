"""The site: everything is on it, failures are failures, nothing comes from outside, and a second build is idle."""

import re
import shutil
import textwrap

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from site_factory import DAY, executed_notebook, small_site

from leapstudy.site.build import build_site, prepare_pages
from leapstudy.site.index import EXPECTED
from leapstudy.site.notebook import flowing, notebook_body
from leapstudy.site.render import footer, lean
from leapstudy.site.stamps import read_stamps
from leapstudy.study.result import load_result
from leapstudy.words.appendix import checklist
from leapstudy.words.sentences import LINE

OUTSIDE = re.compile(r"""(?:src|href)=["']?(?:https?:)?//|@import|url\((?!["']?(?:data:|#))""")


@pytest.fixture(scope="module")
def built(tmp_path_factory, hartford_study):
    out = tmp_path_factory.mktemp("site")
    small_site(out, [hartford_study])
    return out


def run(out, slug="hartford", **changes):
    base = {
        "slug": slug,
        "title": "Hartford School District",
        "status": "done",
        "notebook": out / slug / "notebook.ipynb",
        "error": None,
    }
    return {**base, **changes}


def test_the_pages_are_there_and_nothing_comes_from_outside(built):
    pages = sorted(path.relative_to(built).as_posix() for path in built.rglob("*.html"))
    assert pages == [
        "01-the-claims/notebook.html",
        "40-explore/notebook.html",
        "danbury/notebook.html",
        "hartford/appendix.html",
        "hartford/notebook.html",
        "hartford/plain.es.html",
        "hartford/plain.html",
        "index.html",
    ]
    for path in [*built.rglob("*.html"), *built.rglob("*.css")]:
        assert not OUTSIDE.search(path.read_text(encoding="utf-8")), path


def test_a_title_that_all_districts_share_begins_with_the_district(built):
    for slug, place in (("hartford", "Hartford"), ("01-the-claims", "")):
        page = BeautifulSoup((built / slug / "notebook.html").read_text(encoding="utf-8"), "lxml")
        (title,) = page.find_all("h1")
        assert bool(title.find(class_="place")) == bool(place) and title.text.startswith(place)


def test_every_page_says_edition_version_hash_and_day(built):
    for path in built.rglob("*.html"):
        foot = path.read_text(encoding="utf-8").split("<footer>")[1]
        assert "2022-23 edition" in foot
        assert re.search("package [0-9a-f]{8}|paquete [0-9a-f]{8}", foot)
        assert DAY in foot


def test_a_failed_run_shows_its_error_and_no_figure(built):
    page = (built / "danbury" / "notebook.html").read_text(encoding="utf-8")
    assert "ZeroDivisionError: division by zero" in page
    assert "did not succeed" in page
    index = (built / "index.html").read_text(encoding="utf-8")
    row = next(part for part in index.split("<tr") if "Danbury" in part)
    assert "failed" in row
    assert not re.search(r"[+−]\d", row)


def test_a_run_that_fails_later_loses_its_earlier_pages(tmp_path, hartford_study):
    out = tmp_path
    (out / "hartford").mkdir()
    hartford_study.save(str(out / "hartford" / "result.json"))
    executed_notebook(hartford_study, out / "hartford" / "notebook.ipynb")
    build_site(out, [run(out)], DAY)
    assert "+0.69" in (out / "index.html").read_text(encoding="utf-8")
    build_site(out, [run(out, status="failed", notebook=None, error="boom")], DAY)
    assert not (out / "hartford" / "plain.html").exists()
    assert not (out / "hartford" / "appendix.html").exists()
    assert "+0.69" not in (out / "index.html").read_text(encoding="utf-8")
    assert "boom" in (out / "hartford" / "notebook.html").read_text(encoding="utf-8")
    assert list((out / "assets" / "figures").iterdir()) == []


def test_a_second_build_writes_no_page_and_a_lost_page_comes_back(tmp_path, built):
    out = tmp_path / "copy"
    shutil.copytree(built, out)
    build_site(out, [run(out)], DAY)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*/*.html")}
    build_site(out, [run(out)], DAY)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*/*.html")} == before
    (out / "hartford" / "plain.html").unlink()
    build_site(out, [run(out)], DAY)
    assert (out / "hartford" / "plain.html").is_file()


def test_what_was_changed_by_hand_is_made_again(tmp_path, built):
    out = tmp_path / "copy"
    shutil.copytree(built, out)
    build_site(out, [run(out)], DAY)
    sound = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "site.json"}
    pictures = [path for path in sound if path.parent.name == "figures"]
    planted = out / "assets" / "figures" / "0123456789abcdef.webp"
    for path in (out / "hartford" / "plain.html", out / "hartford" / "notebook.html", pictures[0], out / "index.html"):
        path.write_bytes(path.read_bytes() + b"forged")
    planted.write_bytes(b"planted")
    (out / "hartford" / "report.docx").write_bytes(b"nobody made this")
    build_site(out, [run(out)], DAY)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "site.json"} == sound
    pictures[1].unlink()
    build_site(out, [run(out)], DAY)
    assert pictures[1].read_bytes() == sound[pictures[1]]


def pages_of(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.html")}


def two_runs(out, study, second="done"):
    for slug in ("ansonia", "bristol"):
        (out / slug).mkdir(parents=True)
        study.save(str(out / slug / "result.json"))
        executed_notebook(study, out / slug / "notebook.ipynb")
    return [run(out, "ansonia", title="Ansonia"), run(out, "bristol", title="Bristol", status=second)]


def test_pages_prepared_while_others_run_are_the_pages_of_the_end(tmp_path, hartford_study):
    ahead, at_once = tmp_path / "ahead", tmp_path / "at-once"
    runs = two_runs(ahead, hartford_study)
    # the second ends before the first, whose neighbor it is
    for slug in ("bristol", "ansonia"):
        others = [item if item["slug"] == slug else {**item, "status": EXPECTED} for item in runs]
        prepare_pages(ahead, others, slug, DAY)
    made = {path: path.stat().st_mtime_ns for path in ahead.glob("*/*.html")}
    assert len(made) == 8
    build_site(ahead, runs, DAY)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    build_site(at_once, two_runs(at_once, hartford_study), DAY)
    assert pages_of(ahead) == pages_of(at_once)
    assert read_stamps(ahead).keys() == read_stamps(at_once).keys() == {"pages", "runs", "sums", "documents"}


def test_a_neighbor_that_fails_after_all_is_no_longer_linked(tmp_path, hartford_study):
    runs = two_runs(tmp_path, hartford_study, second="failed")
    prepare_pages(tmp_path, [runs[0], {**runs[1], "status": EXPECTED}], "ansonia", DAY)
    page = tmp_path / "ansonia" / "plain.html"
    assert "bristol" in page.read_text(encoding="utf-8")
    build_site(tmp_path, runs, DAY)
    assert "bristol" not in page.read_text(encoding="utf-8")


def test_exhibits_are_drawn_at_both_widths_and_other_pictures_are_files(built):
    page = (built / "hartford" / "notebook.html").read_text(encoding="utf-8")
    assert "data:image" not in page
    names = re.findall(r"assets/figures/([0-9a-f]+\.webp)", page)
    assert len(names) == 2 and all((built / "assets" / "figures" / name).is_file() for name in names)
    assert len(re.findall(r'<img [^>]*alt="Picture of the analyst\'s own: [^"]+"', page)) == 2
    drawn = re.findall(r'<div class="?(wide|narrow)"?><svg [^>]*aria-label="([^"]{30,300})"', page)
    assert [width for width, _ in drawn] == ["wide", "narrow"] * 4
    names = re.findall(r'<\w+ id="?([\w.]+)', page)
    assert len(set(names)) == len(names), "drawings beside each other must not share a name"


def test_the_part_for_the_referee_opens_by_its_heading(tmp_path):
    cells = [new_markdown_cell(text) for text in ("# Title", "## For the referee\n\nEvery test.", "## Limits\n\nnone")]
    nbformat.write(new_notebook(cells=cells), tmp_path / "x.ipynb")
    tree = BeautifulSoup(notebook_body(tmp_path / "x.ipynb", tmp_path, "../", {}), "lxml")
    folded = tree.find("details", class_="referee")
    assert folded.find("summary").get_text() == "For the referee" and "Every test." in folded.get_text()
    assert "Limits" not in folded.get_text() and "none" in tree.get_text()


@pytest.mark.parametrize(("place", "heads"), [("Hartford", "Hartford Did it work?"), ("Did it work?", "Did it work?")])
def test_a_title_says_what_the_run_is_about_and_nothing_twice(tmp_path, place, heads):
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Did it work?")]), tmp_path / "x.ipynb")
    tree = BeautifulSoup(notebook_body(tmp_path / "x.ipynb", tmp_path, "../", {}, place), "lxml")
    assert tree.find("h1").get_text(" ", strip=True) == heads


def test_the_face_of_drawings_comes_with_the_style(built):
    style = (built / "assets" / "style.css").read_text(encoding="utf-8")
    assert style.count("@font-face") == 2 and style.count("data:font/ttf;base64,") == 2
    assert "font-src data:" in (built / "index.html").read_text(encoding="utf-8")


def test_links_between_notebooks_become_links_between_pages(built):
    page = (built / "hartford" / "notebook.html").read_text(encoding="utf-8")
    assert "href=../01-the-claims/notebook.html" in page
    assert ".ipynb" not in page


def test_previous_and_next_follow_the_names(tmp_path, hartford_study):
    for slug in ("ansonia", "bristol"):
        (tmp_path / slug).mkdir()
        hartford_study.save(str(tmp_path / slug / "result.json"))
        executed_notebook(hartford_study, tmp_path / slug / "notebook.ipynb")
    runs = [run(tmp_path, "bristol", title="Bristol"), run(tmp_path, "ansonia", title="Ansonia")]
    build_site(tmp_path, runs, DAY)
    first = (tmp_path / "ansonia" / "plain.html").read_text(encoding="utf-8")
    assert "rel=next href=../bristol/plain.html" in first
    assert "rel=prev" not in first


def test_simulated_data_is_named_on_every_page(tmp_path, hartford_study):
    folder = tmp_path / "students-hartford"
    folder.mkdir()
    hartford_study.save(str(folder / "result.json"))
    text = (folder / "result.json").read_text(encoding="utf-8").replace('"simulated": false', '"simulated": true')
    (folder / "result.json").write_text(text, encoding="utf-8")
    executed_notebook(hartford_study, folder / "notebook.ipynb")
    build_site(tmp_path, [run(tmp_path, "students-hartford")], DAY)
    for path in folder.glob("*.html"):
        assert re.search("SIMULATED|SIMULADOS", path.read_text(encoding="utf-8")), path


def test_the_checklist_answers_all_22_points(built):
    points = checklist(load_result(built / "hartford" / "result.json"))
    assert [point.number for point in points] == list(range(1, 23))
    assert all(len(point.answer) > 30 for point in points)
    assert not [point.title for point in points if re.search(r"\bnan\b|None\b|\binf\b", point.answer)]
    floor = next(point.answer for point in points if "Inference" in point.title)
    assert "0.0500" in floor
    assert "cluster-robust p-value with one treated unit is refused" in floor


def test_the_checklist_stands_without_any_block_but_the_verdict(built):
    result = load_result(built / "hartford" / "result.json")
    points = checklist({**result, "blocks": {"verdict": result["blocks"]["evidence"]["verdict"]}})
    assert sum(point.answer.startswith("Not possible") for point in points) >= 6


def test_printed_sentences_flow_on_the_page_and_other_lines_stay():
    sentence = "Effects below 3.64 points would mostly go unseen, and that is more than any published effect. " * 4
    wrapped = textwrap.fill(sentence.strip(), LINE)
    assert wrapped.count("\n") >= 3
    assert flowing(wrapped) == sentence.strip()
    assert (
        flowing(f"{wrapped}\nshort\nlines stay\n\nas they are")
        == f"{sentence.strip()}\nshort\nlines stay\n\nas they are"
    )


def test_quotes_that_html_does_not_need_change_nothing_but_the_size():
    page = '<a href="../x/y.html#z" title="a b" lang="es">"quoted" = text</a>'
    page += '<img alt="" src="f.webp" width="720"/><b class="a b">c</b>'
    before, after = (BeautifulSoup(text, "lxml") for text in (page, lean(page)))
    assert len(lean(page)) < len(page)
    for one, other in zip(before.body.find_all(True), after.body.find_all(True), strict=True):
        assert (one.name, one.attrs, one.get_text()) == (other.name, other.attrs, other.get_text())


def test_the_parts_of_a_drawing_stay_closed_and_side_by_side():
    drawing = '<svg aria-hidden="true"><line x1="5%" y1="0"/><line x1="8%" y2="0"/><circle r="5"/></svg><br/>'
    made = lean(drawing)
    assert made.count("/>") == 3 and '"0"/>' in made, (
        "an open part swallows the next; `=0/>` would read as the value `0/`"
    )
    assert made.endswith("</svg><br>")


def test_the_default_parameters_are_left_out_where_a_runs_own_hold(tmp_path):
    cells = [
        new_code_cell("district = 'default'", metadata={"tags": ["parameters"]}),
        new_code_cell("district = 'own'", metadata={"tags": ["injected-parameters"]}),
    ]
    for kept, shown in ((cells, ["own"]), (cells[:1], ["default"])):
        nbformat.write(new_notebook(cells=kept), str(tmp_path / "notebook.ipynb"))
        body = notebook_body(tmp_path / "notebook.ipynb", tmp_path, "../", {})
        assert re.findall(r"district = '(\w+)'", body) == shown


def test_end_tags_that_html_closes_itself_change_nothing_but_the_size(hartford_study):
    table = hartford_study.answer.editions.to_html() + "<ul><li>one</li><li>two</li></ul>"
    before, after = (BeautifulSoup(text, "lxml") for text in (table, lean(table)))
    assert len(lean(table)) < len(table)
    for name in ("th", "td", "tr", "li"):
        assert [cell.get_text(strip=True) for cell in before.find_all(name)] == [
            cell.get_text(strip=True) for cell in after.find_all(name)
        ]


def test_the_footer_names_what_the_figures_are_from():
    public = {"track": "public", "params": {"edition": "2022-23"}, "made": {}}
    students = {"track": "students", "params": {}, "made": {"simulated": True}}
    assert "he4h-bgqh (2022-23 edition)" in footer(public, DAY)
    assert "SIMULATED student records" in footer(students, DAY) and "CSDE" not in footer(students, DAY)
    assert "registros SIMULADOS" in footer(students, DAY, "es")
    real = {**students, "made": {"simulated": False}}
    assert "student records of a state or district" in footer(real, DAY) and "SIMULATED" not in footer(real, DAY)
