"""P-values that count how many districts were looked at."""

import numpy as np

from leapstudy.did.permutation import DRAWS, TIE


def romano_wolf(statistics: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return step-down p-values that bound the chance of one false find or more, in the order given.

    Parameters
    ----------
    statistics : ndarray, shape (m,)
        Absolute effects, comparable with each other.
    null : ndarray, shape (draws, m)
        The same under no effect; columns in the same order, dependence between them kept.

    Notes
    -----
    Romano and Wolf (2005, 2016): from the largest statistic down, the share of draws in which the largest of those not
    yet passed reaches it, (1 + count) / (1 + draws), never below the one before.
    """
    order = np.argsort(-statistics, kind="stable")
    largest = np.maximum.accumulate(null[:, order[::-1]], axis=1)[:, ::-1]
    reached = 1 + (largest >= statistics[order] - TIE).sum(axis=0)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(reached / (1 + len(null)))
    return adjusted


def shuffled_effects(
    treated: np.ndarray, comparison: np.ndarray, noise: np.ndarray, seed: int, draws: int = DRAWS
) -> np.ndarray:
    """Return each treated district's absolute studentized effect under shuffles of which districts are called treated.

    Parameters
    ----------
    treated, comparison : ndarray
        Changes of the districts on either side.
    noise : ndarray, shape (treated + comparison,)
        What each district's effect is divided by; ones for the effects themselves.
    seed, draws
        Seed and number of the shuffles.

    Returns
    -------
    ndarray, shape (draws, treated)

    Notes
    -----
    In every draw the comparison mean is that of the districts that then have no label, so that what the districts share
    through it is kept. Under no effect anywhere all districts are exchangeable; with effects somewhere the draws are
    too wide, and the p-values too large, never too small.
    """
    changes = np.concatenate([treated, comparison])
    m, n = len(treated), len(changes)
    order = np.random.default_rng(seed).random((draws, n)).argsort(axis=1)
    drawn = changes[order]
    return np.abs(drawn[:, :m] - drawn[:, m:].mean(axis=1, keepdims=True)) / noise[order[:, :m]]
