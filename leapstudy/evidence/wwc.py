"""Effect sizes, baseline categories and rules of the What Works Clearinghouse (WWC).

Formulas: What Works Clearinghouse Procedures and Standards Handbook, Version 5.0 (2022). What is printed from them is
a self-assessment against the handbook's thresholds, never a WWC rating: only the clearinghouse rates.
"""

import math
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
