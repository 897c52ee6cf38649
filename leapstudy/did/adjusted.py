"""The effect on the visited, adjusted for a continuous history twice over, with errors clustered by school.

Sant'Anna, P. H. C., and J. Zhao (2020), Doubly Robust Difference-in-Differences Estimators, Journal of Econometrics
219(1), the estimator with a logit for who is visited and least squares for how the others change (their section 3.1):
it is right if either of the two is. statsmodels fits both. Rows are students in risk sets, so that one student may
stand in several; errors are of the sums by cluster.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm
from scipy import stats
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from leapstudy.core.errors import BadInput
from leapstudy.did.permutation import ALPHA

MOST = 0.995
"""Comparison rows whose fitted chance to be visited is higher are left out, as in `drdid`: they weigh too much."""
FEWEST_CLUSTERS = 5
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
    >>> adjusted_effect(y, d, np.empty((10, 0)), np.arange(10), np.ones(10)).estimate.round(4)
    np.float64(2.2857)
    """
    d, x = visited.astype(float), _full_rank(covariates)
    n, k = x.shape
    groups = np.unique(cluster, return_inverse=True)[1]
    if min(d.sum(), n - d.sum()) <= k or groups.max() + 1 < FEWEST_CLUSTERS:
        raise BadInput("Visited or comparison students, or their schools, are too few to be adjusted for a history.")
    w = weight / weight.mean()
    chance, hessian = _chance(d, x, w)
    if (chance[visited] >= MOST).mean() > 1 / 2:
        raise BadInput(NO_LIKE)
    used = (d == 1) | (chance < MOST)
    other = np.where(used, (1 - d) * w, 0.0)
    fit = sm.WLS(change[other > 0], x[other > 0], other[other > 0]).fit(method="qr")
    gap = change - x @ fit.params
    on, off = d * w, other * chance / (1 - chance)
    effect, background = on @ gap / on.sum(), off @ gap / off.sum()
    slope = (other * gap)[:, None] * x @ np.linalg.inv((other[:, None] * x).T @ x / n)
    score = (w * (d - chance))[:, None] * x @ hessian
    treated = (on * (gap - effect) - slope @ (on[:, None] * x).mean(axis=0)) / on.mean()
    tilt = score @ (off[:, None] * (gap - background)[:, None] * x).mean(axis=0)
    compared = (off * (gap - background) + tilt - slope @ (off[:, None] * x).mean(axis=0)) / off.mean()
    return _result(effect - background, (treated - compared) / n, groups, d, other > 0)


def _full_rank(covariates: np.ndarray) -> np.ndarray:
    """Return a constant and the covariates, scaled, without those that add nothing (by pivots of a QR)."""
    columns = np.column_stack([np.ones(len(covariates)), covariates])
    spread = columns.std(axis=0)
    varying = [(one - one.mean()) / sd for one, sd in zip(columns.T, spread, strict=True) if sd > 0]
    scaled = np.column_stack([columns[:, 0], *varying])
    pivots = np.abs(np.diag(np.linalg.qr(scaled, mode="r")))
    return scaled[:, pivots > 1e-8 * pivots[0]]


def _chance(d: np.ndarray, x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's fitted chance to be visited, and the inverse information a row."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PerfectSeparationWarning)
            fit = sm.GLM(d, x, sm.families.Binomial(), freq_weights=weight).fit(maxiter=60)
    except (PerfectSeparationWarning, np.linalg.LinAlgError):
        raise BadInput(NO_LIKE) from None
    chance = np.clip(fit.fittedvalues, 1e-12, 1 - 1e-12)
    return chance, np.asarray(fit.normalized_cov_params) * len(d)


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
