"""A small Monte Carlo: with no effect at all the textbook design finds one, the recommended design hardly."""

from typing import get_args

import montecarlo
import pandas as pd
import pytest
import student_checks
import student_gates
import student_lottery

from leapstudy.core import paths
from leapstudy.students.outcomes import KINDS
from leapstudy.students.simulate.config import Pick
from leapstudy.study.student_outcomes import VISITED
from leapstudy.words import findings_students


@pytest.mark.slow
def test_the_recommended_design_is_far_less_biased_than_the_textbook_one():
    """Twelve districts of 1,500 students; the mean of twelve has a standard error of about 0.5 points."""
    rows = [row for seed in range(12) for row in montecarlo.replicate("last_two_months", "zero", 1500, seed)]
    table = montecarlo.summary(pd.DataFrame(rows))
    bias = table[table["month"] == "1 to 6"].set_index("design")["bias_pp"]
    assert bias["never"] > 5 and bias["not_yet"] > 5 and bias["before_after"] > 5
    assert abs(bias["at_risk"]) < 1.6
    assert (table["truth_pp"] == 0).all() and (table["replicates"] == 12).all()


def test_coverage_is_of_the_mean_effect_and_realized_coverage_of_each_replicates_own():
    same = {"path": "leap", "rule": "random", "design": "at_risk", "month": "1", "overlap": 1.0}
    # estimates stray from the mean effect of 2 by 1, and from the replicate's own by 2
    rows = [{**same, "estimate": 1.0, "truth": 3.0, "se": 0.6}, {**same, "estimate": 3.0, "truth": 1.0, "se": 0.6}]
    table = montecarlo.summary(pd.DataFrame(rows)).iloc[0]
    assert table["truth_pp"] == 2 and table["bias_pp"] == 0
    assert table["coverage"] == 1 and table["coverage_realized"] == 0


def test_no_page_claims_a_rise_where_visits_do_nothing_and_each_gate_keeps_its_size_under_lot():
    table = pd.read_csv(paths.root() / "benchmarks" / "results" / "student_gates.csv")
    assert list(table["pick"]) == list(get_args(Pick)) and (table["replicates"] >= 100).all()
    assert (table["claims_rise"] == 0).all()
    lot = table.set_index("pick").loc["lot"]
    gates = ["effect_rejects", "placebo_rejects", "control_rejects", "pre_trend_rejects"]
    assert lot[gates].between(0.01, 0.10).all(), "5 in 100, give or take what 100 replicates can tell"
    assert lot[["effect_pp", "placebo_pp", "control_pp"]].abs().max() < 0.4
    assert student_gates.lines(table) in (paths.root() / "docs" / "method.md").read_text(encoding="utf-8")


def test_the_analysis_of_a_draw_keeps_its_size_and_covers_the_truth():
    table = pd.read_csv(paths.root() / "benchmarks" / "results" / "student_lottery.csv")
    assert (table["draws"] >= 200).all() and set(table["what"]) == set(student_lottery.WHAT)
    named = table[table["what"] != "leavers"]
    assert named["coverage"].between(0.92, 0.98).all() and named["bias_pp"].abs().max() < 0.15
    assert named.loc[named["path"] == "zero", "rejects"].between(0.02, 0.08).all()
    dose = table[table["what"] == "dose"].set_index("path")["truth_pp"]
    assert dose["more"] - dose["leap"] < 1 < student_lottery.PER_VISIT < dose["leap"], "no effect of one more visit"
    assert table.loc[table["what"] == "leavers", "coverage"].min() >= 0.95, "bounds are wider than an interval need be"
    assert student_lottery.lines(table) in (paths.root() / "docs" / "method.md").read_text(encoding="utf-8")


def test_adjusted_checks_are_unbiased_under_lot_and_are_told_not_to_be_where_staff_pick():
    table = pd.read_csv(paths.root() / "benchmarks" / "results" / "student_checks.csv")
    assert set(table.loc[table["what"] == VISITED, "pick"]) == set(get_args(Pick))
    by_lot, outcomes = table["pick"] == student_checks.LOT, table["what"].isin(KINDS)
    assert (table["refused"] <= 0.05 * table["replicates"])[by_lot | ~outcomes].all(), "only the visited differ there"
    assert outcomes.sum() == 2 * len(get_args(Pick)) * len(KINDS)
    assert table.loc[by_lot & outcomes, "coverage"].between(0.84, 1).all()
    off = table[outcomes & (table["what"] == "grades")].set_index(["path", "pick"])["bias_pp"].unstack("path")
    assert (off.loc[["trouble", "trait"]] < -5).all(axis=None) and (off.loc["improvement"] > 5).all(), "told"
    lot = table[by_lot & table["what"].isin(student_checks.WHAT)]
    often = lot["what"] == student_checks.MORE
    assert (lot["bias_pp"].abs() < 2 * lot["sd_pp"] / lot["replicates"] ** 0.5)[~often].all() and len(lot) == 8
    assert (lot["bias_pp"].abs() < lot["mean_se_pp"])[often].all(), "told: it leans, by less than a standard error"
    more = table[table["what"] == student_checks.MORE].set_index(["path", "pick"])["bias_pp"].unstack("path")
    assert (more.loc[["trouble", "trait"]] < -5).all(axis=None) and (more.loc["improvement"] > 5).all()
    low, high = sorted(round(-bias, 1) for bias in lot.loc[often, "bias_pp"])
    assert f"came out {low} to {high} points low" in findings_students.CATALOG.say("parts", told="", hidden=""), (
        "pages say how it leans"
    )
    told = (paths.root() / "docs" / "method.md").read_text(encoding="utf-8")
    assert student_checks.lines(table) in told and student_checks.outcome_lines(table) in told


def test_a_draw_without_effect_in_the_benchmark_has_a_truth_of_zero_and_leavers_only_by_attendance():
    rows = {row["what"]: row for row in student_lottery.replicate("zero", 5)}
    assert all(row["truth"] == 0 for row in rows.values())
    assert all(row["low"] < row["estimate"] < row["high"] for row in rows.values())


def test_the_kept_table_is_whole_and_says_what_the_readme_may_say():
    table = pd.read_csv(paths.root() / "benchmarks" / "results" / "montecarlo.csv", dtype={"month": "str"})
    assert table["seed"].nunique() == table["date"].nunique() == 1 and (table["failed"] == 0).all()
    main = table[(table["month"] == "1 to 6")].set_index(["path", "rule", "design"])
    assert len(main) == 2 * 5 * 5
    for path in ("zero", "leap"):
        for rule in ("random", "last_year", "year_to_date", "last_two_months"):
            own = main.loc[(path, rule, "at_risk")]
            # nominal 95 of the effect on students like those visited; with 200 replicates 92 to 98 is chance
            assert abs(own["bias_pp"]) < 0.3 and 0.92 <= own["coverage"] <= 0.98
            assert 0.9 < own["mean_se_pp"] / own["sd_pp"] < 1.15
        assert main.loc[(path, "last_two_months", "never"), "bias_pp"] > 5
        assert main.loc[(path, "worst", "at_risk"), "bias_pp"] > 3, "nothing repairs a rule without overlap"
