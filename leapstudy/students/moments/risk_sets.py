"""The at-risk-set design: in each month with first visits, students who could have been visited, by absence before it.

Students are visited because they were absent, and absence falls back by itself. So a visited student is compared with
students who were at risk of a visit in the same month and had missed as much before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import add

import ibis
import pyarrow.compute as pc
from ibis.expr.types import BooleanValue, IntegerValue, NumericValue, Table

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.students.engine import sealed
from leapstudy.students.handle import StudentData
from leapstudy.students.moments.expression import Event, Weights, cell_sums, panel_by
from leapstudy.students.moments.gather import fetch, record, trait_names
from leapstudy.students.moments.pivot import Students, students_of
from leapstudy.students.moments.record import Moments
from leapstudy.students.moments.traits import check_strata, trait

HUNDREDTHS = 100
"""Days are compared in whole hundredths, so that a student at exactly 10 % is in the band that begins there."""


@dataclass(frozen=True, slots=True)
class RiskDesign:
    """How the students at risk in a month are told apart.

    Attributes
    ----------
    spans : tuple of int
        Lengths of the stretches of school months before the month; each gives a band, and they are crossed.
    edges : tuple of float
        Percent of enrolled days missed at which a new band begins.
    strata : tuple of str
        Further traits, as in `leapstudy.students.moments.expression.moments_of`.
    weights, event
        As there.
    """

    spans: tuple[int, ...] = (2, 10)
    edges: tuple[float, ...] = (2, 5, 10, 15, 20, 30)
    strata: tuple[str, ...] = ()
    weights: Weights = "students"
    event: Event = "visit"

    def __post_init__(self) -> None:
        """Refuse what is no design."""
        check_strata(self.strata)
        check_option("weights", self.weights, Weights)
        check_option("event", self.event, Event)
        if not self.spans or min(self.spans) < 1 or len(set(self.spans)) < len(self.spans):
            raise BadInput(
                f"Spans {self.spans!r}: give one or more different numbers of school months, such as (2, 10)."
            )
        if list(self.edges) != sorted(set(self.edges)) or not all(0 < edge <= 100 for edge in self.edges):
            raise BadInput(f"Edges {self.edges!r}: give rising percentages between 0 and 100, such as (2, 5, 10, 20).")

    def bands(self, span: int) -> tuple[str, ...]:
        """Return the names of the bands of one span, from no absence up."""
        cuts = [f"{edge:g}" for edge in self.edges]
        inner = [f"{low}-{high} %" for low, high in pairwise(cuts)]
        names = [f"<{cuts[0]} %", *inner, f"{cuts[-1]}+ %"] if cuts else ["any"]
        return tuple(f"last {span}: {name}" for name in names)


def risk_set_moments(data: StudentData, design: RiskDesign | None = None) -> dict[int, Moments]:
    """Compute the moments of each month's risk set; the students are read once.

    The risk set of month g holds the students who are seen in the last school month before g and were not visited
    before g. Its strata are bands of the share of enrolled days missed over the last school months before g, strictly
    before it: the visit cannot move them. The cohort stays each student's own, so that not-yet-visited students can be
    told from never-visited ones. A visited student who is not seen just before g is in no risk set: compare the sizes
    with `moments_of`.

    Parameters
    ----------
    data
        From `leapstudy.students.handle.open_students`.
    design
        Spans, edges, further strata, weights, event; by default the last 2 and the last 10 months.

    Returns
    -------
    dict of int to Moments
        By month number of the first visit; cohorts before the second school month have no past and are not there.

    Raises
    ------
    BadInput
        If nobody was visited after the first school month, or the engine fails.
    """
    chosen = design or RiskDesign()
    with students_of(panel_by(data, chosen.event)) as students:
        months, names = visit_months(students), band_names(chosen)
        sets = Students(
            ibis.union(*(risk_set(students, month, chosen) for month in months)), students.periods, students.districts
        )
        sums = cell_sums(sets, ["risk_set", *names], chosen.weights)
        table = fetch(sums, len(students.periods), ["risk_set", *names])
    of = {month: table.filter(pc.equal(table["risk_set"], month)) for month in months}
    return {month: record(of[month], students.periods, names, students.districts) for month in months}


def visit_months(students: Students) -> list[int]:
    """Return the month numbers of first visits that have a school month before them, in order."""
    cohorts = students.table.select(cohort=trait(students.table.traits, "cohort")).distinct()
    found = sealed("listing the cohorts", cohorts.to_pyarrow)["cohort"].to_pylist()
    months = sorted(int(cohort) for cohort in found if cohort > students.periods[0])
    if not months:
        raise BadInput("Nobody was first visited after the first school month, so that no risk set has a past.")
    return months


def risk_set(students: Students, month: int, design: RiskDesign) -> Table:
    """Return the students of a month's risk set with `risk_set` and their strata as whole numbers."""
    waiting, strata = risk_columns(students, month, design)
    return students.table.mutate(risk_set=ibis.literal(month, "int64"), **strata).filter(waiting)


def risk_columns(students: Students, month: int, design: RiskDesign) -> tuple[BooleanValue, dict[str, IntegerValue]]:
    """Return who is at risk in a month, and the strata as whole numbers.

    At risk: seen in the last school month before it and not visited before it.
    """
    last, cohort = _last_before(students.periods, month), trait(students.table.traits, "cohort")
    waiting = ((cohort == 0) | (cohort >= month)) & (students.table[f"e{last}"] > 0)
    bands = {f"band{span}": _band(students, range(max(0, last + 1 - span), last + 1), design) for span in design.spans}
    return waiting, bands | {name: trait(students.table.traits, name) for name in design.strata}


def band_names(design: RiskDesign) -> dict[str, tuple[str, ...]]:
    """Return the names of the values of each stratum column of `risk_set`."""
    return {f"band{span}": design.bands(span) for span in design.spans} | trait_names(design.strata)


def _last_before(periods: Sequence[int], month: int) -> int:
    return sum(period < month for period in periods) - 1


def _band(students: Students, months: range, design: RiskDesign) -> IntegerValue:
    enrolled = _total(students, "e", months)
    missed = enrolled - _total(students, "a", months)
    reached = [(missed * 100.0 >= enrolled * float(edge)).cast("int64") for edge in design.edges]
    return reduce(add, reached, ibis.literal(0, "int64"))


def _total(students: Students, letter: str, months: range) -> NumericValue:
    days: NumericValue = reduce(add, (students.table[f"{letter}{t}"] for t in months))
    return (days * HUNDREDTHS).round().cast("int64")
