"""Figures of the evidence: what they say and show is what the blocks hold."""

from types import SimpleNamespace

import pytest

from leapstudy.core.estimate import Estimate
from leapstudy.data import leap_districts, load_facts
from leapstudy.did.design import Spec
from leapstudy.did.records import Detectable
from leapstudy.evidence.assess import assess_row
from leapstudy.evidence.program import program
from leapstudy.evidence.verdict import decide
from leapstudy.figures.evidence import alike_before, days_gained, what_it_would_take


def _shown(study, low, value, high):
    main = Estimate(
        track="public", district_code="ALL", district="All LEAP districts", outcome="attendance_rate",
        comparison="alliance", n_treated=15, n_comparison=19, edition="2022-23", pre="2019-20+2020-21",
        post="2021-22", estimator="did", role="main", estimate_pp=value, ci_low_pp=low, ci_high_pp=high, p_value=0.5,
    )  # fmt: skip
    treated = [item.code for item in leap_districts(study.districts)]
    figures = program(study, load_facts())
    verdict = decide(value, low, high, 0.5 if low is None or low <= 0 <= high else 0.01)
    detectable = Detectable(1.3, 0.94, 1.3, 0.46, 32, 0.0001, -0.94, 0.94)
    found = assess_row(study, figures, main, treated=treated, spec=Spec(), detectable=detectable, verdict=verdict)
    return SimpleNamespace(main=main, spec=Spec()), found


def test_alike_before_counts_the_groups_outside(study):
    exhibit = alike_before(*_shown(study, -1.3, -0.3, 0.6))
    assert "Alliance 0.21" in exhibit.alt
    assert "1 of 3 comparison groups" in exhibit.alt
    assert len(exhibit.data) == 9


def test_what_it_would_take_shows_every_combination(study):
    answer, evidence = _shown(study, -1.3, -0.3, 0.6)
    exhibit = what_it_would_take(answer, evidence)
    assert len(exhibit.data) == len(evidence.reach)
    assert "LEAP visited 5.9 percent" in exhibit.alt


@pytest.mark.parametrize(
    ("low", "value", "high", "said"),
    [(-1.3, -0.3, 0.6, "cannot be stated"), (0.2, 0.5, 0.9, "An extra day cost $"), (None, 0.5, None, "no interval")],
)
def test_days_gained_names_a_price_only_where_one_exists(study, low, value, high, said):
    exhibit = days_gained(*_shown(study, low, value, high))
    assert said in exhibit.alt
    assert exhibit.png[:4] == b"\x89PNG"
