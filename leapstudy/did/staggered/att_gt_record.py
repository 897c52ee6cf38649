"""What Callaway and Sant'Anna's estimator gives: ATT(g,t) with each student's influence, and the cells it refused."""

from dataclasses import dataclass, replace

import numpy as np

from leapstudy.did.staggered.choices import Cell, Choices
from leapstudy.students.moments.influence import Influence, covariance
from leapstudy.students.moments.record import Moments

BLOCK = 1000
"""Cells at a time: what is in memory stays near 30 MB for 190 estimates and 20 months."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A cell that is not estimated.

    Attributes
    ----------
    cohort : float
    period : int or None
        None: every month of the cohort.
    stratum : str
        '' where the comparison is not by stratum, or all of it is refused.
    reason : str
    """

    cohort: float
    period: int | None
    stratum: str
    reason: str


@dataclass(frozen=True, slots=True)
class AttGt:
    """ATT(g,t) for K pairs of cohort and month, with each student's influence.

    Attributes
    ----------
    cells : tuple of Cell, length K
    estimate : ndarray, shape (K,)
        Percentage points.
    overlap : ndarray, shape (K,)
        Share of the visited students that the estimate covers: those in strata with comparison students.
    n_treated, n_comparison : ndarray of int, shape (K,)
        Students in use.
    cohort_weight : ndarray, shape (K,)
        Sum of weights of all students of the cohort: the shares of the aggregates.
    loading, intercept : ndarray, shape (K, C)
        Influence of student i of cell c: ``w_i (intercept + loading * contrast' y_i)``.
    refused : tuple of Refusal
    choices : Choices
    """

    cells: tuple[Cell, ...]
    estimate: np.ndarray
    overlap: np.ndarray
    n_treated: np.ndarray
    n_comparison: np.ndarray
    cohort_weight: np.ndarray
    loading: np.ndarray
    intercept: np.ndarray
    refused: tuple[Refusal, ...]
    choices: Choices

    @property
    def cohort(self) -> np.ndarray:
        """Cohort of each estimate, shape (K,)."""
        return np.array([cell.cohort for cell in self.cells])

    @property
    def period(self) -> np.ndarray:
        """Month of each estimate, shape (K,)."""
        return np.array([cell.period for cell in self.cells], dtype=int)

    def only(self, kept: np.ndarray) -> "AttGt":
        """Return some of the estimates, chosen by booleans of shape (K,)."""
        rows = ("estimate", "overlap", "n_treated", "n_comparison", "cohort_weight", "loading", "intercept")
        cells = tuple(cell for cell, own in zip(self.cells, kept, strict=True) if own)
        return replace(self, cells=cells, **{name: getattr(self, name)[kept] for name in rows})

    def influence(self, combination: np.ndarray | None = None) -> Influence:
        """Return the influence of linear combinations of the estimates, shape (A, K); of each estimate by default."""
        rows = np.eye(len(self.cells)) if combination is None else combination
        contrast = np.array([cell.contrast for cell in self.cells])
        slope = np.zeros((len(rows), *self.loading.shape[1:], contrast.shape[1]))
        for month in range(contrast.shape[1]):
            used = np.flatnonzero(contrast[:, month])
            slope[:, :, month] = (rows[:, used] * contrast[used, month]) @ self.loading[used]
        return Influence(rows @ self.intercept, slope)

    def covariance(self, moments: Moments) -> np.ndarray:
        """Return the covariance of all estimates, shape (K, K), students as clusters.

        The same as that of `influence()`, block by block: a cohort's students have a part in few of the estimates.
        """
        found = np.zeros((len(self.cells), len(self.cells)))
        for cohort in np.unique(moments.cohort):
            every = np.flatnonzero((moments.cohort == cohort) & self.loading.any(axis=0))
            for start in range(0, len(every), BLOCK):
                cells = every[start : start + BLOCK]
                rows = np.flatnonzero(self.loading[:, cells].any(axis=1))
                part = replace(self, loading=self.loading[:, cells], intercept=self.intercept[:, cells])
                influence = part.influence(np.eye(len(self.cells))[rows])
                found[np.ix_(rows, rows)] += covariance(moments.where(cells), influence)
        return found
