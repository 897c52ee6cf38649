"""Who is referred for a visit: the five rules, applied month by month to what the district has seen by then."""

from dataclasses import dataclass

import numpy as np

from leapstudy.students.simulate.config import Offer, Pick, ReferralRule, SimulationConfig, number_of


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
