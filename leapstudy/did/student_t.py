"""Quantiles and tails of Student's t, which intervals, p-values and detectable effects are read from.

`scipy.stats` hands them on to `scipy.special` unchanged, and takes 0.7 s to import, half of what a command waits for.
"""

from typing import TypeVar

import numpy as np
from scipy import special

from leapstudy.did.permutation import ALPHA

Number = TypeVar("Number", float, np.ndarray)


def t_critical(df: Number) -> Number:
    """Return how many standard errors a 95% CI reaches to each side; NaN where no degree of freedom is left.

    Examples
    --------
    >>> round(t_critical(17.0), 4)
    2.1098
    """
    return t_quantile(1 - ALPHA / 2, df)


def t_quantile(share: float, df: Number) -> Number:
    """Return the value that a t-statistic stays below with chance `share`.

    Examples
    --------
    >>> round(t_quantile(0.8, 17.0), 4)
    0.8633
    """
    return special.stdtrit(df, share)


def t_above(value: Number, df: float) -> Number:
    """Return the chance of a t-statistic above `value`.

    Examples
    --------
    >>> round(t_above(2.1098, 17.0), 4)
    0.025
    """
    return special.stdtr(df, -value)
