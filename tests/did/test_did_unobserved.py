"""Strength of an unobserved reason: the published example, a regression that has such a reason, and properties."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from leapstudy.core.errors import BadInput
from leapstudy.did.sensitivity.bounds import strength


def explained(estimate, se, df, picked, outcome):
    """The paper's estimate and standard error with a reason taken into account that explains such shares of both."""
    bias = se * math.sqrt(df * outcome * picked / (1 - picked))
    spread = se * math.sqrt((1 - outcome) / (1 - picked) * df / (df - 1))
    return math.copysign(1, estimate) * (abs(estimate) - bias), spread


def test_the_published_example():
    """Cinelli and Hazlett (2020), table 1 and the contour plot's bounds for one to three times `female`."""
    found = strength(0.0973158, 0.0232575, 783)
    assert (found.to_zero, found.to_include_zero, found.alone) == pytest.approx((0.13878, 0.07626, 0.02187), abs=2e-5)
    published = {
        (0.00916, 0.12464): (0.0752, 0.0219),
        (0.01833, 0.24932): (0.0529, 0.0204),
        (0.0275, 0.37405): (0.0304, 0.0187),
    }
    for shares, expected in published.items():
        assert explained(0.0973158, 0.0232575, 783, *shares) == pytest.approx(expected, abs=1e-4)


def test_leaving_a_reason_out_of_a_regression_is_undone_exactly():
    """The slow twin: with the true partial shares of a reason that was left out, the long regression comes back."""
    rng = np.random.default_rng(4)
    n = 400
    reason, x = rng.normal(size=n), rng.normal(size=n)
    visited = (0.5 * reason + 0.3 * x + rng.normal(size=n) > 0).astype(float)
    y = 3 * visited + 2 * reason + x + rng.normal(size=n)
    short = sm.OLS(y, sm.add_constant(np.column_stack([visited, x]))).fit()
    long = sm.OLS(y, sm.add_constant(np.column_stack([visited, x, reason]))).fit()
    picked = sm.OLS(visited, sm.add_constant(np.column_stack([x, reason]))).fit()
    share = {
        "outcome": long.tvalues[3] ** 2 / (long.tvalues[3] ** 2 + long.df_resid),
        "picked": picked.tvalues[2] ** 2 / (picked.tvalues[2] ** 2 + picked.df_resid),
    }
    assert explained(short.params[1], short.bse[1], short.df_resid, **share) == pytest.approx(
        (long.params[1], long.bse[1])
    )


@given(st.floats(-9, 9), st.floats(0.05, 5), st.integers(10, 100_000))
def test_a_reason_of_the_robustness_value_does_what_it_says(estimate, se, df):
    found = strength(estimate, se, df)
    assert 0 <= found.to_include_zero <= found.to_zero < 1 and 0 <= found.alone <= found.to_zero
    assert explained(estimate, se, df, found.to_zero, found.to_zero)[0] == pytest.approx(0, abs=1e-6)
    assert explained(estimate, se, df, found.alone, 1.0)[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("bad", [(1.0, 0.0, 10), (1.0, 1.0, 1)])
def test_what_has_no_strength_is_refused(bad):
    with pytest.raises(BadInput):
        strength(*bad)
