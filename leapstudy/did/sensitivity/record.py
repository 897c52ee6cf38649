"""What the sensitivity analyses found, as frozen records in percentage points."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class Adjusted:
    """An effect estimated another way, with its t interval.

    Attributes
    ----------
    estimate_pp, se_pp, low_pp, high_pp : float
        The effect, its standard error and 95% interval. With one treated district the error is that of a prediction.
    df, p_value : float
        Degrees of freedom, and the two-sided p-value.
    n_treated, n_comparison : int
        Districts on each side; a comparison district without a covariate is left out.
    note : str
        What the estimate rests on here, in one sentence.
    """

    estimate_pp: float
    se_pp: float
    low_pp: float
    high_pp: float
    df: float
    p_value: float
    n_treated: int
    n_comparison: int
    note: str = ""


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


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Everything that was bent; all frames in percentage points.

    Attributes
    ----------
    curve : DataFrame
        One row a specification, see `specifications.specification_curve`.
    summary : dict
        Counts over the curve, see `specifications.summary`.
    in_time : DataFrame
        outcome, pre, post, estimate_pp, low_pp, high_pp, p_value, p_method: the same computation where every year lies
        before the program, so that zero is expected.
    one_step_up : DataFrame
        outcome, year, pre, model ("parallel trends", "linear trends", "difference"), estimate_pp, se_pp, low_pp,
        high_pp, p_value, p_method, is_placebo.
    recovery : Adjusted or None
        The effect beyond the recovery of districts without the program.
    covariates : Adjusted or None
        The spec's contrast with regression adjustment.
    bounds : tuple of Bounds
        Empty where they were not asked for or cannot be made.
    not_possible : tuple of str
        What could not be made, each with its reason.
    """

    curve: pd.DataFrame
    summary: dict[str, int]
    in_time: pd.DataFrame
    one_step_up: pd.DataFrame
    recovery: Adjusted | None
    covariates: Adjusted | None
    bounds: tuple[Bounds, ...]
    not_possible: tuple[str, ...]
