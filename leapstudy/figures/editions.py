"""Which figures did the state revise: both editions of the year that moved, district by district of the comparison."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from leapstudy.core.phrases import capital, points
from leapstudy.data.describe import edition_differences, final_in_both
from leapstudy.data.names import (
    comparison_words,
    counted_units,
    program_name,
    short,
    study_names,
    unit_noun,
    unit_nouns,
)
from leapstudy.figures.common import not_drawn
from leapstudy.figures.exhibit import Caption, Exhibit, at_both_widths
from leapstudy.figures.frame import axes, fitted, frame, label, styled, text_width
from leapstudy.figures.palette import COMPARISON, CONTEXT, INK, NARROW, OWN, SMALL, WIDE
from leapstudy.study.public import Study
from leapstudy.words import findings

# Inches from one district to the next, and of the longest name.
ROW, LONGEST = 0.162, 1.6
# Points from which a move is written beside its district.
TELL = 1.0


@at_both_widths
def editions(study: Study[Any], width: float = WIDE) -> Exhibit:
    """Draw each district's older figure hollow and its newer one filled, the districts compared in the study alone."""
    finding, names, differences = findings.disagreement(study), study_names(), edition_differences(study.data)
    if differences.empty:
        return not_drawn(study.answer, finding.title, "No other edition is there to compare with.", width)
    newer, older = list(names.state.editions)[:2]
    year = final_in_both(names.state, differences["year"])
    rows, rest = _rows(study, differences, year)
    left = 0.2 + max(text_width(name, SMALL, "bold") for name in rows["name"])
    right = 0.15 + text_width("+00.0", SMALL, "bold")
    n_moved = int((rest["moved_pp"].abs().round(6) >= TELL).sum())
    source = (
        f"{names.sources}. Of the {counted_units(len(rest), 'other')} in both editions {n_moved} moved by "
        f"{TELL:g} point or more."
    )
    with styled():
        figure, bottom, top = frame(
            finding.title,
            f"Attendance {year}, percent; hollow: {older} edition, filled: {newer} edition; blue: {program_name()}",
            source,
            ROW * (len(rows) + 1) + 0.45,
            width=width,
        )
        picture = axes(figure, left, width - right, bottom + 0.3, top - 0.05)
        _dumbbells(picture, rows, 4 if width <= NARROW else 6)
    caption = Caption(
        what=f"Attendance {year} in both editions of the state's file",
        source=names.sources,
        sample=f"{program_name()} {unit_nouns()} and {comparison_words(study.answer.main.comparison)}",
        years=year,
        n=counted_units(len(rows)),
    )
    table = rows[["name", "treated", "older_pct", "newer_pct", "moved_pp"]]
    table.columns = pd.Index(
        [capital(unit_noun()), program_name(), "Older edition (%)", "Newer edition (%)", "Moved by (points)"]
    )
    return Exhibit(figure, finding.title, finding.alt, caption, table)


def _rows(study: Study[Any], differences: pd.DataFrame, year: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the districts of the comparison by how far they moved, and all others."""
    rows = differences.query("year == @year")
    codes = set(study.answer.comparison_districts["district_code"])
    inside = rows["treated"].astype(bool) | rows["district_code"].isin(codes)
    names = [fitted(short(name), SMALL, LONGEST) for name in rows.loc[inside, "district"]]
    return rows[inside].assign(name=names).sort_values("moved_pp", ignore_index=True), rows[~inside]


def _dumbbells(axes: Axes, rows: pd.DataFrame, ticks: int) -> None:
    places = np.arange(len(rows))
    colors = [OWN if treated else COMPARISON for treated in rows["treated"]]
    axes.hlines(places, rows["older_pct"], rows["newer_pct"], color=colors, linewidth=1.6, zorder=1.5)
    axes.scatter(rows["older_pct"], places, facecolor="white", edgecolor=colors, s=20, zorder=2)
    axes.scatter(rows["newer_pct"], places, color=colors, s=20, zorder=3)
    axes.set(ylim=(len(rows) - 0.4, -0.6), yticks=[])
    axes.margins(x=0.04)
    axes.locator_params(axis="x", nbins=ticks, integer=True)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")
    axes.tick_params(axis="x", labelcolor=COMPARISON)
    for place, row in zip(places, rows.itertuples(), strict=True):
        far = abs(round(float(row.moved_pp), 6)) >= TELL
        look: dict[str, Any] = {"color": OWN if row.treated else INK, "weight": "bold" if far else "normal"}
        label(axes, str(row.name), (0, place), (-6, 0), x="axes fraction", **look)
        if far:
            label(axes, points(float(row.moved_pp), 1), (1, place), (4, 0), x="axes fraction", **look)
        axes.axhline(float(place), color=CONTEXT, linewidth=0.3, zorder=0)
