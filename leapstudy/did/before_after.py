"""Visited students before and after, without any comparison: what a report without a control group shows."""

from dataclasses import replace

import numpy as np

from leapstudy.did.staggered.att_gt import NO_BASE, NO_TREATED
from leapstudy.did.staggered.att_gt_record import AttGt, Refusal
from leapstudy.did.staggered.card import Effects
from leapstudy.did.staggered.choices import Cell, Choices, cells_of
from leapstudy.did.staggered.effects import cs_effects
from leapstudy.students.moments.record import NEVER, Moments


def before_after(moments: Moments, choices: Choices) -> AttGt:
    """Return the mean change of each cohort from its base, for every month in which the cohort is seen.

    Parameters
    ----------
    moments
        Sums by cell.
    choices
        Only base and anticipation matter.

    Notes
    -----
    It holds the effect, the season, the year and the rebound all at once. It stands in the study so that a reader sees
    how much of such a change a placebo shows as well.
    """
    made: list[tuple[Cell, np.ndarray, float]] = []
    refused: list[Refusal] = []
    for cohort in np.unique(moments.cohort[moments.cohort < NEVER]):
        plan = cells_of(float(cohort), moments.periods, choices)
        refused += [] if plan else [Refusal(float(cohort), None, "", NO_BASE, 1.0)]
        for cell in plan:
            used = (moments.cohort == cohort) & moments.seen[:, cell.contrast != 0].all(axis=1)
            weight = moments.weight[used].sum()
            if weight:
                made.append((cell, used / weight, float((moments.total @ cell.contrast)[used].sum() / weight)))
            else:
                refused.append(Refusal(float(cohort), cell.period, "", NO_TREATED, 1.0))
    return _stack(moments, made, refused, choices)


def _stack(
    moments: Moments, made: list[tuple[Cell, np.ndarray, float]], refused: list[Refusal], choices: Choices
) -> AttGt:
    loading = np.array([one[1] for one in made]).reshape(len(made), moments.cells)
    estimate = np.array([one[2] for one in made])
    return AttGt(
        cells=tuple(one[0] for one in made),
        estimate=estimate,
        overlap=np.ones(len(made)),
        n_treated=(loading > 0) @ moments.students,
        n_comparison=np.zeros(len(made), dtype=int),
        cohort_weight=np.array([moments.weight[moments.cohort == one[0].cohort].sum() for one in made]),
        loading=loading,
        intercept=-loading * estimate[:, None],
        refused=tuple(refused),
        choices=choices,
    )


def before_after_effects(moments: Moments, att: AttGt, events: tuple[int, int]) -> Effects:
    """Return averages by event time, their mean over `events` last, with students as clusters."""
    effects = cs_effects(moments, att, events=events)
    card = replace(
        effects.card,
        estimator="before_after",
        estimand="mean change of visited students: effect, season, year and rebound together",
        comparison="nobody",
        n_comparison=0,
    )
    return replace(effects, card=card)
