"""Every estimator on the same moments, side by side: a reader sees what the choice of estimator does."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.did.staggered.att_gt import att_gt
from leapstudy.did.staggered.card import Effects
from leapstudy.did.staggered.choices import Choices
from leapstudy.did.staggered.clustered import Cluster
from leapstudy.did.staggered.effects import cs_effects, imputation_effects, regression_effects
from leapstudy.did.staggered.imputation import imputation
from leapstudy.did.staggered.stacked import stacked
from leapstudy.did.staggered.sun_abraham import sun_abraham
from leapstudy.did.staggered.twfe import event_study, twfe
from leapstudy.students.moments.record import NEVER, Moments


@dataclass(frozen=True, slots=True)
class SideBySide:
    """What each estimator found, by name and in order, and why one could not be made."""

    effects: dict[str, Effects]
    refused: dict[str, str]


def side_by_side(moments: Moments, window: tuple[int, int], cluster: Cluster = "student") -> SideBySide:
    """Fit every estimator.

    Parameters
    ----------
    moments
        Sums by cell.
    window
        First and last event time of the stacked experiments and of the event study's own dummies.
    cluster
        Whose errors may hang together.
    """
    made: dict[str, Callable[[], Effects]] = {
        "cs_never": lambda: _cs(moments, Choices(base="universal"), cluster),
        "cs_not_yet": lambda: _cs(moments, Choices(control="not_yet", base="universal"), cluster),
        "sun_abraham": lambda: regression_effects(moments, sun_abraham(moments), "sun_abraham", cluster),
        "imputation": lambda: imputation_effects(moments, imputation(moments), cluster),
        "stacked": lambda: regression_effects(moments, stacked(moments, window), "stacked", cluster),
        "event_study": lambda: regression_effects(moments, event_study(moments, window=window), "event_study", cluster),
        "twfe": lambda: regression_effects(moments, twfe(moments), "twfe", cluster),
    }
    effects, refused = {}, {}
    for name, make in made.items():
        try:
            effects[name] = make()
        except BadInput as error:
            refused[name] = str(error)
    return SideBySide(effects, refused)


def _cs(moments: Moments, choices: Choices, cluster: Cluster) -> Effects:
    return cs_effects(moments, att_gt(moments, choices), cluster=cluster)


def by_district(moments: Moments) -> Moments:
    """Return the moments with the district as part of the stratum, so that students compare within their own district.

    Use it with ``Choices(by_stratum=True)`` for all districts together: a month in which one district closed its
    schools then counts on both sides.
    """
    parts = zip(moments.district, moments.stratum, strict=True)
    return replace(moments, stratum=np.array([f"{district} {stratum}".strip() for district, stratum in parts]))


def instructional(moments: Moments) -> Moments:
    """Return the moments with periods counted 0, 1, 2, ... so that summer takes no time.

    A first visit between two periods counts as in the next one. Every estimator then gives its effects by instructional
    months, and the base of all cohorts is month -1, which robust bounds and the event study ask for.
    """
    place = np.searchsorted(moments.periods, moments.cohort).astype(float)
    return replace(
        moments, periods=np.arange(len(moments.periods)), cohort=np.where(moments.cohort < NEVER, place, NEVER)
    )
