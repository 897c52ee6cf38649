"""What `leapstudy design` tries: the program dealt into real past periods, under every scenario of `rollout.yml`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.phrases import counted, percent
from leapstudy.data import StudyData, load_study
from leapstudy.did.lottery.rollout import Dealt, Windows, deal, picked
from leapstudy.evidence.power import Reach, on_visited, reach
from leapstudy.students.eligible import Past, eligible_ids, months, past, past_decisions, school_months_after
from leapstudy.students.handle import StudentData
from leapstudy.students.settings import StudentSettings, load_settings
from leapstudy.study.rollout.choices import Rollout
from leapstudy.study.rollout.eligibility import (
    eligible_units,
    enrolled,
    rates,
    students_before,
    students_sentence,
    unit_strata,
    units_sentence,
)
from leapstudy.study.rollout.records import closed_from

VISITED, AVERAGE = "a visited student", "the average of all offered"
# Past decisions that are dealt into, the latest ones: more would hold the same students again.
WINDOWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario and what deals of it into past periods gave.

    Attributes
    ----------
    track, outcome : str
    offered : float
        Share of the list that is offered visits.
    phases : int
    affordable : bool
        Whether the budget reaches those offered.
    coverage : float
        Share of the students of those offered who are visited.
    detectable_visited : float
        Smallest detectable effect on a visited student, in the outcome's unit; above 100 points none could be found.
    picked_pp : float
        What picking those with the lowest outcome instead would show without any effect, in the outcome's unit.
    dealt : Dealt
        Sizes, smallest detectable effect of the offer (the outcome's unit), false-positive rate.
    """

    track: str
    outcome: str
    offered: float
    phases: int
    affordable: bool
    coverage: float
    detectable_visited: float
    picked_pp: float
    dealt: Dealt


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Everything that `leapstudy design` says of one track.

    Attributes
    ----------
    chosen : Rollout
    eligible : str
        Who may be drawn, in a sentence with counts.
    n_eligible : int
    reach : Reach
        What the budget buys, in students.
    past : str
        Which past periods were dealt into, in words.
    scenarios : tuple of Scenario
    refused : tuple of str
        Scenarios that cannot be tried, and why.
    simulated : bool
    whom : str
        Whose effect `detectable_visited` is: the average of all offered where nothing is known of their number.
    """

    chosen: Rollout
    eligible: str
    n_eligible: int
    reach: Reach
    past: str
    scenarios: tuple[Scenario, ...]
    refused: tuple[str, ...]
    simulated: bool
    whom: str = VISITED

    @property
    def best(self) -> Scenario:
        """The scenario of the primary outcome that finds the smallest effect on a visited student within the budget."""
        primary = [item for item in self.scenarios if item.outcome == self.chosen.outcome] or list(self.scenarios)
        affordable = [item for item in primary if item.affordable] or primary
        return min(affordable, key=lambda item: (item.detectable_visited, item.phases, item.offered))

    def table(self) -> pd.DataFrame:
        """Return one row a scenario, with sizes and points."""
        rows = []
        for item in self.scenarios:
            own = {name: value for name, value in asdict(item).items() if name != "dealt"}
            sizes = {
                name: getattr(item.dealt, name)
                for name in ("n_units", "n_offered", "detectable", "false_positive", "false_positive_t")
            }
            rows.append({**own, **sizes})
        return pd.DataFrame(rows)


def design(plan: Rollout, settings: StudentSettings | None = None) -> Design:
    """Try every scenario of the track that was chosen.

    Parameters
    ----------
    plan
        The choices of `params/rollout.yml`.
    settings
        Where the student files are; `params/students.yml` by default.

    Raises
    ------
    BadInput
        If nobody is eligible, or the past is too short to deal the program into.
    """
    return _of_students(plan, students_before(settings)) if plan.track == "students" else _of_units(plan)


def _of_students(plan: Rollout, data: StudentData) -> Design:
    eligible, budget = plan.eligible.students, plan.budget
    decisions = past_decisions(data, plan.followed, eligible.window)[-WINDOWS:]
    before = past(data, eligible.rule, decisions, plan.followed, plan.strata.students)
    month = eligible.month or months(data)[-1]
    n = len(eligible_ids(data, eligible.rule, month, ()))
    affordable_reach = reach(budget.dollars, budget.per_visited_student, budget.met, n)

    def windows(outcome: str, phases: int) -> Windows:
        """Return the stretches of past periods as long as the phases."""
        return [_alike(item, outcome, phases, n, plan.seed_number) for item in before]

    scenarios, reasons = _tries(
        plan,
        plan.scenarios.students,
        windows,
        coverage=lambda share: budget.met,
        affordable=lambda share: share * n <= affordable_reach.offered,
    )
    return Design(
        chosen=plan,
        eligible=students_sentence(data, eligible.rule, month, n),
        n_eligible=n,
        reach=affordable_reach,
        past=_past_words(plan, decisions, school_months_after(months(data), month, plan.followed)),
        scenarios=scenarios,
        refused=reasons,
        simulated=data.simulated,
    )


def _past_words(plan: Rollout, decisions: Sequence[str], plan_months: Sequence[str]) -> str:
    """Return which decisions were dealt into, when visits begin there, and whether those planned begin later."""
    words = (
        f"decisions after {', '.join(decisions)}, each with {plan.followed} school months after it, visits from the "
        "first of them on, later phases spread evenly"
    )
    first = min(plan.starts(load_settings().rollout.starts).values(), default="")
    if first <= plan_months[0]:
        return words
    return f"{words}. Your own visits begin in {first}, later than {plan_months[0]}: fewer months with visits find less"


def _tries(
    plan: Rollout,
    outcomes: Sequence[str],
    windows: Callable[[str, int], Windows],
    coverage: Callable[[float], float],
    affordable: Callable[[float], bool],
) -> tuple[tuple[Scenario, ...], tuple[str, ...]]:
    """Return every scenario that can be dealt, and why each other one cannot."""
    tries, scenarios, reasons = plan.scenarios, [], []
    for outcome, phases, share in product(outcomes, tries.phases, tries.offered):
        starts = {1 + k: share / phases for k in range(phases)}
        try:
            past_ones = windows(outcome, phases)
            dealt = deal(past_ones, starts, plan.seed_number, deals=tries.deals)
        except BadInput as error:
            reasons.append(f"{outcome}, {percent(share, 0)} offered in {counted(phases, 'phase')}: {error}")
            continue
        scenarios.append(
            Scenario(
                track=plan.track,
                outcome=outcome,
                offered=share,
                phases=phases,
                affordable=affordable(share),
                coverage=coverage(share),
                detectable_visited=on_visited(dealt.detectable, coverage(share)),
                picked_pp=picked(past_ones, share),
                dealt=dealt,
            )
        )
    if not scenarios:
        raise BadInput("No scenario can be dealt into the past. " + " ".join(reasons))
    return tuple(scenarios), tuple(reasons)


def _alike(item: Past, outcome: str, phases: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return outcome and strata of as many students as the coming lottery has, where the past had more."""
    values, strata = item.outcome(outcome, phases)
    if len(values) > n:
        some = np.sort(np.random.default_rng(seed).permutation(len(values))[:n])
        values, strata = values[some], strata[some]
    return values, strata


def _of_units(plan: Rollout) -> Design:
    data, budget = load_study(started=False), plan.budget
    units = eligible_units(data, plan.eligible.units)
    strata, students = unit_strata(units, plan.strata.units), enrolled(data, units)[0]
    affordable_reach = reach(budget.dollars, budget.per_visited_student, 1.0, max(int(students), 1))
    if not plan.scenarios.units:
        raise bad_value("list of outcomes under scenarios:", (), data.state.outcomes, "Name one or more.")
    scenarios, reasons = _tries(
        plan,
        plan.scenarios.units,
        lambda outcome, phases: _past_years(data, outcome, strata, phases),
        coverage=lambda share: min(affordable_reach.visited / (share * students), 1.0) if students else 1.0,
        affordable=lambda share: affordable_reach.visited > 0,
    )
    years = {name: list(_clean(data, name).columns) for name in plan.scenarios.units}
    return Design(
        chosen=plan,
        eligible=units_sentence(data, plan.eligible.units),
        n_eligible=len(units),
        reach=affordable_reach,
        past="; ".join(f"{data.state.outcomes[name].words}: {own[0]} to {own[-1]}" for name, own in years.items()),
        scenarios=scenarios,
        refused=reasons,
        simulated=False,
        whom=VISITED if students else AVERAGE,
    )


def _clean(data: StudyData, outcome: str) -> pd.DataFrame:
    """Return the figures of the school years that the study uses, before starts are unknown or outcomes are closed."""
    table, gap, first_closed = rates(data, outcome), data.state.calendar.gap, closed_from(data)
    years = [year for year in table.columns if year <= data.state.program.clean_until and year not in gap]
    return table[[year for year in years if not first_closed or year < first_closed]]


def _past_years(data: StudyData, outcome: str, strata: Mapping[str, str], phases: int) -> Windows:
    """Return every stretch of one year before and a year for each phase; `BadInput` where there is none."""
    table = _clean(data, outcome).reindex(list(strata))
    years, length = list(table.columns), phases + 1
    if len(years) < length:
        raise BadInput(f"{outcome} has {len(years)} school years; {phases} phases take {length}. Try fewer phases.")
    sign = 1.0 if data.state.outcomes[outcome].better == "up" else -1.0
    windows = []
    for at in range(len(years) - length + 1):
        rows = table[years[at : at + length]].dropna()
        windows.append((sign * rows.to_numpy(), np.array([strata[code] for code in rows.index])))
    return windows
