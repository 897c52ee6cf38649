"""Every sensitivity analysis of one question in one record, and as rows of `estimates.csv`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.errors import attempt
from leapstudy.core.estimate import Estimate
from leapstudy.core.table import records
from leapstudy.data import StudyData
from leapstudy.did.contrasts import Contrast, clock_of, contrast_between, event_time, years_label
from leapstudy.did.design import Sample, Spec, build_sample
from leapstudy.did.effect import by_interval, row_of
from leapstudy.did.eventstudy import EventStudy
from leapstudy.did.honest import Violation
from leapstudy.did.rebound import YEARS
from leapstudy.did.sensitivity.bounds import Bounds, bounds_of, plain_bounds
from leapstudy.did.sensitivity.covariates import Adjusted, adjusted, beyond_recovery, trait_words, traits_before
from leapstudy.did.sensitivity.specifications import specification_curve, summary

# Years whose mean a placebo in time starts from, as the main contrast does.
YEARS_BEFORE = 2
ALONE = "Robust bounds that let trends depart take two treated units; a page of all together with so many has them."
UNASKED = "Robust bounds that let trends depart were not asked for here, as they take seconds."


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


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Every assumption relaxed; all frames in percentage points.

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
        The effect adjusted for rebound, as districts without the program show it.
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


def examine(
    data: StudyData,
    spec: Spec,
    treated: Sequence[str],
    attendance: EventStudy,
    chronic: EventStudy | None,
    *,
    robust: bool = True,
) -> Sensitivity:
    """Relax every assumption of one question in turn.

    Raises
    ------
    BadInput
        If the question itself cannot be asked. An analysis that cannot be made is listed with its reason instead.
    """
    points = replace(spec, scale="points")
    years = list(map(clock_of(data.state, data.starts, treated).label, YEARS))
    three = build_sample(data, replace(points, weights="equal"), treated, years)
    own = build_sample(data, points, treated, years)
    beside = [
        build_sample(data, replace(points, outcome=other.outcome), treated, list(map(str, other.table["year"])))
        for other in ([] if chronic is None else [chronic])
    ]
    reasons: list[str] = [] if robust else [UNASKED]
    recovery, why_no_recovery = attempt(beyond_recovery, three)
    covariates, why_no_covariates = attempt(
        adjusted, build_sample(data, spec, treated), traits_before(data), trait_words(data)
    )
    reasons += filter(None, (why_no_recovery, why_no_covariates))
    curve = specification_curve(data, spec, treated)
    steps = [
        one_step_up(own, contrast_between(own.years_before, (own.start,), "main")),
        *(one_step_up(nine, last_year_alone(nine)) for nine in beside),
    ]
    return Sensitivity(
        curve=curve,
        summary=summary(curve),
        in_time=in_time(own, *beside),
        one_step_up=pd.concat(steps, ignore_index=True),
        recovery=recovery,
        covariates=covariates,
        bounds=(plain_bounds(attendance), *(_robust(attendance, chronic, reasons) if robust else ())),
        not_possible=tuple(reasons),
    )


def _robust(attendance: EventStudy, chronic: EventStudy | None, reasons: list[str]) -> Iterator[Bounds]:
    if attendance.n_treated == 1:
        reasons.append(ALONE)
        return
    # a change of slope takes two years before, of which attendance has one
    studies: list[tuple[EventStudy, tuple[Violation, ...]]] = [(attendance, ("relative_magnitudes",))]
    if chronic is not None:
        studies.append((chronic, ("relative_magnitudes", "smoothness")))
    for study, kinds in studies:
        bounds, reasons_against = bounds_of(study, kinds)
        reasons += reasons_against
        yield from bounds


def estimate_rows(analyses: Sensitivity, sample: Sample, code: str, district: str) -> list[Estimate]:
    """Return the adjusted effects as rows of `estimates.csv`, distinguished by `estimator`.

    `did_one_step_up` removes each district's own linear trend, `did_rebound_adjusted` what its fall predicts,
    `did_covariates` what its traits predict. The specification curve is no rows: it is in the result file.
    """
    one = partial(row_of, sample, code, district)
    steps = records(analyses.one_step_up)
    step = next(item for item in steps if item["model"] == "linear trends" and not item["is_placebo"])
    ends = [None if pd.isna(step[name]) else step[name] for name in ("low_pp", "high_pp")]
    main: dict[str, Any] = {"pre": step["pre"], "post": step["post"]}
    test: dict[str, Any] = {"p_value": step["p_value"], "p_method": step["p_method"]}
    rows = [one("did_one_step_up", (step["estimate_pp"], step["se_pp"], *ends), **main, **test)]
    adjustments: tuple[tuple[str, Adjusted | None, dict[str, Any]], ...] = (
        ("did_rebound_adjusted", analyses.recovery, main),
        ("did_covariates", analyses.covariates, {}),
    )
    for estimator, item, years in adjustments:
        if item is not None:
            interval = (item.estimate_pp, item.se_pp, item.low_pp, item.high_pp)
            sides: dict[str, Any] = {"n_treated": item.n_treated, "n_comparison": item.n_comparison}
            rows.append(one(estimator, interval, **years, **sides, p_value=item.p_value, p_method="t"))
    return rows
