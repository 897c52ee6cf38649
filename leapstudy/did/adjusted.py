"""The effect on the visited, adjusted for a continuous history twice over, with errors clustered by school.

Sant'Anna, P. H. C., and J. Zhao (2020), Doubly Robust Difference-in-Differences Estimators, Journal of Econometrics
219(1), the estimator with a logit for who is visited and least squares for how the others change (their section 3.1):
it is right if either of the two is. statsmodels fits both. Rows are students in risk sets, so that one student may
stand in several; errors are a jackknife of clusters (MacKinnon, Nielsen and Webb 2023, Cluster-Robust Inference,
Journal of Econometrics 232(2), CV3): each cluster is left out once and both models follow. Sums of influence by cluster
come out too small where few schools hold most of the weight.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm
from scipy import stats
from scipy.special import expit
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from leapstudy.core.errors import BadInput
from leapstudy.did.permutation import ALPHA

MOST = 0.995
"""Comparison rows whose fitted chance to be visited is higher are left out, as in `drdid`: they weigh too much."""
FEWEST_CLUSTERS = 5
FAR = 30.0
"""Log-odds beyond which a chance to be visited is 1."""
AT_ONCE = 64
"""Clusters whose absence is computed together; rows by clusters are held in memory."""
NO_LIKE = "The visited have no like among the others: who is visited follows from the history."


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedEffect:
    """Effect on the visited rows, on the scale of the changes.

    Attributes
    ----------
    estimate, se, low, high, p_value : float
        By the jackknife of clusters, with t(clusters - 1).
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
        is taken as known.

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
    logit = _logit(d, x, w)
    chance = expit(x @ logit)
    if (chance[visited] >= MOST).mean() > 1 / 2:
        raise BadInput(NO_LIKE)
    other = np.where((d == 0) & (chance < MOST), w, 0.0)
    line = np.asarray(sm.WLS(change[other > 0], x[other > 0], other[other > 0]).fit(method="qr").params)
    models = _Models(change, x, d * w, other, logit, line)
    without = models.without_each(groups)
    if not np.isfinite(without).all():
        raise BadInput("All visited students, or all like them, are of one school: no error by school can be formed.")
    return _result(float(models.effect(logit[:, None], line[:, None])[0]), without, d, other > 0)


@dataclass(frozen=True, slots=True)
class _Models:
    """N rows, their weights on each side, and both models' coefficients: of the logit, and of the line."""

    change: np.ndarray
    x: np.ndarray
    on: np.ndarray
    other: np.ndarray
    logit: np.ndarray
    line: np.ndarray

    def effect(self, logit: np.ndarray, line: np.ndarray, used: np.ndarray | float = 1.0) -> np.ndarray:
        """Return the effect for C coefficients of shape (K, C), of rows `used`, shape (N, C); NaN without a side."""
        gap = self.change[:, None] - self.x @ line
        on = self.on[:, None] * used
        off = self.other[:, None] * np.exp(np.minimum(self.x @ logit, FAR)) * used
        with np.errstate(invalid="ignore", divide="ignore"):
            return (on * gap).sum(axis=0) / on.sum(axis=0) - (off * gap).sum(axis=0) / off.sum(axis=0)

    def without_each(self, groups: np.ndarray) -> np.ndarray:
        """Return the effect without each cluster: the line is fitted anew, the logit moves by one step of Newton's."""
        chance, w = expit(self.x @ self.logit), self.on + self.other
        weights = w * chance * (1 - chance), self.other
        pulls = w * ((self.on > 0) - chance), self.other * (self.change - self.x @ self.line)
        wholes = [(self.x * one[:, None]).T @ self.x for one in weights]
        effects = []
        for some in np.array_split(np.arange(groups.max() + 1), groups.max() // AT_ONCE + 1):
            moved = [
                np.column_stack([_step(self.x, *part, groups == one) for one in some])
                for part in zip((self.logit, self.line), weights, pulls, wholes, strict=True)
            ]
            effects.append(self.effect(*moved, used=groups[:, None] != some))
        return np.concatenate(effects)


def _step(
    x: np.ndarray, coefficients: np.ndarray, weight: np.ndarray, pull: np.ndarray, whole: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """Return a weighted fit's coefficients without the rows `own`; a column that only they have stays as it is."""
    part = x[own]
    rest = whole - (part * weight[own, None]).T @ part
    return coefficients - np.linalg.pinv(rest, rcond=1e-10, hermitian=True) @ (part.T @ pull[own])


def _full_rank(covariates: np.ndarray) -> np.ndarray:
    """Return a constant and the covariates, scaled, without those that add nothing (by pivots of a QR)."""
    columns = np.column_stack([np.ones(len(covariates)), covariates])
    spread = columns.std(axis=0)
    varying = [(one - one.mean()) / sd for one, sd in zip(columns.T, spread, strict=True) if sd > 0]
    scaled = np.column_stack([columns[:, 0], *varying])
    pivots = np.abs(np.diag(np.linalg.qr(scaled, mode="r")))
    return scaled[:, pivots > 1e-8 * pivots[0]]


def _logit(d: np.ndarray, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the coefficients of each row's chance to be visited."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PerfectSeparationWarning)
            fit = sm.GLM(d, x, sm.families.Binomial(), freq_weights=weight).fit(maxiter=60)
    except (PerfectSeparationWarning, np.linalg.LinAlgError):
        raise BadInput(NO_LIKE) from None
    return np.asarray(fit.params)


def _result(estimate: float, without: np.ndarray, d: np.ndarray, other: np.ndarray) -> AdjustedEffect:
    clusters = len(without)
    se = float(np.sqrt(((without - estimate) ** 2).sum() * (clusters - 1) / clusters))
    t = stats.t(clusters - 1)
    reach = float(t.ppf(1 - ALPHA / 2)) * se
    p = float(2 * t.sf(abs(estimate) / se)) if se > 0 else float("nan")
    compared = int(other.sum())
    return AdjustedEffect(
        estimate=estimate,
        se=se,
        low=estimate - reach,
        high=estimate + reach,
        p_value=p,
        n_treated=int(d.sum()),
        n_comparison=compared,
        clusters=clusters,
        trimmed=int(len(d) - d.sum()) - compared,
    )
