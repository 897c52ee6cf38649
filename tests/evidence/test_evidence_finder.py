"""Ranking of comparison sets before any outcome."""

import dataclasses
import inspect

import numpy as np
import pandas as pd
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.evidence.comparison_finder import (
    ONLY_COMPARED,
    PrePeriod,
    nearest_codes,
    pre_period,
    rank_comparisons,
    record_choice,
)

DANBURY, CREC = "0340011", "2410014"


@pytest.fixture(scope="module")
def pre(study):
    return pre_period(study)


def test_a_year_with_leap_cannot_come_in(pre):
    with pytest.raises(BadInput, match="2021-22 is not before LEAP"):
        PrePeriod(pre.table, (*pre.years, "2021-22"), pre.candidates, pre.pool, pre.start)
    assert list(inspect.signature(rank_comparisons).parameters) == ["pre", "treated"]


def test_later_figures_change_nothing(study, pre):
    late = study.attendance["year"] >= "2021-22"
    changed = study.attendance.assign(rate=study.attendance["rate"].mask(late, 0.5))
    again = pre_period(dataclasses.replace(study, attendance=changed))
    pd.testing.assert_frame_equal(again.table, pre.table)


def test_sets_are_ranked_by_mean_gap(pre):
    found = rank_comparisons(pre, [DANBURY])
    assert [item.rank for item in found] == list(range(1, 6))
    gaps = [item.mean_gap for item in found]
    assert gaps == sorted(gaps)
    assert {item.name for item in found} == {"alliance", "others", "drg_gh", "nearest_10", "nearest_20"}


def test_mean_gap_by_the_long_way(pre):
    (found,) = [item for item in rank_comparisons(pre, [DANBURY]) if item.name == "alliance"]
    gaps = []
    for column in pre.table:
        values = pre.table[column]
        group = np.nanmean([values[code] for code in found.codes])
        gaps.append(abs(values[DANBURY] - group) / values.std())
    assert found.mean_gap == pytest.approx(np.mean(gaps), rel=1e-12)
    assert found.largest_gap == pytest.approx(max(gaps), rel=1e-12)


def test_nearest_equals_its_slow_twin(pre):
    z = (pre.table - pre.table.mean()) / pre.table.std()
    pool = pre.candidates["others"]

    def distance(code):
        gaps = [z[name][code] - z[name][DANBURY] for name in z.columns.difference(ONLY_COMPARED)]
        gaps = [gap for gap in gaps if not np.isnan(gap)]
        return np.sqrt(np.mean(np.square(gaps))) if len(gaps) >= 4 else np.inf

    assert nearest_codes(z, [DANBURY], pool, 7) == tuple(sorted(sorted(pool, key=distance)[:7]))


def test_nearest_is_not_picked_on_the_last_year(pre):
    assert not {name for name in pre.table.columns.difference(ONLY_COMPARED) if "last" in name or "attendance" in name}


def test_a_district_without_traits_still_finds_neighbors(pre):
    # CREC has no meal-eligible share and no wealth decile
    z = (pre.table - pre.table.mean()) / pre.table.std()
    assert len(nearest_codes(z, [CREC], pre.candidates["others"], 10)) == 10


def test_bad_sets_are_refused(pre):
    with pytest.raises(BadInput, match="Cannot rank for nobody"):
        rank_comparisons(pre, [])


def test_the_record_is_the_same_for_the_same_choice_and_moves_with_any_part(pre):
    sets = rank_comparisons(pre, [DANBURY])
    record = record_choice(sets, [DANBURY], "alliance", "2026-11-24T12:00:00Z")
    assert record == record_choice(sets, [DANBURY], "alliance", "2026-11-24T12:00:00Z")
    others = {
        record_choice(sets, [DANBURY], "others", "2026-11-24T12:00:00Z").sha256,
        record_choice(sets, [DANBURY], "alliance", "2026-11-24T12:00:01Z").sha256,
        record_choice(sets[1:], [DANBURY], "alliance", "2026-11-24T12:00:00Z").sha256 if len(sets) > 1 else "",
    }
    assert record.sha256 not in others
    with pytest.raises(BadInput, match="not ranked"):
        record_choice(sets, [DANBURY], "mine", "2026-11-24T12:00:00Z")
