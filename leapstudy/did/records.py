"""What single analyses of the public track return: detectable effect, event study, rebound."""

from dataclasses import dataclass

import pandas as pd
from scipy import stats

from leapstudy.did.contrasts import start_of


@dataclass(frozen=True, slots=True)
class Detectable:
    """What the test that leads could have detected at 5%, in percentage points.

    Attributes
    ----------
    mde_pp, half_pp : float
        The gain found in 80% and in 50% of such studies; infinite where the test cannot reject whatever the effect.
    mde_t_pp : float
        (t(0.975) + t(0.8)) standard errors: what a t test would take, a yardstick for planning.
    se_pp, df : float
        Standard error of the effect and its degrees of freedom.
    floor : float
        The smallest p-value possible.
    keeps_low_pp, keeps_high_pp : float
        Estimates between which the test does not reject zero.
    """

    mde_pp: float
    half_pp: float
    mde_t_pp: float
    se_pp: float
    df: float
    floor: float
    keeps_low_pp: float
    keeps_high_pp: float

    def power(self, effect_pp: float) -> float:
        """Return the chance that the test rejects zero under an effect, in points.

        The estimate's error is t distributed with the study's standard error; what the comparison districts did is
        taken as it was. With a t test it is Bloom's (1995) approximation, 80% at `mde_t_pp`.
        """
        ends = [(end - effect_pp) / self.se_pp for end in (self.keeps_low_pp, self.keeps_high_pp)]
        return float(stats.t.cdf(ends[0], self.df) + stats.t.sf(ends[1], self.df))


@dataclass(frozen=True, slots=True)
class EventStudy:
    """An event study over years, in percentage points.

    `table` has one row a year: year, event_time, estimate_pp, se_pp, low_pp, high_pp (pointwise), low_sup_pp,
    high_sup_pp (simultaneous), mde_pp, is_reference; the reference year is a row of zeros with empty se.
    `joint_p` tests that every coefficient before the program is zero, `slope_mde_pp` is the linear differential
    trend (points a year) that this test would have found with 80% power.
    """

    outcome: str
    comparison: str
    edition: str
    n_treated: int
    n_comparison: int
    reference: str
    table: pd.DataFrame
    sup_t: float
    joint_f: float
    joint_df: tuple[float, float]
    joint_p: float
    slope_mde_pp: float
    covariance: pd.DataFrame

    @property
    def start(self) -> str:
        """The treated districts' first school year with the program, also where the table ends before it."""
        first = self.table.iloc[0]
        return start_of(str(first["year"]), int(first["event_time"]))


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
    slope_se: float
    slope_low: float
    slope_high: float
    intercept: float
    comparison: pd.DataFrame
    treated: pd.DataFrame
    mean_gap_pp: float
    mean_gap_se_pp: float
