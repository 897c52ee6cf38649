"""What an analyst chooses for a comparison over time: who compares, from which base, with how much warning."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option

Control = Literal["never", "not_yet"]
"""Comparison students: never visited, or not yet visited (which holds the never visited too)."""

Base = Literal["varying", "universal"]
"""Base month before the visit: the month before each month, or one month for all of a cohort."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The design of ATT(g,t).

    Attributes
    ----------
    control : {"never", "not_yet"}
        Comparison students.
    base : {"varying", "universal"}
        Base of the months before the visit. Months from ``g - anticipation`` on always have the last month before it.
    anticipation : int
        Periods before the first visit in which students may already respond.
    early : (int, int) or None
        An early base window: the mean of the months ``g - early[0]`` to ``g - early[1]`` is the base of every month,
        and a student counts where seen in all of them.
    by_stratum : bool
        Compare within strata (saturated regression adjustment) rather than across.
    min_comparison : int
        Fewest comparison students in a stratum for which it is estimated; below it is refused.
    """

    control: Control = "never"
    base: Base = "varying"
    anticipation: int = 0
    early: tuple[int, int] | None = None
    by_stratum: bool = False
    min_comparison: int = 1

    def __post_init__(self) -> None:
        """Refuse what is no design."""
        check_option("comparison students", self.control, Control)
        check_option("base month", self.base, Base)
        if self.anticipation < 0 or self.min_comparison < 1:
            raise BadInput(
                f"anticipation={self.anticipation} and min_comparison={self.min_comparison}: give 0 or more, and 1 or "
                f"more."
            )
        if self.early is not None and not self.early[0] >= self.early[1] > self.anticipation:
            raise BadInput(
                f"Early base window {self.early!r}: give (first, last) months before the visit, first >= last > "
                "anticipation, such as (6, 4)."
            )


@dataclass(frozen=True, slots=True)
class Cell:
    """One ATT(g,t) to be estimated: the month, its base, and the contrast it takes of a student's outcomes."""

    cohort: float
    period: int
    base: tuple[int, ...]
    contrast: np.ndarray

    @property
    def horizon(self) -> int:
        """Last month in use: comparison students must be unvisited after it."""
        return max(self.period, *self.base)


def cells_of(cohort: float, periods: np.ndarray, choices: Choices) -> list[Cell]:
    """Return the months that can be estimated for a cohort, each with its base.

    Empty where the cohort has no month before its visit. Periods may have gaps and the cohort may fall between two
    periods (summer): the base is the last period before ``g - anticipation`` (Callaway and Sant'Anna 2021; the same
    rule as R `did`).
    """
    fixed = _fixed_base(cohort, periods, choices)
    if not fixed:
        return []
    made = []
    for place, period in enumerate(periods):
        moving = choices.base == "varying" and choices.early is None and period < cohort - choices.anticipation
        base = (tuple(periods[place - 1 : place]) if place else ()) if moving else fixed
        if base and period not in base:
            made.append(Cell(cohort, int(period), tuple(int(b) for b in base), _contrast(periods, period, base)))
    return made


def _fixed_base(cohort: float, periods: np.ndarray, choices: Choices) -> tuple[int, ...]:
    if choices.early is None:
        return tuple(periods[periods + choices.anticipation < cohort][-1:])
    first, last = choices.early
    return tuple(periods[(periods >= cohort - first) & (periods <= cohort - last)])


def _contrast(periods: np.ndarray, period: int, base: tuple[int, ...]) -> np.ndarray:
    return (periods == period).astype(float) - np.isin(periods, base) / len(base)
