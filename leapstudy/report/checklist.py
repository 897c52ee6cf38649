"""The technical appendix: what the field demands of a difference-in-differences study, point by point.

Each point is answered from `result.json` with its figure, or with "Not possible: ..." and the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leapstudy.report import checklist_design as design
from leapstudy.report import checklist_pupils as pupils
from leapstudy.report import checklist_pupils_sure as pupils_sure
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
    """Return every point of the checklist, answered for one result of either track."""
    source = Source(result, read_result(result))
    points_ = []
    for place, (title, of_districts, of_pupils) in enumerate(POINTS, start=1):
        found = (of_pupils if source.reading.track == "pupils" else of_districts)(source)
        text, table = found if isinstance(found, tuple) else (found, None)
        points_.append(Point(place, title, text, table))
    return tuple(points_)


Asked = Callable[[Source], Answer]
POINTS: tuple[tuple[str, Asked, Asked], ...] = (
    ("What is estimated", design.estimand, pupils.estimand),
    ("Comparison group", design.comparison, pupils.comparison),
    ("Unit, period and weights", design.unit, pupils.unit),
    ("Parallel trends assumed", design.trends, pupils.trends),
    ("Anticipation", design.anticipation, pupils.anticipation),
    ("Raw means", design.raw, pupils.raw),
    ("Event study", design.event_study, pupils.event_study),
    ("Baseline mean", design.baseline, pupils.baseline),
    ("Joint test of earlier trends and its power", sure.pre_trend, pupils_sure.pre_trend),
    ("What that test allows one to say", sure.not_rejected, pupils_sure.not_rejected),
    ("Bounds on departures from parallel trends", sure.bounds, pupils_sure.bounds),
    ("Inference that fits the design", sure.inference, pupils_sure.inference),
    ("A second and a third estimator", sure.others, pupils_sure.others),
    ("Staggered timing", design.staggered, pupils.staggered),
    ("With and without covariates", sure.covariates, pupils_sure.covariates),
    ("Placebos and leaving one out", sure.placebos, pupils_sure.placebos),
    ("Regression to the mean", sure.rebound, pupils_sure.rebound),
    ("Points and log-odds", design.scale, pupils.scale),
    ("Composition and missing figures", design.composition, pupils.composition),
    ("What could have been seen", design.reach, pupils.reach),
    ("All districts together", sure.together, pupils.together),
    ("Making it again", sure.again, sure.again),
)
"""What is asked, and who answers it for districts and for visited pupils."""
