"""Rambachan and Roth's bounds for an event study whose trends may not be parallel; the sets come from `moderndid`."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.did.robust_sets import Problem, magnitudes_include_zero, magnitudes_interval, smoothness_interval

Violation = Literal["smoothness", "relative_magnitudes"]
"""How trends may differ: the slope changes by at most M a period, or by at most Mbar times the largest change before.
"""

STEPS = 7
LEAST_BEFORE: dict[Violation, int] = {"smoothness": 2, "relative_magnitudes": 1}
"""Coefficients before: a change of slope takes two, and with one `moderndid` searches without end."""


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
    LeapstudyError
        If the solver that `moderndid` needs is not installed.

    Notes
    -----
    Rambachan and Roth (2023, Review of Economic Studies 90). Relative magnitudes are read off a grid: their ends are
    known to about 0.04 standard errors. A bound takes 0.4 s (smoothness) to 1 s, and the first one a second more to
    import the solvers. The same figures give the same bounds.
    """
    _check(problem, kind)
    found = [_interval(problem, kind, float(bound)) for bound in grid]
    return pd.DataFrame(
        {
            "kind": kind,
            "bound": np.asarray(grid, dtype=float),
            "low_pp": [f[0] for f in found],
            "high_pp": [f[1] for f in found],
        }
    )


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
