"""Student figures whose words stand where values put them: nothing meets or is cut, wherever the values lie."""

from dataclasses import replace

import pytest
from layout import overlaps

from leapstudy.figures.palette import NARROW, WIDE
from leapstudy.figures.students_before import PICKED, rebound
from leapstudy.figures.students_effects import designs, event_study
from leapstudy.study.students import study_students

PATH = ["estimate_pp", "low_sup_pp", "high_sup_pp"]


@pytest.fixture(scope="module")
def study():
    return study_students("windham")


def _moved(estimate, factor, shift):
    if estimate is None:
        return None
    low, high = sorted(factor * end + shift for end in (estimate.ci_low_pp, estimate.ci_high_pp))
    return replace(estimate, estimate_pp=factor * estimate.estimate_pp + shift, ci_low_pp=low, ci_high_pp=high)


@pytest.mark.slow
@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("true", [True, False], ids=["simulated", "unknown truth"])
@pytest.mark.parametrize(
    ("visited", "nobody"),
    [((1, -16), (1, -9)), ((0.3, -2), (0.3, 0.1)), ((1, 10), (1, 16)), ((-1, 0), (-1, 0)), ((1, -14), (1, 4))],
    ids=["both low", "near zero", "both high", "turned", "apart"],
)
def test_words_at_values_never_meet(study, visited, nobody, true, width):
    moved = tuple(
        replace(item, main=_moved(item.main, *visited), placebo=_moved(item.placebo, *nobody))
        for item in study.answer.designs
    )
    one = replace(study, answer=replace(study.answer, designs=moved), truth=study.truth if true else None)
    for draw in (designs, rebound):
        assert overlaps(draw(one, width).figure) == [], draw.__name__


@pytest.mark.slow
@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("factor", [-3, -1, -0.02, 0.02])
def test_the_average_stands_clear_of_axis_and_names(study, factor, width):
    moved = []
    for item in study.answer.designs:
        path = item.path.assign(**{name: factor * item.path[name] for name in PATH})
        if factor < 0:
            path = path.assign(low_sup_pp=path["high_sup_pp"], high_sup_pp=path["low_sup_pp"])
        moved.append(replace(item, main=_moved(item.main, factor, 0), path=path))
    figure = event_study(replace(study, answer=replace(study.answer, designs=tuple(moved))), width).figure
    assert overlaps(figure) == []
    (axes,) = figure.axes
    (average,) = [text for text in axes.texts if text.get_text().startswith("months 1 to 6")]
    low, high = sorted(axes.get_ylim())
    assert low < average.get_position()[1] < high and (average.get_va() == "top") == (factor < 0)


@pytest.mark.slow
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_rise_is_told_beside_the_line_of_picking(study, width):
    moved = tuple(replace(item, placebo=_moved(item.placebo, 1, 10_000)) for item in study.answer.designs)
    figure = rebound(replace(study, answer=replace(study.answer, designs=moved)), width).figure
    overlaps(figure)  # draws it
    (axes,) = figure.axes
    (told,) = [text for text in axes.texts if text.get_text().endswith("on average")]
    line = axes.transData.transform((PICKED, 0))[0]
    assert told.get_window_extent().x0 > line


@pytest.mark.slow
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_lowest_value_meets_nothing_where_few_months_stand_before(study, width):
    table = study.answer.rebound
    early = replace(study.answer, rebound=table[table["event_time"] >= -2])
    figure = rebound(replace(study, answer=early), width).figure
    assert overlaps(figure) == []
    (told,) = [text for text in figure.axes[0].texts if text.get_text().endswith("%")]
    assert told.get_bbox_patch() is not None, "where it runs over the line of picking the line gives way"


def test_the_picture_of_designs_names_the_months_of_each(study):
    """Early files leave some designs fewer months, and those not met may be followed longer than the placebo."""
    first, *rest = study.answer.designs
    rest = [replace(item, placebo=item.placebo and replace(item.placebo, post="months 1 to 3")) for item in rest]
    control = replace(first.main, post="month 1")
    one = replace(study, answer=replace(study.answer, designs=(first, *rest), control=control))
    shown = designs(one, NARROW)
    rows = shown.data.set_index("Design")
    assert rows.loc["referred and not met", "Months, placebo"] == "month 1"
    assert "months 1 to 3" in set(rows["Months, placebo"]) and set(rows["Months"].dropna()) == {"months 1 to 6"}
    told = str(shown.caption.text())
    assert "over months 1 to 6, percentage" in told and "month 1)" in told and "months 1 to 3 or " in told
