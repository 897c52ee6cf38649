"""The study's estimators for any frame, its panel among them; see `leapstudy.diff_in_diff` and those beside it."""

from typing import Any

from leapstudy.did.frames import cohorts, two_sides
from leapstudy.did.frames.cohorts import AttGtResult
from leapstudy.did.frames.read import Columns
from leapstudy.did.frames.results import DidResult, EventStudyResult
from leapstudy.did.frames.two_sides import SEED, RowsResult
from leapstudy.did.staggered.att_gt import Base, Choices, Control


def diff_in_diff(
    data: Any,
    *,
    outcome: str = "rate_pct",
    unit: str = "district_code",
    time: str = "year",
    treated: str | None = "treated",
    post: str | None = "post",
    first_treated: str | None = None,
    weights: str | None = "weight",
    cluster: str | None = None,
    seed: int = SEED,
) -> DidResult:
    """Estimate the effect by difference-in-differences, for the study's panel or any frame.

    The mean change of the treated units, from all times before the start to all times from it on, less that of the
    comparison units.

    Parameters
    ----------
    data : DataFrame
        One row a unit and time; pandas, or what has `to_pandas()`. It is not changed.
    outcome, unit, time
        Columns. Times are whole numbers (from 10,000 on, or with steps of 80 and
        more, such as 202012 or 1718, they count by their order), dates, or text
        in order.
    treated, post
        Column of 0 and 1: treated in this row. Where it is the same in all rows of a unit, `post` says from when on.
        `post` and `weights` are taken if the frame has them.
    first_treated
        Instead of both: column with each unit's first treated time, empty for never.
    weights
        Column; where it changes, its mean before the start counts, which the treatment cannot move.
    cluster
        Column of clusters; errors are then clustered, where two clusters or more have treated units.
    seed
        Of the shuffles.

    Returns
    -------
    DidResult
        `estimate`, `ci_low`, `ci_high`, `p_value`, `.finding`, `.to_frame()` (every test), `.plot()`.

    Raises
    ------
    BadInput
        For a frame that cannot be carried: missing values, gaps, duplicates, several starts, nobody to compare with.

    Notes
    -----
    One treated unit: exact permutation over all placements, studentized by each unit's own noise where there are two
    times before (MacKinnon and Webb 2020), beside the t test with C - 1 degrees of freedom (Donald and Lang 2007).
    More: shuffled labels, with an interval that allows for unequal variances (Welch 1947). Clusters: ``G / (G - 1)``
    and t with G - 1.

    Examples
    --------
    >>> import leapstudy as ls
    >>> result = ls.diff_in_diff(ls.panel())
    >>> round(result.estimate, 10)
    -0.3358596491
    """
    columns = Columns(outcome, unit, time, treated, post, first_treated, weights, cluster)
    return two_sides.diff_in_diff(data, columns, seed)


def event_study(
    data: Any,
    *,
    outcome: str = "rate_pct",
    unit: str = "district_code",
    time: str = "year",
    treated: str | None = "treated",
    post: str | None = "post",
    first_treated: str | None = None,
    weights: str | None = "weight",
    reference: Any = None,
    seed: int = SEED,
) -> EventStudyResult:
    """Estimate the difference between the two sides at every time, less that of a reference time.

    Parameters
    ----------
    data, outcome, unit, time, treated, post, first_treated, weights, seed
        As in `leapstudy.diff_in_diff`.
    reference
        The time that is set to zero; the last before the start by default.

    Returns
    -------
    EventStudyResult
        `.table` with pointwise and simultaneous 95% intervals, `.joint_p`, `.finding`, `.plot()`.

    Raises
    ------
    BadInput
        As in `leapstudy.diff_in_diff`, and for a reference that is no time of the frame.

    Notes
    -----
    With one treated unit its noise is taken to be that of the comparison units. Bands: sup-t (Montiel Olea and
    Plagborg-Moller 2019). Joint test before the start: Hotelling's T squared.

    Examples
    --------
    >>> import leapstudy as ls
    >>> ls.event_study(ls.panel(years="all")).to_frame()[["event_time", "estimate"]].round(3)
       event_time  estimate
    0          -2     1.093
    1          -1     0.000
    2           0     0.211
    3           1     0.321
    """
    columns = Columns(outcome, unit, time, treated, post, first_treated, weights)
    return two_sides.event_study(data, columns, reference, seed)


def att_gt(
    data: Any,
    *,
    outcome: str = "rate_pct",
    unit: str = "district_code",
    time: str = "year",
    treated: str | None = "treated",
    post: str | None = "post",
    first_treated: str | None = None,
    weights: str | None = "weight",
    cluster: str | None = None,
    strata: str | None = None,
    control: Control = "never",
    base: Base = "varying",
    anticipation: int = 0,
    seed: int = SEED,
) -> AttGtResult:
    """Estimate effects by start and time, for units that start at times of their own (Callaway and Sant'Anna 2021).

    Parameters
    ----------
    data, outcome, unit, time, treated, post, first_treated, weights, cluster, seed
        As in `leapstudy.diff_in_diff`. A weight must not change within a unit.
    strata
        Column whose values are compared among themselves only (saturated regression adjustment).
    control
        "never": compare with units that do not start by the last time; "not_yet": with those not treated yet too.
    base
        "varying": the time before each time before the start; "universal": one time for all of a cohort.
    anticipation
        Times before the start in which units may already respond.

    Returns
    -------
    AttGtResult
        `.table` of ATT(g,t), `.to_frame("event")` and its other averages, `.overall`, `.refused`, `.finding`,
        `.plot()`.

    Raises
    ------
    BadInput
        As in `leapstudy.diff_in_diff`, and where no time after a start can be estimated.

    Examples
    --------
    >>> import leapstudy as ls
    >>> result = ls.att_gt(ls.panel(years="all"))
    >>> result.to_frame("event")[["key", "estimate"]].round(3).head(3)
       key  estimate
    0 -1.0    -1.093
    1  0.0     0.211
    2  1.0     0.321
    """
    columns = Columns(outcome, unit, time, treated, post, first_treated, weights, cluster, strata)
    choices = Choices(control=control, base=base, anticipation=anticipation, by_stratum=strata is not None)
    return cohorts.att_gt(data, columns, choices, seed)


def placebo(
    data: Any,
    *,
    outcome: str = "rate_pct",
    unit: str = "district_code",
    time: str = "year",
    treated: str | None = "treated",
    post: str | None = "post",
    first_treated: str | None = None,
    weights: str | None = "weight",
    seed: int = SEED,
) -> RowsResult:
    """Pretend that the program began earlier: effects before it began are expected to be zero.

    Parameters
    ----------
    data, outcome, unit, time, treated, post, first_treated, weights, seed
        As in `leapstudy.diff_in_diff`. Only times before the real start are used.

    Returns
    -------
    RowsResult
        `.table` with one row a false start, `.finding`, `.plot()`.

    Raises
    ------
    BadInput
        As in `leapstudy.diff_in_diff`, and with one time before the start.

    Examples
    --------
    >>> import leapstudy as ls
    >>> ls.placebo(ls.panel()).table["estimate"].round(2).tolist()
    [-1.09]
    """
    return two_sides.placebo(data, Columns(outcome, unit, time, treated, post, first_treated, weights), seed)


def sensitivity(result: DidResult | EventStudyResult) -> RowsResult:
    """Show what a result rests on.

    Parameters
    ----------
    result
        Of `leapstudy.diff_in_diff`: each time alone and each unit left out. Of `leapstudy.event_study`: the 95%
        interval of the first effect where trends depart by up to 0, 0.5 and 1 times the largest change before the start
        (Rambachan and Roth 2023, relative magnitudes).

    Returns
    -------
    RowsResult
        `.table`, `.finding`, `.plot()`.

    Raises
    ------
    BadInput
        For another result, or an event study without a time before its reference.

    Examples
    --------
    >>> import leapstudy as ls
    >>> print(ls.sensitivity(ls.diff_in_diff(ls.panel())).finding)
    Over 36 changes of units and times the estimate lies between −0.88 and 0.21; as estimated it is −0.34.
    """
    return two_sides.sensitivity(result)
