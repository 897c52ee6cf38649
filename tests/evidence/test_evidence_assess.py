"""All blocks together, on the real figures with an estimate given by hand."""

from dataclasses import replace

import pytest
from estimates_file import POOLED

from leapstudy.core.errors import BadInput
from leapstudy.data import load_facts, treated_districts
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.spread import Detectable
from leapstudy.evidence.assess import assess_row
from leapstudy.evidence.cost import program
from leapstudy.evidence.power import design_mde_pp
from leapstudy.evidence.verdict import Window, decide

HARTFORD, WINDHAM = "0640011", "1630011"
ROW = replace(POOLED, ci_low_pp=-1.27, ci_high_pp=0.60, p_value=0.47)
DETECTABLE = Detectable(1.3, 0.94, 1.3, 0.46, 32, 0.0001, -0.94, 0.94)


@pytest.fixture(scope="module")
def figures(study):
    return program(study, load_facts())


def _assess(study, figures, row=ROW, **change):
    treated = [row.district_code] if row.n_treated == 1 else [item.code for item in treated_districts(study.districts)]
    given = {
        "treated": treated,
        "spec": Spec(),
        "detectable": DETECTABLE,
        "verdict": decide(
            row.estimate_pp,
            row.ci_low_pp,
            row.ci_high_pp,
            row.p_value,
            windows=[Window("before", -1.1, -2.8, 0.6, 0.17)],
        ),
    }
    return assess_row(study, figures, row, **{**given, **change})


def test_published_totals(figures):
    codes = [code for grant in figures.grants for code in grant.codes]
    assert figures.money_and_visits(codes) == (10.7e6, 8690.0)
    # 8,690 of 148,083 is 5.9%; +4 and +15 points on them are +0.2 and +0.9 on the average
    assert figures.coverage == pytest.approx(0.0587, abs=5e-5)
    assert [figures.coverage * effect for effect in (4, 15)] == pytest.approx([0.235, 0.880], abs=5e-4)
    # the areas as announced are rounded: they come to 10.67 of 10.7 million
    assert sum(grant.dollars for grant in figures.grants) == pytest.approx(10.67e6)


def test_only_the_launch_money_is_counted_and_the_critics_total_is_named(figures):
    assert [item.dollars for item in figures.ingredients if item.counted] == [10.7e6]
    assert any(item.dollars == pytest.approx(24.7e6) and "$2,842" in item.reason for item in figures.ingredients)


def test_one_district_has_its_share_of_money_and_visits(figures):
    dollars, served = figures.money_and_visits([WINDHAM])
    assert dollars == pytest.approx(220_000)
    assert served == pytest.approx(figures.coverage * figures.enrollment[WINDHAM])
    with pytest.raises(BadInput, match="LEAP district code"):
        figures.money_and_visits(["0020011"])


def test_the_pooled_estimate_carries_no_tier_above_a_rationale(study, figures):
    found = _assess(study, figures)
    assert found.essa.tier == 4
    assert found.wwc.eligibility == "eligible if adjusted"
    assert found.power.could_see == 0
    assert found.cost.dollars_per_day is None
    assert "cannot be bounded" in found.cost.refusal


def test_one_district_cannot_meet_the_standards_whatever_its_p(study, figures):
    row = replace(
        ROW, district_code=HARTFORD, n_treated=1, estimate_pp=3.0, ci_low_pp=2.0, ci_high_pp=4.0, p_value=0.001
    )
    found = _assess(study, figures, row)
    assert found.wwc.eligibility == "not eligible"
    assert "confounding factor" in found.wwc.why
    assert found.essa.tier == 3
    assert any("drg_gh" in reason for reason in found.wwc.not_possible)
    assert found.cost.dollars_per_day.low < found.cost.dollars_per_day.value < found.cost.dollars_per_day.high


def test_only_hartford_is_held_against_hartfords_own_figure(study, figures):
    def labels(code):
        row = replace(ROW, district_code=code, n_treated=1)
        return [item.label for item in _assess(study, figures, row).power.published]

    assert any(label.startswith("Hartford") for label in labels(HARTFORD))
    assert not any(label.startswith("Hartford") for label in labels(WINDHAM))
    assert len(_assess(study, figures).power.published) == 5


def test_an_open_interval_refuses_the_cost(study, figures):
    found = _assess(study, figures, replace(ROW, ci_low_pp=None, ci_high_pp=None))
    assert "no bounded interval" in found.cost.refusal


@pytest.mark.parametrize("served", [0.0, 148_084.0])
def test_impossible_coverage_is_refused(figures, served):
    with pytest.raises(BadInput, match="visited"):
        _ = replace(figures, served=served).coverage


def test_reach_starts_from_the_comparison_districts_own_spread(study, figures):
    found = _assess(study, figures)
    sample = build_sample(study, Spec(), [HARTFORD])
    here = found.reach.set_index(["n_treated", "n_comparison"])["mde_pp"]
    measured = design_mde_pp(float(sample.change_comparison.std(ddof=1)), 15, 19)
    # the districts' median enrollment is above 2,000; even 50 and 184 could not have shown the smallest published
    # effect
    assert here[15, 19] > measured and here[50, 184] > min(item.diluted_pp for item in found.power.published)
