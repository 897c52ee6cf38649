"""How far may trends depart before the answer changes: robust bounds, and what few years before can carry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leapstudy.did.eventstudy import EventStudy
from leapstudy.did.honest import Violation, breakdown, honest_bounds, with_t

TIMES = (0.0, 1.0)
"""Departures shown, in multiples of the largest one seen before; each takes half a second with nine years."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Robust intervals of one event study's effect as trends are allowed to differ (Rambachan and Roth 2023).

    Attributes
    ----------
    outcome, year : str
        The event study, and the year whose coefficient is bounded.
    is_placebo : bool
        Whether that year lies before the program, so that zero is expected.
    kind : str
        "smoothness" (the differential slope changes by at most `m` points a year; at 0 the differential trend is a
        straight line), "relative_magnitudes" (no year's differential change is above `m` times the largest one before),
        or "parallel" where only the interval under parallel trends can be given.
    n_pre : int
        Coefficients before: what the bounds can be judged by.
    table : DataFrame
        m, low_pp, high_pp: one row a size of departure.
    breakdown : float or None
        Smallest departure at which the interval includes zero (0: it does so without any); None beyond the table.
    largest_before : float or None
        Largest change of the differential slope ("smoothness") or of the difference itself from one year to the next
        before, points; None for "parallel".
    """

    outcome: str
    year: str
    is_placebo: bool
    kind: str
    n_pre: int
    table: pd.DataFrame
    breakdown: float | None
    largest_before: float | None


def plain_bounds(study: EventStudy) -> Bounds:
    """Return the bounds without any departure for the program's first year: its own 95% interval.

    Where this interval includes zero already, no departure is needed to overturn an effect: the breakdown value is 0,
    and otherwise unknown.
    """
    row = study.table[study.table["event_time"] == 0].iloc[0]
    low, high = float(row["low_pp"]), float(row["high_pp"])
    table = pd.DataFrame({"m": [0.0], "low_pp": [low], "high_pp": [high]})
    n_pre = int((~study.table["is_reference"] & (study.table["event_time"] < 0)).sum())
    return Bounds(
        study.outcome, str(row["year"]), False, "parallel", n_pre, table, 0.0 if low <= 0 <= high else None, None
    )


def robust_bounds(study: EventStudy, kind: Violation, times: Sequence[float] = TIMES) -> Bounds:
    """Return robust bounds for the year after the reference year of an event study.

    For chronic absence that year may lie before the program, so that zero is expected: it shows how the method
    fares where nine years of trends are known. For attendance it is the program's first year, with one change before.

    Parameters
    ----------
    study
        The event study; its reference year has all earlier years before it.
    kind
        Restriction of Rambachan and Roth (2023), through `did.honest`.
    times
        Departures to show, in multiples of the largest one seen before. The last is where the breakdown value is
        sought.

    Raises
    ------
    BadInput
        If too few years lie before for this restriction.
    """
    shown = study.table[~study.table["is_reference"]]
    b = shown["estimate_pp"].to_numpy(float)
    reference = int(study.table.loc[study.table["is_reference"], "event_time"].iloc[0])
    before = (shown["event_time"] < reference).to_numpy()
    order = [*np.flatnonzero(before), *np.flatnonzero(~before)]
    n_pre = int(before.sum())
    largest = largest_before(b[before], kind)
    unit = largest if kind == "smoothness" else 1.0
    t = float(((shown["high_pp"] - shown["estimate_pp"]) / shown["se_pp"]).iloc[0])
    problem = with_t(b[order], study.covariance.to_numpy()[np.ix_(order, order)], n_pre, t)
    found = honest_bounds(problem, kind, [unit * factor for factor in times])
    table = found.rename(columns={"bound": "m"})[["m", "low_pp", "high_pp"]]
    year, placebo = str(shown["year"].iloc[order[n_pre]]), bool(shown["event_time"].iloc[order[n_pre]] < 0)
    first = table.iloc[0]
    broken = 0.0 if first["low_pp"] <= 0 <= first["high_pp"] else breakdown(problem, kind, unit * max(times))
    return Bounds(study.outcome, year, placebo, kind, n_pre, table, broken if np.isfinite(broken) else None, largest)


def largest_before(before: np.ndarray, kind: Violation) -> float:
    """Return the largest change over the coefficients before and the reference: of the slope, or from year to year."""
    return float(np.abs(np.diff(np.append(before, 0.0), n=2 if kind == "smoothness" else 1)).max(initial=0.0))
