"""From a path of effects by event time, with its full covariance matrix, to what Rambachan and Roth's bounds take."""

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.did.robust_sets import Problem
from leapstudy.did.staggered.card import Effects


def honest_path(effects: Effects, window: tuple[int, int], events: tuple[int, int], even: bool = True) -> Problem:
    """Return the part of an event study that robust bounds are computed from.

    Parameters
    ----------
    effects
        An event study whose months all have the same base, the last before the visit (`base="universal"`).
    window
        First and last event time in use, such as (-6, 6).
    events
        First and last event time of the average that is bounded, such as (1, 6).
    even
        Refuse a path whose steps are not all one month long. A change of slope (smoothness) makes no sense on another;
        a restriction from step to step (relative magnitudes) does, if a summer may count as one step.

    Raises
    ------
    BadInput
        If the base varies, an event time in the window is missing, or the average lies outside it.
    """
    reference = -1 - effects.card.anticipation
    if reference in effects.key:
        raise BadInput(
            f"Month {reference} has an estimate of its own, so that each earlier month is held against the one before "
            "it, while robust bounds need one base for all months: estimate with base='universal'."
        )
    wanted = np.array([key for key in range(window[0], window[1] + 1) if key != reference])
    places = [np.flatnonzero(effects.key == key) for key in wanted]
    missing = [int(key) for key, place in zip(wanted, places, strict=True) if not len(place)]
    if missing or not wanted[0] < reference < events[0] <= events[1] <= window[1]:
        raise BadInput(
            f"Robust bounds for months {events[0]} to {events[1]} need every month of the window {window} around the "
            f"base month {reference}; missing: {missing}. Choose a window that the data fill."
        )
    rows = np.concatenate(places)
    if even and not np.allclose(effects.drift[rows], wanted - reference):
        raise BadInput(
            "Robust bounds need one base for all months and months that are one apart: estimate with base='universal', "
            "without an early base window, or let steps be uneven (even=False) where summers interrupt the months."
        )
    after = wanted[wanted > reference]
    inside = (after >= events[0]) & (after <= events[1])
    return Problem(
        effects.estimate[rows],
        effects.covariance[np.ix_(rows, rows)],
        int((wanted < reference).sum()),
        len(after),
        inside / inside.sum(),
    )
