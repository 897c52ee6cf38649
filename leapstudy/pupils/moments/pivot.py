"""One row per pupil: what stays the same over the panel, and the outcome of each month. It never leaves the engine."""

from collections.abc import Sequence
from typing import Literal

import ibis
from ibis.expr.types import DateValue, IntegerValue, NumericValue, Table

from leapstudy.core.errors import bad_value
from leapstudy.pupils.contract import GRADES
from leapstudy.pupils.groups import GRADE_BANDS

Stratum = Literal["grade_band", "high_needs"]
"""Traits that can make strata."""

STRATA: dict[str, tuple[str, ...]] = {
    "grade_band": (*GRADE_BANDS, "no grade"),
    "high_needs": ("not high needs", "high needs", "need not known"),
}
"""The values of each trait, by their number in `traits`."""

SHIFT = 93.0
"""Points; near the mean of attendance, so that sums of squares lose no digits."""

MASK_BITS = 60
"""Months in one number of the pattern of seen months; a longer panel takes several."""

_FIELDS = {"cohort": (0, 15), "high_needs": (15, 2), "grade_band": (17, 2), "district": (19, 24), "month": (43, 15)}
"""Where each trait stands in the packed number: first bit and number of bits; the month leads."""


def month_number(month: DateValue) -> IntegerValue:
    """Return ``12 * year + month - 1``; an empty month (never) becomes 0."""
    number = month.year().cast("int64") * 12 + month.month().cast("int64") - 1
    return number.fill_null(0)


def _grade_band(rows: Table) -> IntegerValue:
    early = GRADES[: GRADES.index("06")]
    return ibis.cases((rows.grade.isin(early), 0), (rows.grade.isin(GRADES), 1), else_=2)


def _high_needs(rows: Table) -> IntegerValue:
    return ibis.cases((~rows.high_needs, 0), (rows.high_needs, 1), else_=2)


def packed_traits(rows: Table) -> IntegerValue:
    """Return month, district, grade band, need and cohort of a row as one number, the month in its highest bits.

    Its minimum over a pupil's rows is the traits in the first month in which the pupil is seen: a rule that nothing
    after that month, the visit included, can move, and one whole number for any engine and any order of rows.
    """
    parts = {
        "month": month_number(rows.month),
        "district": rows.district_code.cast("int64"),
        "grade_band": _grade_band(rows).cast("int64"),
        "high_needs": _high_needs(rows).cast("int64"),
        "cohort": month_number(rows.first_visit_month),
    }
    shifted = [parts[name] * (1 << first) for name, (first, _) in _FIELDS.items()]
    return shifted[0] + shifted[1] + shifted[2] + shifted[3] + shifted[4]


def trait(packed: IntegerValue, name: str) -> IntegerValue:
    """Return one trait out of the packed number."""
    first, bits = _FIELDS[name]
    return (packed >> first) & ((1 << bits) - 1)


def points(rows: Table) -> NumericValue:
    """Return attendance in points less `SHIFT`."""
    return rows.days_attended.cast("float64") * 100 / rows.days_enrolled.cast("float64") - SHIFT


def check_strata(strata: Sequence[str]) -> None:
    """Raise `BadInput` if a trait is not known."""
    for name in strata:
        if name not in STRATA:
            raise bad_value("stratum", name, STRATA, "Strata are traits in a pupil's first month; cross them freely.")


def pupil_rows(panel: Table, periods: Sequence[int]) -> Table:
    """Return one row per pupil: `traits`, `days` enrolled in all, `rows`, and `y0`, `y1`, ... by month, empty if not seen.

    Parameters
    ----------
    panel
        One row per pupil and month.
    periods
        Month numbers in order, length T.
    """
    rows = panel.filter(panel.days_enrolled > 0)
    rows = rows.select(
        "pupil",
        packed=packed_traits(rows),
        month=month_number(rows.month),
        y=points(rows),
        days=rows.days_enrolled.cast("float64"),
    )
    months = {f"y{place}": rows.y.max(where=rows.month == period) for place, period in enumerate(periods)}
    return rows.group_by("pupil").agg(traits=rows.packed.min(), days=rows.days.sum(), rows=rows.count(), **months)


def masks(pupils: Table, periods: int) -> dict[str, IntegerValue]:
    """Return the pattern of seen months as whole numbers: bit t of all of them is month t."""
    bits = [ibis.ifelse(pupils[f"y{t}"].notnull(), 1 << t % MASK_BITS, 0).cast("int64") for t in range(periods)]
    chunks = [bits[first : first + MASK_BITS] for first in range(0, periods, MASK_BITS)]
    return {f"mask{number}": _sum(chunk) for number, chunk in enumerate(chunks)}


def _sum(values: list[IntegerValue]) -> IntegerValue:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
