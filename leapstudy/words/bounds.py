"""What an event study's robust bounds come to, in words."""

from collections.abc import Mapping
from typing import Any

from leapstudy.core.phrases import between, capital, number
from leapstudy.data.names import outcome_words

DEPARTING = {"relative_magnitudes": ("the difference", ""), "smoothness": ("its slope", " a year")}
"""Restriction on how trends depart -> what may change from year to year, and the unit beside points."""


def bound_words(found: Mapping[str, Any]) -> str:
    """Say what one event study's robust bounds come to; `found` is a `Bounds` as `result.json` holds it."""
    low, high = found["table"]["low_pp"], found["table"]["high_pp"]
    what = (
        f"{outcome_words(found['outcome'])} in "
        f"{found['year']}{' (a placebo: zero is expected)' if found['is_placebo'] else ''}"
    )
    if found["kind"] == "parallel":
        broken = (
            "which includes zero already: the breakdown value is 0, no departure is needed to overturn an effect"
            if found["breakdown"] == 0
            else "but how far trends would have to depart before it includes zero cannot be said"
        )
        few = "One coefficient lies before the program, which says little about how large a departure to fear."
        few = few if found["n_pre"] == 1 else f"{found['n_pre']} coefficients lie before the program."
        return f"{capital(what)}: {between(low[0], high[0])} points under parallel trends, {broken}. {few}"
    change, unit = DEPARTING[found["kind"]]
    place = found["table"]["m"].index(largest_bound(found))
    return (
        f"Where {change} may change by as much as in any year before ({number(found['largest_before'])} "
        f"points{unit}), {what} is {between(low[place], high[place])}; {breakdown_words(found)}."
    )


def breakdown_words(found: Mapping[str, Any]) -> str:
    """Say at which departure a robust interval includes zero, measured by the largest one before."""
    if found["breakdown"] is None:
        return f"not even {number(found['table']['m'][-1] / largest_bound(found), 1)} times that brings zero in"
    if found["breakdown"] == 0:
        return "it includes zero without that already"
    return f"the breakdown value is {number(found['breakdown'] / largest_bound(found))} times that"


def largest_bound(found: Mapping[str, Any]) -> float:
    """Return the size of departure, in the unit of `m`, that equals the largest one seen before."""
    return float(found["largest_before"]) if found["kind"] == "smoothness" else 1.0
