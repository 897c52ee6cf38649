"""Which years are compared with which, in what role: from school years since a unit's own start to calendar years."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from leapstudy.core.errors import BadInput
from leapstudy.core.names import Role
from leapstudy.data.names import OWN_YEAR, Names
from leapstudy.data.state import State


@dataclass(frozen=True, slots=True)
class Contrast:
    """A before and an after: `pre` and `post` are school years, and within each the plain mean is taken."""

    name: str
    label: str
    pre: tuple[str, ...]
    post: tuple[str, ...]
    role: Role

    @property
    def years(self) -> tuple[str, ...]:
        """All years that the contrast uses, in order."""
        return self.pre + self.post


@dataclass(frozen=True, slots=True)
class Clock:
    """The years of units that are read together: calendar years where all started in one, else years since each start.

    Years that the study does not use are skipped: two used years before a start may lie four calendar years back.
    """

    state: State
    starts: tuple[str, ...]

    @property
    def is_calendar(self) -> bool:
        """Whether all units started in the same school year."""
        return len(self.starts) == 1

    def label(self, offset: int) -> str:
        """Return the used year `offset` years since the start: a school year, or ``year -1`` where starts differ."""
        return self.state.calendar.shift(self.starts[0], offset) if self.is_calendar else f"{OWN_YEAR}{offset}"

    def school_years(self, years: Sequence[str], start: str) -> tuple[str, ...]:
        """Return the school years that `years` are for the units of one start."""
        if self.is_calendar:
            return tuple(years)
        return tuple(self.state.calendar.shift(start, _at(year)) for year in years)

    def usable(self, years: Sequence[str]) -> tuple[str, ...]:
        """Return the years that the units of every start have within some school years, in order.

        >>> from leapstudy.data.state import load_state
        >>> Clock(load_state(), ("2007-08", "2008-09")).usable(["2005-06", "2006-07", "2007-08", "2008-09"])
        ('year -2', 'year -1', 'year 0')
        """
        if self.is_calendar or all(year.startswith(OWN_YEAR) for year in years):
            return tuple(years)
        offsets = range(-len(years), len(years))
        labels = [f"{OWN_YEAR}{offset}" for offset in offsets]
        return tuple(
            label
            for label in labels
            if all(set(self.school_years([label], start)) <= set(years) for start in self.starts)
        )

    def contrasts(self) -> dict[str, Contrast]:
        """Return every contrast of the study by name."""
        return {
            name: contrast_between(
                tuple(map(self.label, rule.pre)), tuple(map(self.label, rule.post)), rule.role, name, self.state
            )
            for name, rule in self.state.contrasts.items()
        }


def clock_of(state: State, starts: Mapping[str, str], codes: Sequence[str]) -> Clock:
    """Return the clock of some units; units without a start take the study's first one."""
    own = sorted({starts[code] for code in codes if code in starts}) or [min(starts.values())]
    return Clock(state, tuple(own))


def clock_from(names: Names, start: str) -> Clock:
    """Return the clock of units whose first year with the program is called `start`: a school year, or ``year 0``."""
    return Clock(names.state, names.starts if start.startswith(OWN_YEAR) else (start,))


def contrasts_of(state: State, start: str) -> dict[str, Contrast]:
    """Return every contrast of the study by name, for units that started in the school year `start`."""
    return Clock(state, (start,)).contrasts()


def contrast_between(
    pre: tuple[str, ...], post: tuple[str, ...], role: Role, name: str = "", state: State | None = None
) -> Contrast:
    """Return a contrast of calendar years, labeled by them; with a state, years that were not final are said."""
    sides = [years[0] if len(years) == 1 else f"mean of {' and '.join(years)}" for years in (pre, post)]
    edition = next(iter(state.editions.values())) if state else None
    notes = [f"{year} {edition.preliminary[year]}" for year in pre + post if edition and year in edition.preliminary]
    notes = ["placebo: before the program", *notes] if role == "placebo" else notes
    return Contrast(name, " to ".join(sides) + (f" ({'; '.join(notes)})" if notes else ""), pre, post, role)


def event_time(year: str, start: str) -> int:
    """Return years since `start` (0 = the first school year with the program).

    >>> event_time("2005-06", "2007-08"), event_time("year -2", "year 0")
    (-2, -2)
    """
    return _at(year) - _at(start)


def _at(year: str) -> int:
    return int(year.removeprefix(OWN_YEAR)[:4])


def start_of(year: str, since: int) -> str:
    """Return the start that lies `since` years before a year: the reverse of `event_time`."""
    if year.startswith(OWN_YEAR):
        return f"{OWN_YEAR}{_at(year) - since}"
    first = _at(year) - since
    return f"{first}-{(first + 1) % 100:02d}"


def years_label(years: Iterable[str]) -> str:
    """Return years as one cell of `estimates.csv`: joined by a plus sign where a mean is taken."""
    return "+".join(years)


def require_years(needed: Iterable[str], there: Iterable[str], what: str) -> None:
    """Raise `BadInput` unless every year needed is there."""
    present = list(there)
    missing = [year for year in needed if year not in present]
    if missing:
        raise BadInput(
            f"{what} has no figures for {', '.join(missing)}; it has {', '.join(present) or 'none'}. "
            "Choose another edition, outcome or contrast."
        )
