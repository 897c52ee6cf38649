"""What stays the same for a student over the panel: district and cohort; by one stated rule."""

from collections.abc import Sequence
from functools import reduce
from operator import add

import ibis
from ibis.expr.types import DateValue, IntegerValue, Table

_FIELDS = {"cohort": (0, 15), "district": (15, 24), "month": (39, 15)}
"""Where each trait stands in the packed number: first bit and number of bits; the month leads."""


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
