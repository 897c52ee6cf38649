"""Callaway-Sant'Anna from moments: by hand, by a slow twin on rows, and by what must not move it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from moments_twin import moments_of, random_rows

from leapstudy.core.errors import BadInput
from leapstudy.did.staggered.att_gt import NO_BASE, NO_COMPARISON, Choices, att_gt, cells_of
from leapstudy.did.staggered.effects import aggregate_influence, averages
from leapstudy.students.moments.record import NEVER, Moments, covariance


def _panel(paths: dict[str, tuple[float, list[float]]], **extra: list) -> pd.DataFrame:
    """Rows of named students with cohort and outcomes from period 1 on; None = not seen."""
    rows = [
        {"unit": name, "cohort": cohort, "period": t + 1, "y": y, **{k: v[place] for k, v in extra.items()}}
        for place, (name, (cohort, ys)) in enumerate(paths.items())
        for t, y in enumerate(ys)
        if y is not None
    ]
    return pd.DataFrame(rows)


BY_HAND = {
    "a": (3, [10, 12, 20]),
    "b": (3, [20, 20, 26]),
    "c": (2, [5, 9, 9]),
    "d": (NEVER, [30, 31, 33]),
    "e": (NEVER, [40, 43, 43]),
}


def test_two_cohorts_by_hand():
    att = att_gt(moments_of(_panel(BY_HAND)), Choices())
    found = dict(zip(zip(att.cohort, att.period, strict=True), att.estimate, strict=True))
    # cohort 2: +4 against +2; then +4 from period 1 against +3. Cohort 3: +1 against +2 (before), then +7 against +1
    assert found == pytest.approx({(2, 2): 2.0, (2, 3): 1.0, (3, 2): -1.0, (3, 3): 6.0})
    # at (3, 3): changes 8, 6 around 7 and 2, 0 around 1: variance (1 + 1) / 4 + (1 + 1) / 4
    se = np.sqrt(np.diag(covariance(moments_of(_panel(BY_HAND)), att.influence())))
    assert se[list(found).index((3, 3))] == pytest.approx(1.0)
    assert att.n_treated.tolist() == [1, 1, 2, 2] and att.n_comparison.tolist() == [2] * 4


def test_averages_by_hand():
    moments = moments_of(_panel(BY_HAND))
    att = att_gt(moments, Choices())
    simple, events = averages(att, "simple"), averages(att, "event")
    assert simple.overall == pytest.approx((2 + 1 + 2 * 6) / 4)
    assert events.key.tolist() == [-1, 0, 1]
    assert events.estimate == pytest.approx([-1, (2 + 2 * 6) / 3, 1])
    assert events.overall == pytest.approx((14 / 3 + 1) / 2)
    assert averages(att, "event", events=(1, 6)).overall == pytest.approx(1)
    group, calendar = averages(att, "group"), averages(att, "calendar")
    assert (group.estimate, group.overall) == (pytest.approx([1.5, 6]), pytest.approx((1.5 + 2 * 6) / 3))
    assert (calendar.estimate, calendar.overall) == (pytest.approx([2, 13 / 3]), pytest.approx((2 + 13 / 3) / 2))


def test_not_yet_visited_students_compare_until_their_visit():
    att = att_gt(moments_of(_panel(BY_HAND)), Choices(control="not_yet"))
    found = dict(zip(zip(att.cohort, att.period, strict=True), att.estimate, strict=True))
    # cohort 2 in period 2: against a, b (+2, 0) and d, e (+1, +3)
    assert found[(2, 2)] == pytest.approx(4 - 1.5)
    assert found[(2, 3)] == pytest.approx(4 - 3)


def _twin(rows: pd.DataFrame, choices: Choices) -> pd.DataFrame:
    """ATT(g,t) and each student's influence, row by row, as the definitions read."""
    wide = rows.pivot(index="unit", columns="period", values="y")
    traits = rows.groupby("unit")[["cohort", "stratum", "weight"]].first()
    found = []
    for g in sorted(traits["cohort"][traits["cohort"] < NEVER].unique()):
        for cell in cells_of(g, wide.columns.to_numpy(), choices):
            change = wide[cell.period] - wide[list(cell.base)].mean(axis=1, skipna=False)
            who = traits.assign(change=change).dropna(subset=["change"])
            others = who["cohort"] == NEVER
            if choices.control == "not_yet":
                others = (who["cohort"] > cell.horizon + choices.anticipation) & (who["cohort"] != g)
            stratum = who["stratum"] if choices.by_stratum else pd.Series("", index=who.index)
            treated = who["cohort"] == g
            have = set(stratum[others])
            treated &= stratum.isin(have)
            expected = {
                s: np.average(who["change"][others & (stratum == s)], weights=who["weight"][others & (stratum == s)])
                for s in have
            }
            gap = who["change"] - stratum.map(expected)
            att = np.average(gap[treated], weights=who["weight"][treated])
            total = who["weight"][treated].sum()
            influence = pd.Series(0.0, index=traits.index)
            influence[who.index[treated]] = (who["weight"] * (gap - att))[treated] / total
            for s in have:
                side, share = others & (stratum == s), who["weight"][treated & (stratum == s)].sum() / total
                influence[who.index[side]] = -(share * who["weight"] * gap)[side] / who["weight"][side].sum()
            found.append({"cohort": g, "period": cell.period, "att": att, "influence": influence.to_numpy()})
    return pd.DataFrame(found)


@pytest.mark.parametrize(
    "choices",
    [
        Choices(),
        Choices(control="not_yet", base="universal", anticipation=1),
        Choices(by_stratum=True),
        Choices(control="not_yet", by_stratum=True, early=(3, 2)),
    ],
    ids=str,
)
@pytest.mark.parametrize("gaps", [0.0, 0.15])
def test_agrees_with_the_slow_twin_on_rows(choices, gaps):
    rows = random_rows(7, students=120, gaps=gaps, strata=2, weighted=True)
    moments = moments_of(rows, shift=80)
    att, twin = att_gt(moments, choices), _twin(rows, choices)
    assert att.cohort.tolist() == twin["cohort"].tolist() and att.period.tolist() == twin["period"].tolist()
    np.testing.assert_allclose(att.estimate, twin["att"], atol=1e-12)
    psi = np.vstack(twin["influence"].to_list())
    np.testing.assert_allclose(covariance(moments, att.influence()), psi @ psi.T, atol=1e-13)


DEFAULT = Choices()


def _event_path(rows: pd.DataFrame, choices: Choices = DEFAULT, shift: float = 80.0) -> tuple[np.ndarray, np.ndarray]:
    moments = moments_of(rows, shift)
    att = att_gt(moments, choices)
    made = averages(att, "event")
    return np.append(made.estimate, made.overall), covariance(moments, aggregate_influence(moments, att, made))


def test_what_must_not_move_it():
    rows = random_rows(11, gaps=0.1)
    estimate, variance = _event_path(rows)
    unit = pd.Series(np.random.default_rng(0).normal(0, 9, rows["unit"].nunique()))
    for name, other, factor in (
        ("student and month effects", rows.assign(y=rows["y"] + rows["unit"].map(unit) + rows["period"] ** 2), 1),
        ("row order", rows.sample(frac=1, random_state=3), 1),
        ("scale", rows.assign(y=3 * rows["y"]), 3),
    ):
        moved, moved_variance = _event_path(other)
        np.testing.assert_allclose(moved, factor * estimate, atol=1e-10, err_msg=name)
        np.testing.assert_allclose(moved_variance, factor**2 * variance, atol=1e-10, err_msg=name)
    np.testing.assert_allclose(_event_path(rows, shift=0.0)[1], variance, atol=1e-10)


def test_adding_to_visited_months_adds_to_the_effects():
    rows = random_rows(12)
    after = rows["period"] >= rows["cohort"]
    before, variance = _event_path(rows, Choices(base="universal"))
    moved, same = _event_path(rows.assign(y=rows["y"] + 2.5 * after), Choices(base="universal"))
    moments = moments_of(rows)
    keys = averages(att_gt(moments, Choices(base="universal")), "event").key
    np.testing.assert_allclose(moved - before, 2.5 * np.append(keys >= 0, 1), atol=1e-10)
    np.testing.assert_allclose(same, variance, atol=1e-10)


def test_the_moments_are_not_changed():
    moments = moments_of(random_rows(13, gaps=0.1))
    copies = {f.name: np.copy(getattr(moments, f.name)) for f in dataclasses.fields(Moments)}
    att = att_gt(moments, Choices(control="not_yet"))
    aggregate_influence(moments, att, averages(att, "event"))
    assert all(np.array_equal(copies[name], getattr(moments, name)) for name in copies)


def test_a_stratum_without_comparison_is_refused_in_words():
    rows = _panel(
        {"a": (3, [1, 1, 5]), "b": (3, [1, 1, 9]), "c": (3, [1, 2, 9]), "d": (NEVER, [1, 2, 3])},
        stratum=["low", "low", "high", "high"],
    )
    att = att_gt(moments_of(rows), Choices(by_stratum=True))
    assert att.estimate == pytest.approx([0, 7 - 1])
    assert att.overlap == pytest.approx([1 / 3, 1 / 3])
    assert {(r.cohort, r.period, r.stratum, r.reason) for r in att.refused} == {
        (3, 2, "low", NO_COMPARISON),
        (3, 3, "low", NO_COMPARISON),
    }
    with pytest.raises(BadInput, match="No month after a first visit"):
        stricter = att_gt(moments_of(rows), Choices(by_stratum=True, min_comparison=2))
        averages(stricter, "simple")


def test_a_cohort_without_a_month_before_its_visit_is_refused():
    att = att_gt(moments_of(_panel({**BY_HAND, "f": (1, [1, 2, 3])})), Choices())
    assert [(r.cohort, r.period, r.reason) for r in att.refused] == [(1, None, NO_BASE)]


def test_a_summer_cohort_starts_from_the_last_month_of_school():
    periods = np.array([4, 5, 6, 9, 10])
    base = {c.period: c.base for c in cells_of(7.0, periods, Choices(base="universal"))}
    assert base == {4: (6,), 5: (6,), 9: (6,), 10: (6,)}
    early = {c.period: c.base for c in cells_of(10.0, periods, Choices(early=(6, 4)))}
    assert early == {9: (4, 5, 6), 10: (4, 5, 6)}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"control": "nobody"}, "nobody"),
        ({"early": (2, 4)}, "first >= last"),
        ({"anticipation": -1}, "anticipation must be .* got -1"),
    ],
)
def test_a_wrong_choice_says_what_is_legal(wrong, message):
    with pytest.raises(BadInput, match=message):
        Choices(**wrong)
