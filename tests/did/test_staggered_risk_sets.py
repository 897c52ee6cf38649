"""The at-risk-set design: by hand, against one table of moments, and student by student across risk sets."""

import numpy as np
import pandas as pd
import pytest
from moments_twin import moments_of, random_rows

from leapstudy.core.errors import BadInput
from leapstudy.did.staggered.aggregate import aggregate_influence, averages
from leapstudy.did.staggered.att_gt import NO_COMPARISON, att_gt
from leapstudy.did.staggered.choices import Choices
from leapstudy.did.staggered.risk_sets import att_gt_by_risk_set, risk_set_effects, risk_set_influence
from leapstudy.students.moments.influence import covariance
from leapstudy.students.moments.record import NEVER

BY_STRATUM = Choices(control="not_yet", base="universal", by_stratum=True)


def _at_risk(rows: pd.DataFrame, g: float, bands: bool) -> pd.DataFrame:
    """Students not visited before g; their stratum is whether the month before g was below their own mean before."""
    kept = rows[rows["cohort"] >= g]
    if not bands:
        return kept
    wide = kept.pivot(index="unit", columns="period", values="y")
    low = wide[g - 1] < wide.loc[:, : g - 1].mean(axis=1)
    return kept.assign(stratum=kept["unit"].map(low).map({True: "low", False: "high"}))


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_the_same_strata_give_what_one_table_gives(gaps):
    rows = random_rows(41, gaps=gaps, strata=2, weighted=True)
    moments = moments_of(rows, shift=80)
    sets = {g: moments.where(moments.cohort >= g) for g in (3.0, 5.0, 6.0)}
    found, plain = att_gt_by_risk_set(sets, BY_STRATUM), att_gt(moments, BY_STRATUM)
    np.testing.assert_allclose(found.estimate, plain.estimate, atol=1e-12)
    made = averages(found, moments.periods, "event")
    parts = risk_set_influence(sets, found, made)
    whole = aggregate_influence(moments, plain, averages(plain, moments.periods, "event"))
    summed = np.zeros_like(whole.slope)
    for g, part in parts.items():
        summed[:, moments.cohort >= g] += part.slope
    np.testing.assert_allclose(summed, whole.slope, atol=1e-14)


def _influence_by_student(rows: pd.DataFrame, moments, influence) -> pd.DataFrame:
    """The second pass, slowly: look up each student's cell and add ``w (intercept + slope y)``."""
    cells = {(moments.cohort[c], moments.stratum[c], tuple(moments.seen[c])): c for c in range(moments.cells)}
    found = {}
    for unit, student in rows.groupby("unit"):
        y, seen = np.zeros(len(moments.periods)), np.zeros(len(moments.periods), dtype=bool)
        place = np.searchsorted(moments.periods, student["period"])
        y[place], seen[place] = student["y"] - moments.shift, True
        first = student.iloc[0]
        c = cells[(first["cohort"], first["stratum"], tuple(seen))]
        found[unit] = first["weight"] * (influence.intercept[:, c] + influence.slope[:, c] @ y)
    return pd.DataFrame(found).T


def test_a_student_in_several_risk_sets_counts_once_with_the_sum():
    rows = random_rows(42, students=80, strata=1)
    tables = {g: _at_risk(rows, g, bands=True) for g in (3.0, 5.0, 6.0)}
    sets = {g: moments_of(table, shift=80) for g, table in tables.items()}
    found = att_gt_by_risk_set(sets, BY_STRATUM)
    made = averages(found, sets[3.0].periods, "event", events=(1, 3))
    parts = risk_set_influence(sets, found, made)
    total = sum(_influence_by_student(tables[g], sets[g], parts[g]).reindex(range(80), fill_value=0.0) for g in parts)
    variance = total.T.to_numpy() @ total.to_numpy()

    # the overall as a number of the rows alone; its influence by taking each student's weight up a little
    def overall(weight: np.ndarray) -> float:
        moved = {g: moments_of(table.assign(weight=weight[table["unit"]]), shift=80) for g, table in tables.items()}
        again = att_gt_by_risk_set(moved, BY_STRATUM)
        return averages(again, sets[3.0].periods, "event", events=(1, 3)).overall

    step = 1e-5
    for unit in range(0, 80, 20):
        one = np.zeros(80)
        one[unit] = step
        numeric = (overall(1 + one) - overall(1 - one)) / (2 * step)
        assert total.iloc[unit, -1] == pytest.approx(numeric, abs=1e-8)
    effects = risk_set_effects(found, made, variance, (60, 20))
    assert effects.se[-1] > 0 and effects.card.estimator == "cs_risk_set"
    assert np.isnan(effects.key[-1]) and effects.estimate[-1] == pytest.approx(overall(np.ones(80)))


def test_within_one_cohort_the_moments_are_enough():
    rows = random_rows(43, students=80)
    table = _at_risk(rows, 5.0, bands=True)
    moments = moments_of(table, shift=80)
    found = att_gt_by_risk_set({5.0: moments}, BY_STRATUM)
    made = averages(found, moments.periods, "event")
    part = risk_set_influence({5.0: moments}, found, made)[5.0]
    by_student = _influence_by_student(table, moments, part).to_numpy()
    np.testing.assert_allclose(covariance(moments, part), by_student.T @ by_student, atol=1e-14)


def test_history_explains_the_rebound_by_hand():
    """Nothing is done to anybody; the visited were picked in a bad month. Within the risk set's strata it vanishes."""
    rows = pd.DataFrame(
        [
            {"unit": unit, "cohort": cohort, "period": t + 1, "y": y, "stratum": stratum}
            for unit, cohort, stratum, ys in (
                ("a", 3.0, "bad", [90, 70, 90]), ("b", NEVER, "bad", [91, 71, 91]), ("c", NEVER, "good", [95, 95, 95]),
            )
            for t, y in enumerate(ys)
        ]
    )  # fmt: skip
    moments = moments_of(rows)
    plain = att_gt(moments, Choices())
    design = att_gt_by_risk_set({3.0: moments}, Choices(by_stratum=True))
    assert plain.estimate[plain.period == 3] == pytest.approx([10])
    assert design.estimate[design.period == 3] == pytest.approx([0])


def test_no_overlap_anywhere_is_an_error_in_words():
    rows = random_rows(44, cohorts=(5, NEVER))
    rows["stratum"] = np.where(rows["cohort"] == 5, "picked", "others")
    with pytest.raises(BadInput, match=NO_COMPARISON):
        att_gt_by_risk_set({5.0: moments_of(rows)}, Choices(by_stratum=True))
