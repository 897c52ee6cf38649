"""Tests that read the treated district's noise off the comparison districts' residuals."""

from dataclasses import dataclass

import numpy as np

from leapstudy.did.permutation import ALPHA, TIE


@dataclass(frozen=True, slots=True)
class PlaceboTest:
    """An estimate against draws of its error: p-value, floor and 95% interval, on the sample's scale."""

    estimate: float
    p_value: float
    floor: float
    low: float
    high: float


def conley_taber(estimate: float, residuals: np.ndarray, scale: np.ndarray | float = 1.0) -> PlaceboTest:
    """Return the test of an estimate against the comparison districts' residuals.

    Parameters
    ----------
    estimate
        Effect on the treated district.
    residuals : ndarray, shape (C,)
        Change of each comparison district less their mean: draws of the estimate's error if districts are alike.
    scale : ndarray, shape (C,), optional
        What each draw is multiplied by, to give it the treated district's variance; 1 is Conley and Taber (2011).
        With ``sqrt(v(n_0) / v(n_j))`` it is Ferman and Pinto (2019, section 3).

    Notes
    -----
    The comparison mean is taken as known, as in both papers. The interval inverts the two-sided test: estimate plus and
    minus the m-th largest absolute draw, with m = floor(0.05 (C + 1)); infinite where m is zero.
    """
    draws = np.abs(residuals * scale)
    n = len(draws) + 1
    p_value = (1 + int(np.sum(draws >= abs(estimate) - TIE))) / n
    m = int(np.floor(ALPHA * n + TIE))
    reach = float("inf") if m == 0 else float(np.sort(draws)[-m])
    return PlaceboTest(estimate, p_value, 1 / n, estimate - reach, estimate + reach)
