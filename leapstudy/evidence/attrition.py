"""How much attrition a randomized rollout may have before its estimate counts as biased.

It serves a state that draws lots for who is visited first and declares so.

The boundary is the published table, not a formula: What Works Clearinghouse Standards Handbook, Version 4.0 (2017),
table II.1, "highest differential attrition rate for a sample to maintain low attrition". It was not compared with the
printed table of version 5.0; check there before a submission. The table comes from a model of attrition bias of at
most 0.05 standard deviations (Deke and Chiang 2017), which the tests hold it against.
"""

from dataclasses import dataclass

from leapstudy.core.errors import BadInput

# Percentage points of differential attrition, for overall attrition of 0, 1, ... 57 percent; the cautious boundary, for
# programs that may themselves move who leaves (a family that refuses visits).
_CAUTIOUS = """
5.7 5.8 5.9 5.9 6.0 6.1 6.2 6.3 6.3 6.3 6.3 6.2 6.2 6.1 6.0 5.9 5.9 5.8 5.7 5.5 5.4 5.3 5.2 5.1 4.9 4.8 4.7 4.5 4.4
4.3 4.1 4.0 3.8 3.6 3.5 3.3 3.2 3.1 2.9 2.8 2.6 2.5 2.3 2.1 2.0 1.8 1.6 1.5 1.3 1.2 1.0 0.9 0.7 0.6 0.4 0.3 0.2 0.0
"""
HIGHEST_DIFFERENTIAL = tuple(float(value) for value in _CAUTIOUS.split())
HIGHEST_OVERALL = len(HIGHEST_DIFFERENTIAL) - 1


@dataclass(frozen=True, slots=True)
class Attrition:
    """Overall and differential attrition in percent, the boundary's limit at that overall rate, and the verdict."""

    overall_pct: float
    differential_pct: float
    limit_pct: float
    low: bool


def attrition(
    randomized_treated: int,
    analyzed_treated: int,
    randomized_comparison: int,
    analyzed_comparison: int,
) -> Attrition:
    """Compare the attrition of a randomized rollout with the published boundary.

    Parameters
    ----------
    randomized_treated, randomized_comparison
        Students (or districts) that were assigned to each side.
    analyzed_treated, analyzed_comparison
        Those of them who are in the analysis.

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
    limit = min(HIGHEST_DIFFERENTIAL[below], HIGHEST_DIFFERENTIAL[above])
    return Attrition(100 * lost / assigned, differential, limit, differential <= limit)
