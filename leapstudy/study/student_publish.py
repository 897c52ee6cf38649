"""The one gate of the student track: whatever pages, tables and files show of students has passed `published`.

Small groups are refused before they are averaged (`student_months`) or counted (`evidence.privacy`). What is left is
rounded here: counts to five, effects and rates to a hundredth of a point. Differences between published figures then
know a count only within several students, and no equation of published figures has a student's own change as its only
solution.
"""

from collections.abc import Mapping
from typing import Any

from leapstudy.study.result import jsonable

COUNTS = ("n_treated", "n_comparison", "students", "referred")
"""Names under which numbers of students stand; each is rounded to `COUNT_UNIT`."""
COUNT_UNIT = 5
DIGITS = 2
P_DIGITS = 3


def nearest(count: float) -> int:
    """Return a count to the nearest five."""
    return COUNT_UNIT * round(count / COUNT_UNIT)


def published(content: Any, name: str = "") -> Any:
    """Return content as it may be published: plain dicts and lists, every number rounded by what it is.

    Parameters
    ----------
    content
        Records, frames and numbers about students, small groups already refused.
    name
        The key under which it stands.

    Examples
    --------
    >>> published({"n_treated": 132, "estimate_pp": 4.23456, "p_value": 0.00042, "months": 5})
    {'n_treated': 130, 'estimate_pp': 4.23, 'p_value': 0.0, 'months': 5}
    """
    return _rounded(jsonable(content), name)


def _rounded(plain: Any, name: str) -> Any:
    if isinstance(plain, Mapping):
        return {key: _rounded(item, key) for key, item in plain.items()}
    if isinstance(plain, list):
        return [_rounded(item, name) for item in plain]
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return plain
    if name in COUNTS:
        return nearest(plain)
    return round(plain, P_DIGITS if name in ("p_value", "p_holm") else DIGITS) if isinstance(plain, float) else plain
