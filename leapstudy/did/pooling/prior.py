"""What was believed about the mean effect before the figures: nothing, or what comparable programs found."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import SCHOOL_DAYS


@dataclass(frozen=True, slots=True)
class Prior:
    """A normal prior on the mean effect over districts, in percentage points; `source` says where it comes from."""

    mean_pp: float
    sd_pp: float
    source: str


FLAT = Prior(0.0, float("inf"), "none: every mean effect is taken as equally likely beforehand")


def published_prior(programs: pd.DataFrame, coverage: float) -> Prior:
    """Return the prior that comparable programs' published effects give for a district's average.

    Parameters
    ----------
    programs
        `Facts.comparable_programs`: program, measure, effect, unit, source.
    coverage
        Share of the district's students that were visited, above 0 and at most 1. The published effects are those on
        students who took part; a district's average moves by that effect times the share.

    Raises
    ------
    BadInput
        If the coverage is no share, or fewer than two programs can be turned into points of attendance.

    Notes
    -----
    Only effects that are points of attendance already, or days absent (1 day fewer is 100/180 points more), may enter;
    odds and shares of chronic absence cannot be converted without each student's days. Mean and sample standard
    deviation of those that enter, each times the coverage: two or three programs say little, and the spread says so.
    """
    if not 0 < coverage <= 1:
        raise BadInput(f"The share of students visited must be above 0 and at most 1, not {coverage!r}.")
    points = in_points(programs)
    if len(points) < 2:
        raise BadInput(
            f"Only {len(points)} of {len(programs)} comparable programs can be turned into points of attendance; "
            "a spread takes two. Use the flat prior."
        )
    effects = coverage * points["effect_pp"].to_numpy(float)
    named = "; ".join(points["source"])
    source = f"{len(points)} comparable programs ({named}), times the {coverage:.1%} of students visited"
    return Prior(float(effects.mean()), float(np.std(effects, ddof=1)), source)


def in_points(programs: pd.DataFrame) -> pd.DataFrame:
    """Return the programs whose effect can be turned into points of attendance, with the column effect_pp."""
    rate = programs["measure"].eq("attendance rate") & programs["unit"].eq("percentage points")
    days = programs["measure"].eq("days absent") & programs["unit"].eq("days")
    effect = programs["effect"].astype(float)
    points = effect.where(rate, -effect * 100 / SCHOOL_DAYS)
    return programs.assign(effect_pp=points)[rate | days].reset_index(drop=True)
