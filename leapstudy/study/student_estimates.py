"""The whole state measured once: every query of the student track, and each district's answer out of the sums."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.did.at_risk import (
    NOBODY_FOLLOWED,
    AtRisk,
    at_risk,
    at_risk_effects,
    coefficients,
    share_terms,
    strata_of,
)
from leapstudy.did.staggered.card import Context
from leapstudy.students.at_risk import at_risk_shares
from leapstudy.students.groups import GRADE_BANDS, VISIT_COUNTS
from leapstudy.students.handle import StudentData
from leapstudy.students.moments.expression import moments_of
from leapstudy.students.moments.record import Moments
from leapstudy.students.placebo import placebo_program
from leapstudy.students.referral_rule import ReferralRule, find_rules
from leapstudy.students.risk_changes import (
    RiskChanges,
    Split,
    change_sums,
    cohort_sizes,
    comparison_students,
    influence_products,
    risk_changes,
)
from leapstudy.students.settings import StudentSettings
from leapstudy.students.visits import visit_counts
from leapstudy.study.student_bounds import headline_bounds
from leapstudy.study.student_designs import (
    Found,
    design_answers,
    enough_students,
    estimate_table,
    plain_designs,
    pre_trend,
    refusal_words,
)
from leapstudy.study.student_paths import headline_row
from leapstudy.study.student_raw import raw_paths, rebound
from leapstudy.study.student_results import RECOMMENDED, DesignName, StudentAnswer

SPLITS: dict[Split, tuple[str, ...]] = {"grade_band": GRADE_BANDS, "visits": VISIT_COUNTS}
SPLIT_LABELS = {"grade_band": "grades", "visits": "completed visits"}
Key = tuple[str, str]
"""District code (or `ALL`) and part of the visited students (empty = all of them)."""


@dataclass(frozen=True, slots=True)
class Side:
    """The visited students, or the placebo program: moments by cell, and the at-risk design by district and part."""

    moments: Moments
    at_risk: dict[Key, Found]
    students: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that left the engine; `placebo` is None where the file has too few months before the first visit."""

    counts: pd.DataFrame
    shares: pd.DataFrame
    rules: tuple[ReferralRule, ...]
    visited: Side
    placebo: Side | None
    simulated: bool
    period: str

    @property
    def codes(self) -> tuple[str, ...]:
        """Districts with visited students in order of code, whether or not one of them can be compared, then `ALL`."""
        moments = self.visited.moments
        return (*sorted(set(moments.district[np.isfinite(moments.cohort)].tolist())), ALL)


def measure(data: StudentData, settings: StudentSettings) -> Measured:
    """Ask the engine for all that the student track needs; only sums come back.

    Raises
    ------
    BadInput
        If there is no visit log, or nobody was visited.
    """
    counts, shares = visit_counts(data), at_risk_shares(data)
    if not data.size.visited:
        raise BadInput("No student of these files was visited, so there is no effect to estimate.")
    rules = find_rules(shares)
    try:
        placebo = _side(placebo_program(data, rules, settings.seed), rules, settings, {})
    except BadInput:
        placebo = None
    period = f"{data.size.first_month} to {data.size.last_month}"
    return Measured(counts, shares, rules, _side(data, rules, settings, SPLITS), placebo, data.simulated, period)


def _side(
    data: StudentData,
    rules: tuple[ReferralRule, ...],
    settings: StudentSettings,
    splits: Mapping[Split, tuple[str, ...]],
) -> Side:
    changes = risk_changes(data, rules)
    found = at_risk_by_district(changes, "", ("",), settings.min_comparison)
    for split, parts in splits.items():
        found |= at_risk_by_district(changes, split, parts, settings.min_comparison)
    return Side(moments_of(data), found, data.size.visited)


def at_risk_by_district(changes: RiskChanges, split: Split, parts: tuple[str, ...], fewest: int) -> dict[Key, Found]:
    """Estimate the at-risk design for each district and for all, for each part of the visited, in two passes."""
    strata, sizes = strata_of(change_sums(changes, split)), cohort_sizes(changes, split)
    compared = comparison_students(changes)
    found: dict[Key, AtRisk] = {}
    refused: dict[Key, Found] = {}
    for code in [*sorted(sizes["district_code"].unique()), ALL]:
        for part in parts:
            try:
                found[code, part] = at_risk(_of(strata, (code, part)), _of(sizes, (code, part)), fewest)
            except BadInput as error:
                refused[code, part] = Found(None, (str(error),))
    if not found:
        return refused
    products = influence_products(
        changes,
        pd.concat([coefficients(_group(key), one) for key, one in found.items()], ignore_index=True),
        pd.concat([share_terms(_group(key), one, _of(sizes, key)) for key, one in found.items()], ignore_index=True),
        split,
    )
    made = {}
    for key, one in found.items():
        students = (
            int(_of(sizes, key)["students"].sum()),
            int(compared.sum() if key[0] == ALL else compared.get(key[0], 0)),
        )
        effects = at_risk_effects(one, products[products["grp"] == _group(key)], students, fewest)
        made[key] = enough_students(effects, refusal_words(one.refused))
    return {**made, **refused}


def _group(key: Key) -> str:
    return "/".join(key)


def _of(frame: pd.DataFrame, key: Key) -> pd.DataFrame:
    return frame[(frame["part"] == key[1]) & ((frame["district_code"] == key[0]) | (key[0] == ALL))]


def student_answer(measured: Measured, code: str, district: str, settings: StudentSettings) -> StudentAnswer:
    """Return the answer for one district, or for all (`ALL`)."""
    edition = "SIMULATED" if measured.simulated else measured.period
    where = Context(code, district, "attendance_rate", edition)
    rule = next((rule for rule in measured.rules if rule.district_code == code), None)
    visited = _designs(measured.visited, code, rule, settings)
    placebo = {} if measured.placebo is None else _designs(measured.placebo, code, rule, settings)
    designs = design_answers(visited, placebo, where, settings.months_after, settings.seed)
    return StudentAnswer(
        code=code, district=district, edition=edition, rule=rule, designs=designs,
        pre_trend=pre_trend(visited[RECOMMENDED].effects),
        bounds=headline_bounds(visited[RECOMMENDED].effects) if code == ALL else None,
        rebound=pd.DataFrame() if measured.placebo is None else rebound(_cells(measured.placebo.moments, code)),
        raw_paths=raw_paths(_cells(measured.visited.moments, code)),
        parts=_parts(measured.visited, code, rule, where),
        estimates=estimate_table(designs, visited, where, settings.months_after),
    )  # fmt: skip


def _designs(side: Side, code: str, rule: ReferralRule | None, settings: StudentSettings) -> dict[DesignName, Found]:
    found = plain_designs(_cells(side.moments, code), settings.early)
    found[RECOMMENDED] = _recommended(side, code, "", rule)
    return found


def _recommended(side: Side, code: str, part: str, rule: ReferralRule | None) -> Found:
    """Return the at-risk design, refused where the rule leaves nobody like the visited students unvisited."""
    if rule is not None and not rule.leaves_overlap:
        return Found(
            None,
            (
                f"No overlap: in a month {rule.monthly:.0%} of those who meet the rule are referred, so that students who are "
                "left to compare with are not like those who were visited.",
            ),
        )
    return side.at_risk.get((code, part), Found(None, (NOBODY_FOLLOWED,)))


def _cells(moments: Moments, code: str) -> Moments:
    return moments if code == ALL else moments.where(moments.district == code)


def _parts(side: Side, code: str, rule: ReferralRule | None, where: Context) -> pd.DataFrame:
    rows = []
    for split, parts in SPLITS.items():
        for part in parts:
            found = _recommended(side, code, part, rule)
            row = None if found.effects is None else headline_row(found.effects, where)
            rows.append(
                {
                    "dimension": SPLIT_LABELS[split], "group": part,
                    "estimate_pp": np.nan if row is None else row.estimate_pp, "se_pp": np.nan if row is None else row.se_pp,
                    "low_pp": np.nan if row is None else row.ci_low_pp, "high_pp": np.nan if row is None else row.ci_high_pp,
                    "reason": "" if row else found.refused[0],
                }
            )  # fmt: skip
    return pd.DataFrame(rows)
