"""The dealing of choices: every pair of legal values stands in a row that is legal, or is named with its refusal."""

from itertools import combinations, product

import pytest
from covering import covering
from hypothesis import given
from hypothesis import strategies as st

LEGAL = {"district": list(range(15)), "comparison": list("abcdef"), "contrast": list("vwxyz"), "scale": [0, 1]}


def _pairs(legal):
    values = ((a, b, product(legal[a], legal[b])) for a, b in combinations(legal, 2))
    return {(a, x, b, y) for a, b, both in values for x, y in both}


def _standing(rows):
    return {(a, row[a], b, row[b]) for row in rows for a, b in combinations(row, 2)}


@given(st.lists(st.integers(1, 6), min_size=2, max_size=6), st.integers(0, 9))
def test_every_pair_stands_and_few_rows_do_it(sizes, seed):
    legal = {f"p{place}": list(range(size)) for place, size in enumerate(sizes)}
    dealt = covering(legal, seed)
    assert _standing(dealt.rows) == _pairs(legal) and dealt.n_pairs == len(_pairs(legal)) and dealt.refused == {}
    least = max(len(legal[a]) * len(legal[b]) for a, b in combinations(legal, 2))
    assert least <= len(dealt.rows) <= 2 * least + 6
    assert dealt.rows == covering(legal, seed).rows


def test_as_few_rows_as_the_two_longest_parameters_have_pairs():
    assert len(covering(LEGAL, 1).rows) == 15 * 6


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_is_refused_only_where_no_row_with_it_is_legal_and_no_row_is_refused(seed):
    def refusal(row):
        if row["comparison"] == "f":
            return "no figures"
        if row["district"] == 3 and row["contrast"] == "z":
            return "no such year"
        return "no peer" if row["comparison"] == "a" and row["contrast"] == "v" and row["scale"] == 0 else ""

    dealt = covering(LEGAL, seed, refusal)
    assert not any(map(refusal, dealt.rows))
    never = {pair for pair in _pairs(LEGAL) if "f" in pair} | {("district", 3, "contrast", "z")}
    assert set(dealt.refused) == never | {("comparison", "a", "contrast", "v")} - _standing(dealt.rows)
    assert _standing(dealt.rows) == _pairs(LEGAL) - never
    assert dealt.refused["district", 3, "contrast", "z"] == "no such year"


def test_one_parameter_alone_is_asked_for_each_of_its_values():
    assert covering({"seed": [0, 1, 5]}, 1).rows == [{"seed": 0}, {"seed": 1}, {"seed": 5}]
