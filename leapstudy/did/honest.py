"""Rambachan and Roth's bounds for an event study whose trends may not be parallel.

Intervals of fixed length (smoothness) come from `moderndid`, whose units and what it prints are known in this module
alone. Sets of the conditional test (relative magnitudes) are computed here, without any linear program.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import log_ndtr, ndtri

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.core.quiet import quiet
from leapstudy.did.permutation import ALPHA
from leapstudy.did.staggered.effects import Effects

LEVEL = 0.95
# Standard error that problems are brought to. `moderndid` stops its searches at 1e-6 whatever the unit: with errors
# near 1 it takes ten times as long for the same ends.
UNIT = 0.01
# In standard errors: how far beyond the largest violation a grid looks at first, and its step.
REACH, STEP = 20, 0.04
# Values that the step with an end is divided by, and how often: the end is known to a millionth of a standard error.
PARTS, ROUNDS = 40, 3
# What rounding leaves of a variance, or of a difference, that is zero.
NOTHING = 1e-10
# Times the first reach at which the search for an end stops: beyond it the set is said to have no end.
WIDEST = 64
# Values of a grid on each side at most: its step grows where the reach is very many standard errors.
SIDE = 10_000
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
    Rambachan and Roth (2023, Review of Economic Studies 90). Relative magnitudes: the union of the conditional test's
    sets (Andrews, Roth and Pakes 2023, Review of Economic Studies 90), one for each change before that may be the
    largest and each sign; ends to a millionth of a standard error. Smoothness takes 0.4 s a bound, and the first one a
    second more to import its solver. The same figures give the same bounds, which are remembered for the next who asks.
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
    variance, parts = w @ v[n_pre:, n_pre:] @ w, np.abs(w) @ np.sqrt(np.abs(np.diag(v)[n_pre:]))
    if not np.isfinite(b).all() or not np.isfinite(v).all() or not variance > NOTHING * parts**2:
        raise BadInput(
            f"Robust bounds need estimates that are known and an average with a standard error above zero; got "
            f"{int((~np.isfinite(b)).sum())} unknown estimates and a variance of {variance:.3g}. Where all of a side "
            "move alike there is no variance to learn from: add units, or leave the bounds out."
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
    from moderndid import didhonest  # slow to import

    p = problem.scaled()
    with quiet():
        bounds = didhonest.create_sensitivity_results_sm(
            p.estimate, p.covariance, p.n_pre, p.n_post, m_vec=[m / p.unit], l_vec=p.weights, alpha=1 - LEVEL
        )
    return p.unit * float(bounds["lb"][0]), p.unit * float(bounds["ub"][0])


@lru_cache(REMEMBERED)
def magnitudes_interval(problem: Problem, m_bar: float) -> tuple[float, float]:
    """Return the ends of the set where changes are at most `m_bar` times the largest before (conditional test).

    The set is looked for on a grid, which is widened until it does not cut the set, and each end between the two values
    around it. An end is the nearest value that is rejected, so that rounding never narrows the set, which holds the
    estimate at least. docs/method.md derives why no linear program is needed.
    """
    b, covariance, weights, n_pre = problem.estimate, problem.covariance, problem.weights, problem.n_pre
    se = float(np.sqrt(weights @ covariance[n_pre:, n_pre:] @ weights))
    before = _changes(n_pre, len(b))[:n_pre]
    errors = np.sqrt(np.einsum("ij,jk,ik->i", before, covariance, before).clip(0.0))
    times_before = m_bar * float(np.arange(1, problem.n_post + 1) @ np.abs(weights))
    reach = times_before * float(np.abs(before @ b).max()) + REACH * se
    widest = WIDEST * (reach + REACH * times_before * float(errors.max()))
    center, sets = float(weights @ b[n_pre:]), _polyhedra(problem, m_bar)
    while reach < widest and _included(sets, center + reach * np.array([-1.0, 1.0])).any():
        reach *= 2
    side = min(int(np.ceil(reach / STEP / se)), SIDE)
    values = center + reach * np.arange(-side, side + 1) / side
    first, last = np.flatnonzero(_included(sets, values))[[0, -1]]
    finest = STEP * se / PARTS**ROUNDS
    low = -np.inf if first == 0 else _end(sets, values[first], values[first - 1], finest)
    high = np.inf if last == 2 * side else _end(sets, values[last], values[last + 1], finest)
    return low, high


def _end(sets: Sequence["_Polyhedron"], inside: float, outside: float, finest: float) -> float:
    """Return the rejected value next to the set, of one that is in it and one that is not, to `finest` or rounding."""
    while abs(outside - inside) > max(finest, PARTS * np.spacing(abs(outside))):
        values = np.linspace(inside, outside, PARTS + 1)
        place = int(np.argmin(_included(sets, values)))  # the first that is rejected
        inside, outside = values[place - 1], values[place]
    return float(outside)


@lru_cache(REMEMBERED)
def magnitudes_include_zero(problem: Problem, m_bar: float) -> bool:
    """Return whether zero is in the set of `magnitudes_interval`."""
    return bool(_included(_polyhedra(problem, m_bar), np.zeros(1))[0])


def _included(sets: Sequence["_Polyhedron"], values: np.ndarray) -> np.ndarray:
    return np.any([one.include(values) for one in sets], axis=0)


def _polyhedra(problem: Problem, m_bar: float) -> list["_Polyhedron"]:
    """Return what a departure may be, by which change before is the largest and its sign: the union of these sets."""
    b, covariance, weights, n_post = problem.estimate, problem.covariance, problem.weights, problem.n_post
    if n_post == 1:  # a second effect, whose true value is free: then the sign of the largest change is tested as well
        b, covariance, weights, n_post = np.append(b, b[-1]), np.pad(covariance, (0, 1)), np.append(weights, 0.0), 2
        covariance[-1, -1] = covariance[-2, -2]
    changes = _changes(problem.n_pre, len(b))
    before, after = changes[: problem.n_pre], changes[problem.n_pre :]
    return [
        _polyhedron(b, covariance, weights, after, m_bar * sign * largest) for largest in before for sign in (1.0, -1.0)
    ]


def _changes(n_pre: int, count: int) -> np.ndarray:
    """Return each change from one period to the next as weights on the estimates; the reference is zero."""
    return np.diff(np.insert(np.eye(count), n_pre, 0.0, axis=0), axis=0)


def _polyhedron(
    b: np.ndarray, covariance: np.ndarray, weights: np.ndarray, changes: np.ndarray, most: np.ndarray
) -> "_Polyhedron":
    """Return the candidates of the statistic where no change after is above `most`, all as weights on the estimates.

    Moments come in pairs, a change up and down. Weights on them are candidates if what they say of the effects is a
    multiple of the average that is bounded, all else being nuisance: the pairs then differ by a multiple of the sums of
    the average's weights from each period on. The corners of what is left, of which one is the dual's solution, are all
    of these up, all down, and each pair alone: two more than there are effects.
    """
    moments = np.vstack([changes - most, -changes - most])
    deviations = np.sqrt(np.diag(covariance))
    variance = np.einsum("ij,jk,ik->i", moments, covariance, moments)
    # a change that is the same everywhere, as where a year repeats another, is certain: any unit will do for it
    certain = variance <= NOTHING * (np.abs(moments) @ deviations) ** 2
    error = np.where(certain, deviations.max(), np.sqrt(variance.clip(0.0)))
    tails = np.cumsum(weights[::-1])[::-1]
    up, down = np.maximum(tails, 0.0), np.maximum(-tails, 0.0)
    corners = np.vstack([np.append(up, down), np.append(down, up), np.tile(np.eye(len(changes)), 2)])
    lines = corners @ moments / (corners @ error)[:, None]
    slope = lines[:, -len(weights) :] @ weights / (weights @ weights)
    return _Polyhedron(lines @ b, slope, lines @ covariance @ lines.T)


@dataclass(frozen=True, slots=True)
class _Polyhedron:
    """K candidates of the statistic, the largest of which counts: `level` less `slope` times the value that is tested.

    Both of shape (K,); `covariance` of shape (K, K).
    """

    level: np.ndarray
    slope: np.ndarray
    covariance: np.ndarray

    def include(self, values: np.ndarray) -> np.ndarray:
        """Return which values of the average the conditional test does not reject at 5%.

        The largest candidate is normal, and cut where another one would be the largest (Andrews, Roth and Pakes 2023,
        section 3.2); below zero it rejects nothing. A candidate without variance decides by itself.
        """
        candidates = self.level - values[:, None] * self.slope
        leader = candidates.argmax(axis=1)
        top, variance = candidates.max(axis=1), self.covariance[leader, leader]
        fixed = variance <= NOTHING * self.covariance.max()
        # of no value, but of rounding, as the sign of the largest change without departures
        moot = fixed & (np.abs(self.slope[leader]) <= NOTHING * np.abs(self.slope).max())
        error = np.sqrt(np.where(fixed, 1.0, variance))
        share = self.covariance[leader] / (error**2)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = (candidates - share * top[:, None]) / (1 - share)
        low = np.where(share < 1 - NOTHING, ends, -np.inf).max(axis=1)
        high = np.where(share > 1 + NOTHING, ends, np.inf).min(axis=1)
        # chances above each, as logarithms: far out the chances themselves are zero
        above, of_low, of_high = (log_ndtr(-end / error) for end in (top, low, high))
        with np.errstate(invalid="ignore", divide="ignore"):
            p = np.exp(above - of_low) * np.expm1(of_high - above) / np.expm1(of_high - of_low)
        return moot | (top <= 0) | (~fixed & ~(p < 1 - LEVEL))
