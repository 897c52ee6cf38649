"""Every table of the study, declared once: columns, types, units, meaning, allowed values, key.

Validation (`schema.py`), `data/CODEBOOK.md` (`codebook.py`) and the tests' fake data (`fake.py`) are made from here.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["code", "text", "choice", "flag", "count", "fraction", "percent", "number"]

DISTRICT_CODE = r"\d{7}|00000CT"
STATE_CODE = "00000CT"
YEARS = tuple(f"{year}-{(year + 1) % 100:02d}" for year in range(2011, 2023))


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it holds, in which unit, and which values are allowed.

    `name` is the study's name and `raw` the publisher's, where it differs. `blank` says that an empty cell is
    legal and what it means.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    allowed: tuple[str, ...] = ()
    blank: str = ""
    raw: str = ""

    @property
    def source_name(self) -> str:
        """The column's name in the published file."""
        return self.raw or self.name


@dataclass(frozen=True, slots=True)
class Table:
    """One published table: its file below `data/raw/`, its key and its columns."""

    name: str
    file: str
    title: str
    source: str
    rights: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def folder(self) -> str:
        """The folder below `data/raw/`."""
        return self.file.split("/")[0]


CODE = Column(
    "district_code",
    "code",
    "text of 7 characters",
    "State code with its leading zeros; the last two say the kind: 11 town, 12 regional, 13 charter, 14 RESC, "
    "15 state unified, 16 CTECS, 18 Goodwin, 22 endowed academy; 00000CT is the state",
)
RATE = Column(
    "rate",
    "fraction",
    "fraction 0 to 1",
    "Days attended / days enrolled, pre-kindergarten included",
    raw="attendance_rate",
)
STUDENTS = Column("students", "count", "students", "Students enrolled, of the student group")
PUBLIC_DOMAIN = "public domain"
CSDE = "Connecticut State Department of Education"

ATTENDANCE_2022_23 = Table(
    "attendance_2022_23",
    "csde_attendance_2022_23/attendance.csv",
    "Attendance by district and student group, 2022-23 edition",
    f"{CSDE}, data.ct.gov dataset he4h-bgqh, updated 2023-06-16",
    PUBLIC_DOMAIN,
    ("district_code", "year", "group"),
    (
        CODE,
        Column("district", "text", "text", "Name of the district; never used to join"),
        Column("year", "choice", "school year", "School year", ("2019-20", "2020-21", "2021-22", "2022-23")),
        Column(
            "group",
            "choice",
            "text",
            "Student group",
            ("All Students", "Students With High Needs"),
            raw="student_group",
        ),
        STUDENTS,
        RATE,
        Column("edition", "choice", "text", "The state's release", ("he4h-bgqh (2022-23)",)),
        Column(
            "measure",
            "choice",
            "text",
            "Final, or year-to-date at the release",
            ("YTD May 2023", "final as shown in 2022-23 edition"),
        ),
    ),
)
ATTENDANCE_2021_22 = Table(
    "attendance_2021_22",
    "csde_attendance_2021_22/attendance.csv",
    "Attendance by district, 2021-22 edition, as first published",
    f"{CSDE}, data.ct.gov dataset t4hx-jd4c, updated 2022-07-22",
    PUBLIC_DOMAIN,
    ("district_code", "year"),
    (
        CODE,
        Column(
            "year", "choice", "school year", "School year, written in full", ("2019-2020", "2020-2021", "2021-2022")
        ),
        STUDENTS,
        RATE,
    ),
)
_CHRONIC_YEARS = tuple(year for year in YEARS if year < "2020-21")
CHRONIC = Table(
    "chronic_absence",
    "csde_chronic_absence/chronic_absence.csv",
    "Chronic absence by district, 2011-12 to 2019-20",
    f"{CSDE}, EdSight exports kept by the CT Data Collaborative, chronic-absenteeism-by-all-students",
    "Public Domain Dedication and License (PDDL)",
    ("district_code",),
    (
        CODE,
        *(
            Column(
                year,
                "percent",
                "percent 0 to 100",
                f"Students of K-12 who missed 10% or more of their days in {year}",
                blank="suppressed or not listed",
            )
            for year in _CHRONIC_YEARS
        ),
        *(
            Column(
                f"n_chronic_{year}",
                "count",
                "students",
                f"Students chronically absent in {year}",
                blank="suppressed or not listed",
            )
            for year in ("2018-19", "2019-20")
        ),
    ),
)
DISTRICTS = Table(
    "districts",
    "csde_districts/districts.csv",
    "The districts: kind, LEAP, Alliance, reference group, traits before the program",
    f"{CSDE}, Education Cost Sharing inputs FY2020; LEAP list from portal.ct.gov and cea.org",
    PUBLIC_DOMAIN,
    ("district_code",),
    (
        CODE,
        Column("district", "text", "text", "Name of the district"),
        Column(
            "org_type",
            "choice",
            "text",
            "Kind of organization",
            ("town", "regional", "charter", "RESC", "state unified", "CTECS", "university", "endowed academy"),
        ),
        Column("leap", "flag", "0 or 1", "One of the 15 original LEAP districts"),
        Column("alliance", "flag", "0 or 1", "Alliance district: one of the 33 lowest-performing by state law"),
        Column("reform", "flag", "0 or 1", "Opportunity (reform) district, a subset of the Alliance districts"),
        Column(
            "drg",
            "choice",
            "A to I",
            "District Reference Group, A most advantaged; towns and regions only",
            tuple("ABCDEFGHI"),
            blank="the state gives none",
        ),
        Column("wealth_decile", "number", "1 to 10", "Decile of wealth, 10 poorest", blank="the state gives none"),
        Column(
            "frpl_share",
            "fraction",
            "fraction 0 to 1",
            "Students eligible for free or reduced-price meals, October 2018",
            blank="the state gives none",
            raw="frpl_share_2018",
        ),
        Column(
            "high_needs_share",
            "fraction",
            "fraction 0 to 1",
            "Students with high needs, 2019-20",
            blank="suppressed or not listed",
            raw="high_needs_share_2019_20",
        ),
        Column("students_2019_20", "count", "students", "Enrollment 2019-20", blank="did not exist yet"),
    ),
)
TABLES: tuple[Table, ...] = (ATTENDANCE_2022_23, ATTENDANCE_2021_22, CHRONIC, DISTRICTS)
