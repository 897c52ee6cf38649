"""Answers on the real figures, and on a small SIMULATED state, made once a session."""

import shutil

import pytest
import yaml

from leapstudy.core import paths
from leapstudy.data import Facts, load_facts
from leapstudy.did.answering import answer_district
from leapstudy.did.design import Spec
from leapstudy.evidence.assess import assess
from leapstudy.report.pupil_state import stored_state

SMALL_STATE = {"0640011": 900, "0770011": 500, "1630011": 60}
"""Pupils by district; the last district is too small to be shown."""


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
    root, real = tmp_path_factory.mktemp("pupils") / "workspace", paths.root()
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
