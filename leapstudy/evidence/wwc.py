"""Effect sizes, baseline categories and corrections of the What Works Clearinghouse (WWC).

Formulas: What Works Clearinghouse Procedures and Standards Handbook, Version 5.0 (2022). What is printed from them is
a self-assessment against the handbook's thresholds, never a WWC rating: only the clearinghouse rates.
"""

import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from leapstudy.core.errors import BadInput

COX_SCALE = 1.65
SATISFIED = 0.05
WITH_ADJUSTMENT = 0.25
ATTENDANCE_ICC = 0.10
"""Intraclass correlation that the handbook assumes for attendance where a study gives none."""

Category = Literal["satisfied", "satisfied with adjustment", "not satisfied"]


@dataclass(frozen=True, slots=True)
class ClusterCorrection:
    """A mismatched analysis put right: test statistic, degrees of freedom and p-value that count the clusters."""

    t: float
    df: float
    p_value: float
    icc: float


def small_sample_factor(n: int) -> float:
    """Return omega = 1 - 3/(4N - 9), which removes the upward bias of a standardized difference (Hedges 1981)."""
    return 1 - 3 / (4 * n - 9)


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


def hedges_g(
    mean_treated: float,
    mean_comparison: float,
    sd_treated: float,
    sd_comparison: float,
    n_treated: int,
    n_comparison: int,
) -> float:
    """Return Hedges' g, the standardized mean difference of students (Hedges 1981; handbook 5.0).

    Means and standard deviations are of *students*, in one unit; with means of districts use
    `leapstudy.evidence.baseline`, whose figure is not comparable with this one.
    """
    spread = pooled_sd(sd_treated, sd_comparison, n_treated, n_comparison)
    if spread == 0:
        raise BadInput(
            "Hedges' g does not exist where no student differs from another: both standard deviations are 0."
        )
    return small_sample_factor(n_treated + n_comparison) * (mean_treated - mean_comparison) / spread


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


def improvement_index(effect_size: float) -> float:
    """Return the percentile points that an average comparison student would rise: 100 (Phi(g) - 0.5)."""
    return 100 * (float(stats.norm.cdf(effect_size)) - 0.5)


def cluster_correction(
    g: float, n_treated: int, n_comparison: int, clusters: int, icc: float = ATTENDANCE_ICC
) -> ClusterCorrection:
    """Correct a test that treated students of the same school or district as independent.

    Parameters
    ----------
    g
        Effect size of the uncorrected analysis.
    n_treated, n_comparison
        Students on each side.
    clusters
        Schools or districts on both sides together.
    icc
        Intraclass correlation: 0.10 for attendance, 0.20 for achievement, unless the study has its own.

    Notes
    -----
    With N students, M clusters, n = N/M: ``t = g / sqrt(N/(nT nC) + g^2/(2N))``, ``a = (N-2) - 2(n-1)r``,
    ``tA = t sqrt(a / ((N-2)(1+(n-1)r)))``, ``h = a^2 / ((N-2)(1-r)^2 + n(N-2n)r^2 + 2(N-2n)r(1-r))``
    (Hedges 2007; handbook 5.0, where h is equation E.21).
    """
    total = n_treated + n_comparison
    if not 2 < clusters <= total or not 0 <= icc < 1:
        raise BadInput(f"Need 3 to {total} clusters and an ICC from 0 to below 1, not {clusters!r} and {icc!r}.")
    size = total / clusters
    t = g / math.sqrt(total / (n_treated * n_comparison) + g**2 / (2 * total))
    a = (total - 2) - 2 * (size - 1) * icc
    corrected = t * math.sqrt(a / ((total - 2) * (1 + (size - 1) * icc)))
    rest = total - 2 * size
    df = a**2 / ((total - 2) * (1 - icc) ** 2 + size * rest * icc**2 + 2 * rest * icc * (1 - icc))
    return ClusterCorrection(corrected, df, 2 * float(stats.t.sf(abs(corrected), df)), icc)


def confounding_reason(n_treated_units: int, unit: str = "district") -> str:
    """Return why the handbook's confounding rule fails the design, or an empty text where it does not.

    Where one side of the comparison is a single unit, the program and all else that is peculiar to that unit cannot
    be told apart.
    """
    if n_treated_units > 1:
        return ""
    return (
        f"Only one {unit} is treated, so the program and everything else that is special about that {unit} cannot "
        "be told apart: a confounding factor under WWC 5.0, whatever the p-value. Only the pooled estimate is eligible."
    )
