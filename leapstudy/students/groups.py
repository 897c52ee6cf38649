"""The groups in which students are counted, and the seasons of their first visits."""

from leapstudy.students.contract import SUPPORTS

VISITED = "visited"
STATUSES = ("not referred", "referred, not tried", "tried, not met", VISITED)
"""How far the program got with a student; each student has exactly one, so that the counts add up."""
VISIT_COUNTS = ("1", "2", "3 or more")
"""Completed visits of a visited student."""

GRADE_BANDS = ("PK-5", "6-12")
"""The bands of the published effects."""

DIMENSIONS = ("district_code", "status", "cohort", "visits", "grade_band", *SUPPORTS)
"""What tells the counts apart; a support is ``yes`` or ``no`` among the visited."""


def season(period: int) -> str:
    """Return the season of a first visit from its month number, ``12 * year + month - 1``: 2021 summer, 2021 autumn,
    ...
    """
    year, month = divmod(period, 12)
    name = "summer" if month in (6, 7) else "autumn" if month > 7 else "spring"
    return f"{year} {name}"
