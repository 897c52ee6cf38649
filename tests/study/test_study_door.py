"""The front door: what `import leapstudy as ls` gives, held against the study's own answers."""

import doctest
import inspect
import itertools
import subprocess
import sys

import pandas as pd
import pytest
import statsmodels.formula.api as smf

import leapstudy as ls
from leapstudy.core.errors import BadInput
from leapstudy.data import kept_study, load_study
from leapstudy.did import sample
from leapstudy.did.frames.two_sides import RowsResult
from leapstudy.study.public import read_ahead, study_district

FORMULA = "rate_pct ~ treated:post + C(district) + C(year)"
# What every panel has, in this order; traits of the district follow.
COLUMNS = ("district_code", "district", "year", "rate_pct", "treated", "post", "event_time", "weight", "students")
PLACEBO, PLACEBO_YEARS = "placebo_2019_20_to_2020_21", ("2019-20", "2020-21")


def test_importing_loads_nothing_heavy():
    heavy = "{'pandas', 'numpy', 'matplotlib'}"
    code = f"import sys, leapstudy; print(sorted({heavy} & set(sys.modules)), len(dir(leapstudy)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.startswith("[]")


def test_every_name_is_there_and_an_unknown_one_is_not():
    assert all(callable(getattr(ls, name)) and name in dir(ls) for name in ls.__all__)
    assert len(ls.__all__) <= 10
    with pytest.raises(AttributeError, match="no 'panle'. It has answer"):
        ls.panle  # noqa: B018


@pytest.mark.parametrize("name", [name for name in ls.__all__ if name != "answer_students"])
def test_the_examples_run(name):
    _run_examples(name)


@pytest.mark.slow
def test_the_examples_of_the_student_track_run(workspace):
    _run_examples("answer_students")
    assert len(repr(ls.answer_students()).splitlines()) <= 10


def _run_examples(name):
    function = getattr(ls, name)
    tests = doctest.DocTestFinder().find(function, name, globs={})
    assert any(test.examples for test in tests), f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert all(runner.run(test).failed == 0 for test in tests)


@pytest.mark.parametrize("years", ["contrast", "all"])
def test_the_panel_is_tidy_complete_and_has_the_columns_of_the_contract(years):
    panel = ls.panel(years=years)
    assert tuple(panel.columns[: len(COLUMNS)]) == COLUMNS
    assert panel[list(COLUMNS)].notna().all(axis=None)
    assert not panel.duplicated(["district_code", "year"]).any()
    assert panel["rate_pct"].between(0, 100).all()
    assert (panel["post"] == (panel["event_time"] >= 0)).all()
    assert panel.groupby("treated")["district_code"].nunique().to_dict() == {0: 19, 1: 15}


def test_a_regression_that_anybody_can_write_gives_the_published_numbers(pooled, hartford):
    for district, answer in ((None, pooled), ("hartford", hartford)):
        model = smf.ols(FORMULA, ls.panel(district)).fit()
        assert model.params["treated:post"] == pytest.approx(answer.main.estimate_pp, abs=1e-10)
        placebo = smf.ols(FORMULA, ls.panel(district, contrast=PLACEBO)).fit()
        row = next(row for row in answer.estimates if (row.role, row.pre, row.post) == ("placebo", *PLACEBO_YEARS))
        assert placebo.params["treated:post"] == pytest.approx(row.estimate_pp, abs=1e-10)
    by_students = ls.panel(weights="students")
    model = smf.wls(FORMULA, by_students, weights=by_students["weight"]).fit()
    assert model.params["treated:post"] == pytest.approx(ls.diff_in_diff(by_students).estimate, abs=1e-10)


def test_the_estimators_of_any_frame_give_the_study_s_own_answers(pooled, hartford):
    result, main = ls.diff_in_diff(ls.panel()), pooled.main
    mine = (result.estimate, result.se, result.ci_low, result.ci_high, result.p_value)
    assert mine == pytest.approx(
        (main.estimate_pp, main.se_pp, main.ci_low_pp, main.ci_high_pp, main.p_value), abs=1e-12
    )
    alone, leading = ls.diff_in_diff(ls.panel("hartford")), hartford.headline
    assert (alone.estimate, alone.p_value) == pytest.approx((leading.estimate_pp, leading.p_value), abs=1e-12)
    assert (alone.p_method, alone.p_floor) == (leading.label, leading.p_floor)
    table, own = ls.event_study(ls.panel(years="all")).table, pooled.event_study.table
    for name in ("estimate", "se", "low", "high", "low_sup", "high_sup"):
        assert table[name].to_numpy() == pytest.approx(own[f"{name}_pp"].to_numpy(), abs=1e-12, nan_ok=True)


def test_an_unknown_name_is_answered_with_the_legal_ones():
    for arguments, text in (
        ({"comparison": "aliance"}, "alliance"),
        ({"outcome": "attendance"}, "attendance_rate"),
        ({"years": "some"}, "contrast"),
        ({"district": "hartfort"}, "hartford"),
    ):
        with pytest.raises(BadInput, match=text):
            ls.panel(**arguments)


def test_tables_laid_out_ahead_serve_every_question_and_a_users_own_are_their_own(monkeypatch):
    read_ahead()
    monkeypatch.setattr(sample, "Panel", None)  # none is laid out anew
    study = study_district("hartford")
    ls.panel("hartford", years="all")
    for own in (load_study(), study.data):
        own.districts["slug"] = "changed"
    assert "hartford" in set(kept_study().districts["slug"])


def test_a_repr_is_short():
    panel = ls.panel(years="all")
    single = ls.diff_in_diff(panel)
    for result in (single, ls.event_study(panel), ls.att_gt(panel), ls.placebo(panel), ls.sensitivity(single)):
        assert len(repr(result).splitlines()) <= 15
        assert result.finding in repr(result)
        assert result.finding.split(" (")[0] in result._repr_html_()


def test_false_starts_and_bounds_are_the_study_s_own(pooled):
    same = ("comparison", "edition", "outcome", "estimator", "p_method", "district_code")
    rows = {
        (row.pre, row.post): row
        for row in pooled.estimates
        if all(getattr(row, name) == getattr(pooled.main, name) for name in same)
    }
    rows_of = RowsResult(
        outcome="y",
        table=pd.DataFrame(
            {"what": ["a", "b"], "estimate": [-0.12, -0.0418], "ci_low": [-1.3, -1.1], "ci_high": [1.1, 1.0]}
        ),
        sentence="",
    )
    assert [text.split(" ")[0] for _, text in rows_of._facts()] == ["−0.12", "−0.04"], "one table, one scale"
    false, own = ls.placebo(ls.panel()).table.iloc[0], rows["2019-20", "2020-21"]
    assert (false["estimate"], false["ci_low"], false["ci_high"]) == pytest.approx(
        (own.estimate_pp, own.ci_low_pp, own.ci_high_pp), abs=1e-10
    )
    whole = ls.sensitivity(ls.diff_in_diff(ls.panel())).table.set_index("what")
    assert whole.loc["from 2020-21 alone", "estimate"] == pytest.approx(
        rows["2020-21", "2021-22"].estimate_pp, abs=1e-10
    )
    left = pooled.leave_one_out.set_index("district_code")["estimate_pp"]
    mine = whole[whole["kind"] == "left out"]["estimate"].rename(index=lambda what: what.removeprefix("without "))
    assert mine.sort_index().to_numpy() == pytest.approx(left.sort_index().to_numpy(), abs=1e-10)


def test_the_whole_answer_has_a_short_repr_and_is_saved_by_its_ending(tmp_path):
    study = ls.answer("hartford")
    assert max(len(repr(item).splitlines()) for item in (study, study.answer)) <= 10
    # Hartford's preferred test has no bounded interval and cannot reject: no other test's may stand for it
    assert "0.69 percentage points (no bounded interval)" in repr(study) and "no effect, however large" in repr(study)
    result = ls.diff_in_diff(ls.panel())
    for item, name in ((study, "whole.json"), (study, "rows.csv"), (result, "mine.csv"), (result, "mine.svg")):
        ls.save(item, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 100
    with pytest.raises(BadInput, match=r"Legal: \.csv, \.png"):
        ls.save(result, tmp_path / "mine.json")
    with pytest.raises(BadInput, match="Nothing is known"):
        ls.show(3)


@pytest.mark.parametrize(("later", "effect", "se"), [("2021-22", 2.38, 2.43), ("2024-25", 1.45, 1.21)])
def test_the_long_series_is_a_frame_whose_regression_gives_the_published_number(later, effect, se):
    panel = ls.panel(outcome="chronic_absence", years="long")
    assert panel["year"].min() == "2011-12" and not panel["rate_pct"].isna().any()
    two = panel[panel["year"].isin(["2018-19", later])]
    ours = ls.diff_in_diff(two)
    plain = smf.ols("rate_pct ~ treated:post + C(district) + C(year)", two).fit().params["treated:post"]
    assert ours.estimate == pytest.approx(effect, abs=0.005) == plain
    change = two.pivot(index="district_code", columns="year", values="rate_pct")
    sides = [change.loc[two.loc[two["treated"] == side, "district_code"].unique()] for side in (1, 0)]
    moved = [side[later] - side["2018-19"] for side in sides]
    assert sum(item.var(ddof=1) / len(item) for item in moved) ** 0.5 == pytest.approx(se, abs=0.005)


def test_an_outcome_without_a_long_series_is_refused_with_those_that_have_one():
    with pytest.raises(BadInput, match="chronic_absence"):
        ls.panel(years="long")


ODD = (None, "zzz", -1, 1.5, float("nan"), True, [], ["zzz"], {}, b"x", pd.DataFrame({"answer": ["secret"]}))
OPTIONAL = {"weights", "cluster", "strata", "first_treated", "post", "reference", "treated"}


@pytest.mark.parametrize("name", ["answer", "att_gt", "diff_in_diff", "event_study", "panel", "placebo"])
def test_every_argument_refuses_odd_values_in_words_and_never_shows_a_frame(name):
    function, frame = getattr(ls, name), ls.panel(years="all")
    given = {"answer": {"district": "hartford"}, "panel": {}}.get(name, {"data": frame})
    for argument, odd in itertools.product(inspect.signature(function).parameters, ODD):
        if odd is None and (name in ("answer", "panel") or argument in OPTIONAL):
            continue
        with pytest.raises(BadInput) as refusal:
            function(**{**given, argument: odd})
        assert "secret" not in str(refusal.value) and len(str(refusal.value)) > 30


def test_results_are_drawn_tabled_and_saved_from_and_to_what_they_can_be_only(tmp_path, monkeypatch):
    result, starts = ls.diff_in_diff(ls.panel()), ls.att_gt(ls.panel(years="all"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "leapstudy.study.student_files.stored_state", lambda: [{"slug": "x", "name": "X", "answer": {"code": "1"}}]
    )
    for odd in ODD[1:]:
        for refused in (
            lambda odd=odd: result.plot(odd),
            lambda odd=odd: starts.to_frame(odd),
            lambda odd=odd: ls.save(odd, "mine.csv"),
            lambda odd=odd: ls.save(result, odd),
            lambda odd=odd: ls.answer_students(odd),
        ):
            with pytest.raises(BadInput) as refusal:
                refused()
            assert "secret" not in str(refusal.value)
    with pytest.raises(BadInput, match="Legal: simple, group, calendar, event"):
        starts.to_frame("x")
    with pytest.raises(BadInput, match=r"anticipation must be a whole number from 0 to 1,000; got 1\.5"):
        ls.att_gt(ls.panel(years="all"), anticipation=1.5)
    assert not list(tmp_path.iterdir())
    for name in ("a/new/mine.csv", "b/new/mine.png"):
        ls.save(result, tmp_path / name)
        assert (tmp_path / name).stat().st_size
