"""No route leads from the handle to a row; pseudonyms are keyed; the kernel's guard stops what is left."""

import copy
import json
import os
import pickle
import warnings

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.students.engine import connect
from leapstudy.students.guard import WITHHELD, censored, holds_pseudonym, install_guard
from leapstudy.students.handle import engine_table, open_students, visit_table
from leapstudy.students.pseudonyms import KEY_FILE_VARIABLE, KEY_VARIABLE, load_key, pseudonym
from leapstudy.students.simulate import load_config, write_simulation

KEY = "correct horse battery staple and more"
CONFIG = load_config().with_changes(districts={"0640011": 300, "0770011": 4})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_simulation(tmp_path_factory.mktemp("state") / "state.parquet", CONFIG)


@pytest.fixture(scope="module")
def data(files):
    return open_students(files.panel, visits=files.visits, con=connect(threads=1))


def test_its_text_is_schema_and_counts(data):
    assert repr(data).startswith("StudentData(SIMULATED, 304 students, ") and "days_attended float64" in repr(data)
    assert not holds_pseudonym(repr(data) + str(data) + data._repr_html_() + f"{data}")


def test_small_counts_hide_in_its_text(files, tmp_path):
    rows = pd.read_parquet(files.panel)
    rows[rows["district_code"] == "0770011"].to_parquet(tmp_path / "four.parquet")
    assert "fewer than 6 students" in repr(open_students(tmp_path / "four.parquet"))


@pytest.mark.parametrize(
    "take",
    [list, iter, len, copy.copy, copy.deepcopy, pickle.dumps, lambda d: d[0], lambda d: d["student"], pd.DataFrame],
)
def test_rows_cannot_be_taken(data, take):
    with pytest.raises((BadInput, ValueError, TypeError)) as caught:
        take(data)
    assert not holds_pseudonym(str(caught.value))


def test_it_offers_no_public_way_to_a_row(data):
    assert {name for name in dir(data) if not name.startswith("_")} == {
        "has_log",
        "reports",
        "simulated",
        "size",
        "supports",
    }
    assert not holds_pseudonym(repr(engine_table(data)) + repr(visit_table(data)))


def test_cohorts_come_from_the_log_and_without_one_from_the_column(files, data):
    without = open_students(files.panel)
    assert without.size == data.size
    with pytest.raises(BadInput, match="visit log"):
        visit_table(without)


def _raw(files, folder):
    """The same files with state numbers instead of pseudonyms."""
    panel, log = pd.read_parquet(files.panel), pd.read_parquet(files.visits)
    number = {name: f"{9_000_000_000 + index}" for index, name in enumerate(panel["student"].unique())}
    panel.assign(student=panel["student"].map(number).astype("str")).to_parquet(folder / "raw.parquet")
    log.assign(student=log["student"].map(number)).to_parquet(folder / "log.parquet")
    return folder / "raw.parquet", folder / "log.parquet"


def test_raw_numbers_need_a_key_and_become_pseudonyms(files, data, tmp_path, monkeypatch):
    panel, log = _raw(files, tmp_path)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    with pytest.raises(BadInput, match="secret key"):
        open_students(panel, visits=log)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    opened = open_students(panel, visits=log)
    assert opened.size == data.size
    ids = engine_table(opened).select("student").distinct().to_pandas()["student"]
    assert set(ids) == {pseudonym(f"{9_000_000_000 + index}", KEY.encode()) for index in range(data.size.students)}
    assert all(map(holds_pseudonym, ids))


def test_a_pseudonym_depends_on_the_key_and_not_on_order():
    one, other = pseudonym("9000000001", KEY.encode()), pseudonym("9000000001", b"another key of thirty-two letters")
    assert one != other and len(one) == 12
    assert one == pseudonym("9000000001", KEY.encode())


def test_the_key_is_long_and_outside_the_workspace(tmp_path, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(BadInput, match="32 characters") as caught:
        load_key()
    assert "short" not in str(caught.value).replace("shortest", "")
    monkeypatch.delenv(KEY_VARIABLE)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(paths.root() / "pyproject.toml"))
    with pytest.raises(BadInput, match="inside the workspace"):
        load_key()
    (tmp_path / "key").write_text(KEY + "\n")
    (tmp_path / "key").chmod(0o600)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "key"))
    assert load_key() == KEY.encode()


def test_an_empty_result_is_an_error(tmp_path):
    row = ("~Paaaaaaaaaa", "0640011", "2020-09", "0", "0")
    columns = ["student", "district_code", "month", "days_enrolled", "days_attended"]
    pd.DataFrame([row], columns=columns).to_csv(tmp_path / "none.csv", index=False)
    with pytest.raises(BadInput, match="No row"):
        open_students(tmp_path / "none.csv")


def test_the_guard_censors_every_part_of_a_message_and_nothing_else():
    message = {"data": {"text/html": "<b>~Pabcdefghij</b>", "image/png": "AAAA"}, "traceback": ["ok", "~Pabcdefghij"]}
    assert censored(message) == {
        "data": {"text/html": WITHHELD, "image/png": "AAAA"},
        "traceback": ["ok", WITHHELD],
    }
    assert not install_guard()  # no kernel here


ROUTES = """
from leapstudy.students.handle import open_students, engine_table
data = open_students(PANEL)
rows = engine_table(data).limit(3).to_pandas()
data
--- html
rows
--- print
print(rows)
--- exception
raise ValueError(f"bad row {rows.student[0]}")
--- logging
import logging
logging.warning("row %s", rows.student[0])
--- warning
import warnings
warnings.warn(f"row {rows.student[0]}")
--- svg
import matplotlib.pyplot as plt
%config InlineBackend.figure_formats = ['svg']
%config InlineBackend.print_figure_kwargs = {'metadata': {'Date': None}}
plt.rcParams["svg.fonttype"] = "none"
plt.figure(figsize=(2, 1)); plt.title(rows.student[0]); plt.show()
--- engine
import ibis
ibis.options.interactive = True
engine_table(data)
--- descriptor
import os, time
os.write(1, (rows.student[0] + "\\n").encode()); time.sleep(0.5)
--- c
import ctypes
c = ctypes.CDLL(None); c.puts(rows.student[0].encode()); c.fflush(None); time.sleep(0.5)
--- child
import subprocess
subprocess.run(["echo", rows.student[0]]); time.sleep(0.5)
--- pieces
for piece in (rows.student[0][:6], rows.student[0][6:]):
    print(piece, end="", flush=True); time.sleep(0.5)
--- key
print(os.environ.get("LEAPSTUDY_STUDENT_KEY"))
--- key by file
print(open(os.environ["LEAPSTUDY_STUDENT_KEY_FILE"]).read())
--- capitals
print(rows.student[0].upper())
--- environment
print(dict(os.environ))
--- nothing found
raise KeyError({"row": {"student": rows.student[0]}})
--- chained
try:
    {}[rows.student[0]]
except KeyError as error:
    raise ValueError("bad row") from error
--- widget data
from IPython.display import display
display({"application/json": {"a": [{"b": rows.student[0]}]}, "text/plain": "row"}, raw=True)
--- metadata
display({"text/plain": "row"}, metadata={"text/plain": {"alt": rows.student[0]}}, raw=True)
--- title of a page
from IPython.display import HTML
HTML(f"<a href='?s={rows.student[0].replace('~', '%7E')}'>row</a>")
--- harmless
print(len(rows), "rows")
"""


def test_no_route_puts_a_student_into_an_executed_notebook(files, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    key_file = files.panel.parent / "key"
    key_file.write_text(KEY[::-1] + "\n")
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(key_file))
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # with it a kernel leaves descriptors 1 and 2 alone
    cells = ROUTES.replace("PANEL", repr(str(files.panel))).split("\n---")
    names = ["handle", *(cell.split("\n")[0].strip() for cell in cells[1:])]
    sources = [cells[0], *(cell.split("\n", 1)[1] for cell in cells[1:])]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        NotebookClient(
            book, timeout=120, allow_errors=True, resources={"metadata": {"path": os.fspath(files.panel.parent)}}
        ).execute()
    outputs = dict(zip(names, (json.dumps(cell["outputs"]) for cell in book.cells), strict=True))
    told = json.dumps([cell["outputs"] for cell in book.cells])
    assert not holds_pseudonym(json.dumps(book["cells"])) and KEY not in told and KEY[::-1] not in told
    assert "SIMULATED" in outputs["handle"] and "3 rows" in outputs["harmless"]
    silent = [name for name, text in outputs.items() if name not in ("handle", "harmless") and "withheld" not in text]
    assert silent == []
