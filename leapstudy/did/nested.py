"""Units within larger ones, such as schools in districts, and units that drew lots for their start.

Compared within strata, every figure is moved by its stratum's comparison mean, so that every estimator of the public
track takes an ordinary sample. Where errors come by cluster, standard errors do too (CR2, Bell and McCaffrey 2002;
Pustejovsky and Tipton 2018), and labels are dealt as whole clusters. Where lots were drawn, they are dealt anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.names import Nesting
from leapstudy.did.lottery.assignment import redraws
from leapstudy.did.permutation import (
    TIE,
    Permutation,
    completed,
    shuffled,
    shuffled_starts,
    started_effects,
    studentized,
)
from leapstudy.did.sample import Belonging, Nested, Sample, Sides, in_own_years, subset

LOTTERY = "lottery_redraws"
# The tests that deal labels among units, as `estimates.csv` names them; see `method_of`.
DEALT = ("label_permutation", LOTTERY, "cluster_permutation", "stratum_permutation")
# Degrees of freedom below which a cluster-robust test may not be trusted (Pustejovsky and Tipton 2018, section 4).
LEAST_DF = 4.0


def nest(sample: Sample, belonging: Belonging, group: Sequence[str]) -> Sample:
    """Return the sample with what its units belong to, and its figures moved where they are compared within strata.

    Parameters
    ----------
    sample
        A complete sample. With ``nested="stratum"`` units of a parent that has one side alone are left out, and errors
        are clustered by parent; with ``nested="cluster"`` errors alone are.
    belonging
        Its `parents` and `lots` say what belongs where.
    group
        The whole comparison group, also units without figures.

    Raises
    ------
    BadInput
        If the study declares no parent, or no parent has both sides.

    Notes
    -----
    One treated unit is tested among the units of its own stratum; the cluster that it is alone in says nothing.
    """
    nested, parents = sample.spec.nested, belonging.parents
    by_lot = _is_by_lot(sample, belonging, group)
    if nested != "none" and not parents:
        raise BadInput(
            f"'nested' is {nested!r}, but params/state.yml declares no `parent` under `unit`. Name the column of the "
            "table of units that says what each belongs to, or set nested to 'none'."
        )
    alone = len(sample.treated) == 1
    if (nested == "none" and not by_lot) or (nested == "cluster" and alone):
        return sample
    codes = (*sample.treated, *sample.comparison)
    of = parents if nested != "none" else belonging.lots
    own = tuple(of[code] for code in codes)
    if nested == "cluster":
        return replace(sample, nested=Nested(("",) * len(own), own, drawn=False, raw=sample))
    return _within(sample, own, by_lot=by_lot and nested == "none", clustered=nested == "stratum" and not alone)


def _is_by_lot(sample: Sample, belonging: Belonging, group: Sequence[str]) -> bool:
    """Say whether lots decided who of exactly these units started: a group picked from those who wait is no draw's."""
    lots, rule = belonging.lots, belonging.state.groups.get(str(sample.spec.comparison))
    if rule is None or len(sample.treated) == 1 or not lots.keys() >= {*sample.treated, *group}:
        return False
    return rule.both_sides or {*group} == lots.keys() - belonging.starts.keys()


def _within(sample: Sample, strata: tuple[str, ...], *, by_lot: bool, clustered: bool) -> Sample:
    n = len(sample.treated)
    both = set(strata[:n]) & set(strata[n:])
    keep = np.array([stratum in both for stratum in strata])
    if not both:
        raise BadInput(
            "No stratum has units of both sides, so that nothing can be compared within one. Set nested to 'cluster', "
            "or choose another comparison group."
        )
    codes_out = tuple(code for code, here in zip((*sample.treated, *sample.comparison), keep, strict=True) if not here)
    raw = replace(subset(sample, keep), left_out=(*sample.left_out, *codes_out)) if codes_out else sample
    both_sides = tuple(stratum for stratum in strata if stratum in both)
    return in_strata(raw, Nested(both_sides, both_sides if clustered else (), by_lot, raw))


def in_strata(raw: Sample, nested: Nested) -> Sample:
    """Return a sample whose figures are moved by their stratum's comparison mean; see the docstring of the module.

    The treated side's mean stays what it is, and the comparison side's becomes the mean of its strata, weighted by the
    treated units in each: the effect is that on the treated.
    """
    n, of = len(raw.treated), np.unique(nested.strata, return_inverse=True)[1]
    if not of.any():
        return replace(raw, nested=nested)
    places = of[None, :] == np.arange(of.max() + 1)[:, None]
    sizes = places[:, n:] * raw.sizes_comparison
    share, mean = places[:, :n] @ raw.weights_treated, sizes / sizes.sum(axis=1, keepdims=True)

    def moved(y: np.ndarray) -> np.ndarray:
        """Return the figures less their stratum's comparison mean."""
        means = mean @ y[n:]
        return y - means[of] + share @ means

    own = raw.by_start
    if own is None:
        y = moved(np.concatenate([raw.y_treated, raw.y_comparison]))
        return replace(raw, y_treated=y[:n], y_comparison=y[n:], nested=nested)
    y = np.stack([moved(part) for part in own.y])
    sides = Sides(raw.treated, raw.comparison, own.started)
    moved_sample = in_own_years(raw.spec, raw.contrast, sides, raw.years, y, own.students, own.clock, raw.left_out)
    return replace(moved_sample, nested=nested)


def without_unit(sample: Sample, side: str, place: int) -> Sample:
    """Return a sample without one unit of `treated` or `comparison`."""
    keep = np.ones(len(sample.treated) + len(sample.comparison), dtype=bool)
    keep[place + (0 if side == "treated" else len(sample.treated))] = False
    nested = sample.nested
    if nested is None:
        return subset(sample, keep)
    raw = subset(nested.raw, keep)
    if nested.clusters and len(raw.treated) == 1:
        nested = replace(nested, clusters=())
    strata, clusters = (
        tuple(name for name, here in zip(names, keep, strict=bool(names)) if here)
        for names in (nested.strata, nested.clusters)
    )
    if len(set(strata)) == 1:
        return replace(raw, nested=Nested(strata, clusters, nested.drawn, raw))
    return _within(raw, strata, by_lot=nested.drawn, clustered=bool(clusters))


def furthest(sample: Sample, side: str, each_way: int) -> list[int]:
    """Return the places of the units whose absence moves the effect most, `each_way` down and up, in their order.

    All of them where there are no more.
    """
    if len(getattr(sample, side)) <= 2 * each_way:
        return list(range(len(getattr(sample, side))))
    order = np.argsort(_moved_without(sample, side), kind="stable")
    return sorted({*order[:each_way].tolist(), *order[-each_way:].tolist()})


def _moved_without(sample: Sample, side: str) -> np.ndarray:
    """Return by how much the effect moves without each unit of a side, on the scale of the changes."""
    if side == "treated":
        size, change = sample.sizes_treated, sample.change_treated
        return size * (sample.weights_treated @ change - change) / (size.sum() - size)
    raw, n, of = sample, len(sample.treated), np.zeros(len(sample.treated) + len(sample.comparison), dtype=int)
    if sample.nested is not None:
        raw = replace(sample.nested.raw, contrast=sample.contrast)
        of = np.unique(sample.nested.strata, return_inverse=True)[1]
    size, change, stratum, weights = raw.sizes_comparison, raw.change_comparison, of[n:], raw.weights_treated
    total = np.bincount(stratum, size)
    mean, share = np.bincount(stratum, size * change) / total, np.bincount(of[:n], weights, len(total))
    rest = total[stratum] - size
    alone = rest <= 0  # without it its stratum's treated units are not compared either
    influence = share[stratum] * size * (change - mean[stratum]) / np.where(alone, 1, rest)
    own = sample.change_treated - sample.weights_comparison @ sample.change_comparison
    lost = np.bincount(of[:n], weights * own, len(total))
    lone_influence = (share * sample.difference - lost)[stratum] / np.where(alone, 1 - share[stratum], 1)
    return np.where(alone, lone_influence, influence)


def covariance(sample: Sample, treated: np.ndarray, comparison: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the cluster-robust covariance of the differences of two sides, and its degrees of freedom.

    Parameters
    ----------
    sample
        Nested, with several treated units.
    treated, comparison : ndarray, shape (units, k)
        Figures of either side.

    Returns
    -------
    covariance : ndarray, shape (k, k)
    df : float

    Raises
    ------
    BadInput
        With fewer than `LEAST_DF` degrees of freedom.

    Notes
    -----
    Weighted least squares of the figures on a treated mark and one mark a stratum, in which the comparison units of a
    stratum together weigh what its treated units do: its coefficient is the effect. Without clusters each unit is one,
    which is HC2. CR2 makes the variance unbiased where errors are independent with variances that go with one over the
    weights, and it holds, with more clusters, whatever the errors of a cluster are.
    """
    nested, n = _nested(sample), len(sample.treated)
    y, of = np.concatenate([treated, comparison]), np.unique(nested.strata, return_inverse=True)[1]
    marks = (of[:, None] == np.arange(of.max() + 1)).astype(float)
    on, off = marks[:n].T @ sample.weights_treated, marks[n:].T @ sample.sizes_comparison
    weights = np.concatenate([sample.weights_treated, sample.sizes_comparison * (on / off)[of[n:]]])
    root = np.sqrt(weights)
    x = np.column_stack([np.arange(len(y)) < n, marks]) * root[:, None]
    coefficients = np.linalg.pinv(x)
    maker = np.eye(len(y)) - x @ coefficients
    clusters = np.unique(nested.clusters, return_inverse=True)[1] if nested.clusters else np.arange(len(y))
    members = [np.flatnonzero(clusters == own) for own in range(clusters.max() + 1)]
    scores = np.stack([_score(maker[inside], inside, coefficients[0, inside]) for inside in members])
    gram = scores @ scores.T
    df = float(np.trace(gram) ** 2 / (gram**2).sum())
    if nested.clusters and df < LEAST_DF:
        raise BadInput(
            f"{len(gram)} clusters are too few, or too unequal, for a standard error by cluster: it has {df:.1f} "
            f"degrees of freedom, and below {LEAST_DF:.0f} it cannot be trusted. Choose a comparison group in more "
            "clusters, or set nested to 'none' and say that units of one cluster are taken to be independent."
        )
    each = scores @ (y * root[:, None])
    return each.T @ each, df


def _score(maker: np.ndarray, inside: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return what a cluster's residuals add to the coefficient, as weights of all units' figures (CR2)."""
    values, vectors = np.linalg.eigh(maker[:, inside])
    positive = values > TIE
    root = vectors[:, positive] / np.sqrt(values[positive]) @ vectors[:, positive].T
    return maker.T @ (root @ own)


def dealt(sample: Sample, draws: int) -> Permutation:
    """Return the permutation test of a nested sample: lots dealt anew within strata, or labels as whole clusters.

    Raises
    ------
    BadInput
        If clusters are to be dealt and one has both sides, or two starts.
    """
    nested = _nested(sample)
    if draws == 0:  # estimate and interval alone, also of figures that a sensitivity analysis has changed
        return Permutation(sample.difference, np.empty(0), np.nan, np.nan, np.nan, np.nan)
    raw, n = replace(nested.raw, contrast=sample.contrast), len(sample.treated)
    own = raw.by_start
    if own is None:
        changes, start_of = np.concatenate([raw.change_treated, raw.change_comparison])[None], np.zeros(n, dtype=int)
    else:
        post, pre = raw.columns(raw.contrast.post), raw.columns(raw.contrast.pre)
        changes, start_of = own.y[:, :, post].mean(axis=2) - own.y[:, :, pre].mean(axis=2), own.started
    sizes = np.concatenate([raw.sizes_treated, raw.sizes_comparison])
    start = np.concatenate([start_of, np.full(len(sizes) - n, -1)])
    if sample.spec.nested == "cluster":
        require_whole(sample)
        return _dealt_clusters(changes, start, sizes, np.array(nested.clusters), sample.spec.seed, draws)
    of = np.unique(nested.strata, return_inverse=True)[1]
    return dealt_within(changes, start, of, sample.spec.seed, sizes, draws)


def require_whole(sample: Sample) -> None:
    """Raise `BadInput` where labels are dealt as whole clusters and one has both sides, or two starts."""
    if sample.nested is None or sample.spec.nested != "cluster":
        return
    n, own, of = len(sample.treated), sample.nested.raw.by_start, np.array(sample.nested.clusters)
    start = np.full(len(of), -1)
    start[:n] = 0 if own is None else own.started
    of_both = [str(name) for name in np.unique(of) if len(set(start[of == name])) > 1]
    if of_both:
        raise BadInput(
            f"{', '.join(of_both)}: units of both sides, or of two starts, so that no label belongs to the whole. Set "
            "nested to 'stratum', which compares within."
        )


def dealt_within(
    changes: np.ndarray, start: np.ndarray, strata: np.ndarray, seed: int, sizes: np.ndarray, draws: int
) -> Permutation:
    """Return the test that deals starts anew within strata, studentized; all deals, each once, where these are few.

    Parameters
    ----------
    changes : ndarray, shape (starts, units)
        Change of each unit in the years of each start.
    start, strata : ndarray of int, shape (units,)
        Which start each unit had, -1 for none; and its stratum. In each stratum treated units come first.
    seed, sizes, draws
        As in `permutation.shuffled`.

    Notes
    -----
    Under each deal the effect is the mean over strata, weighted by the treated units in each, of `shuffled_starts`'
    effect within the stratum. Where a lottery made the deal, this is its own randomization inference (Fisher 1935), and
    studentized it holds for an average effect of zero too (Wu and Ding 2021).
    """
    order = np.lexsort((sizes, *np.nan_to_num(changes).round(9), strata))
    whole, of = changes.copy(), strata[order]
    for stratum in np.unique(strata):
        inside = np.flatnonzero(strata == stratum)
        whole[:, inside] = completed(changes[:, inside], start[inside][start[inside] >= 0], sizes[inside])
    deals, _ = redraws(start[order], of, seed, draws)
    effects, variances = np.zeros(len(deals)), np.zeros(len(deals))
    weights = (deals >= 0) * sizes[order]
    for stratum in np.unique(of):
        inside = of == stratum
        effect, se = started_effects(deals[:, inside], whole[:, order][:, inside], sizes[order][inside])
        share = weights[:, inside].sum(axis=1) / weights.sum(axis=1)
        effects, variances = effects + share * effect, variances + (share * se) ** 2
    return studentized(effects, np.sqrt(variances), 1 / len(deals))


def _dealt_clusters(
    changes: np.ndarray, start: np.ndarray, sizes: np.ndarray, clusters: np.ndarray, seed: int, draws: int
) -> Permutation:
    names, of = np.unique(clusters, return_inverse=True)
    marks = (of[None, :] == np.arange(len(names))[:, None]) * sizes
    firsts = np.array([start[of == place].min() for place in range(len(names))])
    weights = marks.sum(axis=1)
    means = changes @ marks.T / weights
    order = np.argsort(firsts < 0, kind="stable")
    starts, means, weights = firsts[firsts >= 0], means[:, order], weights[order]
    if len(changes) == 1:
        return shuffled(means[0, : len(starts)], means[0, len(starts) :], seed, weights, draws)
    return shuffled_starts(means, starts, seed, weights, draws)


def method_of(sample: Sample) -> str:
    """Return the `p_method` of the pooled test of a sample."""
    nested = sample.nested
    if nested is None:
        return "label_permutation"
    if nested.drawn:
        return LOTTERY
    methods: dict[Nesting, str] = {"cluster": "cluster_permutation", "stratum": "stratum_permutation"}
    return methods[sample.spec.nested]


def clusters_of(sample: Sample) -> np.ndarray | None:
    """Return the cluster of each unit, treated units first; None where errors are not by cluster."""
    return np.array(sample.nested.clusters) if sample.nested is not None and sample.nested.clusters else None


def jackknifed(clusters: np.ndarray, without: Callable[[np.ndarray], float]) -> float:
    """Return the standard error of a number from what it is without each cluster (CR3 of Bell and McCaffrey 2002).

    Parameters
    ----------
    clusters : ndarray, shape (units,)
        The cluster of each unit.
    without
        Returns the number of the units of a mask.
    """
    estimates = np.array([without(clusters != name) for name in np.unique(clusters)])
    return float(np.sqrt((len(estimates) - 1) / len(estimates) * ((estimates - estimates.mean()) ** 2).sum()))


def _nested(sample: Sample) -> Nested:
    if sample.nested is None:
        raise BadInput("This sample is not nested; see leapstudy.did.nested.nest.")
    return sample.nested
