"""Covariance of estimates from students' influence, with students or districts as clusters."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.students.moments.influence import Influence, covariance, district_sums
from leapstudy.students.moments.record import NEVER, Moments

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
