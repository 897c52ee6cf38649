"""Regression to the mean: how a rise follows a fall in districts without the program, and what that predicts for the
others.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.did.comparison import comparison_label
from leapstudy.did.design import Sample
from leapstudy.did.nested import clusters_of, jackknifed
from leapstudy.did.spread import LEAST_NOISE, t_critical

# Comparison districts that a line with an error of its own takes.
LEAST_DISTRICTS = 4
# The years of a fall and the rise after it, in used years since the start.
YEARS = (-2, -1, 0)


@dataclass(frozen=True, slots=True)
class Rebound:
    """How the change of a year goes with that of the year before in districts without the program, in points.

    `slope` is the change between the last two of `years` per point of change between the first two
    (-0.8: a point more of a fall goes with 0.8 points more of a rise, whatever the districts fell and rose on average).
    `comparison` has a row a district: district_code, district, fall_pp, rebound_pp. `treated` has the same
    and predicted_pp, predicted_low_pp, predicted_high_pp (95% prediction interval), gap_pp (actual minus predicted).
    """

    group: str
    years: tuple[str, str, str]
    n: int
    slope: float
    slope_low: float
    slope_high: float
    intercept: float
    comparison: pd.DataFrame
    treated: pd.DataFrame
    mean_gap_pp: float


def rebound(sample: Sample, names: dict[str, str]) -> Rebound:
    """Return the slope of the rebound on the fall among comparison districts, and the treated districts against it.

    Parameters
    ----------
    sample
        A complete sample over the two years before the start and the first year with the program, in points.
    names
        District code -> name.

    Raises
    ------
    BadInput
        With fewer than four comparison districts, or where they all fell alike: no line can be drawn.

    Notes
    -----
    Least squares with errors that allow for unequal variances (HC3), or where errors are by cluster the jackknife over
    clusters, whose number less two is then the degrees of freedom; the prediction for a treated district carries the
    spread of single districts around the line.
    """
    fall, back = steps(sample, sample.y_comparison)
    if len(fall) < LEAST_DISTRICTS or np.std(fall) < LEAST_NOISE:
        raise BadInput(
            f"How a rise follows a fall cannot be said: it takes {LEAST_DISTRICTS} comparison units or more that "
            f"fell differently, and here are {len(fall)}{'' if len(fall) < LEAST_DISTRICTS else ' that fell alike'}."
        )
    line, clusters = _line(fall, back), clusters_of(sample)
    low, high = line.slope_interval() if clusters is None else _by_cluster(fall, back, clusters[len(sample.treated) :])
    fall_t, back_t = steps(sample, sample.y_treated)
    expected = line.predicted(fall_t)
    along = expected["mean_pp"].to_numpy()
    treated = _frame(sample.treated, names, fall_t, back_t).assign(
        predicted_pp=along,
        predicted_low_pp=expected["low_pp"].to_numpy(),
        predicted_high_pp=expected["high_pp"].to_numpy(),
        gap_pp=back_t - along,
    )
    return Rebound(
        group=comparison_label(sample.spec.comparison),
        years=around_start(sample),
        n=len(fall),
        slope=line.slope,
        slope_low=low,
        slope_high=high,
        intercept=line.intercept,
        comparison=_frame(sample.comparison, names, fall, back),
        treated=treated,
        mean_gap_pp=float((back_t - along).mean()),
    )


def _by_cluster(fall: np.ndarray, back: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """Return the 95% interval of the slope from leaving out one cluster at a time."""
    n = len(np.unique(clusters))
    if n < LEAST_DISTRICTS:
        raise BadInput(
            f"How a rise follows a fall cannot be said: it takes comparison units of {LEAST_DISTRICTS} clusters or "
            f"more, and here are {n}."
        )
    se = jackknifed(clusters, lambda keep: _line(fall[keep], back[keep]).slope)
    slope, reach = _line(fall, back).slope, t_critical(n - 2)
    return slope - reach * se, slope + reach * se


def predicted(comparison: pd.DataFrame, falls: np.ndarray) -> pd.DataFrame:
    """Return what the line of the comparison districts predicts at some falls.

    Parameters
    ----------
    comparison
        fall_pp, rebound_pp of each comparison district; see `Rebound`.
    falls
        Changes from the first of the years to the second, points.

    Returns
    -------
    DataFrame
        mean_pp, and low_pp and high_pp of the 95% prediction interval of a single district.
    """
    return _line(comparison["fall_pp"].to_numpy(), comparison["rebound_pp"].to_numpy()).predicted(falls)


@dataclass(frozen=True, slots=True)
class _Line:
    """A least-squares line through N districts: `away`, each one's fall less the mean of falls, and its residual."""

    slope: float
    intercept: float
    center: float
    away: np.ndarray
    residual: np.ndarray

    @property
    def reach(self) -> float:
        """Standard errors that a 95% interval reaches."""
        return t_critical(len(self.away) - 2)

    def slope_interval(self) -> tuple[float, float]:
        """Return the 95% interval of the slope (MacKinnon and White 1985, J. Econometrics 29, their HC3)."""
        squares = self.away @ self.away
        leverage = 1 / len(self.away) + self.away**2 / squares
        se = float(np.sqrt(self.away**2 @ (self.residual / (1 - leverage)) ** 2)) / squares
        return self.slope - self.reach * se, self.slope + self.reach * se

    def predicted(self, falls: np.ndarray) -> pd.DataFrame:
        """Return the line at some falls, and the 95% prediction interval of a single district."""
        n = len(self.away)
        variance = self.residual @ self.residual / (n - 2)
        spread = variance * (1 + 1 / n + (falls - self.center) ** 2 / (self.away @ self.away))
        mean, reach = self.intercept + self.slope * falls, self.reach * np.sqrt(spread)
        return pd.DataFrame({"mean_pp": mean, "low_pp": mean - reach, "high_pp": mean + reach})


def _line(fall: np.ndarray, back: np.ndarray) -> _Line:
    away = fall - fall.mean()
    slope = float(away @ back / (away @ away))
    intercept = float(back.mean() - slope * fall.mean())
    return _Line(slope, intercept, float(fall.mean()), away, back - intercept - slope * fall)


def around_start(sample: Sample) -> tuple[str, str, str]:
    """Return the sample's last two years before the start, and the first year with the program."""
    first, second = sample.years_before[-2:]
    return first, second, sample.start


def steps(sample: Sample, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each district's change in the year before the start, and in the first year with the program."""
    first, second, third = (y[:, column] for column in sample.columns(around_start(sample)))
    return second - first, third - second


def _frame(codes: tuple[str, ...], names: dict[str, str], fall: np.ndarray, back: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"district_code": list(codes), "district": [names[code] for code in codes], "fall_pp": fall, "rebound_pp": back}
    )
