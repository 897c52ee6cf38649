"""The simulated state, block by block: at most 50,000 pupils at a time, so that memory stays bounded."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from leapstudy.pupils.simulate.attendance import daily_chance, days_absent, grades, pupil_ids
from leapstudy.pupils.simulate.config import SimulationConfig
from leapstudy.pupils.simulate.effect import nominal, recovered
from leapstudy.pupils.simulate.referral import Referrals, refer

BLOCK = 50_000
NEVER = np.datetime64("NaT", "M")


@dataclass(frozen=True, slots=True)
class Block:
    """Some pupils of one district with and without the visits; arrays are (pupils,) or (pupils, months)."""

    district_code: str
    pupil: np.ndarray  # (pupils,) text
    school: np.ndarray  # (pupils,) text
    grade: np.ndarray  # (pupils, years) index into GRADES
    high_needs: np.ndarray  # (pupils,) bool
    days: np.ndarray  # (months,) school days
    absent: np.ndarray  # (pupils, months) days absent as they happened
    absent_without: np.ndarray  # (pupils, months) days absent had nobody been visited, same draws
    present: np.ndarray  # (pupils, months) bool, still enrolled
    cohort: np.ndarray  # (pupils,) datetime64[M], NaT = never visited
    referrals: Referrals


def district_month_shift(config: SimulationConfig, code: str) -> np.ndarray:
    """Return what all pupils of a district share: its own level and its remote months; shape (months,)."""
    rng = np.random.default_rng([config.seed, int(code), 1])
    shift = np.full(len(config.months), rng.normal(0, config.absence.district_sd))
    remote = rng.random(len(config.months)) < config.remote.share
    return shift + config.remote.shift * (remote & (np.arange(len(config.months)) < 10))


def stays(config: SimulationConfig, absent: np.ndarray, days: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return who is still enrolled in each month; the chance of leaving may grow with absence."""
    chance = config.attrition.monthly + config.attrition.per_absence * absent / days
    leaves = rng.random(absent.shape) < chance
    left_before = np.cumsum(leaves, axis=1) - leaves > 0
    return ~left_before


def met_before_leaving(config: SimulationConfig, referrals: Referrals, present: np.ndarray) -> Referrals:
    """Return the referrals without visits to pupils who had left; a summer visit needs the pupil in September."""
    month = np.searchsorted(config.months, config.visit_months)[referrals.month].clip(max=len(config.months) - 1)
    return replace(referrals, completed=referrals.completed & present[np.arange(len(present)), month])


def _cohort(config: SimulationConfig, referrals: Referrals) -> np.ndarray:
    return np.where(referrals.completed, config.visit_months[referrals.month], NEVER)


def _block(config: SimulationConfig, code: str, first: int, pupils: int) -> Block:
    rng = np.random.default_rng([config.seed, int(code), 2, first])
    days = np.tile(config.school_days, len(config.absence.year))
    grade = grades(pupils, len(config.absence.year), rng)
    chance, own = daily_chance(config, grade, district_month_shift(config, code), rng)
    without = days_absent(chance, days, config.absence.kappa, rng)
    referrals = refer(config, without, days, rng)
    cohort = _cohort(config, referrals)
    absent = recovered(without, chance, nominal(config, code, grade[:, -1], cohort), rng)
    present = stays(config, absent, days, rng)
    referrals = met_before_leaving(config, referrals, present)  # before the visit both worlds are one
    need = own + rng.standard_normal(pupils) * config.absence.pupil_sd
    number = first + np.arange(pupils)
    return Block(
        district_code=code,
        pupil=pupil_ids(int(code) * 10**6 + first, pupils, config.seed),
        school=np.array([f"{code[:3]}{school:04d}" for school in number // config.school_size]),
        grade=grade,
        high_needs=need >= np.quantile(need, 1 - config.high_needs),
        days=days,
        absent=np.where(present, absent, without),
        absent_without=without,
        present=present,
        cohort=_cohort(config, referrals),
        referrals=referrals,
    )


def simulate(config: SimulationConfig) -> Iterator[Block]:
    """Yield the SIMULATED state in blocks, district by district in order of code; touches no disk."""
    for code, pupils in sorted(config.districts.items()):
        for first in range(0, pupils, BLOCK):
            yield _block(config, code, first, min(BLOCK, pupils - first))
