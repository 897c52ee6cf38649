"""Which comparison group is fairest? Asked before any outcome is known, and recorded.

Candidate sets are ranked by how like the treated districts they were before the start. Nothing here can take a figure
from the start on: `PrePeriod` refuses it, and the ranking takes nothing else. Likeness before does not prove that
the groups would have moved alike after; a set of nearest districts is alike by construction, and where it is picked on
a bad year it rebounds (Daw and Hatfield 2018). So the nearest sets are picked on traits and on the mean of many years,
never on the last year alone.

Two yardsticks tell how alike the groups were. Chronic absence is a yes-or-no outcome of students, so the Cox index of
the two shares is what the What Works Clearinghouse asks for. Attendance is published as a mean of districts, without
the spread of students: its standardized difference uses the spread *between districts*, is several times larger than
a Hedges' g would be, and is never held against the thresholds.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.names import Weights
from leapstudy.data import StudyData
from leapstudy.data.describe import traits_of_units
from leapstudy.data.names import program_name
from leapstudy.data.state import CHRONIC
from leapstudy.did.comparison import comparison_codes, comparison_label, treated_codes
from leapstudy.did.contrasts import clock_of
from leapstudy.did.sample import Panel, Spec, build_panel
from leapstudy.evidence.standards import Category, baseline_category, cox_index, pooled_sd

# The years compared, in used years since the start.
CHRONIC_YEAR, ATTENDANCE_YEARS = -2, (-2, -1)
COX = "Cox index"
DISTRICT_DIFFERENCE = "unit-level standardized difference, not comparable with a WWC g"
CHRONIC_MEAN = "chronic_mean_pct"
CHRONIC_LAST = "chronic_last_pct"
ATTENDANCE = "attendance_pre_pct"
# Columns that the nearest sets are not picked on: the last years before a program are what a rebound starts from.
ONLY_COMPARED = (CHRONIC_LAST, ATTENDANCE)
MIN_TRAITS = 4
# Sizes k of the sets of the k comparison districts nearest to each treated district, taken together.
NEAREST = (10, 20)


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
        years = [shift(k) for k in offsets]
        if measure == CHRONIC:  # published in other years than attendance: the last one that there is by then
            years = [max((one for one in panel.years if one <= year), default=year) for year in years]
        rows += [_row(panel, codes, group, year, spec) for year in years]
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


@dataclass(frozen=True, slots=True)
class PrePeriod:
    """What was known of each district before the program.

    Attributes
    ----------
    table : DataFrame
        Index district_code; the state's traits, then chronic absence and attendance before; NaN where unknown.
    years : tuple of str
        Every school year that went into it.
    candidates : dict
        Set name -> codes without the program.
    pool : tuple of str
        Every code without the program.
    start : str
        The study's first school year with the program.
    """

    table: pd.DataFrame
    years: tuple[str, ...]
    candidates: Mapping[str, tuple[str, ...]]
    pool: tuple[str, ...]
    start: str

    def __post_init__(self) -> None:
        """Refuse a year in which the program ran."""
        late = [year for year in self.years if year >= self.start]
        if late:
            raise BadInput(
                f"A comparison group is chosen before the outcome: {', '.join(late)} is not before {program_name()}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSet:
    """One candidate set and its likeness before the program, in standard deviations between all districts.

    `mean_gap` and `largest_gap` are over the absolute standardized differences of the columns compared; `worst` names
    the column of the largest. `cox` is the Cox index of chronic absence in the last year before,
    `category` its WWC 5.0 category.
    """

    rank: int
    name: str
    codes: tuple[str, ...]
    mean_gap: float
    largest_gap: float
    worst: str
    cox: float | None
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRecord:
    """The choice, the time it was made, and the hash of everything that it rested on."""

    chosen: str
    treated: tuple[str, ...]
    made_at: str
    sets: tuple[CandidateSet, ...]
    sha256: str


def pre_period(data: StudyData) -> PrePeriod:
    """Cut the study's tables down to what was known before the program, of the outcomes that the study has."""
    start, units = min(data.starts.values()), data.districts.set_index("district_code")
    chronic = data.chronic[data.chronic["year"] < start]
    by_year = chronic.pivot(index="district_code", columns="year", values="percent").sort_index(axis=1)
    attendance, attended = _attendance_before(data, data.state.usual("editions"), start)
    columns = {ATTENDANCE: attendance}
    if len(by_year.columns):
        columns = {CHRONIC_MEAN: by_year.iloc[:, :-1].mean(axis=1), CHRONIC_LAST: by_year.iloc[:, -1]} | columns
    before_start = {name: column.reindex(units.index) for name, column in columns.items()}
    table = pd.DataFrame({**traits_of_units(data), **before_start})
    years = tuple(by_year.columns) + attended
    groups: dict[str, tuple[str, ...]] = {name: comparison_codes(data, name) for name in data.state.groups}
    pool = tuple(code for code in units.index if code not in data.starts)
    return PrePeriod(table, tuple(sorted(set(years))), groups, pool, start)


def _attendance_before(data: StudyData, edition: str, start: str) -> tuple[pd.Series, tuple[str, ...]]:
    """Return mean attendance before the start by code, and its years; nothing where it is not published as figures."""
    try:
        panel = build_panel(data, "attendance_rate", edition)
    except BadInput:
        return pd.Series(dtype=float), ()
    before = [column for column, year in enumerate(panel.years) if year < start]
    rates = pd.Series(panel.rates[:, before].mean(axis=1), index=list(panel.codes))
    return rates, tuple(panel.years[column] for column in before)


def rank_comparisons(pre: PrePeriod, treated: Sequence[str]) -> tuple[CandidateSet, ...]:
    """Rank candidate comparison sets, the most alike first.

    Parameters
    ----------
    pre
        What was known before the program; there is no way to hand in an outcome.
    treated
        Codes of the treated districts; all of them stay treated in every set.

    Notes
    -----
    Ranked by `mean_gap`, ties by name. Differences are in standard deviations over *all* districts, so that a set
    does not look alike merely because its own districts differ widely.

    Raises
    ------
    BadInput
        For an unknown treated district.
    """
    unknown = [code for code in treated if code not in pre.table.index]
    if unknown or not treated:
        raise BadInput(f"Cannot rank for {unknown or 'nobody'}: give the codes of treated units.")
    z = (pre.table - pre.table.mean()) / pre.table.std()
    sets = dict(pre.candidates)
    if _to_pick_on(z).notna().to_numpy().any():
        sets |= {f"nearest_{k}": nearest_codes(z, treated, pre.pool, k) for k in NEAREST}
    candidates = [_candidate(name, codes, pre.table, z, treated) for name, codes in sets.items()]
    candidates.sort(key=lambda item: (item["mean_gap"], item["name"]))
    return tuple(CandidateSet(rank=rank, **item) for rank, item in enumerate(candidates, start=1))


def nearest_codes(z: pd.DataFrame, treated: Sequence[str], pool: Sequence[str], k: int) -> tuple[str, ...]:
    """Return the union of the `k` districts of `pool` nearest to each treated district, sorted.

    Distance is the root mean square difference over the traits that both have (at least four, without
    `ONLY_COMPARED`); ties go to the smaller code.
    """
    traits = _to_pick_on(z)
    candidates = traits.loc[sorted(pool)]
    nearest: set[str] = set()
    for code in treated:
        gaps = candidates - traits.loc[code]
        n_traits = int(traits.loc[[code]].notna().to_numpy().sum())
        comparable = gaps.notna().sum(axis=1) >= min(MIN_TRAITS, n_traits)
        distance = np.sqrt((gaps**2).mean(axis=1))[comparable]
        nearest |= set(distance.sort_values(kind="stable").index[:k])
    return tuple(sorted(nearest))


def _to_pick_on(z: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that nearest sets are picked on."""
    return z.drop(columns=[name for name in ONLY_COMPARED if name in z])


def _candidate(
    name: str, codes: tuple[str, ...], table: pd.DataFrame, z: pd.DataFrame, treated: Sequence[str]
) -> dict[str, Any]:
    gaps = (z.loc[list(treated)].mean() - z.loc[list(codes)].mean()).abs().dropna()
    last = table[CHRONIC_LAST] if CHRONIC_LAST in table else pd.Series(np.nan, index=table.index)
    shares = [float(last[list(side)].mean()) / 100 for side in (treated, codes)]
    cox = None if np.isnan(shares).any() else cox_index(shares[0], shares[1])
    return {
        "name": name,
        "codes": codes,
        "mean_gap": float(gaps.mean()),
        "largest_gap": float(gaps.max()),
        "worst": str(gaps.idxmax()),
        "cox": cox,
        "category": "" if cox is None else baseline_category(cox),
    }


def record_choice(sets: Sequence[CandidateSet], treated: Sequence[str], comparison: str, made_at: str) -> ChoiceRecord:
    """Record which set was chosen; the caller gives the time, so that the same input gives the same record.

    Raises
    ------
    BadInput
        If `comparison` is not among the sets.
    """
    names = [item.name for item in sets]
    if comparison not in names:
        raise BadInput(f"Cannot choose {comparison!r}: it was not ranked. Ranked: {', '.join(names)}.")
    content = {
        "chosen": comparison,
        "treated": sorted(treated),
        "made_at": made_at,
        "sets": [asdict(item) for item in sets],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return ChoiceRecord(
        chosen=comparison, treated=tuple(sorted(treated)), made_at=made_at, sets=tuple(sets), sha256=digest
    )
