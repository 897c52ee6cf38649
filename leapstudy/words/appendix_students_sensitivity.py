"""Points of the student track's appendix on how sure: earlier months, bounds, other designs, placebos, rebound."""

from typing import Any

import pandas as pd

from leapstudy.core.phrases import between, counted, interval_words, number, percent, points, probability
from leapstudy.core.table import Table
from leapstudy.study.student_results import DESIGN_LABELS
from leapstudy.words.appendix_source import Answer, Source, absent
from leapstudy.words.appendix_students import design_of
from leapstudy.words.bounds import breakdown_words


def pre_trend(source: Source) -> str:
    """The joint test of earlier trends and its power."""
    test = source.at("answer", "pre_trend")
    if not test:
        return "Not possible: too few months precede the visits to test whether both sides moved together."
    return (
        f"Joint test over {counted(test['months'], 'month')} before the visit: {probability(test['p_value'])}; a "
        f"drift of {number(test['mde_pp'])} points a month would have been found with 80% power."
    )


def not_rejected(source: Source) -> str:
    """What that test allows one to say."""
    test = source.at("answer", "pre_trend")
    if not test:
        return "Nothing: there was no test, so that the assumption of point 4 rests on the placebo of point 16 alone."
    verdict = "rejected" if test["p_value"] < 0.05 else "not rejected"
    return (
        f"Equal movement before the visit is {verdict}. Not rejected is not the same as true: see what the test "
        f"could have found."
    )


def bounds(source: Source) -> Answer:
    """Bounds on departures from parallel trends."""
    found = source.at("answer", "bounds")
    if not found:
        return (
            "Not possible: one district's months before the visit are too noisy to measure a departure by; see all "
            f"districts together. {_unobserved(source)}"
        )
    shown = pd.DataFrame(found["table"]).set_axis(["Departure, times the largest before", "Low", "High"], axis=1)
    text = (
        f"The largest change from month to month in {found['months']} months before the visit is "
        f"{number(found['largest_before_pp'])} points; "
        f"{breakdown_words({**found, 'kind': 'relative_magnitudes'})}. {_unobserved(source)}"
    )
    return text, Table(shown, "Robust intervals of the headline (Rambachan and Roth, relative magnitudes), points")


def _unobserved(source: Source) -> str:
    """How strong a reason that nobody recorded must be."""
    found = source.at("unobserved")
    if not found:
        return ""
    return (
        f"A reason that nobody recorded brings the effect to zero if it explains {percent(found['to_zero'])} of what "
        f"is left of who was visited and of later attendance, and lets the 95% CI include zero at "
        f"{percent(found['to_include_zero'])} (Cinelli and Hazlett 2020)."
    )


def inference(source: Source) -> str:
    """Inference that fits the design."""
    r = source.reading
    p = "" if r.p_value is None else f"{probability(r.p_value)}, "
    return (
        f"Errors are clustered by student: {p}{interval_words(r.effect.low, r.effect.high)}. They tell "
        "of chance among students; that districts differ from one another is not in them."
    )


def others(source: Source) -> Answer:
    """A second and a third estimator."""
    rows = [_row(item, item["main"]) for item in source.at("answer", "designs") if item["main"]]
    text = (
        "Each design compares with other students or another base; rows are named in estimates.csv. Which of them to "
        "believe is a matter of point 16, not of which is in the middle."
    )
    return text, Table(pd.DataFrame(rows, columns=_NAMES), f"The designs side by side, {source.reading.post}, points")


def covariates(source: Source) -> str:
    """With and without covariates."""
    own, plain = design_of(source)["main"], design_of(source, "not_yet")["main"]
    if not plain:
        return absent("design without strata")
    return (
        "The one trait that is adjusted for, saturated, is the band of absence before the visit: with it "
        f"{points(own['estimate_pp'])}, without it {points(plain['estimate_pp'])} points. Nothing after the visit is "
        "adjusted for."
    )


def placebos(source: Source) -> Answer:
    """Placebos where nobody was visited."""
    rows = [_row(item, item["placebo"]) for item in source.at("answer", "designs") if item["placebo"]]
    if control := source.at("answer", "control"):
        rows.append(("referred and not met", *_row(design_of(source), control)[1:]))
    if not rows:
        return (
            "Not possible: the files hold too few months before the first visit, and too few students who were "
            "referred and not met."
        )
    text = (
        "Rebound removal: the district's own referral rule is put by lot to months before there was any visit, as if "
        "those it picks had been visited; zero is expected. It cannot see why staff picked one student rather than "
        "another. Students who were referred and not met can show that: for them zero is expected too, and an effect "
        "is claimed only beyond what they show. Leaving one district out is a matter of all districts together."
    )
    return text, Table(pd.DataFrame(rows, columns=_NAMES), "What each design finds where nobody was visited, points")


def rebound(source: Source) -> str:
    """Regression to the mean."""
    found = design_of(source, "before_after")["placebo"]
    if not found:
        return "Not possible: the files hold too few months before the first visit to show the rebound."
    return (
        f"Students whom the rule would have picked before there was any visit rise by {points(found['estimate_pp'])} "
        f"points ({between(found['ci_low_pp'], found['ci_high_pp'])}) over {source.reading.post}, unvisited: so much "
        "of a plain comparison of before and after is rebound."
    )


_NAMES = ["Design", "Estimate", "Low", "High", "p", "Compared with"]


def _row(item: dict[str, Any], row: dict[str, Any]) -> tuple[Any, ...]:
    label = {str(name): text for name, text in DESIGN_LABELS.items()}[item["name"]]
    return label, row["estimate_pp"], row["ci_low_pp"], row["ci_high_pp"], _p(row["p_value"]), row["comparison"]


def _p(value: float | None) -> str:
    return "–" if value is None else probability(value).removeprefix("p ").removeprefix("= ")
