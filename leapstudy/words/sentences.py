"""Sentences and findings from the catalogs: texts with slots, each with the form in which its value is written.

``{p:p}`` is a p-value, ``{effect:points}`` a change with its sign, ``{n:counted year}`` a number of years; `FORMS` has
all of them. A slot may look into what it is given: ``{test[p_value]:p}``, ``{r.post:years}``.
"""

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from leapstudy.core.parameter_file import packaged
from leapstudy.core.phrases import (
    agree,
    between,
    capital,
    counted,
    interval_words,
    number,
    percent,
    points,
    probability,
)
from leapstudy.data.names import (
    comparison_words,
    counted_units,
    outcome_unit,
    outcome_words,
    parent_nouns,
    program_name,
    short,
    unit_noun,
    unit_nouns,
    year_words,
    years_words,
)

# Characters of a printed line, in a notebook and on a page.
LINE = 100
# Characters of alternative text: short enough to be heard in one breath.
ALT_LONGEST = 300
# Both ends of an interval.
Ends = tuple[float | None, float | None]
COUNTS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# How a slot is written; what follows the name and a blank are further arguments, parted by slashes.
FORMS: dict[str, Callable[..., str]] = {
    "number": lambda value, digits="2": number(value, int(digits)),
    "points": lambda value, digits="2": points(value, int(digits)),
    "percent": lambda share, digits="1": percent(share, int(digits)),
    "p": probability,
    "ci": lambda ends: interval_words(*ends),
    "range": lambda ends, digits="2": between(ends[0], ends[1], int(digits)),
    "effect": lambda row: f"{points(row.estimate_pp)} ({between(row.ci_low_pp, row.ci_high_pp)})",
    "capital": capital,
    "counted": counted,
    "word": lambda n: COUNTS[n] if n < len(COUNTS) else str(n),
    "Word": lambda n: capital(COUNTS[n] if n < len(COUNTS) else str(n)),
    "agree": agree,
    "units": counted_units,
    "year": year_words,
    "years": years_words,
    "outcome": outcome_words,
    "unit": outcome_unit,
    "comparison": comparison_words,
    "short": short,
}


# Whole numbers from here on have commas; no year does.
LONG = 10_000


class _Writer(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        """Write a value in the form that its slot names."""
        name, _, more = format_spec.partition(" ")
        if not format_spec and isinstance(value, int | np.integer) and abs(int(value)) >= LONG:
            return f"{value:,}"
        if name not in FORMS:
            return str(super().format_field(value, format_spec))
        return FORMS[name](value, *(more.split("/") if more else ()))


@cache
def catalog_file(name: str) -> Mapping[str, Any]:
    """Return the catalog ``catalog/NAME.yml``."""
    return packaged(str(Path(__file__).with_name("catalog") / name), name)


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


@dataclass(frozen=True, slots=True)
class Finding:
    """What one exhibit shows.

    Attributes
    ----------
    title
        The finding in one clause, as it stands in the picture; no full stop.
    detail
        The sentences that give it its uncertainty.
    value, low, high
        The number that it is about and its 95% interval, points; None where there is none.

    Examples
    --------
    >>> finding = Finding("Together 0.20 points, not distinguishable from zero", "95% CI -1.00 to 1.40.")
    >>> str(finding)
    'Together 0.20 points, not distinguishable from zero. 95% CI -1.00 to 1.40.'
    """

    title: str
    detail: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """Return title and detail as running text."""
        return f"{self.title}. {self.detail}".strip()

    @property
    def alt(self) -> str:
        """The title and as many sentences of the detail as can be heard in one breath."""
        text = f"{self.title}."
        for part in self.detail.split(". "):
            longer = f"{text} {part.removesuffix('.')}." if part else text
            if len(longer) > ALT_LONGEST:
                break
            text = longer
        return text


class Catalog:
    """The sentences of one file of the catalog."""

    def __init__(self, name: str) -> None:
        self.texts = catalog_file(name)

    def say(self, key: str, /, **slots: Any) -> str:
        """Return a sentence."""
        return sentence(self.texts[key], **slots)

    def by(self, section: str, kind: str, /, otherwise: str | None = None, **slots: Any) -> str:
        """Return the sentence of a section for a verdict; `otherwise` where it has none, which is an error else."""
        texts = self.texts[section]
        return otherwise if otherwise is not None and kind not in texts else sentence(texts[kind], **slots)

    def finding(self, key: str, /, value: float | None = None, ends: Ends = (None, None), **slots: Any) -> Finding:
        """Return what an exhibit shows, about a number and its interval; the slot `ends` is that interval."""
        title, detail = (sentence(self.texts[key].get(part, ""), ends=ends, **slots) for part in ("title", "detail"))
        return Finding(title, detail, value, *ends)
