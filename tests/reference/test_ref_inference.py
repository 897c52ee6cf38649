"""Tests of one treated district, synthetic differences and pooling against reference packages and published figures."""

import warnings

import numpy as np
import pandas as pd
import pytest

from leapstudy.did.design import Spec, build_sample
from leapstudy.did.inference.compare import fit_rows, infer, long_rows
from leapstudy.did.permutation import exact

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def sp():
    """Return the reference package, whose import takes a second that a worker without these tests does without."""
    return pytest.importorskip("statspai")


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
def test_few_treated_as_in_statspai(sp, sample, name):
    """With residuals under the estimate itself, as in the papers, StatsPAI's interval is ours.

    StatsPAI lets the fitted variance rise with size, as it does among the Alliance districts; ours stops at flat,
    which is then Conley and Taber's test.
    """
    ours = infer(sample).method(name)
    if name == "ferman_pinto" and "+ 0 / students" in infer(sample).method("studentized_enrollment").note:
        name = "conley_taber"
    size = {"group_size": "students"} if name == "ferman_pinto" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sp.did_few_treated(
            panel(sample),
            "y",
            id="district_code",
            time="year",
            treat="d",
            method=name,
            null_value=ours.estimate_pp,
            **size,
        )
    assert (ours.estimate_pp, ours.low_pp, ours.high_pp) == pytest.approx((theirs.estimate, *theirs.ci), abs=1e-8)
    draws = theirs.detail["w"].abs()
    p = (1 + (draws >= abs(ours.estimate_pp)).sum()) / (1 + len(draws))
    assert ours.p_value == pytest.approx(p, abs=1e-12)


def test_permutation_as_in_statspai(sp, sample):
    """Its randomization inference enumerates every assignment when there are few."""
    changes = np.concatenate([sample.change_treated, sample.change_comparison])
    rows = pd.DataFrame({"y": changes, "d": [1] + [0] * (len(changes) - 1)})
    theirs = sp.ri_test(rows, "y", "d", n_perms=1000, seed=1)
    ours = exact(changes[0], changes[1:])
    assert theirs["exact"]
    assert ours.estimate == pytest.approx(theirs["observed"], abs=1e-10)
    assert np.sort([ours.estimate, *ours.placebos]) == pytest.approx(np.sort(theirs["perm_distribution"]), abs=1e-10)
    assert ours.p_value == pytest.approx(theirs["p_value"], abs=1e-10)


def test_synthetic_did_of_proposition_99(sp):
    """Arkhangelsky et al. (2021), as their package prints it: -15.60383."""
    rows = sp.datasets.california_prop99()
    assert rows.attrs["simulated"] is False
    wide = rows.pivot(index="state", columns="year", values="cigsale")
    wide = wide.loc[["California", *wide.index.drop("California")]]
    years = tuple(str(int(year)) for year in wide.columns)
    fitted = fit_rows(long_rows(wide.to_numpy(), tuple(wide.index), years), tuple(y for y in years if y >= "1989"))
    assert fitted.att == pytest.approx(-15.60383, abs=1e-4)
