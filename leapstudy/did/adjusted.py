"""The effect on the visited, adjusted for a continuous history twice over, with errors clustered by school.

Sant'Anna, P. H. C., and J. Zhao (2020), Doubly Robust Difference-in-Differences Estimators, Journal of Econometrics
219(1), the estimator with a logit for who is visited and least squares for how the others change (their section 3.1):
it is right if either of the two is. Rows are students in risk sets, so that one student may stand in several; errors
are of the sums by cluster. Both models are fitted from triangles of blocks of rows, so that no second copy of the
rows is made.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import expit

from leapstudy.core.errors import BadInput
from leapstudy.core.triangle import Fit, least_squares, triangle
from leapstudy.did.permutation import ALPHA

MOST = 0.995
"""Comparison rows whose fitted chance to be visited is higher are left out, as in `drdid`: they weigh too much."""
FEWEST_CLUSTERS = 5
MOST_STEPS = 60
SMALLEST = 1e-12
"""Fitted chances are kept this far from 0 and 1."""
NO_LIKE = "The visited have no like among the others: who is visited follows from the history."


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedEffect:
    """Effect on the visited rows, on the scale of the changes.

    Attributes
    ----------
    estimate, se, low, high, p_value : float
        With t(clusters - 1).
    n_treated, n_comparison, clusters : int
        Rows in use, and clusters that hold any of them.
    trimmed : int
        Comparison rows left out for their weight.
    """

    estimate: float
    se: float
    low: float
    high: float
    p_value: float
    n_treated: int
    n_comparison: int
    clusters: int
    trimmed: int


def adjusted_effect(
    change: np.ndarray, visited: np.ndarray, covariates: np.ndarray, cluster: np.ndarray, weight: np.ndarray
) -> AdjustedEffect:
    """Estimate the effect on the visited.

    Parameters
    ----------
    change : ndarray, shape (rows,)
        Outcome after less outcome before.
    visited : ndarray of bool, shape (rows,)
        Who was visited in the month of the risk set.
    covariates : ndarray, shape (rows, K)
        Without a constant. Columns that do not vary, or that others add up to, are left out.
    cluster : ndarray of int, shape (rows,)
        Within which rows may move together, such as a school.
    weight : ndarray, shape (rows,)
        Rows that each stands for, above zero: of a comparison row whose like were lost to later visits more than 1. It
        is taken as known, which makes errors a little too large where it was estimated.

    Raises
    ------
    BadInput
        If a side has no more rows than covariates, clusters are fewer than five, or the visited have no like.

    Examples
    --------
    Without covariates it is the difference of means:

    >>> y, d = np.array([3.0, 5, 4, 1, 2, 3, 2, 2, 1, 1]), np.repeat([True, False], [3, 7])
    >>> round(adjusted_effect(y, d, np.empty((10, 0)), np.arange(10), np.ones(10)).estimate, 4)
    2.2857
    """
    d, x = visited.astype(float), _full_rank(covariates)
    n, k = x.shape
    groups = np.unique(cluster, return_inverse=True)[1]
    if min(d.sum(), n - d.sum()) <= k or groups.max() + 1 < FEWEST_CLUSTERS:
        raise BadInput("Visited or comparison students, or their schools, are too few to be adjusted for a history.")
    w = weight / weight.mean()
    chance, information = _chance(d, x, w)
    if (chance[visited] >= MOST).mean() > 1 / 2:
        raise BadInput(NO_LIKE)
    other = np.where(chance < MOST, (1 - d) * w, 0.0)
    fit = _fitted(x, change, other)
    gap = change - x @ fit.params
    on, off = d * w, other * chance / (1 - chance)
    effect, background = on @ gap / on.sum(), off @ gap / off.sum()
    slope = other * gap * (x @ (n * fit.inverse @ ((on - off * on.sum() / off.sum()) @ x / n)))
    score = w * (d - chance) * (x @ (n * information @ ((off * (gap - background)) @ x / n)))
    treated = on * (gap - effect) / on.mean()
    compared = (off * (gap - background) + score) / off.mean()
    return _result(effect - background, (treated - compared - slope / on.mean()) / n, groups, d, other > 0)


def _full_rank(covariates: np.ndarray) -> np.ndarray:
    """Return a constant and the covariates, scaled, without those that add nothing (by pivots of a QR)."""
    spread = covariates.std(axis=0)
    scaled = np.ones((len(covariates), 1 + int((spread > 0).sum())))
    for place, column in enumerate(np.flatnonzero(spread > 0), 1):
        scaled[:, place] = (covariates[:, column] - covariates[:, column].mean()) / spread[column]
    pivots = np.abs(np.diag(triangle(scaled)))
    return scaled if (used := pivots > 1e-8 * pivots[0]).all() else scaled[:, used]


def _chance(d: np.ndarray, x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's fitted chance to be visited, and the inverse information.

    The logit by Newton steps, each a weighted least-squares fit (McCullagh and Nelder 1989, Generalized Linear Models,
    section 2.5), until the deviance stands.
    """
    chance, before = (d + 0.5) / 2, np.inf
    index = np.log(chance / (1 - chance))
    for _ in range(MOST_STEPS):
        spread = chance * (1 - chance)
        fit = _fitted(x, index + (d - chance) / spread, weight * spread)
        index = x @ fit.params
        chance = np.clip(expit(index), SMALLEST, 1 - SMALLEST)
        deviance = -2 * float(weight @ np.log(np.where(d == 1, chance, 1 - chance)))
        if np.allclose(chance, d):
            raise BadInput(NO_LIKE)
        if abs(deviance - before) <= 1e-8:
            break
        before = deviance
    return chance, fit.inverse


def _fitted(x: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> Fit:
    try:
        return least_squares(x, outcome, weight)
    except np.linalg.LinAlgError:
        raise BadInput(NO_LIKE) from None


def _result(
    estimate: float, influence: np.ndarray, groups: np.ndarray, d: np.ndarray, other: np.ndarray
) -> AdjustedEffect:
    sums = np.bincount(groups, weights=influence)
    clusters = len(sums)
    se = float(np.sqrt((sums**2).sum() * clusters / (clusters - 1)))
    t = stats.t(clusters - 1)
    reach = float(t.ppf(1 - ALPHA / 2)) * se
    p = float(2 * t.sf(abs(estimate) / se)) if se > 0 else float("nan")
    compared = int(other.sum())
    return AdjustedEffect(
        estimate=float(estimate),
        se=se,
        low=float(estimate) - reach,
        high=float(estimate) + reach,
        p_value=p,
        n_treated=int(d.sum()),
        n_comparison=compared,
        clusters=clusters,
        trimmed=int(len(d) - d.sum()) - compared,
    )
