"""Who starts when, by lot: a draw that anybody can repeat, all possible ones, and the variances that they imply."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations_with_replacement, product
from typing import TypeVar

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.names import WAITING

SEPARATOR = "|"
Key = TypeVar("Key", str, int)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One unit of a draw: its stratum, its rank in it (1 = first), and the phase that the rank carries."""

    unit: str
    stratum: str
    rank: int
    phase: str


def draw(strata: Mapping[str, str], phases: Mapping[str, int], seed: str) -> tuple[Drawn, ...]:
    """Draw lots: within each stratum units are ranked by a hash of seed and unit, and phases are dealt down the ranks.

    Parameters
    ----------
    strata
        Unit -> stratum. The order of the units does not matter.
    phases
        Phase -> number of units, in the order in which they start. Units beyond their sum wait.
    seed
        Text announced before the list was closed, such as a lottery number of a day to come.

    Returns
    -------
    tuple of Drawn
        By stratum and rank.

    Notes
    -----
    The rank is that of the SHA-256 of ``seed|unit`` written in hexadecimal, so that the draw is the same in every
    language, on every machine and in every version. Phases are shared among strata in proportion to their size by the
    method of Webster, which never takes a place away when there are more places.

    Raises
    ------
    BadInput
        For a blank seed or unit, for fewer than two units, and for phases that are empty or larger than the list.

    Examples
    --------
    >>> drawn = draw({"A": "north", "B": "north", "C": "south"}, {"next fall": 1}, "42")
    >>> [item.unit for item in drawn if item.phase != WAITING]
    ['A']
    """
    _check(strata, phases, seed)
    sizes = Counter(strata.values())
    cuts = [shared_places(sizes, total) for total in np.cumsum(list(phases.values())).tolist()]
    lots = []
    for stratum in sorted(sizes):
        order = sorted((unit for unit, of in strata.items() if of == stratum), key=lambda unit: _lot(seed, unit))
        for rank, unit in enumerate(order, 1):
            phase = next((name for name, cut in zip(phases, cuts, strict=True) if rank <= cut[stratum]), WAITING)
            lots.append(Drawn(unit, stratum, rank, phase))
    return tuple(lots)


def _check(strata: Mapping[str, str], phases: Mapping[str, int], seed: str) -> None:
    if not seed.strip():
        raise BadInput("A draw needs a seed that was announced before; got a blank one.")
    if len(strata) < 2 or not all(unit.strip() for unit in strata):
        raise BadInput(f"A draw needs at least two units, each with a name; got {len(strata)}.")
    if WAITING in phases or not phases or min(phases.values()) < 1:
        raise BadInput(f"Each phase needs a name other than {WAITING!r} and at least one place; got {dict(phases)!r}.")
    if sum(phases.values()) >= len(strata):
        raise BadInput(
            f"{sum(phases.values())} places for {len(strata)} units: nobody would be left to compare with. "
            "Offer fewer places, or let the last phase wait until the study has ended."
        )


def _lot(seed: str, unit: str) -> str:
    return hashlib.sha256(f"{seed}{SEPARATOR}{unit}".encode()).hexdigest()


def shared_places(sizes: Mapping[Key, int], places: int) -> dict[Key, int]:
    """Return places by stratum, one at a time to the stratum with the largest ``size / (2 places + 1)`` (Webster).

    Examples
    --------
    >>> shared_places({"north": 6, "south": 3}, 3)
    {'north': 2, 'south': 1}
    """
    seats = dict.fromkeys(sorted(sizes), 0)
    if places > len(sizes):  # most of many places at once: all whose turn comes before a divisor that leaves a few
        divisor = sum(sizes.values()) / (places - len(sizes)) * (1 + 1e-7)
        seats = {stratum: int(sizes[stratum] / divisor + 1 / 2) for stratum in seats}
    for _ in range(places - sum(seats.values())):
        seats[max(seats, key=lambda stratum: sizes[stratum] / (2 * seats[stratum] + 1))] += 1
    return seats


def small_strata(sizes: Mapping[Key, int], shares: Sequence[float]) -> frozenset[Key]:
    """Return the strata that are joined to one, so that each of them has two units in each phase and two that wait.

    Parameters
    ----------
    sizes
        Stratum -> units.
    shares
        Share of the units that each phase gets; the rest waits.

    Raises
    ------
    BadInput
        If the shares are not above 0 and below 1 together.

    Examples
    --------
    >>> sorted(small_strata({"north": 40, "south": 3, "east": 2}, [0.5]))
    ['east', 'south']
    """
    if not shares or min(shares) <= 0 or not 0 < sum(shares) < 1:
        raise BadInput(f"Offered shares need to be above 0 and below 1 together; got {list(shares)}.")
    # a place is dealt by shares, so that one more than the least keeps two in every cell
    least = 2 / min(*shares, 1 - sum(shares)) + 1
    by_size = sorted(sizes, key=lambda stratum: (sizes[stratum], stratum))
    pool = [stratum for stratum in by_size if sizes[stratum] < least]
    while pool and sum(sizes[stratum] for stratum in pool) < least and len(pool) < len(by_size):
        pool.append(by_size[len(pool)])
    return frozenset(pool)


def n_assignments(labels: Sequence[int] | np.ndarray, strata: Sequence[int] | np.ndarray) -> int:
    """Return how many assignments the lottery could have drawn: the product over strata of multinomials."""
    cells = Counter(zip(np.asarray(strata).tolist(), np.asarray(labels).tolist(), strict=True))
    sizes = Counter(np.asarray(strata).tolist())
    ways = math.prod(math.factorial(size) for size in sizes.values())
    return ways // math.prod(math.factorial(size) for size in cells.values())


def _log_assignments(labels: np.ndarray, strata: np.ndarray) -> float:
    """Return about the logarithm of `n_assignments`, which for a state's students has a hundred thousand digits."""
    cells = Counter(zip(strata.tolist(), labels.tolist(), strict=True))
    sizes = Counter(strata.tolist())
    return sum(math.lgamma(n + 1) for n in sizes.values()) - sum(math.lgamma(n + 1) for n in cells.values())


def redraws(labels: np.ndarray, strata: np.ndarray, seed: int, most: int) -> tuple[np.ndarray, bool]:
    """Return assignments that the lottery could have drawn, the one that it drew first.

    Parameters
    ----------
    labels, strata : ndarray of int, shape (units,)
        What each unit drew, and the stratum within which it drew.
    seed
        Seed of the redraws.
    most
        Redraws besides the one drawn.

    Returns
    -------
    assignments : ndarray of int, shape (redraws + 1, units)
    exact : bool
        Whether these are all there are, each once.
    """
    portions, exact = _redraws(labels, strata, seed, most)
    return np.vstack(list(portions)), exact


def _redraws(labels: np.ndarray, strata: np.ndarray, seed: int, most: int) -> tuple[Iterator[np.ndarray], bool]:
    """Return `redraws` in portions of `AT_ONCE`: two thousand assignments of a state's students fit nowhere at once."""
    if _log_assignments(labels, strata) < math.log(most + 1) + 1 and n_assignments(labels, strata) <= most + 1:
        every = np.array(list(_every(labels, strata)))
        return iter([labels[None, :], every[(every != labels).any(axis=1)]]), True
    return chain([labels[None, :]], _by_chance(labels, strata, seed, most)), False


def _by_chance(labels: np.ndarray, strata: np.ndarray, seed: int, most: int) -> Iterator[np.ndarray]:
    in_strata, rng = labels[np.argsort(strata, kind="stable")][None, :], np.random.default_rng(seed)
    step = max(1, AT_ONCE // len(labels))
    for at in range(0, most, step):
        order = np.argsort(rng.random((min(step, most - at), len(labels))) + strata, axis=1)
        assignments = np.empty(order.shape, labels.dtype)
        np.put_along_axis(assignments, order, in_strata, axis=1)
        yield assignments


def _every(labels: np.ndarray, strata: np.ndarray) -> Iterator[np.ndarray]:
    """Yield every assignment with the same numbers of each label in each stratum."""
    places = np.argsort(strata, kind="stable")
    dealt = [tuple(labels[strata == stratum].tolist()) for stratum in np.unique(strata)]
    for parts in product(*(tuple(_arrangements(labels_of)) for labels_of in dealt)):
        assignment = np.empty_like(labels)
        assignment[places] = [label for part in parts for label in part]
        yield assignment


def _arrangements(labels: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield every order of the labels, equal ones told apart by nothing."""
    if not labels:
        yield ()
    for label in sorted(set(labels)):
        place = labels.index(label)
        yield from ((label, *rest) for rest in _arrangements(labels[:place] + labels[place + 1 :]))


# Cells of the work arrays: assignments are taken in portions of this many units.
AT_ONCE = 500_000


@dataclass(frozen=True, slots=True)
class Moments:
    """K sums of cell means under each of D assignments, and Neyman's estimate of how they vary between redraws.

    Attributes
    ----------
    totals : ndarray, shape (D, K)
    covariance : ndarray, shape (D, K, K)
        ``sum over cells of S_cell / n_cell``; conservative (Neyman 1923; Roth and Sant'Anna 2023, section 2.4).
    squares : ndarray, shape (D, M, M)
        ``sum over cells of a a' / (n_cell - 1)``, a the M entries of ``S_cell / n_cell`` on and above its diagonal, row
        by row: what Welch's degrees of freedom take.
    """

    totals: np.ndarray
    covariance: np.ndarray
    squares: np.ndarray


def redrawn_moments(
    scores: np.ndarray, labels: np.ndarray, strata: np.ndarray, seed: int, most: int, first: np.ndarray | int = 0
) -> tuple[Moments, bool]:
    """Return the `moments` of K scores under `redraws`, and whether these are all there are."""
    portions, exact = _redraws(labels, strata, seed, most)
    parts = [moments(scores, portion, first) for portion in portions if len(portion)]
    return _concatenate(parts), exact


def _concatenate(parts: Sequence[Moments]) -> Moments:
    names = ("totals", "covariance", "squares")
    return Moments(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def moments(scores: np.ndarray, assignments: np.ndarray, first: np.ndarray | int = 0) -> Moments:
    """Return the moments of K scores.

    Parameters
    ----------
    scores : ndarray, shape (K, units, cells)
        What a unit adds to the sum of means if it is in a cell: in one from its `first` on, in their order.
    assignments : ndarray of int, shape (D, units)
        Cell of each unit. Cells have the same size under each assignment, at least 2 where scores are not all zero.
    first : ndarray of int, shape (units,), optional
        The first cell that each unit may be in.
    """
    sizes = np.bincount(assignments[0]).astype(float)
    step = max(1, AT_ONCE // scores.shape[1])
    parts = [_portion(scores, assignments[at : at + step], first, sizes) for at in range(0, len(assignments), step)]
    return _concatenate(parts)


def _portion(scores: np.ndarray, assignments: np.ndarray, first: np.ndarray | int, sizes: np.ndarray) -> Moments:
    d, (k, n, _), cells = len(assignments), scores.shape, len(sizes)
    where = (assignments + cells * np.arange(d)[:, None]).ravel()
    own = [score[np.arange(n), assignments - first].ravel() for score in scores]
    mean = np.stack([_sum(where, score, d, cells) / np.maximum(sizes, 1) for score in own])
    covariance, entries = np.empty((d, k, k)), []
    for i, j in combinations_with_replacement(range(k), 2):
        product = _sum(where, own[i] * own[j], d, cells) - sizes * mean[i] * mean[j]
        entries.append(product / np.maximum(sizes * (sizes - 1), 1))
        covariance[:, i, j] = covariance[:, j, i] = entries[-1].sum(axis=1)
    by_cell = np.stack(entries, axis=2)
    squares = by_cell.swapaxes(1, 2) @ (by_cell / np.maximum(sizes - 1, 1)[:, None])
    return Moments(mean.sum(axis=2).T, covariance, squares)


def _sum(where: np.ndarray, values: np.ndarray, d: int, cells: int) -> np.ndarray:
    return np.bincount(where, weights=values, minlength=d * cells).reshape(d, cells)
