"""ATT(g,t) among students at risk of a first visit in month g: strata are drawn anew for each g."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.did.staggered.aggregate import Averages
from leapstudy.did.staggered.att_gt import att_gt
from leapstudy.did.staggered.att_gt_record import AttGt, Refusal
from leapstudy.did.staggered.card import Effects
from leapstudy.did.staggered.choices import Choices
from leapstudy.did.staggered.effects import cell_drift, cs_card
from leapstudy.students.moments.influence import Influence
from leapstudy.students.moments.record import Moments


@dataclass(frozen=True, slots=True)
class RiskSets:
    """ATT(g,t) of every cohort, each from the moments of its own risk set.

    Attributes
    ----------
    att : dict of float to AttGt
        By cohort, in order; cohorts of which nothing was estimated are left out.
    refused : tuple of Refusal
        Of all risk sets.
    """

    att: dict[float, AttGt]
    refused: tuple[Refusal, ...]

    @property
    def cohort(self) -> np.ndarray:
        """Cohort of each estimate, shape (K,)."""
        return self._joined("cohort")

    @property
    def period(self) -> np.ndarray:
        """Month of each estimate, shape (K,)."""
        return self._joined("period")

    @property
    def estimate(self) -> np.ndarray:
        """ATT(g,t) in percentage points, shape (K,)."""
        return self._joined("estimate")

    @property
    def cohort_weight(self) -> np.ndarray:
        """Sum of weights of each estimate's cohort, shape (K,)."""
        return self._joined("cohort_weight")

    @property
    def overlap(self) -> np.ndarray:
        """Share of the visited students that each estimate covers, shape (K,)."""
        return self._joined("overlap")

    def _joined(self, name: str) -> np.ndarray:
        return np.concatenate([getattr(one, name) for one in self.att.values()])


def att_gt_by_risk_set(risk_sets: Mapping[float, Moments], choices: Choices) -> RiskSets:
    """Estimate each cohort among the students who were at risk with it.

    Parameters
    ----------
    risk_sets
        By cohort g: the moments of the students not visited before g, with strata that may depend on g (such as absence
        in the months before it).
    choices
        As for `att_gt`; `by_stratum` is what makes the design.

    Raises
    ------
    BadInput
        If no cohort can be estimated.

    Notes
    -----
    Matching on history within the risk set (Imai, Kim and Wang 2023, American Journal of Political Science 67) by
    saturated strata, so that each ATT(g,t) is Callaway and Sant'Anna's with covariates known before g.
    """
    found = {g: att_gt(risk_sets[g], choices, np.array([g])) for g in sorted(risk_sets)}
    refused = tuple(item for one in found.values() for item in one.refused)
    kept = {g: one for g, one in found.items() if one.cells}
    if not kept:
        reasons = sorted({item.reason for item in refused})
        raise BadInput(f"No cohort can be estimated in its risk set: {'; '.join(reasons) or 'there is no risk set'}.")
    return RiskSets(kept, refused)


def risk_set_influence(risk_sets: Mapping[float, Moments], found: RiskSets, made: Averages) -> dict[float, Influence]:
    """Return, by risk set, each student's influence on the averages (A + 1 rows, the overall last).

    A student stands in several risk sets; what it adds to an estimate is the sum over them, and only the engine's
    second pass can square that sum. For estimates of one cohort the moments are enough.
    """
    parts, start = {}, 0
    for g, one in found.att.items():
        columns = slice(start, start + len(one.cells))
        own = one.influence(made.combination[:, columns])
        share = made.share_slope[:, columns].sum(axis=1, keepdims=True) * (risk_sets[g].cohort == g)
        parts[g] = Influence(own.intercept + share, own.slope)
        start = columns.stop
    return parts


def risk_set_effects(found: RiskSets, made: Averages, covariance: np.ndarray, students: tuple[int, int]) -> Effects:
    """Return the averages with the covariance of the engine's second pass.

    Parameters
    ----------
    found, made
        Estimates by risk set, and their averages.
    covariance
        Shape (A + 1, A + 1), students as clusters.
    students
        Number of visited and of comparison students, each counted once.
    """
    choices = next(iter(found.att.values())).choices
    drift = np.concatenate([cell_drift(one) for one in found.att.values()])
    overlap = float(made.combination[-1] @ found.overlap)
    return Effects(
        np.append(made.key, np.nan),
        np.append(made.estimate, made.overall),
        covariance,
        made.combination @ drift,
        float("inf"),
        "student",
        cs_card("cs_risk_set", choices, "student", *students, overlap),
    )
