"""How the study's units, groups, outcomes, contrasts and sources are called: the same on every page and figure."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from leapstudy.core import paths
from leapstudy.core.errors import bad_value
from leapstudy.core.files import modified
from leapstudy.core.phrases import MINUS
from leapstudy.data.districts import read_register
from leapstudy.data.state import FILE, Outcome, State, load_state

# Beginning of a year since each unit's own start, as columns and `estimates.csv` call it: ``year -1``, ``year 0``.
OWN_YEAR = "year "


@dataclass(frozen=True, slots=True)
class Names:
    """The words of one study, to be handed to whatever writes a sentence.

    Attributes
    ----------
    state : State
        What is true of the study: `names.state.program.short`, `names.state.groups[name].words.plain["es"]`, ...
    starts : tuple of str
        The school years in which units started, each once, in order.
    """

    state: State
    starts: tuple[str, ...]

    def of_part(self, name: str) -> bool:
        """Return whether an outcome of the state's figures counts a group of students only."""
        return name in self.state.outcomes and self.state.outcomes[name].of_part

    def in_days(self, name: str) -> bool:
        """Return whether an outcome is attendance, so that a percentage point of it is so many days."""
        return name in self.state.outcomes and self.state.outcomes[name].in_days

    def other(self, name: str) -> bool:
        """Return whether an outcome is neither attendance nor chronic absence, so that sentences name it."""
        return name in self.state.outcomes and bool(self.state.outcomes[name].table)

    def falls(self, name: str) -> bool:
        """Return whether a fall of an outcome is what the program is for."""
        return name in self.state.outcomes and self.state.outcomes[name].better == "down"

    def source(self, outcome: str, edition: str) -> str:
        """Return where an outcome's figures are from."""
        if edition not in self.state.editions:
            raise bad_value("edition", edition, self.state.editions, "params/state.yml declares them.")
        return self._own_source(self.state.outcomes[outcome]) or self.state.editions[edition].source

    def _own_source(self, outcome: Outcome) -> str:
        return outcome.source or (self.state.tables[outcome.table].source if outcome.table else "")

    @property
    def sources(self) -> str:
        """Where all editions' figures are from."""
        return "; ".join(edition.source for edition in self.state.editions.values())

    def all_sources(self, edition: str) -> str:
        """Return where the figures of every outcome are from, in one edition; in all of them where none is named."""
        own = filter(None, map(self._own_source, self.state.outcomes.values()))
        first = self.state.editions[edition].source if edition in self.state.editions else self.sources
        return "; ".join(dict.fromkeys([first, *own]))

    def running(self, edition: str) -> str:
        """Return which years of an edition were not final, to follow a caption: ``; 2008-09 is year-to-date May``."""
        years = self.state.editions[edition].preliminary if edition in self.state.editions else {}
        return "".join(f"; {year} is {what}" for year, what in years.items())

    def before_start(self) -> str:
        """Return the last used school year before the first start."""
        return self.state.calendar.shift(self.starts[0], -1)


def _side(years: str, when: str) -> str:
    n = years.count("+") + 1
    return year_words(years) if n == 1 else f"both years {when}" if n == 2 else f"the {n} years {when}"


def year_words(year: str) -> str:
    """Return a school year as it is, and a year since each unit's own start in words.

    >>> year_words("2005-06"), year_words("year -1"), year_words("year 0"), year_words("year -3")
    ('2005-06', 'the year before the start', 'the first year', '3 years before the start')
    """
    if not year.startswith(OWN_YEAR):
        return year
    offset = int(year.removeprefix(OWN_YEAR))
    if offset >= 0:
        return "the first year" if offset == 0 else f"year {offset + 1}"
    return "the year before the start" if offset == -1 else f"{-offset} years before the start"


def year_label(years: str) -> str:
    """Return years as captions and tables show them: those since each unit's own start with a true minus.

    >>> year_label("year -2+year -1"), year_label("2005-06")
    ('year −2+year −1', '2005-06')
    """
    return years.replace(f"{OWN_YEAR}-", f"{OWN_YEAR}{MINUS}")


def years_words(years: str) -> str:
    """Return years that a plus sign joins as a sentence says them: ``2005-06 and 2006-07``."""
    return " and ".join(map(year_words, years.split("+")))


def study_names() -> Names:
    """Return the names of the workspace's own study, read again only where its files have changed."""
    files = (paths.inside(paths.params(), FILE), paths.inside(paths.raw(), load_state().program.starts))
    return _names(*((file, modified(file)) for file in files))


@cache
def _names(*_files: tuple[Path, int]) -> Names:
    state = load_state()
    return Names(state, tuple(sorted({item.start for item in read_register(state)})))


def program_name() -> str:
    """Return the program as sentences call it, before a noun or alone (``the program``)."""
    return study_names().state.program.short


def unit_noun() -> str:
    """Return what sentences call one unit (``school``)."""
    return study_names().state.unit.one


def unit_nouns() -> str:
    """Return what sentences call several units (``schools``)."""
    return study_names().state.unit.many


def counted_units(n: int, kind: str = "") -> str:
    """Return ``1 district``, ``15 districts``; with a `kind`, ``15 treated districts``."""
    return " ".join([f"{n:,}", *([kind] if kind else []), unit_noun() if n == 1 else unit_nouns()])


def short(name: str) -> str:
    """Return a unit's name as people say it; see `Unit.short`."""
    return load_state().unit.short(name)


def parent_nouns() -> tuple[str, str]:
    """Return what one and several of the larger units that units belong to are called (``district``, ``districts``)."""
    parent = study_names().state.unit.parent
    return parent.noun["en"] if parent else ("cluster", "clusters")


def comparison_words(label: str) -> str:
    """Return a comparison group as a person would call it; `label` is its name, or codes with commas."""
    state = study_names().state
    return (
        state.groups[label].words.long if label in state.groups else f"{counted_units(_picked(label))} chosen by hand"
    )


def comparison_short(label: str) -> str:
    """Return a comparison group in two words, for legends."""
    state = study_names().state
    return state.groups[label].words.short if label in state.groups else "chosen by hand" if _picked(label) else ""


def _picked(label: str) -> int:
    """Return how many units a group of one's own choice has: codes with commas."""
    state = study_names().state
    codes = label.split(",")
    if not all(re.fullmatch(state.unit.code.pattern, code) for code in codes):
        raise bad_value("comparison group", label, state.groups, "Or codes with commas between them.")
    return len(codes)


def contrast_words(pre: str, post: str) -> str:
    """Return a contrast by the years that it compares, joined with plus signs on either side."""
    first, last = study_names().starts[0], post.split("+")[-1]
    before = last.startswith(f"{OWN_YEAR}-") or (not last.startswith(OWN_YEAR) and last < first)
    return f"{'placebo: ' if before else ''}{_side(pre, 'before')} to {_side(post, 'after')}"


def outcome_unit(outcome: str, form: str = "") -> str:
    """Return in what effects on an outcome are counted: ``points`` of a share, else the unit that the study declares.

    Parameters
    ----------
    outcome
        One of `params/state.yml`, or of student files, which are all shares.
    form
        "long" (``percentage points``), "one" (``point``), "level" (of the figures themselves: ``percent``) or "sign"
        (the same behind a number: ``%``).
    """
    declaration = study_names().state.outcomes.get(outcome)
    if declaration is None or declaration.measure is None:
        return {"": "points", "long": "percentage points", "one": "point", "level": "percent", "sign": "%"}[form]
    one, many = declaration.measure.unit["en"]
    return {"one": one, "sign": f" {many}"}.get(form, many)


def unit_of(outcome: str, words: str) -> str:
    """Return in what effects on an outcome are counted: ``points of attendance``; a unit of its own says of what."""
    unit = outcome_unit(outcome)
    return f"{unit} of {words}" if unit == "points" else unit


def outcome_words(name: str) -> str:
    """Return an outcome as a person would call it."""
    outcomes = study_names().state.outcomes
    if name not in outcomes:
        raise bad_value("outcome", name, outcomes, "params/state.yml declares them.")
    return outcomes[name].words
