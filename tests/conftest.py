"""Fixtures that several rooms share."""

import os

# One numerical thread: two test workers on two cores must not fight, and results must not depend on the count.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

from leapstudy.data import StudyData, load_study
from leapstudy.report.study import Study, study_all


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
