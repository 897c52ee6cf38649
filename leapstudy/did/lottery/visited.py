"""What a lottery shows beyond the offer: the effect of being visited, with the offer as instrument, and over all years.

The lottery moves who is offered visits; families decide. The effect of the offer divided by the visits that it brought
is the effect on those whom the offer moved, the compliers (Imbens and Angrist 1994). Its interval inverts a test of the
offer that holds however few the offer moves (Anderson and Rubin 1949), so that it may be unbounded.

Of units that drew lots, the efficient estimate for random starts takes every year.

Where the offer may move who is still there to be measured, bounds take the place of an estimate (Lee 2009, Review of
Economic Studies 76(3)): if it only keeps students, or only loses them, the side with more left is trimmed from its top
or its bottom by the difference, which brackets the effect on those who stay either way.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr

from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.estimate import Estimate
from leapstudy.core.phrases import between, number
from leapstudy.data import StudyData
from leapstudy.did.design import Sample, build_panel
from leapstudy.did.effect import finite, row_of
from leapstudy.did.lottery.assignment import moments
from leapstudy.did.lottery.rollout import Adjustment, Rollout, cells_of, residual, rollout, scores_of, welch
from leapstudy.did.nested import method_of
from leapstudy.did.permutation import ALPHA, TIE
from leapstudy.did.spread import t_critical

RESAMPLES = 999
Shape = Literal["bounded", "two rays", "whole line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplierEffect:
    """Complier average causal effect of one unit of visits, with its Anderson-Rubin 95% set.

    Attributes
    ----------
    estimate : float
        Effect of the offer over the visits that it brought; NaN where it brought none.
    shape : str
        ``bounded``: from `low` to `high`. ``two rays``: all of the line except what lies between `high` and `low`
        (up to `high`, and from `low` on). ``whole line``: nothing is excluded. The set is never empty, since one
        instrument always fits itself.
    low, high : float
        Ends of the set; infinite for the whole line.
    offer, visits : float
        Effects of the offer on the outcome, and on visits (share visited, or dose).
    first_stage_f : float
        Square of the t statistic of `visits`; below 10 an ordinary interval would mislead.
    """

    estimate: float
    shape: Shape
    low: float
    high: float
    offer: float
    visits: float
    first_stage_f: float

    def sentence(self, unit: str = "points") -> str:
        """Return what the set says, in words."""
        if self.shape == "whole line":
            return (
                "The offer moved too few visits to say anything of the effect of a visit: its 95% CI is the whole line."
            )
        if self.shape == "two rays":
            return (
                "The offer moved few visits: the 95% CI of the effect of a visit is unbounded and excludes only "
                f"{between(self.high, self.low)} {unit}."
            )
        return (
            f"For those whom the offer moved: {number(self.estimate)} {unit} (95% CI {between(self.low, self.high)})."
        )


def complier_effect(
    outcome: np.ndarray,
    visits: np.ndarray,
    start: np.ndarray,
    strata: np.ndarray | None = None,
    *,
    adjustment: Adjustment = "efficient",
    reach: tuple[float, float] | None = None,
) -> ComplierEffect:
    """Estimate the effect of visits with the offer as instrument.

    Parameters
    ----------
    outcome, start, strata, adjustment
        As in `rollout.rollout`. The outcome is adjusted as there, with the weight that serves the effect of the offer.
    visits : ndarray, shape (units, periods)
        Share of a unit's students visited by then, 0 or 1 for a student, or a dose such as visits received.
    reach
        How many standard errors the interval of the offer reaches down and up by its redraws, so that both say the same
        of zero; by t where none is given. Where one is infinite nothing is excluded.

    Raises
    ------
    BadInput
        As `rollout.cells_of`; for visits of another shape, missing, negative, or before the start of any unit.

    Notes
    -----
    Exclusion (the offer works through visits alone) and monotonicity (nobody refuses visits because of the offer) are
    assumed, and no data can show them. The set is that of all effects tau with
    ``(offer - tau visits)^2 <= t^2 Var(offer - tau visits)``, a quadratic in tau; t has Welch's degrees of freedom.

    Examples
    --------
    Half of the offered are visited, so that the effect of a visit is twice that of the offer:

    >>> y = np.array([[0, 4], [1, 6], [2, 5], [1, 3], [0, 1], [1, 2], [2, 3], [1, 0]], dtype=float)
    >>> seen = np.zeros((8, 2)); seen[:2, 1] = 1
    >>> complier_effect(y, seen, np.repeat([1, 2], 4), adjustment="difference").estimate
    6.0
    """
    if visits.shape != outcome.shape or not np.isfinite(visits).all() or (visits < 0).any():
        raise BadInput(
            f"Visits must be a number of 0 or more for each unit and period, {outcome.shape}; got {visits.shape}."
        )
    groups = np.zeros(len(outcome), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    cells = cells_of(outcome, start, groups)
    scores = scores_of(cells, outcome, visits)
    score = np.stack([residual(scores[:2], cells, adjustment), scores[2]])
    offer_moments = moments(score, cells.of[None, :], cells.first)
    (offer, first_stage), covariance = offer_moments.totals[0], offer_moments.covariance[0]
    t = t_critical(float(welch(offer_moments, np.array([[1.0, 0.0]]))[0]))
    down, up = reach or (t, t)
    shape: Shape = "whole line"
    low, high = -np.inf, np.inf
    if np.isfinite([down, up]).all():
        shape, low, high = anderson_rubin(offer, first_stage, covariance, max(down, up))
        if shape == "bounded" and first_stage > 0:
            low, high = (
                anderson_rubin(offer, first_stage, covariance, down)[1],
                anderson_rubin(offer, first_stage, covariance, up)[2],
            )
    variance = float(covariance[1, 1])
    return ComplierEffect(
        estimate=float(offer / first_stage) if abs(first_stage) > TIE else np.nan,
        shape=shape,
        low=low,
        high=high,
        offer=float(offer),
        visits=float(first_stage),
        first_stage_f=float(first_stage**2 / variance)
        if variance > TIE
        else (np.inf if abs(first_stage) > TIE else 0.0),
    )


def anderson_rubin(offer: float, visits: float, covariance: np.ndarray, t: float) -> tuple[Shape, float, float]:
    """Return shape and ends of ``{tau: (offer - tau visits)^2 <= t^2 (v00 - 2 tau v01 + tau^2 v11)}``.

    Parameters
    ----------
    offer, visits
        Effects of the offer on the outcome and on visits.
    covariance : ndarray, shape (2, 2)
        Of the two.
    t
        Critical value.
    """
    a = visits**2 - t**2 * covariance[1, 1]
    b = offer * visits - t**2 * covariance[0, 1]
    c = offer**2 - t**2 * covariance[0, 0]
    root = b**2 - a * c
    if a < TIE and root <= 0:
        return "whole line", -np.inf, np.inf
    if abs(a) < TIE:  # the quadratic has become a line: one ray
        end = c / (2 * b)
        return ("bounded", float(end), np.inf) if b > 0 else ("bounded", -np.inf, float(end))
    ends = sorted(((b - root**0.5) / a, (b + root**0.5) / a))
    return ("bounded", float(ends[0]), float(ends[1])) if a > 0 else ("two rays", float(ends[1]), float(ends[0]))


ESTIMATOR = "lottery_efficient"


def efficient(data: StudyData, sample: Sample) -> Rollout | None:
    """Return the efficient estimate of a sample whose units drew lots; None for every other sample.

    Every year that the study uses is taken, of the units of the sample that have a figure in all of them. Where the
    contrast ends in the first year, so does this effect; otherwise it is the mean over all years with the program.

    Raises
    ------
    BadInput
        As `rollout.rollout`: where nothing can be compared, or a stratum by start has one unit.
    """
    nested, spec = sample.nested, sample.spec
    if nested is None or not nested.drawn or spec.scale != "points":
        return None
    panel = build_panel(data, spec.outcome, spec.edition)
    places = [place for place, year in enumerate(panel.years) if year not in data.state.calendar.gap]
    years, rows = [panel.years[place] for place in places], {code: row for row, code in enumerate(panel.codes)}
    codes = (*sample.treated, *sample.comparison)
    y = panel.rates[[rows[code] for code in codes]][:, places]
    full = ~np.isnan(y).any(axis=1)
    starts = [panel.starts.get(code) for code in codes]
    first = np.array([len(years) if year is None else years.index(year) for year in starts])
    event_time = 0 if data.state.contrasts[spec.contrast].post == (0,) else None
    return rollout(y[full], first[full], np.array(nested.strata)[full], event_time=event_time, seed=spec.seed)


def tried(data: StudyData, sample: Sample) -> tuple[Rollout | None, tuple[str, ...]]:
    """Return `efficient`, or why it cannot be made."""
    draw, reason = attempt(efficient, data, sample)
    return draw, (f"The efficient estimate of the lottery is not made: {reason}",) if reason else ()


def estimate_row(estimate: Rollout, sample: Sample, code: str, name: str) -> Estimate:
    """Return the efficient estimate as a row of `estimates.csv`; its interval inverts the test over redraws."""
    return row_of(
        sample,
        code,
        name,
        ESTIMATOR,
        (estimate.estimate, estimate.se, finite(estimate.redraw_low), finite(estimate.redraw_high)),
        p_value=estimate.p_value,
        p_method=method_of(sample),
        p_floor=estimate.p_floor,
        seed=sample.spec.seed,
        n_treated=estimate.n_offered,
        n_comparison=estimate.n_units - estimate.n_offered,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeeBounds:
    """Sharp bounds on the effect of the offer on those measured either way, on the outcome's scale.

    Attributes
    ----------
    lower, upper : float
    low, high : float
        95% interval of the effect itself (Imbens and Manski 2004), with bootstrap standard errors.
    """

    lower: float
    upper: float
    low: float
    high: float


def lee_bounds(outcome: np.ndarray, offered: np.ndarray, seed: int, resamples: int = RESAMPLES) -> LeeBounds:
    """Bound the effect of the offer with leavers on both sides.

    Parameters
    ----------
    outcome : ndarray, shape (units,)
        NaN for those who left.
    offered : ndarray of bool, shape (units,)
        Drawn by lot in one stratum; several strata are bounded one by one.
    seed, resamples
        Of the bootstrap, within either side.

    Raises
    ------
    BadInput
        If a side has fewer than two left.

    Notes
    -----
    A fraction of a unit is trimmed where the share asks for it, so that bounds do not jump with the number of units.

    Examples
    --------
    One of four waiting left; the offered side is trimmed by its best, then by its worst quarter:

    >>> y, z = np.array([1.0, 2, 3, 4, 1, 2, 3, np.nan]), np.repeat([True, False], 4)
    >>> bounds = lee_bounds(y, z, seed=1)
    >>> (bounds.lower, bounds.upper)
    (0.0, 1.0)
    """
    sides = outcome[offered], outcome[~offered]
    if min(np.isfinite(side).sum() for side in sides) < 2:
        raise BadInput("Bounds for leavers need at least two measured on either side.")
    lower, upper = _bounds(*sides)
    rng = np.random.default_rng(seed)
    again = np.array([_bounds(*(rng.choice(side, len(side)) for side in sides)) for _ in range(resamples)])
    lower_se, upper_se = np.nanstd(again, axis=0, ddof=1)
    reach = _imbens_manski(upper - lower, max(lower_se, upper_se))
    return LeeBounds(lower=lower, upper=upper, low=lower - reach * lower_se, high=upper + reach * upper_se)


def _bounds(offered: np.ndarray, waiting: np.ndarray) -> tuple[float, float]:
    stay = np.isfinite(offered).mean(), np.isfinite(waiting).mean()
    on, off = (np.sort(side[np.isfinite(side)]) for side in (offered, waiting))
    if not len(on) or not len(off):
        return float("nan"), float("nan")
    share = 1 - min(stay) / max(stay)
    if stay[0] >= stay[1]:
        ends = _trimmed_mean(on, share) - off.mean(), -_trimmed_mean(-on[::-1], share) - off.mean()
    else:
        ends = on.mean() + _trimmed_mean(-off[::-1], share), on.mean() - _trimmed_mean(off, share)
    return float(ends[0]), float(ends[1])


def _trimmed_mean(outcomes: np.ndarray, share: float) -> float:
    """Return the mean of ascending values without the top `share` of them, a fraction of one value included."""
    size = len(outcomes) * (1 - share)
    whole = int(size + 1e-9)
    part = max(size - whole, 0.0)
    return float((outcomes[:whole].sum() + (part * outcomes[whole] if part > 1e-9 else 0.0)) / size)


def _imbens_manski(width: float, se: float) -> float:
    """Return c with ``Phi(c + width / se) - Phi(-c) = 0.95``: 1.96 for a point, 1.64 for a wide set."""
    if se <= 0:
        return 0.0
    # imported here because it is slow to import and only this asks for it
    from scipy.optimize import brentq

    return float(brentq(lambda c: ndtr(c + width / se) - ndtr(-c) - (1 - ALPHA), 0.0, 3.0))
