"""Tables of what the figures do not show: how alike the groups were, what it would take, days and dollars."""

import math

import pandas as pd

from leapstudy.core.phrases import between, missing, points
from leapstudy.core.table import Table
from leapstudy.data.names import comparison_short, outcome_unit, study_names, unit_nouns
from leapstudy.evidence.assess import Evidence
from leapstudy.evidence.power import SHOWN_ENROLLMENT

NOT_PUBLISHED = "No published effect on the students it reached can be held against this outcome."


def _none(caption: str, reason: str) -> Table:
    """Return a table that says why it is empty: a gap in the page would hide it."""
    return Table(pd.DataFrame({"Why there is no table": [reason]}), caption)


def alike_before(evidence: Evidence) -> Table:
    """Return how alike the groups were before the program, by the What Works Clearinghouse's yardstick."""
    rows = evidence.wwc.baseline
    if not rows:
        return _none("How alike the groups were", "Nothing before the program is published for both sides.")
    program, units = study_names().program, dict.fromkeys(outcome_unit(row.measure, "level") for row in rows)
    level = " or ".join(units)
    table = pd.DataFrame(
        {
            "Comparison group": [comparison_short(row.comparison) for row in rows],
            "Measure": [row.measure.replace("_", " ") for row in rows],
            "Year": [row.year for row in rows],
            f"{program}, {level}": [row.mean_treated_pct for row in rows],
            f"Comparison, {level}": [row.mean_comparison_pct for row in rows],
            "Difference": [row.index for row in rows],
            "Yardstick": [row.yardstick for row in rows],
            "Category": [row.category or "does not apply" for row in rows],
        }
    )
    return Table(table, f"How alike the groups were before {program} (WWC 5.0, self-assessed)")


def what_it_would_take(evidence: Evidence) -> Table:
    """Return the smallest detectable effect by districts on either side; a star where the largest published shows."""
    if evidence.power is None:
        return _none("What it would take to see the published effects", NOT_PUBLISHED)
    largest, reach = max(item.diluted_pp for item in evidence.power.published), evidence.reach
    cells = reach.assign(cell=[_cell(value, largest) for value in reach["mde_pp"]])
    grid = cells.pivot(index="n_treated", columns="n_comparison", values="cell").reset_index()
    grid.columns = pd.Index(["With the program", *(f"{count} to compare" for count in grid.columns[1:])])
    caption = (
        f"Smallest effect on the average detected in 80% of studies, percentage points, {unit_nouns()} of "
        f"{SHOWN_ENROLLMENT:,} students; * shows the largest published effect, {largest:.2f}"
    )
    return Table(grid.astype({"With the program": str}), caption)


def _cell(value: float, largest: float) -> str:
    if missing(value) or not math.isfinite(value):
        return "none"
    return f"{value:.2f}{' *' if value <= largest else ''}"


def days_gained(evidence: Evidence) -> Table:
    """Return the days gained per visited student, and what the published effects would come to."""
    cost = evidence.cost
    if cost is None:
        return _none("What a day cost", NOT_PUBLISHED)
    ours, rows = cost.days_visited, []
    if ours is not None:
        price = cost.dollars_per_day
        rows.append(
            {
                "Source": "this study",
                "Days a year": points(ours.value, 1),
                "95% CI": between(ours.low, ours.high, 1),
                "Dollars a day": f"${price.value:,.0f}" if price else "cannot be stated",
            }
        )
    rows += [
        {
            "Source": f"published: {item.label}",
            "Days a year": points(item.days, 1),
            "95% CI": "not published",
            "Dollars a day": f"${item.dollars_per_day:,.0f}",
        }
        for item in cost.published
    ]
    refusal = "" if ours is not None else f" {cost.visited_refusal}"
    return Table(pd.DataFrame(rows), f"Days per visited student, if an effect lasts the whole year.{refusal}")
