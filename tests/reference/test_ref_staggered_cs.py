"""Callaway-Sant'Anna from moments equals csdid to 1e-12, and the published figures of `mpdta` to their digits."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from moments_twin import moments_of, random_rows

from leapstudy.did.staggered.att_gt import Choices, att_gt
from leapstudy.did.staggered.effects import aggregate_influence, averages
from leapstudy.students.moments.record import NEVER, covariance

pytestmark = pytest.mark.reference
DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def mpdta():
    rows = pd.read_csv(DATA / "mpdta.csv")
    cohort = rows["first_treat"].where(rows["first_treat"] > 0, NEVER).astype(float)
    return moments_of(
        pd.DataFrame({"unit": rows["county"], "period": rows["year"], "y": rows["lemp"], "cohort": cohort})
    )


def _overall(moments, kind):
    att = att_gt(moments, Choices())
    made = averages(att, kind)
    return made.overall, np.sqrt(covariance(moments, aggregate_influence(moments, att, made))[-1, -1])


def test_published_figures_of_mpdta_without_covariates(mpdta):
    assert _overall(mpdta, "simple")[0] == pytest.approx(-0.0399512752, abs=5e-11)
    assert round(_overall(mpdta, "event")[0], 4) == -0.0772
    assert round(_overall(mpdta, "group")[0], 4) == -0.0310


def _csdid(rows: pd.DataFrame, choices: Choices):
    from csdid.att_gt import ATTgt

    never = rows["cohort"] == NEVER
    data = rows.assign(g=rows["cohort"].where(~never, 0).astype(int))
    model = ATTgt(
        yname="y",
        tname="period",
        idname="unit",
        gname="g",
        data=data,
        weights_name="weight",
        control_group="nevertreated" if choices.control == "never" else "notyettreated",
        xformla="~C(stratum)" if choices.by_stratum else None,
        anticipation=choices.anticipation,
    )
    return model.fit(est_method="reg", base_period=choices.base, bstrap=False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "choices",
    [
        Choices(control="not_yet", base="varying", anticipation=1),
        Choices(control="never", base="universal", by_stratum=True),
        Choices(control="not_yet", base="varying", by_stratum=True),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("periods", "cohorts"),
    [((1, 2, 3, 4, 5, 6), (3, 5, NEVER)), ((1, 2, 3, 6, 7, 8), (3, 5, 7, NEVER))],
    ids=["even", "gap"],
)
def test_equals_csdid_on_random_panels(choices, periods, cohorts):
    rows = random_rows(5, students=120, periods=periods, cohorts=cohorts, strata=2, weighted=True)
    moments = moments_of(rows, shift=80)
    att = att_gt(moments, choices)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = _csdid(rows, choices)
        results = {k: np.ravel(np.array(theirs.results[k], dtype=float)) for k in ("group", "year", "att", "se")}
        # our tables leave out the base month, which is zero by definition
        kept = np.isfinite(results["se"])
        averaged = {kind: theirs.aggte(name, bstrap=False).atte for kind, name in KINDS.items()}
    np.testing.assert_allclose(att.estimate, results["att"][kept], atol=1e-12)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance(moments, att.influence()))), results["se"][kept], atol=1e-12)
    for kind, theirs_ in averaged.items():
        made = averages(att, kind)
        se = np.sqrt(np.diag(covariance(moments, aggregate_influence(moments, att, made))))
        assert made.overall == pytest.approx(theirs_["overall_att"], abs=1e-12)
        assert se[-1] == pytest.approx(float(theirs_["overall_se"]), abs=1e-12)
        if kind != "simple":
            keys, ours = np.array(theirs_["egt"], dtype=float), np.isin(theirs_["egt"], made.key)
            assert set(made.key) <= set(keys)
            even = np.isin(made.key, keys) & ~_holds_a_base(att, made, kind, choices)
            np.testing.assert_allclose(made.estimate[even], np.ravel(theirs_["att_egt"])[ours][even], atol=1e-12)
            np.testing.assert_allclose(se[:-1][even], np.ravel(theirs_["se_egt"]).astype(float)[ours][even], atol=1e-12)


KINDS = {"simple": "simple", "group": "group", "calendar": "calendar", "event": "dynamic"}


def _holds_a_base(att, made, kind, choices):
    """Event times in which csdid averages some cohort's base month in, as a zero:
    there the two differ by convention.
    """
    if kind != "event" or choices.base == "varying":
        return np.zeros(len(made.key), dtype=bool)
    bases = {cell.base[-1] - cell.cohort for cell in att.cells}
    return np.isin(made.key, list(bases))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("control", "name"), [("never", "never_treated"), ("not_yet", "not_yet_treated")])
def test_equals_diff_diff_on_unbalanced_panels(control, name):
    """Students seen in a month and in its base count. Averages are not compared:
    diff-diff weights them by students seen.
    """
    from diff_diff import CallawaySantAnna

    rows = random_rows(6, gaps=0.15)
    moments = moments_of(rows, shift=80)
    data = rows.assign(g=rows["cohort"].where(rows["cohort"] < NEVER, 0).astype(int))
    theirs = CallawaySantAnna(control_group=name).fit(data, outcome="y", unit="unit", time="period", first_treat="g")
    att = att_gt(moments, Choices(control=control))
    se = np.sqrt(np.diag(covariance(moments, att.influence())))
    cells = [theirs.group_time_effects[int(g), int(t)] for g, t in zip(att.cohort, att.period, strict=True)]
    np.testing.assert_allclose(att.estimate, [cell["effect"] for cell in cells], atol=1e-12)
    np.testing.assert_allclose(se, [cell["se"] for cell in cells], atol=1e-12)
