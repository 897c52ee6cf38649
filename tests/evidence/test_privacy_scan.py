"""The scanner names the file and never the id."""

import base64
import gzip
import io
import json
import tracemalloc
import zipfile
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.evidence.scan import scan_folder
from leapstudy.students.guard import KEY_FILE_VARIABLE
from leapstudy.students.pseudonyms import pseudonym

ID = pseudonym("1234567890", b"k" * 32)


@pytest.mark.parametrize(
    "text",
    [
        f"<td>{ID}</td>",
        f"<td>{ID.upper()}</td>",
        "~paa2bbccdd3",
        f"&#126;{ID[1:]}",
        f"?student=%7E{ID[1:]}",
        json.dumps({"a": ID}),
        f"\\textasciitilde{{}}{ID[1:]}",
        "data:image/svg+xml;base64," + base64.b64encode(f"<svg><text>{ID}</text></svg>".encode()).decode(),
    ],
)
def test_a_pseudonym_is_found_in_every_dress(text, tmp_path):
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    assert scan_folder(tmp_path).leaking == ("page.html",)


def test_ordinary_text_and_pictures_are_not_taken_for_one(tmp_path):
    noise = base64.b64encode(bytes(range(256)) * 400).decode()
    (tmp_path / "page.html").write_text(f"about ~Students and ~Plans; 3 ~P values; {noise}", encoding="utf-8")
    assert scan_folder(tmp_path).ok


@pytest.mark.parametrize(
    ("own", "text", "found"),
    [
        ("1234567890", "row 1234567890, 3 days", True),
        ("1234567890", "row 91234567890", False),
        ("0aB0123456", "0ab0123456", True),
        ("0aB0123456", "AB0123456", True),
        ("0aB0123456", "ab0123456.0", True),
        ("0aB0123456", "0.ab0123456", False),
        ("0aB0123456", "ab01234567", False),
        ("001234567", "001234567", True),
        ("001234567", "1234567", False),  # seven letters: it may be any count or code
        ("00000012", "00000012", False),
        ("nodigitsinit", "nodigitsinit", False),
        ("12-34-567a", "<td>12-34-567A</td>", True),
        ("12-34-567a", "12-34-567a-1", False),
        ("1234567890", "SASID_1234567890-x", True),
        ("1234567890", "0.25-1234567890", True),
        ("1234567890", "12.1234567890", False),
    ],
)
def test_raw_ids_are_found_as_a_program_may_have_changed_them(tmp_path, own, text, found):
    """As whole words, in capitals or without zeros in front; digits behind a decimal point are no student's number."""
    (tmp_path / "page.html").write_text(f"<td>{text}</td>")
    (tmp_path / "clean.html").write_text("SIMULATED")
    assert scan_folder(tmp_path, [own, "4444444444"]).leaking == ("page.html",) * found


def test_the_ids_of_a_state_pass_the_last_look_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("leapstudy.evidence.scan.AT_ONCE", 1_000)
    (tmp_path / "page.html").write_text("<td>s000029999</td>")
    assert not scan_folder(tmp_path, (f"s{i:09d}" for i in range(30_000))).ok
    peaks = []
    for students in (2_000, 20_000):
        tracemalloc.start()
        assert scan_folder(tmp_path, (f"s{i:09d}" for i in range(students))).ok
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000, "a list of all ids would take 0.1 KB for each of 18,000"


def test_the_key_is_found_wherever_it_is_given(tmp_path, monkeypatch):
    key = "an invented key of forty characters, no more"
    (tmp_path / "key").write_text(key)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.log").write_text(f"environment: {key}")
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "key"))
    assert scan_folder(tmp_path / "out").leaking == ("run.log",)


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


def _parquet(text):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"any": [text]}), buffer)
    return buffer.getvalue()


def _zipped(text, name="a.xml"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def _chunk(kind, data):
    return len(data).to_bytes(4) + kind + data + bytes(4)


def _png(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join([_chunk(b"IHDR", bytes(13)), *chunks, _chunk(b"IEND", b"")])


def _pdf(text):
    packed = zlib.compress(f"BT ({text}) Tj ET".encode())
    return b"%PDF-1.7\n1 0 obj <</Filter/FlateDecode>> stream\n" + packed + b"\nendstream endobj"


ROUTES = {
    "table.CSV": str.encode,
    "table.tsv": str.encode,
    "page.pdf": str.encode,
    "no_ending": str.encode,
    "x.PNG": str.encode,
    "log.gz": lambda text: gzip.compress(text.encode()),
    "rows.parquet": _parquet,
    "page.docx": _zipped,
    "nested.zip": lambda text: _zipped(_zipped(text)),
    "packed.json.gz": lambda text: gzip.compress(_zipped(text)),
    "utf16.txt": lambda text: text.encode("utf-16"),
    "utf16be.txt": lambda text: b"x" + text.encode("utf-16-be"),
    "encoded.txt": lambda text: base64.b64encode(f"row {text} end".encode()),
    "short.txt": lambda text: base64.b64encode(text.encode()).rstrip(b"="),
    "plain.png": lambda text: _png(_chunk(b"tEXt", b"Title\0" + text.encode())),
    "packed.png": lambda text: _png(_chunk(b"zTXt", b"Title\0\0" + zlib.compress(text.encode()))),
    "world.png": lambda text: _png(_chunk(b"iTXt", b"Title\0\1\0en\0\0" + zlib.compress(text.encode()))),
    "packed.pdf": _pdf,
    "page_with_picture.html": lambda text: (
        b"<img src='data:image/png;base64,"
        + base64.b64encode(_png(_chunk(b"zTXt", b"Title\0\0" + zlib.compress(text.encode()))))
        + b"'>"
    ),
    "name_inside.zip": lambda text: _zipped("nothing", f"{text}.svg"),
}


@pytest.mark.parametrize("who", [ID, "1234567890"], ids=["pseudonym", "raw"])
@pytest.mark.parametrize("name", ROUTES)
def test_every_kind_of_file_is_read_to_its_last_byte(tmp_path, name, who):
    (tmp_path / name).write_bytes(ROUTES[name](who))
    report = scan_folder(tmp_path, ["1234567890"])
    assert report.leaking == (name,) and who not in report.text()


def test_names_are_read_and_what_is_cut_off_counts_as_a_leak(tmp_path):
    (tmp_path / f"{ID}.txt").write_text("nothing")
    (tmp_path / "cut.docx").write_bytes(_zipped("nothing" * 50)[:60])
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"nothing" * 50)[:30])
    (tmp_path / "cut.parquet").write_bytes(_parquet("nothing")[:40])
    (tmp_path / "clean.docx").write_bytes(_zipped("nothing"))
    report = scan_folder(tmp_path)
    assert set(report.leaking) == {f"{ID}.txt", "cut.docx", "cut.gz", "cut.parquet"} and report.files_read == 5


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(BadInput, match="no folder"):
        scan_folder(tmp_path / "nowhere")
