"""Callaway and Sant'Anna's ATT(g,t), across or within strata, from moments; every refusal in words."""

from dataclasses import dataclass, replace

import numpy as np

from leapstudy.did.staggered.choices import Cell, Choices, cells_of
from leapstudy.pupils.moments.influence import Influence, covariance
from leapstudy.pupils.moments.record import NEVER, Moments

BLOCK = 1000
"""Cells at a time: what is in memory stays near 30 MB for 190 estimates and 20 months."""

NO_BASE = "no month before the visit to start from"
NO_TREATED = "no visited pupil is seen in this month and its base"
NO_COMPARISON = "fewer comparison pupils than the minimum are seen in this month and its base"


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
    treated_share : float
        Share of the cohort's visited pupils (by weight, among those seen in the month and its base) left out by it.
    """

    cohort: float
    period: int | None
    stratum: str
    reason: str
    treated_share: float


@dataclass(frozen=True, slots=True)
class AttGt:
    """ATT(g,t) for K pairs of cohort and month, with each pupil's influence.

    Attributes
    ----------
    cells : tuple of Cell, length K
    estimate : ndarray, shape (K,)
        Percentage points.
    overlap : ndarray, shape (K,)
        Share of the visited pupils that the estimate speaks for: those in strata with comparison pupils.
    n_treated, n_comparison : ndarray of int, shape (K,)
        Pupils in use.
    cohort_weight : ndarray, shape (K,)
        Sum of weights of all pupils of the cohort: the shares of the aggregates.
    loading, intercept : ndarray, shape (K, C)
        Influence of pupil i of cell c: ``w_i (intercept + loading * contrast' y_i)``.
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

    def influence(self, combination: np.ndarray | None = None) -> Influence:
        """Return the influence of linear combinations of the estimates, shape (A, K); of each estimate by default."""
        rows = np.eye(len(self.cells)) if combination is None else combination
        contrast = np.array([cell.contrast for cell in self.cells])
        slope = np.zeros((len(rows), *self.loading.shape[1:], contrast.shape[1]))
        for month in range(contrast.shape[1]):
            used = np.flatnonzero(contrast[:, month])
            slope[:, :, month] = (rows[:, used] * contrast[used, month]) @ self.loading[used]
        return Influence(rows @ self.intercept, slope)

    def covariance(self, moments: Moments) -> np.ndarray:
        """Return the covariance of all estimates, shape (K, K), pupils as clusters.

        The same as that of `influence()`, block by block: a cohort's pupils have a part in few of the estimates.
        """
        found = np.zeros((len(self.cells), len(self.cells)))
        for cohort in np.unique(moments.cohort):
            every = np.flatnonzero((moments.cohort == cohort) & self.loading.any(axis=0))
            for start in range(0, len(every), BLOCK):
                cells = every[start : start + BLOCK]
                rows = np.flatnonzero(self.loading[:, cells].any(axis=1))
                part = replace(self, loading=self.loading[:, cells], intercept=self.intercept[:, cells])
                influence = part.influence(np.eye(len(self.cells))[rows])
                found[np.ix_(rows, rows)] += covariance(moments.where(cells), influence)
        return found


def att_gt(moments: Moments, choices: Choices, cohorts: np.ndarray | None = None) -> AttGt:
    """Estimate ATT(g,t) for every cohort and month that the data can carry.

    Parameters
    ----------
    moments
        Sums by cell.
    choices
        Comparison pupils, base, anticipation, strata.
    cohorts
        Only these cohorts; all by default.

    Notes
    -----
    Callaway and Sant'Anna (2021, Journal of Econometrics 225) without covariates: the mean change of the cohort from its
    base less that of the comparison pupils. With strata the regression adjustment is saturated,
    ``sum_s n_gs / n_g (change of g in s - change of the comparison in s)``. A pupil counts for a month where seen in it
    and in its base. No small-sample factor.
    """
    wanted = np.unique(moments.cohort[moments.cohort < NEVER]) if cohorts is None else cohorts
    strata, codes = np.unique(moments.stratum, return_inverse=True)
    if not choices.by_stratum:
        strata, codes = np.array([""]), np.zeros(moments.cells, dtype=int)
    made, refused = [], []
    for cohort in wanted:
        plan = cells_of(float(cohort), moments.periods, choices)
        if not plan:
            refused.append(Refusal(float(cohort), None, "", NO_BASE, 1.0))
        for cell in plan:
            sides = _sides(moments, cell, choices, codes)
            refused += _refusals(cell, strata, sides)
            made += [_adjusted(moments, cell, sides)] if sides.kept.any() else []
    return _stack(moments, made, refused, choices)


def comparison_cells(moments: Moments, cell: Cell, choices: Choices) -> np.ndarray:
    """Return which cells hold comparison pupils for an ATT(g,t), shape (C,)."""
    if choices.control == "never":
        return moments.cohort == NEVER
    return (moments.cohort > cell.horizon + choices.anticipation) & (moments.cohort != cell.cohort)


@dataclass(frozen=True, slots=True)
class _Sides:
    """Who takes part in an ATT(g,t): cells of both sides (C,), their strata (C,), weights by stratum and strata kept (S,)."""

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
    seen = moments.seen[:, cell.contrast != 0].all(axis=1)
    treated = seen & (moments.cohort == cell.cohort)
    compare = seen & comparison_cells(moments, cell, choices)
    size = int(code.max()) + 1
    weight_t, weight_c, n_c = (
        np.bincount(code[side], values[side], size)
        for values, side in ((moments.weight, treated), (moments.weight, compare), (moments.pupils, compare))
    )
    kept = (weight_t > 0) & (weight_c > 0) & (n_c >= choices.min_comparison)
    return _Sides(treated, compare, code, weight_t, weight_c, kept)


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
    per_pupil = np.divide(share, sides.weight_c, out=np.zeros(len(share)), where=sides.kept)[sides.code]
    loading = treated / mass - compare * per_pupil
    intercept = -loading * (expected[sides.code] + estimate * treated)
    sizes = int(moments.pupils[treated].sum()), int(moments.pupils[compare].sum())
    return _One(cell, estimate, mass / float(sides.weight_t.sum()), *sizes, loading, intercept)


def _refusals(cell: Cell, strata: np.ndarray, sides: _Sides) -> list[Refusal]:
    total = sides.weight_t.sum()
    if total == 0:
        return [Refusal(cell.cohort, cell.period, "", NO_TREATED, 1.0)]
    lost = np.flatnonzero((sides.weight_t > 0) & ~sides.kept)
    shares = sides.weight_t[lost] / total
    return [
        Refusal(cell.cohort, cell.period, str(strata[s]), NO_COMPARISON, float(share))
        for s, share in zip(lost, shares, strict=True)
    ]


def _stack(moments: Moments, made: list[_One], refused: list[Refusal], choices: Choices) -> AttGt:
    sizes = {g: moments.weight[moments.cohort == g].sum() for g in {one.cell.cohort for one in made}}
    empty = np.zeros((0, moments.cells))
    return AttGt(
        cells=tuple(one.cell for one in made),
        estimate=np.array([one.estimate for one in made]),
        overlap=np.array([one.overlap for one in made]),
        n_treated=np.array([one.n_treated for one in made], dtype=int),
        n_comparison=np.array([one.n_comparison for one in made], dtype=int),
        cohort_weight=np.array([sizes[one.cell.cohort] for one in made]),
        loading=np.array([one.loading for one in made]) if made else empty,
        intercept=np.array([one.intercept for one in made]) if made else empty,
        refused=tuple(refused),
        choices=choices,
    )
