"""Answers on the real figures, made once a session."""

import pytest

from leapstudy.data import Facts, load_facts
from leapstudy.did.answering import answer_all, answer_district
from leapstudy.did.design import Spec
from leapstudy.evidence.assess import assess


@pytest.fixture(scope="session")
def facts() -> Facts:
    return load_facts()


@pytest.fixture(scope="session")
def hartford(study):
    return answer_district(study, "0640011", Spec())


@pytest.fixture(scope="session")
def pooled(study):
    return answer_all(study, Spec())


@pytest.fixture(scope="session")
def graded(study, facts, hartford, pooled):
    """Return the evidence of the two answers by code."""
    return {answer.code: assess(study, facts, answer) for answer in (hartford, pooled)}
