"""Which years are compared with which, in what role: from school years since a unit's own start to calendar years."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from leapstudy.core.errors import BadInput
from leapstudy.core.names import Role
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


def contrasts_of(state: State, start: str) -> dict[str, Contrast]:
    """Return every contrast of the study by name, for units that started in the school year `start`.

    Years that the study does not use are skipped: two used years before a start may lie four calendar years back.
    """
    shift = state.calendar.shift
    return {
        name: contrast_between(
            tuple(shift(start, k) for k in rule.pre), tuple(shift(start, k) for k in rule.post), rule.role, name, state
        )
        for name, rule in state.contrasts.items()
    }


def contrast_between(
    pre: tuple[str, ...], post: tuple[str, ...], role: Role, name: str = "", state: State | None = None
) -> Contrast:
    """Return a contrast of calendar years, labeled by them; with a state, years that were not final are said."""
    sides = [years[0] if len(years) == 1 else f"mean of {' and '.join(years)}" for years in (pre, post)]
    edition = next(iter(state.editions.values())) if state else None
    notes = [f"{year} {edition.preliminary[year]}" for year in pre + post if edition and year in edition.preliminary]
    notes = ["placebo: before the first visit", *notes] if role == "placebo" else notes
    return Contrast(name, " to ".join(sides) + (f" ({'; '.join(notes)})" if notes else ""), pre, post, role)


def common_start(starts: Mapping[str, str], codes: Sequence[str]) -> str:
    """Return the school year in which the units started; units without a start take the study's first one.

    Raises
    ------
    BadInput
        If they started in different years: one calendar contrast cannot hold them.
    """
    own = sorted({starts[code] for code in codes if code in starts}) or [min(starts.values())]
    if len(own) > 1:
        raise BadInput(
            f"These units started in different years ({', '.join(own)}), so that no single before and after holds for "
            f"all "
            "of them. Ask for the units of one start, or use the event study by years since the start."
        )
    return own[0]


def event_time(year: str, start: str) -> int:
    """Return calendar years since `start` (0 = the first school year with the program).

    >>> event_time("2019-20", "2021-22")
    -2
    """
    return int(year[:4]) - int(start[:4])


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
