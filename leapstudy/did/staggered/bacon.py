"""What two-way fixed effects is made of: Goodman-Bacon's comparisons of two cohorts and their weights."""

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.students.moments.record import NEVER, Moments

COLUMNS = ("kind", "treated", "comparison", "weight", "estimate_pp")


def bacon(moments: Moments) -> pd.DataFrame:
    """Decompose the two-way fixed effects estimate.

    Returns
    -------
    DataFrame
        One row per comparison: `kind` ("treated vs never", "earlier vs later", "later vs earlier", "later vs always"),
        cohort `treated`, cohort `comparison`, `weight` (they add to one) and `estimate_pp`. ``weight @ estimate_pp`` is
        the two-way fixed effects estimate. "later vs earlier" takes visited students as comparison.

    Raises
    ------
    BadInput
        If a student is missing in some period: the decomposition is of balanced panels.

    Notes
    -----
    Goodman-Bacon (2021, Journal of Econometrics 225), equations 10a to 10g.
    """
    if not moments.seen.all():
        lost = 1 - moments.students[moments.seen.all(axis=1)].sum() / moments.students.sum()
        raise BadInput(
            f"The Goodman-Bacon weights need students who are seen in every month; {lost:.0%} are not. "
            "Take those who are: moments.where(moments.seen.all(axis=1))."
        )
    cohorts, code = np.unique(moments.cohort, return_inverse=True)
    size = np.bincount(code, moments.weight)
    mean = np.array([moments.total[code == k].sum(axis=0) for k in range(len(cohorts))]) / size[:, None]
    size, visited = size / size.sum(), moments.periods >= cohorts[:, None]
    pairs = [(k, j) for k in range(len(cohorts)) for j in range(len(cohorts)) if k != j]
    rows = [row for k, j in pairs if (row := _comparison(cohorts, size, mean, visited, k, j)) is not None]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(weight=table["weight"] / table["weight"].sum())


def _comparison(
    cohorts: np.ndarray, size: np.ndarray, mean: np.ndarray, visited: np.ndarray, k: int, j: int
) -> tuple[str, float, float, float, float] | None:
    """Return cohort k against cohort j, over the periods in which j's visit status does not change."""
    share_k, share_j = visited[k].mean(), visited[j].mean()
    earlier = cohorts[k] < cohorts[j]
    window = ~visited[j] if earlier else visited[j]
    after, before = window & visited[k], window & ~visited[k]
    if not after.any() or not before.any():
        return None
    gap = mean[k] - mean[j]
    estimate = gap[after].mean() - gap[before].mean()
    # the variance of the regressor in this comparison, times the square of the sample it uses
    weight = (
        size[k] * size[j] * (share_k - share_j) * (1 - share_k)
        if earlier
        else size[k] * size[j] * share_k * (share_j - share_k)
    )
    return _kind(cohorts[j], earlier, bool(visited[j].all())), cohorts[k], cohorts[j], float(weight), float(estimate)


def _kind(comparison: float, earlier: bool, always: bool) -> str:
    if comparison == NEVER:
        return "treated vs never"
    if earlier:
        return "earlier vs later"
    return "later vs always" if always else "later vs earlier"
