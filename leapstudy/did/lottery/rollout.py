"""The effect of starts drawn by lot, as precise as earlier figures allow, and what a lottery would find, before it is
held.

Roth, J., and P. H. C. Sant'Anna (2023), Efficient Estimation for Staggered Rollout Designs, Journal of Political
Economy Microeconomics 1(4). Where starts are random, the difference between cohorts before the start is noise that can
be regressed out: ``theta - beta X`` with the beta that makes the variance smallest. beta = 1 is Callaway and
Sant'Anna's difference-in-differences, beta = 0 the difference of means.

Before it is held, the program is dealt into past periods in which there was none. Whatever a deal finds there is
chance, so that the spread of many deals is the noise of the design, the share that the planned test rejects is its
false-positive rate, and the effect that 80% of them would have found is the smallest detectable one (Burlig, Preonas
and Woerman 2020, Panel data and experimental design, Journal of Development Economics 144, on real serially correlated
figures).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations_with_replacement, count
from typing import Literal

import numpy as np

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import options
from leapstudy.did.lottery.assignment import Moments, moments, redrawn_moments, shared_places, small_strata
from leapstudy.did.permutation import ALPHA, TIE
from leapstudy.did.spread import POWER, t_critical

Adjustment = Literal["efficient", "did", "difference"]
REDRAWS = 1_999
# Standard errors from the estimate at which the search for the end of an interval gives up: it is then unbounded.
FAR = 40.0


@dataclass(frozen=True, slots=True)
class Cells:
    """Strata by cohort, and what each contributes.

    Attributes
    ----------
    of, first : ndarray of int, shape (units,)
        Cell of each unit, and the first one of its stratum, whose cells stand side by side.
    effect, before : ndarray, shape (cells, periods)
        Weights of the cells' mean outcomes in the effect, and in the difference before the start.
    pairs : int
        Cohorts by periods that the effect averages.
    """

    of: np.ndarray
    first: np.ndarray
    effect: np.ndarray
    before: np.ndarray
    pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The effect of the offer (intention-to-treat), on the outcome's scale.

    Attributes
    ----------
    estimate, se, df : float
        With Neyman's standard error, which is not too small, and Welch's degrees of freedom.
    low, high : float
        95% interval by t.
    beta : float
        What was regressed out of the difference before the start: 0 none, 1 all of it.
    unadjusted, unadjusted_se : float
        The difference of means, with nothing regressed out.
    p_value, p_floor : float
        Randomization inference over the lottery's own redraws, studentized; and the smallest value possible.
    exact : bool
        Whether every assignment was looked at, each once.
    redraw_low, redraw_high : float
        95% interval by inverting that test for an effect that is the same in all periods; infinite where unbounded.
    n_units, n_offered, pairs : int
        Units drawn, those offered a start within the periods, and the cohorts by periods averaged.
    """

    estimate: float
    se: float
    df: float
    low: float
    high: float
    beta: float
    unadjusted: float
    unadjusted_se: float
    p_value: float
    p_floor: float
    exact: bool
    redraw_low: float
    redraw_high: float
    n_units: int
    n_offered: int
    pairs: int


def rollout(
    outcome: np.ndarray,
    start: np.ndarray,
    strata: np.ndarray | None = None,
    *,
    event_time: int | None = None,
    adjustment: Adjustment = "efficient",
    seed: int = 0,
    most: int = REDRAWS,
) -> Rollout:
    """Estimate the effect of the offer from a lottery of start times.

    Parameters
    ----------
    outcome : ndarray, shape (units, periods)
        No missing values.
    start : ndarray of int, shape (units,)
        Column of the first period with the offer; `periods` or more for units that wait.
    strata : ndarray of int, shape (units,), optional
        Within which lots were drawn.
    event_time
        Effect this many periods after the start; all periods from the start on by default, each weighted by its units.
    adjustment
        What is done about differences before the start; see the docstring of the module.
    seed, most
        Of the redraws; with no more assignments than `most` + 1, all of them are looked at.

    Raises
    ------
    BadInput
        For missing values, starts without a period before, cells of one unit, or nobody who waits.

    Examples
    --------
    Four units, two drawn; the first period has no offer:

    >>> done = rollout(np.array([[1.0, 4.0], [3.0, 8.0], [2.0, 2.0], [2.0, 4.0]]), np.array([1, 1, 2, 2]))
    >>> (done.unadjusted, round(done.p_value, 3), done.exact)
    (3.0, 0.333, True)
    """
    groups = np.zeros(len(outcome), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    cells = cells_of(outcome, start, groups, event_time)
    offered = np.arange(outcome.shape[1]) >= np.asarray(start)[:, None]
    scores = scores_of(cells, outcome, offered.astype(float))
    deals, exact = redrawn_moments(scores, cells.of, groups, seed, most, cells.first)
    if deals.covariance[0, 0, 0] < TIE:
        raise BadInput("The outcome does not vary within any cell, so that nothing can be said of chance.")
    estimate, se, beta = (float(item[0]) for item in adjusted(*_less(deals, 0.0), adjustment))
    df = float(welch(deals, np.array([[1.0, -beta, 0.0, 0.0]]))[0])
    reach = t_critical(df) * se
    low, high = (_end(deals, estimate, side * se, adjustment) for side in (-1, 1))
    return Rollout(
        estimate=estimate,
        se=se,
        df=df,
        low=estimate - reach,
        high=estimate + reach,
        beta=beta,
        unadjusted=float(deals.totals[0, 0]),
        unadjusted_se=float(np.sqrt(deals.covariance[0, 0, 0])),
        p_value=_p_value(deals, 0.0, adjustment),
        p_floor=1 / len(deals.totals),
        exact=exact,
        redraw_low=low,
        redraw_high=high,
        n_units=len(outcome),
        n_offered=int(offered.any(axis=1).sum()),
        pairs=cells.pairs,
    )


def cells_of(outcome: np.ndarray, start: np.ndarray, strata: np.ndarray, event_time: int | None = None) -> Cells:
    """Return the cells of a lottery and the weights of their means; see `rollout` for the parameters and errors."""
    periods = outcome.shape[1]
    if not np.isfinite(outcome).all():
        raise BadInput(f"{int((~np.isfinite(outcome)).any(axis=1).sum())} units lack a figure in a period.")
    starts = np.minimum(start, periods)
    if (starts < 1).any():
        raise BadInput("Some units start in the first period, so that nothing is known of them before.")
    keys, of = np.unique(np.stack([strata, starts], axis=1), axis=0, return_inverse=True)
    of, sizes = of.ravel(), np.bincount(of.ravel())
    pairs = _pairs(keys, periods, event_time)
    if not pairs:
        raise BadInput(
            "No period has both a cohort that started and units that still wait: there is nothing to compare."
        )
    effect, before = np.zeros((len(keys), periods)), np.zeros((len(keys), periods))
    total = sum(sizes[cell] for cell, _, _ in pairs)
    for cell, period, others in pairs:
        weight, share = sizes[cell] / total, sizes[others] / sizes[others].sum()
        for weights, column in ((effect, period), (before, keys[cell, 1] - 1)):
            weights[cell, column] += weight
            weights[others, column] -= weight * share
    mask = (effect != 0).any(axis=1)
    if (sizes[mask] < 2).any():
        raise BadInput(
            f"{int((sizes[mask] < 2).sum())} of {int(mask.sum())} cells (stratum by start) have one unit, whose chance "
            "cannot be measured. Draw within fewer strata."
        )
    return Cells(of, np.searchsorted(keys[:, 0], keys[of, 0]), effect, before, len(pairs))


def _pairs(keys: np.ndarray, periods: int, event_time: int | None) -> list[tuple[int, int, np.ndarray]]:
    """Return cell, period and the cells of its stratum that have not started by then."""
    pairs = []
    for cell, (stratum, first) in enumerate(keys):
        columns = range(first, periods) if event_time is None else [first + event_time]
        for period in columns:
            others = np.flatnonzero((keys[:, 0] == stratum) & (keys[:, 1] > period))
            if first <= period < periods and len(others):
                pairs.append((cell, period, others))
    return pairs


def scores_of(cells: Cells, *variables: np.ndarray) -> np.ndarray:
    """Return what each unit adds to effect and before-difference of each variable in any cell of its stratum.

    Shape (2 variables, units, cells of the stratum with most), the cells from `cells.first` on; rows 0 and 1 are the
    first variable's. Where a stratum has fewer cells, what stands beyond them is in no use.
    """
    within = np.arange(int((cells.of - cells.first).max()) + 1)
    at = np.minimum(cells.first[:, None] + within, len(cells.effect) - 1)
    centered = [variable - variable.mean(axis=0) for variable in variables]
    return np.stack(
        [
            np.stack([np.einsum("up,up->u", item, weights[column]) for column in at.T], axis=1)
            for item in centered
            for weights in (cells.effect, cells.before)
        ]
    )


def _less(deals: Moments, tau: float) -> tuple[np.ndarray, np.ndarray]:
    """Return totals and covariance of ``outcome - tau * offered``, from those of outcome and offered."""
    totals, c = deals.totals, deals.covariance
    return (
        totals[:, :2] - tau * totals[:, 2:],
        c[:, :2, :2] - tau * (c[:, :2, 2:] + c[:, 2:, :2]) + tau**2 * c[:, 2:, 2:],
    )


def adjusted(totals: np.ndarray, c: np.ndarray, adjustment: Adjustment) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return estimate, standard error and beta under each of D assignments, each of shape (D,).

    `totals` and their covariance `c` are those of the two rows of `scores_of` for one variable.
    """
    if adjustment not in options(Adjustment):
        raise bad_value("adjustment", adjustment, options(Adjustment))
    effect, before = totals.T
    if adjustment == "efficient":
        beta = np.divide(c[:, 0, 1], c[:, 1, 1], out=np.zeros(len(effect)), where=c[:, 1, 1] > TIE)
    else:
        beta = np.full(len(effect), float(adjustment == "did"))
    variance = c[:, 0, 0] - 2 * beta * c[:, 0, 1] + beta**2 * c[:, 1, 1]
    return effect - beta * before, np.sqrt(np.maximum(variance, 0.0)), beta


def _p_value(deals: Moments, tau: float, adjustment: Adjustment) -> float:
    estimate, se, _ = adjusted(*_less(deals, tau), adjustment)
    far = np.divide(np.abs(estimate), se, out=np.where(np.abs(estimate) > TIE, np.inf, 0.0), where=se > TIE)
    return float(np.mean(far >= far[0] - TIE))


def _end(deals: Moments, estimate: float, step: float, adjustment: Adjustment) -> float:
    """Return one end of the interval: where the test begins to reject, walking from the estimate in steps."""
    inside, outside = 0.0, 1.0
    while _p_value(deals, estimate + outside * step, adjustment) > ALPHA:
        inside, outside = outside, 2 * outside
        if outside > FAR:
            return float(np.sign(step) * np.inf)
    for _ in range(20):
        middle = (inside + outside) / 2
        rejected = _p_value(deals, estimate + middle * step, adjustment) <= ALPHA
        inside, outside = (inside, middle) if rejected else (middle, outside)
    return estimate + outside * step


def residual(scores: np.ndarray, cells: Cells, adjustment: Adjustment = "efficient") -> np.ndarray:
    """Return scores of the effect with the before-difference regressed out, shape (units, cells).

    `scores` are the two rows of `scores_of` for one variable.
    """
    own = moments(scores, cells.of[None, :], cells.first)
    _, _, beta = adjusted(own.totals, own.covariance, adjustment)
    return scores[0] - float(beta[0]) * scores[1]


def welch(deals: Moments, weights: np.ndarray) -> np.ndarray:
    """Return Welch's degrees of freedom of a weighted sum of K totals under each of D assignments, shape (D,).

    `weights` are (D, K), or one row for all.
    """
    k = weights.shape[1]
    each = [(1 + (i != j)) * weights[:, i] * weights[:, j] for i, j in combinations_with_replacement(range(k), 2)]
    pairs = np.stack(each, axis=1)
    variance = np.einsum("di,dij,dj->d", weights, deals.covariance, weights)
    return variance**2 / np.einsum("di,dij,dj->d", pairs, deals.squares, pairs)


DEALS = 300
# Deals in each window of past periods, so that 5% of them are a few.
FEWEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealt:
    """What deals of a program without effect gave, on the outcome's scale.

    Attributes
    ----------
    n_units, n_offered : int
        Units in the lottery of one window of past periods (the largest window), and those offered a start in it.
    strata : int
        Strata that lots were drawn in; smaller ones are joined to one.
    estimates : tuple of float
        What each deal found.
    mean : float
        Of the estimates; zero is expected.
    detectable : float
        Smallest effect that the planned test finds in 80% of the deals: randomization inference over the lottery's own
        redraws at 5%; infinite where it can never reject.
    false_positive : float
        Share of deals in which the planned test rejects, though there is no effect: by construction at most 5%, since
        its redraws are the other deals.
    false_positive_t : float
        The same of an ordinary 95% CI by t with Welch's degrees of freedom, which needs more units.
    """

    n_units: int
    n_offered: int
    strata: int
    estimates: tuple[float, ...]
    mean: float
    detectable: float
    false_positive: float
    false_positive_t: float


# Stretches of past periods: outcome, shape (units, periods), and stratum of each unit.
Windows = Sequence[tuple[np.ndarray, np.ndarray]]


def deal(windows: Windows, phases: Mapping[int, float], seed: int, *, deals: int = DEALS) -> Dealt:
    """Deal a program without effect into past periods, by the lottery that is planned.

    Parameters
    ----------
    windows
        Past stretches of periods without the program, each as outcome, shape (units, periods), without missing values,
        and stratum of each unit, shape (units,).
    phases
        First column with the offer -> share of the units that start there, 0 to 1.
    seed, deals
        Of the lots, and how many in all; more where there are many windows, see `FEWEST`.

    Raises
    ------
    BadInput
        If nobody would wait, a phase gets fewer than two units, or as `rollout.cells_of`.

    Notes
    -----
    An effect adds the same number to every estimate and moves no standard error, so that deal d finds it if it is at
    least ``c se_d - estimate_d``, c the critical value of the studentized estimate among the redraws: the smallest
    detectable effect is the 80% quantile of these.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> y = rng.normal(90, 3, (60, 1)) + rng.normal(0, 1, (60, 2))
    >>> dealt = deal([(y, np.zeros(60, dtype=int))], {1: 0.5}, seed=7)
    >>> dealt.n_offered, round(dealt.detectable, 1), dealt.false_positive < 0.1
    (30, 0.9, True)
    """
    if not windows:
        raise BadInput("There is no stretch of past periods without the program to deal into.")
    each = max(-(-deals // len(windows)), min(deals, FEWEST))
    with ThreadPoolExecutor() as pool:  # numpy sorts and sums without holding the others up
        one = partial(_window, phases=phases, deals=each)
        parts = list(pool.map(lambda window, i: one(*window, seed=seed + i), windows, count()))
    estimate, se, t, critical = (np.concatenate(columns) for columns in zip(*(part[0] for part in parts), strict=True))
    n_units, n_offered, strata = max(part[1] for part in parts)
    return Dealt(
        n_units=n_units,
        n_offered=n_offered,
        strata=strata,
        estimates=tuple(estimate.tolist()),
        mean=float(estimate.mean()),
        detectable=float(np.quantile(critical * se - estimate, POWER, method="higher")),
        false_positive=float(np.mean(np.abs(estimate) >= critical * se - TIE)),
        false_positive_t=float(np.mean(np.abs(estimate) > t * se)),
    )


Tests = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Size = tuple[int, int, int]


def _window(
    outcome: np.ndarray, strata: np.ndarray, phases: Mapping[int, float], seed: int, deals: int
) -> tuple[Tests, Size]:
    """Return estimate, standard error and both critical values of each deal; and units, offered units and strata."""
    start, groups = planned_starts(strata, phases, outcome.shape[1], seed)
    cells = cells_of(outcome, start, groups)
    scores = scores_of(cells, outcome)
    moments, _ = redrawn_moments(scores, cells.of, groups, seed, deals - 1, cells.first)
    estimate, se, beta = adjusted(moments.totals, moments.covariance, "efficient")
    if (se < TIE).any():
        raise BadInput("The outcome does not vary within a cell, so that nothing can be said of chance.")
    df = welch(moments, np.stack([np.ones_like(beta), -beta], axis=1))
    size = len(outcome), int((start < outcome.shape[1]).sum()), len(np.unique(groups))
    critical = np.full(len(se), _critical(np.abs(estimate / se)))
    return (estimate, se, t_critical(df), critical), size


def _critical(far: np.ndarray) -> float:
    """Return the smallest of the studentized estimates that at most 5% of the redraws reach; infinite where none is."""
    distances = np.sort(far)[::-1]
    rates = (far[None, :] >= distances[:, None] - TIE).mean(axis=1)
    return float(distances[rates <= ALPHA + TIE][-1]) if rates[0] <= ALPHA + TIE else np.inf


def picked(windows: Windows, share: float) -> float:
    """Return what a comparison would show if those with the lowest outcome before were picked, without any effect.

    Parameters
    ----------
    windows
        As in `deal`; the last period of each is the one after.
    share
        Of the units that are picked, 0 to 1.

    Returns
    -------
    float
        Change of the picked from the first to the last period less that of the others, averaged over the windows. A low
        figure is partly a bad spell, which ends by itself.

    Examples
    --------
    >>> y = np.array([[80.0, 84.0], [85.0, 86.0], [90.0, 90.0], [95.0, 93.0]])
    >>> picked([(y, np.zeros(4, dtype=int))], 0.5)
    3.5
    """
    effects = []
    for outcome, _ in windows:
        change, lowest = outcome[:, -1] - outcome[:, 0], np.argsort(outcome[:, 0], kind="stable")
        first = lowest[: max(round(share * len(outcome)), 1)]
        others = np.setdiff1d(lowest, first)
        effects.append(change[first].mean() - change[others].mean())
    return float(np.mean(effects))


def planned_starts(
    strata: np.ndarray, phases: Mapping[int, float], periods: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return one lottery's first columns with the offer, `periods` for those who wait, and the strata drawn in.

    Strata that are too small are joined, see `assignment.small_strata`.
    """
    names, of = np.unique(strata, return_inverse=True)
    pooled_strata = small_strata(Counter(of.tolist()), list(phases.values()))
    groups = np.where(np.isin(of, list(pooled_strata)), len(names), of)
    counts = Counter(groups.tolist())
    totals = np.round(np.cumsum(list(phases.values())) * len(strata)).astype(int)
    cuts = [shared_places(counts, int(total)) for total in totals]
    start, rng = np.full(len(strata), periods), np.random.default_rng(seed)
    for group in counts:
        order = rng.permutation(np.flatnonzero(groups == group))
        for column, cut in reversed(list(zip(phases, cuts, strict=True))):
            start[order[: cut[group]]] = column
    return start, groups
