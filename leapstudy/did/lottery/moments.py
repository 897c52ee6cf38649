"""Means and variances that a lottery implies: of sums over cells (stratum by start), under one or many assignments."""

from dataclasses import dataclass

import numpy as np

AT_ONCE = 2_000_000
"""Cells of the work arrays: assignments are taken in portions of this many units."""


@dataclass(frozen=True, slots=True)
class Moments:
    """K sums of cell means under each of D assignments, and Neyman's estimate of how they vary between redraws.

    Attributes
    ----------
    totals : ndarray, shape (D, K)
    covariance : ndarray, shape (D, K, K)
        ``sum over cells of S_cell / n_cell``; conservative (Neyman 1923; Roth and Sant'Anna 2023, section 2.4).
    """

    totals: np.ndarray
    covariance: np.ndarray


def moments(scores: np.ndarray, assignments: np.ndarray) -> Moments:
    """Return the moments of K scores.

    Parameters
    ----------
    scores : ndarray, shape (K, units, cells)
        What a unit adds to the sum of means if it is in a cell.
    assignments : ndarray of int, shape (D, units)
        Cell of each unit. Cells have the same size under each assignment, at least 2 where scores are not all zero.
    """
    _, n, cells = scores.shape
    sizes = np.bincount(assignments[0], minlength=cells).astype(float)
    step = max(1, AT_ONCE // n)
    parts = [_portion(scores, assignments[at : at + step], sizes) for at in range(0, len(assignments), step)]
    return Moments(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _portion(scores: np.ndarray, assignments: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    d, (k, n, cells) = len(assignments), scores.shape
    where = (assignments + cells * np.arange(d)[:, None]).ravel()
    own = [score[np.arange(n), assignments].ravel() for score in scores]
    mean = np.stack([_sum(where, score, d, cells) / np.maximum(sizes, 1) for score in own])
    covariance = np.empty((d, k, k))
    for i in range(k):
        for j in range(i, k):
            product = _sum(where, own[i] * own[j], d, cells) - sizes * mean[i] * mean[j]
            covariance[:, i, j] = covariance[:, j, i] = (product / np.maximum(sizes * (sizes - 1), 1)).sum(axis=1)
    return mean.sum(axis=2).T, covariance


def _sum(where: np.ndarray, values: np.ndarray, d: int, cells: int) -> np.ndarray:
    return np.bincount(where, weights=values, minlength=d * cells).reshape(d, cells)
