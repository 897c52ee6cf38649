"""The effect on the visited, adjusted for a continuous history twice over, with errors clustered by school.

Sant'Anna, P. H. C., and J. Zhao (2020), Doubly Robust Difference-in-Differences Estimators, Journal of Econometrics
219(1), the estimator with a logit for who is visited and least squares for how the others change (their section 3.1):
it is right if either of the two is. Rows are students in risk sets, so that one student may stand in several; errors
are a jackknife of clusters (MacKinnon, Nielsen and Webb 2023, Cluster-Robust Inference, Journal of Econometrics 232(2),
their CV3): each cluster is left out once and both models follow, since sums of influence by cluster come out too small
where few schools hold most of the weight. statsmodels fits both models, each as a GLM by Newton steps: of its ways to
fit the one that makes the fewest copies of the rows (two, against nine of its default).
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.special import expit
from statsmodels.genmod.families import Binomial, Family, Gaussian
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tools.sm_exceptions import ConvergenceWarning, HessianInversionWarning

from leapstudy.core.errors import BadInput
from leapstudy.did.spread import t_above, t_critical

# Comparison rows whose fitted chance to be visited is higher are left out, as in `drdid`: they weigh too much.
MOST = 0.995
FEWEST_CLUSTERS = 5
# Log-odds beyond which a chance to be visited is 1.
FAR = 30.0
# Below this share of the largest, what is left of a column without a cluster is nothing.
ALONE = 1e-10
# How far a condition that is estimated, and of another norm, may be off.
SURE = 10
# Clusters left out at a time; rows by clusters are held in memory.
AT_ONCE = 4
# Where the history tells some of the visited apart, log-odds grow by about one a step: these are beyond doubt then.
MOST_STEPS = 25
# Log-odds, up or down, from which the usual fit of a logit begins: its working response where the chance is 3/4.
FIRST_ODDS = 2.4319
# Steps of a fit that move no coefficient by more end it.
STILL = 1e-10
# Below this share of the largest eigenvalue of X'WX columns add up to each other.
SUMMED = 1e-12
NO_LIKE = "The visited have no like among the others: who is visited follows from the history."


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedEffect:
    """Effect on the visited rows, on the scale of the changes.

    Attributes
    ----------
    estimate, se, low, high, p_value : float
        By the jackknife of clusters, with t(clusters - 1).
    n_treated, n_comparison, clusters : int
        Rows in use, or the students behind them, and clusters that hold any of them.
    """

    estimate: float
    se: float
    low: float
    high: float
    p_value: float
    n_treated: int
    n_comparison: int
    clusters: int


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
    >>> round(adjusted_effect(y, d, np.empty((10, 0)), np.arange(10), np.ones(10)).estimate, 4)
    2.2857
    """
    d, x = visited.astype(float), _full_rank(covariates)
    n, k = x.shape
    groups = np.unique(cluster, return_inverse=True)[1]
    if min(d.sum(), n - d.sum()) <= k or groups.max() + 1 < FEWEST_CLUSTERS:
        raise BadInput("Visited or comparison students, or their schools, are too few to be adjusted for a history.")
    w = weight / weight.mean()
    start = _fitted(Gaussian(), FIRST_ODDS * (2 * d - 1), x, w, np.zeros(k)).params
    logit = _fitted(Binomial(), d, x, w, start)
    chance = expit(x @ logit.params)
    if np.allclose(chance, d) or (chance[visited] >= MOST).mean() > 1 / 2:
        raise BadInput(NO_LIKE)
    other = np.where(chance < MOST, (1 - d) * w, 0.0)
    line = _fitted(Gaussian(), change, x, other, np.zeros(k))
    ends = np.linalg.eigvalsh(line.information)[[0, -1]]
    if ends[0] <= SUMMED * ends[1]:
        raise BadInput(NO_LIKE)
    rows = _Rows(change, x, d * w, other)
    estimate = float(rows.effect(logit.params[:, None], line.params[:, None])[0])
    order = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    logits = _without_each(logit, x, w * chance * (1 - chance), w * (d - chance), order)
    lines = _without_each(line, x, other, other * (change - x @ line.params), order)
    without = rows.effect_without_each(logits, lines, order)
    if not np.isfinite(without).all():
        raise BadInput("All visited students, or all like them, are of one school: no error by school can be formed.")
    return _result(estimate, without, d, other > 0)


@dataclass(frozen=True, slots=True)
class _Fit:
    """A fitted model: `params`, shape (K,), and its `information` X'WX, shape (K, K)."""

    params: np.ndarray
    information: np.ndarray


@dataclass(frozen=True, slots=True)
class _Rows:
    """N rows: how each changed, K columns of history, and its weight among the visited and among the others."""

    change: np.ndarray
    x: np.ndarray
    on: np.ndarray
    other: np.ndarray

    def effect(self, logits: np.ndarray, lines: np.ndarray, present: np.ndarray | float = 1.0) -> np.ndarray:
        """Return the effect for C coefficients of shape (K, C), of rows `present`, shape (N, C); NaN without a side."""
        gap = self.change[:, None] - self.x @ lines
        on, off = self.on[:, None] * present, self.other[:, None] * np.exp(np.minimum(self.x @ logits, FAR)) * present
        with np.errstate(invalid="ignore", divide="ignore"):
            return (on * gap).sum(axis=0) / on.sum(axis=0) - (off * gap).sum(axis=0) / off.sum(axis=0)

    def effect_without_each(self, logits: np.ndarray, lines: np.ndarray, order: list[np.ndarray]) -> np.ndarray:
        """Return the effect without each cluster, whose rows are `order`, by the coefficients without it."""
        effects = []
        for first in range(0, len(order), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            present = np.ones((len(self.change), len(order[some])))
            for place, own in enumerate(order[some]):
                present[own, place] = 0.0
            effects.append(self.effect(logits[:, some], lines[:, some], present))
        return np.concatenate(effects)


def _without_each(
    fit: _Fit, x: np.ndarray, weight: np.ndarray, pull: np.ndarray, order: list[np.ndarray]
) -> np.ndarray:
    """Return a fit's coefficients without each cluster, shape (K, clusters): of a line exact, of a logit one step.

    `pull` is what each row adds to the equations that the fit solves; a column that only the cluster has stays.
    """
    estimates = []
    for own in order:
        part = x[own]
        rest = fit.information - (part * weight[own, None]).T @ part
        estimates.append(fit.params - _solved(rest, part.T @ pull[own]))
    return np.column_stack(estimates)


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the solution of a symmetric system: of one that lacks rank, as without a column's cluster, the shortest.

    An eigendecomposition takes ten times as long as Cholesky's, whose estimated condition says where it is needed.
    """
    factor, info = lapack.dpotrf(matrix)
    if not info and lapack.dpocon(factor, np.abs(matrix).sum(axis=0).max())[0] > SURE * len(matrix) * ALONE:
        return np.asarray(lapack.dpotrs(factor, right)[0])
    return np.asarray(np.linalg.pinv(matrix, rcond=ALONE, hermitian=True) @ right)


def _full_rank(covariates: np.ndarray) -> np.ndarray:
    """Return a constant and the covariates, scaled, without those that add nothing (by pivots of a QR)."""
    spread = covariates.std(axis=0)
    standardized = np.ones((len(covariates), 1 + int((spread > 0).sum())))
    for place, column in enumerate(np.flatnonzero(spread > 0), 1):
        standardized[:, place] = (covariates[:, column] - covariates[:, column].mean()) / spread[column]
    pivots = np.abs(np.diag(np.linalg.qr(standardized, mode="r")))
    return standardized if (independent := pivots > 1e-8 * pivots[0]).all() else standardized[:, independent]


def _fitted(family: Family, outcome: np.ndarray, x: np.ndarray, weight: np.ndarray, start: np.ndarray) -> _Fit:
    """Return the maximum of the likelihood, by steps from `start`: of the normal family least squares, weighted."""
    if not (weighs := weight > 0).all():
        outcome, x, weight = outcome[weighs], x[weighs], weight[weighs]
    model = GLM(outcome, x, family, freq_weights=weight, hasconst=True)
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # what has no maximum is told by its chances
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", HessianInversionWarning)
        fit = model.fit(start, method="newton", maxiter=MOST_STEPS, tol=STILL, disp=False, optim_hessian="eim")
        information = -model.hessian(fit.params, scale=1.0, observed=False)
    if not np.isfinite(information).all():
        raise BadInput(NO_LIKE)
    return _Fit(fit.params, information)


def _result(estimate: float, without: np.ndarray, d: np.ndarray, other: np.ndarray) -> AdjustedEffect:
    clusters = len(without)
    se = float(np.sqrt(((without - estimate) ** 2).sum() * (clusters - 1) / clusters))
    reach = t_critical(clusters - 1) * se
    p = float(2 * t_above(abs(estimate) / se, clusters - 1)) if se > 0 else float("nan")
    n_comparison = int(other.sum())
    return AdjustedEffect(
        estimate=estimate,
        se=se,
        low=estimate - reach,
        high=estimate + reach,
        p_value=p,
        n_treated=int(d.sum()),
        n_comparison=n_comparison,
        clusters=clusters,
    )
