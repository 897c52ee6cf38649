"""The public track at its edges: samples without variation, two districts, one left out, all on the real figures."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.did.answering import _left_out, answer_all, answer_district, unit_names
from leapstudy.did.comparison import comparison_codes
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.effect import fit
from leapstudy.did.permutation import shuffled, shuffled_starts
from leapstudy.did.spread import mean_variance
from leapstudy.evidence.assess import verdict_of
from leapstudy.words.findings import district_title, forest, leading, raw_means, treated_words

# Two districts that changed by the same amount on the main contrast.
ALIKE = ("0830011", "2680013")


def test_districts_that_all_changed_alike_are_refused_in_words(study):
    with pytest.raises(BadInput, match="No variation"):
        fit(build_sample(study, Spec(comparison=ALIKE), ["0640011"]))
    with pytest.raises(BadInput, match="No variation"):
        answer_district(study, "0640011", Spec(comparison=ALIKE))


@pytest.mark.parametrize("codes", [("1280011", "2150012"), ("0500011", "1000011", "9020022")])
def test_two_or_three_comparison_districts_say_what_cannot_be_said(study, codes):
    for answer in (
        answer_district(study, "0640011", Spec(comparison=codes)),
        answer_all(study, Spec(comparison=codes), robust=False),
    ):
        assert answer.rebound is None and any("rise follows a fall" in text for text in answer.not_possible)
        assert np.isfinite(answer.main.estimate_pp) and answer.sensitivity.recovery is None


def test_leaving_one_out_keeps_its_interval(hartford, pooled):
    rows = hartford.leave_one_out
    # 18 comparison districts have a floor of 1/19: no interval of 95% can end
    assert rows["ci_low_pp"].isna().all() and len(rows) == 19
    rows = pooled.leave_one_out.set_index("district_code")
    assert (rows["ci_low_pp"] < rows["estimate_pp"]).all() and (rows["estimate_pp"] < rows["ci_high_pp"]).all()
    assert rows.loc["0930011", "estimate_pp"] == pytest.approx(-0.07, abs=0.005)  # without New Haven


def test_studentized_shuffles_by_a_slow_twin():
    rng = np.random.default_rng(5)
    treated, comparison, sizes = rng.normal(0.5, 3, 4), rng.normal(0, 1, 6), rng.uniform(1, 9, 10)
    test, changes = shuffled(treated, comparison, 7, sizes, 50), np.concatenate([treated, comparison])
    again = shuffled(treated[::-1], comparison[::-1], 7, np.concatenate([sizes[:4][::-1], sizes[4:][::-1]]), 50)
    assert again.placebos == pytest.approx(test.placebos, abs=1e-9), "the order of the districts must not matter"
    by_change = np.argsort(changes)

    def t_of(on):
        weights = [sizes[side] / sizes[side].sum() for side in (on, ~on)]
        means = [w @ changes[side] for w, side in zip(weights, (on, ~on), strict=True)]
        variances = [mean_variance(changes[side], w) for w, side in zip(weights, (on, ~on), strict=True)]
        return (means[0] - means[1]), np.sqrt(sum(variances))

    order = np.random.default_rng(7).random((50, 10)).argpartition(4, axis=1)[:, :4]
    effect, se = t_of(np.arange(10) < 4)
    slow = [np.divide(*t_of(np.isin(np.arange(10), by_change[chosen]))) * se for chosen in order]
    assert test.placebos == pytest.approx(np.array(slow), abs=1e-9) and test.estimate == pytest.approx(effect)
    assert test.p_value == pytest.approx((1 + sum(abs(value) >= abs(effect) for value in slow)) / 51)


@pytest.mark.parametrize("seed", range(3))
def test_few_labelings_bound_the_p_value_from_below(seed):
    changes = np.random.default_rng(seed).normal(size=7)
    changes[:2] += 50
    far = shuffled(changes[:2], changes[2:], seed)
    assert far.floor == 1 / 21 and far.p_value == pytest.approx(1 / 21, abs=0.01) and far.p_value >= far.floor
    two = shuffled_starts(np.stack([changes, changes]), np.array([0, 1]), seed)
    assert two.floor == 1 / 42 and two.p_value >= two.floor
    assert shuffled(changes[:2], changes[2:5], seed).floor == 0.1  # no test of 2 against 3 can reject at 5%


def _with_programs(study, codes):
    kept = {code: study.starts[code] for code in codes}
    return replace(
        study, starts=kept, districts=study.districts.assign(treated=study.districts["district_code"].isin(codes))
    )


def test_a_program_in_one_district_is_judged_by_one_test_on_both_pages(study):
    """The permutation that is not scaled rejects too often where the one varies more than the others."""
    data = _with_programs(study, ["0640011"])
    one, both = answer_district(data, "0640011", Spec()), answer_all(data, Spec(), robust=False)
    assert both.headline.name == one.headline.name == "studentized_noise"
    assert leading(both) == leading(one) and verdict_of(both).p_value == one.headline.p_value != both.main.p_value
    row = both.estimates[0]
    assert (row.role, row.district_code, row.p_value) == ("main", "ALL", one.headline.p_value)
    assert treated_words(both) == "one LEAP district" and district_title(both).startswith("One LEAP district moved")
    assert "alone" not in str(forest(both)) and "1 units" not in " ".join(both.not_possible)


def test_a_state_of_programs_alone_is_told_to_add_others(study):
    data = _with_programs(study, ["0640011"])
    data = replace(data, districts=data.districts[data.districts["treated"]])
    with pytest.raises(BadInput, match="All districts of the figures had LEAP. Add figures of districts that never"):
        comparison_codes(data, "others")


@pytest.mark.parametrize(
    ("start", "told"),
    [("2029-30", "say `hidden: leave out` under `unit:`"), ("2020-21", "no comparison either. Choose a contrast with")],
)
def test_starts_that_the_figures_do_not_reach_are_refused_by_name(study, start, told):
    data = _with_programs(study, ["0640011", "0930011"])
    data = replace(data, starts={**data.starts, "0930011": start})
    with pytest.raises(BadInput, match=told) as refused:
        build_sample(data, Spec(), ["0640011", "0930011"])
    assert f"began in 0930011 in {start}" in str(refused.value) and "0640011" not in str(refused.value)


def test_raw_means_are_of_the_district_s_own_years(study):
    data = replace(study, starts={**study.starts, "0640011": "2022-23"})
    answer = answer_district(study, "0640011", Spec())
    assert raw_means(SimpleNamespace(data=data, answer=answer)).startswith("From 2021-22 to 2022-23, Hartford went")


def test_treated_units_that_are_not_in_the_sample_are_named(study):
    names = unit_names(study)
    told = _left_out(study, SimpleNamespace(left_out=("0930011", "0570011")), names)
    assert len(told) == 1 and told[0].endswith("1 LEAP district (New Haven School District).")
    assert _left_out(study, SimpleNamespace(left_out=("0570011",)), names) == (), "comparison units are told elsewhere"


def test_a_missing_number_of_students_is_not_told_as_a_missing_rate(study):
    rows = study.attendance
    data = replace(study, attendance=rows.assign(students=rows["students"].where(rows["district_code"] != "0640011")))
    with pytest.raises(BadInput, match="has no 'attendance_rate' with the number of students that weighs it in"):
        build_sample(data, Spec(weights="students"), ["0640011"])
    assert build_sample(data, Spec(), ["0640011"]).treated == ("0640011",)
