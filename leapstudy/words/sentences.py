"""Sentences from the catalogs: texts with slots, each slot with the form in which its value is written.

``{p:p}`` is a p-value, ``{effect:points}`` a change with its sign, ``{n:counted year}`` a number of years; `FORMS` has
all of them. A slot may look into what it is given: ``{test[p_value]:p}``, ``{r.post:years}``.
"""

import string
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from leapstudy.core.phrases import agree, between, counted, interval_words, number, percent, points, probability
from leapstudy.data.names import (
    comparison_words,
    counted_units,
    outcome_words,
    parent_nouns,
    program_name,
    short,
    unit_noun,
    unit_nouns,
    year_words,
    years_words,
)

COUNTS = ("none", "one", "two", "three", "four", "five", "six")
FORMS: dict[str, Callable[..., str]] = {
    "number": lambda value, digits="2": number(value, int(digits)),
    "points": lambda value, digits="2": points(value, int(digits)),
    "percent": lambda share, digits="1": percent(share, int(digits)),
    "p": probability,
    "ci": lambda ends: interval_words(*ends),
    "range": lambda ends, digits="2": between(ends[0], ends[1], int(digits)),
    "effect": lambda row: f"{points(row.estimate_pp)} ({between(row.ci_low_pp, row.ci_high_pp)})",
    "counted": counted,
    "word": lambda n: COUNTS[n] if n < len(COUNTS) else str(n),
    "Word": lambda n: (COUNTS[n] if n < len(COUNTS) else str(n)).capitalize(),
    "agree": agree,
    "units": counted_units,
    "year": year_words,
    "years": years_words,
    "outcome": outcome_words,
    "comparison": comparison_words,
    "short": short,
}
"""How a slot is written; what follows the name and a blank are further arguments, parted by slashes."""


class _Writer(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        name, _, more = format_spec.partition(" ")
        if name not in FORMS:
            return str(super().format_field(value, format_spec))
        return FORMS[name](value, *(more.split("/") if more else ()))


@cache
def catalog_file(name: str) -> Mapping[str, Any]:
    """Return the catalog ``catalog/NAME.yml``."""
    text = files("leapstudy.words").joinpath("catalog", f"{name}.yml").read_text(encoding="utf-8")
    content: Mapping[str, Any] = yaml.safe_load(text)
    return content


def sentence(text: str, /, **slots: Any) -> str:
    """Return a text of a catalog with its slots filled; `program`, `unit`, `units`, `parent` and `parents` are the
    study's own.

    Examples
    --------
    >>> sentence("{p:p}; {effect:points 1} points over {n:counted year}", p=0.04, effect=1.25, n=2)
    'p = 0.040; +1.2 points over 2 years'
    """
    parent, parents = parent_nouns()
    own = {"program": program_name(), "unit": unit_noun(), "units": unit_nouns(), "parent": parent, "parents": parents}
    return _Writer().format(text, **own, **slots)
