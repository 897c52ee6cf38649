"""Robust sets from `moderndid`, the only module that knows its ways: units, versions, grids and what it prints."""

from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from types import ModuleType

import numpy as np

from leapstudy.core.quiet import quiet

LEVEL = 0.95
# Standard error that problems are brought to. `moderndid` stops its searches at 1e-6 whatever the unit: with errors
# near 1 it takes ten times as long for the same ends.
UNIT = 0.01
TRIFLE = 1e-6
# In standard errors: how far beyond the largest violation a grid looks at first, and its first and last step.
REACH, COARSE, FINE = 20, 0.5, 0.04
# Times the first reach at which the search for an end stops: beyond it the set is said to have no end.
WIDEST = 64

# Answers kept of each kind: another contrast of the same event study asks the same again, and each takes seconds.
REMEMBERED = 128


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """An event study and the average of its effects that is bounded; two of the same figures are equal.

    Attributes
    ----------
    estimate, covariance : ndarray
        Coefficients before (n_pre, in order of time) and after (n_post), without the reference; their covariance.
    n_pre, n_post : int
        How many of each.
    weights : ndarray, shape (n_post,)
        On the effects after, such as ``[1, 0, 0]`` for the first or ``[1/3, 1/3, 1/3]`` for the mean.
    unit : float
        What estimates were divided by.
    """

    estimate: np.ndarray
    covariance: np.ndarray
    n_pre: int
    n_post: int
    weights: np.ndarray
    unit: float = 1.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problem) and self._figures() == other._figures()

    def __hash__(self) -> int:
        return hash(self._figures())

    def _figures(self) -> tuple[object, ...]:
        arrays = (self.estimate, self.covariance, self.weights)
        return (*(np.asarray(item, float).tobytes() for item in arrays), self.n_pre, self.n_post, self.unit)

    def scaled(self) -> "Problem":
        """Return the problem in the unit in which its largest standard error is `UNIT`."""
        unit = float(np.sqrt(np.diag(self.covariance).max())) / UNIT
        return replace(self, estimate=self.estimate / unit, covariance=self.covariance / unit**2, unit=self.unit * unit)


@lru_cache(REMEMBERED)
def smoothness_interval(problem: Problem, m: float) -> tuple[float, float]:
    """Return the fixed-length interval where the slope changes by at most `m` a period, both in the estimates' unit."""
    p = problem.scaled()
    with quiet():
        bounds = _package().create_sensitivity_results_sm(
            p.estimate, p.covariance, p.n_pre, p.n_post, m_vec=[m / p.unit], l_vec=p.weights, alpha=1 - LEVEL
        )
    return p.unit * float(bounds["lb"][0]), p.unit * float(bounds["ub"][0])


@lru_cache(REMEMBERED)
def magnitudes_interval(problem: Problem, m_bar: float) -> tuple[float, float]:
    """Return the ends of the set where changes are at most `m_bar` times the largest before (conditional test).

    Read off a grid, in one go by a version that halves its way to the ends. One that tests every value would take ten
    seconds, and is given a coarse grid first and then fine ones around each end, which takes one. The grid is widened
    until it does not cut the set, and each end is the first rejected value beyond it, so that rounding never narrows
    the set.
    """
    p = _eased(problem.scaled())
    after = slice(p.n_pre, None)
    se = float(np.sqrt(p.weights @ p.covariance[after, after] @ p.weights))
    largest = float(np.abs(np.diff(np.append(p.estimate[: p.n_pre], 0.0))).max())
    reach = m_bar * float(np.arange(1, p.n_post + 1) @ np.abs(p.weights)) * largest + REACH * se
    center, times = float(p.weights @ p.estimate[after]), 1
    low, high = _uncut(p, m_bar, center, reach, se)
    while (low <= center - reach * times or high >= center + reach * times) and times < WIDEST:
        times *= 2
        low, high = _uncut(p, m_bar, center, reach * times, se)
    ends = (low if low > center - reach * times else -np.inf, high if high < center + reach * times else np.inf)
    return p.unit * ends[0], p.unit * ends[1]


def _uncut(p: Problem, m_bar: float, center: float, reach: float, se: float) -> tuple[float, float]:
    """Return the rejected values next to the set within `reach` of its center; an edge of the grid where it is cut
    there.
    """
    steps, finer = int(np.ceil(2 * reach / (COARSE * se))), int(np.ceil(COARSE / FINE))
    start, step = center - reach, 2 * reach / steps
    low, high = (np.nan, np.nan) if _is_old() else _edges(p, m_bar, start, start + 2 * reach, steps)
    if np.isnan(low):  # nothing asked yet, or a set narrower than a coarse step
        low, high = _edges(p, m_bar, start, start + 2 * reach, steps * finer)
    elif start + step / 2 < low and high < start + 2 * reach - step / 2:
        low, high = _edges(p, m_bar, low - step, low, finer)[0], _edges(p, m_bar, high, high + step, finer)[1]
    return max(low - step / finer, start), min(high + step / finer, start + 2 * reach)


@lru_cache(REMEMBERED)
def magnitudes_include_zero(problem: Problem, m_bar: float) -> bool:
    """Return whether zero is in the set of `magnitudes_interval`; the package wants two values, and gets zero twice."""
    return bool(np.isfinite(_edges(_eased(problem.scaled()), m_bar, 0.0, 1e-9 * UNIT, 1)[0]))


def _edges(p: Problem, m_bar: float, low: float, high: float, steps: int) -> tuple[float, float]:
    """Return the first and last value that is not rejected on a grid from `low` to `high`; NaN where all are."""
    with quiet():
        bounds = _package().create_sensitivity_results_rm(
            p.estimate,
            p.covariance,
            p.n_pre,
            p.n_post,
            method="Conditional",
            m_bar_vec=[m_bar],
            l_vec=p.weights,
            alpha=1 - LEVEL,
            grid_points=steps + 1,
            grid_lb=low,
            grid_ub=high,
        )
    return float(bounds["lb"][0]), float(bounds["ub"][0])


def _eased(p: Problem) -> Problem:
    """Return the problem in the form that `moderndid` solves well, and in full, for relative magnitudes.

    With one effect after it fails: a second one is added, whose true value is free, so that it says nothing. With
    weights of zero its linear programs are degenerate and 25 times slower: they become a millionth of the largest. The
    old version leaves the earliest change out of the largest one: given the earliest period twice, it leaves out a
    change of nothing.
    """
    if p.n_post == 1:
        b, v = np.append(p.estimate, p.estimate[-1]), np.pad(p.covariance, (0, 1))
        v[-1, -1] = p.covariance[-1, -1]
        p = replace(p, estimate=b, covariance=v, n_post=2, weights=np.append(p.weights, 0.0))
    if _is_old():
        twice = np.append(0, np.arange(len(p.estimate)))
        p = replace(p, estimate=p.estimate[twice], covariance=p.covariance[np.ix_(twice, twice)], n_pre=p.n_pre + 1)
    return replace(p, weights=np.where(p.weights == 0, TRIFLE * np.abs(p.weights).max(), p.weights))


def _is_old() -> bool:
    """Return whether this is `moderndid` 0.2, the last for Python 3.11; both give the same ends as they are asked."""
    return version("moderndid").startswith("0.2.")


def _package() -> ModuleType:
    # imported here because it is slow to import
    from moderndid import didhonest

    return didhonest
