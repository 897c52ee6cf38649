"""However long an output is, a batch ends in bounded time and hears signals meanwhile."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, new_output
from rich.console import Console

from leapstudy.batch.batch import run_batch
from leapstudy.batch.engine import settle_streams, settled
from leapstudy.batch.job import Run

QUIET = Console(quiet=True)


def _slow(text):
    """The patterns of nbclient, which are right and take forever."""
    while "\b" in text:
        new = re.sub(r"[^\n]\x08", "", text)
        text = re.sub(r"(?<![^\n\r])\x08", "", new) if new == text else new
    return re.sub(r".*\r(?=[^\n\r])", "", text)


@given(st.text(alphabet="ab\n\r", max_size=40))
def test_a_settled_text_is_what_the_slow_patterns_give(text):
    assert settled(text) == _slow(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("10%\r20%\r100%\nend", "100%\nend"), ("ab\bc", "ac"), ("\b\bx", "x"), ("kept\r\n", "kept\r\n"), ("", "")],
)
def test_overwritten_text_is_gone(text, shown):
    assert settled(text) == shown


def test_neighbors_of_one_stream_are_joined_and_nothing_else_is():
    stream = lambda name, text: new_output("stream", name=name, text=text)  # noqa: E731
    picture = new_output("display_data", data={"text/plain": "x"})
    outputs = [
        stream("stdout", "a"),
        stream("stdout", "b\n"),
        stream("stderr", "c"),
        picture,
        picture,
        stream("stdout", "d"),
    ]
    notebook = new_notebook(cells=[new_code_cell("1", outputs=outputs)])
    settle_streams(notebook)
    assert [output.get("text", "-") for output in notebook.cells[0].outputs] == ["ab\n", "c", "-", "-", "d"]


LONG = (
    "print('x' * 6_000_000)",
    "print('\\r' * 3_000_000 + 'x')",
    "print('x\\b' * 1_000_000)",
    "print('\\n' * 1_000_000)",
    "from IPython.display import HTML\nHTML('<figure class=\"exhibit\">' * 60_000)",
    "from IPython.display import HTML\nHTML('<table><tr><td>' + '\\n ' * 400_000)",
    "from IPython.display import Markdown\nMarkdown('[' * 100_000)",
)


@pytest.mark.slow
def test_a_long_output_hangs_nobody(workspace, notebook_writer, light_kernel):
    path = workspace / "notebooks" / "61_long.ipynb"
    notebook_writer(path, ('result_path = ""', *LONG))
    run, start = Run("61-long", path, {"result_path": ""}, "Long?"), time.monotonic()
    batch = run_batch([run], workspace / "reports", 1, console=QUIET)
    assert not batch.failed and time.monotonic() - start < 15 * len(LONG)
    page = (workspace / "reports" / "61-long" / "notebook.html").read_text(encoding="utf-8")
    assert "x" * 6_000_000 in page and "[" * 100_000 in page, "everything is there"
