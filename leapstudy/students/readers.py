"""Every shape of attendance file to one panel of student-months, and the visit log beside it; no row goes uncounted."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import ibis
from ibis.backends import BaseBackend
from ibis.expr.types import FloatingValue, StringValue, Table

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.students import contract
from leapstudy.students.contract import CALENDAR_EVENTS, CATEGORIES, Reading, Shape
from leapstudy.students.disclosure import MIN_COUNT
from leapstudy.students.engine import keep, sealed
from leapstudy.students.files import find
from leapstudy.students.rules import MOST_AT_ONCE, MOST_STRANGERS, Part, part_of, plausible
from leapstudy.students.sources import Source, columns_of, read

# The parts of the Ed-Fi shape, and the names of files that hold them.
EDFI_FILES = {
    "enrollment": ("enrollment", "enrollments", "enrolment", "enrolments", "studentschoolassociations"),
    "absences": ("absences", "attendance", "attendanceevents", "studentschoolattendanceevents"),
    "calendar": ("calendar", "calendars", "calendardates"),
}

EDFI_TABLES = {"enrollment": contract.ENROLLMENT, "absences": contract.ABSENCES, "calendar": contract.CALENDAR}


@dataclass(frozen=True, slots=True)
class Panel:
    """The student-months of the files: `table` marked as `open_panel` says, and what became of every other source row.

    Attributes
    ----------
    table : Table
    shape : str
    lost : mapping of str to int
        Lines of text files that are no row, by rule.
    parts : tuple of Part
        Row accounts of the tables that a panel is joined from (Ed-Fi's three, the roster).
    left_out : tuple of str
        Names of files in the folder that were not read.
    """

    table: Table
    shape: str
    lost: Mapping[str, int] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    left_out: tuple[str, ...] = field(default=())


def _panel(rows: Table, **changes: object) -> Table:
    """Return `rows` with exactly the panel's columns, those that are missing being empty, and its marks."""
    kinds = {"text": "string", "number": "float64", "month": "date", "date": "date", "flag": "boolean"}
    empty = {c.name: ibis.null(kinds[c.kind]) for c in contract.STUDENT_MONTH.columns}
    empty |= {"unmatched": ibis.literal(0, "int64"), "source_rows": ibis.literal(1, "int64")}
    missing = {name: value for name, value in empty.items() if name not in rows.columns}
    marks = ("unreadable", "suppressed", "unmatched", "source_rows")
    return rows.mutate(**missing).select(*contract.STUDENT_MONTH.names, *marks)


def read_student_month(con: BaseBackend, path: Path | str, how: Reading) -> Panel:
    """Read a student-month table."""
    source = read(con, path, contract.STUDENT_MONTH, how)
    return Panel(_panel(source.table), "student_month", source.lost, (), source.files.left_out)


def read_student_day(con: BaseBackend, path: Path | str, how: Reading) -> Panel:
    """Read positive daily attendance; what is listed twice counts once, with the larger attendance."""
    source = read(con, path, contract.STUDENT_DAY, how)
    rows = source.table
    rows = rows.mutate(unreadable=(rows.unreadable | (rows.attended < 0) | (rows.attended > 1)).fill_null(True))
    days = _days(rows, "period" in columns_of(source.files, how))
    days = days.mutate(month=days.date.truncate("M"))
    months = days.group_by(["student", "district_code", "school_code", "month"]).agg(
        grade=days.grade.max(),
        days_enrolled=days.count().cast("float64"),
        days_attended=days.attended.sum(),
        first_visit_month=days.first_visit_month.max(),
        high_needs=days.high_needs.max(),
        unreadable=days.unreadable.any(),
        suppressed=days.suppressed.any(),
        unmatched=days.repeated.sum(),
        source_rows=days.listed.sum(),
    )
    return Panel(_panel(months), "student_day", source.lost, (), source.files.left_out)


def _days(rows: Table, of_periods: bool) -> Table:
    """Return one row per student, place and day; the mean of its periods where each has rows."""
    keys = ["student", "district_code", "school_code", "date"]
    days = rows.group_by([*keys, "period"] if of_periods else keys).agg(
        attended=rows.attended.max(),
        grade=rows.grade.max(),
        first_visit_month=rows.first_visit_month.max(),
        high_needs=rows.high_needs.max(),
        listed=rows.count(),
        repeated=rows.count() - 1,
        suppressed=rows.suppressed.any(),
        unreadable=rows.unreadable.any(),
    )
    if not of_periods:
        return days
    return days.group_by(keys).agg(
        attended=days.attended.mean(),
        **{name: days[name].max() for name in ("grade", "first_visit_month", "high_needs")},
        **{name: days[name].sum() for name in ("listed", "repeated")},
        **{name: days[name].any() for name in ("suppressed", "unreadable")},
    )


def _spells(con: BaseBackend, source: Source, calendar: Table, how: Reading) -> tuple[Table, Part]:
    """Return the usable spells of enrollment, and the account of all of them."""
    last_day = how.exit_date == "last day"
    rows = source.table.left_join(calendar.select("school_code").distinct(), "school_code", rname="{name}_taught")
    open_end = rows.exit_date.isnull() | (rows.exit_date.year() == 9999)
    rows = rows.mutate(exit_date=ibis.ifelse(open_end, ibis.null("date"), rows.exit_date))
    rows = rows.mutate(
        fate=ibis.cases(
            (rows.unreadable | rows.student.isnull(), "unreadable"),
            (~plausible(rows.entry_date), "implausible_date"),
            ((rows.exit_date < rows.entry_date).fill_null(False), "exit_before_entry"),
            (rows.school_code_taught.isnull(), "school_not_in_calendar"),
            ((rows.exit_date == rows.entry_date).fill_null(False) & (not last_day), "no_day_enrolled"),
            else_="used",
        )
    )
    enrollment = keep(con, "reading the enrollment", rows.drop("school_code_taught", "suppressed"))
    spells = enrollment.filter(enrollment.fate == "used")
    notes = _exits_on_entry(spells) if last_day else {}
    return spells, part_of("enrollment", enrollment, source.lost, notes)


def _exits_on_entry(spells: Table) -> dict[str, int]:
    """Count exits on the day of an entry, the own or the student's next, where they are too many for last days."""
    following = spells.entry_date.lead().over(ibis.window(group_by="student", order_by="entry_date"))
    same = (spells.exit_date == spells.entry_date).fill_null(False) | (spells.exit_date == following).fill_null(False)
    query = spells.mutate(at_once=same).aggregate(exits=ibis._.exit_date.count(), at_once=ibis._.at_once.sum())
    row = sealed("counting the exits", query.to_pyarrow).to_pylist()[0]
    at_once = int(row["at_once"] or 0)
    return {"exit_on_entry": at_once} if at_once >= MIN_COUNT and at_once > MOST_AT_ONCE * row["exits"] else {}


def _shares(value: StringValue, shares: Mapping[str, float], own: Mapping[str, float]) -> FloatingValue:
    """Return the share that a category stands for, empty where it is not known."""
    cases = {**shares, **{contract.as_found(name): share for name, share in own.items()}}
    return ibis.cases(*((value.lower() == name, share) for name, share in cases.items()), else_=ibis.null("float64"))


def _taught(con: BaseBackend, source: Source, how: Reading) -> tuple[Table, Part]:
    rows = source.table
    event = _shares(rows.calendar_event, CALENDAR_EVENTS, how.categories)
    day_share = ibis.ifelse(rows.calendar_event.isnull(), 1.0, event)
    fate = ibis.cases(
        (rows.unreadable, "unreadable"),
        (~plausible(rows.date), "implausible_date"),
        (day_share.isnull(), "unknown_category"),
        (day_share == 0, "no_school_day"),
        else_="used",
    )
    days = keep(con, "reading the calendar", rows.mutate(fate=fate))
    return days.filter(days.fate == "used").select("school_code", "date").distinct(), part_of(
        "calendar", days, source.lost
    )


def _events(con: BaseBackend, source: Source, enrollment: Table, how: Reading) -> tuple[Table, Part]:
    """Return the events that mean absence, with the share of the day missed, and the account of all events."""
    rows = source.table
    share = ibis.ifelse(rows.category.isnull(), 1.0, _shares(rows.category, CATEGORIES, how.categories))
    absent = ibis.ifelse(share == 0, 0.0, rows.absent.fill_null(share))
    # what a category means by default is a whole day, which one class period is not
    own = rows.category.lower().isin([contract.as_found(name) for name in how.categories]).fill_null(False)
    no_share = rows.period.notnull() & rows.absent.isnull() & ~own
    rows = rows.mutate(absent=absent, is_known=share.notnull(), no_share=no_share & (share > 0))
    rows = rows.mutate(
        fate=ibis.cases(
            (rows.unreadable | rows.student.isnull(), "unreadable"),
            (rows.suppressed, "suppressed"),
            (~plausible(rows.date), "implausible_date"),
            (~rows.is_known, "unknown_category"),
            (~rows.absent.between(0, 1).fill_null(False), "impossible_days"),
            (rows.no_share, "no_share_of_period"),
            (rows.absent == 0, "no_absence"),
            else_="used",
        )
    )
    absences = keep(con, "reading the absences", rows)
    periods = (
        absences.filter(absences.fate == "used")
        .group_by(["student", "school_code", "date", "period"])
        .agg(absent=ibis._.absent.max(), repeated=ibis._.count() - 1)
    )
    days = periods.group_by(["student", "school_code", "date"]).agg(
        absent=ibis.least(periods.absent.sum().round(4), 1.0), repeated=periods.repeated.sum()
    )
    return days, part_of("absences", absences, source.lost, _strangers(absences, enrollment))


def _strangers(absences: Table, enrollment: Table) -> dict[str, int]:
    """Count absences of students without any enrollment, where they are too many for students who never came."""
    rows_used = absences.filter(absences.fate == "used")
    strange = rows_used.anti_join(enrollment, "student")
    query = rows_used.aggregate(rows=rows_used.count()).cross_join(strange.aggregate(strange=strange.count()))
    row = sealed("matching the absences", query.to_pyarrow).to_pylist()[0]
    return {"not_enrolled": int(row["strange"])} if row["strange"] > MOST_STRANGERS * row["rows"] else {}


def _enrolled_days(spells: Table, calendar: Table, how: Reading) -> Table:
    """Return one row per student, school and school day inside a spell; overlapping spells count a day once."""
    stays = ibis.literal(how.exit_date == "last day")
    inside = [
        spells.school_code == calendar.school_code,
        calendar.date >= spells.entry_date,
        spells.exit_date.isnull() | (calendar.date < spells.exit_date) | stays & (calendar.date == spells.exit_date),
    ]
    days = spells.join(calendar, inside, how="inner", rname="{name}_taught")
    return days.group_by(["student", "school_code", "date"]).agg(
        district_code=days.district_code.max(), grade=days.grade.max(), high_needs=days.high_needs.max()
    )


def read_edfi(con: BaseBackend, path: Path | str, how: Reading) -> Panel:
    """Read absences, enrollment spells and calendar, one file (or several) each in one folder.

    No event means present, so a school that stopped sending looks perfect: a rule looks for school-months without
    any absence. `unmatched` counts days on which the student was not enrolled or the school did not teach, and events
    that are listed again.
    """
    places = edfi_parts(Path(path))
    sources = {name: read(con, places[name], table, how) for name, table in EDFI_TABLES.items()}
    calendar, calendar_part = _taught(con, sources["calendar"], how)
    spells, enrollment = _spells(con, sources["enrollment"], calendar, how)
    events, absences = _events(con, sources["absences"], sources["enrollment"].table, how)
    homes = spells.group_by("school_code").agg(home=spells.district_code.max())
    days = _enrolled_days(spells, calendar, how).mutate(enrolled=1.0)
    both = days.join(events, ["student", "school_code", "date"], how="outer", rname="{name}_event")
    both = both.mutate(
        student=both.student.coalesce(both.student_event),
        school_code=both.school_code.coalesce(both.school_code_event),
        month=both.date.coalesce(both.date_event).truncate("M"),
        attended=ibis.ifelse(both.enrolled == 1, 1 - both.absent.fill_null(0.0), 0.0),
    )
    both = both.left_join(homes, "school_code", rname="{name}_home")
    months = both.group_by(["student", "school_code", "month"]).agg(
        district_code=both.district_code.coalesce(both.home).max(),
        grade=both.grade.max(),
        days_enrolled=both.enrolled.fill_null(0.0).sum(),
        days_attended=both.attended.sum(),
        high_needs=both.high_needs.max(),
        unreadable=ibis.literal(False),
        suppressed=ibis.literal(False),
        unmatched=both.enrolled.isnull().sum() + both.repeated.fill_null(0).sum(),
    )
    unread = [
        name
        for name in _data_files(Path(path))
        if name not in {file.name for s in sources.values() for file in s.files.paths}
    ]
    return Panel(_panel(months), "edfi", {}, (enrollment, calendar_part, absences), tuple(unread))


def _stem(name: str) -> str:
    """Return a file's name without endings, capitals, spaces, hyphens and underscores."""
    return re.sub(r"[\W_]+", "", name.split(".")[0]).casefold()


def _data_files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))


def edfi_parts(folder: Path) -> dict[str, Path]:
    """Return the file (as a glob) of each part of the Ed-Fi shape.

    Raises
    ------
    BadInput
        If the place is no folder or lacks a part.
    """
    if not folder.is_dir():
        place = str(folder.absolute())
        raise BadInput(f"The shape edfi needs a folder with absences, enrollment and calendar; got {place!r}.")
    places, names = {}, _data_files(folder)
    for part, stems in EDFI_FILES.items():
        hits = [name for name in names if _stem(name) in stems]
        if len(hits) != 1:
            raise BadInput(
                f"The Ed-Fi folder needs one file of {part} ({', '.join(stems)}, with any legal ending); it has "
                f"{', '.join(hits) or 'none'}. Its files: {', '.join(names)}."
            )
        places[part] = folder / hits[0]
    return places


def read_ct_monthly(con: BaseBackend, path: Path | str, how: Reading, roster: Path | str | None = None) -> Panel:
    """Read the fixed-width monthly file; in-person and remote days are added up.

    School and grade are not in it: a `roster` (student, school_code, grade, high_needs) brings them.
    """
    source = read(con, path, contract.CT_MONTHLY, how)
    rows = source.table.mutate(
        days_enrolled=source.table.membership_in_person + source.table.membership_remote,
        days_attended=source.table.attended_in_person + source.table.attended_remote,
    )
    if roster is None:
        return Panel(_panel(rows), "ct_monthly", source.lost, (), source.files.left_out)
    roster_source = read(con, roster, contract.ROSTER, how)
    fate = ibis.cases(
        (roster_source.table.unreadable | roster_source.table.student.isnull(), "unreadable"), else_="used"
    )
    students = keep(con, "reading the roster", roster_source.table.mutate(fate=fate))
    rows_used = students.filter(students.fate == "used")
    one = rows_used.group_by("student").agg(
        school_code=rows_used.school_code.max(), grade=rows_used.grade.max(), high_needs=rows_used.high_needs.max()
    )
    part = part_of("roster", students, roster_source.lost)
    panel = _panel(rows.left_join(one, "student", rname="{name}_roster"))
    return Panel(panel, "ct_monthly", source.lost, (part,), source.files.left_out)


READERS: dict[str, Callable[..., Panel]] = {
    "student_month": read_student_month,
    "student_day": read_student_day,
    "edfi": read_edfi,
    "ct_monthly": read_ct_monthly,
}


def shape_of(path: Path | str, how: Reading) -> Shape | Literal["visits"]:
    """Say which shape the files at `path` have, by their columns (fixed width: by their ending).

    Raises
    ------
    BadInput
        If they fit none.
    """
    place = Path(path)
    if place.is_dir():
        stems = {_stem(name) for name in _data_files(place)}
        if all(stems & set(names) for names in EDFI_FILES.values()):
            return "edfi"
    files = find(path)
    if files.kind == "fixed":
        return "ct_monthly"
    columns = columns_of(files, how)
    if {"student", "completed"} <= columns:
        return "visits"
    if set(contract.STUDENT_DAY.required) <= columns:
        return "student_day"
    contract.require_columns(contract.STUDENT_MONTH, columns, files.paths[0].name, files.dialects[0].shown)
    return "student_month"


def open_panel(
    con: BaseBackend, path: Path | str, how: Reading, shape: Shape | None = None, roster: Path | str | None = None
) -> Panel:
    """Return the student-month panel as it stands in the files: typed, marked, nothing repaired or left out.

    A parquet file of student-months is read where it lies; every other shape is read once and kept in the engine.

    Parameters
    ----------
    con
        The engine, from `leapstudy.students.engine.connect`.
    path
        A file, a folder or a glob; CSV, parquet or fixed width.
    how
        Names, constants and values of the files.
    shape
        How the attendance is kept; found from the columns if not given.
    roster
        School and grade by student, for the shape `ct_monthly`.

    Returns
    -------
    Panel
        Its table has the columns of `contract.STUDENT_MONTH` and the marks `unreadable` (a cell that is not of its
        kind), `suppressed` (a sign such as ``<5``), `unmatched` (source rows that count for nothing), `source_rows`.

    Raises
    ------
    BadInput
        If files or columns are missing or the shape is unknown.
    """
    panel = panel_of(con, path, how, shape, roster)
    if panel.shape == "student_month" and find(path).kind == "parquet":
        return panel
    table = keep(con, "reading the files", panel.table)
    return Panel(table, panel.shape, panel.lost, panel.parts, panel.left_out)


def panel_of(
    con: BaseBackend, path: Path | str, how: Reading, shape: Shape | None = None, roster: Path | str | None = None
) -> Panel:
    """Return the panel as an expression over the files, for whoever reads it once; see `open_panel`."""
    kind = shape or shape_of(path, how)
    if kind == "visits":
        raise BadInput(
            f"{Path(path).name} holds visits, not attendance. Name it under `visits:` in params/students.yml."
        )
    check_option("shape of attendance files", kind, Shape)
    more = {"roster": roster} if kind == "ct_monthly" else {}
    return READERS[kind](con, path, how, **more)


def read_visits(con: BaseBackend, path: Path | str, how: Reading) -> Source:
    """Return the visit log as it stands in the file; a log without referral dates dates them by the visits."""
    source = read(con, path, contract.VISITS, how)
    log = source.table
    has_referrals = "referral_date" in columns_of(source.files, how)
    if not has_referrals:
        log = log.mutate(referral_date=log.visit_date)
    return Source(keep(con, "reading the visit log", log), source.files, source.lost)


def with_first_visit(panel: Table, visits: Table) -> Table:
    """Return the panel with `first_visit_month`, the month of the first *completed* visit, from the log."""
    met = visits.filter(visits.completed)
    first = met.group_by("student").agg(first_visit_month=met.visit_date.min().truncate("M"))
    rows = panel.drop("first_visit_month").left_join(first, "student", rname="{name}_log")
    return rows.select(*panel.columns)
