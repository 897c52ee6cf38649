"""What is asked of the data, and the complete sample of treated and comparison districts that every estimator takes.

Units that started in different years: the effect is the mean over treated units of what each changed beyond the
comparison units in its own years. So that every estimator of the public track takes it, it is written as an ordinary
sample over years since the start: a comparison unit has the mean of its figures over the starts, weighted by who
started when, and a treated unit's figures are moved by the comparison's mean in the unit's own years, which leaves
every difference as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress

import numpy as np
import pandas as pd

from leapstudy.core.cache import of_last
from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import Comparison, Nesting, PriorName, Scale, Weights, check_option, check_whole
from leapstudy.data import StudyData
from leapstudy.data.districts import rule_mask
from leapstudy.data.state import State, load_state
from leapstudy.did.contrasts import Clock, Contrast, event_time, require_years


@dataclass(frozen=True, slots=True)
class Spec:
    """What is asked of the data; comparison, contrast, edition and outcome are names of `params/state.yml`.

    By default each is the first that it declares. `comparison` may also be a tuple of district codes.
    `weights="students"` weights districts by their enrollment before the program, see `Sample.weights_treated`. `prior`
    is what was believed of the mean effect beforehand where all districts are pooled, see `pooling.prior`. `nested` is
    what the larger units that units belong to are taken for, see `nested.nest`.
    """

    comparison: Comparison = field(default_factory=lambda: load_state().usual("groups"))
    contrast: str = field(default_factory=lambda: load_state().usual("contrasts"))
    edition: str = field(default_factory=lambda: load_state().usual("editions"))
    outcome: str = field(default_factory=lambda: load_state().usual("outcomes"))
    weights: Weights = "equal"
    scale: Scale = "points"
    seed: int = 20261124
    prior: PriorName = "flat"
    nested: Nesting = "none"

    def __post_init__(self) -> None:
        """Refuse names that are not legal."""
        aliases = {"weights": Weights, "scale": Scale, "prior": PriorName, "nested": Nesting}
        for name, alias in aliases.items():
            check_option(name, getattr(self, name), alias, "See params/study.yml for what each means.")
        for name in ("contrast", "edition", "outcome"):
            if not isinstance(value := getattr(self, name), str):
                raise bad_value(name, value, getattr(load_state(), f"{name}s"), "params/state.yml declares them.")
        check_whole("seed", self.seed)


@dataclass(frozen=True, slots=True)
class ByStart:
    """What a sample of units with different starts was made from; see `in_own_years` for the shapes."""

    y: np.ndarray
    students: np.ndarray
    started: np.ndarray
    clock: Clock


@dataclass(frozen=True, slots=True)
class Nested:
    """What the units of a sample belong to, treated units first; see `nested.nest`.

    Attributes
    ----------
    strata : tuple of str
        Units are compared within these; all the same where there is but one.
    clusters : tuple of str
        Errors of the units of one cluster are not independent; empty where each unit is by itself.
    drawn : bool
        Whether lots decided, within the strata, who started and when.
    raw : Sample
        The sample with its figures as they are.
    """

    strata: tuple[str, ...]
    clusters: tuple[str, ...]
    drawn: bool
    raw: "Sample"

    @property
    def own_covariance(self) -> bool:
        """Whether errors are by cluster or there are several strata, so that `nested.covariance` has them."""
        return bool(self.clusters) or len(set(self.strata)) > 1


@dataclass(frozen=True, slots=True)
class Sample:
    """A complete sample: no missing figure on either side.

    Attributes
    ----------
    treated, comparison : tuple of str
        District codes; the rows of the matrices.
    years : tuple of str
        School years; the columns. By default exactly the contrast's.
    y_treated, y_comparison : ndarray, shape (districts, years)
        The outcome on the spec's scale: percent (0 to 100) or its own unit where it is no share, or log-odds.
    students_treated, students_comparison : ndarray, shape (districts, years)
        Enrollment in the student group of the outcome.
    start : str
        The treated districts' first school year with the program.
    left_out : tuple of str
        Districts of the comparison group without a figure in one of the years, and treated ones after their end.
    by_start : ByStart or None
        Where the treated units started in different years: all figures in the years of each start.
    nested : Nested or None
        What the units belong to, where the spec or a lottery asks for it.
    """

    spec: Spec
    contrast: Contrast
    treated: tuple[str, ...]
    comparison: tuple[str, ...]
    years: tuple[str, ...]
    y_treated: np.ndarray
    y_comparison: np.ndarray
    students_treated: np.ndarray
    students_comparison: np.ndarray
    start: str
    left_out: tuple[str, ...] = ()
    by_start: ByStart | None = None
    nested: Nested | None = None

    @property
    def years_before(self) -> tuple[str, ...]:
        """The sample's years before the treated districts' start."""
        return tuple(year for year in self.years if event_time(year, self.start) < 0)

    @property
    def change_treated(self) -> np.ndarray:
        """Mean of the post years minus mean of the pre years, shape (treated,), on the spec's scale."""
        return self._change(self.y_treated)

    @property
    def change_comparison(self) -> np.ndarray:
        """Mean of the post years minus mean of the pre years, shape (comparison,), on the spec's scale."""
        return self._change(self.y_comparison)

    @property
    def difference(self) -> float:
        """The effect: weighted mean change of the treated less that of the comparison side, on the spec's scale."""
        return float(self.weights_treated @ self.change_treated - self.weights_comparison @ self.change_comparison)

    @property
    def weights_treated(self) -> np.ndarray:
        """Weights that sum to one, shape (treated,): equal, or by enrollment before the program.

        A district's student weight is its mean enrollment over the sample's years before the start. It is fixed before
        the program, so that the program cannot move it, and constant over years, so that the weighted regression and
        the weighted difference of means are the same number.
        """
        return self._weights(self.students_treated)

    @property
    def weights_comparison(self) -> np.ndarray:
        """Weights that sum to one, shape (comparison,); see `weights_treated`."""
        return self._weights(self.students_comparison)

    @property
    def sizes_treated(self) -> np.ndarray:
        """What a treated district counts for beside a comparison district: 1, or its enrollment, shape (treated,)."""
        return self._sizes(self.students_treated)

    @property
    def sizes_comparison(self) -> np.ndarray:
        """What a comparison district counts for, shape (comparison,); see `sizes_treated`."""
        return self._sizes(self.students_comparison)

    @property
    def base_rate(self) -> float:
        """The treated districts' mean rate in the pre years, percent."""
        rates = self.y_treated if self.spec.scale == "points" else 100 / (1 + np.exp(-self.y_treated))
        return float(self.weights_treated @ rates[:, self.columns(self.contrast.pre)].mean(axis=1))

    def columns(self, years: Sequence[str]) -> list[int]:
        """Return the column numbers of `years`.

        Raises
        ------
        BadInput
            If the sample lacks one of them.
        """
        require_years(years, self.years, f"This sample ({self.spec.outcome})")
        return [self.years.index(year) for year in years]

    def _change(self, y: np.ndarray) -> np.ndarray:
        post, pre = self.columns(self.contrast.post), self.columns(self.contrast.pre)
        return y[:, post].mean(axis=1) - y[:, pre].mean(axis=1)

    def _sizes(self, students: np.ndarray) -> np.ndarray:
        if self.spec.weights == "equal":
            return np.ones(len(students))
        before = self.columns(self.years_before)
        return students[:, before].mean(axis=1)

    def _weights(self, students: np.ndarray) -> np.ndarray:
        sizes = self._sizes(students)
        return sizes / sizes.sum()


@dataclass(frozen=True, slots=True)
class Belonging:
    """What units belong to.

    Attributes
    ----------
    state : State
        What is true of the study.
    starts : mapping
        Code -> first school year with the program.
    parents, lots : mapping
        Code -> the larger unit that it belongs to; and code -> the stratum within which it drew lots for a start. Empty
        where the study declares none.
    """

    state: State
    starts: Mapping[str, str]
    parents: Mapping[str, str]
    lots: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Panel:
    """One outcome of one edition, as matrices of districts by years.

    Attributes
    ----------
    codes : tuple of str
        District codes, sorted; the rows.
    years : tuple of str
        School years in order; the columns.
    rates : ndarray, shape (districts, years)
        Percent, 0 to 100, or its own unit where the outcome is no share; NaN where the state gives no figure or the
        study dropped it (see the ledger).
    students : ndarray, shape (districts, years)
        Enrollment. A table of an outcome that has none by year gets the mean enrollment of the years before the
        program, the same in every column.
    state : State
        What is true of the study.
    starts, ends : mapping
        Code -> first and last school year with the program; one that goes on is not in `ends`.
    parents, lots : mapping
        Code -> the larger unit that it belongs to; and code -> the stratum within which it drew lots for a start. Empty
        where the study declares none.
    """

    outcome: str
    edition: str
    codes: tuple[str, ...]
    years: tuple[str, ...]
    rates: np.ndarray
    students: np.ndarray
    state: State
    starts: Mapping[str, str]
    ends: Mapping[str, str]
    parents: Mapping[str, str] = field(default_factory=dict)
    lots: Mapping[str, str] = field(default_factory=dict)

    @property
    def belonging(self) -> Belonging:
        """What the units belong to."""
        return Belonging(self.state, self.starts, self.parents, self.lots)

    def years_of(self, codes: Sequence[str]) -> tuple[str, ...]:
        """Return the years of which at least one of some districts has a figure; all years where none of them has."""
        published = ~np.isnan(self.rates[np.isin(self.codes, list(codes))]).all(axis=0)
        return tuple(year for year, some in zip(self.years, published, strict=True) if some) or self.years


@of_last
def build_panel(data: StudyData, outcome: str, edition: str) -> Panel:
    """Return one outcome of one edition as matrices of districts by years; all but attendance have one edition only."""
    for what, name, legal in (("outcome", outcome, data.state.outcomes), ("edition", edition, data.state.editions)):
        if name not in legal:
            raise bad_value(what, name, legal, "params/state.yml declares them.")
    item, own = data.state.outcomes[outcome], data.table_of(outcome)
    share = data.bounded.get(edition, 0.0) if own is None else own.bounded
    if share > (limit := item.refuse_if_bounded):
        others = [name for name, other in data.state.outcomes.items() if other.in_days != item.in_days]
        instead = f", such as {others[0]!r}" if others else ""
        raise BadInput(
            f"{outcome!r} cannot be estimated: {share:.0%} of its figures are published as bounds (such as '>= 95.0'), "
            f"more than the {limit:.0%} that the study allows. Choose another outcome{instead}."
        )
    if own is not None:
        return _own_panel(data, outcome, edition, own.rows)
    rows = data.attendance[(data.attendance["edition"] == edition) & (data.attendance["group"] == item.group)]
    if rows.empty:
        raise BadInput(
            f"The edition {edition!r} has no {outcome!r}. Use the edition {next(iter(data.state.editions))!r}."
        )
    wide = rows.pivot(index="district_code", columns="year", values=["rate", "students"]).sort_index()
    rates, students = wide["rate"].sort_index(axis=1), wide["students"].sort_index(axis=1)
    return _panel(data, outcome, edition, rates, 100 * rates.to_numpy(float), students.to_numpy(float))


def _own_panel(data: StudyData, outcome: str, edition: str, table: pd.DataFrame) -> Panel:
    wide = table.pivot(index="district_code", columns="year", values="percent").sort_index().sort_index(axis=1)
    rows = data.attendance
    before = rows[(rows["edition"] == edition) & (rows["group"] == "all") & (rows["year"] < min(data.starts.values()))]
    enrollment = before.groupby("district_code")["students"].mean().reindex(wide.index).to_numpy(float)
    students = np.repeat(enrollment[:, None], wide.shape[1], axis=1)
    if table["students"].notna().any():
        own = table.pivot(index="district_code", columns="year", values="students")
        students = own.reindex(index=wide.index, columns=wide.columns).to_numpy(float)
    return _panel(data, outcome, edition, wide, wide.to_numpy(float), students)


def _panel(
    data: StudyData, outcome: str, edition: str, wide: pd.DataFrame, rates: np.ndarray, students: np.ndarray
) -> Panel:
    """Return a panel whose codes and years are the index and the columns of a wide table."""
    return Panel(
        outcome,
        edition,
        tuple(wide.index),
        tuple(wide.columns),
        rates,
        students,
        data.state,
        data.starts,
        data.ends,
        *_parents_and_lots(data),
    )


def belonging_of(data: StudyData) -> Belonging:
    """Return what the study's units belong to, whichever table their figures are in."""
    return Belonging(data.state, data.starts, *_parents_and_lots(data))


def _parents_and_lots(data: StudyData) -> tuple[dict[str, str], dict[str, str]]:
    """Return code -> parent, and code -> stratum of the lottery; see `Belonging`."""
    units, parent, lottery = data.districts, data.state.unit.parent, data.state.program.lottery
    parents = dict(zip(units["district_code"], units[parent.column].astype(str), strict=True)) if parent else {}
    if lottery is None or lottery.draw:
        return parents, data.lots
    rows = units[rule_mask(units, lottery.where)]
    strata = (" / ".join(map(str, values)) for values in rows[list(lottery.within)].itertuples(index=False))
    return parents, dict(zip(rows["district_code"], strata, strict=True))


@dataclass(frozen=True, slots=True)
class Sides:
    """Who is compared, and when the treated units started: `started` holds places in the starts, shape (treated,)."""

    treated: tuple[str, ...]
    comparison: tuple[str, ...]
    started: np.ndarray


def in_own_years(
    spec: Spec,
    contrast: Contrast,
    sides: Sides,
    years: Sequence[str],
    y: np.ndarray,
    students: np.ndarray,
    clock: Clock,
    left_out: tuple[str, ...] = (),
) -> Sample:
    """Return the sample of units that started in different years.

    Parameters
    ----------
    spec, contrast
        What is asked; the contrast in years since the start.
    sides
        Treated units with their starts, and comparison units.
    years
        Years since the start; the columns.
    y, students : ndarray, shape (starts, units, years)
        Outcome on the spec's scale, and enrollment, of treated and then comparison units in the school years that
        `years` are for each start. Only a treated unit's own start must be complete.
    clock
        The clock of these starts.
    left_out
        Units of either side that had to be left out.
    """
    n, rows = len(sides.treated), np.arange(len(sides.treated))
    own_y, own_students = y[sides.started, rows], students[sides.started, rows]
    blank = Sample(
        spec,
        contrast,
        sides.treated,
        sides.comparison,
        tuple(years),
        own_y,
        y[0, n:],
        own_students,
        students[0, n:],
        clock.label(0),
        left_out,
    )
    share = np.bincount(sides.started, weights=blank.weights_treated, minlength=len(y))
    sample = replace(
        blank,
        y_comparison=np.einsum("g,gct->ct", share, y[:, n:]),
        students_comparison=np.einsum("g,gct->ct", share, students[:, n:]),
    )
    means = np.einsum("c,gct->gt", sample.weights_comparison, y[:, n:])
    changes = own_y - means[sides.started] + share @ means
    return replace(sample, y_treated=changes, by_start=ByStart(y, students, sides.started, clock))


def subset(sample: Sample, keep: np.ndarray) -> Sample:
    """Return the sample of some of its units; `keep` is a mask over treated and then comparison units."""
    n, own = len(sample.treated), sample.by_start
    on, off = keep[:n], keep[n:]
    treated, comparison = tuple(compress(sample.treated, on)), tuple(compress(sample.comparison, off))
    if own is None:
        return replace(
            sample,
            treated=treated,
            comparison=comparison,
            y_treated=sample.y_treated[on],
            y_comparison=sample.y_comparison[off],
            students_treated=sample.students_treated[on],
            students_comparison=sample.students_comparison[off],
        )
    return in_own_years(
        sample.spec,
        sample.contrast,
        Sides(treated, comparison, own.started[on]),
        sample.years,
        own.y[:, keep],
        own.students[:, keep],
        own.clock,
        sample.left_out,
    )


def each_alone(sample: Sample) -> list[Sample]:
    """Return the sample of each treated unit alone against all comparison units, in its own years."""
    own = sample.by_start
    alone = []
    for place, code in enumerate(sample.treated):
        one = replace(
            sample,
            treated=(code,),
            y_treated=sample.y_treated[[place]],
            students_treated=sample.students_treated[[place]],
            by_start=None,
        )
        if own is not None:
            start, n = own.started[place], len(sample.treated)
            one = replace(
                one,
                y_treated=own.y[start, [place]],
                y_comparison=own.y[start, n:],
                students_comparison=own.students[start, n:],
            )
        alone.append(one)
    return alone


def own_changes(sample: Sample) -> np.ndarray:
    """Return the comparison units' changes in each treated unit's own years, shape (treated, comparison)."""
    return np.array([one.change_comparison for one in each_alone(sample)])
