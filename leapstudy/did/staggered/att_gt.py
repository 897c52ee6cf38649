"""Callaway and Sant'Anna's ATT(g,t), across or within strata, from moments; every refusal in words."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option, check_whole
from leapstudy.students.moments.record import NEVER, Influence, Moments

# Comparison students: never visited, or not yet visited (which holds the never visited too).
Control = Literal["never", "not_yet"]
# Base month before the visit: the month before each month, or one month for all of a cohort.
Base = Literal["varying", "universal"]
CONTROLS = "Compare with those who never start, or with those who have not started yet, too."
BASES = "The time before each time, or one time for all of a cohort."
MOST_PERIODS = 1_000
NO_BASE = "no month before the visit to start from"
NO_TREATED = "no visited student is seen in this month and its base"
NO_COMPARISON = "fewer comparison students than the minimum are seen in this month and its base"


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
            contrast = np.zeros(len(periods))
            contrast[place], contrast[np.searchsorted(periods, base)] = 1.0, -1 / len(base)
            cells.append(Cell(cohort, int(period), tuple(int(b) for b in base), contrast))
    return cells


def _fixed_base(cohort: float, periods: np.ndarray, choices: Choices) -> tuple[int, ...]:
    if choices.early is None:
        return tuple(periods[periods + choices.anticipation < cohort][-1:])
    first, last = choices.early
    return tuple(periods[(periods >= cohort - first) & (periods <= cohort - last)])


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


def att_gt(moments: Moments, choices: Choices) -> AttGt:
    """Estimate ATT(g,t) for every cohort and month that the data can carry.

    Notes
    -----
    Callaway and Sant'Anna (2021, Journal of Econometrics 225) without covariates: the mean change of the cohort from
    its base less that of the comparison students. With strata the regression adjustment is saturated, ``sum_s n_gs /
    n_g (change of g in s - change of the comparison in s)``. A student counts for a month where seen in it and in its
    base. No small-sample factor.
    """
    strata, codes = np.unique(moments.stratum, return_inverse=True)
    if not choices.by_stratum:
        strata, codes = np.array([""]), np.zeros(moments.cells, dtype=int)
    estimates: list[_One] = []
    refusals: list[Refusal] = []
    for cohort in np.unique(moments.cohort[moments.cohort < NEVER]):
        plan = cells_of(float(cohort), moments.periods, choices)
        if not plan:
            refusals.append(Refusal(float(cohort), None, "", NO_BASE))
        for cell in plan:
            sides = _sides(moments, cell, choices, codes)
            refusals += _refusals(cell, strata, sides)
            estimates += [_adjusted(moments, cell, sides)] if sides.kept.any() else []
    return _stack(moments, estimates, refusals, choices)


def before_after(moments: Moments, choices: Choices) -> AttGt:
    """Return the mean change of each cohort from its base, for every month in which it is seen, without a comparison.

    Of the choices only base and anticipation matter.

    Notes
    -----
    It holds the effect, the season, the year and the rebound all at once. It stands in the study so that a reader sees
    how much of such a change a placebo shows as well.
    """
    estimates: list[_One] = []
    refusals: list[Refusal] = []
    for cohort in np.unique(moments.cohort[moments.cohort < NEVER]):
        plan = cells_of(float(cohort), moments.periods, choices)
        refusals += [] if plan else [Refusal(float(cohort), None, "", NO_BASE)]
        for cell in plan:
            cells = (moments.cohort == cohort) & moments.seen[:, cell.contrast != 0].all(axis=1)
            weight = moments.weight[cells].sum()
            if not weight:
                refusals.append(Refusal(float(cohort), cell.period, "", NO_TREATED))
                continue
            loading, students = cells / weight, int(moments.students[cells].sum())
            estimate = float((moments.total @ cell.contrast)[cells].sum() / weight)
            estimates.append(_One(cell, estimate, 1.0, students, 0, loading, -loading * estimate))
    return _stack(moments, estimates, refusals, choices)


def comparison_cells(moments: Moments, cell: Cell, choices: Choices) -> np.ndarray:
    """Return which cells hold comparison students for an ATT(g,t), shape (C,)."""
    if choices.control == "never":
        return moments.cohort == NEVER
    return (moments.cohort > cell.horizon + choices.anticipation) & (moments.cohort != cell.cohort)


@dataclass(frozen=True, slots=True)
class _Sides:
    """Who takes part in an ATT(g,t): cells of both sides (C,), their strata (C,), weights by stratum and strata kept
    (S,).
    """

    treated: np.ndarray
    compare: np.ndarray
    code: np.ndarray
    weight_t: np.ndarray
    weight_c: np.ndarray
    kept: np.ndarray

    def sum(self, values: np.ndarray, side: np.ndarray) -> np.ndarray:
        """Return sums by stratum over the cells of one side, shape (S,)."""
        return np.bincount(self.code[side], values[side], len(self.kept))

    def mean(self, values: np.ndarray, side: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return means by stratum, zero where a stratum is not kept."""
        return np.divide(self.sum(values, side), weight, out=np.zeros(len(self.kept)), where=self.kept)


def _sides(moments: Moments, cell: Cell, choices: Choices, code: np.ndarray) -> _Sides:
    observed = moments.seen[:, cell.contrast != 0].all(axis=1)
    treated = observed & (moments.cohort == cell.cohort)
    compare = observed & comparison_cells(moments, cell, choices)
    size = int(code.max()) + 1
    weight_t, weight_c, n_c = (
        np.bincount(code[side], values[side], size)
        for values, side in ((moments.weight, treated), (moments.weight, compare), (moments.students, compare))
    )
    usable = (weight_t > 0) & (weight_c > 0) & (n_c >= choices.min_comparison)
    return _Sides(treated, compare, code, weight_t, weight_c, usable)


@dataclass(frozen=True, slots=True)
class _One:
    cell: Cell
    estimate: float
    overlap: float
    n_treated: int
    n_comparison: int
    loading: np.ndarray
    intercept: np.ndarray


def _adjusted(moments: Moments, cell: Cell, sides: _Sides) -> _One:
    """Return the change of the treated less what the comparison of the same strata changed by."""
    change = moments.total @ cell.contrast
    expected = sides.mean(change, sides.compare, sides.weight_c)
    mass = float(sides.weight_t[sides.kept].sum())
    share = np.where(sides.kept, sides.weight_t, 0.0) / mass
    estimate = float(share @ (sides.mean(change, sides.treated, sides.weight_t) - expected))
    inside = sides.kept[sides.code]
    treated, compare = sides.treated & inside, sides.compare & inside
    per_student = np.divide(share, sides.weight_c, out=np.zeros(len(share)), where=sides.kept)[sides.code]
    loading = treated / mass - compare * per_student
    intercept = -loading * (expected[sides.code] + estimate * treated)
    sizes = int(moments.students[treated].sum()), int(moments.students[compare].sum())
    return _One(cell, estimate, mass / float(sides.weight_t.sum()), *sizes, loading, intercept)


def _refusals(cell: Cell, strata: np.ndarray, sides: _Sides) -> list[Refusal]:
    if sides.weight_t.sum() == 0:
        return [Refusal(cell.cohort, cell.period, "", NO_TREATED)]
    lost = np.flatnonzero((sides.weight_t > 0) & ~sides.kept)
    return [Refusal(cell.cohort, cell.period, str(strata[s]), NO_COMPARISON) for s in lost]


def _stack(moments: Moments, estimates: list[_One], refusals: list[Refusal], choices: Choices) -> AttGt:
    sizes = {g: moments.weight[moments.cohort == g].sum() for g in {one.cell.cohort for one in estimates}}
    empty = np.zeros((0, moments.cells))
    return AttGt(
        cells=tuple(one.cell for one in estimates),
        estimate=np.array([one.estimate for one in estimates]),
        overlap=np.array([one.overlap for one in estimates]),
        n_treated=np.array([one.n_treated for one in estimates], dtype=int),
        n_comparison=np.array([one.n_comparison for one in estimates], dtype=int),
        cohort_weight=np.array([sizes[one.cell.cohort] for one in estimates]),
        loading=np.array([one.loading for one in estimates]) if estimates else empty,
        intercept=np.array([one.intercept for one in estimates]) if estimates else empty,
        refused=tuple(refusals),
        choices=choices,
    )
