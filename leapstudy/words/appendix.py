"""The technical appendix: what the field demands of a difference-in-differences study, point by point.

Each point is answered from `result.json` with its figure, or with "Not possible: ..." and the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leapstudy.core.phrases import capital
from leapstudy.core.table import Table
from leapstudy.words import appendix_design as design
from leapstudy.words import appendix_sensitivity as sure
from leapstudy.words import appendix_students as students
from leapstudy.words import appendix_students_sensitivity as students_sure
from leapstudy.words.appendix_source import Answer, Source
from leapstudy.words.reading import read_result


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
    for place, (title, of_districts, of_students) in enumerate(POINTS, start=1):
        found = (of_students if source.reading.track == "students" else of_districts)(source)
        text, table = found if isinstance(found, tuple) else (found, None)
        points_.append(Point(place, title, capital(text), table))
    return tuple(points_)


Asked = Callable[[Source], Answer]
POINTS: tuple[tuple[str, Asked, Asked], ...] = (
    ("What is estimated", design.estimand, students.estimand),
    ("Comparison group", design.comparison, students.comparison),
    ("Unit, period and weights", design.unit, students.unit),
    ("Parallel trends assumed", design.trends, students.trends),
    ("Anticipation", design.anticipation, students.anticipation),
    ("Raw means", design.raw, students.raw),
    ("Event study", design.event_study, students.event_study),
    ("Baseline mean", design.baseline, students.baseline),
    ("Joint test of earlier trends and its power", sure.pre_trend, students_sure.pre_trend),
    ("What that test allows one to say", sure.not_rejected, students_sure.not_rejected),
    ("Bounds on departures from parallel trends", sure.bounds, students_sure.bounds),
    ("Inference that fits the design", sure.inference, students_sure.inference),
    ("A second and a third estimator", sure.others, students_sure.others),
    ("Staggered timing", design.staggered, students.staggered),
    ("With and without covariates", sure.covariates, students_sure.covariates),
    ("Placebos and leaving one out", sure.placebos, students_sure.placebos),
    ("Regression to the mean", sure.rebound, students_sure.rebound),
    ("Points and log-odds", design.scale, students.scale),
    ("Composition and missing figures", design.composition, students.composition),
    ("What could have been seen", design.reach, students.reach),
    ("All together", sure.together, students.together),
    ("Making it again", sure.again, sure.again),
)
"""What is asked, and who answers it for districts and for visited students."""
