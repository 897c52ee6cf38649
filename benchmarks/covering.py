"""Few rows in which every pair of legal values of two parameters is asked together, those apart that are refused."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

# Rows that are tried around a pair before it is called refused.
TRIES = 6

Pair = tuple[str, int, str, int]


@dataclass(frozen=True)
class Covering:
    """Rows that nothing refuses, how many pairs stand in them, and by pair refused the words of the refusal."""

    rows: list[dict[str, Any]]
    n_pairs: int
    refused: dict[tuple[str, Any, str, Any], str]


@dataclass
class _Deal:
    """Values of each parameter, and the pairs that still have no row, by place."""

    legal: Mapping[str, Sequence[Any]]
    left: set[Pair]
    refused: dict[Pair, str] = field(default_factory=dict)

    def row(self, places: Mapping[str, int]) -> dict[str, Any]:
        return {key: self.legal[key][places[key]] for key in self.legal}

    def gain(self, row: Mapping[str, int], key: str, value: int) -> tuple[int, int]:
        """Return how few refused pairs, then how many pairs without a row, a value adds to what a row has."""
        pairs = [{(one, at, key, value), (key, value, one, at)} for one, at in row.items()]
        bad = sum(bool(pair & self.refused.keys()) for pair in pairs)
        return -bad, sum(bool(pair & self.left) for pair in pairs)


def covering(
    legal: Mapping[str, Sequence[Any]], seed: int, refusal: Callable[[dict[str, Any]], str] = lambda row: ""
) -> Covering:
    """Return rows in which every pair of values stands at least once where any row with it is legal; greedy search.

    A pair is refused if the row that is usual otherwise (the first value of each parameter) and a few others all are.

    Parameters
    ----------
    legal
        Parameter -> its legal values, the usual one first.
    seed
        The same seed deals the same rows.
    refusal
        Why a row cannot be asked, in words; empty if it can.
    """
    if len(legal) == 1:
        return Covering([{key: value} for key, values in legal.items() for value in values], 0, {})
    pairs = sorted(_pairs(legal, {key: range(len(values)) for key, values in legal.items()}))
    deal, chance, rows = _Deal(legal, set(pairs)), random.Random(seed), []
    for a, x, b, y in pairs:
        if words := refusal(deal.row({**dict.fromkeys(legal, 0), a: x, b: y})):
            deal.refused[a, x, b, y] = words
    order = chance.sample(pairs, len(pairs))
    for pair in sorted(order, key=lambda pair: pair in deal.refused):
        if pair in deal.left:
            places = _legal_row(deal, pair, chance, refusal)
            if places is not None:
                rows.append(deal.row(places))
                stand = {(a, places[a], b, places[b]) for a, b in combinations(legal, 2)}
                deal.left -= stand
                deal.refused = {key: words for key, words in deal.refused.items() if key not in stand}
    named = {(a, legal[a][x], b, legal[b][y]): words for (a, x, b, y), words in deal.refused.items()}
    return Covering(rows, len(pairs) - len(named), named)


def _pairs(legal: Mapping[str, Sequence[Any]], places: Mapping[str, Sequence[int]]) -> set[Pair]:
    return {(a, x, b, y) for a, b in combinations(legal, 2) for x, y in product(places[a], places[b])}


def _legal_row(
    deal: _Deal, pair: Pair, chance: random.Random, refusal: Callable[[dict[str, Any]], str]
) -> dict[str, int] | None:
    """Return a row with a pair that is not refused; first the one with the most pairs that have no row yet."""
    a, x, b, y = pair
    words = ""
    for again in range(TRIES + 1):
        row = {a: x, b: y}
        for key in chance.sample([*deal.legal], len(deal.legal)):
            if key in row:
                continue
            values = chance.sample(range(len(deal.legal[key])), len(deal.legal[key]))
            row[key] = 0 if again == TRIES else max(values, key=lambda value: deal.gain(row, key, value))
        words = refusal(deal.row(row))
        if not words:
            return row
    deal.refused[pair] = words
    return None
