"""Fixtures that several rooms share."""

import gc
import os
import shutil

# One numerical thread: two test workers on two cores must not fight, and results must not depend on the count.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
import yaml

from leapstudy.core import paths
from leapstudy.data import Facts, StudyData, load_facts, load_study
from leapstudy.did.answering import answer_district
from leapstudy.did.design import Spec
from leapstudy.evidence.assess import assess
from leapstudy.study.public import Study, study_all
from leapstudy.study.student_files import stored_state


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules of slow tests: a worker that ends on one of them leaves the other idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Take all that is loaded by now out of later collections, which some libraries ask for at every call."""
    gc.freeze()


@pytest.fixture(scope="session")
def study() -> StudyData:
    """Return the real figures, loaded once a session."""
    return load_study()


@pytest.fixture(scope="session")
def whole() -> Study:
    """Return the answered question of all districts, robust bounds included: eight seconds, once a session."""
    return study_all()


@pytest.fixture(scope="session")
def pooled(whole):
    """Return the answer of all districts."""
    return whole.answer


SMALL_STATE = {"0640011": 900, "0770011": 500, "1630011": 60}
"""Students by district; the last district is too small to be shown."""


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


@pytest.fixture(scope="session")
def small_state(tmp_path_factory):
    """Return a workspace whose SIMULATED state is small, measured once."""
    root, real = tmp_path_factory.mktemp("students") / "workspace", paths.root()
    for name in ("data/raw", "params", "notebooks"):
        shutil.copytree(real / name, root / name)
    shutil.copy(real / "requirements.lock", root)
    settings = root / "params" / "simulation.yml"
    content = yaml.safe_load(settings.read_text(encoding="utf-8"))
    settings.write_text(yaml.safe_dump({**content, "districts": SMALL_STATE}), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def workspace(small_state):
    """Make the small SIMULATED state the workspace, for one module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAPSTUDY_ROOT", str(small_state))
        stored_state()
        yield small_state
