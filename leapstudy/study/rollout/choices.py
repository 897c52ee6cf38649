"""What a state decides before a program starts: `params/rollout.yml`, typed and checked."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import check_option
from leapstudy.core.parameter_file import Day, Month, Part, Seed, read_part
from leapstudy.data.districts import is_school_year
from leapstudy.data.state import Where, load_state
from leapstudy.did.lottery.assignment import WAITING
from leapstudy.students.eligible import Outcome, Rule, Stratum
from leapstudy.students.lottery import MONTH
from leapstudy.students.referral_rule import Window
from leapstudy.students.settings import Rollout as StudentRollout

FILE = "rollout.yml"
Track = Literal["students", "units"]
MONTHS = (
    "months_after counts school months of students: name it where track is students, and leave it empty where it is "
    "units, whose outcomes are of whole school years"
)
# School months after the decision where a file about units is asked of students.
HALF_YEAR = 5
# Outcomes that a question may name.
NAMED = ("attendance", "chronic absence")
Share = Annotated[float, Field(gt=0, lt=1)]


def _sizes(value: Any) -> Any:
    each = list(value.values()) if isinstance(value, dict) else [value]
    if not each or not all(type(size) in (int, float) and 0 < size < math.inf for size in each):
        raise ValueError(
            f"{value!r} is neither a number above 0 nor one for each outcome, such as "
            "{ attendance: 4, chronic_absence: 6 }"
        )
    return value


# An effect in the unit of its outcome: one number for all outcomes, or one for each.
Sizes = Annotated[float | dict[str, float], BeforeValidator(_sizes)]


def size_for(sizes: float | Mapping[str, float], outcome: str) -> float:
    """Return the smallest effect on an outcome that would matter.

    Raises
    ------
    BadInput
        If none is named for it.

    Examples
    --------
    >>> size_for(4, "attendance"), size_for({"attendance": 4, "chronic_absence": 6}, "chronic_absence")
    (4, 6)
    """
    if not isinstance(sizes, Mapping):
        return sizes
    if outcome not in sizes:
        raise BadInput(
            f"budget.matters_pp of params/{FILE} says of {', '.join(sizes)} which effect would matter, and not of "
            f"{outcome}. Add it there."
        )
    return sizes[outcome]


def two_questions(question: str, outcome: str) -> str:
    """Return what is wrong with a question that names one outcome where another is primary; empty where nothing is.

    Examples
    --------
    >>> two_questions("Do visits raise attendance?", "attendance_rate")
    ''
    >>> two_questions("Do visits raise attendance?", "chronic_absence")[:44]
    'the question names attendance, but chronic a'
    """
    primary = outcome.replace("_", " ")
    outcomes = [name for name in NAMED if name in question.lower()]
    if not outcomes or any(name in primary for name in outcomes):
        return ""
    return (
        f"the question names {' and '.join(outcomes)}, but {primary} is the primary outcome: ask about {primary} alone"
    )


class StudentRule(Part):
    """Students who missed `percent` or more of their days in a `window` up to `month`; the files' last if empty."""

    window: Window
    percent: Annotated[float, Field(ge=0, le=100)]
    month: Month = ""

    @property
    def rule(self) -> Rule:
        """The rule itself."""
        return Rule(self.window, self.percent)


class Eligible(Part):
    """Who may be drawn: units by a rule over their table and figures, or students by their absence."""

    units: Where = Field(default_factory=dict)
    students: StudentRule


class Strata(Part):
    """Within which lots are drawn: columns of the table of units, or traits of students."""

    units: tuple[str, ...] = ()
    students: tuple[Stratum, ...] = ("district_code",)


class Budget(Part):
    """What there is and what a visited student costs, in dollars; the share of offered students who are met; and the
    smallest effect on a visited student that would matter, in the unit of the outcome.
    """

    dollars: Annotated[float, Field(ge=0)]
    per_visited_student: Annotated[float, Field(gt=0)]
    met: Annotated[float, Field(gt=0, le=1)]
    matters_pp: Sizes

    def matters(self, outcome: str) -> float:
        """Return the effect that would matter of one outcome; see `size_for`."""
        return size_for(self.matters_pp, outcome)


class Scenarios(Part):
    """What `leapstudy design` tries: every combination of share offered, number of phases and outcome."""

    offered: Annotated[tuple[Share, ...], Field(min_length=1)]
    phases: Annotated[tuple[Annotated[int, Field(ge=1, le=6)], ...], Field(min_length=1)]
    students: Annotated[tuple[Outcome, ...], Field(min_length=1)] = ("attendance",)
    units: tuple[str, ...] = ()
    deals: Annotated[int, Field(ge=100, le=10_000)] = 300


class Rollout(Part):
    """Everything that is decided before; see the docstring of the module."""

    track: Track
    question: Annotated[str, Field(min_length=1)]
    eligible: Eligible
    strata: Strata
    phases: Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=1)]
    outcome: Annotated[str, Field(min_length=1)]
    months_after: Annotated[int, Field(ge=1, le=24)] | None = None
    analysis_from: Day
    seed: str
    announced: Day
    seed_number: Seed
    budget: Budget
    scenarios: Scenarios

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        sizes = list(self.phases.values())
        if self.track == "students":
            check_option("outcome of students", self.outcome, Outcome)
        elif odd := [name for name in self.phases if not is_school_year(name)]:
            raise ValueError(
                f"phases of units are called by their first school year, such as 2031-32; {odd[0]!r} is none"
            )
        if fault := two_questions(self.question, self.outcome):
            raise ValueError(fault)
        if (self.track == "students") == (self.months_after is None):
            raise ValueError(MONTHS)
        if WAITING in self.phases:
            raise ValueError(f"{WAITING!r} is what those are called who are not drawn; give the phase another name")
        if not (all(size < 1 for size in sizes) or all(size >= 1 and size == int(size) for size in sizes)):
            raise ValueError("phases are shares below 1, all of them, or whole numbers of places, all of them")
        self._sizes_of_outcomes()
        return self

    def _sizes_of_outcomes(self) -> None:
        """Refuse an effect that matters of an outcome that nobody has, and none of one that will be tried."""
        sizes = self.budget.matters_pp if isinstance(self.budget.matters_pp, dict) else {}
        legal = [*get_args(Outcome), *load_state().outcomes] if sizes else []
        for name in sizes:
            if name not in legal:
                raise bad_value("outcome of budget.matters_pp", name, legal)
        for name in (self.outcome, *getattr(self.scenarios, self.track)):
            self.budget.matters(name)

    @property
    def followed(self) -> int:
        """School months after the decision in which the outcome of students is measured.

        Raises
        ------
        BadInput
            If none are named.
        """
        if self.months_after is None:
            raise BadInput(f"params/{FILE}: {MONTHS}.")
        return self.months_after

    def starts(self, dates: Mapping[str, str]) -> dict[str, str]:
        """Return phase -> first month of its visits, of those named and of phases that are called by their month.

        Of units it is the first school year.
        """
        if self.track == "units":
            return {phase: phase for phase in self.phases}
        own = {phase: phase for phase in self.phases if MONTH.fullmatch(phase)}
        return {**own, **{phase: start for phase, start in dates.items() if phase in self.phases}}

    def places(self, n: int) -> dict[str, int]:
        """Return phase -> places for a list of `n`."""
        sizes, cut, places = self.phases, 0.0, {}
        if min(sizes.values()) >= 1:
            return {name: int(size) for name, size in sizes.items()}
        for name, share in sizes.items():
            before, cut = round(cut * n), cut + share
            places[name] = round(cut * n) - before
        return places

    def shares(self, n: int) -> list[float]:
        """Return the share of a list of `n` that each phase gets."""
        return [places / n for places in self.places(n).values()]


def promised(students: StudentRollout) -> tuple[date | None, str]:
    """Return the day until which outcomes by arm stay closed, and the question that was fixed beforehand.

    Those of `params/students.yml`; where it is silent, those of `params/rollout.yml`, from which the draw was made.
    """
    opens, question = students.outcomes_from, students.promised
    if (opens and question) or not (paths.params() / FILE).is_file():
        return opens, question
    plan = load_rollout()
    return opens or (date.fromisoformat(plan.analysis_from) if plan.analysis_from else None), question or plan.question


def load_rollout() -> Rollout:
    """Read `params/rollout.yml`.

    Raises
    ------
    BadInput
        If the file is missing, a key is unknown, or a value is not legal; every fault is named.
    """
    return read_part(paths.params() / FILE, Rollout)


def asked(track: str = "", dollars: float | None = None) -> Rollout:
    """Return the choices of `params/rollout.yml` with another track or budget.

    Another track than the file's has the first outcome of its scenarios as primary; students are followed for
    `HALF_YEAR` then.

    Raises
    ------
    BadInput
        As `load_rollout`, and for a track that is none.
    """
    rollout = load_rollout()
    if track:
        check_option("track", track, Track)
    if track and track != rollout.track:
        outcomes = getattr(rollout.scenarios, track) or (rollout.outcome,)
        months = HALF_YEAR if track == "students" else None
        rollout = rollout.model_copy(update={"track": track, "outcome": outcomes[0], "months_after": months})
    if dollars is None:
        return rollout
    return rollout.model_copy(update={"budget": rollout.budget.model_copy(update={"dollars": dollars})})
