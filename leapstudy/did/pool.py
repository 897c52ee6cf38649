"""The whole pooled answer from one sample of treated and comparison districts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.core.table import records
from leapstudy.did.design import Sample
from leapstudy.did.effect import row_of
from leapstudy.did.inference.compare import each_by_itself
from leapstudy.did.inference.record import noise_before, size_noise
from leapstudy.did.own_years import own_changes
from leapstudy.did.permutation import DRAWS, TIE
from leapstudy.did.shrinkage import FLAT, Prior, Shrinkage, shrink
from leapstudy.did.spread import LEAST_NOISE


@dataclass(frozen=True, slots=True)
class PooledDistricts:
    """All treated districts side by side and shrunk together, in percentage points.

    Attributes
    ----------
    districts : DataFrame
        One row a treated district, in the sample's order: district_code, estimate_pp, se_pp, ci_low_pp, ci_high_pp (t
        interval), p_value (of the test that leads, an exact permutation), p_floor, p_bh (Benjamini and Hochberg), p_rw
        (Romano and Wolf, studentized),
        shrunken_pp, shrunken_low_pp, shrunken_high_pp, p_above (probability of an effect above zero),
        p_above_threshold.
    shrinkage : Shrinkage
        The model behind the shrunken columns: mean effect, between-district spread, prior, threshold.
    n_comparison, draws, seed : int
        Comparison districts; shuffles for `p_rw`, and their seed.
    """

    districts: pd.DataFrame
    shrinkage: Shrinkage
    n_comparison: int
    draws: int
    seed: int


def pool_districts(sample: Sample, threshold_pp: float, prior: Prior = FLAT) -> PooledDistricts:
    """Look at every treated district at once.

    Parameters
    ----------
    sample
        Several treated districts, equal weights, in points.
    threshold_pp
        The effect that would matter (`threshold_pp` of params/plan.yml).
    prior
        On the mean effect, `FLAT` or `published_prior`.

    Raises
    ------
    BadInput
        With fewer than three treated districts, weights by students or the log-odds scale.

    Notes
    -----
    A single district's noise cannot be measured, and is taken to be that of the comparison districts, s^2. The
    estimates share the comparison mean: their covariance is ``s^2 I + (s^2 / C) 11'``. That s^2 comes from C - 1
    degrees of freedom is not in the shrunken intervals. In simulations (benchmarks/results/pooling_coverage.csv) 93% or
    more of the 95% intervals hold the truth with 19 comparison districts; if the treated districts are a third noisier
    than the others, 87% do where effects differ much between districts. A district's own interval then covers 85 to
    88%.
    """
    if sample.spec.weights != "equal" or sample.spec.scale != "points":
        raise BadInput("Units are pooled in points with equal weights; set scale 'points' and weights 'equal'.")
    changes = sample.change_comparison
    if np.std(changes, ddof=1) < LEAST_NOISE:
        raise BadInput("The comparison units all changed by the same amount, so that no noise can be measured.")
    effects = sample.change_treated - changes.mean()
    variance = np.var(own_changes(sample), axis=1, ddof=1)
    shared = float(np.var(changes, ddof=1)) / len(changes)
    shrunk = shrink(effects, variance, shared, threshold_pp, prior)
    alone, noise = each_by_itself(sample), _noise(sample)
    null = shuffled_effects(sample.change_treated, changes, noise, sample.spec.seed)
    table = alone.drop(columns="mde_pp").assign(
        p_bh=stats.false_discovery_control(alone["p_value"]),
        p_rw=romano_wolf(np.abs(effects) / noise[: len(effects)], null),
        shrunken_pp=shrunk.mean_pp,
        shrunken_low_pp=shrunk.low_pp,
        shrunken_high_pp=shrunk.high_pp,
        p_above=shrunk.p_above_zero,
        p_above_threshold=shrunk.p_above_threshold,
    )
    return PooledDistricts(table, shrunk, len(changes), DRAWS, sample.spec.seed)


def _noise(sample: Sample) -> np.ndarray:
    """Return what each district's effect is divided by, treated ones first: its own noise, else that of its size, else
    one.
    """
    for measure in (noise_before, size_noise):
        try:
            return measure(sample)
        except BadInput:
            continue
    return np.ones(len(sample.treated) + len(sample.comparison))


def caterpillar_table(pooled: PooledDistricts, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the districts as `figures.forest` draws them, with the column district by `names`."""
    return pooled.districts.assign(district=pooled.districts["district_code"].map(dict(names)))


def estimate_rows(pooled: PooledDistricts, sample: Sample, names: Mapping[str, str]) -> list[Estimate]:
    """Return the shrunken effects and the adjusted p-values as rows of `estimates.csv`.

    Three a district: `estimator` "partial_pooling" with the shrunken effect and its posterior interval; "did" with
    `p_method` "benjamini_hochberg" and with "romano_wolf". The mean effect and between-district spread are not rows:
    they are in the record.
    """
    rows: list[Estimate] = []
    for row in records(pooled.districts):
        one = partial(row_of, sample, row["district_code"], names[row["district_code"]], n_treated=1)
        raw = (row["estimate_pp"], row["se_pp"], row["ci_low_pp"], row["ci_high_pp"])
        shrunken = (row["shrunken_pp"], None, row["shrunken_low_pp"], row["shrunken_high_pp"])
        stepwise: dict[str, Any] = {"p_value": row["p_rw"], "p_floor": 1 / (pooled.draws + 1), "seed": pooled.seed}
        rows += [
            one("partial_pooling", shrunken),
            one("did", raw, p_value=row["p_bh"], p_method="benjamini_hochberg"),
            one("did", raw, p_method="romano_wolf", **stepwise),
        ]
    return rows


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
