"""An opaque handle on pupil data: whoever shows, prints, iterates, copies or pickles it sees no row."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import NoReturn

from ibis.backends.duckdb import Backend
from ibis.expr.types import Table

from leapstudy.core.errors import BadInput
from leapstudy.pupils.clean import clean_panel
from leapstudy.pupils.disclosure import shown
from leapstudy.pupils.engine import connect, keep, sealed
from leapstudy.pupils.guard import install_guard
from leapstudy.pupils.pseudonyms import has_raw_ids, load_key, pseudonymise
from leapstudy.pupils.readers import Shape, open_panel, read_visits, with_first_visit
from leapstudy.pupils.rules import VISIT_RULES, Limits, failures
from leapstudy.pupils.simulate import is_simulated


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows, pupils, visited pupils, districts and months the panel has."""

    rows: int
    pupils: int
    visited: int
    districts: int
    first_month: str
    last_month: str


class PupilData:
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
            f"PupilData({mark}{shown(size.pupils)} pupils, {shown(size.visited)} visited, {size.districts} districts, "
            f"{size.first_month} to {size.last_month}; columns: {columns}; rows stay in the engine)"
        )

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"

    @property
    def has_log(self) -> bool:
        """Whether a visit log came with the attendance."""
        return self.__visits is not None

    def _refuse(self, *_: object) -> NoReturn:
        raise BadInput("Pupil rows stay in the engine. Ask for moments, counts or rates instead.")

    __iter__ = __getitem__ = __len__ = __reduce_ex__ = __array__ = __dataframe__ = _refuse


def engine_table(data: PupilData) -> Table:
    """Return the panel's expression, for the package's own aggregate queries."""
    return data._PupilData__panel  # type: ignore[attr-defined]


def visit_table(data: PupilData) -> Table:
    """Return the visit log's expression, for the package's own aggregate queries.

    Raises
    ------
    BadInput
        If the data were opened without a log.
    """
    log = data._PupilData__visits  # type: ignore[attr-defined]
    if log is None:
        raise BadInput("These pupil data have no visit log. Open them with `visits=PATH`.")
    return log


def _measure(panel: Table) -> Size:
    query = panel.aggregate(
        rows=panel.count(),
        pupils=panel.pupil.nunique(),
        visited=panel.pupil.nunique(where=panel.first_visit_month.notnull()),
        districts=panel.district_code.nunique(),
        first=panel.month.min().cast("string"),
        last=panel.month.max().cast("string"),
    )
    row = sealed("counting the panel", query.to_pyarrow).to_pylist()[0]
    if not row["rows"]:
        raise BadInput("No row of the file can be used. `leapstudy check PATH` says why.")
    return Size(row["rows"], row["pupils"], row["visited"], row["districts"], row["first"][:7], row["last"][:7])


def open_pupils(
    path: Path | str,
    visits: Path | str | None = None,
    mapping: Mapping[str, str] | None = None,
    known_districts: tuple[str, ...] = (),
    shape: Shape | None = None,
    roster: Path | str | None = None,
    con: Backend | None = None,
) -> PupilData:
    """Open confidential attendance files behind an opaque handle: cleaned, pseudonymised, in the engine.

    The cleaned panel is materialised in the engine once (it spills to disk beyond the memory limit). In a notebook
    the kernel is guarded from here on, see `leapstudy.pupils.guard`.

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
        School and grade by pupil, for the shape `ct_monthly`.
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
        panel = pseudonymise(engine, panel, key)
        log = pseudonymise(engine, log, key) if log is not None else None
    if log is not None:
        checked = failures(log, VISIT_RULES, limits)
        log = keep(engine, "reading the visit log", checked.filter(checked.kept).select(*log.columns))
        panel = with_first_visit(panel, log)
    return PupilData(keep(engine, "cleaning the panel", clean_panel(panel, limits)), log, is_simulated(path))
