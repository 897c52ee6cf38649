"""The tables that the student track reads, declared once: validation, codebook and tests all come from here.

Every shape of attendance file leads to one panel, `STUDENT_MONTH`: a row is a student in a month.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from leapstudy.core.errors import BadInput

Kind = Literal["text", "number", "month", "date", "flag"]
Shape = Literal["student_month", "student_day", "edfi", "ct_monthly"]
"""How attendance is kept in the files."""

GRADES = ("PK", "K", *(f"{grade:02d}" for grade in range(1, 13)))
VISIT_TYPES = ("in_person", "phone", "neighborhood")
VISIT_RESULTS = ("met", "not_home", "refused", "moved")
SUPPORTS = ("mental_health", "coats", "food", "shelter", "translation", "transport", "activities")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: what it holds, in which unit, and what is legal.

    `required` columns must be in the file; the others are filled with empty cells where they are missing.
    `width` is the number of characters in a fixed-width file. `low` and `high` bound a number, both included. `known`
    are further spellings of legal values; capital letters, spaces and hyphens make no difference.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    required: bool = True
    allowed: tuple[str, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    low: float = 0
    high: float = 31
    width: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its grain, its key and its columns in order."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that a file must have."""
        return tuple(column.name for column in self.columns if column.required)

    def __getitem__(self, name: str) -> Column:
        """Return one column by name."""
        return next(column for column in self.columns if column.name == name)


STUDENT = Column(
    name="student", kind="text", meaning="keyed pseudonym of the student, never the state's own number", width=12
)
DISTRICT = Column(
    name="district_code",
    kind="text",
    meaning="reporting district; text of any form, with its leading zeros; may be one constant for the whole file",
    width=7,
)
SCHOOL = Column(name="school_code", kind="text", meaning="school; text, with its leading zeros", required=False)
GRADE = Column(name="grade", kind="text", meaning="grade in this month", required=False, allowed=GRADES)
MONTH = Column(name="month", kind="month", meaning="calendar month, as its first day")
ENROLLED = Column(name="days_enrolled", kind="number", meaning="days of membership", unit="days", high=31)
ATTENDED = Column(name="days_attended", kind="number", meaning="days attended; halves allowed", unit="days", high=31)
FIRST_VISIT = Column(
    name="first_visit_month",
    kind="month",
    meaning="month of the first completed visit; empty = never visited",
    required=False,
)
HIGH_NEEDS = Column(
    name="high_needs",
    kind="flag",
    meaning="meal-eligible, multilingual learner or student with disability",
    required=False,
)
STATUS = Column(
    name="status",
    kind="text",
    meaning="whether the figures are final; the two must never be mixed in one study",
    required=False,
    allowed=("final", "year_to_date"),
    known={"ytd": "year_to_date"},
)
DATE = Column(name="date", kind="date", meaning="school day")

STUDENT_MONTH = Table(
    "student_month",
    "one row per student, district, school and month",
    ("student", "district_code", "school_code", "month"),
    (STUDENT, DISTRICT, SCHOOL, GRADE, MONTH, ENROLLED, ATTENDED, FIRST_VISIT, HIGH_NEEDS, STATUS),
)
STUDENT_DAY = Table(
    "student_day",
    "one row per student and school day (positive attendance)",
    ("student", "district_code", "school_code", "date"),
    (
        STUDENT,
        DISTRICT,
        SCHOOL,
        GRADE,
        DATE,
        Column(name="attended", kind="number", meaning="share of the day attended, 0 to 1", unit="days", high=1),
        FIRST_VISIT,
        HIGH_NEEDS,
    ),
)
ENROLLMENT = Table(
    "enrollment",
    "one row per spell of enrollment of a student in a school",
    ("student", "school_code", "entry_date"),
    (
        STUDENT,
        DISTRICT,
        Column(name="school_code", kind="text", meaning="school; text, with its leading zeros"),
        GRADE,
        Column(name="entry_date", kind="date", meaning="first day of the spell"),
        Column(name="exit_date", kind="date", meaning="last day of the spell; empty = still enrolled", required=False),
        HIGH_NEEDS,
    ),
)
ABSENCES = Table(
    "absences",
    "one row per student and absence event; no event means present",
    ("student", "school_code", "date"),
    (
        STUDENT,
        Column(name="school_code", kind="text", meaning="school; text, with its leading zeros"),
        DATE,
        Column(
            name="absent",
            kind="number",
            meaning="share of the day missed; empty = 1",
            unit="days",
            required=False,
            high=1,
        ),
        Column(
            name="category",
            kind="text",
            meaning="kind of event, by the table `categories:` of the parameters: the share of a day that it means if "
            "`absent` is empty",
            required=False,
        ),
    ),
)
CALENDAR = Table(
    "calendar",
    "one row per school and day on which it taught",
    ("school_code", "date"),
    (
        Column(name="school_code", kind="text", meaning="school; text, with its leading zeros"),
        DATE,
        Column(
            name="calendar_event",
            kind="text",
            meaning="kind of day; without this column every day of the file is a school day",
            required=False,
        ),
    ),
)


def _days(name: str, meaning: str) -> Column:
    return Column(name=name, kind="number", meaning=meaning, unit="days", width=5)


CT_MONTHLY = Table(
    "ct_monthly",
    "one row per student, reporting district and month; fixed width, the columns follow each other without gaps",
    ("student", "district_code", "month"),
    (
        DISTRICT,
        STUDENT,
        Column(name="month", kind="month", meaning="calendar month as YYYY-MM", width=7),
        _days("membership_in_person", "days of membership taught in person"),
        _days("attended_in_person", "days attended in person"),
        _days("membership_remote", "days of membership taught remotely"),
        _days("attended_remote", "remote days attended (half a day or more counts)"),
    ),
)
ROSTER = Table(
    "roster",
    "one row per student: what the CT monthly file lacks",
    ("student",),
    (STUDENT, SCHOOL, GRADE, HIGH_NEEDS),
)
VISITS = Table(
    "visits",
    "one row per attempted visit; a student who was referred and never visited has a row with an empty visit date",
    ("student", "referral_date", "visit_date"),
    (
        STUDENT,
        replace(DISTRICT, required=False, meaning="district that made the visit; students are joined by their id"),
        Column(
            name="referral_date",
            kind="date",
            meaning="day on which the student was referred; a log without this column dates a referral by its first "
            "visit",
            required=False,
        ),
        Column(name="visit_date", kind="date", meaning="day of the attempt; empty = never tried", required=False),
        Column(name="type", kind="text", meaning="how the family was met", required=False, allowed=VISIT_TYPES),
        Column(name="completed", kind="flag", meaning="whether somebody was met"),
        Column(name="result", kind="text", meaning="how the attempt ended", required=False, allowed=VISIT_RESULTS),
        Column(name="language", kind="text", meaning="language of the visit, such as es", required=False),
        Column(name="visitor", kind="text", meaning="role of who went, never a name", required=False),
        Column(
            name="supports",
            kind="text",
            meaning=f"supports given, separated by semicolons: {', '.join(SUPPORTS)}",
            required=False,
        ),
    ),
)
OUTCOME_NAMES = ("chronic_absence", "incidents", "grades", "courses_failed", "enrolled")
OUTCOMES = Table(
    "outcomes",
    "one row per student, outcome and period; an outcome that is not known has no row",
    ("student", "outcome", "period_start", "period_end"),
    (
        STUDENT,
        Column(name="outcome", kind="text", meaning="which outcome", allowed=OUTCOME_NAMES),
        Column(name="period_start", kind="date", meaning="first day of the period"),
        Column(name="period_end", kind="date", meaning="last day of the period"),
        Column(
            name="value",
            kind="number",
            meaning="0 or 1 (chronic_absence, enrolled), incidents, grade points, or courses failed",
            high=1_000,
        ),
        Column(
            name="of",
            kind="number",
            meaning="1 (chronic_absence, enrolled), days enrolled (incidents), highest grade, or courses taken",
            high=1_000,
        ),
        STATUS,
    ),
)
TABLES = (STUDENT_MONTH, STUDENT_DAY, ENROLLMENT, ABSENCES, CALENDAR, CT_MONTHLY, ROSTER, VISITS, OUTCOMES)


def require_columns(table: Table, present: Iterable[str], what: str, shown: Sequence[str]) -> None:
    """Raise `BadInput` if a required column is missing; `shown` are the file's names that may be shown, cells never."""
    missing = [name for name in table.required if name not in set(present)]
    if missing:
        has = f"it has {sorted(shown)}" if shown else "what it has is not shown, since its first line may be no header"
        raise BadInput(
            f"{what} lacks the columns {missing} of the table {table.name!r}; {has}. "
            "Map the file's own names under `columns:` in params/students.yml, as `name here: name there`"
            + (", or give `district:` for a file of one district." if "district_code" in missing else ".")
        )
