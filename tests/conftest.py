"""Fixtures that several rooms share."""

import gc
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

# One numerical thread: two test workers on two cores must not fight, and results must not depend on the count. All that
# a batch would set: a kernel starts cold where these are others than its template's, which the notebooks made.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import pytest
import yaml
from filelock import FileLock
from hypothesis import settings

from leapstudy.core import paths
from leapstudy.core.cache import collect_rarely
from leapstudy.core.errors import BadInput
from leapstudy.data import Facts, StudyData, load_facts, load_study
from leapstudy.did.answering import answer_district
from leapstudy.did.design import Spec
from leapstudy.evidence.assess import assess
from leapstudy.study.public import Study, study_all, study_district
from leapstudy.study.student_files import stored_state

# Modules that take a worker longest, in the order in which they begin.
LONGEST = ("test_student_on_spark.py", "test_browser_pages.py", "test_cli_own_files.py", "test_states_pages.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the notebooks and the longest modules: a worker that ends on one leaves the other idle.

    The notebooks come first because they measure the SIMULATED state, which the browser's pages then find.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(
        key=lambda item: (
            item.path.suffix != ".ipynb",
            place.get(item.path.name, len(place)),
            item.path not in slow,
        )
    )


def pytest_configure() -> None:
    """Look for cycles as a command does, and let no test fail for the time that one of its examples took."""
    collect_rarely()
    # a machine that does other work too fails no test: what is slow is seen elsewhere
    settings.register_profile("suite", deadline=None)
    settings.load_profile("suite")


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> None:
    """Take what is loaded before a module out of its collections, which some libraries ask for at every call."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def study() -> StudyData:
    """Return the real figures, loaded once a session."""
    return load_study()


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Return a function that fills a folder of this name once a session, whichever of the workers asks first."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def filled(name: str, fill: Callable[[Path], object]) -> Path:
        with FileLock(shared / f"{name}.lock"):
            if not (shared / name).exists():
                unfinished = shared / f"{name}.part"
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                fill(unfinished)
                unfinished.rename(shared / name)
        return shared / name

    return filled


@pytest.fixture(scope="session")
def answered(once) -> Callable[[str, Callable[[], Study]], Study]:
    """Return a function that answers a question of this name once a session."""

    def answer(name: str, ask: Callable[[], Study]) -> Study:
        folder = once(name, lambda folder: (folder / "study.pickle").write_bytes(pickle.dumps(ask())))
        return pickle.loads((folder / "study.pickle").read_bytes())

    return answer


@pytest.fixture(scope="session")
def whole(answered) -> Study:
    """Return the answered question of all districts, robust bounds included."""
    return answered("whole", study_all)


@pytest.fixture(scope="session")
def hartford_study(answered) -> Study:
    """Return the answered question of one district."""
    return answered("hartford", lambda: study_district("hartford"))


@pytest.fixture(scope="session")
def pooled(whole):
    """Return the answer of all districts."""
    return whole.answer


# Students by district; the last district is too small to be shown.
SMALL_STATE = {"0640011": 900, "0770011": 500, "1630011": 60}


@pytest.fixture(scope="session")
def facts() -> Facts:
    return load_facts()


@pytest.fixture(scope="session")
def hartford(study):
    return answer_district(study, "0640011", Spec())


@pytest.fixture(scope="session")
def graded(study, facts, hartford, pooled):
    """Return the evidence of the two answers by code."""
    return {answer.code: assess(study, facts, answer) for answer in (hartford, pooled)}


def _write_small_state(root: Path) -> None:
    for name in ("data/raw", "params", "notebooks"):
        shutil.copytree(paths.root() / name, root / name)
    shutil.copy(paths.root() / "requirements.lock", root)
    settings = root / "params" / "simulation.yml"
    content = yaml.safe_load(settings.read_text(encoding="utf-8"))
    settings.write_text(yaml.safe_dump({**content, "districts": SMALL_STATE}), encoding="utf-8")


@pytest.fixture(scope="session")
def small_state(once) -> Path:
    """Return a workspace whose SIMULATED state is small, measured once by whoever asks first; nobody may change it."""
    return once("small-state", _write_small_state)


@pytest.fixture(scope="module")
def workspace(small_state):
    """Make the small SIMULATED state the workspace, for one module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAPSTUDY_ROOT", str(small_state))
        stored_state()
        yield small_state


@pytest.fixture
def lean(monkeypatch):
    """Measure a state without placebo program and robust bounds: half of the time, and files may be too short for both.

    For tests that ask what leads the pages; the two are held where the SIMULATED state is measured.
    """

    from leapstudy.study import student_estimates  # imports the engine, which most tests do without

    def too_short(*_: object) -> None:
        raise BadInput("No placebo program is asked for here.")

    monkeypatch.setattr(student_estimates, "placebo_program", too_short)
    monkeypatch.setattr(student_estimates, "headline_bounds", lambda _: None)
