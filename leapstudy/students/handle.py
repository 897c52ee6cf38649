"""An opaque handle on student data: whoever shows, prints, iterates, copies or pickles it sees no row."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import NoReturn

from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from leapstudy.core.errors import BadInput
from leapstudy.students.clean import clean_panel
from leapstudy.students.disclosure import shown
from leapstudy.students.engine import connect, keep, sealed
from leapstudy.students.guard import install_guard
from leapstudy.students.pseudonyms import has_raw_ids, load_key, pseudonymize
from leapstudy.students.readers import Shape, open_panel, read_visits, with_first_visit
from leapstudy.students.rules import VISIT_RULES, Limits, failures
from leapstudy.students.simulate import is_simulated


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

    __slots__ = ("__panel", "__visits", "simulated", "size")

    def __init__(self, panel: Table, visits: Table | None, simulated: bool) -> None:
        self.__panel, self.__visits = panel, visits
        self.simulated = simulated
        self.size = _measure(panel)

    def __repr__(self) -> str:
        size, mark = self.size, "SIMULATED, " if self.simulated else ""
        columns = ", ".join(f"{name} {kind}" for name, kind in self.__panel.schema().items())
        return (
            f"StudentData({mark}{shown(size.students)} students, {shown(size.visited)} visited, {size.districts} districts, "
            f"{size.first_month} to {size.last_month}; columns: {columns}; rows stay in the engine)"
        )

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"

    @property
    def has_log(self) -> bool:
        """Whether a visit log came with the attendance."""
        return self.__visits is not None

    def _refuse(self, *_: object) -> NoReturn:
        raise BadInput("Student rows stay in the engine. Ask for moments, counts or rates instead.")

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
    mapping: Mapping[str, str] | None = None,
    known_districts: tuple[str, ...] = (),
    shape: Shape | None = None,
    roster: Path | str | None = None,
    con: Backend | None = None,
) -> StudentData:
    """Open confidential attendance files behind an opaque handle: cleaned, pseudonymized, in the engine.

    The cleaned panel is materialized in the engine once (it spills to disk beyond the memory limit). In a notebook
    the kernel is guarded from here on, see `leapstudy.students.guard`.

    Parameters
    ----------
    path
        A file, a folder or a glob.
    visits
        The visit log, whose first completed visits make the cohorts.
    mapping
        The contract's column names to the files' own.
    known_districts
        Legal district codes; empty accepts every code of seven digits.
    shape
        How the attendance is kept; found from the columns if not given.
    roster
        School and grade by student, for the shape `ct_monthly`.
    con
        The engine; a new one by default.

    Raises
    ------
    BadInput
        If nothing usable is there, or ids are raw and there is no key.
    """
    install_guard()
    engine, limits = con or connect(), Limits(known_districts=tuple(known_districts))
    panel = open_panel(engine, path, shape, mapping, roster=roster)
    log = read_visits(engine, visits, mapping) if visits is not None else None
    if has_raw_ids(panel):
        key = load_key()
        panel = pseudonymize(engine, panel, key)
        log = pseudonymize(engine, log, key) if log is not None else None
    if log is not None:
        checked = failures(log, VISIT_RULES, limits)
        log = keep(engine, "reading the visit log", checked.filter(checked.kept).select(*log.columns))
        panel = with_first_visit(panel, log)
    return StudentData(keep(engine, "cleaning the panel", clean_panel(panel, limits)), log, is_simulated(path))
