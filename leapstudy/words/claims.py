"""The claims of the news coverage, each held against the published figures."""

from dataclasses import dataclass

import pandas as pd

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.table import Table, records
from leapstudy.data import Facts
from leapstudy.data.names import study_names
from leapstudy.data.state import Claims
from leapstudy.words.sentences import Catalog, sentence

CATALOG = Catalog("claims")


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
    claims = study_names().state.claims
    if claims is None:
        raise BadInput("params/state.yml declares no `claims:`, so that no claim can be held to figures.")
    return claims


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

    Raises
    ------
    BadInput
        If the study does not declare what the figures say of each claim.
    """
    rows, served = records(facts.claims.sort_values("number")), facts.served.set_index("what")["value"].to_dict()
    others = [(_figures(item.figures, served), item.holds, item.verdict) for item in _claims().others]
    verdicts = (*_rates(facts, tolerance_points), *others)
    if len(verdicts) != len(rows):
        raise BadInput(
            f"There are {len(rows)} claims, and figures for {len(verdicts)}: three of the whole state's rate and "
            f"{len(others)} under `claims: others:` of params/state.yml, in the order of the claims."
        )
    return tuple(
        Verdict(row["number"], row["claim"].replace(" %", "%"), row["who_said_it"], *verdict)
        for row, verdict in zip(rows, verdicts, strict=True)
    )


def _figures(text: str, served: dict[str, float]) -> str:
    try:
        return sentence(text, **served)
    except KeyError as unknown:
        raise bad_value(
            "name in `claims: others:` of params/state.yml", str(unknown.args[0]), served, "It is `what` of served.csv."
        ) from None


def _rates(facts: Facts, tolerance: float) -> list[tuple[str, bool, str]]:
    """Return figures, whether they carry the claim, and the verdict, of the three claims about the state's rate."""
    state = facts.state_chronic_long.set_index("year")
    percent, students = state["percent"], state["students"]
    back, visited = fall(facts)
    (early, peak, after), before = said(), percent[: _claims().before]
    off = {year: float(abs(percent[year] - share)) for year, share in said().items()}
    close = {year: gap <= tolerance for year, gap in off.items()}
    labels = {
        year: CATALOG.say("agrees") if close[year] else CATALOG.say("apart", gap=gap, tolerance=f"{tolerance:g}")
        for year, gap in off.items()
    }
    rate = {year: CATALOG.say("rate", percent=percent[year], year=year) for year in off}
    ends = {"low": before.min(), "high": before.max(), "n": len(before)}
    fell = {"before": int(students[peak]), "after": int(students[after]), "back": back, "visited": visited}
    credit = CATALOG.say("credit", rate=labels[after], back=back, times=back / visited)
    return [
        (CATALOG.say("early", rate=rate[early], **ends), close[early], labels[early]),
        (rate[peak], close[peak], labels[peak]),
        (CATALOG.say("after", rate=rate[after], **fell), close[after] and back <= visited, credit),
    ]


def sentences(verdicts: tuple[Verdict, ...]) -> list[str]:
    """Return a sentence a claim: what was said, what the figures say, the verdict."""
    return [CATALOG.say("sentence", item=item) for item in verdicts]


def table(verdicts: tuple[Verdict, ...]) -> Table:
    """Return the verdicts as a table."""
    rows = [
        {"no.": item.number, "claim": item.claim, "the figures": item.figures, "verdict": item.verdict}
        for item in verdicts
    ]
    return Table(pd.DataFrame(rows), CATALOG.say("table", n=len(verdicts)))


def published_table(facts: Facts) -> Table:
    """Return the effects on visited students as published, with their source."""
    rows = facts.published_effects.rename(
        columns={"months_after_first_visit": "months after first visit", "wording": "points, as published"}
    )
    return Table(rows[["who", "months after first visit", "points, as published", "source"]], CATALOG.say("published"))
