"""One call per estimator: from moments and choices to effects with covariance and card."""

from dataclasses import dataclass

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.did.staggered.aggregate import Averages, Clock, Kind, aggregate_influence, averages
from leapstudy.did.staggered.att_gt_record import AttGt
from leapstudy.did.staggered.card import Card, Effects
from leapstudy.did.staggered.choices import Choices
from leapstudy.did.staggered.clustered import Cluster, clustered, regression_factor
from leapstudy.did.staggered.imputation import Imputation
from leapstudy.did.staggered.twfe import Coefficients
from leapstudy.students.moments.record import NEVER, Moments

ATT = "mean effect on visited students, by months since the first visit"
CONTROL_WORDS = {"never": "never visited", "not_yet": "not visited yet"}
NO_FACTOR = "none"
DISTRICT_FACTOR = "G / (G - 1)"
REGRESSION_FACTOR = "G / (G - 1) x (n - 1) / (n - k), student effects not counted"


def cs_effects(
    moments: Moments,
    att: AttGt,
    kind: Kind = "event",
    cluster: Cluster = "student",
    *,
    clock: Clock = "calendar",
    events: tuple[int, int] | None = None,
) -> Effects:
    """Return averages of Callaway and Sant'Anna's ATT(g,t), the overall last; see `averages` for the options."""
    made = averages(att, moments.periods, kind, clock=clock, events=events)
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
        kind,
    )


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


def regression_effects(
    moments: Moments, fitted: Coefficients, estimator: str, cluster: Cluster = "student", reference: float = -1.0
) -> Effects:
    """Return a regression's coefficients with the small-sample factor of R `fixest`.

    Parameters
    ----------
    moments, fitted
        The sums, and what `twfe`, `event_study`, `sun_abraham` or `stacked` made of them.
    estimator
        "twfe", "event_study", "sun_abraham" or "stacked".
    cluster
        Whose errors may hang together.
    reference
        Event time of the base month.

    Raises
    ------
    BadInput
        If the estimator has no card.
    """
    if estimator not in REGRESSIONS:
        raise BadInput(f"No card for the regression {estimator!r}. Legal: {', '.join(REGRESSIONS)}.")
    found = clustered(moments, fitted.influence, cluster)
    g, factor = found.clusters, regression_factor(found.clusters, fitted.observations, fitted.parameters)
    factor = factor if cluster == "student" else factor * (g - 1) / g
    words = REGRESSIONS[estimator]
    treated, never = _sides(moments)
    last = estimator == "sun_abraham" and not never
    card = Card(
        estimator,
        words.estimand,
        "last cohort, before its visit" if last else words.comparison,
        words.base,
        round(-1 - reference),
        words.weights,
        REGRESSION_FACTOR,
        cluster,
        treated,
        never,
        fitted.overlap,
    )
    drift = np.where(np.isnan(fitted.key), np.nan, fitted.key - reference)
    return Effects(fitted.key, fitted.estimate, factor * found.covariance, drift, found.df, cluster, card)


@dataclass(frozen=True, slots=True)
class _Words:
    comparison: str
    weights: str
    estimand: str = ATT
    base: str = "last month before the visit"


REGRESSIONS = {
    "twfe": _Words(
        "all other student-months, visited ones too",
        "implied by the regression; may be negative",
        "one effect, averaged as two-way fixed effects weight it",
        "all months before the visit",
    ),
    "event_study": _Words("all other student-months, visited ones too", "implied by the regression"),
    "sun_abraham": _Words("never visited", "cohorts by their student-months; shares fixed"),
    "stacked": _Words("not visited within the window", "stacks by their visited students"),
}


def imputation_effects(
    moments: Moments, fitted: Imputation, cluster: Cluster = "student", anticipation: int = 0
) -> Effects:
    """Return the imputation estimator's effects, with its conservative variance."""
    found = clustered(moments, fitted.influence, cluster)
    treated, never = _sides(moments)
    card = Card(
        "imputation",
        ATT,
        "all student-months before a visit",
        "all months before the visit",
        anticipation,
        "student-months alike",
        DISTRICT_FACTOR if cluster == "district" else NO_FACTOR,
        cluster,
        treated,
        never,
        fitted.imputed_share,
    )
    return Effects(
        fitted.key, fitted.estimate, found.covariance, np.full(len(fitted.key), np.nan), found.df, cluster, card
    )


def _sides(moments: Moments) -> tuple[int, int]:
    visited = moments.cohort < NEVER
    return int(moments.students[visited].sum()), int(moments.students[~visited].sum())
