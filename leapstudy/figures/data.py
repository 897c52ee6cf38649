"""Figures of the data themselves: how far the two editions disagree."""

import numpy as np
import pandas as pd

from leapstudy.core.phrases import counted, number, points
from leapstudy.data.describe import edition_differences, final_in_both
from leapstudy.data.names import program_name, short, study_names
from leapstudy.figures.common import not_drawn
from leapstudy.figures.exhibit import Caption, Exhibit, alt_text
from leapstudy.figures.style import BLUE, VERMILLION, in_house_style, new_panels, zero_line
from leapstudy.study.public import Study

SHOWN = 4


@in_house_style
def editions_disagree(study: Study) -> Exhibit:
    """Draw how far the newest edition moved each district's figure of the last year that is final in both."""
    differences = edition_differences(study.data)
    if differences.empty:
        return not_drawn(study.answer, "One edition of the figures", "No other edition is there to compare with.")
    newer, older = list(study.data.state.editions)[:2]
    year = final_in_both(study.data.state, differences["year"])
    rows = differences[differences["year"] == year].sort_values("moved_pp").reset_index(drop=True)
    most = pd.concat([rows.head(SHOWN), rows.tail(SHOWN)])
    figure, (left, right) = new_panels(1, 2, height=3.4)
    left.hist(
        rows["moved_pp"],
        bins=np.arange(np.floor(rows["moved_pp"].min()), rows["moved_pp"].max() + 0.5, 0.5),
        color=BLUE,
    )
    left.set(xlabel="moved by, points of attendance", ylabel="districts", title="all districts")
    labels = [
        f"{short(name)} ({program_name()})" if leap else short(name)
        for name, leap in zip(most["district"], most["leap"], strict=True)
    ]
    right.barh(labels, most["moved_pp"], color=[VERMILLION if leap else BLUE for leap in most["leap"]])
    zero_line(right)
    right.set(xlabel="moved by, points of attendance", title="moved most")
    right.tick_params(axis="y", labelsize=8)
    alt = _revised(rows, year)
    caption = Caption(
        what=f"Attendance {year} in the {newer} edition less that in the {older} edition; "
        f"{program_name()} districts are named so",
        source=study_names().sources,
        sample="districts in both editions, all students",
        years=year,
        n=counted(len(rows), "district"),
    )
    table = most[["district", "leap", "older_pct", "newer_pct", "moved_pp"]]
    table.columns = ["district", program_name(), f"{older} edition (%)", f"{newer} edition (%)", "moved by (points)"]
    return Exhibit(figure, "The state revised its figures", alt, caption, table)


def _revised(rows: pd.DataFrame, year: str) -> str:
    moved = int((rows["moved_pp"].abs().round(6) >= 1).sum())
    low, high = rows.iloc[0], rows.iloc[-1]
    return alt_text(
        f"{moved} of {counted(len(rows), 'district')} had their {year} attendance revised by a point or more.",
        f"{short(low['district'])} moved by {points(low['moved_pp'])} and {short(high['district'])} by "
        f"{points(high['moved_pp'])} points.",
        f"Half of all moved by less than {number(rows['moved_pp'].abs().median())}.",
    )
