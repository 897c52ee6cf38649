"""What a student adds to an estimate, and the variance that follows from it: sums over cells, never over rows."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.students.moments.record import NEVER, Moments


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
    moved = np.swapaxes(np.swapaxes(influence.slope, 0, 1) @ spread, 0, 1).reshape(flat.shape)
    product = (level * moments.weight_sq) @ level.T + moved @ flat.T
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


Cluster = Literal["student", "district"]
"""Whose outcomes may hang together: one student's months, or all students of a district."""


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
