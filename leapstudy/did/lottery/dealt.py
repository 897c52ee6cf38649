"""What a lottery would find, before it is held: the program is dealt into past periods in which there was none.

Whatever a deal finds there is chance, so that the spread of many deals is the noise of the design, the share that the
planned test rejects is its false-positive rate, and the effect that 80% of them would have found is the smallest
detectable one (Burlig, Preonas and Woerman 2020, Panel data and experimental design, Journal of Development Economics
144, on real serially correlated figures).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.did.lottery.assignment import redrawn_moments, shared_places, small_strata
from leapstudy.did.lottery.rollout import adjusted, cells_of, scores_of, welch
from leapstudy.did.permutation import ALPHA, TIE
from leapstudy.did.spread import POWER, t_critical

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
