"""Files broken in every way we could think of: whatever is said or written of them holds no cell of a student's row."""

import gzip
import io
import shutil
import sys
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from own_files import NAMES, students, write_pair, write_settings

from leapstudy import cli
from leapstudy.core import paths

pytestmark = pytest.mark.slow

KEY = "an invented key of forty characters, no more"
PERSON = "Quispe Mamani"
WORD = "Zarzuela"
# What stands in cells and nowhere else: the beginning of every id, a name, a word, a number of days, a school.
TELLTALES = ("Zq81tt", PERSON, "Quispe", WORD, "13.0625", "Qx77tt")


def _pair() -> tuple[pd.DataFrame, pd.DataFrame]:
    rows, log = students({"0640011": 40})
    rows = rows[rows["month"] >= "2021-08"]
    for frame in (rows, log):
        frame["student"] = "Zq81tt" + frame["student"]
    rows["school_code"] = "Qx77tt" + rows["school_code"]
    rows["days_attended"] = rows["days_attended"].astype(float)
    rows.loc[rows.index[::7], "days_attended"] = 13.0625
    rows["comment"] = PERSON
    return rows, log


Lines = list[str]


def _cells(change: Callable[[list[str]], list[str]], header: bool = False) -> Callable[[Lines], bytes]:
    def changed(lines: Lines) -> bytes:
        kept = [lines[0]] if not header else []
        return "\n".join(kept + [",".join(change(line.split(","))) for line in lines[len(kept) :]]).encode()

    return changed


def _text(change: Callable[[Lines], Lines]) -> Callable[[Lines], bytes]:
    return lambda lines: "\n".join(change(lines)).encode()


def _swapped(lines: Lines) -> Lines:
    """Exchange the names of the first two columns, so that ids stand under the district code."""
    first, second, *rest = lines[0].split(",")
    return [",".join([second, first, *rest]), *lines[1:]]


def _each_line(*changes: Callable[[list[str]], list[str]]) -> Callable[[Lines], bytes]:
    """Change every line below the header in the next of several ways."""

    def changed(lines: Lines) -> bytes:
        rows = (",".join(changes[k % len(changes)](line.split(","))) for k, line in enumerate(lines[1:]))
        return "\n".join([lines[0], *rows]).encode()

    return changed


def _where(chosen: Callable[[str], bool], change: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    return lambda cells: [change(cell) if chosen(cell) else cell for cell in cells]


def _number(cell: str) -> bool:
    return cell.replace(".", "").isdigit()


def _date(cell: str) -> bool:
    return cell.count("-") == 2


def _id(cell: str) -> bool:
    return cell.startswith("Zq81tt")


MUTATORS: dict[str, Callable[[Lines], bytes]] = {
    "no header": _text(lambda lines: lines[1:]),
    "a name above the header": _text(lambda lines: [PERSON, *lines]),
    "a name in two cells above the header": _text(lambda lines: ["Quispe,Mamani", *lines]),
    "shifted to the left": _cells(lambda cells: [*cells[1:], ""]),
    "a cell too few": _cells(lambda cells: cells[1:]),
    "a cell too many": _cells(lambda cells: [*cells, WORD]),
    "reversed": _cells(lambda cells: cells[::-1]),
    "every line broken in another way": _each_line(
        lambda cells: ["", *cells[:-1]],
        lambda cells: [cells[0], cells[1] + '"', *cells[2:]],
        lambda cells: [f"'{cell}'" for cell in cells],
        _where(_number, lambda _: WORD),
        _where(_number, lambda cell: cell + "9" * 400),
        _where(_number, lambda _: "nan"),
        _where(_date, lambda _: WORD),
        _where(_date, lambda cell: "/".join(cell.split("-")[::-1])),
        _where(_date, lambda _: "0000-13-45"),
    ),
    "ids as district codes": _text(_swapped),
    "joined with a wider export": _text(
        lambda lines: [*lines, lines[0] + ",more", *(x + f",{WORD}" for x in lines[1:])]
    ),
    "joined with itself": _text(lambda lines: [*lines, *lines]),
    "a quotation mark that does not close": _text(lambda lines: [*lines[:3], '"' + lines[3], *lines[4:]]),
    "semicolons in the header only": _text(lambda lines: [lines[0].replace(",", ";"), *lines[1:]]),
    "semicolons below the header": _text(lambda lines: [lines[0], *(x.replace(",", ";") for x in lines[1:])]),
    "pipes": _text(lambda lines: [x.replace(",", "|") for x in lines]),
    "carriage returns": lambda lines: "\r".join(lines).encode(),
    "UTF-16": lambda lines: "\n".join(lines).encode("utf-16"),
    "another code page": lambda lines: "\n".join([lines[0], *(x + "é" for x in lines[1:])]).encode("cp1252"),
    "NUL bytes": lambda lines: "\n".join([*lines[:5], lines[5] + "\0", *lines[6:]]).encode(),
    "cut off": lambda lines: "\n".join(lines).encode()[:-9],
    "a word for each flag and type": _cells(
        lambda cells: [WORD if cell in ("Y", "N", "phone") else cell for cell in cells]
    ),
    "header in every line": _text(lambda lines: [line for row in lines[1:] for line in (lines[0], row)]),
    "ids in the header": _text(lambda lines: [lines[0] + "," + lines[1].split(",")[0], *(x + "," for x in lines[1:])]),
    "one name for two columns": _text(
        lambda lines: [lines[0] + "," + lines[0].split(",")[0], *(x + "," for x in lines[1:])]
    ),
    "one enormous cell": _text(lambda lines: [*lines, WORD * 20_000 + lines[1]]),
}

DATES = ("{2}.{1}.{0}", "{1}/{2}/{0}", "{0}{1}{2}", "{2} Sept {0}")


def _four_dates(lines: Lines) -> Lines:
    """Write each line's dates in another of four ways."""
    return [
        lines[0],
        *(
            ",".join(DATES[k % 4].format(*cell.split("-")) if _date(cell) else cell for cell in line.split(","))
            for k, line in enumerate(lines[1:])
        ),
    ]


def _ids(change: Callable[[str], str]) -> Callable[[Lines], bytes]:
    return _cells(_where(_id, change))


# What is not in `MUTATORS` because nobody thought of it: found by attack.
SHAPES: dict[str, Callable[[Lines], bytes]] = {
    "a byte order mark in the middle": lambda lines: b"\n".join(
        (b"\xef\xbb\xbf" if k == 5 else b"") + line.encode() for k, line in enumerate(lines)
    ),
    "UTF-16 without a mark": lambda lines: "\n".join(lines).encode("utf-16-le"),
    "UTF-32": lambda lines: "\n".join(lines).encode("utf-32"),
    "the header in line 3": _text(lambda lines: [PERSON, "", *lines]),
    "the header below ten rows": _text(lambda lines: [*lines[1:11], lines[0], *lines[11:]]),
    "two headers": _text(lambda lines: [lines[0], lines[0], *lines[1:]]),
    "two headers that differ": _text(lambda lines: [",".join([WORD] * len(lines[0].split(","))), *lines]),
    "a line of ten million": _text(lambda lines: [*lines[:3], lines[3] + "," + WORD * 1_250_000, *lines[4:]]),
    "dates in four ways": _text(_four_dates),
    "ids with line breaks": _ids(lambda cell: f'"{cell[:8]}\n{cell[8:]}"'),
    "ids with pictures, from right to left, as formulas and as markup": _each_line(
        _where(_id, lambda cell: cell + "\U0001f600"),
        _where(_id, lambda cell: "\u202e" + cell + "\u200b"),
        _where(_id, lambda cell: f"=HYPERLINK({cell})"),
        _where(_id, lambda cell: f"<img src=x alt={cell}> [bold]%s{{0}}"),
    ),
    "NUL in every id": _ids(lambda cell: cell[:8] + "\0" + cell[8:]),
    "lone surrogates": lambda lines: "\n".join(lines).encode().replace(b"Zq81tt", b"\xed\xa0\x80Zq81tt"),
    "nothing but a header": _text(lambda lines: lines[:1]),
    "nothing but ids": _text(lambda lines: [next(c for c in line.split(",") if "Zq81" in c) for line in lines[1:]]),
    "JSON": _text(lambda lines: ["[", *(f'{{"{PERSON}": "{line}"}},' for line in lines[1:]), "{}]"]),
    "a web page": _text(lambda lines: ["<table>", *(f"<tr><td>{line}</td></tr>" for line in lines), "</table>"]),
    "a workbook with another name": lambda lines: _zip("\n".join(lines).encode(), "xl/worksheets/sheet1.xml"),
    "one byte": lambda _: b"Z",
    "empty": lambda _: b"",
    "only line breaks": lambda _: b"\n" * 500,
}


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """Return a workspace, the folder of its student files, and both files' lines."""
    root, real = tmp_path_factory.mktemp("broken") / "workspace", paths.root()
    for name in ("data/raw", "params", "notebooks"):
        shutil.copytree(real / name, root / name)
    shutil.copy(real / "requirements.lock", root)
    folder = root.parent / "private"
    settings = write_pair(folder, *_pair())
    write_settings(
        root, **{**settings, "columns": {k: v for k, v in NAMES.items() if k != "school_code"} | {"school_code": "Sch"}}
    )
    return root, folder, {name: (folder / name).read_text().splitlines() for name in ("attendance.csv", "visits.csv")}


@pytest.fixture
def said(private, monkeypatch, capfd):
    """Return a function that gives a command and returns its exit code and all that it said, tracebacks included."""
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(private[0]))
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", KEY)

    def command(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["leapstudy", *arguments])
        code, failure = 0, ""
        try:
            cli.main()
        except SystemExit as end:
            code, failure = int(end.code or 0), traceback.format_exc()
        except BaseException:
            code, failure = 70, traceback.format_exc()
        out, err = capfd.readouterr()
        return code, out + err + failure

    return command


def _written(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and "raw" not in path.parts)
    return {f"{path.name} {path}": path.read_bytes() for path in files}


def _require_no_cell(text: str, root: Path, where: str) -> None:
    written = _written(root)
    for tale in TELLTALES:
        assert tale not in text, (
            f"{where}: a cell was said: {text[max(0, text.find(tale) - 200) : text.find(tale) + 40]}"
        )
        held = [name for name, content in written.items() if tale.encode() in content or tale in name]
        assert not held, f"{where}: a cell was written to {held}"


def _broken(private, name: str, command: Callable[[], tuple[int, str]], mutators=MUTATORS) -> dict[str, int]:
    """Give the command for each mutation of one file; return its exit codes, no cell having been said or written."""
    root, folder, lines = private
    codes = {}
    for mutation, mutate in mutators.items():
        (folder / name).write_bytes(mutate(lines[name]))
        codes[mutation], told = command()
        _require_no_cell(told, root, f"{name}, {mutation}")
    (folder / name).write_text("\n".join(lines[name]))
    return codes


HARMLESS = {"pipes", "carriage returns", "a word for each flag and type", "cut off"}


def test_no_cell_of_a_broken_attendance_file_is_ever_said_or_written(private, said):
    codes = _broken(private, "attendance.csv", lambda: said("check", str(private[1] / "attendance.csv")))
    assert codes == {mutation: 0 if mutation in HARMLESS else 2 for mutation in MUTATORS}


def test_a_run_says_and_writes_no_cell_either(private, said, monkeypatch):
    """A run refuses by the same counts: one file each that ends at the header, at the rows, and not at all."""
    monkeypatch.setattr("leapstudy.batch.batch.run_batch", _no_kernel)
    monkeypatch.setattr(cli, "_warm_up", lambda: None)
    asked = {"no header": 2, "reversed": 2, "cut off": NO_KERNEL}
    mutators = {mutation: MUTATORS[mutation] for mutation in asked}
    assert _broken(private, "attendance.csv", lambda: said("run", "--track", "students"), mutators) == asked


def test_no_cell_of_a_broken_visit_log_is_ever_said_or_written(private, said):
    log = private[1] / "visits.csv"
    codes = _broken(private, "visits.csv", lambda: said("check", str(log)))
    # without the attendance nothing tells that an id is none, and the district is not read from the log
    harmless = {"pipes", "carriage returns", "a quotation mark inside", "a word for each number", "joined with itself"}
    assert {mutation for mutation, code in codes.items() if code == 0} <= harmless | {"ids as district codes"}
    assert set(codes.values()) == {0, 2}


def test_no_cell_of_a_file_of_an_odd_shape_is_ever_said_or_written(private, said):
    codes = _broken(private, "attendance.csv", lambda: said("check", str(private[1] / "attendance.csv")), SHAPES)
    usable = {shape for shape in SHAPES if shape.startswith("ids ")} | {"a byte order mark in the middle"}
    assert codes == {shape: 0 if shape in usable else 2 for shape in SHAPES}


def _parquet(rows: pd.DataFrame) -> bytes:
    kept = io.BytesIO()
    rows.to_parquet(kept)
    return kept.getvalue()


def _zip(content: bytes, name: str = "attendance.csv") -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr(name, content)
    return kept.getvalue()


PACKAGES: dict[str, Callable[[pd.DataFrame, bytes], bytes]] = {
    "no header.csv.gz": lambda _, text: gzip.compress(text.split(b"\n", 1)[1]),
    "cut off.csv.gz": lambda _, text: gzip.compress(text)[:-40],
    "not compressed.csv.gz": lambda _, text: text,
    "compressed.csv": lambda _, text: gzip.compress(text),
    "an archive.csv": lambda _, text: _zip(text),
    "text.parquet": lambda _, text: text,
    "a table.csv": lambda rows, _: _parquet(rows),
    "cut off.parquet": lambda rows, _: _parquet(rows)[:-60],
    "days as words.parquet": lambda rows, _: _parquet(rows.assign(**{"Days Present": WORD})),
    "months as words.parquet": lambda rows, _: _parquet(rows.assign(**{"Reporting Month": WORD})),
    "ids in lists.parquet": lambda rows, _: _parquet(rows.assign(SASID=[[item] for item in rows["SASID"]])),
    "ids as bytes.parquet": lambda rows, _: _parquet(rows.assign(SASID=rows["SASID"].str.encode("utf-8"))),
    "a record in a cell.parquet": lambda rows, _: _parquet(
        rows.assign(**{"Membership Days": [{"name": PERSON, "days": 18}] * len(rows)})
    ),
    "ids as names of columns.parquet": lambda rows, _: _parquet(
        rows.drop_duplicates("SASID").head(9).set_index("SASID").T.astype(str)
    ),
    "fixed width.txt": lambda _, text: text.replace(b",", b"  "),
}


def test_no_cell_of_a_broken_package_is_ever_said_or_written(private, said):
    root, folder, lines = private
    text = "\n".join(lines["attendance.csv"]).encode()
    codes = dict.fromkeys(("SASID", "Reporting District", "Sch", "Grade Level"), "str")
    rows = pd.read_csv(io.BytesIO(text), dtype=codes, parse_dates=["Reporting Month"])
    (folder / "whole.parquet").write_bytes(_parquet(rows))
    (folder / "whole.csv.gz").write_bytes(gzip.compress(text))
    for name in ("whole.parquet", "whole.csv.gz"):
        code, told = said("check", str(folder / name))
        assert code == 0, told
        (folder / name).unlink()
    for name, write in PACKAGES.items():
        (folder / name).write_bytes(write(rows, text))
        code, told = said("check", str(folder / name))
        _require_no_cell(told, root, name)
        assert code == 2, f"{name} is no attendance file, and check ends with {code}"
        (folder / name).unlink()


NO_KERNEL = 99


def _no_kernel(*_: object, **__: object) -> None:
    """Stand for the batch: what is asked here is over before the first kernel."""
    raise SystemExit(NO_KERNEL)
