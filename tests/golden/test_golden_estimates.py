"""The rows of `estimates.csv` of two districts and of all together, kept to the tenth digit.

When a number moves on purpose: ``LEAPSTUDY_WRITE_GOLDEN=1 pytest tests/golden``, and say in CHANGELOG.md which moved,
by how much and why.
"""

import os
from pathlib import Path

import pandas as pd
import pytest
from estimates_file import read_estimates

from leapstudy.core.estimate import to_frame, write_estimates
from leapstudy.did.answering import answer_district
from leapstudy.did.design import Spec

HERE = Path(__file__).parent


@pytest.mark.parametrize(("slug", "code"), [("hartford", "0640011"), ("east-hartford", "0430011"), ("all", "")])
def test_estimates_are_those_kept(study, slug, code, request):
    path = HERE / f"{slug}.csv"
    answer = answer_district(study, code, Spec()) if code else request.getfixturevalue("pooled")
    found = to_frame(answer.estimates)
    if os.environ.get("LEAPSTUDY_WRITE_GOLDEN"):
        write_estimates(found, path)
    kept = read_estimates(path)
    # sup-t bands are not in these rows; shuffled labels are, with their seed
    pd.testing.assert_frame_equal(found, kept, check_dtype=False, rtol=0, atol=1e-8)
