"""How far may trends depart, and how strong may an unrecorded reason be, before the answer changes?

Robust bounds say the first, and what few years before can carry. The second follows Cinelli, C., and C. Hazlett (2020),
Making Sense of Sensitivity: Extending Omitted Variable Bias, Journal of the Royal Statistical Society B 82(1). Strength
is a share of variance that the reason explains of what is left, once of who was visited and once of the outcome. Their
formulas are of one regression; for an average of comparisons within risk sets they hold as those of the regression with
the same t statistic and degrees of freedom.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.did.eventstudy import EventStudy
from leapstudy.did.honest import Violation, breakdown, honest_bounds, with_t
from leapstudy.did.spread import t_critical

HOLE = (
    "Robust bounds need earlier figures in a row, and one between them lacks: what is seen over several periods is no "
    "change from one to the next, by which they measure a departure."
)
NOTHING_AFTER = "Robust bounds need a year after the reference, and the years that all starts share end with it."
# Departures shown, in multiples of the largest one seen before.
TIMES = (0.0, 1.0)


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
    steps : int
        School years from the reference to `year`; trends may depart in each of them.
    table : DataFrame
        m, low_pp, high_pp: one row a size of departure a year.
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
    steps: int
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
        study.outcome, str(row["year"]), False, "parallel", n_pre, 1, table, 0.0 if low <= 0 <= high else None, None
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
        If too few years lie before for this restriction, or a year between them has no figures.

    Notes
    -----
    Between the reference and the year after it school years may lack figures. The difference could move in each of
    them, so that over s years it departs by s times as much, and a slope that bends each year by m/2 * s(s + 1). Before
    the reference none may lack: the paper's restrictions are of changes from one period to the next.
    """
    events = study.table[~study.table["is_reference"]]
    b = events["estimate_pp"].to_numpy(float)
    reference = int(study.table.loc[study.table["is_reference"], "event_time"].iloc[0])
    before = (events["event_time"] < reference).to_numpy()
    order = [*np.flatnonzero(before), *np.flatnonzero(~before)]
    n_pre = int(before.sum())
    if n_pre == len(b):
        raise BadInput(NOTHING_AFTER)
    largest = largest_before(b[before], kind)
    unit = largest if kind == "smoothness" else 1.0
    t = float(((events["high_pp"] - events["estimate_pp"]) / events["se_pp"]).iloc[0])
    year, placebo = str(events["year"].iloc[order[n_pre]]), bool(events["event_time"].iloc[order[n_pre]] < 0)
    steps = steps_after([*events.loc[before, "event_time"], reference], int(events["event_time"].iloc[order[n_pre]]))
    slopes = kind == "smoothness"
    covariance = study.covariance.to_numpy()[np.ix_(order, order)]
    problem = with_t(b[order], covariance, n_pre, t, steps if slopes else 1)
    each = 1 if slopes else steps
    intervals = honest_bounds(problem, kind, [unit * factor * each for factor in times])
    table = intervals.assign(m=intervals["bound"] / each)[["m", "low_pp", "high_pp"]]
    first = table.iloc[0]
    breakdown_at = (
        0.0 if first["low_pp"] <= 0 <= first["high_pp"] else breakdown(problem, kind, unit * max(times) * each)
    )
    ends = breakdown_at / each if np.isfinite(breakdown_at) else None
    return Bounds(study.outcome, year, placebo, kind, n_pre, steps, table, ends, largest)


def steps_after(before: Sequence[int], first: int) -> int:
    """Return the periods from the last event time before, the reference, to the `first` after.

    A period is the shortest time between two of them: where figures come every other year, two years.

    Raises
    ------
    BadInput
        If an earlier time lacks.

    Examples
    --------
    >>> steps_after([-4, -3, -2], 0), steps_after([-6, -4, -2], 0)
    (2, 1)
    """
    apart = np.diff([*before, first])
    if (apart[:-1] > apart.min()).any():
        raise BadInput(HOLE)
    return math.ceil(apart[-1] / apart.min())


def bounds_of(study: EventStudy, kinds: Sequence[Violation]) -> tuple[tuple[Bounds, ...], tuple[str, ...]]:
    """Return the robust bounds of each kind that can be made, and why the others cannot."""
    bounds, reasons = [], []
    for kind in kinds:
        try:
            bounds.append(robust_bounds(study, kind))
        except BadInput as reason:
            reasons.append(str(reason))
    return tuple(bounds), tuple(dict.fromkeys(reasons))


def largest_before(before: np.ndarray, kind: Violation) -> float:
    """Return the largest change over the coefficients before and the reference: of the slope, or from year to year."""
    return float(np.abs(np.diff(np.append(before, 0.0), n=2 if kind == "smoothness" else 1)).max(initial=0.0))


@dataclass(frozen=True, slots=True)
class Strength:
    """Shares from 0 to 1.

    Attributes
    ----------
    to_zero : float
        Robustness value: a reason that explains this share of both brings the estimate to zero.
    to_include_zero : float
        The same for a 95% interval that includes zero; 0 where it does without any.
    alone : float
        A reason that explains all that is left of the outcome needs to explain this share of who was visited.
    """

    to_zero: float
    to_include_zero: float
    alone: float


def strength(estimate: float, se: float, df: float) -> Strength:
    """Return how strong an unobserved reason must be.

    Parameters
    ----------
    estimate, se
        An effect and its standard error.
    df
        Degrees of freedom.

    Raises
    ------
    BadInput
        For a standard error that is not above zero, or fewer than two degrees of freedom.

    Examples
    --------
    The Darfur example of the paper (table 1):

    >>> found = strength(0.097, 0.023, 783)
    >>> f"{found.to_zero:.1%}, {found.to_include_zero:.1%}, {found.alone:.1%}"
    '14.0%, 7.7%, 2.2%'
    """
    if not se > 0 or not df >= 2:
        raise BadInput(f"A standard error above 0 and 2 degrees of freedom or more are needed; got {se} and {df}.")
    f = abs(estimate / se) / math.sqrt(df)
    critical = t_critical(df - 1) / math.sqrt(df - 1)
    return Strength(_value(f), _included(f, critical), f**2 / (1 + f**2))


def _value(f: float) -> float:
    return (math.sqrt(f**4 + 4 * f**2) - f**2) / 2


def _included(f: float, critical: float) -> float:
    if f <= critical:
        return 0.0
    if f > 1 / critical:  # so strong that the loss of precision no longer matters
        return (f**2 - critical**2) / (1 + f**2)
    return _value(f - critical)
