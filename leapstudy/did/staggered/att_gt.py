"""Callaway and Sant'Anna's ATT(g,t), across or within strata, from moments; every refusal in words."""

from dataclasses import dataclass

import numpy as np

from leapstudy.did.staggered.att_gt_record import AttGt, Cell, Choices, Refusal, cells_of
from leapstudy.students.moments.record import NEVER, Moments

NO_BASE = "no month before the visit to start from"
NO_TREATED = "no visited student is seen in this month and its base"
NO_COMPARISON = "fewer comparison students than the minimum are seen in this month and its base"


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
