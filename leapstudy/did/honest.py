"""Rambachan and Roth's bounds for an event study whose trends may not be parallel; the sets come from `moderndid`."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import ndtri

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.did.permutation import ALPHA
from leapstudy.did.robust_sets import Problem, magnitudes_include_zero, magnitudes_interval, smoothness_interval
from leapstudy.did.staggered.effects import Effects

# How trends may differ: the slope changes by at most M a period, or by at most Mbar times the largest change before.
Violation = Literal["smoothness", "relative_magnitudes"]

STEPS = 7
# Coefficients before: a change of slope takes two, and with one `moderndid` searches without end.
LEAST_BEFORE: dict[Violation, int] = {"smoothness": 2, "relative_magnitudes": 1}


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
    import the solvers. The same figures give the same bounds, which are remembered for
    the next who asks.
    """
    _check(problem, kind)
    intervals = [_interval(problem, kind, float(bound)) for bound in grid]
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


def _interval(problem: Problem, kind: Violation, bound: float) -> tuple[float, float]:
    return smoothness_interval(problem, bound) if kind == "smoothness" else magnitudes_interval(problem, bound)


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
