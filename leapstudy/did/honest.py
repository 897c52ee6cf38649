"""Rambachan and Roth's bounds for an event study whose trends may not be parallel.

The sets come from `moderndid`; its units, versions, grids and what it prints are known in this module alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from types import ModuleType
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import ndtri

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.core.quiet import quiet
from leapstudy.did.permutation import ALPHA
from leapstudy.did.staggered.effects import Effects

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
# How trends may differ: the slope changes by at most M a period, or by at most Mbar times the largest change before.
Violation = Literal["smoothness", "relative_magnitudes"]
STEPS = 7
# Coefficients before: a change of slope takes two, and with one `moderndid` searches without end.
LEAST_BEFORE: dict[Violation, int] = {"smoothness": 2, "relative_magnitudes": 1}


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


def honest_bounds(problem: Problem, kind: Violation, grid: Sequence[float]) -> pd.DataFrame:
    """Return the robust 95% interval of an average of effects for each size of violation.

    Parameters
    ----------
    problem
        Coefficients, their covariance, and the weights of the average.
    kind
        "smoothness" (fixed-length intervals) or "relative_magnitudes" (conditional test).
    grid
        Values of M (in the estimates' unit a period) or Mbar.

    Returns
    -------
    DataFrame
        Columns kind, bound, low_pp, high_pp, one row per value of `grid`.

    Raises
    ------
    BadInput
        If sizes do not fit, or there are fewer coefficients before than `LEAST_BEFORE`.

    Notes
    -----
    Rambachan and Roth (2023, Review of Economic Studies 90). Relative magnitudes are read off a grid: their ends are
    known to about 0.04 standard errors. A bound takes 0.4 s (smoothness) to 1 s, and the first one a second more to
    import the solvers. The same figures give the same bounds, which are remembered for the next who asks.
    """
    _check(problem, kind)
    interval = smoothness_interval if kind == "smoothness" else magnitudes_interval
    intervals = [interval(problem, float(bound)) for bound in grid]
    return pd.DataFrame(
        {
            "kind": kind,
            "bound": np.asarray(grid, dtype=float),
            "low_pp": [f[0] for f in intervals],
            "high_pp": [f[1] for f in intervals],
        }
    )


def with_t(b: np.ndarray, covariance: np.ndarray, n_pre: int, t: float, steps: int = 1) -> Problem:
    """Return the problem of the first effect after; `moderndid` takes normal quantiles: errors are widened to `t`.

    That effect may lie `steps` periods after the reference: those between have coefficients without weight, as an
    interval of fixed length takes them. Other intervals must not be asked with more than one step.
    """
    wide_covariance = covariance * (t / ndtri(1 - ALPHA / 2)) ** 2
    b = np.insert(b, [n_pre] * (steps - 1), 0.0)
    observed = np.delete(np.arange(len(b)), np.arange(n_pre, n_pre + steps - 1))
    whole = np.diag(np.full(len(b), float(np.diag(wide_covariance).max())))
    whole[np.ix_(observed, observed)] = wide_covariance
    n_post = len(b) - n_pre
    return Problem(b, whole, n_pre, n_post, np.eye(1, n_post, steps - 1)[0])


def breakdown(problem: Problem, kind: Violation, largest: float) -> float:
    """Return the smallest violation at which the robust interval includes zero, to ``largest / 128``.

    Parameters
    ----------
    problem, kind
        As in `honest_bounds`.
    largest
        Where to stop looking.

    Returns
    -------
    float
        0 where the interval includes zero without any violation, infinity where not even `largest` brings zero in.
    """
    _check(problem, kind)
    if _includes_zero(problem, kind, 0.0):
        return 0.0
    if not _includes_zero(problem, kind, largest):
        return float("inf")
    low, high = 0.0, largest
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if _includes_zero(problem, kind, middle) else (middle, high)
    return high


def _check(problem: Problem, kind: Violation) -> None:
    check_option("kind of violation", kind, Violation)
    b, v, w = problem.estimate, problem.covariance, problem.weights
    n_pre, n_post = problem.n_pre, problem.n_post
    if b.shape != (n_pre + n_post,) or v.shape != (b.size, b.size) or w.shape != (n_post,) or n_post < 1:
        raise BadInput(
            f"Robust bounds need an effect, its covariance and for those after a weight each; got {n_pre} before, "
            f"{n_post} after, {b.shape} estimates, {v.shape} covariance, {w.shape} weights."
        )
    if n_pre < LEAST_BEFORE[kind]:
        raise BadInput(
            f"Robust bounds of this kind need at least {LEAST_BEFORE[kind]} effects before the visit to compare "
            f"violations with; got {n_pre}. Bring earlier periods; without them no bound can be given."
        )


def _includes_zero(problem: Problem, kind: Violation, bound: float) -> bool:
    if kind == "relative_magnitudes":
        return magnitudes_include_zero(problem, bound)
    low, high = smoothness_interval(problem, bound)
    return low <= 0 <= high


def honest_path(effects: Effects, window: tuple[int, int], events: tuple[int, int]) -> Problem:
    """Return the part of an event study that robust bounds are computed from.

    Parameters
    ----------
    effects
        An event study whose months all have the same base, the last before the visit (`base="universal"`).
    window
        First and last event time in use, such as (-6, 6).
    events
        First and last event time of the average that is bounded, such as (1, 6).

    Notes
    -----
    A step may be a summer: a restriction from step to step (relative magnitudes) still makes sense then, one of the
    slope (smoothness) does not.

    Raises
    ------
    BadInput
        If the base varies, an event time in the window is missing, or the average lies outside it.
    """
    reference = -1 - effects.card.anticipation
    if reference in effects.key:
        raise BadInput(
            f"Month {reference} has an estimate of its own, so that each earlier month is held against the one before "
            "it, while robust bounds need one base for all months: estimate with base='universal'."
        )
    event_times = np.array([key for key in range(window[0], window[1] + 1) if key != reference])
    places = [np.flatnonzero(effects.key == key) for key in event_times]
    missing = [int(key) for key, place in zip(event_times, places, strict=True) if not len(place)]
    if missing or not event_times[0] < reference < events[0] <= events[1] <= window[1]:
        raise BadInput(
            f"Robust bounds for months {events[0]} to {events[1]} need every month of the window {window} around the "
            f"base month {reference}; missing: {missing}. Choose a window that the data fill."
        )
    rows = np.concatenate(places)
    after = event_times[event_times > reference]
    inside = (after >= events[0]) & (after <= events[1])
    return Problem(
        effects.estimate[rows],
        effects.covariance[np.ix_(rows, rows)],
        int((event_times < reference).sum()),
        len(after),
        inside / inside.sum(),
    )


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
    # the version that halves its way tests every value of a grid that cuts the set: 40 s where one end takes 0.1
    while times < WIDEST and any(_holds(p, m_bar, center + side * reach * times) for side in (-1, 1)):
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
    """Return whether zero is in the set of `magnitudes_interval`."""
    return _holds(_eased(problem.scaled()), m_bar, 0.0)


def _holds(p: Problem, m_bar: float, value: float) -> bool:
    """Return whether a value is not rejected; the package wants two, and gets it twice."""
    return bool(np.isfinite(_edges(p, m_bar, value, value + 1e-9 * UNIT, 1)[0]))


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
