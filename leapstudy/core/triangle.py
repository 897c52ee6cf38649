"""Least squares of many rows without a copy of them: the triangle of a QR, joined from blocks of rows."""

from dataclasses import dataclass

import numpy as np

BLOCK = 1024
"""Rows that are factored at a time."""

SMALLEST = 1e-10
"""Below this share of the largest pivot a column counts as the sum of others."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A weighted least-squares fit: `params`, shape (K,), and `inverse` of X'WX, shape (K, K)."""

    params: np.ndarray
    inverse: np.ndarray


def triangle(rows: np.ndarray, weight: np.ndarray | None = None, last: np.ndarray | None = None) -> np.ndarray:
    """Return R, shape (K, K), of the QR of rows, each times the root of its weight.

    Tall matrices factor by blocks (Demmel, Grigori, Hoemmen and Langou 2012, SIAM J. Sci. Comput. 34, A206): the
    triangle of the triangles is that of all rows, as exact as if they were factored at once.

    Parameters
    ----------
    rows : ndarray, shape (N, K)
        At least one column.
    weight : ndarray, shape (N,), optional
        Not below zero; 1 by default.
    last : ndarray, shape (N,), optional
        One more column, beside the others.

    Examples
    --------
    >>> np.abs(triangle(np.array([[3.0], [4.0]])))
    array([[5.]])
    """
    width = rows.shape[1] + (last is not None)
    joined = np.zeros((width, width))
    for first in range(0, len(rows), BLOCK):
        part = slice(first, first + BLOCK)
        block = np.empty((width + len(rows[part]), width))
        block[:width], own = joined, block[width:]
        own[:, : rows.shape[1]] = rows[part]
        if last is not None:
            own[:, -1] = last[part]
        if weight is not None:
            own *= np.sqrt(weight[part])[:, None]
        joined = np.asarray(np.linalg.qr(block, mode="r"))
    return joined


def least_squares(rows: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> Fit:
    """Return the coefficients that make ``sum(weight * (outcome - rows @ params) ** 2)`` least.

    Parameters
    ----------
    rows : ndarray, shape (N, K)
        Regressors, the constant among them.
    outcome, weight : ndarray, shape (N,)
        Weights are not below zero.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the columns add up to each other in the rows that weigh.

    Examples
    --------
    >>> least_squares(np.ones((3, 1)), np.array([1.0, 2.0, 9.0]), np.array([1.0, 1.0, 0.0])).params
    array([1.5])
    """
    both = triangle(rows, weight, outcome)
    k = rows.shape[1]
    pivots = np.abs(np.diag(both)[:k])
    if pivots.min() <= SMALLEST * pivots.max():
        raise np.linalg.LinAlgError("columns add up to each other in the rows that weigh")
    inverse = np.linalg.inv(both[:k, :k])
    return Fit(inverse @ both[:k, k], inverse @ inverse.T)
