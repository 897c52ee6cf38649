"""From moments and ATT(g,t) to averaged effects with covariance and card."""

from dataclasses import replace

import numpy as np

from leapstudy.did.staggered.aggregate import Averages, Kind, aggregate_influence, averages
from leapstudy.did.staggered.att_gt_record import AttGt
from leapstudy.did.staggered.card import Card, Effects
from leapstudy.did.staggered.choices import Choices
from leapstudy.students.moments.influence import Cluster, clustered
from leapstudy.students.moments.record import Moments

ATT = "mean effect on visited students, by months since the first visit"
CONTROL_WORDS = {"never": "never visited", "not_yet": "not visited yet"}
NO_FACTOR = "none"
DISTRICT_FACTOR = "G / (G - 1)"


def cs_effects(
    moments: Moments,
    att: AttGt,
    kind: Kind = "event",
    cluster: Cluster = "student",
    *,
    events: tuple[int, int] | None = None,
) -> Effects:
    """Return averages of Callaway and Sant'Anna's ATT(g,t), the overall last; see `averages` for the options."""
    made = averages(att, kind, events=events)
    found = clustered(moments, aggregate_influence(moments, att, made), cluster)
    treated, compared = (((att.loading * sign) > 0).any(axis=0) @ moments.students for sign in (1, -1))
    card = cs_card("cs", att.choices, cluster, int(treated), int(compared), average_overlap(att, made))
    return Effects(
        np.append(made.key, np.nan),
        np.append(made.estimate, made.overall),
        found.covariance,
        made.combination @ cell_drift(att),
        found.df,
        cluster,
        card,
    )


def before_after_effects(moments: Moments, att: AttGt, events: tuple[int, int]) -> Effects:
    """Return averages of `before_after` by event time, their mean over `events` last, with students as clusters."""
    effects = cs_effects(moments, att, events=events)
    card = replace(
        effects.card,
        estimator="before_after",
        estimand="mean change of visited students: effect, season, year and rebound together",
        comparison="nobody",
        n_comparison=0,
    )
    return replace(effects, card=card)


def cs_card(name: str, choices: Choices, cluster: Cluster, n_treated: int, n_comparison: int, overlap: float) -> Card:
    """Return the card of averages of ATT(g,t)."""
    within = ", within strata" if choices.by_stratum else ""
    return Card(
        name,
        ATT,
        CONTROL_WORDS[choices.control] + within,
        base_words(choices),
        choices.anticipation,
        "cohorts by their students; shares estimated",
        DISTRICT_FACTOR if cluster == "district" else NO_FACTOR,
        cluster,
        n_treated,
        n_comparison,
        overlap,
    )


def base_words(choices: Choices) -> str:
    """Return the base months in words."""
    if choices.early is not None:
        return f"mean of months {choices.early[0]} to {choices.early[1]} before the visit"
    last = (
        f"last month at least {choices.anticipation + 1} before the visit"
        if choices.anticipation
        else "last month before the visit"
    )
    return last if choices.base == "universal" else f"{last}; before it, the month before each"


def cell_drift(att: AttGt) -> np.ndarray:
    """Return what a differential trend of one point a month puts into each ATT(g,t), shape (K,)."""
    return np.array([cell.period - np.mean(cell.base) for cell in att.cells])


def average_overlap(att: AttGt, made: Averages) -> float:
    """Return the share of visited students that the overall average covers."""
    return float(made.combination[-1] @ att.overlap)
