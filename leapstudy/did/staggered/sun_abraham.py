"""Sun and Abraham's interaction-weighted estimator: one effect by cohort and month, averaged by cohort shares."""

from dataclasses import dataclass

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.did.staggered.twfe import Coefficients, observations, visited_share
from leapstudy.did.staggered.within import Within, regress, within
from leapstudy.students.moments.record import NEVER, Moments


@dataclass(frozen=True, slots=True)
class _Term:
    cohort: float
    period: int
    place: tuple[int, int]
    weight: float


def sun_abraham(moments: Moments, anticipation: int = 0) -> Coefficients:
    """Estimate effects by event time, the overall effect on the visited last (key NaN).

    Parameters
    ----------
    moments
        Sums by cell.
    anticipation
        Periods before the visit in which students may respond; the reference is the last period before them.

    Raises
    ------
    BadInput
        If no cohort can be compared.

    Notes
    -----
    Sun and Abraham (2021, Journal of Econometrics 225). Comparison: the never visited, or where there are none the last
    cohort in the months before its visit. Cohorts without a month before the visit are left out. Cohort shares, by
    student-months in use, are taken as fixed, as in R `fixest`; the overall effect averages every student-month from
    the visit on.
    """
    last = float(moments.cohort.max())
    wanted = _wanted(moments, last, anticipation)
    parts = within(moments, wanted)
    terms = _terms(moments, parts, last, anticipation)
    if not terms:
        raise BadInput("No cohort has a month before its visit and students to compare with; Sun-Abraham needs both.")
    regressors = np.zeros((*parts.moved.shape, len(terms)))
    for column, term in enumerate(terms):
        regressors[(*term.place, column)] = 1.0
    names = [f"cohort {term.cohort:g} in period {term.period}" for term in terms]
    fitted = regress(parts, regressors, names)
    keys, shares = _shares(terms)
    return Coefficients(
        np.append(keys, np.nan),
        shares @ fitted.coefficient[: len(terms)],
        fitted.influence(shares),
        len(terms) + int(parts.used.any(axis=0).sum()),
        observations(moments, parts.used),
        visited_share(moments, {term.cohort for term in terms}),
    )


def _wanted(moments: Moments, last: float, anticipation: int) -> np.ndarray:
    has_base = moments.cohort > moments.periods[0] + anticipation
    clean = np.ones(len(moments.periods), dtype=bool) if last == NEVER else moments.periods < last - anticipation
    return has_base[:, None] & clean


def _terms(moments: Moments, parts: Within, last: float, anticipation: int) -> list[_Term]:
    made = []
    for u, cohort in enumerate(parts.cohort):
        rows = parts.code == u
        weight = moments.weight[rows] @ parts.used[rows]
        before = np.flatnonzero((moments.periods + anticipation < cohort) & (weight > 0))
        if cohort == last or not len(before):
            continue
        made += [
            _Term(float(cohort), int(period), (u, t), float(weight[t]))
            for t, period in enumerate(moments.periods)
            if t != before[-1] and weight[t] > 0
        ]
    return made


def _shares(terms: list[_Term]) -> tuple[np.ndarray, np.ndarray]:
    since = np.array([term.period - term.cohort for term in terms])
    weight = np.array([term.weight for term in terms])
    keys = np.unique(since)
    rows = np.vstack([since == keys[:, None], since >= 0]) * weight
    return keys, rows / rows.sum(axis=1, keepdims=True)
