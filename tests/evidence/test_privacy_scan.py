"""The scanner names the file and never the id."""

import base64
import json
import zipfile

import pytest

from leapstudy.core.errors import BadInput
from leapstudy.evidence.scan import holds_student, scan_folder
from leapstudy.students.pseudonyms import pseudonym

ID = pseudonym("1234567890", b"k" * 32)


@pytest.mark.parametrize(
    "text",
    [
        f"<td>{ID}</td>",
        f"&#126;{ID[1:]}",
        f"?student=%7E{ID[1:]}",
        json.dumps({"a": ID}),
        f"\\textasciitilde{{}}{ID[1:]}",
        "data:image/svg+xml;base64," + base64.b64encode(f"<svg><text>{ID}</text></svg>".encode()).decode(),
    ],
)
def test_a_pseudonym_is_found_in_every_dress(text):
    assert holds_student(text)


def test_ordinary_text_and_pictures_are_not_taken_for_one():
    noise = base64.b64encode(bytes(range(256)) * 400).decode()
    assert not holds_student(f"about ~Students and ~Plans; 3 ~P values; {noise}")


def test_raw_ids_are_found_as_whole_words():
    assert holds_student("row 1234567890, 3 days", {"1234567890"})
    assert not holds_student("row 91234567890", {"1234567890"})


def test_a_folder_is_clean_or_its_files_are_named(tmp_path):
    (tmp_path / "hartford").mkdir()
    (tmp_path / "hartford" / "run.log").write_text("12 students")
    assert scan_folder(tmp_path).ok
    (tmp_path / "hartford" / "notebook.ipynb").write_text(json.dumps({"cells": [{"outputs": [ID]}]}))
    with zipfile.ZipFile(tmp_path / "page.docx", "w") as archive:
        archive.writestr("word/document.xml", f"<w:t>{ID}</w:t>")
    report = scan_folder(tmp_path)
    assert not report.ok
    assert report.leaking == ("hartford/notebook.ipynb", "page.docx")
    assert ID not in report.text() and "page.docx" in report.text()


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(BadInput, match="no folder"):
        scan_folder(tmp_path / "nowhere")
