"""Tables of what the figures do not show: how alike the groups were, what it would take, days and dollars."""

import math

import pandas as pd

from leapstudy.core.phrases import between, missing, points
from leapstudy.core.table import Table
from leapstudy.data.names import comparison_short, outcome_unit
from leapstudy.evidence.assess import Evidence
from leapstudy.evidence.power import SHOWN_ENROLLMENT
from leapstudy.evidence.verdict import UNCLAIMED
from leapstudy.words.sentences import Catalog

CATALOG = Catalog("tables")


def _none(caption: str, reason: str) -> Table:
    """Return a table that says why it is empty: a gap in the page would hide it."""
    return Table(pd.DataFrame({CATALOG.say("none"): [reason]}), caption)


def alike_before(evidence: Evidence) -> Table:
    """Return how alike the groups were before the program, by the What Works Clearinghouse's yardstick."""
    rows = evidence.wwc.baseline
    if not rows:
        return _none(CATALOG.say("alike_none"), CATALOG.say("alike_why_none"))
    units = dict.fromkeys(outcome_unit(row.measure, "level") for row in rows)
    table = [
        (
            comparison_short(row.comparison),
            row.measure.replace("_", " "),
            row.year,
            row.mean_treated_pct,
            row.mean_comparison_pct,
            row.index,
            row.yardstick,
            row.category or CATALOG.say("no_category"),
        )
        for row in rows
    ]
    return Table(
        pd.DataFrame(table, columns=CATALOG.say("alike_heads", level=" or ".join(units)).split("|")),
        CATALOG.say("alike"),
    )


def what_it_would_take(evidence: Evidence) -> Table:
    """Return the smallest detectable effect by districts on either side; a star where the largest published shows."""
    if evidence.power is None:
        return _none(CATALOG.say("take_none"), CATALOG.say("not_published"))
    largest, reach = max(item.diluted_pp for item in evidence.power.published), evidence.reach
    cells = reach.assign(cell=[_cell(value, largest) for value in reach["mde_pp"]])
    grid = cells.pivot(index="n_treated", columns="n_comparison", values="cell").reset_index()
    head = CATALOG.say("take_head")
    grid.columns = pd.Index([head, *(CATALOG.say("take_heads", n=count) for count in grid.columns[1:])])
    return Table(grid.astype({head: str}), CATALOG.say("take", students=SHOWN_ENROLLMENT, largest=largest))


def _cell(value: float, largest: float) -> str:
    if missing(value) or not math.isfinite(value):
        return CATALOG.say("not_detected")
    return f"{value:.2f}{' *' if value <= largest else ''}"


def days_gained(evidence: Evidence) -> Table:
    """Return the days gained per visited student, and what the published effects would come to."""
    cost = evidence.cost
    if cost is None:
        return _none(CATALOG.say("days_none"), CATALOG.say("not_published"))
    unclaimed = evidence.verdict.kind in UNCLAIMED
    ours, rows = None if unclaimed else cost.days_visited, []
    if ours is not None:
        price = cost.dollars_per_day
        dollars = CATALOG.say("dollars", value=price.value) if price else CATALOG.say("no_dollars")
        rows.append((CATALOG.say("own"), points(ours.value, 1), between(ours.low, ours.high, 1), dollars))
    for item in cost.published:
        dollars = CATALOG.say("dollars", value=item.dollars_per_day)
        rows.append(
            (CATALOG.say("published", label=item.label), points(item.days, 1), CATALOG.say("no_interval"), dollars)
        )
    refusal = f" {CATALOG.say('unclaimed')}" if unclaimed else "" if ours is not None else f" {cost.visited_refusal}"
    return Table(pd.DataFrame(rows, columns=CATALOG.say("days_heads").split("|")), CATALOG.say("days", refusal=refusal))
