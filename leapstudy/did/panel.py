"""One outcome of one edition as matrices of districts by years, from the study's tables."""

from dataclasses import dataclass

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.names import Edition, Outcome
from leapstudy.data import StudyData
from leapstudy.did.contrasts import PROGRAM_START

GROUPS: dict[Outcome, str] = {"attendance_rate": "all", "attendance_rate_high_needs": "high_needs"}
"""Student group of the attendance table that each outcome reads."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One outcome of one edition, as matrices of districts by years.

    Attributes
    ----------
    codes : tuple of str
        District codes, sorted; the rows.
    years : tuple of str
        School years in order; the columns.
    rates : ndarray, shape (districts, years)
        Percent, 0 to 100; NaN where the state gives no figure or the study dropped it (see the ledger).
    students : ndarray, shape (districts, years)
        Enrollment. The chronic-absence table has none by year, so that there it is the mean enrollment of the years
        before the program, the same in every column.
    """

    outcome: Outcome
    edition: Edition
    codes: tuple[str, ...]
    years: tuple[str, ...]
    rates: np.ndarray
    students: np.ndarray


def build_panel(data: StudyData, outcome: Outcome, edition: Edition) -> Panel:
    """Return one outcome of one edition as matrices of districts by years; chronic absence has one edition only."""
    if outcome == "chronic_absence":
        return _chronic_panel(data, edition)
    rows = data.attendance[(data.attendance["edition"] == edition) & (data.attendance["group"] == GROUPS[outcome])]
    wide = rows.pivot(index="district_code", columns="year", values=["rate", "students"]).sort_index()
    if wide.empty:
        raise BadInput(f"The edition {edition!r} has no {outcome!r}. Use the edition '2022-23'.")
    rates, students = wide["rate"].sort_index(axis=1), wide["students"].sort_index(axis=1)
    return Panel(
        outcome, edition, tuple(wide.index), tuple(rates.columns), 100 * rates.to_numpy(float), students.to_numpy(float)
    )


def _chronic_panel(data: StudyData, edition: Edition) -> Panel:
    wide = data.chronic.pivot(index="district_code", columns="year", values="percent").sort_index().sort_index(axis=1)
    rows = data.attendance
    before = rows[(rows["edition"] == edition) & (rows["group"] == "all") & (rows["year"] < PROGRAM_START)]
    enrollment = before.groupby("district_code")["students"].mean().reindex(wide.index).to_numpy(float)
    students = np.repeat(enrollment[:, None], wide.shape[1], axis=1)
    return Panel("chronic_absence", edition, tuple(wide.index), tuple(wide.columns), wide.to_numpy(float), students)
