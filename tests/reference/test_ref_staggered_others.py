"""Regressions from moments equal fereg and diff-diff on random panels, and the published figures of mpdta and castle.

Small-sample factor: regressions carry that of R `fixest` (`regression_factor`); imputation carries none; stacked is
compared without it.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from moments_twin import moments_of, random_rows

from leapstudy.did.staggered.bacon import bacon
from leapstudy.did.staggered.effects import imputation_effects, regression_effects
from leapstudy.did.staggered.imputation import imputation
from leapstudy.did.staggered.stacked import stacked
from leapstudy.did.staggered.sun_abraham import sun_abraham
from leapstudy.did.staggered.twfe import event_study, twfe
from leapstudy.students.moments.influence import covariance
from leapstudy.students.moments.record import NEVER

pytestmark = pytest.mark.reference
DATA = Path(__file__).parent / "data"
PANELS = pytest.mark.parametrize(
    ("gaps", "weighted"), [(0.0, False), (0.15, True)], ids=["balanced", "unbalanced, weighted"]
)


def _moments(rows, unit, period, y, cohort):
    first = rows[cohort].where(rows[cohort] > 0, NEVER).fillna(NEVER).astype(float)
    return moments_of(pd.DataFrame({"unit": rows[unit], "period": rows[period], "y": rows[y], "cohort": first}))


def test_sun_abraham_meets_the_published_figure_of_mpdta():
    moments = _moments(pd.read_csv(DATA / "mpdta.csv"), "county", "year", "lemp", "first_treat")
    found = regression_effects(moments, sun_abraham(moments), "sun_abraham")
    assert found.estimate[-1] == pytest.approx(-0.0399512752, abs=5e-11)
    assert found.se[-1] == pytest.approx(0.0117962774, abs=5e-11)


def test_goodman_bacon_meets_the_published_figures_of_the_castle_doctrine():
    moments = _moments(pd.read_csv(DATA / "castle.csv"), "sid", "year", "l_homicide", "effyear")
    table = bacon(moments)
    table["part"] = table["weight"] * table["estimate_pp"]
    kinds = table.groupby("kind")[["weight", "part"]].sum()
    found = {kind: (round(w, 5), round(p / w, 5)) for kind, w, p in kinds.itertuples()}
    assert found == {
        "earlier vs later": (0.05976, -0.00554),
        "later vs earlier": (0.03190, 0.07032),
        "treated vs never": (0.90834, 0.08796),
    }
    # the figures as shipped are kept to single precision
    assert table["part"].sum() == pytest.approx(0.0818116169306475, abs=2e-9)
    assert twfe(moments).estimate[0] == pytest.approx(0.0818116169306475, abs=2e-9)


def _fereg(rows: pd.DataFrame, terms: dict[str, np.ndarray], effects: str = "unit + period", **options):
    import fereg

    data = rows.assign(**{name: np.asarray(value, dtype=float) for name, value in terms.items()})
    return fereg.feols(
        f"y ~ {' + '.join(terms)} | {effects}", data, vcov={"CRV1": "unit"}, weights="weight", fixef_tol=1e-13, **options
    )  # fmt: skip


@PANELS
def test_two_way_fixed_effects_and_event_study_equal_fereg(gaps, weighted):
    rows = random_rows(31, gaps=gaps, weighted=weighted)
    moments = moments_of(rows, shift=80)
    since = rows["period"] - rows["cohort"]
    one = regression_effects(moments, twfe(moments), "twfe")
    theirs = _fereg(rows, {"visited": since >= 0})
    assert one.estimate[0] == pytest.approx(theirs.coef().iloc[0], abs=1e-10)
    assert one.se[0] == pytest.approx(theirs.se().iloc[0], abs=1e-10)
    path = regression_effects(moments, event_study(moments), "event_study")
    theirs = _fereg(rows, {f"e{place}": since == key for place, key in enumerate(path.key)})
    np.testing.assert_allclose(path.estimate, theirs.coef(), atol=1e-10)
    np.testing.assert_allclose(path.se, theirs.se(), atol=1e-10)


@PANELS
def test_sun_abraham_equals_the_saturated_regression_in_fereg(gaps, weighted):
    rows = random_rows(32, gaps=gaps, weighted=weighted)
    moments = moments_of(rows, shift=80)
    pairs = [(g, t) for g in (3, 5, 6) for t in moments.periods if t != g - 1]
    terms = {f"s{g}x{t}": (rows["cohort"] == g) & (rows["period"] == t) for g, t in pairs}
    theirs = _fereg(rows, terms)
    since, mass = np.array([t - g for g, t in pairs]), np.array([rows["weight"][term].sum() for term in terms.values()])
    found = regression_effects(moments, sun_abraham(moments), "sun_abraham")
    shares = np.vstack([since == found.key[:-1, None], since >= 0]) * mass
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.estimate, shares @ theirs.coef(), atol=1e-10)
    np.testing.assert_allclose(found.covariance, shares @ np.asarray(theirs._vcov) @ shares.T, atol=1e-10)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("gaps", [0.0, 0.15])
def test_imputation_equals_diff_diff(gaps):
    from diff_diff import ImputationDiD

    rows = random_rows(33, gaps=gaps)
    moments = moments_of(rows, shift=80)
    data = rows.assign(g=rows["cohort"].where(rows["cohort"] < NEVER, 0).astype(int))
    theirs = ImputationDiD().fit(
        data, outcome="y", unit="unit", time="period", first_treat="g", aggregate="event_study"
    )
    found = imputation_effects(moments, imputation(moments))
    # diff-diff takes out the effects by iteration, to 1e-10
    assert found.estimate[-1] == pytest.approx(theirs.overall_att, abs=2e-10)
    assert found.se[-1] == pytest.approx(theirs.overall_se, abs=1e-10)
    for key, value, se in zip(found.key[:-1], found.estimate, found.se, strict=False):
        assert value == pytest.approx(theirs.event_study_effects[int(key)]["effect"], abs=2e-10)
        assert se == pytest.approx(theirs.event_study_effects[int(key)]["se"], abs=1e-10)


@PANELS
def test_stacked_equals_fereg_on_rows_that_are_really_stacked(gaps, weighted):
    rows = random_rows(34, gaps=gaps, weighted=weighted)
    moments = moments_of(rows, shift=80)
    low, high, cohorts = -2, 2, (3, 5, 6)
    students = rows.groupby("unit")[["cohort", "weight"]].first()
    sizes = np.array(
        [[students["weight"][students["cohort"].eq(g)].sum(), students["weight"][students["cohort"] > g + high].sum()] for g in cohorts]
    )  # fmt: skip
    scale = dict(zip(cohorts, sizes[:, 0] / sizes[:, 0].sum() / (sizes[:, 1] / sizes[:, 1].sum()), strict=True))
    pieces = []
    for g in cohorts:
        piece = rows[((rows["cohort"] == g) | (rows["cohort"] > g + high)) & rows["period"].between(g + low, g + high)]
        pieces.append(
            piece.assign(
                stack=g, student=piece["unit"].astype(str) + f" {g}", month=piece["period"].astype(str) + f" {g}",
                weight=piece["weight"] * np.where(piece["cohort"] == g, 1, scale[g]),
            )
        )  # fmt: skip
    every = pd.concat(pieces, ignore_index=True)
    found = stacked(moments, (low, high))
    since = np.where(every["cohort"] == every["stack"], every["period"] - every["stack"], np.nan)
    import fereg

    theirs = _fereg(
        every, {f"e{place}": since == key for place, key in enumerate(found.key[:-1])}, "student + month",
        ssc=fereg.ssc(k_adj=False, G_adj=False), fixef_rm="none",
    )  # fmt: skip
    np.testing.assert_allclose(found.estimate[:-1], theirs.coef(), atol=1e-10)
    variance = covariance(moments, found.influence)
    np.testing.assert_allclose(np.sqrt(np.diag(variance))[:-1], theirs.se(), atol=1e-10)


@pytest.mark.filterwarnings("ignore")
def test_stacked_estimates_equal_diff_diff():
    from diff_diff import StackedDiD

    rows = random_rows(35)
    data = rows.assign(g=rows["cohort"].where(rows["cohort"] < NEVER, 0).astype(int))
    theirs = StackedDiD(kappa_pre=2, kappa_post=2, clean_control="not_yet_treated").fit(
        data, outcome="y", unit="unit", time="period", first_treat="g", aggregate="event_study"
    )
    found = stacked(moments_of(rows), (-2, 2))
    # its errors are those of a pooled regression without student effects: another convention, so only estimates compare
    for key, value in zip(found.key[:-1], found.estimate, strict=False):
        if key >= 0:
            assert value == pytest.approx(theirs.event_study_effects[int(key)]["effect"], abs=1e-10)
    assert found.estimate[-1] == pytest.approx(theirs.overall_att, abs=1e-10)
