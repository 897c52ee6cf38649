"""Figures of the data themselves: how far the two editions disagree."""

import numpy as np
import pandas as pd

from leapstudy.core.phrases import counted, number, points
from leapstudy.data.names import short, study_names
from leapstudy.figures.exhibit import Caption, Exhibit, alt_text
from leapstudy.figures.style import BLUE, VERMILLION, in_house_style, new_panels, zero_line

YEAR = "2020-21"
SHOWN = 4


@in_house_style
def editions_disagree(differences: pd.DataFrame) -> Exhibit:
    """Draw how far the newer edition moved each district's 2020-21 figure.

    Parameters
    ----------
    differences
        From `leapstudy.data.describe.edition_differences`.
    """
    rows = differences[differences["year"] == YEAR].sort_values("moved_pp").reset_index(drop=True)
    most = pd.concat([rows.head(SHOWN), rows.tail(SHOWN)])
    figure, (left, right) = new_panels(1, 2, height=3.4)
    left.hist(
        rows["moved_pp"],
        bins=np.arange(np.floor(rows["moved_pp"].min()), rows["moved_pp"].max() + 0.5, 0.5),
        color=BLUE,
    )
    left.set(xlabel="moved by, points of attendance", ylabel="districts", title="all districts")
    labels = [
        f"{short(name)} (LEAP)" if leap else short(name)
        for name, leap in zip(most["district"], most["leap"], strict=True)
    ]
    right.barh(labels, most["moved_pp"], color=[VERMILLION if leap else BLUE for leap in most["leap"]])
    zero_line(right)
    right.set(xlabel="moved by, points of attendance", title="moved most")
    right.tick_params(axis="y", labelsize=8)
    moved = int((rows["moved_pp"].abs().round(6) >= 1).sum())
    low, high = rows.iloc[0], rows.iloc[-1]
    alt = alt_text(
        f"{moved} of {counted(len(rows), 'district')} had their {YEAR} attendance revised by a point or more.",
        f"{short(low['district'])} moved by {points(low['moved_pp'])} and {short(high['district'])} by "
        f"{points(high['moved_pp'])} points.",
        f"Half of all moved by less than {number(rows['moved_pp'].abs().median())}.",
    )
    caption = Caption(
        what="Attendance 2020-21 in the 2022-23 edition less that in the 2021-22 edition; LEAP districts are named so",
        source=study_names().sources,
        sample="districts in both editions, all students",
        years=YEAR,
        n=counted(len(rows), "district"),
    )
    table = most[["district", "leap", "older_pct", "newer_pct", "moved_pp"]]
    table.columns = ["district", "LEAP", "2021-22 edition (%)", "2022-23 edition (%)", "moved by (points)"]
    return Exhibit(figure, "The state revised its figures", alt, caption, table)
