"""Borusyak, Jaravel and Spiess's imputation estimator with their conservative variance, from moments."""

from dataclasses import dataclass

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.did.staggered.within import RANK_TOLERANCE, Within, demean, within
from leapstudy.students.moments.influence import Influence
from leapstudy.students.moments.record import Moments

IDENTIFIED = 1e-7


@dataclass(frozen=True, slots=True)
class Imputation:
    """Effects by event time.

    Attributes
    ----------
    key : ndarray, shape (A,)
        Event time; the last is NaN, the overall effect over all visited student-months.
    estimate : ndarray, shape (A,)
        Percentage points.
    influence : Influence
    imputed_share : float
        Share of the visited student-months (by weight) that could be imputed: the student was seen before the visit,
        and somebody unvisited is seen in the month.
    """

    key: np.ndarray
    estimate: np.ndarray
    influence: Influence
    imputed_share: float


def imputation(moments: Moments, anticipation: int = 0) -> Imputation:
    """Fit student and period effects on the unvisited student-months, and average what they leave of the visited ones.

    Parameters
    ----------
    moments
        Sums by cell.
    anticipation
        Periods before the visit that are not taken as unvisited; their effects come out as event times below zero.

    Raises
    ------
    BadInput
        If no visited student-month can be imputed, or the unvisited ones fall into parts that share no student.

    Notes
    -----
    Borusyak, Jaravel and Spiess (2024, Review of Economic Studies 91), Theorem 2 with the variance of their section
    4.3: the effects are averaged by cohort and month with weights v squared and taken from the residuals. It is
    conservative where effects differ within a cohort and month. No small-sample factor.
    """
    before = moments.periods < (moments.cohort - anticipation)[:, None]
    first = within(moments, before)
    target = moments.seen & ~before
    kept = target & (first.used.sum(axis=1) > 0)[:, None] & _known_periods(first)
    if not kept.any():
        raise BadInput(
            "No visited student-month can be imputed: nobody is seen before the visit beside unvisited students."
        )
    keys, weights = _targets(moments, first, kept)
    inverse = np.linalg.pinv(first.projector.sum(axis=0), rcond=RANK_TOLERANCE, hermitian=True)
    slope = _weights_on_outcomes(moments, first, kept, weights, inverse)
    month = inverse @ first.moved.sum(axis=0)
    effect = _mean_effects(moments, first, kept, slope, month)
    removed = month + effect[:, first.code] * kept
    intercept = -np.einsum("act,act->ac", slope, removed)
    share = float((moments.weight @ kept).sum() / (moments.weight @ target).sum())
    return Imputation(keys, np.einsum("act,ct->a", slope, moments.total), Influence(intercept, slope), share)


def _known_periods(first: Within) -> np.ndarray:
    return np.asarray(np.diagonal(first.projector.sum(axis=0)) > 0)


def _targets(moments: Moments, first: Within, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return event times (NaN = overall) and each row's weight on a visited student-month, shape (A, U, T)."""
    since = moments.periods - first.cohort[:, None]
    present = np.array([kept[first.code == place].any(axis=0) for place in range(len(first.cohort))])
    keys = np.unique(since[present])
    chosen = np.concatenate([since == keys[:, None, None], since[None] >= 0])
    mass = np.array(
        [moments.weight[first.code == place] @ kept[first.code == place] for place in range(len(first.cohort))]
    )
    total = (chosen * mass).sum(axis=(1, 2))
    if total[-1] == 0:
        raise BadInput("No student-month from the visit on can be imputed; only months of anticipation are.")
    return np.append(keys, np.nan), chosen / total[:, None, None]


def _weights_on_outcomes(
    moments: Moments, first: Within, kept: np.ndarray, weights: np.ndarray, inverse: np.ndarray
) -> np.ndarray:
    """Return v: each estimate as weights on outcomes, shape (A, C, T) (their Proposition 1)."""
    direct = weights[:, first.code] * kept
    own = first.used / np.maximum(first.used.sum(axis=1, keepdims=True), 1)
    direct -= direct.sum(axis=2, keepdims=True) * own
    asked = np.einsum("act,c->at", direct, moments.weight)
    by_month = asked @ inverse
    if np.abs(by_month @ first.projector.sum(axis=0) - asked).max() > IDENTIFIED:
        raise BadInput(
            "The unvisited student-months fall into parts that share no student, so months cannot be compared across "
            "them. "
            "Bring students who were never visited, or fewer months."
        )
    return direct - demean(by_month[:, None, :], first.used)


def _mean_effects(
    moments: Moments, first: Within, kept: np.ndarray, slope: np.ndarray, month: np.ndarray
) -> np.ndarray:
    """Return mean effects by cohort and month, weighted by v squared, shape (A, U, T)."""
    own = first.used / np.maximum(first.used.sum(axis=1, keepdims=True), 1)
    level = (own * (moments.total_sq - moments.weight_sq[:, None] * month)).sum(axis=1)
    gap = moments.total_sq - moments.weight_sq[:, None] * month - level[:, None]
    effect = np.zeros((len(slope), *first.moved.shape))
    for place in range(len(first.cohort)):
        rows = first.code == place
        square = slope[:, rows] ** 2 * kept[rows]
        mass = np.einsum("act,c->at", square, moments.weight_sq[rows])
        np.divide(np.einsum("act,ct->at", square, gap[rows]), mass, out=effect[:, place], where=mass > 0)
    return effect
