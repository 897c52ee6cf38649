"""How student files are to be read: what `params/students.yml` says beside where they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from leapstudy.students import contract

CATEGORIES = {
    "absence": 1.0,
    "absent": 1.0,
    "excused absence": 1.0,
    "unexcused absence": 1.0,
    "partial absence": 0.5,
    "in attendance": 0.0,
    "present": 0.0,
    "tardy": 0.0,
    "early departure": 0.0,
}
"""Ed-Fi's attendance event categories and the share of the day that each means where no duration is given."""


CALENDAR_EVENTS = {
    "instructional day": 1.0,
    "make-up day": 1.0,
    "student late arrival/early dismissal": 1.0,
    "strike": 0.0,
    "non-instructional day": 0.0,
    "holiday": 0.0,
    "teacher only day": 0.0,
    "weather day": 0.0,
    "emergency day": 0.0,
}
"""Ed-Fi's calendar events: 1 where students are taught."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read: what the parameters say beside where the files are.

    Attributes
    ----------
    columns
        The contract's column name -> the file's own; two names may read one column.
    constants
        Columns that the files lack and that are the same in every row: ``{"district_code": "06400"}``.
    values
        Column -> the file's own value -> the contract's.
    categories
        Category of an attendance event -> the share of the day that it means; beside `CATEGORIES`.
    supports
        Legal supports in the visit log.
    time_zone
        Where instants in UTC are meant, as ``America/New_York``.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    categories: Mapping[str, float] = field(default_factory=dict)
    supports: tuple[str, ...] = contract.SUPPORTS
    time_zone: str = ""
