"""Rambachan and Roth's bounds for an event study whose trends may not be parallel; the sets come from `moderndid`."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Literal

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput, LeapstudyError
from leapstudy.core.names import check_option

Violation = Literal["smoothness", "relative_magnitudes"]
"""How trends may differ: the slope changes by at most M a period, or by at most Mbar times the largest change before."""

LEVEL = 0.95
STEPS = 7
TRIFLE = 1e-6
LEAST_BEFORE = 2


def honest_bounds(
    estimates: np.ndarray,
    covariance: np.ndarray,
    n_pre: int,
    n_post: int,
    weights: np.ndarray,
    kind: Violation,
    grid: Sequence[float],
) -> pd.DataFrame:
    """Return the robust 95 % interval of an average of effects for each size of violation.

    Parameters
    ----------
    estimates, covariance
        Coefficients before (n_pre, in order of time) and after (n_post), without the reference; their covariance.
    n_pre, n_post
        How many of each.
    weights
        On the effects after, shape (n_post,), such as ``[1, 0, 0]`` for the first or ``[1/3, 1/3, 1/3]`` for the mean.
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
        If sizes do not fit, or there are fewer than two coefficients before (with one `moderndid` finds no end).
    LeapstudyError
        If the solver that `moderndid` needs is not installed.

    Notes
    -----
    Rambachan and Roth (2023, Review of Economic Studies 90). Relative magnitudes are read off a grid of 1,000 points over
    40 standard errors: their ends are known to about 0.04 standard errors. Draws inside `moderndid` have a fixed seed, so
    the same figures give the same bounds.
    """
    problem = _checked(estimates, covariance, n_pre, n_post, weights, kind)
    found = [_interval(problem, kind, float(bound)) for bound in grid]
    return pd.DataFrame(
        {"kind": kind, "bound": np.asarray(grid, dtype=float), "low_pp": [f[0] for f in found], "high_pp": [f[1] for f in found]}
    )  # fmt: skip


def breakdown(
    estimates: np.ndarray,
    covariance: np.ndarray,
    n_pre: int,
    n_post: int,
    weights: np.ndarray,
    kind: Violation,
    largest: float,
) -> float:
    """Return the smallest violation at which the robust interval holds zero, to ``largest / 128``.

    Parameters
    ----------
    estimates, covariance, n_pre, n_post, weights, kind
        As in `honest_bounds`.
    largest
        Where to stop looking.

    Returns
    -------
    float
        0 where the interval holds zero without any violation, infinity where not even `largest` brings zero in.
    """
    problem = _checked(estimates, covariance, n_pre, n_post, weights, kind)
    if _holds_zero(problem, kind, 0.0):
        return 0.0
    if not _holds_zero(problem, kind, largest):
        return float("inf")
    low, high = 0.0, largest
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if _holds_zero(problem, kind, middle) else (middle, high)
    return high


_Problem = tuple[np.ndarray, np.ndarray, int, int, np.ndarray]


def _checked(
    estimates: np.ndarray, covariance: np.ndarray, n_pre: int, n_post: int, weights: np.ndarray, kind: Violation
) -> _Problem:
    check_option("kind of violation", kind, Violation)
    b, v, w = (np.asarray(item, dtype=float) for item in (estimates, covariance, weights))
    if b.shape != (n_pre + n_post,) or v.shape != (b.size, b.size) or w.shape != (n_post,) or n_post < 1:
        raise BadInput(
            f"Robust bounds need an effect, its covariance and for those after a weight each; got {n_pre} before, {n_post} "
            f"after, {b.shape} estimates, {v.shape} covariance, {w.shape} weights."
        )
    if n_pre < LEAST_BEFORE:
        raise BadInput(
            f"Robust bounds need at least {LEAST_BEFORE} effects before the visit to compare violations with; got {n_pre}. "
            "Bring earlier periods; without them no bound can be given."
        )
    return (b, v, n_pre, n_post, w) if kind == "smoothness" else _eased(b, v, n_pre, n_post, w)


def _eased(b: np.ndarray, v: np.ndarray, n_pre: int, n_post: int, w: np.ndarray) -> _Problem:
    """Return the problem in the form that `moderndid` solves well for relative magnitudes.

    With one effect after it fails: a second one is added, whose true value is free, so that it says nothing. With weights
    of zero its linear programs are degenerate and 25 times slower: they become a millionth of the largest.
    """
    if n_post == 1:
        wide = np.zeros((b.size + 1, b.size + 1))
        wide[:-1, :-1], wide[-1, -1] = v, v[-1, -1]
        b, v, n_post, w = np.append(b, b[-1]), wide, 2, np.append(w, 0.0)
    return b, v, n_pre, n_post, np.where(w == 0, TRIFLE * np.abs(w).max(), w)


@contextmanager
def _quiet() -> Iterator[ModuleType]:
    """Give `moderndid`'s module without the remarks of its solvers, which would end up in a notebook."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from moderndid import didhonest
        except ImportError as missing:
            raise LeapstudyError(
                "Robust bounds need the solver cvxpy, which is not installed. Set up the workspace again, or install "
                "moderndid with its extra didhonest."
            ) from missing
        yield didhonest


def _interval(problem: _Problem, kind: Violation, bound: float) -> tuple[float, float]:
    b, v, n_pre, n_post, w = problem
    with _quiet() as package:
        if kind == "smoothness":
            found = package.create_sensitivity_results_sm(b, v, n_pre, n_post, m_vec=[bound], l_vec=w, alpha=1 - LEVEL)
        else:
            found = package.create_sensitivity_results_rm(
                b, v, n_pre, n_post, method="Conditional", m_bar_vec=[bound], l_vec=w, alpha=1 - LEVEL
            )
    return float(found["lb"][0]), float(found["ub"][0])


def _holds_zero(problem: _Problem, kind: Violation, bound: float) -> bool:
    if kind == "smoothness":
        low, high = _interval(problem, kind, bound)
        return low <= 0 <= high
    b, v, n_pre, n_post, w = problem
    nearly = 1e-9 * float(np.sqrt(np.diag(v)).max())
    with _quiet() as package:  # only zero is tested, not a whole grid; the package wants two points
        found = package.create_sensitivity_results_rm(
            b, v, n_pre, n_post, method="Conditional", m_bar_vec=[bound], l_vec=w, alpha=1 - LEVEL,
            grid_points=2, grid_lb=0.0, grid_ub=nearly,
        )  # fmt: skip
    return bool(np.isfinite(found["lb"][0]))
