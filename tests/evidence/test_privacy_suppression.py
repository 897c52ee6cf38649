"""Suppression of 6 and 20 with complements: worked by hand, attacked by subtraction, and on random tables."""

import numpy as np
import pandas as pd
import pytest
from disclosure_attack import audit
from hypothesis import given, settings
from hypothesis import strategies as st

from leapstudy.core.errors import BadInput
from leapstudy.evidence.privacy import choose_hidden, collect, is_small, protect, recoverable

NEED = pd.DataFrame(
    {
        "district_code": ["A", "A", "A"],
        "high_needs": ["yes", "no", "ALL"],
        "numerator": [4, 40, 44],
        "denominator": [30, 100, 130],
    }
)
DIMENSIONS = ["district_code", "high_needs"]


def _subtract(cells, hidden):
    """The obvious attack: as long as a sum has one unknown, solve for it."""
    known = ~hidden
    while True:
        unknown = ((cells.sums != 0) & ~known).sum(axis=1) == 1
        if not unknown.any():
            return hidden & known
        known |= ((cells.sums[unknown] != 0) & ~known).any(axis=0)


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [(5, 100, True), (6, 100, False), (6, 19, True), (6, 20, False), (0, 50, True), (0, 0, False)],
)
def test_the_rule_of_6_and_20(numerator, denominator, expected):
    assert is_small(np.array([numerator]), np.array([denominator]))[0] == expected


def test_a_small_cell_takes_its_complement_with_it():
    out = protect({"need": NEED}, DIMENSIONS)["need"]
    assert out["suppressed"].tolist() == [True, True, False]
    assert out.loc[:1, ["numerator", "denominator"]].isna().all(axis=None)
    assert out.loc[2, "numerator"] == 44


def test_hiding_only_the_small_cell_is_caught_by_the_audit():
    only = NEED.assign(
        numerator=NEED["numerator"].where(NEED["numerator"] >= 6),
        denominator=NEED["denominator"].where(NEED["numerator"] >= 6),
    )
    broken = audit({"need": only}, {"need": NEED}, DIMENSIONS)
    assert broken[DIMENSIONS].to_numpy().tolist() == [["A", "yes"]]


def test_tables_are_protected_together():
    """Neither table is broken alone; the pooled row of one gives the hidden district of the other."""
    by_district = pd.DataFrame(
        {"district_code": ["A", "B", "C"], "numerator": [3, 50, 60], "denominator": [30, 90, 90]}
    )
    pooled = pd.DataFrame({"district_code": ["ALL"], "numerator": [113], "denominator": [210]})
    alone = protect({"by_district": by_district}, ["district_code"])
    assert alone["by_district"]["suppressed"].tolist() == [True, False, False]
    tables = {"by_district": by_district, "pooled": pooled}
    assert len(audit({**alone, "pooled": pooled}, tables, ["district_code"])) == 1
    together = protect(tables, ["district_code"])
    assert together["by_district"]["suppressed"].sum() == 2
    assert audit(together, tables, ["district_code"]).empty


def test_a_district_that_no_table_lists_is_protected_too():
    """The pooled row minus the listed districts would be the unlisted one."""
    table = pd.DataFrame({"district_code": ["A", "B", "ALL"], "numerator": [50, 60, 113], "denominator": [90, 80, 200]})
    out = protect({"t": table}, ["district_code"])["t"]
    assert out["suppressed"].sum() == 1
    assert not out.loc[2, "suppressed"]


def _random_table(seed, districts=6):
    rng = np.random.default_rng(seed)
    rows = [
        {"district_code": str(d), "high_needs": need, "grade": grade, "denominator": int(rng.integers(0, 90))}
        for d in range(districts)
        for need in ("yes", "no")
        for grade in ("K-5", "6-12")
    ]
    cells = pd.DataFrame(rows)
    cells["numerator"] = rng.binomial(cells["denominator"], 0.25)
    return cells


def _with_margins(cells):
    """Every table that a report might show of it."""
    dims, tables = ["district_code", "high_needs", "grade"], {"full": cells}
    for keep in (
        ["district_code", "high_needs"],
        ["district_code", "grade"],
        ["high_needs"],
        ["district_code"],
        ["grade"],
    ):
        tables["_".join(keep)] = cells.groupby(keep, as_index=False)[["numerator", "denominator"]].sum()
    return tables, dims


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_no_subtraction_brings_a_small_cell_back(seed):
    tables, dimensions = _with_margins(_random_table(seed))
    published = protect(tables, dimensions)
    cells = collect(tables, dimensions)
    shown = {
        tuple(row)
        for table in published.values()
        for row in table[~table["suppressed"]].reindex(columns=dimensions).astype(object).fillna("ALL").to_numpy()
    }
    hidden = np.array([key not in shown for key in cells.keys.itertuples(index=False, name=None)])
    small = is_small(cells.counts[:, 0], cells.counts[:, 1])
    full = np.concatenate([hidden, small[~cells.listed]])
    assert (small[cells.listed] <= hidden).all()
    assert not (_subtract(cells, full) & small).any()
    assert audit(published, tables, dimensions).empty


def test_the_small_cells_alone_leave_many_recoverable_and_the_audit_agrees_with_plain_subtraction():
    """The reason for complements; algebra finds at least what plain subtraction finds."""
    hidden_cells = found_cells = 0
    for seed in range(20):
        cells = collect(*_with_margins(_random_table(seed)))
        small = is_small(cells.counts[:, 0], cells.counts[:, 1])
        by_algebra = recoverable(cells, small)
        assert (_subtract(cells, small) <= by_algebra).all()
        hidden_cells, found_cells = hidden_cells + small.sum(), found_cells + (by_algebra & small).sum()
    assert found_cells / hidden_cells > 0.1


def test_nothing_small_means_nothing_hidden():
    table = NEED.assign(numerator=[40, 40, 80], denominator=[100, 100, 200])
    assert not choose_hidden(collect({"t": table}, DIMENSIONS)).any()


def test_inputs_are_checked_and_not_changed():
    before = NEED.copy(deep=True)
    protect({"need": NEED}, DIMENSIONS)
    pd.testing.assert_frame_equal(NEED, before)
    with pytest.raises(BadInput, match="different counts"):
        protect({"a": NEED, "b": NEED.assign(numerator=[5, 40, 45])}, DIMENSIONS)
    with pytest.raises(BadInput, match="denominator"):
        protect({"a": NEED.drop(columns="denominator")}, DIMENSIONS)


def test_numbers_as_names_are_hidden_too():
    """Beside a total, 1 becomes 1.0: a name that is compared as text must not be lost by that."""
    cells = pd.DataFrame({"place": [0, 1], "numerator": [68, 2], "denominator": [68, 2]})
    both = {"cells": cells, "all": pd.DataFrame({"numerator": [70], "denominator": [70]})}
    assert protect(both, ["place"])["cells"]["suppressed"].all()
    assert len(audit(both, both, ["place"])) == 1
