"""What else changed for visited students: each outcome on its own clock, doubly robust, corrected for their number.

Attendance is the primary outcome, by plan. The others are secondary: their p-values are Holm's, over all of them.
"""

import numpy as np
import pandas as pd
from ibis.expr.types import Table

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.did.adjusted import AdjustedEffect
from leapstudy.evidence.verdict import holm
from leapstudy.students.disclosure import MIN_GROUP
from leapstudy.students.handle import StudentData
from leapstudy.students.outcomes import KINDS, open_outcomes, outcome_points
from leapstudy.students.risk_rows import WITHIN, RiskSets, risk_rows
from leapstudy.students.settings import StudentSettings, input_files
from leapstudy.study.student_checks import effect_of_rows
from leapstudy.study.student_results import beside

OUTCOME_COLUMNS = (
    "outcome",
    "unit",
    "estimate_pp",
    "se_pp",
    "low_pp",
    "high_pp",
    "p_value",
    "p_holm",
    "n_treated",
    "n_comparison",
    "reason",
)
ESTIMATOR = "dr_outcome"
FEW = f"Fewer than {MIN_GROUP} visited or comparison students have this outcome before and after."


def outcome_effects(data: StudentData, sets: RiskSets, settings: StudentSettings) -> pd.DataFrame | None:
    """Return the effect of a visit on each outcome of the table of outcomes; None without one.

    Parameters
    ----------
    data
        The students of all districts, with their visit log.
    sets
        Their risk sets by first visit.
    settings
        Where the table is, and how it is read.

    Returns
    -------
    pandas.DataFrame
        The columns `OUTCOME_COLUMNS`; a row that cannot be made says why.

    Raises
    ------
    BadInput
        If the table cannot be used, in the words of its check.
    """
    path = input_files(settings).get("outcomes")
    if path is None:
        return None
    table = open_outcomes(data, path, settings.reading)
    found = {name: _effect(sets, table, name) for name in KINDS}
    made = {name: one for name, one in found.items() if isinstance(one, AdjustedEffect)}
    corrected = dict(zip(made, holm([one.p_value for one in made.values()]), strict=True))
    rows = []
    for name, one in found.items():
        if isinstance(one, str):
            rows.append((name, KINDS[name].unit, *[np.nan] * 6, 0, 0, one))
            continue
        numbers = (one.estimate, one.se, one.low, one.high, one.p_value, float(corrected[name]))
        rows.append((name, KINDS[name].unit, *numbers, one.n_treated, one.n_comparison, ""))
    return pd.DataFrame(rows, columns=list(OUTCOME_COLUMNS))


def _effect(sets: RiskSets, table: Table, name: str) -> AdjustedEffect | str:
    try:
        rows = risk_rows(sets, (1, WITHIN), outcome=outcome_points(table, name), take=KINDS[name].take)
    except BadInput as error:
        return str(error)
    return effect_of_rows(rows, np.ones(len(rows.change), dtype=bool), FEW)


def outcome_estimates(table: pd.DataFrame, main: Estimate) -> tuple[Estimate, ...]:
    """Return the secondary outcomes as rows of `estimates.csv`."""
    return tuple(
        beside(
            main,
            row,
            outcome=row.outcome,
            estimator=ESTIMATOR,
            pre="last period before the month",
            post="last value within six months"
            if KINDS[row.outcome].take == "last"
            else "first period begun after the month",
            p_value=row.p_holm,
            p_method="t, clustered by school; Holm over secondary outcomes",
        )
        for row in table[table["reason"] == ""].itertuples()
    )
