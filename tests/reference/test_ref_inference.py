"""Tests of one treated district, synthetic differences and pooling against reference packages and published figures."""

import warnings

import numpy as np
import pandas as pd
import pytest

from leapstudy.data import leap_districts
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.inference import infer
from leapstudy.did.inference.synthetic import fit_rows, long_rows
from leapstudy.did.permutation import exact
from leapstudy.did.pooling.shrinkage import reml

pytestmark = pytest.mark.reference
sp = pytest.importorskip("statspai")

# trials of the BCG vaccine (Colditz et al. 1994): tuberculosis yes and no among vaccinated, yes and no among controls
BCG = np.array(
    [
        [4, 119, 11, 128], [6, 300, 29, 274], [3, 228, 11, 209], [62, 13536, 248, 12619], [33, 5036, 47, 5761],
        [180, 1361, 372, 1079], [8, 2537, 10, 619], [505, 87886, 499, 87892], [29, 7470, 45, 7232],
        [17, 1699, 65, 1600], [186, 50448, 141, 27197], [5, 2493, 3, 2338], [27, 16886, 29, 17825],
    ],
    float,
)  # fmt: skip


def panel(sample):
    """Return a sample as the reference packages take it."""
    years = sample.contrast.years
    rows = long_rows(
        np.concatenate([sample.y_treated, sample.y_comparison]), (*sample.treated, *sample.comparison), years
    )
    students = np.concatenate([sample.students_treated, sample.students_comparison])[
        :, sample.columns(sample.contrast.pre)
    ]
    after = rows["year"].isin(sample.contrast.post)
    return rows.assign(d=rows["treated"] * after, students=np.repeat(students.mean(axis=1), len(years)))


@pytest.fixture(scope="module", params=["alliance", "others"])
def sample(request, study):
    return build_sample(study, Spec(comparison=request.param), ["0150011"])


@pytest.mark.parametrize("name", ["conley_taber", "ferman_pinto"])
def test_few_treated_as_in_statspai(sample, name):
    """With residuals under the estimate itself, as in the papers, StatsPAI's interval is ours.

    StatsPAI lets the fitted variance rise with size, as it does among the Alliance districts; ours stops at flat, which is
    then Conley and Taber's test.
    """
    ours = infer(sample).method(name)
    if name == "ferman_pinto" and "+ 0 / students" in infer(sample).method("studentized_enrollment").note:
        name = "conley_taber"
    size = {"group_size": "students"} if name == "ferman_pinto" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sp.did_few_treated(
            panel(sample), "y", id="district_code", time="year", treat="d", method=name,
            null_value=ours.estimate_pp, **size,
        )  # fmt: skip
    assert (ours.estimate_pp, ours.low_pp, ours.high_pp) == pytest.approx((theirs.estimate, *theirs.ci), abs=1e-8)
    draws = theirs.detail["w"].abs()
    p = (1 + (draws >= abs(ours.estimate_pp)).sum()) / (1 + len(draws))
    assert ours.p_value == pytest.approx(p, abs=1e-12)


def test_permutation_as_in_statspai(sample):
    """Its randomization inference enumerates every assignment when there are few."""
    changes = np.concatenate([sample.change_treated, sample.change_comparison])
    rows = pd.DataFrame({"y": changes, "d": [1] + [0] * (len(changes) - 1)})
    theirs = sp.ri_test(rows, "y", "d", n_perms=1000, seed=1)
    ours = exact(changes[0], changes[1:])
    assert theirs["exact"]
    assert ours.estimate == pytest.approx(theirs["observed"], abs=1e-10)
    assert np.sort([ours.estimate, *ours.placebos]) == pytest.approx(np.sort(theirs["perm_distribution"]), abs=1e-10)
    assert ours.p_value == pytest.approx(theirs["p_value"], abs=1e-10)


def test_synthetic_did_of_proposition_99():
    """Arkhangelsky et al. (2021), as their package prints it: -15.60383."""
    rows = sp.datasets.california_prop99()
    assert rows.attrs["simulated"] is False
    wide = rows.pivot(index="state", columns="year", values="cigsale")
    wide = wide.loc[["California", *wide.index.drop("California")]]
    years = tuple(str(int(year)) for year in wide.columns)
    fitted = fit_rows(long_rows(wide.to_numpy(), tuple(wide.index), years), tuple(y for y in years if y >= "1989"))
    assert fitted.att == pytest.approx(-15.60383, abs=1e-4)


def test_reml_of_the_bcg_trials():
    """Viechtbauer (2010), Journal of Statistical Software 36(3): tau^2 0.3132 for the log relative risks."""
    vaccinated, controls = BCG[:, :2].sum(axis=1), BCG[:, 2:].sum(axis=1)
    y = np.log(BCG[:, 0] / vaccinated) - np.log(BCG[:, 2] / controls)
    v = 1 / BCG[:, 0] - 1 / vaccinated + 1 / BCG[:, 2] - 1 / controls
    assert reml(y, v) ** 2 == pytest.approx(0.3132, abs=5e-5)


def test_reml_is_statsmodels_iterated_estimate_where_variances_are_equal(study):
    """Paule and Mandel's estimate and REML are the same equation there."""
    from statsmodels.stats.meta_analysis import combine_effects

    codes = [item.code for item in leap_districts(study.districts)]
    sample = build_sample(study, Spec(), codes)
    y = sample.change_treated - sample.change_comparison.mean()
    v = np.full(len(y), np.var(sample.change_comparison, ddof=1))
    assert reml(y, v) ** 2 == pytest.approx(combine_effects(y, v, method_re="iterated", atol=1e-12).tau2, abs=1e-6)
