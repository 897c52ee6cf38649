"""Rambachan and Roth's bounds on a path of effects by event time, from its full covariance matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.did.honest import Violation, breakdown, honest_bounds
from leapstudy.did.staggered.card import Effects


@dataclass(frozen=True, slots=True)
class Path:
    """What `honest_bounds` takes: coefficients in order of time without the reference, and weights on those after."""

    estimate: np.ndarray
    covariance: np.ndarray
    n_pre: int
    n_post: int
    weights: np.ndarray


def honest_path(effects: Effects, window: tuple[int, int], events: tuple[int, int], even: bool = True) -> Path:
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
        Refuse a path whose steps are not all one month long. A change of slope (smoothness) makes no sense on another; a
        restriction from step to step (relative magnitudes) does, if a summer may count as one step.

    Raises
    ------
    BadInput
        If the base varies, an event time in the window is missing, or the average lies outside it.
    """
    reference = -1 - effects.card.anticipation
    wanted = np.array([key for key in range(window[0], window[1] + 1) if key != reference])
    places = [np.flatnonzero(effects.key == key) for key in wanted]
    missing = [int(key) for key, place in zip(wanted, places, strict=True) if not len(place)]
    if missing or not wanted[0] < reference < events[0] <= events[1] <= window[1]:
        raise BadInput(
            f"Robust bounds for months {events[0]} to {events[1]} need every month of the window {window} around the base "
            f"month {reference}; missing: {missing}. Choose a window that the data fill."
        )
    rows = np.concatenate(places)
    if even and not np.allclose(effects.drift[rows], wanted - reference):
        raise BadInput(
            "Robust bounds need one base for all months: estimate with base='universal', without an early base window, and "
            "where summers interrupt the months, on `instructional` moments."
        )
    after = wanted[wanted > reference]
    inside = (after >= events[0]) & (after <= events[1])
    return Path(
        effects.estimate[rows], effects.covariance[np.ix_(rows, rows)], int((wanted < reference).sum()), len(after),
        inside / inside.sum(),
    )  # fmt: skip


def path_bounds(path: Path, kind: Violation, grid: Sequence[float]) -> pd.DataFrame:
    """Return the robust intervals of the path's average; see `honest_bounds`."""
    return honest_bounds(path.estimate, path.covariance, path.n_pre, path.n_post, path.weights, kind, grid)


def path_breakdown(path: Path, kind: Violation, largest: float) -> float:
    """Return the violation at which the path's average can no longer be told from zero; see `breakdown`."""
    return breakdown(path.estimate, path.covariance, path.n_pre, path.n_post, path.weights, kind, largest)
