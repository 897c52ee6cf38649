"""The state's rule for small cells, and how a count is shown under it."""

MIN_COUNT = 6
"""A numerator below this is not shown (a common rule)."""

MIN_GROUP = 20
"""Nor is anything about a group smaller than this."""


def shown(count: int) -> str:
    """Return a count as text for people: exact from `MIN_COUNT` on, none as 0, else only that it is small."""
    return f"fewer than {MIN_COUNT}" if 0 < count < MIN_COUNT else f"{count:,}"


def rounded(count: int) -> str:
    """Return a count to the nearest ten, so that a small difference between two of them stays hidden."""
    return f"about {round(count, -1):,}"
