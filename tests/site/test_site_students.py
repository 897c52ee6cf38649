"""The student track on the site: every page says SIMULATED, the appendix answers every point,
and a refusal breaks nothing.
"""

import re
import shutil
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from site_factory import DAY, student_run

from leapstudy.core.errors import BadInput
from leapstudy.core.phrases import points as in_points
from leapstudy.evidence.scan import scan_folder
from leapstudy.site.build import build_site
from leapstudy.site.documents import report_slugs
from leapstudy.site.index import entry_of, index_html
from leapstudy.study.result import load_result
from leapstudy.study.students import study_students
from leapstudy.words.appendix import checklist
from leapstudy.words.plain_page import catalog
from leapstudy.words.reading import read_result

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(workspace, tmp_path_factory):
    out = tmp_path_factory.mktemp("student-site")
    runs = [student_run(out, study_students(name)) for name in ("all-districts", "hartford", "windham")]
    build_site(out, runs, DAY)
    return out


def row_of(out, name):
    tree = BeautifulSoup((out / "index.html").read_text(encoding="utf-8"), "lxml")
    return next(row for row in tree.find_all("tr") if row.th and row.th.get_text() == name)


def test_every_page_of_simulated_students_says_so(built):
    pages = sorted(path.relative_to(built).as_posix() for path in built.glob("*/*.html"))
    assert len([name for name in pages if name.startswith("students-hartford/")]) == 4
    for name in pages:
        assert re.search("SIMULATED|SIMULADOS", (built / name).read_text(encoding="utf-8")), name


@pytest.mark.parametrize("slug", ["students-hartford", "students-all-districts"])
def test_the_appendix_answers_all_22_points_about_students(built, slug):
    points = checklist(load_result(built / slug / "result.json"))
    assert [point.number for point in points] == list(range(1, 23))
    assert all(len(point.answer) > 30 for point in points)
    assert not [point.title for point in points if re.search(r"\bnan\b|None\b|\binf\b", point.answer)]
    answers = {point.title: point.answer for point in points}
    assert "not visited yet" in answers["Comparison group"]
    assert "clustered by student" in answers["Inference that fits the design"]
    designs = next(point.table for point in points if point.number == 13)
    assert designs is not None and len(designs.data) == 5
    page = (built / slug / "plain.html").read_text(encoding="utf-8")
    assert "before the visit before" not in page and "Years: 2020-09 to 2022-06" in page
    assert scan_folder(built).ok


def test_the_index_says_what_could_have_been_seen_among_students(built):
    reading = read_result(load_result(built / "students-hartford" / "result.json"))
    main = study_students("hartford").answer.design().main
    assert reading.mde == pytest.approx(2.8 * main.se_pp, rel=0.01)  # 1.96 and 0.84 standard errors: 80 % power at 5 %
    assert f"{reading.mde:.2f}" in [cell.get_text() for cell in row_of(built, "Hartford").find_all("td")]


@pytest.mark.parametrize(("kind", "apart"), [("positive", False), ("failed_placebo", True), ("selection", True)])
def test_the_index_sets_apart_what_may_not_be_read_as_an_effect(built, kind, apart):
    item = entry_of(built, {"slug": "students-hartford", "title": "Hartford, student track", "status": "done"})
    verdict = replace(item.reading.verdict, kind=kind)
    page = index_html([replace(item, reading=replace(item.reading, verdict=verdict))], built, DAY)
    effect = in_points(item.reading.effect.value)
    told = re.sub(r'<span class="?drawn.*?</span>', "", page)  # what phones leave out with the picture
    assert (f"<td>({effect})<" in page, "In parentheses stands" in told) == (apart, apart)
    assert apart or f"<td>{effect}<" in page


def test_a_district_of_which_nothing_can_be_said_is_answered_in_words_without_a_figure(built):
    folder = built / "students-windham"
    assert sorted(path.name for path in folder.glob("*.html")) == ["notebook.html", "plain.es.html", "plain.html"]
    page = BeautifulSoup((folder / "plain.html").read_text(encoding="utf-8"), "html.parser")
    assert "No effect can be given for Windham" in page.find("main").get_text(" ")
    assert not page.find("main").find("img") and "SIMULATED" in page.get_text(" ")
    assert "together" not in page.find("main").get_text(" "), "too few students count in no sum of districts either"
    row = row_of(built, "Windham").get_text(" ")
    assert catalog("en")["none_few"] in row and not re.search(r"[+−]\d", row)
    assert "windham" not in (built / "students-hartford" / "plain.html").read_text(encoding="utf-8")
    assert report_slugs(built, []) == ["students-all-districts", "students-hartford"]
    for name in ("windham", "Windham", "students-windham"):
        with pytest.raises(BadInput, match=r"students-windham has no effect to report; .*/students-windham/plain.html"):
            report_slugs(built, [name])


def test_where_no_run_has_an_effect_a_report_says_so_and_not_that_nothing_ran(built, tmp_path):
    with pytest.raises(BadInput, match="There is no result in .* yet"):
        report_slugs(tmp_path, [])
    shutil.copytree(built / "students-windham", tmp_path / "students-windham")
    for names, words in ([], r"No run .*says why \(.*/students-windham/plain.html"), (["windham"], "has no effect to"):
        with pytest.raises(BadInput, match=words):
            report_slugs(tmp_path, names)


def test_an_index_of_students_without_an_answer_names_what_it_is_made_of(workspace, tmp_path):
    build_site(tmp_path, [student_run(tmp_path, study_students("windham"))], DAY)
    tree = BeautifulSoup((tmp_path / "index.html").read_text(encoding="utf-8"), "lxml")
    said, footer = tree.find("main").get_text(" "), tree.find("footer").get_text(" ")
    assert "students of the visits alone" in said and "holds no result" not in said
    assert "SIMULATED" in footer and "CSDE" not in footer and "–" not in footer
