"""The contrasts by name: which years are compared with which, and in what role."""

from collections.abc import Iterable
from dataclasses import dataclass

from leapstudy.core.errors import BadInput
from leapstudy.core.names import ContrastName, Role

PROGRAM_START = "2021-22"
"""The first school year with visits (the first ones were made in summer 2021)."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """A before and an after: `pre` and `post` are school years, and within each the plain mean is taken."""

    name: ContrastName
    label: str
    pre: tuple[str, ...]
    post: tuple[str, ...]
    role: Role

    @property
    def years(self) -> tuple[str, ...]:
        """All years that the contrast uses, in order."""
        return self.pre + self.post


CONTRASTS: dict[ContrastName, Contrast] = {
    contrast.name: contrast
    for contrast in (
        Contrast(
            "pre_mean_to_2021_22",
            "mean of 2019-20 and 2020-21 to 2021-22",
            ("2019-20", "2020-21"),
            ("2021-22",),
            "main",
        ),
        Contrast("2020_21_to_2021_22", "2020-21 to 2021-22", ("2020-21",), ("2021-22",), "sensitivity"),
        Contrast("2019_20_to_2021_22", "2019-20 to 2021-22", ("2019-20",), ("2021-22",), "sensitivity"),
        Contrast(
            "placebo_2019_20_to_2020_21",
            "2019-20 to 2020-21 (placebo: before the first visit)",
            ("2019-20",),
            ("2020-21",),
            "placebo",
        ),
        Contrast(
            "pre_mean_to_post_mean",
            "mean of 2019-20 and 2020-21 to mean of 2021-22 and 2022-23 (2022-23 year-to-date May)",
            ("2019-20", "2020-21"),
            ("2021-22", "2022-23"),
            "sensitivity",
        ),
    )
}


def event_time(year: str, start: str = PROGRAM_START) -> int:
    """Return years since the program's first school year (0 = 2021-22, -1 = 2020-21)."""
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
