"""The at-risk design in two passes: against rows, and by hand."""

from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from moments_panels import in_engine
from montecarlo import at_risk_rows, attendance, month_numbers, referral_months, strata_by_cohort

from leapstudy.core.errors import BadInput
from leapstudy.did.at_risk import HEADLINE, at_risk, at_risk_effects, coefficients, share_terms, strata_of
from leapstudy.did.staggered.effects import averages
from leapstudy.students.engine import connect
from leapstudy.students.handle import StudentData, open_students
from leapstudy.students.referral_rule import ReferralRule
from leapstudy.students.risk_changes import (
    PLACE,
    _of_comparison,
    change_sums,
    cohort_sizes,
    influence_products,
    risk_changes,
)
from leapstudy.students.simulate import load_config, simulate, write_simulation
from leapstudy.study.student_designs import Found, enough_students, why_none
from leapstudy.study.student_estimates import NOBODY_OF_PART, _parts, _recommended
from leapstudy.study.student_results import Reason

FEWEST = 4
RULES = (ReferralRule("ALL", "last_two_months", 10, 1.0, 0.1, 0.1, 100),)
ONE = load_config().with_changes(districts={"0640011": 700}, attrition__monthly=0.02)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    files = write_simulation(tmp_path_factory.mktemp("state") / "state.parquet", ONE)
    return open_students(files.panel, visits=files.visits, con=connect(threads=1))


@pytest.fixture(scope="module")
def changes(data):
    return risk_changes(data, RULES)


@pytest.fixture(scope="module")
def found(changes):
    return at_risk(strata_of(change_sums(changes)[""]), cohort_sizes(changes), FEWEST)


@pytest.fixture(scope="module")
def effects(changes, found):
    sizes = cohort_sizes(changes)
    terms = {"": coefficients("x", found)}
    return at_risk_effects(
        found, *influence_products(changes, terms, {"": share_terms("x", found, sizes)}, HEADLINE), FEWEST
    )


def test_each_average_counts_the_comparison_students_of_its_own_months_and_strata(changes, found, effects):
    """Of a log whose visits come a month after referral, the visited are held against those who wait alone."""
    rows = _of_comparison(changes).to_pandas()
    terms = coefficients("x", found)
    used = set(terms.loc[~terms["treated"], PLACE].itertuples(index=False, name=None))
    rows = rows[[place in used for place in rows[PLACE].itertuples(index=False, name=None)]]
    rows = rows.assign(event=rows["t"] - rows["g"])
    by_event = rows.groupby("event")["who"].nunique()
    assert effects.compared[:-1].tolist() == by_event.reindex(effects.key[:-1]).tolist()
    assert effects.compared[-1] == rows.loc[rows["event"].between(*HEADLINE), "who"].nunique()
    assert len(set(effects.compared)) > 5 and effects.card.n_comparison == effects.compared[-1] < rows["who"].nunique()


def test_averages_and_errors_equal_influence_summed_over_rows(effects):
    """The engine's second pass against a matrix of every student's influence."""
    block = next(simulate(ONE))
    months, cohort = month_numbers(ONE.months).astype(int), month_numbers(block.cohort)
    strata = strata_by_cohort(block, "last_two_months", months, cohort, referral_months(ONE, block))
    rows = at_risk_rows(attendance(block), months, cohort, strata, FEWEST)
    near = rows.period - rows.cohort <= 9
    rows = type(rows)(*(getattr(rows, name)[near] for name in rows.__slots__))
    made = averages(rows, "event", events=(1, 6))
    influence = made.combination @ rows.influence + made.share_slope @ (rows.cohort[:, None] == cohort)
    after = effects.key >= 0
    assert np.allclose(effects.estimate[after], made.estimate, atol=1e-9)
    assert np.isclose(effects.estimate[-1], made.overall, atol=1e-9)
    assert np.allclose(effects.se[after], np.sqrt((influence[:-1] ** 2).sum(axis=1)), rtol=1e-8)
    assert np.isclose(effects.se[-1], np.sqrt((influence[-1] ** 2).sum()), rtol=1e-8)


def _sums(rows):
    names = ["district_code", "g", "t", "treated", "band", "part", "students", "total", "base"]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(waiting=False, weight=table["students"].astype(float))


def test_by_hand():
    sums = _sums(
        [
            ("1", 10, 11, True, 0, "", 2, 20.0, 9),
            ("1", 10, 11, False, 0, "", 4, 8.0, 9),
            ("1", 10, 11, True, 1, "", 6, 90.0, 9),
            ("1", 10, 11, False, 1, "", 5, 25.0, 9),
            ("1", 10, 11, True, 2, "", 2, 99.0, 9),
        ]
    )
    sizes = pd.DataFrame({"district_code": ["1"], "g": [10], "part": [""], "students": [10]})
    found = at_risk(strata_of(sums), sizes, 4)
    assert np.allclose(found.estimate, [(2 * (10 - 2) + 6 * (15 - 5)) / 8]) and np.allclose(found.overlap, [0.8])
    assert [item.stratum for item in found.refused] == ["2"]
    assert at_risk(strata_of(sums), sizes, 5).estimate.tolist() == [10.0], "four comparison students are refused too"
    with pytest.raises(BadInput, match="No stratum has 6"):
        at_risk(strata_of(sums), sizes, 6)
    heavier = sums.assign(weight=sums["weight"].where(sums["treated"], 8.0), total=sums["total"])
    assert np.allclose(at_risk(strata_of(heavier), sizes, 4).estimate, [(2 * (10 - 8 / 8) + 6 * (15 - 25 / 8)) / 8]), (
        "a mean is of weights, the size rule of students"
    )


def _said(why):
    with pytest.raises(BadInput) as refused:
        why()
    return str(refused.value)


def test_every_refusal_of_the_recommended_design_gives_its_own_reason():
    """A page that says too few of 1,130 visited students sends its reader the wrong way."""
    sizes = pd.DataFrame({"district_code": ["1"], "g": [10], "part": [""], "students": [30]})
    sides = [("1", 10, 9, True, 0, "", 30, 20.0, 8), ("1", 10, 9, False, 0, "", 30, 8.0, 8)]
    before = strata_of(_sums(sides))
    rule = ReferralRule("1", "last_two_months", 10, 1.0, 0.1, 0.39, 100)
    few, alike = (SimpleNamespace(card=SimpleNamespace(n_treated=n, n_comparison=40), se=np.zeros(1)) for n in (19, 30))
    refused = {
        "followed": (_said(lambda: at_risk(before.iloc[:0], sizes, 4)),),
        "comparison": (_said(lambda: at_risk(before, sizes, 31)),),
        "months": (_said(lambda: at_risk(before, sizes, 4)),),
        "overlap": _recommended({}, "1", "", rule).refused,
        "few": enough_students(few, ("3 cells: no base.",)).refused,
        "alike": enough_students(alike, ()).refused,
    }
    assert {why: why_none(words) for why, words in refused.items()} == {why: why for why in get_args(Reason)}
    assert _recommended({}, "1", "", None).refused == refused["followed"]


def test_a_part_that_nobody_is_in_is_not_told_as_people_who_are_not_seen():
    whole = Found(SimpleNamespace(card=SimpleNamespace(n_treated=100)))
    parts = _parts(SimpleNamespace(at_risk={("1", ""): whole}), "1", None, None)
    assert set(parts["reason"]) == {NOBODY_OF_PART} and parts["estimate_pp"].isna().all()


def test_adding_a_constant_after_the_visit_adds_it_and_a_month_effect_moves_nothing(changes, found):
    sums = change_sums(changes)[""]
    sizes = cohort_sizes(changes)
    common = sums.assign(total=sums["total"] + 3.0 * sums["t"] * sums["weight"])
    assert np.allclose(at_risk(strata_of(common), sizes, FEWEST).estimate, found.estimate)
    after = sums["treated"] & (sums["t"] >= sums["g"])
    raised = sums.assign(total=sums["total"] + 5.0 * sums["students"].where(after, 0))
    assert np.isclose(at_risk(strata_of(raised), sizes, FEWEST).averages.overall, found.averages.overall + 5)


def test_parts_share_their_comparison_and_average_to_the_whole(changes, found):
    strata, sizes = strata_of(change_sums(changes, ("visits",))["visits"]), cohort_sizes(changes, "visits")
    pieces = {
        part: at_risk(strata[strata["part"] == part], sizes[sizes["part"] == part], 1)
        for part in ("1", "2", "3 or more")
    }
    whole = at_risk(strata_of(change_sums(changes)[""]), cohort_sizes(changes), 1)
    pair = (whole.cohort[-1], whole.period[-1])
    sums = change_sums(changes, ("visits",))["visits"].query("treated and g == @pair[0] and t == @pair[1]")
    weights = sums.groupby("part")["students"].sum() / sums["students"].sum()
    own = {
        part: float(one.estimate[(one.cohort == pair[0]) & (one.period == pair[1])].sum())
        for part, one in pieces.items()
    }
    assert np.isclose(sum(weights.get(part, 0) * own[part] for part in own), whole.estimate[-1])


def _student(name, cohort, missed):
    """Return a student's rows of the cleaned panel: percent of days missed by month from September 2021 on."""
    months = pd.date_range("2021-09-01", periods=len(missed), freq="MS")
    rows = pd.DataFrame({"month": months, "days_enrolled": 20.0, "days_attended": 20 - np.array(missed) / 5.0})
    first = pd.Series([cohort] * len(months), dtype="datetime64[us]")
    return rows.assign(
        student=f"~P{name:a>10}", district_code="0640011", grade="05", high_needs=True, first_visit_month=first
    )


def test_who_stays_unvisited_stands_for_those_alike_who_were_visited():
    """By hand: of four compared with k in November, two worsen; one of these is visited and the other counts twice."""
    better, worse = (20, 20, 10, 0), (20, 20, 40, 60)
    panel = [_student("k", "2021-11", (20, 20, 20, 20)), _student("d", "2021-12", worse), _student("c", None, worse)]
    panel += [_student(name, None, better) for name in "ab"]
    data = StudentData(in_engine(pd.concat(panel, ignore_index=True)), None, simulated=True)
    sums = change_sums(risk_changes(data, (replace(RULES[0], window="last_month"),)))[""]
    december = sums[(sums["g"] == 12 * 2021 + 10) & (sums["t"] == 12 * 2021 + 11) & ~sums["treated"]].iloc[0]
    assert (december["students"], december["weight"]) == (3, 4.0)
    assert np.isclose(december["total"] / december["weight"], (20 + 20 - 40 - 40) / 4), "as if d were seen unvisited"


def test_the_chance_to_have_stayed_is_the_product_over_months():
    """By hand: of five alike compared with k in November one is visited in December, and one of four in January."""
    alike = (20, 20, 20, 20, 20)
    visited = [("k", "2021-11"), ("d", "2021-12"), ("e", "2022-01")]
    panel = [_student(name, first, alike) for name, first in [*visited, *((name, None) for name in "abc")]]
    data = StudentData(in_engine(pd.concat(panel, ignore_index=True)), None, simulated=True)
    sums = change_sums(risk_changes(data, (replace(RULES[0], window="last_month"),)))[""]
    own = sums[(sums["g"] == 12 * 2021 + 10) & ~sums["treated"]].set_index("t")
    december, january = (own.loc[12 * 2021 + month] for month in (11, 12))
    assert (december["students"], january["students"]) == (4, 3)
    assert december["weight"] == pytest.approx(4 * 5 / 4) and january["weight"] == pytest.approx(3 * 5 / 4 * 4 / 3)


def test_who_was_referred_before_and_waits_is_compared_with_others_who_wait(data, changes):
    sums = change_sums(changes)[""]
    assert sums[sums["waiting"] & ~sums["treated"]]["students"].sum() > 0
    assert not sums[sums["waiting"] & sums["treated"]]["students"].any(), (
        "here visits follow in the month of the referral"
    )


def test_its_text_holds_no_row(changes):
    assert repr(changes) == "RiskChanges(rows never leave the database)"
