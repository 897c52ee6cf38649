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
    state = facts.state_chronic_long.set_index("year")
    percent, students = state["percent"], state["students"]
    served = facts.served.set_index("what")["value"]
    back, visited = fall(facts)
    before = percent[:"2019-20"]
    said = {"2018-19": 10.0, "2021-22": 23.7, "2022-23": 20.0}
    close = {year: bool(abs(percent[year] - claim) <= tolerance_points) for year, claim in said.items()}
    rates = {
        year: "agrees"
        if near
        else f"is {number(abs(percent[year] - said[year]), 1)} points off, more than {tolerance_points:g}"
        for year, near in close.items()
    }
    found = (
        (
            f"{percent['2018-19']:.1f}% in 2018-19; {before.min():.1f} to {before.max():.1f}% over nine years",
            close["2018-19"],
            f"The rate {rates['2018-19']}.",
        ),
        (f"{percent['2021-22']:.1f}% in 2021-22", close["2021-22"], f"The rate {rates['2021-22']}."),
        (
            f"{percent['2022-23']:.1f}% in 2022-23; {int(students['2021-22']):,} - {int(students['2022-23']):,} = "
            f"{back:,} students fewer in the whole state; LEAP visited {visited:,}",
            close["2022-23"] and back <= visited,
            f"The rate {rates['2022-23']}. The {back:,} students are the whole state's fall, {back / visited:.1f} "
            f"times the students whom LEAP visited: the claim credits LEAP with all of it.",
        ),
        (
            "15 districts were in the original program; an evaluation found effects in 14 of 15 and no source names "
            "the other",
            False,
            "15 districts took part; 14 is the number with an effect in one evaluation.",
        ),
        (
            f"${served['funding at launch (GEER)']:.1f} million at launch and "
            f"${served['funding through 2026 (American Rescue Plan)']:.0f} million through 2026",
            True,
            "Agrees with the figure in the news; the launch money comes on top.",
        ),
        ("no list of states is public", False, "Officials' word; it cannot be checked."),
        ("announced in April 2021, first visits in summer 2021", True, "Agrees."),
    )
    rows = records(facts.claims.sort_values("number"))
    return tuple(
        Verdict(row["number"], row["claim"].replace(" %", "%"), row["who_said_it"], *verdict)
        for row, verdict in zip(rows, found, strict=True)
    )


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
