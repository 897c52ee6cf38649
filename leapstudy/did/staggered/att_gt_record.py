"""ATT(g,t) of Callaway and Sant'Anna: what an analyst chooses, each student's influence, and the cells refused."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option, check_whole
from leapstudy.students.moments.record import Influence

# Comparison students: never visited, or not yet visited (which holds the never visited too).
Control = Literal["never", "not_yet"]

# Base month before the visit: the month before each month, or one month for all of a cohort.
Base = Literal["varying", "universal"]


CONTROLS = "Compare with those who never start, or with those who have not started yet, too."
BASES = "The time before each time, or one time for all of a cohort."
MOST_PERIODS = 1_000


@dataclass(frozen=True, slots=True)
class Choices:
    """The design of ATT(g,t).

    Attributes
    ----------
    control : {"never", "not_yet"}
        Comparison students.
    base : {"varying", "universal"}
        Base of the months before the visit. Months from ``g - anticipation`` on always have the last month before it.
    anticipation : int
        Periods before the first visit in which students may already respond.
    early : (int, int) or None
        An early base window: the mean of the months ``g - early[0]`` to ``g - early[1]`` is the base of every month,
        and a student counts where seen in all of them.
    by_stratum : bool
        Compare within strata (saturated regression adjustment) rather than across.
    min_comparison : int
        Fewest comparison students in a stratum for which it is estimated; below it is refused.
    """

    control: Control = "never"
    base: Base = "varying"
    anticipation: int = 0
    early: tuple[int, int] | None = None
    by_stratum: bool = False
    min_comparison: int = 1

    def __post_init__(self) -> None:
        """Refuse what is no design."""
        check_option("control", self.control, Control, CONTROLS)
        check_option("base", self.base, Base, BASES)
        check_whole("anticipation", self.anticipation, most=MOST_PERIODS)
        check_whole("min_comparison", self.min_comparison, least=1)
        if self.early is not None and not self.early[0] >= self.early[1] > self.anticipation:
            raise BadInput(
                f"Early base window {self.early!r}: give (first, last) months before the visit, first >= last > "
                "anticipation, such as (6, 4)."
            )


@dataclass(frozen=True, slots=True)
class Cell:
    """One ATT(g,t) to be estimated: the month, its base, and the contrast it takes of a student's outcomes."""

    cohort: float
    period: int
    base: tuple[int, ...]
    contrast: np.ndarray

    @property
    def horizon(self) -> int:
        """Last month in use: comparison students must be unvisited after it."""
        return max(self.period, *self.base)


def cells_of(cohort: float, periods: np.ndarray, choices: Choices) -> list[Cell]:
    """Return the months that can be estimated for a cohort, each with its base.

    Empty where the cohort has no month before its visit. Periods may have gaps and the cohort may fall between two
    periods (summer): the base is the last period before ``g - anticipation`` (Callaway and Sant'Anna 2021; the same
    rule as R `did`).
    """
    fixed_base = _fixed_base(cohort, periods, choices)
    if not fixed_base:
        return []
    cells = []
    for place, period in enumerate(periods):
        moving = choices.base == "varying" and choices.early is None and period < cohort - choices.anticipation
        base = (tuple(periods[place - 1 : place]) if place else ()) if moving else fixed_base
        if base and period not in base:
            cells.append(Cell(cohort, int(period), tuple(int(b) for b in base), _contrast(periods, period, base)))
    return cells


def _fixed_base(cohort: float, periods: np.ndarray, choices: Choices) -> tuple[int, ...]:
    if choices.early is None:
        return tuple(periods[periods + choices.anticipation < cohort][-1:])
    first, last = choices.early
    return tuple(periods[(periods >= cohort - first) & (periods <= cohort - last)])


def _contrast(periods: np.ndarray, period: int, base: tuple[int, ...]) -> np.ndarray:
    return (periods == period).astype(float) - np.isin(periods, base) / len(base)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A cell that is not estimated.

    Attributes
    ----------
    cohort : float
    period : int or None
        None: every month of the cohort.
    stratum : str
        '' where the comparison is not by stratum, or all of it is refused.
    reason : str
    """

    cohort: float
    period: int | None
    stratum: str
    reason: str


@dataclass(frozen=True, slots=True)
class AttGt:
    """ATT(g,t) for K pairs of cohort and month, with each student's influence.

    Attributes
    ----------
    cells : tuple of Cell, length K
    estimate : ndarray, shape (K,)
        Percentage points.
    overlap : ndarray, shape (K,)
        Share of the visited students that the estimate covers: those in strata with comparison students.
    n_treated, n_comparison : ndarray of int, shape (K,)
        Students in use.
    cohort_weight : ndarray, shape (K,)
        Sum of weights of all students of the cohort: the shares of the aggregates.
    loading, intercept : ndarray, shape (K, C)
        Influence of student i of cell c: ``w_i (intercept + loading * contrast' y_i)``.
    refused : tuple of Refusal
    choices : Choices
    """

    cells: tuple[Cell, ...]
    estimate: np.ndarray
    overlap: np.ndarray
    n_treated: np.ndarray
    n_comparison: np.ndarray
    cohort_weight: np.ndarray
    loading: np.ndarray
    intercept: np.ndarray
    refused: tuple[Refusal, ...]
    choices: Choices

    @property
    def cohort(self) -> np.ndarray:
        """Cohort of each estimate, shape (K,)."""
        return np.array([cell.cohort for cell in self.cells])

    @property
    def period(self) -> np.ndarray:
        """Month of each estimate, shape (K,)."""
        return np.array([cell.period for cell in self.cells], dtype=int)

    def only(self, places: np.ndarray) -> "AttGt":
        """Return some of the estimates, chosen by booleans of shape (K,)."""
        rows = ("estimate", "overlap", "n_treated", "n_comparison", "cohort_weight", "loading", "intercept")
        cells = tuple(cell for cell, own in zip(self.cells, places, strict=True) if own)
        return replace(self, cells=cells, **{name: getattr(self, name)[places] for name in rows})

    def influence(self, combination: np.ndarray | None = None) -> Influence:
        """Return the influence of linear combinations of the estimates, shape (A, K); of each estimate by default."""
        rows = np.eye(len(self.cells)) if combination is None else combination
        contrast = np.array([cell.contrast for cell in self.cells])
        slope = np.zeros((len(rows), *self.loading.shape[1:], contrast.shape[1]))
        for month in range(contrast.shape[1]):
            contributing = np.flatnonzero(contrast[:, month])
            slope[:, :, month] = (rows[:, contributing] * contrast[contributing, month]) @ self.loading[contributing]
        return Influence(rows @ self.intercept, slope)
