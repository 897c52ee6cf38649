"""Does the headline hold for a continuous history, in errors by school, beside exposed schools, and for all referred?

Each check is the doubly robust effect over the same months, of rows in risk sets. They stand beside the recommended
design and lead to no claim of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.did.adjusted import AdjustedEffect, adjusted_effect
from leapstudy.did.at_risk import HEADLINE
from leapstudy.students.disclosure import MIN_GROUP
from leapstudy.students.handle import StudentData
from leapstudy.students.referral_rule import ReferralRule
from leapstudy.students.risk_rows import RiskRows, RiskSets, risk_rows, risk_sets
from leapstudy.study.student_results import beside

VISITED, UNEXPOSED, REFERRED = "dr_visited", "dr_low_exposure", "dr_referred"
LABELS = {
    VISITED: "adjusted for a continuous history, errors by school",
    UNEXPOSED: "the same, beside schools with fewer visits than expected (spill-over)",
    REFERRED: "all who were referred, met or not (intention-to-treat)",
}
FEW = f"Fewer than {MIN_GROUP} visited or comparison students are left."
CHECK_COLUMNS = ("what", "estimate_pp", "se_pp", "low_pp", "high_pp", "p_value", "n_treated", "n_comparison", "reason")


def checks(data: StudentData, sets: RiskSets, rules: Sequence[ReferralRule]) -> pd.DataFrame:
    """Return the checks, one row each; one that cannot be made says why.

    Parameters
    ----------
    data
        The students of all districts, with their visit log.
    sets
        Their risk sets by first visit.
    rules
        The districts' referral rules, from `find_rules`.

    Returns
    -------
    pandas.DataFrame
        Index: estimator; columns `CHECK_COLUMNS`.
    """
    visited = _attempt(lambda: risk_rows(sets, HEADLINE))
    referral_rows = _attempt(lambda: risk_rows(risk_sets(data, rules, "referral"), HEADLINE))
    effects = {
        VISITED: _adjusted(visited),
        UNEXPOSED: _adjusted(visited, beside_unexposed),
        REFERRED: _adjusted(referral_rows),
    }
    rows = [_row(name, one) for name, one in effects.items()]
    return pd.DataFrame(rows, index=list(effects), columns=list(CHECK_COLUMNS))


def _attempt(read: Callable[[], RiskRows]) -> RiskRows | str:
    try:
        return read()
    except BadInput as error:
        return str(error)


def beside_unexposed(rows: RiskRows) -> np.ndarray:
    """Return the rows of others at schools at or below the median exposure, and the picked rows that have like there.

    Where most share the highest exposure it is the median, and the others are those below it. A district or month all
    of whose schools had more visits than expected has nobody to compare with.
    """
    others = rows.exposure[~rows.picked]
    median, most = (np.median(others), others.max()) if len(others) else (0.0, np.inf)
    unexposed = ~rows.picked & (rows.exposure < median if median == most else rows.exposure <= median)
    empty = ~(rows.history[unexposed] != 0).any(axis=0)
    return unexposed | rows.picked & ~(rows.history[:, empty] != 0).any(axis=1)


def _adjusted(rows: RiskRows | str, choose: Callable[[RiskRows], np.ndarray] | None = None) -> AdjustedEffect | str:
    if isinstance(rows, str):
        return rows
    return effect_of_rows(rows, FEW, choose)


def effect_of_rows(
    rows: RiskRows, few: str, choose: Callable[[RiskRows], np.ndarray] | None = None
) -> AdjustedEffect | str:
    """Return the doubly robust effect of rows with a change, or why there is none.

    Parameters
    ----------
    rows
        From `risk_rows`.
    few
        What is said where a side has fewer than `MIN_GROUP` students.
    choose
        Says which rows may be used; all of them by default.
    """
    rows_in = np.isfinite(rows.change) & (choose(rows) if choose else True)
    treated, n_comparison = (len(np.unique(rows.student[rows_in & side])) for side in (rows.picked, ~rows.picked))
    if min(treated, n_comparison) < MIN_GROUP:
        return few
    parts = (rows.change, rows.picked, rows.history, rows.school, rows.weight)
    try:
        effect = adjusted_effect(*(part[rows_in] for part in parts))
    except BadInput as error:
        return str(error)
    # a comparison student has a row in each risk set, and is still one student
    return replace(effect, n_treated=treated, n_comparison=n_comparison)


def _row(name: str, effect: AdjustedEffect | str) -> tuple[object, ...]:
    if isinstance(effect, str):
        return (LABELS[name], *[np.nan] * 5, 0, 0, effect)
    numbers = (effect.estimate, effect.se, effect.low, effect.high, effect.p_value)
    return (LABELS[name], *numbers, effect.n_treated, effect.n_comparison, "")


def check_rows(table: pd.DataFrame, main: Estimate | None) -> tuple[Estimate, ...]:
    """Return the checks as rows of `estimates.csv` beside the headline; none without one."""
    if main is None:
        return ()
    estimates = table[table["reason"] == ""]
    return tuple(
        beside(main, row, estimator=str(row.Index), p_value=row.p_value, p_method="t, clustered by school")
        for row in estimates.itertuples()
    )
