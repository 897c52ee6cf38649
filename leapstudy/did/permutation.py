"""Placebo inference: exact enumeration for one treated district, shuffled labels for all of them together."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

ALPHA = 0.05
DRAWS = 9_999
# Shuffles times units whose labels are kept for the next effect of the same units.
KEPT = 4_000_000
# Shuffles times units that are dealt at once: what stays in a cache is twice as fast, and fills no memory.
CELLS = 100_000
# a placebo that equals the estimate but for rounding counts as equal, so that p-values do not hang on the last bit
TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Permutation:
    """A permutation test.

    Attributes
    ----------
    estimate : float
        The effect tested, on the scale of the changes.
    placebos : ndarray
        The effect under every other placement (exact); or, under each shuffle of the labels, its t statistic times the
        standard error of the estimate, so that it can be held against the estimate itself.
    p_value, floor : float
        Share of placements at least as far from zero as the estimate, the estimate's own included; and the smallest
        value that it could take, 1/(C+1), 1/labelings or 1/(draws+1).
    low, high : float
        95% interval by inverting the test; infinite where the floor is above 5%. NaN for shuffled labels.
    """

    estimate: float
    placebos: np.ndarray
    p_value: float
    floor: float
    low: float
    high: float


def holm(p_values: ArrayLike) -> np.ndarray:
    """Return p-values adjusted for the chance of one false rejection or more, in the order given (Holm 1979).

    As `statsmodels.stats.multitest.multipletests`, which collects the garbage of the whole process at every call.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted


def exact(
    treated: float,
    comparison: np.ndarray,
    treated_size: float = 1.0,
    sizes: np.ndarray | None = None,
    noise: np.ndarray | None = None,
) -> Permutation:
    """Return the exact test of one treated district among its comparison districts.

    The treated label is given to each of the C + 1 districts in turn, and the effect is its change less the mean
    change of all the others (Conley and Taber 2011; MacKinnon and Webb 2020, "RI-beta").

    Parameters
    ----------
    treated
        Change of the treated district.
    comparison : ndarray, shape (C,)
        Changes of the comparison districts.
    treated_size, sizes
        What each district counts for in a mean; equal by default.
    noise : ndarray, shape (C + 1,), optional
        Standard deviation of each district's own change, the treated one first. Given, the test is studentized: every
        placement is divided by the noise of the district that holds the label. The noise must not depend on the effect.

    Notes
    -----
    Under an effect tau the treated change is lowered by tau, which moves the estimate to ``estimate - tau`` and
    placement k to ``placebo_k + tau b_k`` with b_k the treated district's share among the others. With r_k the noise of
    the treated district over that of k (1 without `noise`), placement k is at least as extreme for tau between
    ``(estimate - r_k placebo_k) / (1 + r_k b_k)`` and ``(estimate + r_k placebo_k) / (1 - r_k b_k)``, in either order,
    and both ends bracket the estimate: the interval follows by counting, without a search. Where ``r_k b_k >= 1`` the
    placement is at least as extreme far out on both sides, and counts so everywhere, which can only widen the interval.
    """
    changes = np.concatenate([[treated], comparison])
    size = np.ones(len(changes)) if sizes is None else np.concatenate([[treated_size], sizes])
    rest = size.sum() - size
    effects = changes - ((size * changes).sum() - size * changes) / rest
    estimate, placebos = float(effects[0]), effects[1:]
    ratio = np.ones(len(placebos)) if noise is None else noise[0] / noise[1:]
    p_value = (1 + np.sum(ratio * np.abs(placebos) >= abs(estimate) - TIE)) / len(changes)
    low, high = _inverted(estimate, ratio * placebos, ratio * size[0] / rest[1:])
    return Permutation(estimate, placebos, float(p_value), 1 / len(changes), low, high)


def _inverted(estimate: float, distances: np.ndarray, share: np.ndarray) -> tuple[float, float]:
    reach = np.where(share < 1, 1 - share, np.nan)
    ends = np.sort(np.stack([(estimate - distances) / (1 + share), (estimate + distances) / reach]), axis=0)
    ends = np.where(share < 1, ends, np.array([[-np.inf], [np.inf]]))
    n = len(distances) + 1
    # the fewest other placements that keep the p-value above ALPHA
    count_needed = next(count for count in range(n) if (1 + count) / n > ALPHA + TIE)
    if count_needed == 0:
        return -np.inf, np.inf
    return float(np.sort(ends[0])[count_needed - 1]), float(np.sort(ends[1])[-count_needed])


def conley_taber(estimate: float, residuals: np.ndarray, scale: np.ndarray | float = 1.0) -> Permutation:
    """Return the test of an estimate against the comparison districts' residuals.

    Parameters
    ----------
    estimate
        Effect on the treated district.
    residuals : ndarray, shape (C,)
        Change of each comparison district less their mean: draws of the estimate's error if districts are alike.
    scale : ndarray, shape (C,), optional
        What each draw is multiplied by, to give it the treated district's variance; 1 is Conley and Taber (2011).
        With ``sqrt(v(n_0) / v(n_j))`` it is Ferman and Pinto (2019, section 3).

    Notes
    -----
    The comparison mean is taken as known, as in both papers. The interval inverts the two-sided test: estimate plus and
    minus the m-th largest absolute draw, with m = floor(0.05 (C + 1)); infinite where m is zero.
    """
    draws = np.abs(residuals * scale)
    n = len(draws) + 1
    p_value = (1 + int(np.sum(draws >= abs(estimate) - TIE))) / n
    m = int(np.floor(ALPHA * n + TIE))
    reach = float("inf") if m == 0 else float(np.sort(draws)[-m])
    return Permutation(estimate, draws, p_value, 1 / n, estimate - reach, estimate + reach)


def shuffled(
    treated: np.ndarray, comparison: np.ndarray, seed: int, sizes: np.ndarray | None = None, draws: int = DRAWS
) -> Permutation:
    """Return the test that shuffles which districts are called treated, studentized.

    Every shuffle's difference is divided by its own unequal-variance standard error, so that the test keeps its size
    where one side is noisier than the other (Janssen 1997; Chung and Romano 2013, theorem 2.2).

    Parameters
    ----------
    treated, comparison : ndarray
        Changes of the districts on either side.
    seed
        Seed of the shuffles.
    sizes : ndarray, shape (treated + comparison,), optional
        What each district counts for in a mean; equal by default.
    draws
        Number of shuffles; the estimate's own labeling is counted besides (Phipson and Smyth 2010).
    """
    changes, n_treated = np.concatenate([treated, comparison]), len(treated)
    size = np.ones(len(changes)) if sizes is None else sizes
    # in an order of their own, so that a seed means the same shuffles however the districts are listed
    order = np.lexsort((size, changes.round(9)))
    changes, size = changes[order], size[order]
    observed = (order < n_treated)[None]
    blocks: list[tuple[tuple[np.ndarray, np.ndarray], ...]] = []
    arguments = seed, draws, len(changes), n_treated, max(1, CELLS // len(changes))
    for labels in _kept_labels(*arguments) if draws * len(changes) <= KEPT else _labels(*arguments):
        labels = labels if blocks else np.concatenate([observed, labels])
        blocks.append((_side(labels, changes, size), _side(~labels, changes, size)))
    effects = np.concatenate([on - off for (on, _), (off, _) in blocks])
    se = np.concatenate([np.sqrt(on + off) for (_, on), (_, off) in blocks])
    return studentized(effects, se, least([n_treated, len(changes) - n_treated], draws))


def studentized(effects: np.ndarray, se: np.ndarray, floor: float) -> Permutation:
    """Return the test of the first effect among all, each divided by its own error and brought to the first one's.

    A shuffle whose sides do not vary is as far out as can be; no p-value is below `floor`.
    """
    ratios = np.divide(effects * se[0], se, out=np.full(len(effects), np.inf), where=se > TIE)
    p_value = max(float(np.mean(np.abs(ratios) >= abs(effects[0]) - TIE)), floor)
    return Permutation(float(effects[0]), ratios[1:], p_value, floor, np.nan, np.nan)


def least(counts: Sequence[int], draws: int) -> float:
    """Return the smallest p-value of shuffled labels: one in all labelings, or in the shuffles where those are fewer.

    Parameters
    ----------
    counts
        How many units have each label.
    draws
        Number of shuffles.

    Examples
    --------
    >>> least([2, 3], 9_999), least([15, 19], 9_999)
    (0.1, 0.0001)
    """
    labelings = math.prod(math.comb(sum(counts[: place + 1]), count) for place, count in enumerate(counts))
    return 1 / min(labelings, draws + 1)


def _labels(seed: int, draws: int, units: int, n_treated: int, most: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    for first in range(0, max(draws, 1), most):
        yield _shuffled_labels(rng, (min(most, draws - first), units), n_treated)


@lru_cache(maxsize=8)  # the outcomes and contrasts of one comparison group share their labels
def _kept_labels(seed: int, draws: int, units: int, n_treated: int, most: int) -> tuple[np.ndarray, ...]:
    return tuple(_labels(seed, draws, units, n_treated, most))


def _shuffled_labels(rng: np.random.Generator, shape: tuple[int, int], n_treated: int) -> np.ndarray:
    order = rng.random(shape).argpartition(n_treated, axis=1)[:, :n_treated]
    labels = np.zeros(shape, dtype=bool)
    np.put_along_axis(labels, order, True, axis=1)
    return labels


def shuffled_starts(
    changes: np.ndarray, started: np.ndarray, seed: int, sizes: np.ndarray | None = None, draws: int = DRAWS
) -> Permutation:
    """Return the test that deals the labels with their starts among all units, studentized; see `shuffled`.

    Parameters
    ----------
    changes : ndarray, shape (starts, units)
        Change of each unit in the years of each start, treated units first. A treated unit whose change in the years of
        another start is not known (NaN) keeps its distance from the comparison units there.
    started : ndarray, shape (treated,)
        Which start each treated unit had.
    seed, sizes, draws
        As in `shuffled`; sizes have shape (units,).

    Notes
    -----
    A dealt-out treated unit's effect is its change in the years of its start less the mean change of the units without
    a label in those years; the effect is their mean. Its standard error has the spread of these effects on one side and
    that of the other units' changes, averaged over the starts, on the other (Welch 1947).
    """
    n, n_treated = changes.shape[1], len(started)
    size = np.ones(n) if sizes is None else sizes
    changes = completed(changes, started, size)
    start_of = np.concatenate([started, np.full(n - n_treated, -1)])
    order = np.lexsort((size, *changes.round(9)))
    arguments = (tuple(start_of.tolist()), seed, draws)
    dealt = _kept_deals(*arguments).copy() if draws * n <= KEPT else _deals(*arguments)
    dealt[0] = start_of[order]
    effects, se = started_effects(dealt, changes[:, order], size[order])
    counts = [int(count) for count in np.unique(start_of, return_counts=True)[1]]
    return studentized(effects, se, least(counts, draws))


@lru_cache(maxsize=4)  # the outcomes and contrasts of one comparison group share their deals
def _kept_deals(start_of: tuple[int, ...], seed: int, draws: int) -> np.ndarray:
    return _deals(start_of, seed, draws)


def _deals(start_of: tuple[int, ...], seed: int, draws: int) -> np.ndarray:
    """Return the starts as they are, and below them `draws` shuffles of them."""
    dealt = np.empty((draws + 1, len(start_of)), dtype=np.int16)
    dealt[:] = start_of
    np.random.default_rng(seed).permuted(dealt[1:], axis=1, out=dealt[1:])
    return dealt


def completed(changes: np.ndarray, started: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the changes with a treated unit's unknown ones filled in; see `shuffled_starts`."""
    n = len(started)
    means = np.average(changes[:, n:], axis=1, weights=size[n:])
    own = changes[started, np.arange(n)] - means[started]
    complete = changes.copy()
    complete[:, :n] = np.where(np.isnan(changes[:, :n]), own + means[:, None], changes[:, :n])
    return complete


def started_effects(dealt: np.ndarray, changes: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return effect and standard error under each dealing of the starts (-1: none), shape (draws,) each."""
    blocks = np.array_split(dealt, math.ceil(dealt.size / CELLS))
    effects, variances = np.concatenate([_effects_by_start(block, changes, size) for block in blocks], axis=1)
    return effects, np.sqrt(variances)


def _effects_by_start(dealt: np.ndarray, changes: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return effect and variance under each dealing: sums over units are products of labels and moments."""
    # an effect does not depend on the level, which would only cost digits in the sums of squares
    values = changes - changes.mean(axis=1, keepdims=True)
    first, second = size * values, size**2 * values
    off = (dealt < 0).astype(float)
    total_off, squares_off, *sums_off = (off @ np.stack([size, size**2, *first, *second]).T).T
    means, crossed_off = np.split(np.stack(sums_off), 2)
    means /= total_off
    sums_of = [
        (dealt == start).astype(float) @ np.stack([size, size**2, first[start], second[start], first[start] ** 2]).T
        for start in range(len(values))
    ]
    weight, squares, sums, cross, second_on = np.moveaxis(np.stack(sums_of), 2, 0)
    total = weight.sum(axis=0)
    effects = (sums - means * weight).sum(axis=0) / total
    around = means + effects
    on = (second_on - 2 * around * cross + around**2 * squares).sum(axis=0) / total**2
    share = weight / total
    mean = (share * means).sum(axis=0)
    products = np.stack([off @ (first * row).T for row in first])
    others = np.einsum("sd,td,sdt->d", share, share, products)
    off_variance = (others - 2 * mean * (share * crossed_off).sum(axis=0) + mean**2 * squares_off) / total_off**2
    counts = (dealt[0] >= 0).sum(), (dealt[0] < 0).sum()
    variances = [np.maximum(part, 0.0) * n / max(n - 1, 1) for part, n in zip((on, off_variance), counts, strict=True)]
    return effects, variances[0] + variances[1]


def _side(labels: np.ndarray, changes: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted mean change of one side under each labeling, and its variance (`spread.mean_variance`)."""
    moments = np.stack([size, size * changes, size**2, size**2 * changes, (size * changes) ** 2], axis=1)
    # one product gives every sum: weights for each labeling would be as large as the labels, five times over
    total, first, squares, cross, second = (labels.astype(float) @ moments).T
    mean, n = first / total, labels[0].sum()
    variance = (second - 2 * mean * cross + mean**2 * squares) / total**2
    return mean, np.maximum(variance, 0.0) * n / max(n - 1, 1)
