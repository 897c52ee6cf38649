"""What every result of a frame has in common: a table, one sentence, a picture, and a `repr` of a few lines."""

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from html import escape
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput, shown
from leapstudy.core.phrases import between, counted, missing, number
from leapstudy.did.permutation import ALPHA
from leapstudy.did.sample import Sample

# Lines of a `repr` at most.
LINES = 15
INK, GRAY, COLOR = "#1A1A1A", "#5F5F5F", "#0072B2"
# How the name of an outcome in percent ends: its effects are in percentage points.
POINTS = "_pct"


def the_treated(n: int, noun: str) -> str:
    """Return ``the treated unit`` or ``the 15 treated units``."""
    return f"the treated {noun}" if n == 1 else f"the {n:,} treated {noun}s"


def moved(value: float, outcome: str, digits: int) -> str:
    """Return a difference as one says it: ``0.34 percentage points less``."""
    if round(value, digits) == 0:
        return "as much as"
    unit = " percentage points" if outcome.endswith(POINTS) else ""
    return f"{number(abs(value), digits)}{unit} {'more' if value > 0 else 'less'} than"


def uncertainty(low: float, high: float, p: float | None, digits: int | None = None) -> str:
    """Return interval and p-value as a parenthesis holds them; without `digits`, with as many as the ends need."""
    bounded = not missing(low) and not missing(high) and math.isfinite(low) and math.isfinite(high)
    interval = f"95% CI {between(low, high, digits or digits_of(low, high))}" if bounded else "no bounded 95% CI"
    return interval if p is None or missing(p) else f"{interval}, {p_words(p)}"


def p_words(p: float) -> str:
    """Return ``p = 0.472``, or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {number(p, 3)}"


def digits_of(*values: float) -> int:
    """Return decimals that show three digits of the largest value, at least two."""
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0]
    return max(2, 2 - math.floor(math.log10(max(sizes)))) if sizes and max(sizes) < 0.1 else 2


def of_zero(low: float, high: float, p: float) -> str:
    """Return what an interval says of zero, as a sentence; the preferred test may say otherwise in small samples."""
    if low > 0 or high < 0:
        if p >= ALPHA:
            return f"The interval excludes zero, but the preferred test does not reject it ({p_words(p)})."
        return "The interval excludes zero."
    if missing(low) or missing(high) or not (math.isfinite(low) and math.isfinite(high)):
        return "The preferred test has no bounded interval here: it is not statistically distinguishable from zero."
    if p < ALPHA:
        return f"The interval includes zero, but the preferred test rejects it ({p_words(p)})."
    return "The interval includes zero: it is not statistically distinguishable from zero."


class Result:
    """A result: `finding` in words, `to_frame()` as a table, `plot(ax)` as a picture."""

    __slots__ = ()
    title: ClassVar[str] = ""
    table: pd.DataFrame

    @property
    @abstractmethod
    def finding(self) -> str:
        """The result in one or two sentences."""

    def to_frame(self) -> pd.DataFrame:
        """Return the result's `table`."""
        return self.table.copy()

    @abstractmethod
    def _facts(self) -> list[tuple[str, str]]:
        """Return the lines of the `repr`: label and text."""

    @abstractmethod
    def _draw(self, ax: Any) -> None:
        """Draw on the axes."""

    def plot(self, ax: Any = None) -> Any:
        """Draw the result and return the axes.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; new axes by default.
        """
        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(figsize=(7.2, 4), layout="constrained")[1]
        if not hasattr(ax, "errorbar"):
            raise BadInput(f"ax must be matplotlib axes; got {shown(ax)}. Leave it out, and new axes are made.")
        self._draw(ax)
        ax.spines[["top", "right"]].set_visible(False)
        return ax

    def __repr__(self) -> str:
        """Return at most 15 lines."""
        facts = self._facts()
        width = max(len(label) for label, _ in facts)
        lines = [self.title, *(f"  {label:<{width}}  {text}" for label, text in facts), self.finding]
        return "\n".join(lines[:LINES])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(label)}</th><td>{escape(text)}</td></tr>" for label, text in self._facts())
        return f"<p>{escape(self.finding)}</p><table><caption>{escape(self.title)}</caption>{rows}</table>"


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class DidResult(Result):
    """A difference-in-differences of two sides with one start.

    Attributes
    ----------
    outcome, noun : str
        Name of the outcome's column, and what a unit is called.
    estimate, se, ci_low, ci_high : float
        The effect in units of the outcome (percentage points where it is in percent), its standard error and 95%
        interval; the interval is infinite where the preferred test has no bounded one.
    p_value : float
    p_method : str
        The preferred test.
    p_floor : float or None
        Smallest p-value that the test can give; None for a t-test.
    n_treated, n_comparison : int
    pre, post : tuple of str
        Times before and from the start on.
    weighted : str
        "equally", or the column of weights.
    tests : DataFrame
        Every test that gives an answer: method, estimate, ci_low, ci_high, p_value, p_floor, leads.
    units : DataFrame
        One row a unit: unit, treated, change, weight.
    means : DataFrame
        One row a side and time: side, time, mean.
    placebos : ndarray
        The effect under every other placement of the label (one treated unit) or under each shuffle.
    sample : Sample
        What the study's own functions take.
    """

    outcome: str
    noun: str
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p_value: float
    p_method: str
    p_floor: float | None
    n_treated: int
    n_comparison: int
    pre: tuple[str, ...]
    post: tuple[str, ...]
    weighted: str
    tests: pd.DataFrame
    units: pd.DataFrame = field(compare=False)
    means: pd.DataFrame = field(compare=False)
    placebos: np.ndarray = field(compare=False)
    sample: Sample = field(compare=False)
    title: ClassVar[str] = "Difference-in-differences"

    @property
    def finding(self) -> str:
        """The effect in two plain sentences."""
        digits = digits_of(self.estimate)
        sides = counted(self.n_comparison, f"comparison {self.noun}")
        return (
            f"{self.outcome} in {the_treated(self.n_treated, self.noun)} changed "
            f"{moved(self.estimate, self.outcome, digits)} in the {sides} "
            f"({uncertainty(self.ci_low, self.ci_high, self.p_value)}). "
            f"{of_zero(self.ci_low, self.ci_high, self.p_value)}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return every test of the effect as a table, the one that leads marked."""
        return self.tests.copy()

    def _facts(self) -> list[tuple[str, str]]:
        digits = digits_of(self.estimate)
        floor = "" if self.p_floor is None else f", smallest possible {self.p_floor:.2g}"
        return [
            ("Estimate", f"{number(self.estimate, digits)} (se {number(self.se, digits)})"),
            ("Interval and p", uncertainty(self.ci_low, self.ci_high, self.p_value)),
            ("Preferred test", f"{self.p_method}{floor}"),
            ("Compared", f"{' + '.join(self.pre)} to {' + '.join(self.post)}"),
            ("Treated", counted(self.n_treated, self.noun)),
            ("Comparison", counted(self.n_comparison, self.noun)),
            ("Weighted", self.weighted),
        ]

    def _draw(self, ax: Any) -> None:
        for side, style in (
            ("treated", {"color": COLOR, "marker": "o"}),
            ("comparison", {"color": GRAY, "marker": "^", "ls": "--"}),
        ):
            rows = self.means[self.means["side"] == side]
            ax.plot(rows["time"].astype(str), rows["mean"], label=side, **style)
            ax.annotate(side, (len(rows) - 1, rows["mean"].iloc[-1]), (6, 0), textcoords="offset points", va="center")
        ax.axvline(len(self.pre) - 0.5, color=INK, lw=0.8, ls=":")
        ax.set_ylabel(self.outcome)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class EventStudyResult(Result):
    """The difference between the two sides at each time, less that of the reference time.

    Attributes
    ----------
    table : DataFrame
        One row a time: time, event_time, estimate, se, low, high (pointwise 95%), low_sup, high_sup (simultaneous 95%),
        is_reference.
    covariance : ndarray, shape (T - 1, T - 1)
        Of all times but the reference, in order.
    joint_p : float
        p-value of the times before the start not differing from each other; NaN with one of them, or with more of them
        than so few units can test.
    """

    outcome: str
    noun: str
    n_treated: int
    n_comparison: int
    reference: str
    table: pd.DataFrame
    sup_t: float
    df: float
    joint_p: float
    covariance: np.ndarray = field(compare=False)
    title: ClassVar[str] = "Event study"

    @property
    def finding(self) -> str:
        """The last effect and what was seen before the start."""
        after = self.table[self.table["event_time"] >= 0]
        last = after.iloc[-1]
        digits = digits_of(last["estimate"])
        return (
            f"At {last['time']} {self.outcome} in {the_treated(self.n_treated, self.noun)} had changed since "
            f"{self.reference} {moved(last['estimate'], self.outcome, digits)} in the "
            f"{counted(self.n_comparison, f'comparison {self.noun}')} "
            f"({uncertainty(last['low'], last['high'], None)}). {self._before()}"
        )

    def _before(self) -> str:
        if not missing(self.joint_p):
            apart = "are not zero" if self.joint_p < 0.05 else "are not statistically distinguishable from zero"
            return f"The differences before the start, expected to be zero, {apart} (joint {p_words(self.joint_p)})."
        times = int((self.table["event_time"] < 0).sum())
        if times == 1:
            return "Nothing before the start can be tested with one time before it."
        return f"The {times} times before the start cannot be tested together with so few {self.noun}s."

    def _facts(self) -> list[tuple[str, str]]:
        rows = [
            (f"{row.time}", f"{number(row.estimate, 3)} ({uncertainty(row.low, row.high, None)})")
            for row in self.table.itertuples()
            if not row.is_reference
        ]
        more = [("...", f"{len(rows) - 8} more in .to_frame()")] if len(rows) > 8 else []
        return [("Reference", self.reference), *rows[:8], *more, ("Simultaneous", f"{self.sup_t:.2f} standard errors")]

    def _draw(self, ax: Any) -> None:
        draw_path(ax, self.table, "event_time", self.outcome)


def draw_path(ax: Any, table: pd.DataFrame, key: str, outcome: str) -> None:
    """Draw estimates with pointwise intervals and the simultaneous band."""
    ends = table[["low", "high", "low_sup", "high_sup"]].replace([np.inf, -np.inf], np.nan)
    # the reference and what has no error are points
    low, high, low_sup, high_sup = (ends[end].fillna(table["estimate"]) for end in ends)
    ax.fill_between(table[key], low_sup, high_sup, color=COLOR, alpha=0.15, lw=0)
    reach = np.vstack([table["estimate"] - low, high - table["estimate"]])
    ax.errorbar(table[key], table["estimate"], reach, fmt="o", color=COLOR, capsize=2)
    ax.axhline(0, color=INK, lw=0.8)
    ax.axvline(-0.5, color=INK, lw=0.8, ls=":")
    ax.set_xlabel("times since the start")
    ax.set_ylabel(f"effect on {outcome}; band: all times at once")
