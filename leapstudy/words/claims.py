"""The claims of the news coverage, each held against the published figures."""

from dataclasses import dataclass

import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.phrases import number
from leapstudy.core.table import Table, records
from leapstudy.data import Facts
from leapstudy.data.names import program_name, study_names
from leapstudy.data.state import Claims


@dataclass(frozen=True, slots=True)
class Verdict:
    """One claim, what the figures say, and whether they carry it as worded."""

    number: int
    claim: str
    who: str
    figures: str
    holds: bool
    verdict: str


def _claims() -> Claims:
    declared = study_names().state.claims
    if declared is None:
        raise BadInput("params/state.yml declares no `claims:`, so that no claim can be held to figures.")
    return declared


def said() -> dict[str, float]:
    """Return the whole state's chronic absence as the coverage gives it: long before, at the peak, the year after."""
    return _claims().said


def fall(facts: Facts) -> tuple[int, int]:
    """Return by how many students chronic absence fell in the year after the peak, and how many were ever visited."""
    students = facts.state_chronic_long.set_index("year")["students"]
    _, peak, after = said()
    visited = facts.served.set_index("what")["value"]["students visited"]
    return int(students[peak] - students[after]), int(visited)


def audit(facts: Facts, tolerance_points: float = 0.5) -> tuple[Verdict, ...]:
    """Return one verdict a claim, in the order of the claims.

    Parameters
    ----------
    facts
        From `load_facts`.
    tolerance_points
        How far a rounded percentage may lie from the published one.
    """
    rows = records(facts.claims.sort_values("number"))
    found = (*_rates(facts, tolerance_points), *_others(facts))
    return tuple(
        Verdict(row["number"], row["claim"].replace(" %", "%"), row["who_said_it"], *verdict)
        for row, verdict in zip(rows, found, strict=True)
    )


def _rates(facts: Facts, tolerance: float) -> list[tuple[str, bool, str]]:
    """Return figures, whether they carry the claim, and the verdict, of the three claims about the state's rate."""
    state = facts.state_chronic_long.set_index("year")
    percent, students = state["percent"], state["students"]
    back, visited = fall(facts)
    said_pct = said()
    early, peak, after = said_pct
    before = percent[: _claims().before]
    off = {year: float(abs(percent[year] - said)) for year, said in said_pct.items()}
    close = {year: gap <= tolerance for year, gap in off.items()}
    told = {
        year: f"The rate {'agrees' if close[year] else f'is {number(gap, 1)} points off, more than {tolerance:g}'}."
        for year, gap in off.items()
    }
    rate = {year: f"{percent[year]:.1f}% in {year}" for year in said_pct}
    fewer = f"{int(students[peak]):,} - {int(students[after]):,} = {back:,} students fewer in the whole state"
    name = program_name()
    credit = (
        f"The {back:,} students are the whole state's fall, {back / visited:.1f} times the students whom {name} "
        f"visited: the claim credits {name} with all of it."
    )
    over = f"{before.min():.1f} to {before.max():.1f}% over nine years"
    return [
        (f"{rate[early]}; {over}", close[early], told[early]),
        (rate[peak], close[peak], told[peak]),
        (
            f"{rate[after]}; {fewer}; {name} visited {visited:,}",
            close[after] and back <= visited,
            f"{told[after]} {credit}",
        ),
    ]


def _others(facts: Facts) -> list[tuple[str, bool, str]]:
    """Return the same of the claims about the program itself."""
    dollars = facts.served.set_index("what")["value"]
    launch = dollars["funding at launch (GEER)"]
    later = dollars["funding through 2026 (American Rescue Plan)"]
    return [
        (
            "15 districts were in the original program; an evaluation found effects in 14 of 15 and no source names "
            "the other",
            False,
            "15 districts took part; 14 is the number with an effect in one evaluation.",
        ),
        (
            f"${launch:.1f} million at launch and ${later:.0f} million through 2026",
            True,
            "Agrees with the figure in the news; the launch money comes on top.",
        ),
        ("no list of states is public", False, "Officials' word; it cannot be checked."),
        ("announced in April 2021, first visits in summer 2021", True, "Agrees."),
    ]


def sentences(verdicts: tuple[Verdict, ...]) -> list[str]:
    """Return a sentence a claim: what was said, what the figures say, the verdict."""
    return [f'{item.number}. "{item.claim}" ({item.who}). Figures: {item.figures}. {item.verdict}' for item in verdicts]


def table(verdicts: tuple[Verdict, ...]) -> Table:
    """Return the verdicts as a table."""
    rows = [
        {"no.": item.number, "claim": item.claim, "the figures": item.figures, "verdict": item.verdict}
        for item in verdicts
    ]
    return Table(pd.DataFrame(rows), "Seven claims and what the published figures say")


def published_table(facts: Facts) -> Table:
    """Return the effects on visited students as published, with their source."""
    rows = facts.published_effects.rename(
        columns={"months_after_first_visit": "months after first visit", "wording": "points, as published"}
    )
    return Table(
        rows[["who", "months after first visit", "points, as published", "source"]],
        "Published effects on the attendance of visited students",
    )
