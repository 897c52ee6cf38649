"""Every exhibit of the public track at both widths: nothing is cut, nothing meets anything,
the finding is the title.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from layout import overlaps
from matplotlib.collections import PolyCollection
from matplotlib.text import Text
from test_figures_frame import WIDTHS, one  # noqa: F401

import leapstudy as ls
from leapstudy.data import load_facts
from leapstudy.did.answer import contrast_rows
from leapstudy.figures.claims import state_curve
from leapstudy.figures.common import MANY, caption_of
from leapstudy.figures.district import district
from leapstudy.figures.editions import editions
from leapstudy.figures.forest import forest
from leapstudy.figures.ladder import ladder, specifications
from leapstudy.figures.permutation import permutation
from leapstudy.figures.plain import answer_chart
from leapstudy.figures.power import ruler
from leapstudy.figures.rebound import beyond, rebound
from leapstudy.words import findings
from leapstudy.words import ladder as words


def every_way(study, width):
    answer = study.answer
    return specifications(
        answer.sensitivity.curve, caption_of(answer, "x"), answer.event_study.start, answer.spec.outcome, width, place=7
    )


OF_A_STUDY = {
    "answer": lambda study, width: answer_chart(study, "en", width),
    "ladder": lambda study, width: ladder(study.answer, width),
    "rebound": rebound,
    "specifications": every_way,
}


@WIDTHS
@pytest.mark.parametrize("name", OF_A_STUDY)
@pytest.mark.parametrize("which", ["whole", "one"])
def test_an_exhibit_of_one_or_of_all_fits_and_reads(request, which, name, width):
    exhibit = OF_A_STUDY[name](request.getfixturevalue(which), width)
    assert overlaps(exhibit.figure) == []
    shown = " ".join(text.get_text() for text in exhibit.figure.texts)
    assert exhibit.title in shown and exhibit.alt.startswith(("SIMULATED: ", exhibit.title[:40], "The estimate"))


@WIDTHS
def test_an_exhibit_of_all_or_of_the_data_fits(whole, width):
    for exhibit in (permutation(whole.answer, width), editions(whole, width), state_curve(load_facts(), width)):
        assert overlaps(exhibit.figure) == []


@WIDTHS
def test_what_cannot_be_drawn_says_why(whole, width):
    answer = replace(whole.answer, rebound=None, not_possible=("How a rise follows a fall cannot be said: too few.",))
    exhibit = rebound(replace(whole, answer=answer), width)
    assert overlaps(exhibit.figure) == [] and "too few" in exhibit.data.to_string()


def test_the_ladder_has_a_row_for_each_choice_that_is_changed_alone(whole, one):  # noqa: F811
    for study in (whole, one):
        rows, main = words.ladder_rows(study.answer), study.answer.main
        assert rows["block"].iloc[0] == words.MAIN and rows["estimate_pp"].iloc[0] == main.estimate_pp
        alone = contrast_rows(study.answer).query("comparison == @main.comparison and post != @main.post")
        drawn = rows[rows["block"].isin([words.YEARS, words.BEFORE])]["estimate_pp"]
        assert set(alone["estimate_pp"]) <= set(drawn)
        out = rows[rows["block"] == words.OUT]["estimate_pp"]
        assert out.min() == study.answer.leave_one_out["estimate_pp"].min()
    assert (words.ladder_rows(one.answer)["block"] == words.TESTS).sum() == len(one.answer.methods)


def test_the_ladders_title_counts_what_its_rows_show(whole):
    answer = whole.answer
    assert words.ladder(answer).title.startswith("Changing one choice at a time never makes the interval exclude zero")
    editions_off = answer.editions.assign(ci_low_pp=-2.0, ci_high_pp=-1.0)
    assert "exclude zero in 1 of" in words.ladder(replace(answer, editions=editions_off)).title
    clear = replace(answer, main=replace(answer.main, ci_low_pp=-0.9, ci_high_pp=-0.1))
    assert "makes the interval include zero" in words.ladder(clear).title


def test_beside_one_district_stand_the_others_and_what_lies_beyond_the_line(one, whole):  # noqa: F811
    rows = beyond(one.answer.rebound)
    assert rows["own"].sum() == 1 and len(rows) == one.answer.rebound.n + 1
    assert rows.loc[~rows["own"], "gap_pp"].sum() == pytest.approx(0, abs=1e-9), "residuals of a fitted line"
    assert beyond(whole.answer.rebound)["own"].all()


def test_a_districts_figure_and_sentence_carry_the_interval_of_the_test_that_leads(one):  # noqa: F811
    headline = one.answer.headline
    assert findings.leading(one.answer) == (headline.low_pp, headline.high_pp, headline.p_value)
    told = findings.leading_words(one.answer)
    assert told in str(findings.answer(one)) and headline.label.lower() in told
    assert one.evidence.verdict.p_value == headline.p_value, "what the plain page says"


@pytest.mark.parametrize(
    ("power", "said"), [(0.0, "no chance"), (0.03, "less than 1 chance in 20"), (0.1, "about 1 chance in 10")]
)
def test_a_chance_is_never_told_larger_than_it_is(power, said):
    assert findings.chance_of(power) == said


@WIDTHS
@pytest.mark.parametrize("start", [1, 3])
def test_many_comparison_districts_are_a_shade_and_not_thousands_of_lines(one, width, start):  # noqa: F811
    rng, years = np.random.default_rng(1), ["2019-20", "2020-21", "2021-22", "2022-23"]
    units = [str(place) for place in range(MANY + 100)]
    panel = pd.DataFrame([(unit, year) for unit in units for year in years], columns=["district_code", "year"])
    panel["treated"] = (panel["district_code"] == "0").astype(int)
    panel = panel.assign(post=(panel["year"] >= years[start]).astype(int), rate_pct=rng.normal(92, 1, len(panel)))
    rows = pd.DataFrame({"district_code": units, "district": units, "placebo_pp": rng.normal(size=len(units))})
    rows = rows.assign(is_treated=rows["district_code"] == "0")
    answer = replace(one.answer, permutation=rows, main=replace(one.answer.main, n_comparison=len(rows) - 1))
    exhibit = district(answer, panel, width)
    assert overlaps(exhibit.figure) == []
    paths, changes = exhibit.figure.axes
    assert len(paths.lines) == 3 and len(paths.collections) == 1 and len(changes.patches) < 60
    assert "shaded: nine in ten" in " ".join(text.get_text() for text in exhibit.figure.texts).replace("\n", " ")
    ends = paths.collections[0].get_paths()[0].vertices[:, 1]
    inside = panel["rate_pct"].between(ends.min() - 0.3, ends.max() + 0.3).mean()
    assert 0.85 < inside < 0.97, "nine in ten"
    assert len(exhibit.data) in (2 * (MANY // 4), 2 * (MANY // 4) + 1) and "furthest" in exhibit.data.columns[1]


@WIDTHS
def test_many_others_beside_the_line_are_shades_and_the_furthest_named(one, width):  # noqa: F811
    rng, shown = np.random.default_rng(2), one.answer.rebound
    others = pd.DataFrame(rng.normal(size=(MANY + 1, 2)), columns=["fall_pp", "rebound_pp"])
    others = others.assign(district_code=others.index.astype(str), district=others.index.astype(str))
    many = replace(shown, comparison=others[shown.comparison.columns], n=len(others))
    named = beyond(many)
    exhibit = rebound(replace(one, answer=replace(one.answer, rebound=many)), width)
    assert overlaps(exhibit.figure) == [] and len(named) == 21
    scatter = next(axes for axes in exhibit.figure.axes if axes.get_title("left").startswith("Rise"))
    shades = [found.get_array() for found in scatter.collections if isinstance(found, PolyCollection)]
    assert [len(cells) > 100 for cells in shades if cells is not None] == [True] and len(scatter.lines) <= 2
    gap = others["rebound_pp"] - many.intercept - many.slope * others["fall_pp"]
    assert named.loc[~named["own"], "gap_pp"].agg(["min", "max"]).tolist() == [gap.min(), gap.max()]


@WIDTHS
def test_of_many_treated_districts_those_furthest_from_the_line_are_named(whole, width):
    shown, rng = whole.answer.rebound, np.random.default_rng(3)
    further = pd.concat([shown.treated] * 4, ignore_index=True)
    further = further.assign(district_code=further.index.astype(str), district=further.index.astype(str))
    many = pd.concat([shown.treated, further], ignore_index=True)
    many = many.assign(gap_pp=rng.normal(size=len(many)))
    own = replace(whole, answer=replace(whole.answer, rebound=replace(shown, treated=many)))
    exhibit, named = rebound(own, width), beyond(own.answer.rebound)
    assert overlaps(exhibit.figure) == [] and len(named) == 60
    assert named["gap_pp"].agg(["min", "max"]).tolist() == many["gap_pp"].agg(["min", "max"]).tolist()
    assert any("The 60 furthest" in axes.get_title("right") + axes.get_title() for axes in exhibit.figure.axes)
    assert len(exhibit.data) == len(many)


def test_a_part_of_many_is_never_told_as_all_of_them(one):  # noqa: F811
    main = replace(one.answer.main, n_comparison=12_800)
    exhibit = ladder(replace(one.answer, main=main))
    assert "one of the 12,798 other" in " ".join(text.get_text() for text in exhibit.figure.texts).replace("\n", " ")


@WIDTHS
def test_a_number_too_long_for_its_line_stands_whole_on_the_next(one, width):  # noqa: F811
    methods = one.answer.methods.assign(estimate_pp=-11.09, p_value=0.7)
    exhibit = ladder(replace(one.answer, methods=methods), width)
    assert overlaps(exhibit.figure) == []
    told = [text.get_text() for text in exhibit.figure.findobj(Text)]
    assert sum("−11.09, p = 0.70" in text for text in told) == len(methods)


@WIDTHS
def test_a_strong_effect_stands_inside_its_picture(whole, width):
    strong = replace(whole.answer, main=replace(whole.answer.main, estimate_pp=9.0))
    exhibit = permutation(strong, width)
    low, high = exhibit.figure.axes[0].get_xlim()
    assert overlaps(exhibit.figure) == [] and low < 0 < 9 < high


@WIDTHS
def test_long_names_fit(whole, one, width):  # noqa: F811
    name, panel = "Upper Cedar Rapids Consolidated School District", ls.panel("east-hartford", years="all")
    for start in ("2020-21", "2022-23"):
        answer = replace(one.answer, main=replace(one.answer.main, district=name, estimate_pp=-13.82))
        drawn = district(answer, panel.assign(post=(panel["year"] >= start).astype(int)), width)
        assert overlaps(drawn.figure) == []
    every = whole.answer.caterpillar.assign(district=name)
    assert overlaps(forest(replace(whole.answer, caterpillar=every), width).figure) == []


@WIDTHS
@pytest.mark.parametrize("times", [0.01, 20.0])
def test_tiny_and_huge_changes_fit(one, width, times):  # noqa: F811
    shown, numbers = one.answer.rebound, ["fall_pp", "rebound_pp", "predicted_pp", "gap_pp"]
    sides = {
        side: rows.assign(**{name: times * rows[name] for name in numbers if name in rows})
        for side, rows in (("comparison", shown.comparison), ("treated", shown.treated))
    }
    detects = one.answer.detectable
    detects = replace(detects, half_pp=times * detects.half_pp, mde_pp=times * detects.mde_pp)
    rescaled = replace(shown, **sides, intercept=times * shown.intercept)
    study = replace(
        one,
        answer=replace(one.answer, rebound=rescaled, detectable=detects),
        evidence=replace(one.evidence, power=None),
    )
    assert overlaps(rebound(study, width).figure) == []
    assert overlaps(ruler(study, width).figure) == []
