"""What `leapstudy design` tries: the program dealt into real past periods, under every scenario of `rollout.yml`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.phrases import counted, percent
from leapstudy.data import StudyData, load_study
from leapstudy.did.lottery.dealt import Dealt, Windows, deal, picked
from leapstudy.evidence.budget import Reach, on_visited, reach
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
WINDOWS = 3
"""Past decisions that are dealt into, the latest ones: more would hold the same students again."""


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


def design(chosen: Rollout, settings: StudentSettings | None = None) -> Design:
    """Try every scenario of the track that was chosen.

    Parameters
    ----------
    chosen
        The choices of `params/rollout.yml`.
    settings
        Where the student files are; `params/students.yml` by default.

    Raises
    ------
    BadInput
        If nobody is eligible, or the past is too short to deal the program into.
    """
    return _of_students(chosen, students_before(settings)) if chosen.track == "students" else _of_units(chosen)


def _of_students(chosen: Rollout, data: StudentData) -> Design:
    asked, budget = chosen.eligible.students, chosen.budget
    decisions = past_decisions(data, chosen.followed, asked.window)[-WINDOWS:]
    before = past(data, asked.rule, decisions, chosen.followed, chosen.strata.students)
    month = asked.month or months(data)[-1]
    n = len(eligible_ids(data, asked.rule, month, ()))
    bought = reach(budget.dollars, budget.per_visited_student, budget.met, n)

    def windows(outcome: str, phases: int) -> Windows:
        """Return the stretches of past periods as long as the phases."""
        return [_alike(item, outcome, phases, n, chosen.seed_number) for item in before]

    tried, refused = _tries(
        chosen,
        chosen.scenarios.students,
        windows,
        coverage=lambda share: budget.met,
        affordable=lambda share: share * n <= bought.offered,
    )
    return Design(
        chosen=chosen,
        eligible=students_sentence(data, asked.rule, month, n),
        n_eligible=n,
        reach=bought,
        past=_past_words(chosen, decisions, school_months_after(months(data), month, chosen.followed)),
        scenarios=tried,
        refused=refused,
        simulated=data.simulated,
    )


def _past_words(chosen: Rollout, decisions: Sequence[str], planned: Sequence[str]) -> str:
    """Return which decisions were dealt into, when visits begin there, and whether those planned begin later."""
    told = (
        f"decisions after {', '.join(decisions)}, each with {chosen.followed} school months after it, visits from the "
        "first of them on, later phases spread evenly"
    )
    first = min(chosen.starts(load_settings().rollout.starts).values(), default="")
    if first <= planned[0]:
        return told
    return f"{told}. Your own visits begin in {first}, later than {planned[0]}: fewer months with visits find less"


def _tries(
    chosen: Rollout,
    outcomes: Sequence[str],
    windows: Callable[[str, int], Windows],
    coverage: Callable[[float], float],
    affordable: Callable[[float], bool],
) -> tuple[tuple[Scenario, ...], tuple[str, ...]]:
    """Return every scenario that can be dealt, and why each other one cannot."""
    tries, tried, refused = chosen.scenarios, [], []
    for outcome, phases, share in product(outcomes, tries.phases, tries.offered):
        starts = {1 + k: share / phases for k in range(phases)}
        try:
            past_ones = windows(outcome, phases)
            dealt = deal(past_ones, starts, chosen.seed_number, deals=tries.deals)
        except BadInput as error:
            refused.append(f"{outcome}, {percent(share, 0)} offered in {counted(phases, 'phase')}: {error}")
            continue
        tried.append(
            Scenario(
                track=chosen.track,
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
    if not tried:
        raise BadInput("No scenario can be dealt into the past. " + " ".join(refused))
    return tuple(tried), tuple(refused)


def _alike(item: Past, outcome: str, phases: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return outcome and strata of as many students as the coming lottery has, where the past had more."""
    values, strata = item.outcome(outcome, phases)
    if len(values) > n:
        some = np.sort(np.random.default_rng(seed).permutation(len(values))[:n])
        values, strata = values[some], strata[some]
    return values, strata


def _of_units(chosen: Rollout) -> Design:
    data, budget = load_study(started=False), chosen.budget
    units = eligible_units(data, chosen.eligible.units)
    strata, students = unit_strata(units, chosen.strata.units), enrolled(data, units)[0]
    bought = reach(budget.dollars, budget.per_visited_student, 1.0, max(int(students), 1))
    if not chosen.scenarios.units:
        raise bad_value("list of outcomes under scenarios:", (), data.state.outcomes, "Name one or more.")
    tried, refused = _tries(
        chosen,
        chosen.scenarios.units,
        lambda outcome, phases: _past_years(data, outcome, strata, phases),
        coverage=lambda share: min(bought.visited / (share * students), 1.0) if students else 1.0,
        affordable=lambda share: bought.visited > 0,
    )
    years = {name: list(_clean(data, name).columns) for name in chosen.scenarios.units}
    return Design(
        chosen=chosen,
        eligible=units_sentence(data, chosen.eligible.units),
        n_eligible=len(units),
        reach=bought,
        past="; ".join(f"{data.state.outcomes[name].words}: {own[0]} to {own[-1]}" for name, own in years.items()),
        scenarios=tried,
        refused=refused,
        simulated=False,
        whom=VISITED if students else AVERAGE,
    )


def _clean(data: StudyData, outcome: str) -> pd.DataFrame:
    """Return the figures of the school years that the study uses, before starts are unknown or outcomes are closed."""
    table, gap, closed = rates(data, outcome), data.state.calendar.gap, closed_from(data)
    years = [year for year in table.columns if year <= data.state.program.clean_until and year not in gap]
    return table[[year for year in years if not closed or year < closed]]


def _past_years(data: StudyData, outcome: str, strata: Mapping[str, str], phases: int) -> Windows:
    """Return every stretch of one year before and a year for each phase.

    Raises
    ------
    BadInput
        If there are fewer years.
    """
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
