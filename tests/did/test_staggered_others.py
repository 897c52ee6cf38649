"""Two-way fixed effects, Sun-Abraham, imputation, stacked and Goodman-Bacon: by hand, by slow twins, by invariance."""

import numpy as np
import pandas as pd
import pytest
from moments_twin import moments_of, random_rows

from leapstudy.core.errors import BadInput
from leapstudy.did.staggered.bacon import bacon
from leapstudy.did.staggered.imputation import imputation
from leapstudy.did.staggered.stacked import stacked
from leapstudy.did.staggered.sun_abraham import sun_abraham
from leapstudy.did.staggered.twfe import event_study, twfe
from leapstudy.students.moments.influence import covariance
from leapstudy.students.moments.record import NEVER

ESTIMATORS = {
    "twfe": twfe,
    "event_study": event_study,
    "sun_abraham": sun_abraham,
    "imputation": imputation,
    "stacked": lambda moments: stacked(moments, (-2, 2)),
    "stacked plain": lambda moments: stacked(moments, (-2, 2), control="never", weights="none"),
}


@pytest.fixture(params=list(ESTIMATORS), scope="module")
def estimator(request):
    return ESTIMATORS[request.param]


@pytest.fixture(scope="module")
def by_hand():
    """Two students a cohort, three months: cohort 2 rises by 4 at once, cohort 3 by 6, months rise by 1."""
    rows = [
        {"unit": f"{cohort}{who}", "cohort": cohort, "period": t, "y": 10 * who + t + effect * (t >= cohort)}
        for cohort, effect in ((2, 4.0), (3, 6.0), (NEVER, 0.0))
        for who in (1, 2)
        for t in (1, 2, 3)
    ]
    return moments_of(pd.DataFrame(rows))


def test_effects_that_are_there_are_found_by_hand(by_hand):
    found = sun_abraham(by_hand)
    assert dict(zip(found.key[:-1], found.estimate, strict=False)) == pytest.approx({-2: 0, 0: 5, 1: 4})
    assert found.estimate[-1] == pytest.approx((4 + 4 + 6) / 3)
    imputed = imputation(by_hand)
    assert imputed.estimate == pytest.approx([5, 4, (4 + 4 + 6) / 3]) and imputed.imputed_share == 1
    # without noise nothing is uncertain, also where effects differ by cohort
    np.testing.assert_allclose(covariance(by_hand, found.influence), 0, atol=1e-20)
    np.testing.assert_allclose(covariance(by_hand, imputed.influence), 0, atol=1e-20)
    assert stacked(by_hand, (-1, 0)).estimate == pytest.approx([5, 5])


def test_two_way_fixed_effects_weights_by_hand(by_hand):
    table = bacon(by_hand).set_index(["kind", "treated"])
    # cohort shares 1/3 each, visited in 2/3 and 1/3 of the months: each product is 2/9, 2/9, 1/9, 1/9 of 1/9
    assert table.loc[("treated vs never", 2.0), ["weight", "estimate_pp"]].tolist() == pytest.approx([1 / 3, 4])
    assert table.loc[("treated vs never", 3.0), ["weight", "estimate_pp"]].tolist() == pytest.approx([1 / 3, 6])
    assert table.loc[("earlier vs later", 2.0), ["weight", "estimate_pp"]].tolist() == pytest.approx([1 / 6, 4])
    assert table.loc[("later vs earlier", 3.0), ["weight", "estimate_pp"]].tolist() == pytest.approx([1 / 6, 6])
    assert twfe(by_hand).estimate[0] == pytest.approx(5)


def _dummies(rows: pd.DataFrame, column: str) -> np.ndarray:
    return pd.get_dummies(rows[column]).to_numpy(dtype=float)


def test_two_way_fixed_effects_agrees_with_the_slow_twin():
    rows = random_rows(21, students=60, gaps=0.2, weighted=True)
    visited = (rows["period"] >= rows["cohort"]).to_numpy(dtype=float)
    x = np.column_stack([visited, _dummies(rows, "unit"), _dummies(rows, "period")])
    w, y = rows["weight"].to_numpy(), rows["y"].to_numpy()
    bread = np.linalg.pinv((x * w[:, None]).T @ x)
    b = bread @ ((x * w[:, None]).T @ y)
    scores = pd.DataFrame(x * (w * (y - x @ b))[:, None]).groupby(rows["unit"].to_numpy()).sum().to_numpy()
    moments = moments_of(rows, shift=80)
    found = twfe(moments)
    assert found.estimate[0] == pytest.approx(b[0], abs=1e-10)
    influence = scores @ bread[0]
    assert covariance(moments, found.influence)[0, 0] == pytest.approx(influence @ influence, rel=1e-9)
    assert (found.observations, found.parameters) == (len(rows), 1 + 8)


def test_imputation_agrees_with_the_slow_twin():
    rows = random_rows(22, students=60, gaps=0.2, weighted=True)
    after = (rows["period"] >= rows["cohort"]).to_numpy()
    kept = after & rows["unit"].isin(rows["unit"][~after]).to_numpy()
    x = np.column_stack([_dummies(rows, "unit"), _dummies(rows, "period")])
    w, y = rows["weight"].to_numpy(), rows["y"].to_numpy()
    untreated = np.where(after, 0.0, w)
    bread = np.linalg.pinv((x * untreated[:, None]).T @ x)
    b = bread @ ((x * untreated[:, None]).T @ y)
    target = np.where(kept, w, 0) / w[kept].sum()
    v = target - untreated * (x @ bread @ (x.T @ target))
    tau = y - x @ b
    groups = rows.assign(top=v**2 * tau, mass=v**2)[kept].groupby(["cohort", "period"])[["top", "mass"]].sum()
    mean = (groups["top"] / groups["mass"]).reindex(pd.MultiIndex.from_frame(rows[["cohort", "period"]])).fillna(0)
    residual = np.where(kept, tau - mean.to_numpy(), np.where(after, 0, tau))
    by_student = pd.Series(v * residual).groupby(rows["unit"].to_numpy()).sum().to_numpy()
    moments = moments_of(rows, shift=80)
    found = imputation(moments)
    assert found.estimate[-1] == pytest.approx(target @ tau, abs=1e-10)
    assert covariance(moments, found.influence)[-1, -1] == pytest.approx(by_student @ by_student, rel=1e-8)
    assert found.imputed_share == pytest.approx(w[kept].sum() / w[after].sum())


def _fit(estimator, rows, shift=80.0):
    moments = moments_of(rows, shift)
    found = estimator(moments)
    return found, covariance(moments, found.influence)


def test_what_must_not_move_it(estimator):
    rows = random_rows(23, students=80, gaps=0.1, districts=3)
    found, variance = _fit(estimator, rows)
    unit = pd.Series(np.random.default_rng(0).normal(0, 9, rows["unit"].nunique()))
    for name, other, factor in (
        ("student and month effects", rows.assign(y=rows["y"] + rows["unit"].map(unit) + rows["period"] ** 2), 1),
        ("row order", rows.sample(frac=1, random_state=3), 1),
        ("how students are cut into cells", rows.assign(stratum=rows["unit"] % 3), 1),
        ("scale", rows.assign(y=-3 * rows["y"]), -3),
    ):
        moved, moved_variance = _fit(estimator, other)
        np.testing.assert_allclose(moved.estimate, factor * found.estimate, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(moved_variance, factor**2 * variance, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(_fit(estimator, rows, shift=0.0)[1], variance, atol=1e-9)


def test_adding_to_visited_months_adds_to_the_effects(estimator):
    rows = random_rows(24, students=80, gaps=0.1)
    before, variance = _fit(estimator, rows)
    moved, same = _fit(estimator, rows.assign(y=rows["y"] + 2.5 * (rows["period"] >= rows["cohort"])))
    np.testing.assert_allclose(moved.estimate - before.estimate, np.where(before.key < 0, 0, 2.5), atol=1e-9)
    np.testing.assert_allclose(same, variance, atol=1e-9)


def test_influence_adds_up_to_nothing(estimator):
    moments = moments_of(random_rows(25, students=80, gaps=0.1), shift=80)
    found = estimator(moments).influence
    total = found.intercept @ moments.weight + np.einsum("kct,ct->k", found.slope, moments.total)
    # the conservative effects of imputation are weighted by v squared, so only the others are centered exactly
    if estimator is not imputation:
        np.testing.assert_allclose(total, 0, atol=1e-10)
    assert not found.slope[:, ~moments.seen].any()


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_goodman_bacon_adds_up_to_two_way_fixed_effects(gaps):
    rows = random_rows(26, cohorts=(1, 3, 5, 6, NEVER), gaps=gaps, weighted=True)
    moments = moments_of(rows, shift=80)
    if gaps:
        with pytest.raises(BadInput, match="every month"):
            bacon(moments)
        moments = moments.where(moments.seen.all(axis=1))
    table = bacon(moments)
    assert table["weight"].sum() == pytest.approx(1)
    assert table["weight"] @ table["estimate_pp"] == pytest.approx(twfe(moments).estimate[0], abs=1e-10)
    assert set(table["kind"]) == {"treated vs never", "earlier vs later", "later vs earlier", "later vs always"}


def test_what_cannot_be_told_apart_is_refused():
    rows = random_rows(27, cohorts=(3, 4))
    with pytest.raises(BadInput, match="cannot tell these terms apart"):
        event_study(moments_of(rows))
    assert np.isfinite(event_study(moments_of(rows), reference=(-1, -3)).estimate).all()
    with pytest.raises(BadInput, match="no event time of the data"):
        event_study(moments_of(rows), reference=(-9,))
    with pytest.raises(BadInput, match="shorter window"):
        stacked(moments_of(rows), (-2, 7))
    with pytest.raises(BadInput, match="No visited student-month can be imputed"):
        imputation(moments_of(random_rows(28, cohorts=(1,))))


def test_cohorts_that_take_no_part_are_counted():
    moments = moments_of(random_rows(30, cohorts=(1, 3, 7, NEVER), students=80))
    assert sun_abraham(moments).overlap == pytest.approx(2 / 3)  # cohort 1 has no month before
    assert stacked(moments, (-2, 2)).overlap == pytest.approx(1 / 3)  # nor does cohort 7 have two months after
    assert imputation(moments).imputed_share == pytest.approx((6 + 2) / (8 + 6 + 2))


def test_without_never_visited_students_the_last_cohort_compares():
    rows = random_rows(29, cohorts=(3, 5, 7))
    moments = moments_of(rows)
    found = sun_abraham(moments)
    last = moments_of(rows[rows["period"] < 7].assign(cohort=rows["cohort"].replace(7, NEVER)))
    np.testing.assert_allclose(found.estimate, sun_abraham(last).estimate, atol=1e-10)
    # months in which all are visited cannot be imputed
    assert imputation(moments).key[:-1].max() == 3
    assert imputation(moments).imputed_share < 1
