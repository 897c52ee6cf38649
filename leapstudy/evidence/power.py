"""Which effects the design can detect, said before its estimate.

A program visits a small share of students. A district's average moves by the effect on visited students times the
share visited (its coverage), so a large effect on few students is a small effect on the average. All effects are in
percentage points of attendance. Money buys visits, so what it can show is counted here too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy.special import comb

from leapstudy.core.errors import BadInput
from leapstudy.did.permutation import ALPHA
from leapstudy.did.spread import Detectable, mde_factor, t_above

# Spread of attendance between students, points. An assumption: the state publishes no spread (see `sampling_sd_pp`).
STUDENT_SD_PP = 8.0

# Students a district at which power is shown.
SHOWN_ENROLLMENT = 2_000
# Numbers of districts on either side at which power is shown.
TREATED, COMPARED = (1, 15, 50), (5, 10, 19, 40, 80, 184)

COVERAGE_ASSUMPTION = (
    "Students visited are published for all together, not one by one: each is taken to have the "
    "same coverage. The count includes students visited after the first year, so that coverage then was at most this."
)
PART_ASSUMPTION = (
    " That share is of all students, while this outcome counts some of them: how many of those were visited is not "
    "published. Where visits went to them more often, a published effect comes to more in their average than is said."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diluted:
    """A published effect on visited students and what it comes to in the average of all students.

    Attributes
    ----------
    label : str
    effect_pp, diluted_pp : float
        On visited students, and times the coverage: the effect on the average, if visits move nobody else.
    power : float
        Chance that the preferred test finds the diluted effect at 5%.
    p_as_large : float
        One-sided t test of an effect as large as the diluted one: small where the figures rule it out.
    p_equivalent : float
        Two one-sided t tests (Schuirmann 1987) of an effect beyond plus or minus the diluted one: small where the true
        effect is shown to be smaller than it either way.
    excluded : bool
        Whether the 95% interval of the preferred test ends below it.
    """

    label: str
    effect_pp: float
    diluted_pp: float
    power: float
    p_as_large: float
    p_equivalent: float
    excluded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerBlock:
    """Coverage, published effects diluted, and the smallest detectable effect beside them.

    `mde_pp` is found in 80% of such studies by the preferred test (infinite where it can never reject); `could_see`
    counts the published effects found with 80% power, `excluded` those that the interval rules out. All rest on
    `COVERAGE_ASSUMPTION`.
    """

    coverage: float
    mde_pp: float
    published: tuple[Diluted, ...]
    could_see: int
    excluded: int


def sampling_sd_pp(students: float) -> float:
    """Return the chance variation of one district's average in one year: sd of students over root of enrollment.

    This is the part of the noise that a larger district has less of. It treats the year's students as a sample of those
    who might have enrolled; a change between two years has up to root two of it, less where students stay.
    """
    if students <= 0:
        raise BadInput(f"Enrollment must be above 0; got {students!r}.")
    return STUDENT_SD_PP / math.sqrt(students)


def design_mde_pp(district_sd_pp: float, n_treated: int, n_comparison: int) -> float:
    """Return the smallest effect that a difference of two group means finds with 80% power at 5%.

    Parameters
    ----------
    district_sd_pp
        Standard deviation between districts of the change that is compared, points.
    n_treated, n_comparison
        Districts on each side; equal spread on both is assumed, which leaves n_treated + n_comparison - 2 degrees of
        freedom.
    """
    df = n_treated + n_comparison - 2
    if n_treated < 1 or n_comparison < 2 or df < 1:
        raise BadInput(f"Need at least 1 treated and 2 comparison units; got {n_treated} and {n_comparison}.")
    return mde_factor(df) * district_sd_pp * math.sqrt(1 / n_treated + 1 / n_comparison)


def spread_at(district_sd_pp: float, typical: float, students: float) -> float:
    """Return the spread of changes between districts, points, if each had `students` students.

    Parameters
    ----------
    district_sd_pp
        The spread as measured, points.
    typical, students
        Enrollment of the districts it was measured among, and the enrollment asked about.

    Notes
    -----
    ``sd(n)^2 = sd^2 + 2 s^2 (1/n - 1/typical)``, never below the sampling part ``2 s^2 / n`` alone: s is the spread of
    students (`STUDENT_SD_PP`, an assumption), and the 2 takes the students of the two years as different ones, which
    makes the most of what larger districts would gain.
    """
    sampling, own_noise = (2 * sampling_sd_pp(size) ** 2 for size in (students, typical))
    return math.sqrt(max(district_sd_pp**2 - own_noise, 0.0) + sampling)


def detectable_grid(district_sd_pp: float, typical: float) -> pd.DataFrame:
    """Return what designs detect: n_treated, n_comparison, mde_pp, in districts of `SHOWN_ENROLLMENT` students.

    `mde_pp` is NaN where no effect could be found: the lowest p-value that a permutation of labels can give, one over
    the number of ways to pick the treated, is above 5%.

    Parameters
    ----------
    district_sd_pp, typical
        Measured spread of the change between comparison districts, points, and their typical enrollment.
    """
    cases = pd.DataFrame(product(TREATED, COMPARED), columns=["n_treated", "n_comparison"])
    spread = spread_at(district_sd_pp, typical, SHOWN_ENROLLMENT)
    mde = [design_mde_pp(spread, int(t), int(c)) for t, c in cases.itertuples(index=False)]
    floor = 1 / comb(cases["n_treated"] + cases["n_comparison"], cases["n_treated"])
    return cases.assign(mde_pp=np.where(floor > ALPHA + 1e-9, np.nan, mde))


def equivalence(estimate_pp: float, bound_pp: float, se_pp: float, df: float) -> tuple[float, float]:
    """Return the one-sided p-value of an effect of `bound_pp` or more, and that of two one-sided tests against both
    bounds.

    Schuirmann (1987): the larger of the p-values of "effect >= bound" and "effect <= -bound".

    Examples
    --------
    >>> [round(p, 3) for p in equivalence(-0.336, 0.88, 0.458, 27.1)]
    [0.007, 0.123]
    """
    above = float(t_above((bound_pp - estimate_pp) / se_pp, df))
    below = float(t_above((estimate_pp + bound_pp) / se_pp, df))
    return above, max(above, below)


def power_block(
    share: float,
    published: Sequence[tuple[str, float]],
    detectable: Detectable,
    estimate_pp: float,
    high_pp: float | None,
) -> PowerBlock:
    """Collect diluted published effects and the smallest detectable effect.

    Parameters
    ----------
    share
        Coverage, 0 to 1.
    published
        Published effects on visited students: label and percentage points.
    detectable
        What the preferred test detects.
    estimate_pp, high_pp
        The effect, and the upper end of the preferred test's interval; None where it has no end.
    """
    rows = tuple(_diluted(label, effect, share, detectable, estimate_pp, high_pp) for label, effect in published)
    return PowerBlock(
        coverage=share,
        mde_pp=detectable.mde_pp,
        published=rows,
        could_see=sum(row.diluted_pp >= detectable.mde_pp for row in rows),
        excluded=sum(row.excluded for row in rows),
    )


def _diluted(
    label: str, effect_pp: float, share: float, detectable: Detectable, estimate_pp: float, high_pp: float | None
) -> Diluted:
    average = effect_pp * share
    as_large, equivalent = equivalence(estimate_pp, average, detectable.se_pp, detectable.df)
    return Diluted(
        label=label,
        effect_pp=effect_pp,
        diluted_pp=average,
        power=detectable.power(average),
        p_as_large=as_large,
        p_equivalent=equivalent,
        excluded=high_pp is not None and high_pp < average,
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """What a budget buys.

    Attributes
    ----------
    visited : int
        Students visited.
    offered : int
        Students to whom visits are offered, so that as many are met.
    share : float
        Offered among the eligible, at most 1.
    """

    visited: int
    offered: int
    share: float


def reach(dollars: float, per_visited_student: float, met: float, eligible: int) -> Reach:
    """Return how many eligible students a budget reaches.

    Parameters
    ----------
    dollars, per_visited_student
        The budget, and what a visited student costs.
    met
        Share of offered students whose family is met, above 0.
    eligible
        Students who may be offered visits.

    Raises
    ------
    BadInput
        For a price or a share that is not above 0, or nobody eligible.

    Examples
    --------
    >>> reach(120_000, 1_200, 0.8, 1_000)
    Reach(visited=100, offered=125, share=0.125)
    """
    if not per_visited_student > 0 or not 0 < met <= 1 or eligible < 1 or dollars < 0:
        raise BadInput(
            f"Need dollars of 0 or more, a price above 0, a share met of 0 to 1 and somebody eligible; got "
            f"{dollars!r}, {per_visited_student!r}, {met!r}, {eligible!r}."
        )
    visited = min(int(dollars / per_visited_student), int(eligible * met))
    offered = min(math.ceil(visited / met), eligible)
    return Reach(visited, offered, offered / eligible)


def on_visited(detectable: float, coverage: float) -> float:
    """Return the smallest effect on visited students that an effect on all stands for; infinite where none does.

    Parameters
    ----------
    detectable
        Smallest detectable effect of the offer, on the average of all who were offered.
    coverage
        Share of them who are visited. Assumes that visits move nobody else.
    """
    return detectable / coverage if coverage > 0 else math.inf


def detectable_at(detectable: float, share: float, other: float) -> float:
    """Return the smallest detectable effect where another share of the same list is offered.

    The noise of a difference of two means goes with ``sqrt(1 / p(1 - p))``.

    Examples
    --------
    >>> detectable_at(1.0, 0.5, 0.1) > detectable_at(1.0, 0.5, 0.25) > 1
    True
    """
    if not 0 < share < 1 or not 0 < other < 1:
        raise BadInput(f"Shares offered lie between 0 and 1; got {share!r} and {other!r}.")
    return detectable * math.sqrt(share * (1 - share) / (other * (1 - other)))
