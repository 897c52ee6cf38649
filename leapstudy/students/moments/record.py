"""What leaves the engine, sums over students by cell, never a row; and what a student adds to an estimate.

Every estimator of the student track takes these, and the variance that follows is made of sums over cells, too.
"""

from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option

# Cohort of students who were never visited: later than every month.
NEVER = np.inf


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over students by cell, C cells and T periods.

    A cell is district x cohort x stratum x pattern of periods in which a student is seen, so that inside a cell the
    panel is balanced and nothing is dropped. Between-cluster compression of Wong, Forsell, Lewis, Mao and Wardrop
    (2021, "You Only Compress Once", arXiv 2102.11297). The outcome y is attendance in points (0 to 100) less `shift`.

    Attributes
    ----------
    periods : ndarray of int, shape (T,)
        Periods in order. Months are numbered ``12 * year + month - 1``; only those with any membership are there.
    district, stratum : ndarray of str, shape (C,)
        District code, and stratum ('' where there are none).
    cohort : ndarray of float, shape (C,)
        Period of the first visit on the scale of `periods` (it need not be one of them: summer); `NEVER` = never.
    seen : ndarray of bool, shape (C, T)
        The cell's pattern.
    students : ndarray of int, shape (C,)
        Number of students.
    weight, weight_sq : ndarray, shape (C,)
        Sum of weights w and of w squared; both equal `students` where each student counts once.
    total, total_sq : ndarray, shape (C, T)
        Sum of w y and of w squared y; zero where the cell is not seen.
    cross : ndarray, shape (C, T, T)
        Sum of w squared y_s y_t; zero where not seen. Symmetric.
    shift : float
        Constant that was subtracted from every outcome before summing, against cancellation.
    """

    periods: np.ndarray
    district: np.ndarray
    cohort: np.ndarray
    stratum: np.ndarray
    seen: np.ndarray
    students: np.ndarray
    weight: np.ndarray
    weight_sq: np.ndarray
    total: np.ndarray
    total_sq: np.ndarray
    cross: np.ndarray
    shift: float = 0.0

    def __post_init__(self) -> None:
        """Refuse sums that do not fit together."""
        cells, periods = self.seen.shape
        per_cell = {name: getattr(self, name).shape for name in CELL_FIELDS}
        wrong = [name for name, shape in per_cell.items() if shape[0] != cells]
        if wrong or self.periods.shape != (periods,) or self.cross.shape != (cells, periods, periods):
            raise BadInput(f"These moments do not fit together: {per_cell}. Compute them again.")

    @property
    def cells(self) -> int:
        """Number of cells C."""
        return len(self.students)

    def where(self, cells: np.ndarray) -> "Moments":
        """Return the cells that a boolean or integer index chooses."""
        return replace(self, **{name: getattr(self, name)[cells] for name in CELL_FIELDS})


CELL_FIELDS = tuple(field.name for field in fields(Moments) if field.name not in ("periods", "shift"))


@dataclass(frozen=True, slots=True)
class Influence:
    """Influence of students on K estimates, affine in their outcomes within a cell.

    Student i of cell c, with weight w_i and outcomes y_i (less the moments' shift), moves estimate k by
    ``w_i (intercept[k, c] + slope[k, c] @ y_i)``. A cell that has no part in an estimate has zeros.

    Attributes
    ----------
    intercept : ndarray, shape (K, C)
    slope : ndarray, shape (K, C, T)
        Zero in the periods in which the cell is not seen.
    """

    intercept: np.ndarray
    slope: np.ndarray

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together."""
        if self.slope.shape[:2] != self.intercept.shape:
            raise BadInput(
                f"Influence needs intercept (K, C) and slope (K, C, T); got {self.intercept.shape} and "
                f"{self.slope.shape}."
            )


def covariance(moments: Moments, influence: Influence) -> np.ndarray:
    """Return the covariance of the estimates with students as clusters: the sum of influence products, shape (K, K).

    Per cell the sum over students of ``w^2 (a_k + s_k'y)(a_l + s_l'y)`` is a quadratic form in the cell's sums. It is
    taken about the cell's mean, so that a large common level costs no digits. No small-sample factor.

    Source: Wong, Forsell, Lewis, Mao and Wardrop (2021, arXiv 2102.11297), between-cluster compression.
    """
    _require_fit(moments, influence)
    mean = moments.total_sq / moments.weight_sq[:, None]
    spread = moments.cross - moments.total_sq[:, :, None] * mean[:, None, :]
    level = influence.intercept + np.einsum("kct,ct->kc", influence.slope, mean)
    flat = influence.slope.reshape(len(level), -1)
    by_slope = np.swapaxes(np.swapaxes(influence.slope, 0, 1) @ spread, 0, 1).reshape(flat.shape)
    product = (level * moments.weight_sq) @ level.T + by_slope @ flat.T
    return (product + product.T) / 2


def district_sums(moments: Moments, influence: Influence) -> np.ndarray:
    """Return each district's summed influence, shape (D, K), districts in alphabetical order.

    Their sum of squares is the variance with districts as clusters.
    """
    _require_fit(moments, influence)
    per_cell = influence.intercept * moments.weight + np.einsum("kct,ct->kc", influence.slope, moments.total)
    districts, code = np.unique(moments.district, return_inverse=True)
    return (code == np.arange(len(districts))[:, None]).astype(float) @ per_cell.T


def _require_fit(moments: Moments, influence: Influence) -> None:
    if influence.slope.shape[1:] != moments.seen.shape:
        raise BadInput(
            f"The influence is of cells x periods {influence.slope.shape[1:]}, the moments of {moments.seen.shape}. "
            "Compute the estimates and their errors from the same moments."
        )


# Whose outcomes may hang together: one student's months, or all students of a district.
Cluster = Literal["student", "district"]


@dataclass(frozen=True, slots=True)
class Clustered:
    """Covariance of K estimates.

    Attributes
    ----------
    covariance : ndarray, shape (K, K)
    cluster : Cluster
    clusters : int
        Number of clusters G.
    df : float
        Degrees of freedom of a t statistic: infinite for students, G - 1 for districts.
    """

    covariance: np.ndarray
    cluster: Cluster
    clusters: int
    df: float


def clustered(moments: Moments, influence: Influence, cluster: Cluster = "student") -> Clustered:
    """Return the covariance of estimates; without a small-sample factor for students, with ``G / (G - 1)`` for
    districts.

    Parameters
    ----------
    moments, influence
        From the same estimate.
    cluster
        "student", or "district" where visits were decided by district.

    Raises
    ------
    BadInput
        For districts as clusters where fewer than two districts have visited students, or fewer than three take part.

    Notes
    -----
    With one treated cluster the sum of squared influence is far too small (it rejects a true null 8 times in 10), so it
    is refused. With few districts even the t distribution is a guide only.
    """
    check_option("clustering", cluster, Cluster)
    if cluster == "student":
        return Clustered(covariance(moments, influence), cluster, int(moments.students.sum()), float("inf"))
    districts = np.unique(moments.district)
    visited = np.unique(moments.district[moments.cohort < NEVER])
    if len(visited) < 2 or len(districts) < 3:
        raise BadInput(
            f"District-clustered errors need at least two districts with visited students and three in all; here are "
            f"{len(visited)} and {len(districts)}. Use students as clusters, or a permutation over districts."
        )
    sums = district_sums(moments, influence)
    g = len(districts)
    return Clustered(sums.T @ sums * g / (g - 1), cluster, g, g - 1.0)
