"""The claims of the news coverage, each held against the published figures."""

from dataclasses import dataclass

import pandas as pd

from leapstudy.core.frames import records
from leapstudy.core.phrases import number
from leapstudy.core.table import Table
from leapstudy.data import Facts


@dataclass(frozen=True, slots=True)
class Verdict:
    """One claim, what the figures say, and whether they carry it as worded."""

    number: int
    claim: str
    who: str
    figures: str
    holds: bool
    verdict: str


PEAK, AFTER = "2021-22", "2022-23"
"""The school year of the state's peak, which is the first with visits, and the one after."""
SAID_PCT = {"2018-19": 10.0, PEAK: 23.7, AFTER: 20.0}
"""Chronic absence of the whole state as the coverage gives it."""


def fall(facts: Facts) -> tuple[int, int]:
    """Return by how many students chronic absence fell in the year after the peak, and how many were ever visited."""
    students = facts.state_chronic_long.set_index("year")["students"]
    visited = facts.served.set_index("what")["value"]["students visited"]
    return int(students[PEAK] - students[AFTER]), int(visited)


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
    early = next(iter(SAID_PCT))
    before = percent[:"2019-20"]
    off = {year: float(abs(percent[year] - said)) for year, said in SAID_PCT.items()}
    close = {year: gap <= tolerance for year, gap in off.items()}
    told = {
        year: f"The rate {'agrees' if close[year] else f'is {number(gap, 1)} points off, more than {tolerance:g}'}."
        for year, gap in off.items()
    }
    rate = {year: f"{percent[year]:.1f}% in {year}" for year in SAID_PCT}
    fewer = f"{int(students[PEAK]):,} - {int(students[AFTER]):,} = {back:,} students fewer in the whole state"
    credit = (
        f"The {back:,} students are the whole state's fall, {back / visited:.1f} times the students whom LEAP visited: "
        "the claim credits LEAP with all of it."
    )
    over = f"{before.min():.1f} to {before.max():.1f}% over nine years"
    return [
        (f"{rate[early]}; {over}", close[early], told[early]),
        (rate[PEAK], close[PEAK], told[PEAK]),
        (
            f"{rate[AFTER]}; {fewer}; LEAP visited {visited:,}",
            close[AFTER] and back <= visited,
            f"{told[AFTER]} {credit}",
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
