"""Every shape of attendance file to one panel of student-months, and the visit log beside it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import ibis
from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option
from leapstudy.students import contract
from leapstudy.students.contract import Shape
from leapstudy.students.engine import keep
from leapstudy.students.sources import columns_of, find, scan, typed

Mapping_ = Mapping[str, str] | None
EDFI_PARTS = {"enrollment": contract.ENROLMENT, "absences": contract.ABSENCES, "calendar": contract.CALENDAR}


def _read(con: Backend, path: Path | str, table: contract.Table, mapping: Mapping_) -> Table:
    return typed(scan(con, find(path), table, mapping), table)


def _panel(rows: Table, **changes: object) -> Table:
    """Return `rows` with exactly the panel's columns, those that are missing being empty, and its marks."""
    kinds = {"text": "string", "number": "float64", "month": "date", "date": "date", "flag": "boolean"}
    empty = {c.name: ibis.null(kinds[c.kind]) for c in contract.STUDENT_MONTH.columns}
    empty["strays"] = ibis.literal(0, "int64")
    missing = {name: value for name, value in empty.items() if name not in rows.columns}
    return rows.mutate(**missing).select(*contract.STUDENT_MONTH.names, "unreadable", "suppressed", "strays")


def read_student_month(con: Backend, path: Path | str, mapping: Mapping_ = None) -> Table:
    """Read a student-month table."""
    return _panel(_read(con, path, contract.STUDENT_MONTH, mapping))


def read_student_day(con: Backend, path: Path | str, mapping: Mapping_ = None) -> Table:
    """Read positive daily attendance; a day that is listed twice counts once, with the larger attendance."""
    rows = _read(con, path, contract.STUDENT_DAY, mapping)
    days = rows.group_by(["student", "district_code", "school_code", "date"]).agg(
        attended=rows.attended.max(),
        grade=rows.grade.max(),
        first_visit_month=rows.first_visit_month.max(),
        high_needs=rows.high_needs.max(),
        strays=rows.count() - 1,
        suppressed=rows.suppressed.any(),
        unreadable=(rows.unreadable | (rows.attended < 0) | (rows.attended > 1)).fill_null(True).any(),
    )
    days = days.mutate(month=days.date.truncate("M"))
    months = days.group_by(["student", "district_code", "school_code", "month"]).agg(
        grade=days.grade.max(),
        days_enrolled=days.count().cast("float64"),
        days_attended=days.attended.sum(),
        first_visit_month=days.first_visit_month.max(),
        high_needs=days.high_needs.max(),
        unreadable=days.unreadable.any(),
        suppressed=days.suppressed.any(),
        strays=days.strays.sum(),
    )
    return _panel(months)


def _enrolled_days(spells: Table, calendar: Table) -> Table:
    """Return one row per student, school and school day inside a spell; overlapping spells count a day once."""
    inside = [
        spells.school_code == calendar.school_code,
        calendar.date >= spells.entry_date,
        spells.exit_date.isnull() | (calendar.date <= spells.exit_date),
    ]
    joined = spells.join(calendar, inside, how="inner", rname="{name}_taught")
    return joined.group_by(["student", "school_code", "date"]).agg(
        district_code=joined.district_code.max(),
        grade=joined.grade.max(),
        high_needs=joined.high_needs.max(),
        unreadable=joined.unreadable.any(),
    )


def read_edfi(con: Backend, path: Path | str, mapping: Mapping_ = None) -> Table:
    """Read absences, enrollment spells and calendar (files `absences.*`, `enrollment.*`, `calendar.*` in one folder).

    No event means present, so a school that stopped sending looks perfect: a rule looks for school-months without
    any absence. `strays` counts events on days on which the student was not enrolled.
    """
    parts = {name: _read(con, _part(Path(path), name), table, mapping) for name, table in EDFI_PARTS.items()}
    spells, events, calendar = parts["enrollment"], parts["absences"], parts["calendar"].distinct()
    homes = spells.group_by("school_code").agg(home=spells.district_code.max())
    days = _enrolled_days(spells, calendar).mutate(enrolled=1.0)
    missed = events.group_by(["student", "school_code", "date"]).agg(
        absent=events.absent.fill_null(1.0).max(), bad_event=events.unreadable.any(), hidden=events.suppressed.any()
    )
    both = days.join(missed, ["student", "school_code", "date"], how="outer", rname="{name}_event")
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
        unreadable=(both.unreadable.fill_null(False) | both.bad_event.fill_null(False)).any(),
        suppressed=both.hidden.fill_null(False).any(),
        strays=both.enrolled.isnull().sum(),
    )
    return _panel(months)


def _part(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise BadInput(f"The shape edfi needs a folder with absences, enrollment and calendar; got {str(folder)!r}.")
    return folder / f"{name}.*"


def read_ct_monthly(
    con: Backend, path: Path | str, mapping: Mapping_ = None, roster: Path | str | None = None
) -> Table:
    """Read the fixed-width monthly file; in-person and remote days are added up.

    School and grade are not in it: a `roster` (student, school_code, grade, high_needs) brings them.
    """
    rows = _read(con, path, contract.CT_MONTHLY, mapping)
    rows = rows.mutate(
        days_enrolled=rows.membership_in_person + rows.membership_remote,
        days_attended=rows.attended_in_person + rows.attended_remote,
    )
    if roster is None:
        return _panel(rows)
    students = _read(con, roster, contract.ROSTER, mapping).drop("unreadable", "suppressed")
    one = students.group_by("student").agg(
        school_code=students.school_code.max(), grade=students.grade.max(), high_needs=students.high_needs.max()
    )
    return _panel(rows.left_join(one, "student", rname="{name}_roster"))


READERS: dict[str, Callable[..., Table]] = {
    "student_month": read_student_month,
    "student_day": read_student_day,
    "edfi": read_edfi,
    "ct_monthly": read_ct_monthly,
}


def shape_of(path: Path | str, con: Backend, mapping: Mapping_ = None) -> Shape | Literal["visits"]:
    """Say which shape the files at `path` have, by their columns (fixed width: by their ending).

    Raises
    ------
    BadInput
        If they fit none.
    """
    if Path(path).is_dir() and any(Path(path).glob("absences.*")):
        return "edfi"
    files = find(path)
    if files[0].suffix in (".txt", ".dat"):
        return "ct_monthly"
    found = columns_of(con, files, mapping)
    if set(contract.VISITS.required) <= set(found):
        return "visits"
    if set(contract.STUDENT_DAY.required) <= set(found):
        return "student_day"
    contract.require_columns(contract.STUDENT_MONTH, found, files[0].name)
    return "student_month"


def open_panel(
    con: Backend,
    path: Path | str,
    shape: Shape | None = None,
    mapping: Mapping_ = None,
    visits: Path | str | None = None,
    roster: Path | str | None = None,
) -> Table:
    """Return the student-month panel as it stands in the files: typed, marked, nothing repaired or left out.

    A parquet file of student-months is read where it lies; every other shape is read once and kept in the engine.

    Parameters
    ----------
    con
        The engine, from `leapstudy.students.engine.connect`.
    path
        A file, a folder or a glob; CSV, parquet or fixed width.
    shape
        How the attendance is kept; found from the columns if not given.
    mapping
        The contract's column names to the files' own.
    visits
        The visit log; its first completed visits replace `first_visit_month`.
    roster
        School and grade by student, for the shape `ct_monthly`.

    Returns
    -------
    Table
        An ibis expression with the columns of `contract.STUDENT_MONTH` and the marks `unreadable` (a cell that is
        not of its kind), `suppressed` (a sign such as ``<5``), `strays` (source rows that count for nothing).

    Raises
    ------
    BadInput
        If files or columns are missing or the shape is unknown.
    """
    kind = shape or shape_of(path, con, mapping)
    check_option("shape of attendance files", kind, Shape)
    more = {"roster": roster} if kind == "ct_monthly" else {}
    panel = READERS[kind](con, path, mapping, **more)
    if kind != "student_month" or find(path)[0].suffix != ".parquet":
        panel = keep(con, "reading the files", panel)
    return panel if visits is None else with_first_visit(panel, read_visits(con, visits, mapping))


def read_visits(con: Backend, path: Path | str, mapping: Mapping_ = None) -> Table:
    """Return the visit log as it stands in the file, with the marks `unreadable` and `suppressed`."""
    return _read(con, path, contract.VISITS, mapping)


def with_first_visit(panel: Table, visits: Table, event: Literal["visit", "referral"] = "visit") -> Table:
    """Return the panel with `first_visit_month` from the log.

    `event` chooses the month of the first *completed* visit, or of the first referral: who is met is selected once
    more, whereas a referral is what the program decides (intention-to-treat).
    """
    check_option("event", event, Literal["visit", "referral"])
    met = visits.filter(visits.completed) if event == "visit" else visits
    date = met.visit_date if event == "visit" else met.referral_date
    first = met.group_by("student").agg(first_visit_month=date.min().truncate("M"))
    joined = panel.drop("first_visit_month").left_join(first, "student", rname="{name}_log")
    return joined.select(*panel.columns)
