"""Regression to the mean taken off: the change beyond what others recovered after a like fall."""

from dataclasses import replace

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.did.contrasts import contrast_between
from leapstudy.did.design import Sample
from leapstudy.did.rebound import LEAST_DISTRICTS, around_start
from leapstudy.did.sensitivity.covariates import Adjusted, in_points, regression_adjusted

BEYOND = "It fell further than any comparison district, or less far: the line goes beyond what was seen."


def beyond_recovery(sample: Sample) -> Adjusted:
    """Return the treated side's change to the first year less what its fall in the year before predicts, with its
    uncertainty.

    Parameters
    ----------
    sample
        A complete sample over the two years before the start and the first one, in points with equal weights.

    Notes
    -----
    Regression adjustment (`covariates.regression_adjusted`) for one trait, the fall itself: the estimate is the mean of
    `rebound`'s gap_pp. One treated district: the interval is that of a prediction. A fall is a noisy trait, which pulls
    the slope towards zero and leaves part of the recovery in the estimate.
    """
    if len(sample.comparison) < LEAST_DISTRICTS:
        raise BadInput(
            f"The effect beyond the recovery of like falls takes {LEAST_DISTRICTS} comparison districts or more; here "
            f"are {len(sample.comparison)}."
        )
    _, last, first = around_start(sample)
    asked = replace(sample, contrast=contrast_between((last,), (first,), "sensitivity"))
    fitted = regression_adjusted(asked, _fall(sample, sample.y_treated), _fall(sample, sample.y_comparison))
    return in_points(fitted, asked, BEYOND if fitted.beyond else "")


def _fall(sample: Sample, y: np.ndarray) -> np.ndarray:
    first, second, _ = sample.columns(around_start(sample))
    return (y[:, second] - y[:, first])[:, None]
