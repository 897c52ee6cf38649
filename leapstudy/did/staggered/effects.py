"""From moments and ATT(g,t) to averaged effects, each with its covariance, its estimand card and its row."""

from dataclasses import dataclass, fields, replace
from typing import Literal, Protocol

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.core.names import Role, check_option
from leapstudy.did.spread import t_above, t_critical
from leapstudy.did.staggered.att_gt import AttGt, Choices
from leapstudy.students.moments.record import Cluster, Influence, Moments, clustered

# One number; by cohort; by calendar month; by time since the first visit.
Kind = Literal["simple", "group", "calendar", "event"]

NO_MONTH = "No month"
LABELS = {
    "estimator": "Estimator",
    "estimand": "Estimand",
    "comparison": "Comparison students",
    "base": "Base months",
    "anticipation": "Anticipation (months)",
    "weights": "Weights",
    "small_sample": "Small-sample factor",
    "clustering": "Errors clustered by",
    "n_treated": "Visited students",
    "n_comparison": "Comparison students (number)",
    "overlap": "Share of visited students covered",
}


class GroupTime(Protocol):
    """What an average needs of K estimates: cohort, month, value and the size of the cohort, each of shape (K,)."""

    @property
    def cohort(self) -> np.ndarray:
        """First treated period of each estimate."""

    @property
    def period(self) -> np.ndarray:
        """Period that it is about."""

    @property
    def estimate(self) -> np.ndarray:
        """ATT(g,t)."""

    @property
    def cohort_weight(self) -> np.ndarray:
        """Size of the cohort."""


@dataclass(frozen=True, slots=True)
class Averages:
    """Averages of ATT(g,t) as weights on them.

    Attributes
    ----------
    kind : Kind
    key : ndarray, shape (A,)
        Cohort, month or event time; empty for ``simple``.
    estimate : ndarray, shape (A,)
        One per key.
    overall : float
        The one number: ``simple`` itself, the share-weighted mean of cohorts, the plain mean of months or of events.
    combination : ndarray, shape (A + 1, K)
        Weights on ATT(g,t): one row per key, the overall last.
    share_slope : ndarray, shape (A + 1, K)
        Derivative of each average by the size of each estimate's cohort.
    """

    kind: Kind
    key: np.ndarray
    estimate: np.ndarray
    overall: float
    combination: np.ndarray
    share_slope: np.ndarray


def averages(att: GroupTime, kind: Kind, *, events: tuple[int, int] | None = None) -> Averages:
    """Average ATT(g,t).

    Parameters
    ----------
    att
        Estimates by cohort and month.
    kind
        How to average.
    events
        First and last event time of the overall mean (kind "event"); from 0 to the last by default.

    Raises
    ------
    BadInput
        If no month after a visit was estimated, or none of the event times asked for.

    Notes
    -----
    Callaway and Sant'Anna (2021), section 3. Averages use t >= g also under anticipation. Cohorts are weighted by the
    weights of all their students.
    """
    check_option("aggregate", kind, Kind)
    multipliers, keys, in_window = _plan(att, kind, events)
    rows = [_average(att, row) for row in multipliers]
    combination, slope = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if in_window is not None:
        combination = np.vstack([combination, combination[in_window].mean(axis=0)])
        slope = np.vstack([slope, slope[in_window].mean(axis=0)])
    values = combination @ att.estimate
    return Averages(kind, keys, values[:-1], float(values[-1]), combination, slope)


def aggregate_influence(moments: Moments, att: AttGt, aggregate: Averages) -> Influence:
    """Return each student's influence on the averages, A + 1 rows, the overall last.

    That cohort shares are estimated adds ``w_i d theta / d W_g`` for students of cohort g, as in R `did`.
    """
    influence = att.influence(aggregate.combination)
    shares = aggregate.share_slope @ (att.cohort[:, None] == moments.cohort)
    return Influence(influence.intercept + shares, influence.slope)


def _plan(
    att: GroupTime, kind: Kind, events: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return multipliers on cohort sizes by row, the keys, and the rows whose plain mean is the overall."""
    after = att.period >= att.cohort
    if not after.any():
        raise BadInput(
            f"{NO_MONTH} after a first visit could be estimated; see the refused cells for the reasons, "
            "and choose other comparison students or fewer strata."
        )
    if kind == "simple":
        return after[None, :].astype(float), np.empty(0), None
    if kind == "group":
        keys = np.unique(att.cohort[after])
        by_cohort = (att.cohort == keys[:, None]) & after
        each = by_cohort / by_cohort.sum(axis=1, keepdims=True)
        return np.vstack([each, each.sum(axis=0)]), keys, None
    if kind == "calendar":
        keys = np.unique(att.period[after])
        return ((att.period == keys[:, None]) & after).astype(float), keys, np.ones(len(keys), dtype=bool)
    since = att.period - att.cohort
    keys = np.unique(since)
    first, last = (0, np.inf) if events is None else events
    in_window = (keys >= first) & (keys <= last)
    if not in_window.any():
        span = "" if events is None else f" from {first} to {last}"
        raise BadInput(f"{NO_MONTH}{span} after the first visit can be estimated.")
    return (since == keys[:, None]).astype(float), keys, in_window


def _average(att: GroupTime, multiplier: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = multiplier * att.cohort_weight
    weights = size / size.sum()
    return weights, multiplier * (att.estimate - weights @ att.estimate) / size.sum()


@dataclass(frozen=True, slots=True)
class Card:
    """What was estimated and how, for a reader who wants to compare with another package."""

    estimator: str
    estimand: str
    comparison: str
    base: str
    anticipation: int
    weights: str
    small_sample: str
    clustering: str
    n_treated: int
    n_comparison: int
    overlap: float = 1.0

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Return the card line by line: label and text."""
        return tuple((LABELS[field.name], _text(getattr(self, field.name))) for field in fields(self))


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0%}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects of one estimator with their covariance.

    Attributes
    ----------
    key : ndarray, shape (A,)
        Event time (in tables also cohort or month); NaN for the overall effect, which is last where there is one.
    estimate : ndarray, shape (A,)
        Percentage points.
    covariance : ndarray, shape (A, A)
    drift : ndarray, shape (A,)
        What a differential trend of one point a month would put into each estimate.
    df : float
        Degrees of freedom of a t statistic.
    cluster : Cluster
    card : Card
    treated, compared : ndarray of int, shape (A,)
        Visited and comparison students behind each effect.
    """

    key: np.ndarray
    estimate: np.ndarray
    covariance: np.ndarray
    drift: np.ndarray
    df: float
    cluster: Cluster
    card: Card
    treated: np.ndarray
    compared: np.ndarray

    @property
    def se(self) -> np.ndarray:
        """Standard errors, shape (A,); missing where rounding leaves a variance below zero: all are alike."""
        variance = np.diag(self.covariance)
        return np.sqrt(np.where(variance < 0, np.nan, variance))


@dataclass(frozen=True, slots=True)
class Context:
    """What the rows of `estimates.csv` say beside the figures."""

    district_code: str
    district: str
    outcome: str
    edition: str
    role: Role = "main"


def estimate_rows(effects: Effects, context: Context) -> list[Estimate]:
    """Return one row per effect by event time; the overall effect has no event time.

    Intervals and p-values are pointwise, from the normal distribution for student clusters and t with G - 1 for
    districts.
    """
    se = effects.se
    reach = se * t_critical(effects.df)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * t_above(np.abs(effects.estimate) / se, effects.df)
    card = effects.card
    sides = effects.treated.tolist(), effects.compared.tolist()
    return [
        Estimate(
            track="students",
            district_code=context.district_code,
            district=context.district,
            outcome=context.outcome,
            comparison=card.comparison,
            n_treated=treated,
            n_comparison=n_c,
            edition=context.edition,
            pre=card.base,
            post="months from the first visit" if np.isnan(key) else f"month {key:+.0f}",
            event_time=None if np.isnan(key) else round(key),
            estimator=card.estimator,
            role=context.role,
            estimate_pp=float(value),
            se_pp=float(s),
            ci_low_pp=float(value - r),
            ci_high_pp=float(value + r),
            p_value=float(one),
            p_method=f"{effects.cluster}_clustered",
        )
        for key, value, s, r, one, treated, n_c in zip(effects.key, effects.estimate, se, reach, p, *sides, strict=True)
    ]


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
    aggregate = averages(att, kind, events=events)
    inference = clustered(moments, aggregate_influence(moments, att, aggregate), cluster)
    # how many students of either side stand behind each average
    sides = ((aggregate.combination != 0) @ (att.loading * sign > 0) @ moments.students for sign in (1, -1))
    treated, comparison = (students.astype(int) for students in sides)
    card = cs_card("cs", att.choices, cluster, int(treated[-1]), int(comparison[-1]), average_overlap(att, aggregate))
    return Effects(
        np.append(aggregate.key, np.nan),
        np.append(aggregate.estimate, aggregate.overall),
        inference.covariance,
        aggregate.combination @ cell_drift(att),
        inference.df,
        cluster,
        card,
        treated,
        comparison,
    )


def before_after_effects(moments: Moments, att: AttGt, events: tuple[int, int]) -> Effects:
    """Return averages of `before_after` by event time, their mean over `events` last, with students as clusters."""
    effects = cs_effects(moments, att, events=events)
    card = replace(
        effects.card,
        estimator="before_after",
        estimand="mean change of visited students: effect, season, year and rebound together",
        comparison="nobody",
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


def average_overlap(att: AttGt, aggregate: Averages) -> float:
    """Return the share of visited students that the overall average covers."""
    return float(aggregate.combination[-1] @ att.overlap)
