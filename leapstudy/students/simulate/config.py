"""The parameters of the simulated state, typed; `params/simulation.yml` gives each its unit and reason."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from leapstudy.core import paths
from leapstudy.core.files import sha256_bytes
from leapstudy.core.names import SIMULATION
from leapstudy.core.parameter_file import Part, Seed, checked_part, read_part
from leapstudy.students.contract import CODE, GRADES

ReferralRule = Literal["random", "last_year", "year_to_date", "last_two_months", "worst"]
# How staff pick among those who meet the rule: by lot, the most absent, those they see falling or rising, or the kind
# of student.
Pick = Literal["lot", "severity", "trouble", "improvement", "trait"]
EffectPath = Literal["zero", "leap"]
DirtKind = Literal[
    "over_by_two",
    "over_by_more",
    "zero_membership",
    "repeated",
    "conflicting",
    "two_districts",
    "lost_zeros",
    "unknown_district",
    "stopped_feed",
]
Share = Field(ge=0, le=1)


class Absence(Part):
    """Log-odds of missing a day, and how days cluster."""

    level: float
    district_sd: float = Field(ge=0)
    student_sd: float = Field(ge=0)
    month_sd: float = Field(ge=0)
    month_rho: float = Field(ge=-1, le=1)
    kappa: float = Field(gt=0)
    grade: dict[str, float]
    season: tuple[float, ...]
    year: tuple[float, ...]
    spell_start: float = Share
    spell_end: float = Field(gt=0, le=1)
    spell_shift: float

    @model_validator(mode="after")
    def _every_grade(self) -> Self:
        if set(self.grade) != set(GRADES):
            raise ValueError(f"grade must name exactly {', '.join(GRADES)}")
        return self


class Offer(Part):
    """A lottery among the students who meet the rule at its first start: share of them offered visits, by phase.

    `starts` holds the first month of each phase, in order; `crossover` is the share of those who wait that are visited.
    """

    starts: dict[str, str] = Field(min_length=1)
    share: float = Field(gt=0, lt=1)
    crossover: float = Share


# NumPy takes a step without a unit for a fault from now on.
DAY, MONTH = np.timedelta64(1, "D"), np.timedelta64(1, "M")
# Codes that are numbers of their own.
SEVEN = re.compile("[0-9]{7}")


def number_of(code: str) -> int:
    """Return a number of a district for seeds and ids; of another state's code one as small as of seven digits."""
    return int(code) if SEVEN.fullmatch(code) else int(sha256_bytes(code.encode())[:12], 16) % 10**9


class Visits(Part):
    """Who is referred, when, and how many of the referred are met."""

    rule: ReferralRule
    pick: Pick = "lot"
    share: float = Share
    first: str = Field(pattern=r"^\d{4}-\d{2}$")
    last: str = Field(pattern=r"^\d{4}-\d{2}$")
    completed: float = Field(gt=0, le=1)
    more_visits: float = Field(ge=0)
    offer: Offer | None = None


class Effect(Part):
    """Nominal gain in attendance, in percentage points, by months since the first visit.

    Where visits work, `per_visit` is added from the month after the first on for each further visit that staff plan.
    """

    path: EffectPath
    month_0: float = Field(ge=0, le=100)
    month_1: float = Field(ge=0, le=100)
    month_6_summer: float = Field(ge=0, le=100)
    month_6_school_year: float = Field(ge=0, le=100)
    month_9_pk_5: float = Field(ge=0, le=100)
    month_9_6_12: float = Field(ge=0, le=100)
    month_6_district: dict[str, float]
    null_district: bool
    per_visit: float = Field(default=0.0, ge=0, le=100)


class Attrition(Part):
    """Chance of leaving after a month: `monthly` plus `per_absence` times the share of the month missed."""

    monthly: float = Share
    per_absence: float = Field(ge=0)


class Remote(Part):
    """District-months of the first year taught remotely: their share, and the shift of the log-odds."""

    share: float = Share
    shift: float


class WrongCodes(Part):
    """Codes that spoilt rows are given: of a district `elsewhere` in the state, and of none at all."""

    elsewhere: str
    nowhere: str


class SimulationConfig(Part):
    """Everything the generator needs; equal configurations give equal rows."""

    seed: Seed
    districts: dict[str, Annotated[int, Field(gt=0)]]
    first_september: int
    school_days: tuple[int, ...]
    high_needs: float = Share
    school_size: int = Field(gt=0)
    absence: Absence
    visits: Visits
    effect: Effect
    attrition: Attrition
    remote: Remote
    wrong_codes: WrongCodes
    dirt: dict[DirtKind, float]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.school_days) != 10 or len(self.absence.season) != 10:
            raise ValueError("school_days and absence.season need ten numbers, September to June")
        if not self.districts or not all(re.fullmatch(CODE, code) for code in self.districts):
            raise ValueError("districts must be codes as the study has them, as text in quotes, with their students")
        if sum(self.dirt.values()) > 0.5 or min(self.dirt.values(), default=0) < 0:
            raise ValueError("dirt needs shares of rows that sum to at most 0.5")
        return self

    @property
    def months(self) -> np.ndarray:
        """The school months as ``datetime64[M]``, shape (10 x years,)."""
        years = range(self.first_september, self.first_september + len(self.absence.year))
        return np.concatenate([np.datetime64(f"{year}-09") + np.arange(10) for year in years])

    @property
    def visit_months(self) -> np.ndarray:
        """The calendar months of first visits as ``datetime64[M]``, summer included."""
        return np.arange(np.datetime64(self.visits.first), np.datetime64(self.visits.last) + MONTH)

    @property
    def null_code(self) -> str:
        """The district whose visits do nothing, drawn by the seed and no claim about a real one; empty for none."""
        candidates = [code for code in sorted(self.districts) if code not in self.effect.month_6_district]
        if not self.effect.null_district or not candidates:
            return ""
        return candidates[int(np.random.default_rng(self.seed).integers(len(candidates)))]

    def with_changes(self, **changes: object) -> "SimulationConfig":
        """Return a checked copy; ``visits__rule="worst"`` reaches into a part."""
        content = self.model_dump()
        for key, value in changes.items():
            *parts, last = key.split("__")
            target = content
            for part in parts:
                target = target[part]
            target[last] = value
        return checked_part(content, SimulationConfig, SIMULATION)


def load_config(path: Path | None = None) -> SimulationConfig:
    """Read the parameters of the simulated state.

    Parameters
    ----------
    path
        A YAML file; default `params/simulation.yml`.

    Raises
    ------
    BadInput
        If the file is missing, a key is unknown or missing, or a value is out of range.
    """
    return read_part(path or paths.params() / SIMULATION, SimulationConfig)
