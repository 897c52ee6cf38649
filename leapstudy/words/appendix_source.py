"""What the points of the technical appendix read: one result, its frames, and the sentences of the catalog."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from leapstudy.core.phrases import probability_cell
from leapstudy.core.table import Table
from leapstudy.data.names import outcome_unit
from leapstudy.words.reading import Reading, at
from leapstudy.words.sentences import catalog_file, sentence


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

    def say(self, key: str, /, **slots: Any) -> str:
        """Return a sentence of the track's own catalog, or of both tracks'."""
        catalog = catalog_file("appendix")
        text = {**catalog["both"], **catalog[self.reading.track]}[key]
        scale = at(self.result, "params", "scale") or "points"
        scale = outcome_unit(self.reading.outcome) if scale == "points" else scale
        return sentence(text, r=self.reading, scale=scale, **slots)

    def absent(self, what: str) -> str:
        """Return the answer of a point that this result has no figures for."""
        return self.say("absent", what=what)


Answer = str | tuple[str, Table | None]
Asked = Callable[[Source], Answer]
ENDS = {"estimate_pp": "Estimate", "low_pp": "Low", "high_pp": "High"}
CI = {"estimate_pp": "Estimate", "ci_low_pp": "Low", "ci_high_pp": "High"}


def ends(row: Mapping[str, Any], low: str = "low_pp", high: str = "high_pp") -> tuple[Any, Any]:
    """Return the ends of an interval."""
    return row[low], row[high]


def headed(rows: pd.DataFrame, heads: Mapping[str, str], caption: str, digits: int = 2) -> Table:
    """Return the columns that `heads` names, under their headings; p-values are written out, since 0.00 is none."""
    of_p = [name for name, head in heads.items() if head.startswith("p") or head.endswith(" p")]
    cells = {name: [probability_cell(p) for p in rows[name]] for name in of_p}
    return Table(rows[list(heads)].assign(**cells).rename(columns=heads), caption, digits)
