"""The recommended design from sums by risk set and stratum: ATT(g,t), and what each student adds to its averages."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from leapstudy.core.errors import BadInput
from leapstudy.did.staggered.att_gt import NO_COMPARISON, Choices, Refusal
from leapstudy.did.staggered.effects import Averages, Effects, averages, cs_card

CELL = ["g", "t", "district_code", "band", "waiting"]

NOBODY_FOLLOWED = "Nobody who was picked is seen both in a school month before that and in another one."
NO_STRATUM = "No stratum "

# First and last event time of the headline: the months after the visit for which effects were published, and in which
# most cohorts are still seen.
HEADLINE = (1, 6)
# Above every month number (12 times the year, and the month).
LATEST = 1_000_000


@dataclass(frozen=True, slots=True)
class AtRisk:
    """ATT(g,t) for K pairs of cohort and month, and their averages by event time.

    Attributes
    ----------
    cohort, period, estimate, cohort_weight, overlap : ndarray, shape (K,)
        As in `leapstudy.did.staggered.att_gt.AttGt`.
    base : ndarray, shape (K,)
        Month number of the base.
    cells : pandas.DataFrame
        `CELL`, place (in K), n_t, n_c, weight_c, mean_c, share: the strata in use.
    refused : tuple of Refusal
    averages : Averages
    """

    cohort: np.ndarray
    period: np.ndarray
    estimate: np.ndarray
    cohort_weight: np.ndarray
    overlap: np.ndarray
    base: np.ndarray
    cells: pd.DataFrame
    refused: tuple[Refusal, ...]
    averages: Averages = field(init=False)

    def __post_init__(self) -> None:
        """Average by event time; the overall mean is that over `HEADLINE`."""
        object.__setattr__(self, "averages", averages(self, "event", events=HEADLINE))


def at_risk(strata: pd.DataFrame, sizes: pd.DataFrame, fewest: int) -> AtRisk:
    """Estimate the at-risk design for the districts and the part in `strata`, always within a district.

    Parameters
    ----------
    strata
        Rows of `strata_of`.
    sizes
        Rows of `leapstudy.students.risk_changes.cohort_sizes` for the same districts and part.
    fewest
        Fewest comparison students in a stratum (see `leapstudy.students.risk_changes`); below it it is refused.

    Raises
    ------
    BadInput
        If nobody can be compared, or no month of the headline can be estimated.

    Notes
    -----
    ``ATT(g,t) = sum_s n_gs / n_g (mean change of g in s - mean change of those at risk and unvisited in s)``: Callaway
    and Sant'Anna (2021) with saturated strata drawn anew in each risk set (Imai, Kim and Wang 2023).
    """
    if strata.empty:
        raise BadInput(NOBODY_FOLLOWED)
    strata_at_risk = strata[strata["n_c"] >= fewest]
    if strata_at_risk.empty:
        raise BadInput(f"{NO_STRATUM}has {fewest} comparison students: {NO_COMPARISON}.")
    pairs, place = np.unique(_pair(strata_at_risk), return_inverse=True)
    cohort, period = np.divmod(pairs, LATEST)
    n_t = strata_at_risk["n_t"].to_numpy()
    n, gap = np.bincount(place, n_t), np.bincount(place, strata_at_risk["gap"])
    base = np.full(len(pairs), LATEST)
    np.minimum.at(base, place, strata_at_risk["base"])
    return AtRisk(
        cohort.astype(float),
        period,
        gap / n,
        _summed_at(cohort, sizes["g"], sizes["students"]),
        n / _summed_at(pairs, _pair(strata), strata["n_t"]),
        base,
        strata_at_risk.assign(place=place, share=n_t / n[place]),
        _refusals(strata, fewest),
    )


def _pair(rows: pd.DataFrame) -> np.ndarray:
    """Return cohort and month as one whole number, in the order of both."""
    return rows["g"].to_numpy(int) * LATEST + rows["t"].to_numpy(int)


def _summed_at(keys: np.ndarray, key: ArrayLike, values: ArrayLike) -> np.ndarray:
    """Return the sum of the values at each of `keys`, which are in order; those elsewhere are left out."""
    own, summed = np.unique(keys), np.asarray(key)
    place = np.searchsorted(own, summed).clip(max=len(own) - 1)
    inside = own[place] == summed
    return np.bincount(place[inside], np.asarray(values)[inside], len(own))[np.searchsorted(own, keys)]


def strata_of(sums: pd.DataFrame) -> pd.DataFrame:
    """Put the visited students of each risk set, month, stratum and part beside the comparison students.

    Parameters
    ----------
    sums
        From `leapstudy.students.risk_changes.change_sums`.

    Returns
    -------
    pandas.DataFrame
        `CELL`, part, base, n_t, n_c (students), weight_c, mean_c (weighted mean change of comparison students), gap
        (summed difference).
    """
    treated = _side(sums[sums["treated"]], "t", ["part", "base"])
    compare = _side(sums[~sums["treated"]], "c", [])
    both = treated.merge(compare, on=CELL, how="left").fillna({"n_c": 0, "weight_c": 0.0, "total_c": 0.0})
    mean_c = both["total_c"] / both["weight_c"].where(both["n_c"] > 0)
    return both.assign(mean_c=mean_c, gap=both["total_t"] - both["n_t"] * mean_c)


def _side(rows: pd.DataFrame, name: str, more: list[str]) -> pd.DataFrame:
    names = {"students": f"n_{name}", "weight": f"weight_{name}", "total": f"total_{name}"}
    return rows[[*CELL, *names, *more]].rename(columns=names)


def _refusals(strata: pd.DataFrame, fewest: int) -> tuple[Refusal, ...]:
    lost = strata[(strata["n_c"] < fewest) & (strata["t"] >= strata["g"])]
    columns = (lost[name] for name in ("g", "t", "band"))
    return tuple(Refusal(float(g), int(t), str(band), NO_COMPARISON) for g, t, band in zip(*columns, strict=True))


def coefficients(group: str, estimates: AtRisk) -> pd.DataFrame:
    """Return what a student's change adds to each average by event time, for the engine's second pass.

    Columns as `leapstudy.students.risk_changes.influence_products` takes them.
    """
    aggregate, cells = estimates.averages, estimates.cells
    rows, places = np.nonzero(aggregate.combination[:-1])
    which, cell = _every(places, cells["place"].to_numpy())
    place, weight = places[which], aggregate.combination[rows[which], places[which]]
    share, mean_c = (cells[name].to_numpy()[cell] for name in ("share", "mean_c"))
    n_t = cells["n_t"].to_numpy()[cell] / share  # visited students of all strata in use
    slope_t, slope_c = weight / n_t, -weight * share / cells["weight_c"].to_numpy()[cell]
    base = cells[[*CELL, "part"]].iloc[cell].assign(grp=group)
    return pd.concat(
        [
            base.assign(treated=True, slope=slope_t, intercept=-slope_t * (mean_c + estimates.estimate[place])),
            base.assign(treated=False, part="", slope=slope_c, intercept=-slope_c * mean_c),
        ],
        ignore_index=True,
    )


def _every(wanted: np.ndarray, of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each pair of a wanted number and a row that has it: places among `wanted`, and rows of `of`."""
    order, count = np.argsort(of, kind="stable"), np.bincount(of, minlength=int(wanted.max(initial=0)) + 1)
    first, times = (np.cumsum(count) - count)[wanted], count[wanted]
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    return np.repeat(np.arange(len(wanted)), times), order[np.repeat(first, times) + within]


def share_terms(group: str, estimates: AtRisk, sizes: pd.DataFrame) -> pd.DataFrame:
    """Return what each visited student adds to the averages because cohort sizes are estimated (as in R `did`)."""
    aggregate = estimates.averages
    cohorts, place = np.unique(estimates.cohort, return_inverse=True)
    slopes = aggregate.share_slope[:-1] @ (place[:, None] == np.arange(len(cohorts)))
    rows, columns = np.nonzero(slopes)
    own = sizes[sizes["g"].isin(cohorts)]
    which, size = _every(columns, np.searchsorted(cohorts, own["g"]))
    more = {"key": aggregate.key[rows[which]], "intercept": slopes[rows[which], columns[which]], "grp": group}
    return own[["district_code", "g", "part"]].iloc[size].assign(**more)


def students_behind(estimates: AtRisk) -> tuple[np.ndarray, int]:
    """Return how many visited students each average rests on, shape (A,), and the number behind the headline.

    Behind the headline each cohort counts with the month in which most of it is seen, so that nobody counts twice.
    """
    cells, aggregate = estimates.cells, estimates.averages
    each = _summed_at(aggregate.key, cells["t"] - cells["g"], cells["n_t"]).astype(int)
    n, since = np.bincount(cells["place"], cells["n_t"]), estimates.period - estimates.cohort
    inside = (since >= HEADLINE[0]) & (since <= HEADLINE[1])
    cohorts, place = np.unique(estimates.cohort[inside], return_inverse=True)
    most = np.zeros(len(cohorts))
    np.maximum.at(most, place, n[inside])
    return each, int(most.sum())


def at_risk_effects(
    estimates: AtRisk, products: pd.DataFrame, compared: pd.DataFrame, fewest: int, visited: int | None = None
) -> Effects:
    """Return the averages, the overall last, with the covariance of the engine's second pass.

    Parameters
    ----------
    estimates
        From `at_risk`.
    products, compared
        This group's rows of both frames of `leapstudy.students.risk_changes.influence_products`.
    fewest
        As given to `at_risk`.
    visited
        All visited students, those included whom no risk set holds; the share covered is of them.
    """
    aggregate = estimates.averages
    each, students = students_behind(estimates)
    square = np.zeros((len(aggregate.key), len(aggregate.key)))
    row, column = (pd.Index(aggregate.key).get_indexer(products[name]) for name in ("key", "key_of"))
    inside = (row >= 0) & (column >= 0)
    square[row[inside], column[inside]] = products["product"].to_numpy()[inside]
    headline = (aggregate.key >= HEADLINE[0]) & (aggregate.key <= HEADLINE[1])
    with_mean = np.vstack([np.eye(len(aggregate.key)), headline / headline.sum()])
    choices = Choices(control="not_yet", base="universal", by_stratum=True, min_comparison=fewest)
    overlap = float(aggregate.combination[-1] @ estimates.overlap) if not visited else min(1.0, students / visited)
    others = compared.set_index("key")["students"].reindex([*aggregate.key, np.nan]).to_numpy(int)
    return Effects(
        np.append(aggregate.key, np.nan),
        np.append(aggregate.estimate, aggregate.overall),
        with_mean @ square @ with_mean.T,
        aggregate.combination @ (estimates.period - estimates.base),
        float("inf"),
        "student",
        cs_card("cs_at_risk", choices, "student", students, int(others[-1]), overlap),
        np.append(each, students),
        others,
    )
