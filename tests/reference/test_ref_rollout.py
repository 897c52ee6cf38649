"""A lottery's estimators beside other packages: difference-in-differences on `mpdta`, Anderson-Rubin sets.

The figures that Roth and Sant'Anna publish for the police training (efficient, two event times, difference-in-
differences) were met to their ten digits when the estimator was written. Their data come under a license that does not
suit this project and are not here; `tests/did/test_lottery.py` holds the efficient weight to a slow twin instead.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from moments_twin import moments_of
from scipy import stats

from leapstudy.did.lottery.rollout import rollout
from leapstudy.did.lottery.visited import anderson_rubin
from leapstudy.did.staggered.att_gt import Choices, att_gt
from leapstudy.did.staggered.effects import averages
from leapstudy.students.moments.record import NEVER

pytestmark = pytest.mark.reference
DATA = Path(__file__).parent / "data"


def test_weight_one_is_callaway_and_santanna_with_those_not_yet_treated():
    rows = pd.read_csv(DATA / "mpdta.csv")
    wide = rows.pivot(index="county", columns="year", values="lemp")
    first = rows.groupby("county")["first_treat"].first().reindex(wide.index)
    start = np.where(first > 0, first - wide.columns[0], len(wide.columns)).astype(int)
    cohort = rows["first_treat"].where(rows["first_treat"] > 0, NEVER).astype(float)
    peer = moments_of(
        pd.DataFrame({"unit": rows["county"], "period": rows["year"], "y": rows["lemp"], "cohort": cohort})
    )
    expected = averages(att_gt(peer, Choices(control="not_yet")), "simple").overall
    done = rollout(wide.to_numpy(), start, adjustment="did", most=1)
    assert done.estimate == pytest.approx(expected, rel=1e-10) and done.pairs == 7


@pytest.mark.parametrize("strength", [0.8, 0.3])
def test_the_anderson_rubin_set_is_that_of_another_package(strength):
    from statspai import anderson_rubin_ci  # takes a second, which a worker without this test does without

    rng = np.random.default_rng(4)
    n, z = 300, np.repeat([0.0, 1.0], 150)
    shock = rng.normal(size=n)
    visits = strength * z + shock + rng.normal(size=n)
    y = 1.5 * visits + shock + rng.normal(size=n)
    design = np.stack([np.ones(n), z], axis=1)
    both = np.stack([y, visits], axis=1)
    beta, *_ = np.linalg.lstsq(design, both, rcond=None)
    residual = both - design @ beta
    covariance = residual.T @ residual / (n - 2) * np.linalg.inv(design.T @ design)[1, 1]
    t = float(stats.t.ppf(0.975, n - 2))
    shape, low, high = anderson_rubin(beta[1, 0], beta[1, 1], covariance, t)
    grid = np.linspace(-10, 10, 20_001)
    peer = anderson_rubin_ci(y, visits, z[:, None], beta_grid=grid)
    accepted = np.asarray(peer.in_set, dtype=bool)
    ours = (grid >= low) & (grid <= high) if shape == "bounded" else (grid <= high) | (grid >= low)
    assert (accepted != ours).sum() <= 4
