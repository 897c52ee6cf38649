"""Two-way fixed effects: one effect, or one by event time. Shown beside the others, never alone."""

from dataclasses import dataclass

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.did.staggered.within import regress, within
from leapstudy.students.moments.influence import Influence
from leapstudy.students.moments.record import NEVER, Moments


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Coefficients of a regression with student and period effects.

    Attributes
    ----------
    key : ndarray, shape (A,)
        Event time; NaN for the one effect.
    estimate : ndarray, shape (A,)
        Percentage points.
    influence : Influence
    parameters : int
        Coefficients and period effects, for the small-sample factor; student effects are nested in the clusters.
    observations : int
        Student-months in use.
    overlap : float
        Share of the visited students (by weight) in cohorts that take part.
    """

    key: np.ndarray
    estimate: np.ndarray
    influence: Influence
    parameters: int
    observations: int
    overlap: float = 1.0


def twfe(moments: Moments) -> Coefficients:
    """Regress the outcome on having been visited, with student and period effects.

    Under staggered timing the coefficient also compares students visited later with those visited before, whose effect
    it takes away (Goodman-Bacon 2021; see `leapstudy.did.staggered.bacon`).
    """
    parts = within(moments)
    visited = (moments.periods[None, :] >= parts.cohort[:, None]).astype(float)
    fitted = regress(parts, visited[:, :, None], ["visited"])
    return Coefficients(
        np.array([np.nan]),
        fitted.coefficient[:1],
        fitted.influence(np.eye(1)),
        1 + int(parts.used.any(axis=0).sum()),
        observations(moments, parts.used),
    )


def event_study(
    moments: Moments, reference: tuple[int, ...] = (-1,), window: tuple[int, int] | None = None
) -> Coefficients:
    """Regress the outcome on months since the first visit, with student and period effects.

    Parameters
    ----------
    moments
        Sums by cell.
    reference
        Event times set to zero.
    window
        First and last event time with a dummy of its own; earlier and later ones share the end's. All by default.

    Raises
    ------
    BadInput
        If no visited student has the reference, or the dummies cannot be told apart from the effects.

    Notes
    -----
    The dynamic form is contaminated where effects differ by cohort (Sun and Abraham 2021).
    """
    parts = within(moments)
    since = moments.periods[None, :] - parts.cohort[:, None]
    if window is not None:
        since = np.where(np.isfinite(since), np.clip(since, *window), since)
    present = since[np.isfinite(since) & _seen_by_cohort(parts.used, parts.code, len(parts.cohort))]
    if not np.isin(reference, present).all():
        raise BadInput(f"Reference {reference} is no event time of the data: {np.unique(present).tolist()}.")
    keys = np.setdiff1d(present, reference)
    dummies = (since[:, :, None] == keys).astype(float)
    fitted = regress(parts, dummies, [f"event {key:g}" for key in keys])
    return Coefficients(
        keys,
        fitted.coefficient[: len(keys)],
        fitted.influence(np.eye(len(keys))),
        len(keys) + int(parts.used.any(axis=0).sum()),
        observations(moments, parts.used),
    )


def observations(moments: Moments, used: np.ndarray) -> int:
    """Return the student-months in use."""
    return int(moments.students @ used.sum(axis=1))


def visited_share(moments: Moments, cohorts: set[float]) -> float:
    """Return the share of the visited students, by weight, who are in some cohorts."""
    visited = moments.cohort < NEVER
    return float(moments.weight[np.isin(moments.cohort, list(cohorts))].sum() / moments.weight[visited].sum())


def _seen_by_cohort(used: np.ndarray, code: np.ndarray, cohorts: int) -> np.ndarray:
    return np.array([used[code == place].any(axis=0) for place in range(cohorts)])
