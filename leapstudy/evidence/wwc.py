"""Effect sizes, baseline categories, attrition and rules of the What Works Clearinghouse (WWC).

Formulas: What Works Clearinghouse Procedures and Standards Handbook, Version 5.0 (2022). What is printed from them is a
self-assessment against the handbook's thresholds, never a WWC rating: only the clearinghouse rates.

How much attrition a randomized rollout may have before its estimate counts as biased serves a state that draws lots for
who is visited first. The boundary is the published table, not a formula: Standards Handbook, Version 4.0 (2017), table
II.1, "highest differential attrition rate for a sample to maintain low attrition". It was not compared with the printed
table of version 5.0; check there before a submission. The table comes from a model of attrition bias of at most 0.05
standard deviations (Deke and Chiang 2017), which the tests hold it against.
"""

import math
from dataclasses import dataclass
from typing import Literal

from leapstudy.core.errors import BadInput

COX_SCALE = 1.65
SATISFIED = 0.05
WITH_ADJUSTMENT = 0.25

Category = Literal["satisfied", "satisfied with adjustment", "not satisfied"]


def pooled_sd(sd_treated: float, sd_comparison: float, n_treated: int, n_comparison: int) -> float:
    """Return the pooled within-group standard deviation.

    A group of one has no spread of its own: its variance counts with weight zero and its `sd` is not read.
    """
    own = 0.0 if n_treated == 1 else (n_treated - 1) * sd_treated**2
    other = 0.0 if n_comparison == 1 else (n_comparison - 1) * sd_comparison**2
    freedom = n_treated + n_comparison - 2
    if freedom < 1:
        raise BadInput(f"A pooled standard deviation needs three units; {n_treated} and {n_comparison} were given.")
    return math.sqrt((own + other) / freedom)


def cox_index(share_treated: float, share_comparison: float) -> float | None:
    """Return the Cox index of a yes-or-no outcome: the difference in log-odds over 1.65.

    Parameters
    ----------
    share_treated, share_comparison
        Shares from 0 to 1 (not percent).

    Returns
    -------
    float or None
        None where a share is 0 or 1: its log-odds do not exist.

    Raises
    ------
    BadInput
        For a share outside 0 to 1, the usual sign of a percent.
    """
    for share in (share_treated, share_comparison):
        if not 0 <= share <= 1:
            raise BadInput(f"The Cox index takes shares from 0 to 1, not {share!r}. Divide a percent by 100.")
        if share in (0, 1):
            return None
    return (_logit(share_treated) - _logit(share_comparison)) / COX_SCALE


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def baseline_category(effect_size: float) -> Category:
    """Return what the handbook asks for at this baseline difference; both edges are inclusive."""
    size = abs(effect_size)
    # a difference that is the edge itself up to rounding belongs to the better side
    if size <= SATISFIED or math.isclose(size, SATISFIED):
        return "satisfied"
    if size <= WITH_ADJUSTMENT or math.isclose(size, WITH_ADJUSTMENT):
        return "satisfied with adjustment"
    return "not satisfied"


def confounding_reason(n_treated_units: int) -> str:
    """Return why the handbook's confounding rule fails the design, or an empty text where it does not.

    Where one side of the comparison is a single unit, the program and all else that is peculiar to that unit cannot
    be told apart.
    """
    if n_treated_units > 1:
        return ""
    return (
        "Only one unit is treated, so the program and everything else that is special about that unit cannot "
        "be told apart: a confounding factor under WWC 5.0, whatever the p-value. Only the pooled estimate is eligible."
    )


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
    randomized_treated: int, analyzed_treated: int, randomized_comparison: int, analyzed_comparison: int
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
