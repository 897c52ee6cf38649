"""How alike the treated districts and each comparison group were before the program.

Two yardsticks. Chronic absence is a yes-or-no outcome of students, so the Cox index of the two shares is what the What
Works Clearinghouse asks for. Attendance is published as a mean of districts, without the spread of students: its
standardized difference uses the spread *between districts*, is several times larger than a Hedges' g would be, and is
never held against the thresholds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.names import Weights
from leapstudy.data import StudyData
from leapstudy.data.state import CHRONIC
from leapstudy.did.comparison import comparison_codes, comparison_label, treated_codes
from leapstudy.did.contrasts import clock_of
from leapstudy.did.sample import Panel, Spec, build_panel
from leapstudy.evidence.wwc import Category, baseline_category, cox_index, pooled_sd

# The years compared, in used years since the start.
CHRONIC_YEAR, ATTENDANCE_YEARS = -2, (-2, -1)
COX = "Cox index"
DISTRICT_DIFFERENCE = "unit-level standardized difference, not comparable with a WWC g"


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """One measure of one comparison group before the program.

    Means are in percent, or in the measure's own unit; `index` is the measure's effect size (None where it does not
    exist) and `category` the WWC 5.0 baseline category of a Cox index (None for a district-level difference, to which
    it does not apply).
    """

    comparison: str
    measure: str
    year: str
    yardstick: str
    mean_treated_pct: float
    mean_comparison_pct: float
    n_treated: int
    n_comparison: int
    index: float | None
    category: Category | None


@dataclass(frozen=True, slots=True)
class Group:
    """Rates in percent and students of the districts of one side that have a figure, shape (districts,) each."""

    rates: np.ndarray
    students: np.ndarray

    def mean(self, weights: Weights) -> float:
        """Return the mean rate, each district counting once or by its students."""
        return float(np.average(self.rates, weights=None if weights == "equal" else self.students))


def baseline_equivalence(data: StudyData, treated: Sequence[str], spec: Spec) -> tuple[BaselineRow, ...]:
    """Hold treated districts against one comparison group before the program: chronic absence, then attendance by year,
    and the outcome that was asked where it is neither.

    Weights are those of the effect estimate, so that the groups compared here are the groups compared there. A
    district without a figure in a year is left out of that row; `n_treated` and `n_comparison` say how many remain.
    A group whose rule has `both_sides` restricts the treated side too.

    Raises
    ------
    BadInput
        For an unknown or empty group, or where no treated district has a figure or a peer.
    """
    codes = treated_codes(data, spec.comparison, treated)
    group = comparison_codes(data, spec.comparison)
    # where units started in different years, the years before the first of them: nobody had begun
    first = clock_of(data.state, data.starts, codes).starts[0]
    shift = partial(data.state.calendar.shift, first)
    rows = []
    measures = {CHRONIC: (CHRONIC_YEAR,), "attendance_rate": ATTENDANCE_YEARS}
    if data.state.outcomes[spec.outcome].table:
        measures[spec.outcome] = ATTENDANCE_YEARS
    for measure, offsets in measures.items():
        try:
            panel = build_panel(data, measure, spec.edition)
        except BadInput:  # not published, or as bounds only
            continue
        rows += [_row(panel, codes, group, shift(k), spec) for k in offsets]
    return tuple(rows)


def _row(panel: Panel, treated: Sequence[str], group: Sequence[str], year: str, spec: Spec) -> BaselineRow:
    measure, chronic = panel.outcome, panel.outcome == CHRONIC
    if year not in panel.years:
        raise BadInput(f"No figures of {measure} for {year}, a year before the program. Choose another edition.")
    own, others = (_group(panel, codes, year, spec.weights) for codes in (treated, group))
    if not len(own.rates) or not len(others.rates):
        raise BadInput(f"One side has no {measure} for {year}. Choose another comparison group or edition.")
    means = own.mean(spec.weights), others.mean(spec.weights)
    index = cox_index(means[0] / 100, means[1] / 100) if chronic else district_difference(own.rates, others.rates)
    return BaselineRow(
        comparison=comparison_label(spec.comparison),
        measure=measure,
        year=year,
        yardstick=COX if chronic else DISTRICT_DIFFERENCE,
        mean_treated_pct=means[0],
        mean_comparison_pct=means[1],
        n_treated=len(own.rates),
        n_comparison=len(others.rates),
        index=index,
        category=baseline_category(index) if chronic and index is not None else None,
    )


def _group(panel: Panel, codes: Sequence[str], year: str, weights: Weights) -> Group:
    place = {code: row for row, code in enumerate(panel.codes)}
    rows = [place[code] for code in codes if code in place]
    column = panel.years.index(year)
    rates, students = panel.rates[rows, column], panel.students[rows, column]
    # enrollment counts where districts are weighted by it, and the state publishes any
    needless = weights == "equal" or np.isnan(panel.students).all()
    published = ~np.isnan(rates) & (~np.isnan(students) | needless)
    return Group(rates[published], students[published])


def district_difference(rates_treated: np.ndarray, rates_comparison: np.ndarray) -> float | None:
    """Return the difference of the plain district means in pooled standard deviations *between districts*.

    One treated district has no spread of its own, so that only the comparison districts' spread counts. No
    small-sample factor: the figure is descriptive. None where districts do not differ.
    """
    n_treated, n_comparison = len(rates_treated), len(rates_comparison)
    if n_treated + n_comparison < 3:
        return None
    sds = [float(np.std(rates, ddof=1)) if len(rates) > 1 else 0.0 for rates in (rates_treated, rates_comparison)]
    spread = pooled_sd(sds[0], sds[1], n_treated, n_comparison)
    if math.isclose(spread, 0, abs_tol=1e-12):
        return None
    return float(np.mean(rates_treated) - np.mean(rates_comparison)) / spread
