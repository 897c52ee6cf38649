"""Days absent without any visit: students, months, spells, seasons, and days that cluster (beta-binomial)."""

import numpy as np
from scipy.special import expit

from leapstudy.students.contract import GRADES
from leapstudy.students.simulate.config import Absence, SimulationConfig

FloatArray = np.ndarray
IntArray = np.ndarray


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
