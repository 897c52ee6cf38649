"""Doubly robust effects beside the headline: what else changed for visited students, and whether the headline holds.

Each outcome is on its own clock. The plan names the primary one, attendance where it names none; it leads the pages.
The others are secondary: their p-values are Holm's, over all of them, attendance included where it is one of them.

The checks are of the headline's months: for a continuous history, in errors by school, beside exposed schools, and for
all referred. They stand beside the recommended design and lead to no claim of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from ibis.expr.types import Table

from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.estimate import Estimate
from leapstudy.did.adjusted import AdjustedEffect, adjusted_effect
from leapstudy.did.at_risk import HEADLINE
from leapstudy.did.permutation import holm
from leapstudy.students.disclosure import MIN_GROUP
from leapstudy.students.engine import sealed
from leapstudy.students.handle import StudentData
from leapstudy.students.lookback import control_program
from leapstudy.students.outcomes import KINDS, open_outcomes, outcome_points
from leapstudy.students.referral_rule import ReferralRule
from leapstudy.students.risk_rows import WITHIN, RiskRows, RiskSets, risk_rows, risk_sets
from leapstudy.students.settings import StudentSettings, input_files
from leapstudy.study.rollout.written_plan import ATTENDANCE, require_table
from leapstudy.study.student_results import PrimaryAnswer, beside

VISITED, UNEXPOSED, REFERRED = "dr_visited", "dr_low_exposure", "dr_referred"
LABELS = {
    VISITED: "adjusted for a continuous history, errors by school",
    UNEXPOSED: "the same, beside schools with fewer visits than expected (spill-over)",
    REFERRED: "all who were referred, met or not (intention-to-treat)",
}
FEW_LEFT = f"Fewer than {MIN_GROUP} visited or comparison students are left."
CHECK_COLUMNS = ("what", "estimate_pp", "se_pp", "low_pp", "high_pp", "p_value", "n_treated", "n_comparison", "reason")
OUTCOME_COLUMNS = (
    "outcome",
    "primary",
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
# Estimators of the rows: effect on the visited, and of the primary outcome the control, referred and not met.
ESTIMATOR, NOT_MET = "dr_outcome", "dr_outcome_not_met"
# Visited students who left below which no interval of a share keeps its level (Wald's, in np < 10).
FEWEST_LEFT = 10
NOT_HELD = "The table of outcomes has no row of it."
TOO_RARE = f"Fewer than {FEWEST_LEFT} visited students left: too few to say how sure an effect on leaving is."
FEW = f"Fewer than {MIN_GROUP} visited or comparison students have this outcome before and after."


def outcome_effects(data: StudentData, sets: RiskSets, settings: StudentSettings, primary: str) -> pd.DataFrame | None:
    """Return the effect of a visit on each outcome of the table of outcomes; None without one.

    Parameters
    ----------
    data
        The students of all districts, with their visit log.
    sets
        Their risk sets by first visit.
    settings
        Where the table is, and how it is read.
    primary
        The outcome that the plan names as primary. Unless it is attendance, attendance is a row like the others.

    Returns
    -------
    pandas.DataFrame
        The columns `OUTCOME_COLUMNS`; a row that cannot be made says why.

    Raises
    ------
    BadInput
        If the table cannot be used, in the words of its check.
    """
    require_table(primary, settings)
    path = input_files(settings).get("outcomes")
    if path is None:
        return None
    table = open_outcomes(data, path, settings.reading)
    names = sealed("listing the outcomes", table.select("outcome").distinct().to_pyarrow)["outcome"].to_pylist()
    effects = {name: _effect(sets, table, name) if name in names else NOT_HELD for name in KINDS}
    if primary != ATTENDANCE:
        if isinstance(effects[primary], str) and not settings.draw:
            raise BadInput(f"The plan names {primary} as the primary outcome: {effects[primary]}")
        effects = {primary: effects.pop(primary), ATTENDANCE: effect_of_rows(risk_rows(sets, HEADLINE), FEW), **effects}
    p_values = {name: np.nan if isinstance(one, str) else one.p_value for name, one in effects.items()}
    secondary = [name for name, one in effects.items() if not isinstance(one, str) and name != primary]
    corrected = p_values | dict(zip(secondary, holm([p_values[name] for name in secondary]).tolist(), strict=True))
    units = {name: kind.unit for name, kind in KINDS.items()}
    rows = [
        (name, name == primary, units.get(name, "points"), *_cells(one, corrected[name]))
        for name, one in effects.items()
    ]
    return pd.DataFrame(rows, columns=list(OUTCOME_COLUMNS))


def _effect(sets: RiskSets, table: Table, name: str) -> AdjustedEffect | str:
    rows, refusal = attempt(risk_rows, sets, (1, WITHIN), outcome=outcome_points(table, name), take=KINDS[name].take)
    if rows is None:
        return refusal
    if KINDS[name].take == "last" and (rows.change[rows.picked & np.isfinite(rows.change)] != 0).sum() < FEWEST_LEFT:
        return TOO_RARE
    return effect_of_rows(rows, FEW)


def outcome_estimates(table: pd.DataFrame, main: Estimate) -> tuple[Estimate, ...]:
    """Return the outcomes beyond attendance as rows of `estimates.csv`; attendance itself is there already."""
    rows = table[(table["reason"] == "") & (table["outcome"] != ATTENDANCE)]
    return tuple(_estimate(main, row) for row in rows.itertuples())


def _estimate(main: Estimate, row: Any) -> Estimate:
    last = KINDS[row.outcome].take == "last"
    return beside(
        main,
        row,
        outcome=row.outcome,
        estimator=ESTIMATOR,
        pre="last period before the month",
        post="last value within six months" if last else "first period begun after the month",
        p_value=row.p_holm,
        p_method="t, clustered by school" + ("" if row.primary else "; Holm over secondary outcomes"),
    )


def control_effect(
    data: StudentData, rules: Sequence[ReferralRule], settings: StudentSettings, primary: str
) -> AdjustedEffect | None:
    """Return what the primary outcome shows for students who were referred and not met, where zero is expected.

    None where attendance is primary, whose control is the recommended design's, or nobody can be followed.
    """
    path = input_files(settings).get("outcomes")
    if primary == ATTENDANCE or path is None:
        return None
    program, _ = attempt(control_program, data)
    sets = attempt(risk_sets, program, rules)[0] if program is not None else None
    if sets is None:
        return None
    effect = _effect(sets, open_outcomes(data, path, settings.reading), primary)
    return None if isinstance(effect, str) else effect


def primary_answer(table: pd.DataFrame, control: AdjustedEffect | None, attendance: Estimate) -> PrimaryAnswer | None:
    """Return the plan's primary outcome as the row that leads, with its control; None where attendance is primary."""
    rows = table[table["primary"]]
    if rows.empty:
        return None
    main = replace(_estimate(attendance, next(rows.itertuples())), role="main")
    if control is None:
        return PrimaryAnswer(main, None)
    sides = {"n_treated": control.n_treated, "n_comparison": control.n_comparison}
    interval = (control.estimate, control.se, control.low, control.high)
    zero = main.telling(interval, role="placebo", estimator=NOT_MET, p_value=control.p_value, **sides)
    return PrimaryAnswer(main, zero)


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
    visited, why_none = attempt(risk_rows, sets, HEADLINE)
    referred, why_nobody = attempt(lambda: risk_rows(risk_sets(data, rules, "referral"), HEADLINE))
    effects = {
        VISITED: effect_of_rows(visited or why_none, FEW_LEFT),
        UNEXPOSED: effect_of_rows(visited or why_none, FEW_LEFT, beside_unexposed),
        REFERRED: effect_of_rows(referred or why_nobody, FEW_LEFT),
    }
    rows = [(LABELS[name], *_cells(one)) for name, one in effects.items()]
    return pd.DataFrame(rows, index=list(effects), columns=list(CHECK_COLUMNS))


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


def effect_of_rows(
    rows: RiskRows | str, few: str, choose: Callable[[RiskRows], np.ndarray] | None = None
) -> AdjustedEffect | str:
    """Return the doubly robust effect of rows with a change, or why there is none.

    Parameters
    ----------
    rows
        From `risk_rows`, or why there are none.
    few
        What is said where a side has fewer than `MIN_GROUP` students.
    choose
        Says which rows may be used; all of them by default.
    """
    if isinstance(rows, str):
        return rows
    rows_in = np.isfinite(rows.change) & (choose(rows) if choose else True)
    treated, n_comparison = (len(np.unique(rows.student[rows_in & side])) for side in (rows.picked, ~rows.picked))
    if min(treated, n_comparison) < MIN_GROUP:
        return few
    parts = (rows.change, rows.picked, rows.history, rows.school, rows.weight)
    effect, refusal = attempt(adjusted_effect, *(part[rows_in] for part in parts))
    if effect is None:
        return refusal
    # a comparison student has a row in each risk set, and is still one student
    return replace(effect, n_treated=treated, n_comparison=n_comparison)


def _cells(effect: AdjustedEffect | str, *corrected: float) -> tuple[object, ...]:
    """Return an effect as cells from the estimate on, a corrected p-value behind its own; or why there is none."""
    if isinstance(effect, str):
        return (*[np.nan] * (5 + len(corrected)), 0, 0, effect)
    numbers = (effect.estimate, effect.se, effect.low, effect.high, effect.p_value, *corrected)
    return (*numbers, effect.n_treated, effect.n_comparison, "")


def check_rows(table: pd.DataFrame, main: Estimate | None) -> tuple[Estimate, ...]:
    """Return the checks as rows of `estimates.csv` beside the headline; none without one."""
    if main is None:
        return ()
    estimates = table[table["reason"] == ""]
    return tuple(
        beside(main, row, estimator=str(row.Index), p_value=row.p_value, p_method="t, clustered by school")
        for row in estimates.itertuples()
    )
