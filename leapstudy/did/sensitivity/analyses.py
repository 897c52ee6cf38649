"""Every sensitivity analysis of one question in one record, and as rows of `estimates.csv`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.core.table import records
from leapstudy.data import StudyData
from leapstudy.did.contrasts import clock_of, contrast_between
from leapstudy.did.design import Sample, Spec, build_sample
from leapstudy.did.effect import row_of
from leapstudy.did.eventstudy import EventStudy
from leapstudy.did.honest import Violation
from leapstudy.did.rebound import YEARS
from leapstudy.did.sensitivity.bounds import Bounds, bounds_of, plain_bounds
from leapstudy.did.sensitivity.covariates import Adjusted, adjusted, beyond_recovery, trait_words, traits_before
from leapstudy.did.sensitivity.specifications import specification_curve, summary
from leapstudy.did.sensitivity.trends import in_time, last_year_alone, one_step_up

ALONE = "Robust bounds that let trends depart take two treated units; a page of all together with so many has them."
UNASKED = "Robust bounds that let trends depart were not asked for here, as they take seconds."


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
        build_sample(data, replace(points, outcome=other.outcome), treated, _years(other))
        for other in ([] if chronic is None else [chronic])
    ]
    reasons: list[str] = [] if robust else [UNASKED]
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
        recovery=_attempt(lambda: beyond_recovery(three), reasons),
        covariates=_attempt(lambda: _with_covariates(data, spec, treated), reasons),
        bounds=(
            plain_bounds(attendance),
            *(_robust(attendance, chronic, reasons) if robust else ()),
        ),
        not_possible=tuple(reasons),
    )


def _years(study: EventStudy) -> list[str]:
    return [str(year) for year in study.table["year"]]


def _with_covariates(data: StudyData, spec: Spec, treated: Sequence[str]) -> Adjusted:
    return adjusted(build_sample(data, spec, treated), traits_before(data), trait_words(data))


def _attempt(make: Callable[[], Adjusted], reasons: list[str]) -> Adjusted | None:
    try:
        return make()
    except BadInput as reason:
        reasons.append(str(reason))
        return None


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
