"""How a number, a district, a group and a contrast are called, the same on every page and figure."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

MINUS = "−"
SOURCES = {
    "2022-23": "CSDE attendance, data.ct.gov he4h-bgqh (2022-23 edition)",
    "2021-22": "CSDE attendance, data.ct.gov t4hx-jd4c (2021-22 edition)",
}
EDSIGHT = "CSDE EdSight, as kept by the CT Data Collaborative"
COMPARISONS = {
    "alliance": "Alliance districts without LEAP",
    "others": "all districts without LEAP",
    "drg_gh": "districts of reference groups G and H without LEAP",
}
COMPARISONS_SHORT = {"alliance": "Alliance", "others": "all without LEAP", "drg_gh": "DRG G and H"}
OUTCOMES = {
    "attendance_rate": "attendance",
    "attendance_rate_high_needs": "attendance of students with high needs",
    "chronic_absence": "chronic absence",
}
CONTRASTS = {
    ("2019-20+2020-21", "2021-22"): "both years before to 2021-22",
    ("2020-21", "2021-22"): "2020-21 to 2021-22",
    ("2019-20", "2021-22"): "2019-20 to 2021-22",
    ("2019-20", "2020-21"): "placebo: 2019-20 to 2020-21",
    ("2019-20+2020-21", "2021-22+2022-23"): "both years before to both years after",
}
BENT = {"relative_magnitudes": ("the difference", ""), "smoothness": ("its slope", " a year")}
"""Restriction on how trends depart -> what may change from year to year, and the unit beside points."""
LONG_NAMES = {"Capitol Region Education Council": "CREC"}


def missing(value: Any) -> bool:
    """Say whether a number is not there: None, NA or not-a-number."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def number(value: float, digits: int = 2) -> str:
    """Return a number with a real minus sign, and no negative zero."""
    rounded = round(float(value), digits) + 0.0
    return f"{rounded:,.{digits}f}".replace("-", MINUS)


def points(value: float, digits: int = 2) -> str:
    """Return a number with its sign, plus included, as changes are written."""
    text = number(value, digits)
    return f"+{text}" if round(float(value), digits) > 0 else text


def between(low: Any, high: Any, digits: int = 2) -> str:
    """Return an interval in words; one that could not be formed is said, not hidden."""
    if missing(low) or missing(high):
        return "no interval can be formed"
    return f"{number(low, digits)} to {number(high, digits)}"


def probability(value: float) -> str:
    """Return a p-value as it is printed: three digits where small, two otherwise."""
    if value < 0.001:
        return "p < 0.001"
    return f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def short(name: str) -> str:
    """Return a district's name as people say it, with what follows it (`", student track"`)."""
    place, comma, rest = name.partition(", ")
    stripped = place.removesuffix(" School District")
    return LONG_NAMES.get(stripped, stripped) + comma + rest


def comparison_words(name: str) -> str:
    """Return a comparison group as a person would call it."""
    return COMPARISONS.get(name, f"{name.count(',') + 1} districts chosen by hand")


def comparison_short(name: str) -> str:
    """Return a comparison group in two words, for legends."""
    return COMPARISONS_SHORT.get(name, "chosen by hand")


def contrast_words(pre: str, post: str) -> str:
    """Return a contrast by the years that it compares."""
    return CONTRASTS.get((pre, post), f"{pre} to {post}".replace("+", " and "))


def outcome_words(name: str) -> str:
    """Return an outcome as a person would call it."""
    return OUTCOMES.get(name, name.replace("_", " "))


def percent(share: float, digits: int = 1) -> str:
    """Return a share of 0 to 1 as a percentage."""
    return f"{number(100 * share, digits)}%"


def counted(n: int, what: str, plural: str = "") -> str:
    """Return ``1 district``, ``2 districts``."""
    return f"{n:,} {what if n == 1 else plural or what + 's'}"


def bound_words(found: Mapping[str, Any]) -> str:
    """Say what one event study's robust bounds come to; `found` is a `Bounds` as `result.json` holds it."""
    low, high = found["table"]["low_pp"], found["table"]["high_pp"]
    what = f"{outcome_words(found['outcome'])} in {found['year']}{' (a placebo: zero is due)' if found['is_placebo'] else ''}"
    if found["kind"] == "parallel":
        broken = (
            "which holds zero already: the breakdown value is 0, no departure is needed to overturn an effect"
            if found["breakdown"] == 0
            else "but how far trends would have to depart before it holds zero cannot be said"
        )
        few = "One coefficient lies before the program, which says little about how large a departure to fear."
        return f"{what.capitalize()}: {between(low[0], high[0])} points under parallel trends, {broken}. {few}"
    change, unit = BENT[found["kind"]]
    place = found["table"]["m"].index(largest_bound(found))
    return (
        f"Where {change} may change by as much as in any year before ({number(found['largest_before'])} points{unit}), {what} is "
        f"{between(low[place], high[place])}; {breakdown_words(found)}."
    )


def breakdown_words(found: Mapping[str, Any]) -> str:
    """Say at which departure a robust interval holds zero, measured by the largest one before."""
    if found["breakdown"] is None:
        return f"not even {number(found['table']['m'][-1] / largest_bound(found), 1)} times that brings zero in"
    if found["breakdown"] == 0:
        return "it holds zero without that already"
    return f"the breakdown value is {number(found['breakdown'] / largest_bound(found))} times that"


def largest_bound(found: Mapping[str, Any]) -> float:
    """Return the size of departure, in the unit of `m`, that equals the largest one seen before."""
    return float(found["largest_before"]) if found["kind"] == "smoothness" else 1.0
