"""How much attrition a randomized rollout may have before its estimate counts as biased.

It serves a state that draws lots for who is visited first and declares so.

The boundary is the published table, not a formula: What Works Clearinghouse Standards Handbook, Version 4.0 (2017),
table II.1, "highest differential attrition rate for a sample to maintain low attrition". It was not compared with the
printed table of version 5.0; check there before a submission. The table comes from a model of attrition bias of at
most 0.05 standard deviations (Deke and Chiang 2017), which the tests hold it against.
"""

from dataclasses import dataclass
from typing import Literal

from leapstudy.core.errors import BadInput

Boundary = Literal["cautious", "optimistic"]

# Percentage points of differential attrition, for overall attrition of 0, 1, ... 57 percent.
_CAUTIOUS = """
5.7 5.8 5.9 5.9 6.0 6.1 6.2 6.3 6.3 6.3 6.3 6.2 6.2 6.1 6.0 5.9 5.9 5.8 5.7 5.5 5.4 5.3 5.2 5.1 4.9 4.8 4.7 4.5 4.4
4.3 4.1 4.0 3.8 3.6 3.5 3.3 3.2 3.1 2.9 2.8 2.6 2.5 2.3 2.1 2.0 1.8 1.6 1.5 1.3 1.2 1.0 0.9 0.7 0.6 0.4 0.3 0.2 0.0
"""
_OPTIMISTIC = """
10.0 10.1 10.2 10.3 10.4 10.5 10.7 10.8 10.9 10.9 10.9 10.9 10.9 10.9 10.8 10.8 10.7 10.6 10.5 10.3 10.2 10.0 9.9 9.7
9.5 9.4 9.2 9.0 8.8 8.6 8.4 8.2 8.0 7.8 7.6 7.4 7.2 7.0 6.7 6.5 6.3 6.0 5.8 5.6 5.3 5.1 4.9 4.6 4.4 4.2 3.9 3.7 3.5
3.2 3.0 2.8 2.6 2.3
"""
HIGHEST_DIFFERENTIAL: dict[Boundary, tuple[float, ...]] = {
    "cautious": tuple(float(value) for value in _CAUTIOUS.split()),
    "optimistic": tuple(float(value) for value in _OPTIMISTIC.split()),
}
HIGHEST_OVERALL = len(HIGHEST_DIFFERENTIAL["cautious"]) - 1


@dataclass(frozen=True, slots=True)
class Attrition:
    """Overall and differential attrition in percent, the boundary's limit at that overall rate, and the verdict."""

    overall_pct: float
    differential_pct: float
    limit_pct: float
    boundary: Boundary
    low: bool


def attrition(
    randomized_treated: int,
    analyzed_treated: int,
    randomized_comparison: int,
    analyzed_comparison: int,
    boundary: Boundary = "cautious",
) -> Attrition:
    """Compare the attrition of a randomized rollout with the published boundary.

    Parameters
    ----------
    randomized_treated, randomized_comparison
        Students (or districts) that were assigned to each side.
    analyzed_treated, analyzed_comparison
        Those of them who are in the analysis.
    boundary
        `cautious` where those who leave may do so because of the program (a family that refuses visits), else
        `optimistic`.

    Notes
    -----
    Between two whole percents of overall attrition the stricter of the two limits holds.

    Raises
    ------
    BadInput
        For counts that cannot be, and for overall attrition beyond the table (57 percent).
    """
    pairs = ((randomized_treated, analyzed_treated), (randomized_comparison, analyzed_comparison))
    if any(not 0 <= analyzed <= assigned or assigned < 1 for assigned, analyzed in pairs):
        raise BadInput(f"Analyzed students must be 0 to the number assigned on each side; got {pairs!r}.")
    assigned, analyzed = randomized_treated + randomized_comparison, analyzed_treated + analyzed_comparison
    lost = assigned - analyzed
    below, above = 100 * lost // assigned, -(-100 * lost // assigned)
    if above > HIGHEST_OVERALL:
        raise BadInput(
            f"Overall attrition of {100 * lost / assigned:.1f} percent is beyond the table kept here "
            f"({HIGHEST_OVERALL} percent). Read the handbook's own table."
        )
    differential = 100 * abs(analyzed_treated / randomized_treated - analyzed_comparison / randomized_comparison)
    limit = min(HIGHEST_DIFFERENTIAL[boundary][below], HIGHEST_DIFFERENTIAL[boundary][above])
    return Attrition(100 * lost / assigned, differential, limit, boundary, differential <= limit)
