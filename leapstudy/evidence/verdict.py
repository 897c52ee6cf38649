"""One verdict an answer: what the figures allow one to say, from all tests together, the same on every page.

Every decision at 5% in the study is `rejects` and `can_reject`, so that two pages cannot call one p-value by two names.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy.special import ndtri

from leapstudy.core.estimate import SCHOOL_DAYS
from leapstudy.core.names import Role
from leapstudy.core.phrases import between, number, points, probability
from leapstudy.data.state import Outcome
from leapstudy.did.permutation import ALPHA, holm

# p-values are counts over counts: 1/20 must equal 5% whatever the last bit
TIE = 1e-9
# Points that are worth one school day a year; an interval inside plus and minus this is called precise.
SMALL_PP = 100 / SCHOOL_DAYS
# Points that no program is known to have moved a whole district by: an interval with both inside rules out nothing.
WIDE_PP = 5.0


@dataclass(frozen=True, slots=True)
class Size:
    """How effects on an outcome are read: what is small, what is wide, the small one in words, and the unit."""

    small: float = SMALL_PP
    wide: float = WIDE_PP
    words: str = "a day a year"
    unit: str = "points"


def size_of(outcome: Outcome | None) -> Size:
    """Return how effects on an outcome are read; of one that is not declared, such as of students, as attendance."""
    if outcome is None or outcome.in_days:
        return Size()
    if outcome.measure is None:
        return Size(words=f"{number(SMALL_PP)} points")
    unit, small = outcome.measure.unit["en"][1], outcome.measure.small
    return Size(small, outcome.measure.wide, f"{small:g} {unit}", unit)


# What one may say; `one_of_many`: it stands out alone, but not once every district that was looked at is counted;
# `selection`: it stands out, but not beyond what those show who were picked alike and not visited.
Kind = Literal[
    "positive",
    "negative",
    "precise_null",
    "imprecise_null",
    "no_interval",
    "cannot_test",
    "one_of_many",
    "failed_placebo",
    "selection",
    "placebo",
]
# Verdicts under which a number with its interval is no finding.
UNCLAIMED: tuple[Kind, ...] = ("failed_placebo", "selection", "one_of_many", "placebo")
Before = Literal["failed", "passed", "untested"]


@dataclass(frozen=True, slots=True)
class Window:
    """The same computation where zero is expected, in percentage points.

    `own` says whether it is of the outcome that was asked; `p_value`, `p_floor`, `low_pp` and `high_pp` are None where
    they do not exist.
    """

    name: str
    estimate_pp: float
    low_pp: float | None
    high_pp: float | None
    p_value: float | None
    p_floor: float | None = None
    own: bool = True
    unit: str = "points"

    @property
    def failed(self) -> bool:
        """Whether a difference was found where none should be."""
        if self.p_value is not None:
            return rejects(self.p_value)
        return excludes_zero(self.low_pp, self.high_pp)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the figures allow one to say, and why.

    Attributes
    ----------
    kind : Kind
    before : str
        Whether earlier years refute the comparison: "failed", "passed", or "untested" where none could be tested.
    reasons : tuple of str
        What decided, worst first; never empty.
    cautions : tuple of str
        What did not decide but limits the answer: a test that could not be made, another outcome's earlier trend.
    estimate_pp : float
    low_pp, high_pp, p_value, p_floor : float or None
        Of the preferred test; no ends where its interval is not bounded.
    p_adjusted : float or None
        The p-value once all districts looked at are counted (Benjamini and Hochberg).
    lower_is_better : bool
        Whether a fall is what the program is for, as of chronic absence: `kind` is then "positive" for a fall.
    wide_pp : float
        An effect that no program is known to have.
    """

    kind: Kind
    before: Before
    reasons: tuple[str, ...]
    cautions: tuple[str, ...]
    estimate_pp: float
    low_pp: float | None
    high_pp: float | None
    p_value: float | None
    p_floor: float | None
    p_adjusted: float | None
    lower_is_better: bool = False
    wide_pp: float = WIDE_PP

    @property
    def gain_pp(self) -> float:
        """The estimate in the direction that is better."""
        return -self.estimate_pp if self.lower_is_better else self.estimate_pp

    @property
    def wide(self) -> bool:
        """Whether the interval has `wide_pp` either way inside: no size that a program could have is out."""
        inside = (self.low_pp or 0) <= -self.wide_pp and (self.high_pp or 0) >= self.wide_pp
        return self.kind == "imprecise_null" and inside

    @property
    def clear(self) -> bool:
        """Whether an effect may be claimed."""
        return self.kind in ("positive", "negative")


def rejects(p_value: float | None) -> bool:
    """Return whether a test rejects at 5%: the p-value is 0.05 or less."""
    return p_value is not None and not math.isnan(p_value) and p_value <= ALPHA + TIE


def can_reject(p_floor: float | None) -> bool:
    """Return whether a test can reject at 5% at all; a test without a floor can."""
    return p_floor is None or math.isnan(p_floor) or p_floor <= ALPHA + TIE


def excludes_zero(low: float | None, high: float | None) -> bool:
    """Return whether an interval excludes zero; one that does not exist excludes nothing."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return False
    return low > 0 or high < 0


def direction(value: float, low: float | None, high: float | None) -> Literal["rise", "fall", "unclear"]:
    """Return which way a change went, or that its interval does not tell.

    Examples
    --------
    >>> direction(2.0, 0.5, 3.5), direction(-2.0, -3.5, -0.5), direction(2.0, -0.5, 4.5), direction(2.0, None, None)
    ('rise', 'fall', 'unclear', 'unclear')
    """
    return "unclear" if not excludes_zero(low, high) else "rise" if value > 0 else "fall"


def decide(
    estimate_pp: float,
    low_pp: float | None,
    high_pp: float | None,
    p_value: float | None,
    *,
    p_floor: float | None = None,
    windows: Sequence[Window] = (),
    pre_trend_p: float | None = None,
    pre_trend_fits: bool = True,
    p_adjusted: float | None = None,
    looked_at: int = 1,
    role: Role = "main",
    lower_is_better: bool = False,
    size: Size | None = None,
) -> Verdict:
    """Return the verdict of one answer, worst news first.

    Parameters
    ----------
    estimate_pp, low_pp, high_pp, p_value, p_floor
        Effect in percentage points with 95% interval, p-value and smallest possible p-value of the preferred test.
    windows
        The same computation where zero is expected. One of the asked outcome at 5% fails the comparison. One of another
        outcome, at 5% after Holm's correction for their number, forbids to claim an effect, and is else a caution.
    pre_trend_p, pre_trend_fits
        Joint test of the asked outcome's movement before the program, and whether that test keeps its size here (with
        one treated unit it does not); a rejection fails the comparison, or else forbids to claim an effect.
    p_adjusted, looked_at
        The p-value that counts how many units were looked at, and that number.
    role
        "placebo" where the contrast that was asked lies before the program itself.
    lower_is_better
        Whether a fall is what the program is for.
    size
        How effects are read; by default in points, of attendance or, where a fall is better, of a share of students.

    Examples
    --------
    >>> decide(1.2, 0.6, 1.8, 0.001).kind
    'positive'
    >>> decide(1.2, 0.6, 1.8, 0.001, lower_is_better=True).kind
    'negative'
    >>> decide(1.2, 0.6, 1.8, 0.04, p_adjusted=0.6, looked_at=15).kind
    'one_of_many'
    """
    low, high = (None if end is None or not math.isfinite(end) else end for end in (low_pp, high_pp))
    size = size or (Size(words=f"{number(SMALL_PP)} points") if lower_is_better else Size())
    failures, doubts, cautions = _before(windows, pre_trend_p, pre_trend_fits)
    p = probability(p_value)
    clear = rejects(p_value) and (low is None or excludes_zero(low, high))
    kind: Kind
    if role == "placebo":
        kind = "placebo"
        reason = f"The contrast lies before the program, where zero is expected; the preferred test has {p}."
    elif failures:
        kind, reason = "failed_placebo", failures[0]
    elif not can_reject(p_floor):
        kind = "cannot_test"
        least = number(p_floor or 0, 3)
        reason = f"The smallest p-value possible is {least}: no effect of any size could be told from none at 5%."
    elif clear and p_adjusted is not None and not rejects(p_adjusted):
        kind = "one_of_many"
        many = f"{probability(p_adjusted)} once all {looked_at} that were looked at are counted"
        reason = f"Alone the test has {p}, but {many}."
    else:
        kind, reason = _by_interval(low, high, rejects(p_value), p, size, lower_is_better=lower_is_better)
    if kind in ("positive", "negative") and doubts:
        kind, reason = "failed_placebo", doubts[0]
    has_test = any(item.own and can_reject(item.p_floor) for item in windows)
    before: Before = "failed" if failures or kind == "failed_placebo" else "passed" if has_test else "untested"
    reasons = (reason, *(text for text in failures if text != reason))
    limits = (*(text for text in doubts if text != reason), *cautions)
    figures = (estimate_pp, low, high, p_value, p_floor, p_adjusted)
    return Verdict(kind, before, reasons, limits, *figures, lower_is_better, size.wide)


def _by_interval(
    low: float | None, high: float | None, rejected: bool, p: str, size: Size, *, lower_is_better: bool
) -> tuple[Kind, str]:
    """Return what the interval and the test of an answer say that nothing forbids to read."""
    if low is None or high is None:
        return "no_interval", f"The preferred test ({p}) has no bounded 95% interval."
    if excludes_zero(low, high):
        if not rejected:
            return "imprecise_null", f"The interval excludes zero, but the preferred test does not reject ({p})."
        sign: Kind = "positive" if (low > 0) != lower_is_better else "negative"
        return sign, f"The preferred test has {p}, and its 95% interval excludes zero."
    precise = max(-low, high) <= size.small
    width = "lies within" if precise else "reaches beyond"
    reason = f"The preferred test has {p}; its 95% interval includes zero and {width} {size.words} either way."
    return "precise_null" if precise else "imprecise_null", reason


def beyond_control(verdict: Verdict, se_pp: float, control_pp: float | None, control_se_pp: float) -> Verdict:
    """Hold a claim against those who were picked by the same people and not visited.

    A claim stays if the effect less what the control shows has the same sign and excludes zero at 5%. So picking that
    moves both alike leads to a claim no more often than chance does, however large and however hard to see it is.

    Parameters
    ----------
    verdict
        From `decide`.
    se_pp, control_se_pp
        Standard errors of effect and control; that both share comparison students makes the test no less severe.
    control_pp
        What the control shows, where zero is expected; None where none could be formed, and then nothing is claimed.

    Examples
    --------
    >>> beyond_control(decide(4.0, 2.6, 5.4, 0.001), 0.7, 2.5, 1.5).kind
    'selection'
    """
    if not verdict.clear:
        return verdict
    if control_pp is None:
        reason = "Too few who were picked and not visited can be followed: picking cannot be told from an effect."
    else:
        gap = verdict.estimate_pp - control_pp
        reach = float(ndtri(1 - ALPHA / 2)) * math.hypot(se_pp, control_se_pp)
        if gap * math.copysign(1, verdict.estimate_pp) > reach:
            return verdict
        reason = (
            f"Picked and not visited: {points(control_pp)} points; the effect less this is {points(gap)} "
            f"({between(gap - reach, gap + reach)}), which includes zero."
        )
    return replace(verdict, kind="selection", reasons=(reason,), cautions=(*verdict.reasons, *verdict.cautions))


def _before(
    windows: Sequence[Window], pre_trend_p: float | None, pre_trend_fits: bool
) -> tuple[list[str], list[str], list[str]]:
    """Return why earlier years refute the comparison, what forbids to claim an effect, and what they leave open."""
    own = [item for item in windows if item.own]
    others = [item for item in windows if not item.own and item.p_value is not None and not math.isnan(item.p_value)]
    failures = [f"{_elsewhere(item)}." for item in own if item.failed]
    doubts: list[str] = []
    if rejects(pre_trend_p):
        sentence = f"Equal movement before the program is rejected ({probability(pre_trend_p)})."
        (failures if pre_trend_fits else doubts).append(sentence)
    adjusted = holm([item.p_value or 0.0 for item in others])
    for item, p in zip(others, adjusted, strict=True):
        if rejects(float(p)):
            doubts.append(f"{_elsewhere(item)}, {probability(float(p))} after Holm.")
    cautions = [f"{item.name} cannot be tested at 5%." for item in own if not can_reject(item.p_floor)]
    if not own:
        cautions.append("No placebo of this outcome could be formed.")
    if pre_trend_p is None or math.isnan(pre_trend_p):
        cautions.append("Movement before the program cannot be tested.")
    return failures, doubts, cautions


def _elsewhere(window: Window) -> str:
    return f"{window.name}: {points(window.estimate_pp)} {window.unit} where zero is expected"
