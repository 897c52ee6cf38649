"""Averages of ATT(g,t): simple, by cohort, by month, by event time, with the term for estimated cohort shares."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.did.staggered.att_gt_record import AttGt
from leapstudy.students.moments.record import Influence, Moments

# One number; by cohort; by calendar month; by time since the first visit.
Kind = Literal["simple", "group", "calendar", "event"]

NO_MONTH = "No month"


class GroupTime(Protocol):
    """What an average needs of K estimates: cohort, month, value and the size of the cohort, each of shape (K,)."""

    @property
    def cohort(self) -> np.ndarray:
        """First treated period of each estimate."""

    @property
    def period(self) -> np.ndarray:
        """Period that it is about."""

    @property
    def estimate(self) -> np.ndarray:
        """ATT(g,t)."""

    @property
    def cohort_weight(self) -> np.ndarray:
        """Size of the cohort."""


@dataclass(frozen=True, slots=True)
class Averages:
    """Averages of ATT(g,t) as weights on them.

    Attributes
    ----------
    kind : Kind
    key : ndarray, shape (A,)
        Cohort, month or event time; empty for ``simple``.
    estimate : ndarray, shape (A,)
        One per key.
    overall : float
        The one number: ``simple`` itself, the share-weighted mean of cohorts, the plain mean of months or of events.
    combination : ndarray, shape (A + 1, K)
        Weights on ATT(g,t): one row per key, the overall last.
    share_slope : ndarray, shape (A + 1, K)
        Derivative of each average by the size of each estimate's cohort.
    """

    kind: Kind
    key: np.ndarray
    estimate: np.ndarray
    overall: float
    combination: np.ndarray
    share_slope: np.ndarray


def averages(att: GroupTime, kind: Kind, *, events: tuple[int, int] | None = None) -> Averages:
    """Average ATT(g,t).

    Parameters
    ----------
    att
        Estimates by cohort and month.
    kind
        How to average.
    events
        First and last event time of the overall mean (kind "event"); from 0 to the last by default.

    Raises
    ------
    BadInput
        If no month after a visit was estimated, or none of the event times asked for.

    Notes
    -----
    Callaway and Sant'Anna (2021), section 3. Averages use t >= g also under anticipation. Cohorts are weighted by the
    weights of all their students.
    """
    check_option("aggregate", kind, Kind)
    multipliers, keys, in_window = _plan(att, kind, events)
    rows = [_average(att, row) for row in multipliers]
    combination, slope = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if in_window is not None:
        combination = np.vstack([combination, combination[in_window].mean(axis=0)])
        slope = np.vstack([slope, slope[in_window].mean(axis=0)])
    values = combination @ att.estimate
    return Averages(kind, keys, values[:-1], float(values[-1]), combination, slope)


def aggregate_influence(moments: Moments, att: AttGt, aggregate: Averages) -> Influence:
    """Return each student's influence on the averages, A + 1 rows, the overall last.

    That cohort shares are estimated adds ``w_i d theta / d W_g`` for students of cohort g, as in R `did`.
    """
    influence = att.influence(aggregate.combination)
    shares = aggregate.share_slope @ (att.cohort[:, None] == moments.cohort)
    return Influence(influence.intercept + shares, influence.slope)


def _plan(
    att: GroupTime, kind: Kind, events: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return multipliers on cohort sizes by row, the keys, and the rows whose plain mean is the overall."""
    after = att.period >= att.cohort
    if not after.any():
        raise BadInput(
            f"{NO_MONTH} after a first visit could be estimated; see the refused cells for the reasons, "
            "and choose other comparison students or fewer strata."
        )
    if kind == "simple":
        return after[None, :].astype(float), np.empty(0), None
    if kind == "group":
        keys = np.unique(att.cohort[after])
        by_cohort = (att.cohort == keys[:, None]) & after
        each = by_cohort / by_cohort.sum(axis=1, keepdims=True)
        return np.vstack([each, each.sum(axis=0)]), keys, None
    if kind == "calendar":
        keys = np.unique(att.period[after])
        return ((att.period == keys[:, None]) & after).astype(float), keys, np.ones(len(keys), dtype=bool)
    since = att.period - att.cohort
    keys = np.unique(since)
    first, last = (0, np.inf) if events is None else events
    in_window = (keys >= first) & (keys <= last)
    if not in_window.any():
        span = "" if events is None else f" from {first} to {last}"
        raise BadInput(f"{NO_MONTH}{span} after the first visit can be estimated.")
    return (since == keys[:, None]).astype(float), keys, in_window


def _average(att: GroupTime, multiplier: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = multiplier * att.cohort_weight
    weights = size / size.sum()
    return weights, multiplier * (att.estimate - weights @ att.estimate) / size.sum()
