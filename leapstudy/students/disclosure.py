"""The groups in which students are counted, and how a small count or a mean is shown under the state's rule."""

import numpy as np

# A numerator below this is not shown (a common rule).
MIN_COUNT = 6

# Nor is anything about a group smaller than this.
MIN_GROUP = 20


def shown(count: int) -> str:
    """Return a count as text for people: exact from `MIN_COUNT` on, none as 0, else only that it is small."""
    return f"fewer than {MIN_COUNT}" if 0 < count < MIN_COUNT else f"{count:,}"


def rounded(count: int) -> str:
    """Return a count to the nearest ten, so that a small difference between two of them stays hidden."""
    return f"fewer than {MIN_COUNT}" if count < MIN_COUNT else f"about {round(count, -1):,}"


# How far the month of one student stays open, in points, to who knows everybody else behind a published mean.
OPEN_POINTS = 20

_UNITS = np.array([0.01, 0.1, 0.2, 0.5, 1.0])


def unit_of_mean(students: np.ndarray) -> np.ndarray:
    """Return to what a mean over so many students is rounded, in points: times the students it is `OPEN_POINTS`."""
    least_unit = OPEN_POINTS / np.asarray(students, dtype=float)
    return _UNITS[np.minimum(np.searchsorted(_UNITS, least_unit - 1e-9), len(_UNITS) - 1)]


def rounded_mean(mean: np.ndarray, students: np.ndarray) -> np.ndarray:
    """Return means over `students` as they are shown, in points: the fewer students, the coarser.

    Examples
    --------
    >>> rounded_mean(np.array([91.27, 91.27, 91.27]), np.array([20, 150, 5000]))
    array([91.  , 91.2 , 91.27])
    """
    unit = unit_of_mean(students)
    return np.round(np.round(np.asarray(mean) / unit) * unit, 2)


VISITED = "visited"
# How far the program got with a student; each student has exactly one, so that the counts add up.
STATUSES = ("not referred", "referred, not tried", "tried, not met", VISITED)
# Completed visits of a visited student.
VISIT_COUNTS = ("1", "2", "3 or more")

# The bands of the published effects.
GRADE_BANDS = ("PK-5", "6-12")

# What tells the counts apart, beside a column for each support: ``yes`` or ``no`` among the visited.
BY = ("district_code", "status", "cohort", "visits", "grade_band")
COUNTS = ("numerator", "denominator")
SEASONS = ("spring", "summer", "fall")
# Columns of the counts that stand beside one for each support, which cannot have such a name.
RESERVED = (*BY, "students", *COUNTS, "suppressed")


def in_time(group: str) -> tuple[str, int]:
    """Return what sorts seasons of first visits by time; a group that is no season comes last."""
    year, _, name = group.partition(" ")
    return (year, SEASONS.index(name)) if name in SEASONS else ("~", 0)


def season(period: int) -> str:
    """Return the season of a first visit from its month number, ``12 * year + month - 1``: 2021 summer, 2021 fall,
    ...
    """
    year, month = divmod(period, 12)
    name = "summer" if month in (6, 7) else "fall" if month > 7 else "spring"
    return f"{year} {name}"
