"""The simulated state, block by block, and who is referred: five rules, applied month by month to what was seen by
then.

At most 50,000 students at a time, so that memory stays bounded. Days absent without any visit come from students,
months, spells and seasons, and cluster (beta-binomial).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from leapstudy.students.contract import GRADES
from leapstudy.students.simulate.config import SEVEN, Absence, Offer, Pick, ReferralRule, SimulationConfig, number_of


@dataclass(frozen=True, slots=True)
class Referrals:
    """What became of each student; all of shape (students,).

    Attributes
    ----------
    month
        Referral month as an index into the visit months (-1 = never).
    completed
        Whether the visit came about.
    phase
        Place of the phase drawn in the lottery (the number of phases: waiting; -1: not in a lottery).
    """

    month: np.ndarray
    completed: np.ndarray
    phase: np.ndarray


# A wish of so many points counts as much as chance does, so that everyone has somebody alike unvisited.
WISH = 10.0


def window(rule: ReferralRule, before: int) -> slice:
    """Return the school months that a rule looks at, of the `before` months that have passed.

    At the start of a school year "year to date" is the whole year before.
    """
    year = before // 10 * 10
    if rule == "last_year" or (rule == "year_to_date" and before == year):
        return slice(year - 10, year)
    if rule == "year_to_date":
        return slice(year, before)
    return slice(before - 2, before)


def eligible(rule: ReferralRule, absent: np.ndarray, days: np.ndarray, before: int, size: int) -> np.ndarray:
    """Return who may be referred in a month, as booleans of shape (students,).

    `absent` has shape (students, months), `days` shape (months,). The rule `worst` admits the `size` students with
    the most absence, so that nobody comparable stays unvisited.
    """
    if rule == "random":
        return np.ones(len(absent), dtype=bool)
    past = window(rule, before)
    missed = absent[:, past].sum(axis=1)
    if rule == "worst":
        rank = np.argsort(np.argsort(-missed, kind="stable"), kind="stable")
        return rank < size
    return 10 * missed >= days[past].sum()


def urgency(pick: Pick, absent: np.ndarray, days: np.ndarray, before: int) -> np.ndarray:
    """Return how much staff want to visit each student, shape (students,); by lot all alike.

    `trouble` and `improvement` know the next two months, as a teacher may who sees a student slide or recover; `trait`
    knows the student's whole record. None of it is in a rule on absence, so that conditioning on absence before does
    not remove it.
    """
    missed = 100 * absent / np.maximum(days, 1)
    recent = missed[:, max(before - 2, 0) : before].mean(axis=1)
    if pick == "lot":
        return np.zeros(len(absent))
    if pick == "severity":
        return recent
    if pick == "trait":
        return missed.mean(axis=1)
    coming = missed[:, before : before + 2].mean(axis=1) if before < missed.shape[1] else recent
    return coming if pick == "trouble" else recent - coming


def refer(config: SimulationConfig, absent: np.ndarray, days: np.ndarray, rng: np.random.Generator) -> Referrals:
    """Refer students month by month, each at most once, until `visits.share` of the block has been met.

    Parameters
    ----------
    config
        The state's parameters.
    absent
        Days absent without visits, shape (students, months); a student not yet visited shows exactly these.
    days
        School days by month, shape (months,).
    rng
        Source of the draws.
    """
    if config.visits.offer is not None:
        return offer(config, config.visits.offer, absent, days, rng)
    students, months = len(absent), config.visit_months
    round_of = np.full(students, -1)
    goal = config.visits.share / config.visits.completed * students * np.arange(1, len(months) + 1) / len(months)
    for index, month in enumerate(months):
        size = int(goal[index]) - int((round_of >= 0).sum())
        waiting = round_of < 0
        before = int((config.months < month).sum())
        pool = np.flatnonzero(waiting)
        pool = pool[eligible(config.visits.rule, absent[pool], days, before, size)]
        order = rng.permutation(pool)
        wish = urgency(config.visits.pick, absent[order], days, before)
        noise = 0.0 if config.visits.pick == "lot" else rng.gumbel(scale=WISH, size=len(order))
        picks = order[np.argsort(-(wish + noise), kind="stable")][: max(size, 0)]
        round_of[picks] = index
    is_completed = (round_of >= 0) & (rng.random(students) < config.visits.completed)
    return Referrals(round_of, is_completed, np.full(students, -1))


# Months within which those who were offered visits are referred.
TAKING = 2


def offer(
    config: SimulationConfig, lottery: Offer, absent: np.ndarray, days: np.ndarray, rng: np.random.Generator
) -> Referrals:
    """Draw lots once among those who meet the rule at the first start; see `refer` for the parameters."""
    starts = np.searchsorted(config.visit_months, np.array(list(lottery.starts.values()), dtype="datetime64[M]"))
    before = int((config.months < config.visit_months[starts[0]]).sum())
    pool = rng.permutation(np.flatnonzero(eligible(config.visits.rule, absent, days, before, len(absent) // 5)))
    places = round(lottery.share * len(pool) / len(starts))
    phase, month = np.full(len(absent), -1), np.full(len(absent), -1)
    phase[pool] = np.minimum(np.arange(len(pool)) // max(places, 1), len(starts))
    offered = (phase >= 0) & (phase < len(starts))
    month[offered] = starts[phase[offered]]
    crossers = (phase == len(starts)) & (rng.random(len(absent)) < lottery.crossover)
    month[crossers] = starts[-1]
    month[month >= 0] += rng.integers(0, TAKING, (month >= 0).sum())
    month = np.minimum(month, len(config.visit_months) - 1)
    return Referrals(month, (month >= 0) & (rng.random(len(absent)) < config.visits.completed), phase)


# Staff go back to nobody more, or less, than exp(2) times as often as to the others.
FAR = 2.0


@dataclass(frozen=True, slots=True)
class Plans:
    """What is planned for the referred; `rng` goes on where these draws end.

    Attributes
    ----------
    who
        Places of the referred students in the block, shape (referred,); the other arrays are theirs.
    referral, attempt
        Days of the referral and of the first attempt to visit.
    further
        Visits planned after the first.
    """

    who: np.ndarray
    referral: np.ndarray
    attempt: np.ndarray
    further: np.ndarray
    rng: np.random.Generator


def plans(config: SimulationConfig, code: str, referrals: Referrals, absent: np.ndarray, days: np.ndarray) -> Plans:
    """Plan dates and further visits: staff go back the more, the more they would pick the student; by lot all alike.

    `absent` and `days` are as in `refer`, in the world without visits.
    """
    rng = np.random.default_rng([config.seed, number_of(code), 3, len(absent)])
    who = np.flatnonzero(referrals.month >= 0)
    month = config.visit_months[referrals.month[who]].astype("datetime64[D]")
    referral = month + rng.integers(0, 14, len(who))
    attempt = referral + rng.integers(1, 14, len(who))
    wish = np.zeros(len(absent))
    for place in np.unique(referrals.month[who]):
        own = referrals.month == place
        before = int((config.months < config.visit_months[place]).sum())
        wish[own] = urgency(config.visits.pick, absent[own], days, before)
    far = (wish[who] - wish[who].mean()) / WISH if len(who) else wish[who]
    further = rng.poisson(config.visits.more_visits * np.exp(np.clip(far, -FAR, FAR)))
    return Plans(who, referral, attempt, further, rng)


FloatArray = np.ndarray
IntArray = np.ndarray


def _stems(codes: Iterable[str]) -> dict[str, str]:
    """Return what the codes of each district's schools begin with: three digits of a code of seven, else the whole.

    Districts whose three digits are not theirs alone keep the whole code, too, so that no two share a school.
    """
    stems = {code: code[:3] if SEVEN.fullmatch(code) else code for code in codes}
    times = Counter(stems.values())
    return {code: stem if times[stem] == 1 else code for code, stem in stems.items()}


def student_ids(first: int, count: int, seed: int) -> np.ndarray:
    """Return `count` pseudonyms of twelve characters, all different and not in order.

    A number times an odd constant modulo a power of two visits every number once, so no two students collide.
    """
    letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
    number = np.arange(first, first + count, dtype=np.uint64) + np.uint64(seed % 2**32)
    number = (number * np.uint64(0x9E3779B97F4A7C15)) % np.uint64(2**50)
    digits = (number[:, None] >> np.arange(0, 50, 5, dtype=np.uint64)) % np.uint64(32)
    text = np.ascontiguousarray(letters[digits.astype(int)]).view("S10").ravel().astype("U10")
    return np.char.add("~P", text)


def grades(students: int, years: int, rng: np.random.Generator) -> IntArray:
    """Return each student's grade by year as an index into `GRADES`; everyone moves up, nobody graduates.

    Shape (students, years).
    """
    first = rng.integers(0, len(GRADES) - years + 1, students)
    return first[:, None] + np.arange(years)


def wandering(students: int, months: int, sd: float, rho: float, rng: np.random.Generator) -> FloatArray:
    """Return stationary first-order autoregressions with standard deviation `sd`, shape (students, months)."""
    path = rng.standard_normal((students, months)) * sd
    for month in range(1, months):
        path[:, month] = rho * path[:, month - 1] + np.sqrt(1 - rho**2) * path[:, month]
    return path


def spells(students: int, months: int, absence: Absence, rng: np.random.Generator) -> FloatArray:
    """Return the shift of the log-odds by spells of disengagement, shape (students, months)."""
    starts = rng.random((students, months)) < absence.spell_start
    ends = rng.random((students, months)) < absence.spell_end
    away = starts.copy()
    lasting = absence.spell_start / (absence.spell_start + absence.spell_end * (1 - absence.spell_start))
    away[:, 0] = rng.random(students) < lasting  # as many as in any later month
    for month in range(1, months):
        away[:, month] |= away[:, month - 1] & ~ends[:, month]
    return away * absence.spell_shift


def daily_chance(
    config: SimulationConfig, grade: IntArray, shift: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return each student-month's chance of missing a day, and each student's own log-odds.

    Parameters
    ----------
    config
        The state's parameters.
    grade
        Index into `GRADES`, shape (students, years).
    shift
        What the district's students share, in log-odds, shape (months,).
    rng
        Source of the draws.

    Returns
    -------
    tuple
        Chances of shape (students, months); student effects of shape (students,).
    """
    absence, (students, years) = config.absence, grade.shape
    months = len(config.months)
    own = absence.student_sd * rng.standard_normal((students,))
    by_grade = np.array([absence.grade[name] for name in GRADES])
    logodds = absence.level + own[:, None] + np.repeat(by_grade[grade], 10, axis=1) + shift
    logodds += wandering(students, months, absence.month_sd, absence.month_rho, rng)
    logodds += spells(students, months, absence, rng)
    logodds += np.tile(absence.season, years) + np.repeat(absence.year, 10)
    return expit(logodds), own


def days_absent(chance: FloatArray, days: IntArray, kappa: float, rng: np.random.Generator) -> IntArray:
    """Return beta-binomial days absent: the month's own chance is ``Beta(p kappa, (1 - p) kappa)`` around ``p``."""
    return rng.binomial(days, rng.beta(chance * kappa, (1 - chance) * kappa))


BLOCK = 50_000
NEVER = np.datetime64("NaT", "M")


@dataclass(frozen=True, slots=True)
class Block:
    """Some students of one district with and without the visits; arrays are (students,) or (students, months)."""

    district_code: str
    student: np.ndarray  # (students,) text
    school: np.ndarray  # (students,) text
    grade: np.ndarray  # (students, years) index into GRADES
    high_needs: np.ndarray  # (students,) bool
    days: np.ndarray  # (months,) school days
    absent: np.ndarray  # (students, months) days absent as they happened
    absent_without: np.ndarray  # (students, months) days absent had nobody been visited, same draws
    present: np.ndarray  # (students, months) bool, still enrolled
    cohort: np.ndarray  # (students,) datetime64[M], NaT = never visited
    referrals: Referrals


def district_month_shift(config: SimulationConfig, code: str) -> np.ndarray:
    """Return what all students of a district share: its own level and its remote months; shape (months,)."""
    rng = np.random.default_rng([config.seed, number_of(code), 1])
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
    """Return the referrals without visits to students who had left; a summer visit needs the student in September."""
    month = np.searchsorted(config.months, config.visit_months)[referrals.month].clip(max=len(config.months) - 1)
    return replace(referrals, completed=referrals.completed & present[np.arange(len(present)), month])


def _cohort(config: SimulationConfig, referrals: Referrals) -> np.ndarray:
    return np.where(referrals.completed, config.visit_months[referrals.month], NEVER)


def _block(config: SimulationConfig, code: str, stem: str, first: int, students: int) -> Block:
    rng = np.random.default_rng([config.seed, number_of(code), 2, first])
    days = np.tile(config.school_days, len(config.absence.year))
    grade = grades(students, len(config.absence.year), rng)
    chance, own = daily_chance(config, grade, district_month_shift(config, code), rng)
    without = days_absent(chance, days, config.absence.kappa, rng)
    referrals = refer(config, without, days, rng)
    cohort = _cohort(config, referrals)
    gain = nominal(config, code, grade[:, -1], cohort)
    if config.effect.per_visit:
        plan, further = plans(config, code, referrals, without, days), np.zeros((students, 1))
        further[plan.who, 0] = plan.further
        later = config.months[None, :] > cohort[:, None]
        gain += config.effect.per_visit * further * (later & (gain > 0))
    absent = recovered(without, chance, gain, rng)
    present = stays(config, absent, days, rng)
    referrals = met_before_leaving(config, referrals, present)  # before the visit both worlds are one
    need = own + rng.standard_normal(students) * config.absence.student_sd
    number = first + np.arange(students)
    return Block(
        district_code=code,
        student=student_ids(number_of(code) * 10**6 + first, students, config.seed),
        school=np.array([f"{stem}{school:04d}" for school in number // config.school_size]),
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
    stems = _stems(config.districts)
    for code, students in sorted(config.districts.items()):
        for first in range(0, students, BLOCK):
            yield _block(config, code, stems[code], first, min(BLOCK, students - first))


FIRST_SECONDARY = GRADES.index("06")


def nominal(config: SimulationConfig, code: str, grade: np.ndarray, cohort: np.ndarray) -> np.ndarray:
    """Return the nominal gain in percentage points before the ceiling.

    Parameters
    ----------
    config
        The state's parameters.
    code
        The district; one of them may have no effect, another its own published one.
    grade
        Index into `GRADES` in the year of the visit, shape (students,).
    cohort
        Month of the first completed visit as ``datetime64[M]``, NaT for never; shape (students,).

    Returns
    -------
    numpy.ndarray
        Shape (students, months); zero before the visit and for the never-visited.
    """
    effect, zero = config.effect, np.zeros((len(cohort), len(config.months)))
    if effect.path == "zero" or code == config.null_code:
        return zero
    event = (config.months[None, :] - cohort[:, None]).astype(float)  # NaT becomes NaN
    summer = np.isin(cohort.astype(int) % 12, (6, 7))  # July and August, counted from January = 0
    month_6 = np.where(summer, effect.month_6_summer, effect.month_6_school_year)
    month_6 = np.full(len(cohort), effect.month_6_district.get(code)) if code in effect.month_6_district else month_6
    month_9 = np.where(grade < FIRST_SECONDARY, effect.month_9_pk_5, effect.month_9_6_12)
    gain = zero
    for late in np.unique(np.stack([month_6, month_9], axis=1), axis=0):
        rows = (month_6 == late[0]) & (month_9 == late[1])
        gain[rows] = np.interp(event[rows], [0, 1, 6, 9], [effect.month_0, effect.month_1, *late], left=0.0)
    return np.where(event >= 0, gain, 0.0)


def recovered(absent: np.ndarray, chance: np.ndarray, gain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the days absent with the visit, by thinning the days absent without it.

    A visit lowers the chance p of missing a day to ``p' = max(p - gain, 0)``. Keeping each missed day with
    probability p'/p gives days absent with mean p' on the same draws: nobody gets worse, and nobody gains more
    than was missed (the ceiling). All arguments have shape (students, months); `gain` is in percentage points.
    """
    treated = gain > 0
    remaining = np.maximum(chance[treated] - gain[treated] / 100, 0) / np.maximum(chance[treated], 1e-12)
    after = absent.copy()
    after[treated] = rng.binomial(absent[treated], remaining)
    return after
