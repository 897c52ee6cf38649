"""The size rule month by month, before any average, and over districts and their sum together."""

import numpy as np
import pandas as pd
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.did.at_risk import at_risk, strata_of, students_behind
from leapstudy.did.staggered.att_gt import AttGt, Cell, Choices
from leapstudy.study.student_designs import months_words
from leapstudy.study.student_publish import months_with_enough, strata_to_show, without_residue

FEWEST = 6


def strata(*rows):
    """District, cohort, month, visited, comparison; the visited rise by the month's number, the others by nothing."""
    sums = []
    for code, g, t, visited, compared in rows:
        same = {"district_code": code, "g": g, "t": t, "band": 0, "waiting": False, "part": "", "base": g - 1}
        sums += [
            {**same, "treated": True, "students": visited, "total": float(visited * (t - g))},
            {**same, "treated": False, "students": compared, "total": 0.0},
        ]
    return strata_of(pd.DataFrame(sums).assign(weight=lambda rows: rows["students"].astype(float)))


def sizes(*rows):
    return pd.DataFrame(rows, columns=["district_code", "g", "students"]).assign(part="")


def test_a_month_that_only_one_student_has_reached_is_in_no_average():
    """One student visited in September, 131 in January, and the file ends in June (issue 12, F1)."""
    rows = strata(*[("1", 8, t, 1, 300) for t in range(9, 18)], *[("1", 12, t, 131, 300) for t in range(13, 18)])
    months = months_with_enough(rows, FEWEST)
    shown = strata_to_show(rows, months, "own")
    found = at_risk(shown, sizes(("1", 8, 1), ("1", 12, 131)), FEWEST)
    assert found.averages.key.tolist() == [1, 2, 3, 4, 5]
    assert found.averages.overall == pytest.approx(3), "the mean of the months shown, month 6 not among them"
    each, used = students_behind(found)
    assert each.tolist() == [132] * 5 and used == 132
    assert months_words(found.averages.key) == "months 1 to 5"


def test_the_students_of_a_hidden_district_are_not_what_all_have_more_than_the_others():
    rows = strata(("1", 8, 9, 30, 90), ("2", 8, 9, 25, 90), ("3", 8, 9, 3, 90))
    months = months_with_enough(rows, FEWEST)
    assert strata_to_show(rows, months, "own")["n_t"].tolist() == [30, 25]
    assert strata_to_show(rows, months, "together")["n_t"].tolist() == [30, 25], "ALL less the two shown is nobody"
    two = strata(("1", 8, 9, 30, 90), ("2", 8, 9, 15, 90), ("3", 8, 9, 13, 90))
    assert strata_to_show(two, months_with_enough(two, FEWEST), "together")["n_t"].sum() == 58


@pytest.mark.parametrize("seed", range(20))
def test_every_difference_of_published_groups_is_nobody_or_a_group(seed):
    rng = np.random.default_rng(seed)
    rows = strata(
        *[(str(d), 8, 8 + e, int(rng.integers(1, 45)), int(rng.integers(15, 90))) for d in range(6) for e in (1, 2, 3)]
    )
    months = months_with_enough(rows, FEWEST)
    counts = [
        strata_to_show(rows, months, column).assign(e=lambda r: r["t"] - r["g"]).groupby("e")["n_t"].sum()
        for column in ("together", "own")
    ]
    rest = counts[0].sub(counts[1], fill_value=0)
    assert ((rest == 0) | (rest >= 20)).all()


def test_few_comparison_students_hide_a_month_too():
    rows = strata(("1", 8, 9, 100, 19))
    with pytest.raises(BadInput):
        at_risk(strata_to_show(rows, months_with_enough(rows, FEWEST), "own"), sizes(("1", 8, 100)), FEWEST)


def test_names_of_months_are_of_what_is_there():
    assert months_words(np.array([-2.0, 1, 2, 4, 7])) == "months 1, 2, 4" and months_words(np.array([1.0])) == "month 1"


def _att(rows):
    """ATT(g,t) of cohort 8 by (event time, visited students, comparison students)."""
    cells = tuple(Cell(8.0, 8 + event, (7,), np.zeros(1)) for event, _, _ in rows)
    visited, compared = (np.array([row[k] for row in rows]) for k in (1, 2))
    ones, none = np.ones(len(rows)), np.zeros((len(rows), 1))
    return AttGt(cells, ones, ones, visited, compared, ones, none, none, (), Choices(base="universal"))


def test_a_month_of_all_that_gives_a_hidden_district_away_is_left_out_of_every_design():
    every = _att([(1, 63, 200), (2, 58, 200), (3, 80, 200), (4, 63, 200)])
    parts = [
        _att([(1, 30, 90), (2, 30, 90), (3, 40, 90), (4, 30, 90)]),
        _att([(1, 30, 90), (2, 15, 90), (3, 40, 90), (4, 30, 90)]),
        _att([(1, 3, 90), (2, 13, 90), (4, 3, 0)]),
    ]
    kept = without_residue(every, parts)
    assert (kept.period - 8).tolist() == [2, 3], "3 are not told, 28 hidden together and nobody may be"
    assert len(without_residue(every, []).cells) == 4
