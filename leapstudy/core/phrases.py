"""How a number, an interval and a share are written, the same on every page and figure."""

import math
import re
from typing import Any

MINUS = "−"


def missing(value: Any) -> bool:
    """Say whether a number is not there: None, NA or not-a-number."""
    # NA by the name of its type: pandas takes longer to import than all that uses words alone
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))


def number(value: float, digits: int = 2) -> str:
    """Return a number with a real minus sign, and no negative zero."""
    figure = round(float(value), digits) + 0.0
    return f"{figure:,.{digits}f}".replace("-", MINUS)


def points(value: float, digits: int = 2) -> str:
    """Return a number with its sign, plus included, as changes are written."""
    text = number(value, digits)
    return f"+{text}" if round(float(value), digits) > 0 else text


def between(low: Any, high: Any, digits: int = 2) -> str:
    """Return an interval in words; one that could not be formed is said, not hidden."""
    if missing(low) or missing(high):
        return "no interval can be formed"
    if math.isinf(low) and math.isinf(high):
        return "no bounded interval"
    if math.isinf(low) or math.isinf(high):
        return f"{number(high, digits)} or less" if math.isinf(low) else f"{number(low, digits)} or more"
    return f"{number(low, digits)} to {number(high, digits)}"


def interval_words(low: float | None, high: float | None) -> str:
    """Return an interval as a parenthesis holds it: ``95% CI −1.28 to 0.60``, or that there is none."""
    if missing(low) or missing(high) or not (math.isfinite(low or 0) and math.isfinite(high or 0)):
        return "no bounded 95% CI"
    return f"95% CI {between(low, high)}"


def probability(value: float | None) -> str:
    """Return a p-value as it is printed: three digits where small, two otherwise; one that is not there is said to be
    missing.
    """
    if value is None or missing(value):
        return "no p-value"
    if value < 0.001:
        return "p < 0.001"
    return f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def probability_cell(value: float | None) -> str:
    """Return a p-value as a column of them shows it, without the letter: no small one comes out as zero.

    Examples
    --------
    >>> probability_cell(0.0004), probability_cell(0.0123), probability_cell(0.5), probability_cell(None)
    ('< 0.001', '0.012', '0.50', '–')
    """
    return "–" if value is None or missing(value) else probability(value).removeprefix("p ").removeprefix("= ")


def percent(share: float, digits: int = 1) -> str:
    """Return a share of 0 to 1 as a percentage."""
    return f"{number(100 * share, digits)}%"


def capital(text: str) -> str:
    """Return a text as a sentence begins; names inside keep their letters, as they would not by `str.capitalize`."""
    return text[:1].upper() + text[1:]


def counted(n: int, what: str, several: str = "") -> str:
    """Return ``1 district``, ``2 districts``."""
    return f"{n:,} {what if n == 1 else several or plural(what)}"


def plural(noun: str) -> str:
    """Return the usual English plural of a noun.

    >>> [plural(noun) for noun in ("school", "county", "parish")]
    ['schools', 'counties', 'parishes']
    """
    if re.search(r"[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return noun + ("es" if re.search(r"(s|x|z|ch|sh)$", noun) else "s")


def agree(n: int, one: str, more: str) -> str:
    """Return the form that goes with a number: ``1 of 40 lies``, ``2 of 40 lie``."""
    return one if n == 1 else more
