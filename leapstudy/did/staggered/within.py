"""Least squares with student and period effects, from moments: what every regression here shares."""

from dataclasses import dataclass

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.students.moments.influence import Influence
from leapstudy.students.moments.record import Moments

RANK_TOLERANCE = 1e-10
ESTIMABLE = 1e-7


@dataclass(frozen=True, slots=True)
class Within:
    """Sums of the outcome and of the design after student means are taken out, by cohort (U cohorts).

    A regressor that depends on cohort and period only is known from these: within a cell the student mean is taken by
    ``M_c = diag(s_c) - s_c s_c' / n_c`` with s_c the periods in use.

    Attributes
    ----------
    cohort : ndarray, shape (U,)
    code : ndarray of int, shape (C,)
        Place of each cell's cohort.
    used : ndarray of bool, shape (C, T)
        Periods in use: seen, and wanted.
    scale : ndarray, shape (C,)
        Extra weight of a cell's students (1 in a plain regression).
    projector : ndarray, shape (U, T, T)
        ``sum of w M_c``.
    moved : ndarray, shape (U, T)
        ``sum of w M_c y``.
    """

    cohort: np.ndarray
    code: np.ndarray
    used: np.ndarray
    scale: np.ndarray
    projector: np.ndarray
    moved: np.ndarray


def demean(values: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return values less their mean over the periods in use, zero elsewhere; shapes (..., C, T) and (C, T)."""
    kept = values * used
    mean = kept.sum(axis=-1) / np.maximum(used.sum(axis=-1), 1)
    return (kept - mean[..., None]) * used


def within(moments: Moments, wanted: np.ndarray | None = None, scale: np.ndarray | None = None) -> Within:
    """Take student means out.

    Parameters
    ----------
    moments
        Sums by cell.
    wanted
        Which periods of which cells to use, shape (C, T); all by default.
    scale
        Extra weight by cell, shape (C,).
    """
    used = moments.seen if wanted is None else moments.seen & wanted
    factor = np.ones(moments.cells) if scale is None else scale
    cohort, code = np.unique(moments.cohort, return_inverse=True)
    moved = demean(moments.total, used) * factor[:, None]
    weight = moments.weight * factor
    per_pair = weight / np.maximum(used.sum(axis=1), 1)
    periods = used.shape[1]
    projector, sums = np.empty((len(cohort), periods, periods)), np.empty((len(cohort), periods))
    for place in range(len(cohort)):
        rows = code == place
        s = used[rows].astype(float)
        projector[place] = np.diag(weight[rows] @ s) - (s * per_pair[rows, None]).T @ s
        sums[place] = moved[rows].sum(axis=0)
    return Within(cohort, code, used, factor, projector, sums)


@dataclass(frozen=True, slots=True)
class Regression:
    """A fitted regression.

    Attributes
    ----------
    coefficient : ndarray, shape (q + T,)
        Those asked for, then the period effects (up to a constant).
    bread : ndarray, shape (q + T, q + T)
        Inverse of the normal matrix.
    design : ndarray, shape (U, T, q + T)
    parts : Within
    """

    coefficient: np.ndarray
    bread: np.ndarray
    design: np.ndarray
    parts: Within

    def influence(self, combination: np.ndarray) -> Influence:
        """Return the influence of linear combinations of the first q coefficients, shape (A, q).

        Score of a student: ``w X' M (y - X b)``; its influence is the bread times that.
        """
        parts = self.parts
        rows = combination @ self.bread[: combination.shape[1]]
        by_cohort = np.einsum("aq,utq->aut", rows, self.design)
        slope = demean(by_cohort[:, parts.code], parts.used) * parts.scale[:, None]
        fitted = self.design @ self.coefficient
        return Influence(-np.einsum("act,ct->ac", slope, fitted[parts.code]), slope)


def regress(parts: Within, regressors: np.ndarray, names: list[str]) -> Regression:
    """Fit outcomes on regressors with student and period effects.

    Parameters
    ----------
    parts
        From `within`.
    regressors
        Value by cohort and period, shape (U, T, q).
    names
        Of the q regressors, for the message.

    Raises
    ------
    BadInput
        If a coefficient cannot be told apart from the others and the effects.
    """
    q, periods = regressors.shape[2], regressors.shape[1]
    effects = np.broadcast_to(np.eye(periods), (len(parts.cohort), periods, periods))
    design = np.concatenate([regressors, effects], axis=2)
    normal = np.einsum("utq,uts,usr->qr", design, parts.projector, design, optimize=True)
    size = np.sqrt(np.maximum(np.diag(normal), 0))
    size[size <= RANK_TOLERANCE * size.max(initial=0)] = 1.0
    scaled = normal / np.outer(size, size)
    inverse = np.linalg.pinv(scaled, rcond=RANK_TOLERANCE, hermitian=True)
    gap = np.abs(inverse @ scaled - np.eye(q + periods))[:q].max(axis=1, initial=0)
    lost = [name for name, one in zip(names, gap, strict=True) if one > ESTIMABLE]
    if lost:
        raise BadInput(
            f"The data cannot tell these terms apart from student and month effects: {', '.join(lost)}. "
            "Leave them out, choose another reference month, or bring comparison students who were never visited."
        )
    bread = inverse / np.outer(size, size)
    score = np.einsum("utq,ut->q", design, parts.moved)
    return Regression(bread @ score, bread, design, parts)
