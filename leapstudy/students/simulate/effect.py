"""What a visit does: the nominal path, cut off by the ceiling, on the very same draws."""

import numpy as np

from leapstudy.students.contract import GRADES
from leapstudy.students.simulate.config import SimulationConfig

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
    kept = np.maximum(chance[treated] - gain[treated] / 100, 0) / np.maximum(chance[treated], 1e-12)
    after = absent.copy()
    after[treated] = rng.binomial(absent[treated], kept)
    return after
