"""How far may trends depart before the answer changes: robust bounds, and what few years before can carry."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from leapstudy.did.contrasts import PROGRAMME_START, event_time
from leapstudy.did.honest import breakdown, honest_bounds
from leapstudy.did.records import EventStudy
from leapstudy.did.sensitivity.record import Bounds

LEAST_BEFORE = 2
"""Coefficients before the programme without which a departure cannot be compared with an earlier one."""
TIMES = (0.0, 0.5, 1.0, 2.0)
"""Departures shown, in multiples of the largest change of slope seen before."""


def plain_bounds(study: EventStudy) -> Bounds:
    """Return the bounds without any departure for the programme's first year: its own 95 % interval.

    One coefficient before cannot say how large departures are, so that no other row can be given. Where this interval
    holds zero already, no departure is needed to overturn an effect: the breakdown value is 0, and otherwise unknown.
    """
    row = study.table[study.table["year"] == PROGRAMME_START].iloc[0]
    low, high = float(row["low_pp"]), float(row["high_pp"])
    table = pd.DataFrame({"m": [0.0], "low_pp": [low], "high_pp": [high]})
    n_pre = int((~study.table["is_reference"] & (study.table["event_time"] < 0)).sum())
    return Bounds(study.outcome, PROGRAMME_START, False, "parallel", n_pre, table, 0.0 if low <= 0 <= high else None, None)  # fmt: skip


def placebo_bounds(study: EventStudy, times: Sequence[float] = TIMES) -> Bounds:
    """Return robust bounds for the year after the reference year of an event study that ends before the programme.

    Zero is due in that year, so that this shows how the method fares where nine years of trends are known.

    Parameters
    ----------
    study
        Event study whose last year is a placebo (chronic absence: 2019-20 with reference 2018-19).
    times
        Departures to show, in multiples of the largest change of slope before.

    Raises
    ------
    LeapstudyError
        If the solver that `moderndid` needs is not installed.

    Notes
    -----
    Smoothness restriction of Rambachan and Roth (2023) through `did.honest`, about 0.5 s a departure; the restriction
    by relative magnitudes takes about 15 s a departure, too long for a page.
    """
    shown = study.table[~study.table["is_reference"]]
    b = shown["estimate_pp"].to_numpy(float)
    before = (shown["event_time"] < event_time(study.reference)).to_numpy()
    order = [*np.flatnonzero(before), *np.flatnonzero(~before)]
    covariance = study.covariance.to_numpy()[np.ix_(order, order)]
    n_pre, weight = int(before.sum()), np.eye(1, int((~before).sum()))[0]
    largest = largest_bend(b[before])
    problem = (b[order], covariance, n_pre, len(weight), weight)
    found = honest_bounds(*problem, "smoothness", [largest * factor for factor in times])
    table = found.rename(columns={"bound": "m"})[["m", "low_pp", "high_pp"]]
    broken = breakdown(*problem, "smoothness", largest * max(times)) if not _holds_zero(table.iloc[0]) else 0.0
    year = str(shown["year"].iloc[order[n_pre]])
    return Bounds(study.outcome, year, year < PROGRAMME_START, "smoothness", n_pre, table, broken if np.isfinite(broken) else None, largest)  # fmt: skip


def largest_bend(before: np.ndarray) -> float:
    """Return the largest change of slope from one step to the next over the coefficients before and the reference."""
    return float(np.abs(np.diff(np.append(before, 0.0), n=2)).max())


def _holds_zero(row: pd.Series) -> bool:
    return bool(row["low_pp"] <= 0 <= row["high_pp"])
