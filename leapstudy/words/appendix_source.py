"""What the points of the technical appendix read: one result, its frames, and the words for what it lacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from leapstudy.core.phrases import points
from leapstudy.core.table import Table
from leapstudy.data.names import short, study_names
from leapstudy.words.reading import Reading, at


@dataclass(frozen=True, slots=True)
class Source:
    """A result in both shapes that the points need."""

    result: Mapping[str, Any]
    reading: Reading

    def at(self, *path: str) -> Any:
        """Return what lies at a path below `blocks`, or None."""
        return at(self.result.get("blocks"), *path)

    def frame(self, *path: str) -> pd.DataFrame | None:
        """Return a frame of the result, or None where there is none or it has no rows."""
        rows = pd.DataFrame(self.at(*path) or {})
        return None if rows.empty else rows


Answer = str | tuple[str, Table | None]


def absent(what: str) -> str:
    """Return the answer of a point that this result has no figures for."""
    return f"Not possible: this result holds no {what}."


def named(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of districts with headings that a reader understands."""
    names = {
        "district": "Name",
        "students": "Students",
        **study_names().state.unit.listed,
        "side": "Side",
        "estimate_pp": "Estimate",
        "placebo_pp": "Placebo effect",
    }
    kept = rows[[name for name in names if name in rows]].rename(columns=names)
    return kept.assign(Name=kept["Name"].map(short))


def curve_words(source: Source, choice: str) -> str:
    """Say what the levels of one choice give on average over the specification curve."""
    curve = source.frame("answer", "sensitivity", "curve")
    if curve is None or choice not in curve:
        return absent("specification curve, so the other choice is not shown")
    means = curve.groupby(choice)["estimate_pp"].agg(["mean", "size"])
    told = "; ".join(
        f"{name}: {points(row['mean'])} on average over {int(row['size'])}" for name, row in means.iterrows()
    )
    return f"Over the specification curve, {told} specifications."
