"""The technical appendix: what the field demands of a difference-in-differences study, point by point.

Each point is answered from `result.json` with its figure, or with "Not possible: ..." and the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leapstudy.report import checklist_design as design
from leapstudy.report import checklist_sure as sure
from leapstudy.report.checklist_source import Answer, Source
from leapstudy.report.reading import read_result
from leapstudy.report.tables import Table


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the checklist: what is asked, the answer, and a table where the answer has one."""

    number: int
    title: str
    answer: str
    table: Table | None = None


def checklist(result: Mapping[str, Any]) -> tuple[Point, ...]:
    """Return every point of the checklist, answered for one result of the public track."""
    source = Source(result, read_result(result))
    points_ = []
    for place, (title, answer) in enumerate(POINTS, start=1):
        found = answer(source)
        text, table = found if isinstance(found, tuple) else (found, None)
        points_.append(Point(place, title, text, table))
    return tuple(points_)


POINTS: tuple[tuple[str, Callable[[Source], Answer]], ...] = (
    ("What is estimated", design.estimand),
    ("Comparison group", design.comparison),
    ("Unit, period and weights", design.unit),
    ("Parallel trends assumed", design.trends),
    ("Anticipation", design.anticipation),
    ("Raw means", design.raw),
    ("Event study", design.event_study),
    ("Baseline mean", design.baseline),
    ("Joint test of earlier trends and its power", sure.pre_trend),
    ("What that test allows one to say", sure.not_rejected),
    ("Bounds on departures from parallel trends", sure.bounds),
    ("Inference that fits the design", sure.inference),
    ("A second and a third estimator", sure.others),
    ("Staggered timing", design.staggered),
    ("With and without covariates", sure.covariates),
    ("Placebos and leaving one out", sure.placebos),
    ("Regression to the mean", sure.rebound),
    ("Points and log-odds", design.scale),
    ("Composition and missing figures", design.composition),
    ("What could have been seen", design.reach),
    ("All districts together", sure.together),
    ("Making it again", sure.again),
)
