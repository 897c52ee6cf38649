"""JupyterLab as a person meets it: opened by `make lab`'s own command in a fresh place, every cell run,
a choice made.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from leapstudy.bootstrap import TASKS
from leapstudy.core import paths
from leapstudy.core.phrases import number
from leapstudy.did.answering import answer_district
from leapstudy.did.design import Spec

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TOKEN = "only-for-this-test"
NOTEBOOKS = ("10_district", "40_explore")
SECONDS = 120
ERRORS = '[data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"]'
SENTENCE = re.compile(r"changed ([\d.]+) percentage points (?:more|less) than in (\d+) comparison districts")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Return a copy of the workspace whose notebooks hold no outputs: what the browser sees was made there."""
    root, real = tmp_path_factory.mktemp("lab"), paths.root()
    for name in ("data/raw", "params"):
        shutil.copytree(real / name, root / name)
    shutil.copy(real / "requirements.lock", root)
    (root / "notebooks").mkdir()
    for name in NOTEBOOKS:
        notebook = nbformat.read(real / "notebooks" / f"{name}.ipynb", as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
                if name == "40_explore":  # a researcher looks at one district
                    cell.source = cell.source.replace('district = "all-districts"', 'district = "east-hartford"')
        nbformat.write(notebook, root / "notebooks" / f"{name}.ipynb")
    return root


@pytest.fixture(scope="module")
def environment(workspace, tmp_path_factory):
    """Return an environment in which Jupyter finds nothing that somebody has set up before."""
    fresh = tmp_path_factory.mktemp("jupyter")
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    return {**os.environ, **{name: str(fresh / name.lower()) for name in names}, "LEAPSTUDY_ROOT": str(workspace)}


@pytest.fixture(scope="module")
def lab(workspace, environment):
    """Start JupyterLab as `make lab` does and return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--no-browser", f"--port={port}", "--port-retries=0", f"--IdentityProvider.token={TOKEN}"]
    options += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    _, (command,) = TASKS["lab"]
    log = (workspace / "lab.log").open("w", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, *command, *options], env=environment, stdout=log, stderr=log, start_new_session=True
    )
    try:
        yield _answering(f"http://127.0.0.1:{port}", process, workspace / "lab.log")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)
        log.close()


def _answering(address, process, log):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            assert _asked(address, "status")["kernels"] == 0
            return address
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.fixture
def opened(chromium, lab):
    """Return a function that opens a notebook in a context of its own and runs all its cells."""
    contexts = []

    def open_notebook(name):
        context = chromium.new_context(viewport={"width": 1400, "height": 1000})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.goto(f"{lab}/lab/tree/notebooks/{name}.ipynb?token={TOKEN}&reset", wait_until="domcontentloaded")
        page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
        _wait_for_kernel(lab, len(contexts))
        page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
        return page

    yield open_notebook
    for context in contexts:
        context.close()
    for kernel in _asked(lab, "kernels"):
        urllib.request.urlopen(
            urllib.request.Request(f"{lab}/api/kernels/{kernel['id']}?token={TOKEN}", method="DELETE")
        )


def _asked(lab, what):
    with urllib.request.urlopen(f"{lab}/api/{what}?token={TOKEN}", timeout=10) as answer:
        return json.load(answer)


def _wait_for_kernel(lab, count):
    """Wait until the page's kernel listens: what is sent to an unborn one makes JupyterLab start a second."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError):  # a server that is starting a kernel may not know yet what to say of it
            kernels = _asked(lab, "kernels")
            if len(kernels) == count and all(
                item["connections"] and item["execution_state"] == "idle" for item in kernels
            ):
                return
        time.sleep(0.1)
    raise AssertionError("no kernel came up")


def _in_sight(cells):
    """Return the code cells whose number can be seen: under no folded heading, and with their source open."""
    folded, shown = 0, []
    for cell in cells:
        level = len(cell.source) - len(cell.source.lstrip("#")) if cell.cell_type == "markdown" else 0
        if level and (not folded or level <= folded):
            folded = level if cell.metadata.get("jp-MarkdownHeadingCollapsed") else 0
        hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        if cell.cell_type == "code" and not folded and not hidden:
            shown.append(cell)
    return shown


def finished(page, workspace, name):
    """Wait until every code cell in sight has run, and return how many there are."""
    code = len(_in_sight(nbformat.read(workspace / "notebooks" / f"{name}.ipynb", as_version=4).cells))
    page.wait_for_function(
        "(count) => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]"
        ".filter((prompt) => /^\\[\\d+\\]:$/.test(prompt.textContent)).length >= count",
        arg=code,
    )
    return code


def _runs_to_the_end(page, workspace, name):
    assert finished(page, workspace, name) >= 2
    assert page.locator(ERRORS).count() == 0, page.locator(ERRORS).all_inner_texts()
    pictures = page.locator(".jp-OutputArea-output figure img")
    assert pictures.count() >= 1
    assert pictures.last.evaluate("(item) => item.decode().then(() => item.naturalWidth)") > 300
    assert len(pictures.last.get_attribute("alt")) >= 30


def test_a_choice_moves_the_number_to_what_the_study_gives(opened, workspace, study):
    """As the command line does: tests/cli/test_cli_recipes.py."""
    page = opened("40_explore")
    _runs_to_the_end(page, workspace, "40_explore")
    before = SENTENCE.search(page.locator(".jp-OutputArea-output p", has_text=SENTENCE).first.inner_text())
    assert before.group(2) == "19"
    page.get_by_text("There is no batch yet").wait_for()
    page.get_by_label("Compared with").select_option(label="all districts without LEAP")
    page.get_by_text(re.compile(r"points (more|less) than in 18\d comparison districts")).wait_for()
    after = SENTENCE.search(page.locator(".jp-OutputArea-output p", has_text=SENTENCE).first.inner_text())
    page.get_by_text("leapstudy run east-hartford --set comparison=others").wait_for()
    main = answer_district(study, "0430011", Spec(comparison="others")).main
    assert after.groups() == (number(abs(main.estimate_pp)), str(main.n_comparison))
    assert after.group(1) != before.group(1)
    _walks_by_keyboard(page)
    _saves_on_request(page, workspace)


def _walks_by_keyboard(page):
    said = page.locator(".jp-OutputArea-output p", has_text=re.compile(r"^Point \d+ of")).first
    place = int(re.search(r"Point (\d+)", said.inner_text()).group(1))
    page.locator(".noUi-handle").last.focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_text(re.compile(rf"^Point {place - 1} of")).first.wait_for()


def _saves_on_request(page, workspace):
    path = workspace / "params" / "districts" / "east-hartford.yml"
    assert not path.exists()
    page.get_by_label("Reason").fill("asked by the board")
    page.get_by_label("Reason").press("Tab")
    page.get_by_role("button", name="Save as parameters").click()
    page.get_by_text("Saved as params/districts/east-hartford.yml").wait_for()
    assert "asked by the board" in path.read_text(encoding="utf-8")
