"""The attrition boundary of a randomized rollout."""

import pytest
from scipy import optimize, stats

from leapstudy.core.errors import BadInput
from leapstudy.evidence.standards import HIGHEST_DIFFERENTIAL, HIGHEST_OVERALL, attrition


def _bias(weights, overall, differential):
    """Deke and Chiang 2017: outcomes of those who stay are shifted by a weight times the inverse Mills ratio."""

    def shift(stay):
        return stats.norm.pdf(stats.norm.ppf(stay)) / stay

    more, less = overall + differential / 2, overall - differential / 2
    return weights[0] * shift(1 - more) - weights[1] * shift(1 - less)


def test_the_table_is_one_curve_of_the_published_bias_model():
    # Below 8% overall the table goes on where the model's sides would have negative attrition. Two weights have to
    # carry all other 50 entries; a slip of 0.2 points in one of them moves its bias by more than 0.001 sd. Rounding
    # to 0.1 points leaves up to 0.0005.
    assert HIGHEST_OVERALL == 57
    rows = [(o / 100, HIGHEST_DIFFERENTIAL[o] / 100) for o in range(8, HIGHEST_OVERALL + 1)]
    fit = optimize.least_squares(lambda w: [_bias(w, o, d) - 0.05 for o, d in rows], x0=[0.3, 0.25])
    assert max(abs(fit.fun)) < 6e-4


def test_attrition_by_hand():
    # 10% and 16% lost: overall 13, differential 6; the table allows 6.1 there
    found = attrition(100, 90, 100, 84)
    assert found.overall_pct == pytest.approx(13.0)
    assert found.differential_pct == pytest.approx(6.0)
    assert (found.limit_pct, found.low) == (6.1, True)
    assert not attrition(100, 90, 100, 83).low


def test_between_two_percents_the_stricter_limit_holds():
    # 20.5% overall: 5.4 at 20, 5.3 at 21
    assert attrition(1000, 795, 1000, 795).limit_pct == 5.3
    # 1.5% overall: 5.8 at 1, 5.9 at 2
    assert attrition(1000, 985, 1000, 985).limit_pct == 5.8


def test_attrition_refuses_impossible_counts_and_rates_beyond_the_table():
    with pytest.raises(BadInput, match="number assigned"):
        attrition(100, 101, 100, 90)
    with pytest.raises(BadInput, match="beyond the table"):
        attrition(100, 40, 100, 40)
