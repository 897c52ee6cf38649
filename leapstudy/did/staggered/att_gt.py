"""Callaway and Sant'Anna's ATT(g,t), across or within strata, from moments; every refusal in words."""

from dataclasses import dataclass

import numpy as np

from leapstudy.did.staggered.choices import Cell, Choices, cells_of
from leapstudy.pupils.moments.influence import Influence
from leapstudy.pupils.moments.record import NEVER, Moments

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
            one = _estimate(moments, cell, choices, strata, codes)
            refused += one.refused
            made += [one] if one.overlap > 0 else []
    return _stack(moments, made, refused, choices)


@dataclass(frozen=True, slots=True)
class _One:
    cell: Cell
    estimate: float
    overlap: float
    n_treated: int
    n_comparison: int
    loading: np.ndarray
    intercept: np.ndarray
    refused: list[Refusal]


def comparison_cells(moments: Moments, cell: Cell, choices: Choices) -> np.ndarray:
    """Return which cells hold comparison pupils for an ATT(g,t), shape (C,)."""
    if choices.control == "never":
        return moments.cohort == NEVER
    return (moments.cohort > cell.horizon + choices.anticipation) & (moments.cohort != cell.cohort)


def _estimate(moments: Moments, cell: Cell, choices: Choices, strata: np.ndarray, codes: np.ndarray) -> _One:
    seen = moments.seen[:, cell.contrast != 0].all(axis=1)
    treated = seen & (moments.cohort == cell.cohort)
    compare = seen & comparison_cells(moments, cell, choices)
    change = moments.total @ cell.contrast

    def by_stratum(values: np.ndarray, side: np.ndarray) -> np.ndarray:
        return np.bincount(codes[side], values[side], len(strata))

    weight_t, weight_c = by_stratum(moments.weight, treated), by_stratum(moments.weight, compare)
    n_c = by_stratum(moments.pupils, compare)
    kept = (weight_t > 0) & (n_c >= choices.min_comparison) & (weight_c > 0)
    refused = _refusals(cell, strata, weight_t, kept)
    if not kept.any():
        return _One(cell, np.nan, 0.0, 0, 0, np.empty(0), np.empty(0), refused)
    share = np.where(kept, weight_t, 0.0) / weight_t[kept].sum()
    mean_t = np.divide(by_stratum(change, treated), weight_t, out=np.zeros(len(strata)), where=kept)
    mean_c = np.divide(by_stratum(change, compare), weight_c, out=np.zeros(len(strata)), where=kept)
    estimate = float(share @ (mean_t - mean_c))

    in_t, in_c = treated & kept[codes], compare & kept[codes]
    per_c = np.divide(share, weight_c, out=np.zeros(len(strata)), where=kept)
    loading = np.where(in_t, 1 / weight_t[kept].sum(), 0.0) - np.where(in_c, per_c[codes], 0.0)
    intercept = -loading * (mean_c[codes] + np.where(in_t, estimate, 0.0))
    return _One(
        cell, estimate, float(weight_t[kept].sum() / weight_t.sum()), int(moments.pupils[in_t].sum()),
        int(moments.pupils[in_c].sum()), loading, intercept, refused,
    )  # fmt: skip


def _refusals(cell: Cell, strata: np.ndarray, weight_t: np.ndarray, kept: np.ndarray) -> list[Refusal]:
    total = weight_t.sum()
    if total == 0:
        return [Refusal(cell.cohort, cell.period, "", NO_TREATED, 1.0)]
    lost = np.flatnonzero((weight_t > 0) & ~kept)
    return [Refusal(cell.cohort, cell.period, str(strata[s]), NO_COMPARISON, float(weight_t[s] / total)) for s in lost]


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
