"""How strong a reason that nobody recorded would have to be, to explain an effect away.

Cinelli, C., and C. Hazlett (2020), Making Sense of Sensitivity: Extending Omitted Variable Bias, Journal of the Royal
Statistical Society B 82(1). Strength is a share of variance that the reason explains of what is left, once of who was
visited and once of the outcome. Their formulas are of one regression; for an average of comparisons within risk sets
they hold as those of the regression with the same t statistic and degrees of freedom.
"""

import math
from dataclasses import dataclass

from scipy import stats

from leapstudy.core.errors import BadInput
from leapstudy.did.permutation import ALPHA


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
    critical = float(stats.t.ppf(1 - ALPHA / 2, df - 1)) / math.sqrt(df - 1)
    return Strength(_value(f), _included(f, critical), f**2 / (1 + f**2))


def _value(f: float) -> float:
    return (math.sqrt(f**4 + 4 * f**2) - f**2) / 2


def _included(f: float, critical: float) -> float:
    if f <= critical:
        return 0.0
    if f > 1 / critical:  # so strong that the loss of precision no longer matters
        return (f**2 - critical**2) / (1 + f**2)
    return _value(f - critical)
