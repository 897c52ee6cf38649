"""What stays the same for a student over the panel: district, cohort, grade band, need; by one stated rule."""

from collections.abc import Sequence
from functools import reduce
from operator import add

import ibis
from ibis.expr.types import DateValue, IntegerValue, Table

from leapstudy.core.errors import bad_value
from leapstudy.students.contract import GRADES
from leapstudy.students.groups import GRADE_BANDS

STRATA: dict[str, tuple[str, ...]] = {
    "grade_band": (*GRADE_BANDS, "no grade"),
    "high_needs": ("not high needs", "high needs", "need not known"),
}
"""The values of each trait, by their number in the engine."""

_FIELDS = {"cohort": (0, 15), "high_needs": (15, 2), "grade_band": (17, 2), "district": (19, 24), "month": (43, 15)}
"""Where each trait stands in the packed number: first bit and number of bits; the month leads."""


def check_strata(strata: Sequence[str]) -> None:
    """Raise `BadInput` if a trait is not known."""
    for name in strata:
        if name not in STRATA:
            raise bad_value("stratum", name, STRATA, "Strata are traits in a student's first month; cross them freely.")


def month_number(month: DateValue) -> IntegerValue:
    """Return ``12 * year + month - 1``; an empty month (never) becomes 0."""
    number = month.year().cast("int64") * 12 + month.month().cast("int64") - 1
    return number.fill_null(0)


SEPARATOR = "\x1f"
"""Stands between the codes of all districts in one text; no code holds it."""


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
    """Return month, district, grade band, need and cohort of a row as one whole number, the month in its highest bits.

    Its minimum over a student's rows is the traits in the first month in which the student is seen. Nothing after that
    month, the visit included, can move a student between cells, and neither engine nor order of rows matters. `codes`
    are the codes of all districts.
    """
    parts = {
        "month": month_number(rows.month),
        "district": district_number(rows, codes).cast("int64"),
        "grade_band": _grade_band(rows).cast("int64"),
        "high_needs": _high_needs(rows).cast("int64"),
        "cohort": month_number(rows.first_visit_month),
    }
    return reduce(add, (parts[name] * (1 << first) for name, (first, _) in _FIELDS.items()))


def trait(packed: IntegerValue, name: str) -> IntegerValue:
    """Return one trait out of the packed number."""
    first, bits = _FIELDS[name]
    return (packed >> first) & ((1 << bits) - 1)


def _grade_band(rows: Table) -> IntegerValue:
    """Return the number of the grade band; a grade that is none of `GRADES` (a lost zero, say) has no band.

    To find the grade in one text of all grades takes a third of the time that a list takes.
    """
    every = f"|{'|'.join(GRADES)}|"
    place = ibis.literal(every).find(ibis.literal("|") + rows.grade + "|")
    return ibis.cases((place.between(0, every.index("|06|") - 1), 0), (place > 0, 1), else_=2)


def _high_needs(rows: Table) -> IntegerValue:
    return ibis.cases((~rows.high_needs, 0), (rows.high_needs, 1), else_=2)
