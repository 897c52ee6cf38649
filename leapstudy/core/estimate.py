"""One estimate as one frozen record: the row of `reports/estimates.csv`, the same for both tracks."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import pandas as pd

from leapstudy.core.files import write_text_atomic
from leapstudy.core.names import Role, Track

# Days of a school year: a percentage point of attendance is 1.8 days.
SCHOOL_DAYS = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An effect with its uncertainty and all that is needed to say what it is.

    Rates and effects are in percentage points, also where the estimate was made on another scale; of an outcome that is
    no share they are in the unit that the study declares for it (`measure` in `params/state.yml`).
    A field that does not apply is None and becomes an empty cell.
    """

    track: Track
    district_code: str
    district: str
    outcome: str
    comparison: str
    n_treated: int
    n_comparison: int
    edition: str
    pre: str
    post: str
    event_time: int | None = None
    estimator: str
    role: Role
    estimate_pp: float
    se_pp: float | None = None
    ci_low_pp: float | None = None
    ci_high_pp: float | None = None
    p_value: float | None = None
    p_method: str = ""
    p_floor: float | None = None
    seed: int | None = None

    def telling(self, interval: tuple[float, float | None, float | None, float | None], **more: Any) -> "Estimate":
        """Return the same row with another estimate, standard error and interval, and what else differs."""
        estimate, se, low, high = interval
        return replace(self, estimate_pp=estimate, se_pp=se, ci_low_pp=low, ci_high_pp=high, **more)

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """Both ends of the 95% interval."""
        return self.ci_low_pp, self.ci_high_pp


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Estimate))
INTEGERS = ("n_treated", "n_comparison", "event_time", "seed")
TEXTS = (
    *("track", "district_code", "district", "outcome", "comparison", "edition", "pre", "post"),
    *("estimator", "role", "p_method"),
)
_cells = attrgetter(*COLUMNS)
# Beginnings of a cell that a spreadsheet computes.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_frame(estimates: Iterable[Estimate]) -> pd.DataFrame:
    """Return the estimates as a frame with the contract's columns and types (text ids, nullable integers)."""
    frame = pd.DataFrame([_cells(item) for item in estimates], columns=list(COLUMNS))
    kinds = {name: "Int64" if name in INTEGERS else "str" if name in TEXTS else "float64" for name in COLUMNS}
    return frame.astype(kinds)


def write_estimates(frame: pd.DataFrame, path: Path) -> None:
    """Write the contract's CSV atomically; numbers keep 10 significant digits, no text is a spreadsheet's formula."""
    safe = frame[list(COLUMNS)].assign(
        **{name: frame[name].map(_as_text, na_action="ignore") for name in sorted(TEXTS)}
    )
    write_text_atomic(path, safe.to_csv(index=False, float_format="%.10g", lineterminator="\n"))


def _as_text(cell: str) -> str:
    """Return a text that a spreadsheet takes for one: an apostrophe before what would begin a formula."""
    return f"'{cell}" if cell.lstrip("'").startswith(FORMULA) else cell
