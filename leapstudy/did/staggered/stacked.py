"""Stacked difference-in-differences: one clean experiment per cohort, all fitted together."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.did.staggered.choices import Control
from leapstudy.did.staggered.twfe import Coefficients, visited_share
from leapstudy.did.staggered.within import RANK_TOLERANCE, demean, within
from leapstudy.students.moments.influence import Influence
from leapstudy.students.moments.record import NEVER, Moments

StackWeights = Literal["none", "aggregate"]
"""Plain stacking, or comparison students weighted so that each stack counts by its visited students."""


@dataclass(frozen=True, slots=True)
class _Stack:
    """One experiment after student and period effects are out: what the joint fit needs."""

    regressors: np.ndarray
    scale: np.ndarray
    used: np.ndarray
    treated: np.ndarray
    effects: np.ndarray
    outcome_effects: np.ndarray
    normal: np.ndarray
    score: np.ndarray


def stacked(
    moments: Moments, window: tuple[int, int], *, control: Control = "not_yet", weights: StackWeights = "aggregate"
) -> Coefficients:
    """Estimate effects by event time within the window, their mean from the visit on last (key NaN).

    Parameters
    ----------
    moments
        Sums by cell.
    window
        First (negative) and last event time of each experiment. Cohorts whose window the panel does not span are left
        out.
    control
        Comparison students of each experiment: never visited, or not visited before the window's end.
    weights
        "aggregate" gives comparison students of stack a the weight ``(N_a / N) / (N_a^0 / N^0)``.

    Raises
    ------
    BadInput
        If no cohort has a full window and comparison students.

    Notes
    -----
    Cengiz, Dube, Lindner and Zipperer (2019); weights of Wing, Freedman and Hollingsworth (2024, NBER 32054). Student
    and period effects are fitted in each experiment; the reference is the last period before the visit. A student who
    is comparison in several experiments has one influence, the sum.
    """
    check_option("stack weights", weights, StackWeights)
    check_option("comparison students", control, Control)
    plans = _plans(moments, window, control)
    if not plans:
        raise BadInput(
            f"No cohort has the whole window {window} in the panel and comparison students. Give a shorter window."
        )
    keys = _keys(moments, plans, window)
    counts = [(moments.weight[cohort_rows].sum(), moments.weight[others].sum()) for _, cohort_rows, others in plans]
    scales = _scales(counts) if weights == "aggregate" else [1.0] * len(plans)
    stacks = [_stack(moments, plan, scale, keys, window) for plan, scale in zip(plans, scales, strict=True)]
    bread = np.linalg.inv(np.sum([stack.normal for stack in stacks], axis=0))
    coefficient = bread @ np.sum([stack.score for stack in stacks], axis=0)
    rows = np.vstack([np.eye(len(keys)), (keys >= 0) / (keys >= 0).sum()])
    influence = _influence(moments, stacks, rows @ bread, coefficient)
    cells = sum(int(stack.used.any(axis=0).sum()) for stack in stacks)
    seen = sum(int(moments.students @ stack.used.sum(axis=1)) for stack in stacks)
    share = visited_share(moments, {cohort for cohort, _, _ in plans})
    return Coefficients(np.append(keys, np.nan), rows @ coefficient, influence, len(keys) + cells, seen, share)


_Plan = tuple[float, np.ndarray, np.ndarray]


def _plans(moments: Moments, window: tuple[int, int], control: Control) -> list[_Plan]:
    first, last = moments.periods[0], moments.periods[-1]
    made = []
    for cohort in np.unique(moments.cohort[moments.cohort < NEVER]):
        others = (moments.cohort == NEVER) if control == "never" else (moments.cohort > cohort + window[1])
        if first <= cohort + window[0] and cohort + window[1] <= last and others.any():
            made.append((float(cohort), moments.cohort == cohort, others))
    return made


def _keys(moments: Moments, plans: list[_Plan], window: tuple[int, int]) -> np.ndarray:
    since = np.concatenate([_since(moments, cohort, window)[1] for cohort, _, _ in plans])
    return np.unique(since)


def _since(moments: Moments, cohort: float, window: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return which periods are in the window, and the event times that get a dummy."""
    inside = (moments.periods >= cohort + window[0]) & (moments.periods <= cohort + window[1])
    reference = moments.periods[moments.periods < cohort][-1]
    return inside, moments.periods[inside & (moments.periods != reference)] - cohort


def _scales(counts: list[tuple[float, float]]) -> list[float]:
    treated, others = np.array(counts).T
    return list((treated / treated.sum()) / (others / others.sum()))


def _stack(moments: Moments, plan: _Plan, scale: float, keys: np.ndarray, window: tuple[int, int]) -> _Stack:
    cohort, treated, others = plan
    inside, own = _since(moments, cohort, window)
    factor = np.where(treated, 1.0, np.where(others, scale, 0.0))
    parts = within(moments, inside & (factor > 0)[:, None], factor)
    z = ((moments.periods - cohort)[:, None] == own) @ (own[:, None] == keys).astype(float)
    place = int(np.flatnonzero(parts.cohort == cohort)[0])
    every = np.linalg.pinv(parts.projector.sum(axis=0), rcond=RANK_TOLERANCE, hermitian=True)
    projected = parts.projector[place] @ z
    effects = every @ projected
    outcome_effects = every @ parts.moved.sum(axis=0)
    return _Stack(
        z,
        factor,
        parts.used,
        treated,
        effects,
        outcome_effects,
        z.T @ projected - projected.T @ effects,
        z.T @ parts.moved[place] - projected.T @ outcome_effects,
    )


def _influence(moments: Moments, stacks: list[_Stack], rows: np.ndarray, coefficient: np.ndarray) -> Influence:
    slope = np.zeros((len(rows), *moments.seen.shape))
    intercept = np.zeros(slope.shape[:2])
    for stack in stacks:
        effects = stack.outcome_effects - stack.effects @ coefficient
        for cells, regressors in ((stack.treated, stack.regressors), (~stack.treated & (stack.scale > 0), None)):
            own = np.zeros_like(stack.regressors) if regressors is None else regressors
            pattern = rows @ (own - stack.effects).T
            part = demean(pattern[:, None, :], stack.used[cells]) * stack.scale[cells, None]
            slope[:, cells] += part
            intercept[:, cells] -= part @ (effects + own @ coefficient)
    return Influence(intercept, slope)
