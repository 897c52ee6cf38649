"""Trends that were not parallel: placebos in time, and one step up to a linear differential trend."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.did.contrasts import Contrast, contrast_between, event_time, years_label
from leapstudy.did.design import Sample
from leapstudy.did.effect import by_interval

# Years whose mean a placebo in time starts from, as the main contrast does.
YEARS_BEFORE = 2


def in_time(attendance: Sample, *beside: Sample) -> pd.DataFrame:
    """Return the same computation with every year before the program, so that zero is expected.

    Parameters
    ----------
    attendance
        Complete sample over the two years before the start at least.
    *beside
        Complete sample of chronic absence over its years, in points of absence (a plus is worse), where published.

    Returns
    -------
    DataFrame
        outcome, pre, post, estimate_pp, low_pp, high_pp, p_value, p_method. Attendance has one year to test; chronic
        absence has each year that two others go before.
    """
    others = [(sample, item) for sample in beside for item in _windows(sample)]
    tests = [(attendance, _last_before(attendance)), *others]
    return pd.DataFrame([_row(replace(sample, contrast=item)) for sample, item in tests])


def _last_before(sample: Sample) -> Contrast:
    """Return the placebo of the last year before the start against the one before it."""
    first, second = sample.years_before[-2:]
    return contrast_between((first,), (second,), "placebo")


def _windows(sample: Sample) -> Iterator[Contrast]:
    years = sample.years_before
    for place in range(YEARS_BEFORE, len(years)):
        yield contrast_between(years[place - YEARS_BEFORE : place], (years[place],), "placebo")


def _row(sample: Sample) -> dict[str, Any]:
    """Return a row; without error, interval and p-value where the districts do not vary."""
    figures = by_interval(sample)
    return {
        "outcome": sample.spec.outcome,
        "pre": years_label(sample.contrast.pre),
        "post": years_label(sample.contrast.post),
        **{name.removeprefix("ci_"): value for name, value in figures.items()},
        "p_method": "welch_t" if len(sample.treated) > 1 else "permutation",
    }


def trend_lines(y: np.ndarray, before: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return each district's own line through its years before, drawn on over all years.

    Parameters
    ----------
    y : ndarray, shape (districts, years)
        The outcome.
    before : ndarray, shape (years,)
        True for the years before the program, at least two.
    times : ndarray, shape (years,)
        When each year is.
    """
    x = np.column_stack([np.ones(len(times)), times.astype(float)])
    coefficients = np.linalg.lstsq(x[before], y[:, before].T, rcond=None)[0]
    return (x @ coefficients).T


def one_step_up(sample: Sample, contrast: Contrast) -> pd.DataFrame:
    """Return the effect under parallel trends, under linear differential trends, and the difference of the two.

    Parameters
    ----------
    sample
        Complete sample over the contrast's years, in points.
    contrast
        Its years before carry each district's own line: two of them pass it exactly, so that it has no check.

    Returns
    -------
    DataFrame
        One row a model: model, is_placebo, and the columns of `in_time` with se_pp.

    Notes
    -----
    "One step up" (Bilinski and Hatfield 2018): not whether a trend is found, but how far the answer moves when one is
    allowed for. A linear trend of each district's own is taken off, which changes nothing else, so that all three come
    from the ordinary 2x2 with its own inference.
    """
    one_step = replace(sample, contrast=contrast)
    before = np.isin(np.array(sample.years), contrast.pre)
    times = np.array([event_time(year, sample.start) for year in sample.years])
    one_step = replace(one_step, by_start=None)  # what follows changes the figures, and shuffles nothing
    lines = [trend_lines(y, before, times) for y in (sample.y_treated, sample.y_comparison)]
    models = {
        "parallel trends": one_step,
        "linear trends": replace(
            one_step, y_treated=sample.y_treated - lines[0], y_comparison=sample.y_comparison - lines[1]
        ),
        "difference": replace(one_step, y_treated=lines[0], y_comparison=lines[1]),
    }
    placebo = event_time(contrast.post[-1], sample.start) < 0
    return pd.DataFrame([{"model": name, "is_placebo": placebo, **_row(item)} for name, item in models.items()])


def last_year_alone(sample: Sample) -> Contrast:
    """Return the contrast of all years of a sample but the last to the last: a placebo where all lie before."""
    return contrast_between(sample.years[:-1], sample.years[-1:], "placebo")
