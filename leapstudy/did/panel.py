"""One outcome of one edition as matrices of districts by years, from the study's tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.data import StudyData
from leapstudy.data.state import State


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
    state : State
        What is true of the study.
    starts, ends : mapping
        Code -> first and last school year with the program; one that goes on is not in `ends`.
    """

    outcome: str
    edition: str
    codes: tuple[str, ...]
    years: tuple[str, ...]
    rates: np.ndarray
    students: np.ndarray
    state: State
    starts: Mapping[str, str]
    ends: Mapping[str, str]


def build_panel(data: StudyData, outcome: str, edition: str) -> Panel:
    """Return one outcome of one edition as matrices of districts by years; chronic absence has one edition only."""
    for what, name, legal in (("outcome", outcome, data.state.outcomes), ("edition", edition, data.state.editions)):
        if name not in legal:
            raise bad_value(what, name, legal, "params/state.yml declares them.")
    group, limit, share = data.state.outcomes[outcome].group, data.state.outcomes[outcome].refuse_if_bounded, 0.0
    if group and (share := data.bounded.get(edition, 0.0)) > limit:
        raise BadInput(
            f"{outcome!r} cannot be estimated: {share:.0%} of its figures are published as bounds (such as '>= 95.0'), "
            f"more than the {limit:.0%} that the study allows. Choose another outcome."
        )
    if not group:
        return _chronic_panel(data, outcome, edition)
    rows = data.attendance[(data.attendance["edition"] == edition) & (data.attendance["group"] == group)]
    wide = rows.pivot(index="district_code", columns="year", values=["rate", "students"]).sort_index()
    if wide.empty:
        raise BadInput(
            f"The edition {edition!r} has no {outcome!r}. Use the edition {next(iter(data.state.editions))!r}."
        )
    rates, students = wide["rate"].sort_index(axis=1), wide["students"].sort_index(axis=1)
    return Panel(
        outcome,
        edition,
        tuple(wide.index),
        tuple(rates.columns),
        100 * rates.to_numpy(float),
        students.to_numpy(float),
        data.state,
        data.starts,
        data.ends,
    )


def _chronic_panel(data: StudyData, outcome: str, edition: str) -> Panel:
    wide = data.chronic.pivot(index="district_code", columns="year", values="percent").sort_index().sort_index(axis=1)
    rows = data.attendance
    before = rows[(rows["edition"] == edition) & (rows["group"] == "all") & (rows["year"] < min(data.starts.values()))]
    enrollment = before.groupby("district_code")["students"].mean().reindex(wide.index).to_numpy(float)
    students = np.repeat(enrollment[:, None], wide.shape[1], axis=1)
    if data.chronic["students"].notna().any():
        own = data.chronic.pivot(index="district_code", columns="year", values="students")
        students = own.reindex(index=wide.index, columns=wide.columns).to_numpy(float)
    return Panel(
        outcome,
        edition,
        tuple(wide.index),
        tuple(wide.columns),
        wide.to_numpy(float),
        students,
        data.state,
        data.starts,
        data.ends,
    )
