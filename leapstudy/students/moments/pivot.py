"""From student rows to sums: one row per student inside the engine, and the one expression that sums them by cell.

A student's row has the traits that stay the same, and days and outcome by month; cells are of district, cohort and
pattern of seen months. It works on any engine.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import add

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr.types import DateValue, FloatingValue, IntegerValue, NumericValue, Table

from leapstudy.core.errors import BadInput
from leapstudy.students.engine import bit_or, held, memory, sealed
from leapstudy.students.handle import StudentData, engine_table
from leapstudy.students.moments.record import NEVER, Moments

# Of one product of two months in a cell: eight of each in the table that is fetched, half of it, and in the record.
BYTES_A_PRODUCT = 16
# Of the memory limit, beside which the sums may take so much.
SHARE_OF_MEMORY = 1 / 2
TOO_MANY_CELLS = (
    "Students come and go in so many different ways that the sums by district, first visit and pattern of months seen "
    "take more than half of memory_limit. Raise memory_limit in params/students.yml, or measure fewer months at a time."
)
# Where each trait stands in the packed number: first bit and number of bits; the month leads.
_FIELDS = {"cohort": (0, 15), "district": (15, 24), "month": (39, 15)}


def month_number(month: DateValue) -> IntegerValue:
    """Return ``12 * year + month - 1``; an empty month (never) becomes 0."""
    number = month.year().cast("int64") * 12 + month.month().cast("int64") - 1
    return number.fill_null(0)


# Stands between the codes of all districts in one text; no code holds it.
SEPARATOR = "\x1f"


def district_places(codes: Sequence[str]) -> dict[int, str]:
    """Return the number of each district in the engine -> its code: where the code begins in the text of all codes."""
    places, place = {}, 0
    for code in codes:
        places[place] = code
        place += len(code) + 1
    return places


def district_number(rows: Table, codes: Sequence[str]) -> IntegerValue:
    """Return the number of the district's code, so that no code is ever a number itself: zeros and letters stay."""
    every = SEPARATOR + "".join(code + SEPARATOR for code in codes)
    return ibis.literal(every).find(ibis.literal(SEPARATOR) + rows.district_code + SEPARATOR)


def packed_traits(rows: Table, codes: Sequence[str]) -> IntegerValue:
    """Return month, district and cohort of a row as one whole number, the month in its highest bits.

    Its minimum over a student's rows is the traits in the first month in which the student is seen. Nothing after that
    month, the visit included, can move a student between cells, and neither engine nor order of rows matters. `codes`
    are the codes of all districts.
    """
    parts = {
        "month": month_number(rows.month),
        "district": district_number(rows, codes).cast("int64"),
        "cohort": month_number(rows.first_visit_month),
    }
    return reduce(add, (parts[name] * (1 << first) for name, (first, _) in _FIELDS.items()))


def trait(packed: IntegerValue, name: str) -> IntegerValue:
    """Return one trait out of the packed number."""
    first, bits = _FIELDS[name]
    return (packed >> first) & ((1 << bits) - 1)


# Points; near the mean of attendance, so that sums of squares lose no digits.
SHIFT = 93.0

# Months in one number of the pattern of seen months; a longer panel takes several.
MASK_BITS = 60

# Bits for a month's days in halves, up to 63.5 days.
DAY_BITS = 7

MONTH_BITS = 2 * DAY_BITS
# Months whose days enrolled and attended fit into one whole number of 64 bits.
MONTHS_A_WORD = 4

MOST_DAYS = (2**DAY_BITS - 1) / 2


@dataclass(frozen=True, slots=True)
class Students:
    """One row per student: `traits`, `rows`, and for each month t `e{t}` (days enrolled, 0 if not seen) and `y{t}`.

    `a{t}` are the days attended; `y{t}` is attendance in points less `SHIFT`, empty if not seen. `periods` are the
    month numbers in order, `districts` the codes that the trait `district` numbers.
    """

    table: Table
    periods: tuple[int, ...]
    districts: tuple[str, ...]


@contextmanager
def students_of(panel: Table) -> Iterator[Students]:
    """Turn student-months to students, once, and keep them in the engine while the block runs.

    A row per student with a number for each month is wide, and hash tables of wide rows are what makes an engine slow
    and spill. Where all days are whole or halves, as attendance is counted almost everywhere, four months' days share
    one whole number, which is exact; else each month has its own columns.

    Raises
    ------
    BadInput
        If no month has any membership, a row has no district, or the engine fails.
    """
    rows = panel.filter(panel.days_enrolled > 0)
    (periods, halves), codes = _survey(rows), _district_codes(rows)
    wide = _words(rows, periods, codes) if halves else _columns(rows, periods, codes)
    with held("turning student-months to students", wide) as wide_rows:
        days = _unpack(wide_rows, periods) if halves else wide_rows
        late = _late(days, periods)
        if not sealed("counting late entries", late.count().to_pyarrow).as_py():
            yield Students(_with_outcome(days, len(periods)), periods, codes)
            return
        with held("reading the traits of late entries", _first_traits(rows, late, codes)) as traits:
            days = days.left_join(traits, "student").mutate(traits=ibis.coalesce(traits.first_traits, days.traits))
            days = days.select("student", "traits", "rows", *(f"{x}{t}" for t in range(len(periods)) for x in "ea"))
            yield Students(_with_outcome(days, len(periods)), periods, codes)


def _anchors(periods: Sequence[int]) -> list[int]:
    """Return the months in which most students are seen first: the panel's first one, and the first after each gap."""
    return [of for before, of in zip((None, *periods), periods, strict=False) if before is None or of - before > 1]


def _anchored_traits(rows: Table, periods: Sequence[int], codes: Sequence[str]) -> IntegerValue:
    """Return the packed traits in the anchor months only, else nothing: to pack every row takes half of the pass."""
    first_days = [date(of // 12, of % 12 + 1, 1) for of in _anchors(periods)]
    return ibis.ifelse(rows.month.isin(first_days), packed_traits(rows, codes), ibis.null("int64"))


def _late(days: Table, periods: Sequence[int]) -> Table:
    """Return the students whose first month was no anchor, so that their traits are missing or a later month's."""
    first = ibis.cases(*((days[f"e{t}"] > 0, of) for t, of in enumerate(periods)), else_=0)
    return days.filter(days.traits.isnull() | (trait(days.traits, "month") != first)).select("student")


def _first_traits(rows: Table, late: Table, codes: Sequence[str]) -> Table:
    trait_rows = rows.select("student", packed=packed_traits(rows, codes)).semi_join(late, "student")
    return trait_rows.group_by("student").agg(first_traits=trait_rows.packed.min())


def _survey(rows: Table) -> tuple[tuple[int, ...], bool]:
    """Return the months with any membership, and whether all days are halves that fit into a word."""
    days = [rows.days_enrolled, rows.days_attended]
    whole_halves = [(value * 2) % 1 == 0 for value in days if not value.type().is_integer()]
    fits = ibis.and_(*whole_halves, *(value.between(0, MOST_DAYS) for value in days))
    months = rows.group_by(month=rows.month).agg(halves=fits.all())
    table = sealed("listing the months", months.mutate(period=month_number(months.month)).to_pyarrow)
    if not table.num_rows:
        raise BadInput("No month has any days of membership. `leapstudy check PATH` says why.")
    periods = sorted({int(period) for period in table["period"].to_pylist()})
    return tuple(periods), all(table["halves"].to_pylist())


def _district_codes(rows: Table) -> tuple[str, ...]:
    codes = sealed("listing the districts", rows.select("district_code").distinct().to_pyarrow)[
        "district_code"
    ].to_pylist()
    if None in codes or any(SEPARATOR in code for code in codes):
        raise BadInput("Some rows have no district code that could be read. `leapstudy check` counts them.")
    return tuple(sorted(codes))


def _by_student(rows: Table, months: dict[str, IntegerValue | FloatingValue]) -> Table:
    return rows.group_by("student").agg(traits=rows.packed.min(), rows=rows.count(), **months)


def _words(rows: Table, periods: Sequence[int], codes: Sequence[str]) -> Table:
    """Return one row per student with `w0`, `w1`, ...: each holds the days of four calendar months in halves.

    Summer has its place too: to count months on takes two operations a row, to look up a school month twenty.
    """
    place = month_number(rows.month) - periods[0]
    rows = rows.select(
        "student",
        packed=_anchored_traits(rows, periods, codes),
        place=place,
        days=(rows.days_attended * 2).cast("int64") * (1 << DAY_BITS) + (rows.days_enrolled * 2).cast("int64"),
    )
    word = rows.days << ((rows.place & (MONTHS_A_WORD - 1)) * MONTH_BITS)
    rows = rows.select("student", "packed", number=rows.place >> 2, word=word)
    count = (periods[-1] - periods[0]) // MONTHS_A_WORD + 1
    return _by_student(rows, {f"w{k}": bit_or(rows.word, where=rows.number == k) for k in range(count)})


def _unpack(wide_rows: Table, periods: Sequence[int]) -> Table:
    columns: dict[str, FloatingValue] = {}
    for t, period in enumerate(periods):
        number, place = divmod(period - periods[0], MONTHS_A_WORD)
        word, days = wide_rows[f"w{number}"].fill_null(0) >> (place * MONTH_BITS), 2**DAY_BITS - 1
        columns |= {f"e{t}": (word & days) / 2, f"a{t}": ((word >> DAY_BITS) & days) / 2}
    return wide_rows.select("student", "traits", "rows", **columns)


def _columns(rows: Table, periods: Sequence[int], codes: Sequence[str]) -> Table:
    """Return one row per student with two columns for each month, for days that are any fraction."""
    rows = rows.select(
        "student",
        packed=_anchored_traits(rows, periods, codes),
        period=month_number(rows.month),
        enrolled=rows.days_enrolled.cast("float64"),
        attended=rows.days_attended.cast("float64"),
    )
    months = {f"e{t}": rows.enrolled.max(where=rows.period == of).fill_null(0.0) for t, of in enumerate(periods)}
    months |= {f"a{t}": rows.attended.max(where=rows.period == of).fill_null(0.0) for t, of in enumerate(periods)}
    return _by_student(rows, months)


def _with_outcome(days: Table, periods: int) -> Table:
    columns = {}
    for t in range(periods):
        enrolled = days[f"e{t}"]
        columns[f"y{t}"] = ibis.ifelse(enrolled > 0, days[f"a{t}"] * 100.0 / enrolled - SHIFT, ibis.null("float64"))
    return days.mutate(**columns)


def masks(table: Table, periods: int) -> dict[str, IntegerValue]:
    """Return the pattern of seen months as whole numbers: bit t of all of them is month t."""
    bits = [ibis.ifelse(table[f"e{t}"] > 0, 1 << t % MASK_BITS, 0).cast("int64") for t in range(periods)]
    chunks = [bits[first : first + MASK_BITS] for first in range(0, periods, MASK_BITS)]
    return {f"mask{number}": reduce(add, chunk) for number, chunk in enumerate(chunks)}


def moments_of(data: StudentData) -> Moments:
    """Compute the moments of all students in one pass inside the engine.

    A student belongs to the district of the first month in which it is seen: later moves, the visit included, change
    nothing. Every student with any membership is in exactly one cell, and counts once; nothing is dropped.

    Raises
    ------
    BadInput
        If the engine fails; never with a value of a row.
    """
    return moments_of_panel(engine_table(data))


def moments_of_panel(panel: Table) -> Moments:
    """Compute the moments of a clean student-month table in any engine that ibis speaks to: DuckDB, Spark, a warehouse.

    Parameters
    ----------
    panel
        The table `STUDENT_MONTH` of `leapstudy.students.contract`, one row per student and month.

    Raises
    ------
    BadInput
        If a student has two rows in a month, or the engine fails.
    """
    with students_of(panel) as students:
        cells = _fetch(_cell_sums(students), len(students.periods))
        return _record(cells, students.periods, students.districts)


def _cell_sums(students: Students) -> Table:
    """Return the sums over students by cell as an expression; only the upper triangle of the products is computed."""
    table, periods = students.table, len(students.periods)
    keys = {name: trait(table.traits, name) for name in ("district", "cohort")} | masks(table, periods)
    rows = table.mutate(**keys)
    values = [rows[f"y{t}"] for t in range(periods)]
    sums: dict[str, NumericValue] = {"students": rows.count(), "rows": rows.rows.sum()}
    sums |= {f"t{t}": value.sum() for t, value in enumerate(values)}
    pairs = ((s, t) for s in range(periods) for t in range(s, periods))
    return rows.group_by(list(keys)).agg(**sums, **{f"c{s}_{t}": (values[s] * values[t]).sum() for s, t in pairs})


def _fetch(sums: Table, periods: int) -> pa.Table:
    """Run the expression and return its cells in order of district, cohort (never first) and pattern, checked."""
    table = _in_room(sums, periods)
    if not (_column(table, "students") * _presence(table, periods).sum(axis=1) == _column(table, "rows")).all():
        raise BadInput(
            "Some students have several rows in one month. Open the files with `open_students`, which merges them."
        )
    keys = ["district", "cohort", *(name for name in table.column_names if name.startswith("mask"))]
    return table.sort_by([(name, "ascending") for name in keys])


def _in_room(sums: Table, periods: int) -> pa.Table:
    """Return the cells, unless they are more than memory has room for: these sums live outside the engine."""
    with held("computing the moments", sums) as cells:
        count = sealed("counting the cells", cells.count().to_pyarrow).as_py()
        if count * periods**2 * BYTES_A_PRODUCT > memory(sums.get_backend()) * SHARE_OF_MEMORY:
            raise BadInput(TOO_MANY_CELLS)
        return sealed("reading the moments", cells.to_pyarrow)


def _column(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table[name].to_numpy(zero_copy_only=False))


def _sum(table: pa.Table, name: str) -> np.ndarray:
    """Return a column of sums, zero where a month is not seen."""
    return np.nan_to_num(_column(table, name).astype(float))


def _cross(table: pa.Table, periods: int) -> np.ndarray:
    cross = np.zeros((table.num_rows, periods, periods))
    for s in range(periods):
        for t in range(s, periods):
            cross[:, s, t] = cross[:, t, s] = _sum(table, f"c{s}_{t}")
    return cross


def _presence(table: pa.Table, periods: int) -> np.ndarray:
    bits = [_column(table, f"mask{t // MASK_BITS}") >> (t % MASK_BITS) for t in range(periods)]
    return (np.stack(bits, axis=1) & 1).astype(bool)


def _record(table: pa.Table, periods: Sequence[int], districts: Sequence[str]) -> Moments:
    """Return fetched cells as the record that estimators take."""
    months, places = len(periods), district_places(districts)
    cohort, students = _column(table, "cohort").astype(float), _column(table, "students").astype(np.int64)
    total = np.stack([_sum(table, f"t{t}") for t in range(months)], axis=1)
    return Moments(
        periods=np.asarray(periods),
        district=np.array([places[int(number)] for number in _column(table, "district")], dtype=str),
        cohort=np.where(cohort == 0, NEVER, cohort),
        stratum=np.full(table.num_rows, ""),
        seen=_presence(table, months),
        students=students,
        weight=students.astype(float),
        weight_sq=students.astype(float),
        total=total,
        total_sq=total,
        cross=_cross(table, months),
        shift=SHIFT,
    )
