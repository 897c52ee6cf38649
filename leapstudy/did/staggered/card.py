"""An estimate with its estimand card: what it is an estimate of, and by which conventions; and its row of the table."""

from dataclasses import dataclass, fields

import numpy as np
from scipy import stats

from leapstudy.core.estimate import Estimate
from leapstudy.core.names import Role
from leapstudy.did.permutation import ALPHA
from leapstudy.students.moments.influence import Cluster

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
    students : ndarray of int, shape (A,), or None
        Visited students behind each effect; None where all rest on those of the card.
    """

    key: np.ndarray
    estimate: np.ndarray
    covariance: np.ndarray
    drift: np.ndarray
    df: float
    cluster: Cluster
    card: Card
    students: np.ndarray | None = None

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
    reach = se * stats.t.ppf(1 - ALPHA / 2, effects.df)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.t.sf(np.abs(effects.estimate) / se, effects.df)
    card = effects.card
    behind = np.full(len(se), card.n_treated) if effects.students is None else effects.students
    return [
        Estimate(
            track="students",
            district_code=context.district_code,
            district=context.district,
            outcome=context.outcome,
            comparison=card.comparison,
            n_treated=int(n),
            n_comparison=card.n_comparison,
            edition=context.edition,
            pre=card.base,
            post=_post(key),
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
        for key, value, s, r, one, n in zip(effects.key, effects.estimate, se, reach, p, behind, strict=True)
    ]


def _post(key: float) -> str:
    return "months from the first visit" if np.isnan(key) else f"month {key:+.0f}"
