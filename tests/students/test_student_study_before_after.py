"""The before-and-after design: by hand, against rows, and with the error of a paired mean."""

import numpy as np
import pytest
from moments_twin import moments_of, random_rows
from montecarlo import attendance, moments_of_arrays, month_numbers

from leapstudy.did.staggered.att_gt import Choices, before_after
from leapstudy.students.moments.record import NEVER, covariance
from leapstudy.students.simulate import load_config, simulate

UNIVERSAL = Choices(base="universal")


def _arrays(rows):
    wide = rows.pivot(index="unit", columns="period", values="y")
    traits = rows.groupby("unit").first()
    text = [traits[name].to_numpy(str) for name in ("district", "stratum")]
    return wide.to_numpy(float), wide.columns.to_numpy(int), traits["cohort"].to_numpy(float), *text


def test_by_hand():
    outcome = np.array([[80.0, 90.0, 100.0], [70.0, 90.0, 80.0], [50.0, 50.0, 50.0]])
    text = np.array(["d", "d", "d"])
    moments = moments_of_arrays(outcome, np.array([1, 2, 3]), np.array([2.0, 2.0, NEVER]), text, text)
    found = before_after(moments, UNIVERSAL)
    assert found.period.tolist() == [2, 3] and np.allclose(found.estimate, [15, 15])
    assert found.n_treated.tolist() == [2, 2] and found.n_comparison.tolist() == [0, 0]
    se = np.sqrt(np.diag(covariance(moments, found.influence())))
    assert np.allclose(se, np.sqrt([2 * 5**2 / 4, 2 * 5**2 / 4])), "changes 10 and 20; 20 and 10: paired, divisor n"


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_equals_the_mean_of_paired_changes_on_rows(gaps):
    rows = random_rows(1, gaps=gaps)
    found = before_after(moments_of(rows, 80), UNIVERSAL)
    wide = rows.pivot(index="unit", columns="period", values="y")
    cohort = rows.groupby("unit")["cohort"].first()
    for place, cell in enumerate(found.cells):
        change = (wide[cell.period] - wide[cell.base[0]])[cohort == cell.cohort].dropna()
        assert np.isclose(found.estimate[place], change.mean(), atol=1e-10)
        assert found.n_treated[place] == len(change)


def test_moments_from_arrays_are_those_of_the_slow_twin():
    rows = random_rows(2, gaps=0.15, districts=2, strata=2)
    fast, slow = moments_of_arrays(*_arrays(rows)), moments_of(rows, 93)

    def ordered(moments):
        keys = zip(moments.district, moments.cohort, moments.stratum, map(tuple, moments.seen), strict=True)
        return moments.where(np.array(sorted(range(moments.cells), key=list(keys).__getitem__)))

    for name in ("students", "weight", "total", "total_sq", "cross", "seen", "cohort"):
        assert np.allclose(getattr(ordered(fast), name), getattr(ordered(slow), name), atol=1e-8), name


def test_a_block_becomes_moments_of_everybody_in_it():
    config = load_config().with_changes(districts={"0640011": 200})
    block = next(simulate(config))
    months, cohort = month_numbers(config.months), month_numbers(block.cohort)
    text = np.full(200, "0640011")
    moments = moments_of_arrays(attendance(block), months, cohort, text, text)
    assert moments.students.sum() == 200 and moments.periods[0] == 12 * 2020 + 8
    assert np.isclose((moments.cohort < NEVER) @ moments.students, block.referrals.completed.sum())
    assert np.isclose(moments.total.sum() + moments.shift * block.present.sum(), np.nansum(attendance(block)))
