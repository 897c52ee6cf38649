"""An opaque handle on student data: whoever shows, prints, iterates, copies or pickles it sees no row."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import NoReturn

import ibis
from ibis.backends import BaseBackend
from ibis.expr.types import Table

from leapstudy.core.errors import BadInput
from leapstudy.core.phrases import counted
from leapstudy.students import contract
from leapstudy.students.check import (
    NO_VISIT_INSIDE,
    CheckReport,
    inspect_attendance,
    inspect_visits,
    kept_rows,
    limits_for,
    refuse,
)
from leapstudy.students.contract import Reading
from leapstudy.students.disclosure import shown
from leapstudy.students.engine import connect, keep, release, sealed
from leapstudy.students.files import is_simulated
from leapstudy.students.pseudonyms import has_raw_ids, load_key, pseudonymize
from leapstudy.students.readers import Shape, open_panel, read_visits, with_first_visit
from leapstudy.students.rules import OVER_BY_TWO
from leapstudy.students.settings import StudentSettings, input_files


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows, students, visited students, districts and months the panel has."""

    rows: int
    students: int
    visited: int
    districts: int
    first_month: str
    last_month: str


class StudentData:
    """The cleaned panel and the visit log inside the engine.

    Only `engine_table` and `visit_table` reach the expressions, and only the package's estimators call them.
    """

    __slots__ = ("__panel", "__visits", "reports", "simulated", "size", "supports")

    def __init__(
        self,
        panel: Table,
        visits: Table | None,
        simulated: bool,
        reports: tuple[CheckReport, ...] = (),
        supports: tuple[str, ...] = contract.SUPPORTS,
    ) -> None:
        self.__panel, self.__visits = panel, visits
        self.simulated, self.reports, self.supports = simulated, reports, supports
        self.size = _measure(panel)

    def __repr__(self) -> str:
        size, mark = self.size, "SIMULATED, " if self.simulated else ""
        columns = ", ".join(f"{name} {kind}" for name, kind in self.__panel.schema().items())
        return (
            f"StudentData({mark}{shown(size.students)} students, {shown(size.visited)} visited, "
            f"{counted(size.districts, 'district')}, {size.first_month} to {size.last_month}; "
            f"columns: {columns}; rows never leave the database)"
        )

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"

    @property
    def has_log(self) -> bool:
        """Whether a visit log came with the attendance."""
        return self.__visits is not None

    def _refuse(self, *_: object) -> NoReturn:
        raise BadInput("Student rows never leave the database. Ask for moments, counts or rates instead.")

    __iter__ = __getitem__ = __len__ = __reduce_ex__ = __array__ = __dataframe__ = _refuse


def engine_table(data: StudentData) -> Table:
    """Return the panel's expression, for the package's own aggregate queries."""
    return data._StudentData__panel  # type: ignore[attr-defined]


def visit_table(data: StudentData) -> Table:
    """Return the visit log's expression, for the package's own aggregate queries.

    Raises
    ------
    BadInput
        If the data were opened without a log.
    """
    log = data._StudentData__visits  # type: ignore[attr-defined]
    if log is None:
        raise BadInput("These student data have no visit log. Open them with `visits=PATH`.")
    return log


def _measure(panel: Table) -> Size:
    query = panel.aggregate(
        rows=panel.count(),
        students=panel.student.nunique(),
        visited=panel.student.nunique(where=panel.first_visit_month.notnull()),
        districts=panel.district_code.nunique(),
        first=panel.month.min().cast("string"),
        last=panel.month.max().cast("string"),
    )
    row = sealed("counting the panel", query.to_pyarrow).to_pylist()[0]
    if not row["rows"]:
        raise BadInput("No row of the file can be used. `leapstudy check PATH` says why.")
    return Size(row["rows"], row["students"], row["visited"], row["districts"], row["first"][:7], row["last"][:7])


def open_students(
    path: Path | str,
    visits: Path | str | None = None,
    how: Reading | None = None,
    known_districts: tuple[str, ...] = (),
    shape: Shape | None = None,
    roster: Path | str | None = None,
    con: BaseBackend | None = None,
    max_unmatched: float = 0.1,
    inside: bool = True,
) -> StudentData:
    """Open confidential attendance files behind an opaque handle: checked, cleaned, pseudonymized, in the engine.

    The cleaned panel is materialized in the engine once (it spills to disk beyond the memory limit). In a notebook
    the kernel is guarded, see `leapstudy.students.guard`.

    Parameters
    ----------
    path
        A file, a folder or a glob.
    visits
        The visit log, whose first completed visits make the cohorts.
    how
        Names, constants and values of the files.
    known_districts
        The study's district codes; files that know none of them are taken by their own codes.
    shape
        How the attendance is kept; found from the columns if not given.
    roster
        School and grade by student, for the shape `ct_monthly`.
    con
        The engine; a new one by default.
    max_unmatched
        Share of the log's students who may be missing from the attendance files.
    inside
        Whether a log is refused of which no visit lies in the months of the files: a program that has just begun has
        none, which only who asks for an effect minds.

    Raises
    ------
    BadInput
        If a rule of severity error fails, with the words of `leapstudy check`; or nothing usable is there.
    """
    engine, reading = con or connect(), how or Reading()
    panel = open_panel(engine, path, reading, shape, roster)
    limits = limits_for(panel.table, known_districts, reading)
    report, rows = inspect_attendance(panel, limits, Path(path).name, is_simulated(path))
    release(panel.table)
    reports, log = [report], None
    if visits is not None:
        source = read_visits(engine, visits, reading)
        visits_report, log_rows = inspect_visits(
            source, rows, limits, Path(visits).name, max_unmatched, is_simulated(visits)
        )
        reports.append(visits_report if inside else visits_report.without(NO_VISIT_INSIDE))
        log = kept_rows(log_rows, contract.VISITS.names)
    refuse(reports)
    table = kept_rows(rows, (*contract.STUDENT_MONTH.names, "failed", "alone"))
    if has_raw_ids(table):
        key = load_key()
        table = pseudonymize(engine, table, key)
        log = pseudonymize(engine, log, key) if log is not None else None
    if log is not None:
        log = keep(engine, "reading the visit log", log)
        table = with_first_visit(table, log)
    clean = keep(engine, "cleaning the panel", clean_panel(table))
    release(rows)
    return StudentData(clean, log, is_simulated(path), tuple(reports), reading.supports)


def open_named(
    settings: StudentSettings, known_districts: tuple[str, ...], *, before: bool = False, inside: bool = True
) -> StudentData:
    """Open the files that `params/students.yml` names, on the engine and within the memory that it names.

    Parameters
    ----------
    settings, known_districts, inside
        As in `open_students`.
    before
        Whether the program is still to come, so that there need be no visit log.
    """
    files = input_files(settings, before=before)
    return open_students(
        files["attendance"],
        visits=files.get("visits"),
        how=settings.reading,
        shape=settings.shape or None,
        known_districts=known_districts,
        roster=files.get("roster"),
        con=connect(settings.memory_limit, engine=settings.engine),
        max_unmatched=settings.max_unmatched,
        inside=inside,
    )


def clean_panel(rows: Table) -> Table:
    """Return the panel that estimators read: one row per student and month.

    Days of two districts or schools in one month are added up (each weighs by its membership); district, school and
    grade are those with the most membership. `capped` says that attendance was cut to membership.

    Parameters
    ----------
    rows
        The rows that no rule leaves out, with what they `failed` and whether each is `alone` in its month.
    """
    capped = (rows.failed & OVER_BY_TWO) > 0
    rows = rows.mutate(days_attended=ibis.least(rows.days_attended, rows.days_enrolled), capped=capped)
    names = (*contract.STUDENT_MONTH.names, "capped")
    single, rows = rows.filter(rows.alone).select(*names), rows.filter(~rows.alone)
    weight = rows.days_enrolled
    months = rows.group_by(["student", "month"]).agg(
        district_code=rows.district_code.argmax(weight),
        school_code=rows.school_code.argmax(weight),
        grade=rows.grade.argmax(weight),
        days_enrolled=weight.sum(),
        days_attended=rows.days_attended.sum(),
        first_visit_month=rows.first_visit_month.max(),
        high_needs=rows.high_needs.max(),
        status=rows.status.max(),
        capped=rows.capped.any(),
    )
    return single.union(months.select(*names))
