"""Units that started in different years as one sample: each in its own years, the comparison in all of them.

The effect is the mean over treated units of what each changed beyond the comparison units in its own years. So that
every estimator of the public track takes it, it is written as an ordinary sample over years since the start: a
comparison unit has the mean of its figures over the starts, weighted by who started when, and a treated unit's figures
are moved by the comparison's mean in the unit's own years, which leaves every difference as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np

from leapstudy.did.contrasts import Clock, Contrast
from leapstudy.did.sample import ByStart, Sample, Spec


@dataclass(frozen=True, slots=True)
class Sides:
    """Who is compared, and when the treated units started: `started` holds places in the starts, shape (treated,)."""

    treated: tuple[str, ...]
    comparison: tuple[str, ...]
    started: np.ndarray


def in_own_years(
    spec: Spec,
    contrast: Contrast,
    sides: Sides,
    years: Sequence[str],
    y: np.ndarray,
    students: np.ndarray,
    clock: Clock,
    left_out: tuple[str, ...] = (),
) -> Sample:
    """Return the sample of units that started in different years.

    Parameters
    ----------
    spec, contrast
        What is asked; the contrast in years since the start.
    sides
        Treated units with their starts, and comparison units.
    years
        Years since the start; the columns.
    y, students : ndarray, shape (starts, units, years)
        Outcome on the spec's scale, and enrollment, of treated and then comparison units in the school years that
        `years` are for each start. Only a treated unit's own start must be complete.
    clock
        The clock of these starts.
    left_out
        Units of either side that had to be left out.
    """
    n, rows = len(sides.treated), np.arange(len(sides.treated))
    own_y, own_students = y[sides.started, rows], students[sides.started, rows]
    blank = Sample(
        spec,
        contrast,
        sides.treated,
        sides.comparison,
        tuple(years),
        own_y,
        y[0, n:],
        own_students,
        students[0, n:],
        clock.label(0),
        left_out,
    )
    share = np.bincount(sides.started, weights=blank.weights_treated, minlength=len(y))
    sample = replace(
        blank,
        y_comparison=np.einsum("g,gct->ct", share, y[:, n:]),
        students_comparison=np.einsum("g,gct->ct", share, students[:, n:]),
    )
    means = np.einsum("c,gct->gt", sample.weights_comparison, y[:, n:])
    changes = own_y - means[sides.started] + share @ means
    return replace(sample, y_treated=changes, by_start=ByStart(y, students, sides.started, clock))


def subset(sample: Sample, keep: np.ndarray) -> Sample:
    """Return the sample of some of its units; `keep` is a mask over treated and then comparison units."""
    n, own = len(sample.treated), sample.by_start
    on, off = keep[:n], keep[n:]
    treated, comparison = tuple(compress(sample.treated, on)), tuple(compress(sample.comparison, off))
    if own is None:
        return replace(
            sample,
            treated=treated,
            comparison=comparison,
            y_treated=sample.y_treated[on],
            y_comparison=sample.y_comparison[off],
            students_treated=sample.students_treated[on],
            students_comparison=sample.students_comparison[off],
        )
    return in_own_years(
        sample.spec,
        sample.contrast,
        Sides(treated, comparison, own.started[on]),
        sample.years,
        own.y[:, keep],
        own.students[:, keep],
        own.clock,
        sample.left_out,
    )


def each_alone(sample: Sample) -> list[Sample]:
    """Return the sample of each treated unit alone against all comparison units, in its own years."""
    own = sample.by_start
    alone = []
    for place, code in enumerate(sample.treated):
        one = replace(
            sample,
            treated=(code,),
            y_treated=sample.y_treated[[place]],
            students_treated=sample.students_treated[[place]],
            by_start=None,
        )
        if own is not None:
            start, n = own.started[place], len(sample.treated)
            one = replace(
                one,
                y_treated=own.y[start, [place]],
                y_comparison=own.y[start, n:],
                students_comparison=own.students[start, n:],
            )
        alone.append(one)
    return alone


def own_changes(sample: Sample) -> np.ndarray:
    """Return the comparison units' changes in each treated unit's own years, shape (treated, comparison)."""
    return np.array([one.change_comparison for one in each_alone(sample)])
