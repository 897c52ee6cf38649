"""The technical appendix: what the field demands of a difference-in-differences study, point by point.

Each point is answered from `result.json` with its figure, or with "Not possible: ..." and the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from leapstudy.report.phrases import (
    between,
    comparison_words,
    contrast_words,
    counted,
    number,
    outcome_words,
    percent,
    points,
    probability,
    short,
)
from leapstudy.report.reading import Reading, at, evidence_at, read_result
from leapstudy.report.tables import Table


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the checklist: what is asked, the answer, and a table where the answer has one."""

    number: int
    title: str
    answer: str
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A result in both shapes that the points need."""

    result: Mapping[str, Any]
    reading: Reading

    def at(self, *path: str) -> Any:
        """Return what lies at a path below `blocks`, or None."""
        return at(self.result.get("blocks"), *path)

    def frame(self, *path: str) -> pd.DataFrame | None:
        """Return a frame of the result, or None."""
        columns = self.at(*path)
        return pd.DataFrame(columns) if columns else None


Answer = str | tuple[str, Table | None]


def checklist(result: Mapping[str, Any]) -> tuple[Point, ...]:
    """Return every point of the checklist, answered for one result of the public track."""
    source = Source(result, read_result(result))
    points_ = []
    for place, (title, answer) in enumerate(POINTS, start=1):
        found = answer(source)
        text, table = found if isinstance(found, tuple) else (found, None)
        points_.append(Point(place, title, text, table))
    return tuple(points_)


def absent(what: str) -> str:
    """Return the answer of a point that this result has no figures for."""
    return f"Not possible: this result holds no {what}."


def _estimand(source: Source) -> str:
    r = source.reading
    return (
        f"The district intention-to-treat effect on {outcome_words(r.outcome)}: the mean over treated districts of "
        f"Y(with LEAP) − Y(without LEAP) in {r.post.replace('+', ' and ')}, in percentage points, whether or not a pupil was visited."
    )


def _comparison(source: Source) -> Answer:
    r, rows = source.reading, source.frame("answer", "comparison_districts")
    text = (
        f"{comparison_words(r.comparison)} ({counted(r.n_comparison, 'district')}). Alliance districts are the state's "
        "lowest-performing ones, and so the ones most like those picked for LEAP; the other groups stand beside them as a check."
    )
    return text, None if rows is None else Table(_named(rows), "The comparison districts", 0)


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    names = {
        "district": "District", "students": "Pupils", "drg": "Reference group", "side": "Side",
        "estimate_pp": "Estimate", "placebo_pp": "Placebo effect",
    }  # fmt: skip
    kept = rows[[name for name in names if name in rows]].rename(columns=names)
    return kept.assign(District=kept["District"].map(short))


def _unit(source: Source) -> str:
    weights = at(source.result, "params", "weights") or "equal"
    shown = "equally" if weights == "equal" else "by enrolment before the programme"
    return (
        f"The unit is a district in a school year; the contrast is {contrast_words(source.reading.pre, source.reading.post)}; "
        f"districts are weighted {shown}. {_curve_words(source, 'weights')}"
    )


def _curve(source: Source) -> pd.DataFrame | None:
    return source.frame("sensitivity", "curve")


def _curve_words(source: Source, choice: str) -> str:
    curve = _curve(source)
    if curve is None or choice not in curve:
        return absent("specification curve, so the other choice is not shown")
    means = curve.groupby(choice)["estimate_pp"].agg(["mean", "size"])
    told = "; ".join(
        f"{name}: {points(row['mean'])} on average over {int(row['size'])}" for name, row in means.iterrows()
    )
    return f"Over the specification curve, {told} specifications."


def _trends(source: Source) -> str:
    return (
        "Without LEAP, treated and comparison districts would have changed equally, on average, from the mean of the years "
        f"before to the year after, on the scale of {at(source.result, 'params', 'scale') or 'points'}."
    )


def _anticipation(source: Source) -> str:
    return (
        "It is assumed that nothing changed ahead of summer 2021: LEAP was announced in April 2021 and the first visits were made that summer, "
        "so 2020-21 is a year before the programme."
    )


def _raw(source: Source) -> Answer:
    rows = source.frame("answer", "raw_means")
    if rows is None:
        return absent("raw means")
    wide = rows.pivot(index="label", columns="year", values="rate_pct").reset_index()
    wide["label"] = wide["label"].map(short)
    table = Table(wide.rename(columns={"label": "Group"}), "Mean attendance by year, percent, before any model", 1)
    return "Plotted before any model in the notebook, and here as a table; 2022-23 is year-to-date May 2023.", table


def _event_study(source: Source) -> Answer:
    rows = source.frame("answer", "event_study", "table")
    if rows is None:
        return absent("event study")
    shown = rows[["year", "estimate_pp", "low_pp", "high_pp", "low_sup_pp", "high_sup_pp"]].set_axis(
        ["Year", "Estimate", "Low", "High", "Low, all years", "High, all years"], axis=1
    )
    reference, value = source.at("answer", "event_study", "reference"), source.at("answer", "event_study", "sup_t")
    text = f"Reference year {reference}; pointwise 95 % intervals and a simultaneous band with sup-t value {number(value)}."
    return text, Table(shown, "Event study of attendance, points")


def _baseline(source: Source) -> str:
    rows = source.frame("answer", "raw_means")
    if rows is None:
        return absent("raw means")
    own = rows[(rows["group"] == rows["group"].iloc[0]) & rows["year"].isin(source.reading.pre.split("+"))]
    return f"The treated side's mean in {source.reading.pre.replace('+', ' and ')} is {number(own['rate_pct'].mean(), 1)} %; it stands on the axis of the event study."


def _pre_trend(source: Source) -> str:
    told = []
    for name, what in (("event_study", "Attendance"), ("chronic", "Chronic absence, 2011-12 to 2019-20")):
        study = source.at("answer", name)
        if study:
            told.append(
                f"{what}: joint {probability(study['joint_p'])}; a linear drift of {number(study['slope_mde_pp'])} points "
                "a year would have been found with 80 % power."
            )
    return " ".join(told) or absent("event study")


def _not_rejected(source: Source) -> str:
    p = source.at("answer", "event_study", "joint_p")
    if p is None:
        return absent("event study")
    verdict = "rejected" if p < 0.05 else "not rejected"
    return f"Equal trends are {verdict} ({probability(p)}). Not rejected is not the same as true: see what the test could have found."


def _bounds(source: Source) -> str:
    text = source.at("sensitivity", "breakdown_text")
    return str(text) if text else absent("Rambachan-Roth bounds")


def _inference(source: Source) -> str:
    r = source.reading
    if r.p_value is None or r.p_floor is None:
        return absent("permutation test")
    method = (
        "Placebo permutation over the comparison districts"
        if r.single
        else "Permutation of the label LEAP among districts"
    )
    refused = (
        " A cluster-robust p-value is refused for one treated district: it would reject 80 to 90 % of true nulls."
        if r.single
        else ""
    )
    return (
        f"{method}: {probability(r.p_value)}, 95 % interval {between(r.effect.low, r.effect.high)} points; the smallest "
        f"p-value possible is {number(r.p_floor, 4)}.{refused}"
    )


def _others(source: Source) -> Answer:
    main = source.reading
    rows = pd.DataFrame(source.result.get("estimates") or [])
    same = rows[(rows["pre"] == main.pre) & (rows["post"] == main.post) & (rows["edition"] == main.edition)]
    same = same[(same["outcome"] == main.outcome) & (same["comparison"] == main.comparison) & same["event_time"].isna()]
    if same["estimator"].nunique() < 2:
        return absent("second estimator")
    shown = same[["estimator", "estimate_pp", "se_pp", "ci_low_pp", "ci_high_pp", "p_value", "p_method"]].set_axis(
        ["Estimator", "Estimate", "Standard error", "Low", "High", "p", "Test"], axis=1
    )
    return f"{same['estimator'].nunique()} estimators of the same contrast.", Table(shown, "Estimators side by side")


def _staggered(source: Source) -> str:
    return "All LEAP districts start in 2021-22, so no district serves as comparison after its own start: forbidden comparisons cannot arise."


def _covariates(source: Source) -> str:
    return f"Only traits from before the programme may enter. {_curve_words(source, 'covariates')}"


def _placebos(source: Source) -> Answer:
    r, rows = source.reading, source.frame("answer", "leave_one_out")
    told = [] if r.placebo is None else [
        f"In time, 2019-20 to 2020-21: {points(r.placebo.value)} points ({between(r.placebo.low, r.placebo.high)}), where zero is due."
    ]  # fmt: skip
    told.append("In space: the permutation of point 12.")
    if rows is None or rows.empty:
        return " ".join(told)
    low, high = rows["estimate_pp"].min(), rows["estimate_pp"].max()
    told.append(f"Leaving out one district moves the estimate between {points(low)} and {points(high)}.")
    return " ".join(told), Table(_named(rows.sort_values("estimate_pp")), "The estimate without each district", 2)


def _rebound(source: Source) -> str:
    found = source.at("answer", "rebound")
    if not found:
        return absent("rebound")
    return (
        f"Among {counted(found['n'], 'district')} without LEAP the change to 2021-22 is {number(found['slope'])} per point of "
        f"change to 2020-21 (95 % interval {between(found['slope_low'], found['slope_high'])}). Against that line the treated "
        f"side is {points(found['mean_gap_pp'])} points off (standard error {number(found['mean_gap_se_pp'])}). A cohort picked "
        "by the same rule in an earlier year is not possible: the state publishes attendance from 2019-20 only."
    )


def _scale(source: Source) -> str:
    return f"This result is on the scale of {at(source.result, 'params', 'scale') or 'points'}. {_curve_words(source, 'scale')}"


def _composition(source: Source) -> str:
    reasons = source.at("answer", "not_possible") or []
    told = " ".join(str(item) for item in reasons)
    return f"Only districts with every year of the contrast are used, so no mean moves because a district came or went. {told}".strip()


def _reach(source: Source) -> Answer:
    r, published = source.reading, evidence_at(source.result.get("blocks") or {}, "power", "published")
    if r.mde is None or not published or r.coverage is None:
        return absent("power")
    rows = pd.DataFrame(published)[["label", "effect_pp", "diluted_pp", "power"]].set_axis(
        ["Published effect", "On visited pupils", "On the district average", "Chance to find it"], axis=1
    )
    text = (
        f"Smallest detectable effect {number(r.mde)} points; published effects times coverage ({percent(r.coverage)}):"
    )
    return text, Table(rows, "Published effects beside what can be detected, points")


def _together(source: Source) -> Answer:
    rows = source.frame("answer", "by_district")
    if rows is None:
        return (
            "See the page of all districts together; one district's own p-value must be read with the other 14 in mind."
        )
    text = source.at("pooling", "text") or absent("partial pooling")
    shown = rows[["district", "estimate_pp", "ci_low_pp", "ci_high_pp", "p_value", "p_floor"]].set_axis(
        ["District", "Estimate", "Low", "High", "p", "Smallest possible p"], axis=1
    )
    return str(text), Table(shown.assign(District=shown["District"].map(short)), "Every district")


def _again(source: Source) -> Answer:
    made = source.result.get("made") or {}
    rows = [
        ("leapstudy", made.get("leapstudy")),
        ("package", made.get("package_hash")),
        ("lock file", made.get("lock_hash")),
    ]
    rows += [("Python", made.get("python")), *(made.get("packages") or {}).items()]
    rows += [*(made.get("data_hashes") or {}).items(), *(source.result.get("params") or {}).items()]
    shown = pd.DataFrame(
        [(name, "" if value is None else str(value)) for name, value in rows], columns=["What", "Value"]
    )
    return "Every number of this page comes from one result file; `leapstudy run` makes it again.", Table(
        shown, "What made this result"
    )


POINTS: tuple[tuple[str, Callable[[Source], Answer]], ...] = (
    ("What is estimated", _estimand),
    ("Comparison group", _comparison),
    ("Unit, period and weights", _unit),
    ("Parallel trends assumed", _trends),
    ("Anticipation", _anticipation),
    ("Raw means", _raw),
    ("Event study", _event_study),
    ("Baseline mean", _baseline),
    ("Joint test of earlier trends and its power", _pre_trend),
    ("What that test allows one to say", _not_rejected),
    ("Bounds on departures from parallel trends", _bounds),
    ("Inference that fits the design", _inference),
    ("A second and a third estimator", _others),
    ("Staggered timing", _staggered),
    ("With and without covariates", _covariates),
    ("Placebos and leaving one out", _placebos),
    ("Regression to the mean", _rebound),
    ("Points and log-odds", _scale),
    ("Composition and missing figures", _composition),
    ("What could have been seen", _reach),
    ("All districts together", _together),
    ("Making it again", _again),
)
