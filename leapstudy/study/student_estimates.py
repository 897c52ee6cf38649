"""The whole state measured once: every query of the student track, and each district's answer out of the sums."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.estimate import Estimate
from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.did.adjusted import AdjustedEffect
from leapstudy.did.at_risk import (
    HEADLINE,
    NOBODY_FOLLOWED,
    AtRisk,
    at_risk,
    at_risk_effects,
    coefficients,
    share_terms,
    strata_of,
)
from leapstudy.did.staggered.effects import Context
from leapstudy.students.disclosure import GRADE_BANDS, MIN_GROUP, VISIT_COUNTS
from leapstudy.students.eligible import months
from leapstudy.students.handle import StudentData
from leapstudy.students.lookback import at_risk_shares, control_program, placebo_program
from leapstudy.students.lottery import lottery_of
from leapstudy.students.lottery_outcomes import lottery_outcomes
from leapstudy.students.moments.pivot import moments_of
from leapstudy.students.moments.record import NEVER, Moments
from leapstudy.students.referral_rule import ReferralRule, as_shown, find_rules
from leapstudy.students.risk_changes import (
    RiskChanges,
    Split,
    change_sums,
    cohort_sizes,
    influence_products,
    risk_changes,
)
from leapstudy.students.risk_rows import risk_sets
from leapstudy.students.settings import StudentSettings
from leapstudy.students.visits import visit_counts
from leapstudy.study.rollout.choices import promised
from leapstudy.study.rollout.records import last_draw, lateness, on_record
from leapstudy.study.rollout.written_plan import (
    ATTENDANCE,
    plan_card,
    planned_margins,
    planned_until,
    primary_outcome,
    require_one_question,
)
from leapstudy.study.student_check import track_of
from leapstudy.study.student_designs import (
    FEW,
    NO_OVERLAP,
    Found,
    control_row,
    design_answers,
    enough_students,
    estimate_table,
    headline_bounds,
    headline_row,
    plain_designs,
    pre_trend,
    raw_paths,
    rebound,
    refusal_words,
)
from leapstudy.study.student_lottery import lottery_answer
from leapstudy.study.student_outcomes import (
    check_rows,
    checks,
    control_effect,
    outcome_effects,
    outcome_estimates,
    primary_answer,
)
from leapstudy.study.student_publish import months_with_enough, strata_to_show, without_small_districts
from leapstudy.study.student_results import RECOMMENDED, DesignName, LotteryAnswer, PrimaryAnswer, StudentAnswer

SPLITS: dict[Split, tuple[str, ...]] = {"grade_band": GRADE_BANDS, "visits": VISIT_COUNTS}
SPLIT_LABELS = {"grade_band": "grades", "visits": "completed visits"}
PART_COLUMNS = ("dimension", "group", "estimate_pp", "se_pp", "low_pp", "high_pp", "months", "reason")
NOBODY_OF_PART = "Nobody of this group was visited and is seen both in a school month before that and in another one."
# District code (or `ALL`) and part of the visited students (empty = all of them).
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Side:
    """The visited students, or the placebo program: moments by cell, and the at-risk design by district and part."""

    moments: Moments
    at_risk: dict[Key, Found]
    students: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that left the engine.

    `placebo` is None where the file has too few months before the first visit; `control` is the recommended design for
    students who were referred and not met, empty where there are none.
    """

    counts: pd.DataFrame
    shares: pd.DataFrame
    rules: tuple[ReferralRule, ...]
    visited: Side
    placebo: Side | None
    control: dict[Key, Found]
    simulated: bool
    period: str
    lottery: LotteryAnswer | None = None
    checks: pd.DataFrame | None = None
    outcomes: pd.DataFrame | None = None
    planned: str = ATTENDANCE
    primary_control: AdjustedEffect | None = None
    margins: tuple[float, float] | None = None
    plan: tuple[tuple[str, str], ...] = ()

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
    if not (data.size.visited or settings.draw):
        raise BadInput("No student of these files was visited, so there is no effect to estimate.")
    rules = find_rules(shares)
    program, _ = attempt(placebo_program, data, rules, settings.seed)
    placebo = attempt(_side, program, rules, settings, {})[0] if program is not None else None
    primary = primary_outcome()
    period = f"{data.size.first_month} to {data.size.last_month}"
    visited = _side(data, rules, settings, SPLITS)
    sets = risk_sets(data, rules)
    control, lottery = _control(data, rules, settings), _lottery(data, settings, primary)
    return Measured(
        counts,
        shares,
        rules,
        visited,
        placebo,
        control,
        data.simulated,
        period,
        lottery,
        checks(data, sets, rules),
        outcome_effects(data, sets, settings, primary),
        primary,
        None if lottery else control_effect(data, rules, settings, primary),
        planned_margins(),
        plan_card(data.size.last_month),
    )


def _lottery(data: StudentData, settings: StudentSettings, primary: str) -> LotteryAnswer | None:
    lottery = lottery_of(settings)
    if lottery is None:
        return None
    require_one_question(primary, settings)
    edition = "SIMULATED" if data.simulated else f"{data.size.first_month} to {data.size.last_month}"
    until, span = planned_until(months(data), list(lottery.starts.values())[-1])
    outcomes = lottery_outcomes(data, lottery, primary, until)
    path, track = paths.named(settings.draw), track_of(lottery.level)
    record, (closed_until, question) = last_draw(path, track), promised(settings.rollout)
    late = record is not None and lateness(record.made_at, lottery.first, "month") == "after"
    planned_before = record is not None and bool(record.plan_sha256)
    words = question if planned_before else settings.rollout.promised
    answer = lottery_answer(outcomes, edition, closed_until, words, settings.seed, late=late)
    card = (("Lots", on_record(path, track, lottery.first)), ("Months of the outcome", span), *answer.card)
    return replace(answer, card=card, on_record=planned_before)


def _control(data: StudentData, rules: tuple[ReferralRule, ...], settings: StudentSettings) -> dict[Key, Found]:
    program, _ = attempt(control_program, data)
    changes = attempt(risk_changes, program, rules)[0] if program is not None else None
    if changes is None:
        return {}
    return at_risk_by_district(changes, {"": ("",)}, settings.min_comparison)


def _side(
    data: StudentData,
    rules: tuple[ReferralRule, ...],
    settings: StudentSettings,
    splits: Mapping[Split, tuple[str, ...]],
) -> Side:
    changes = risk_changes(data, rules)
    moments = moments_of(data)
    estimates = at_risk_by_district(changes, {"": ("",), **splits}, settings.min_comparison, visited_students(moments))
    return Side(moments, estimates, data.size.visited)


def visited_students(moments: Moments) -> dict[str, int]:
    """Return the number of visited students by district code, `ALL` last."""
    visited = moments.cohort < NEVER
    sizes = {
        str(code): int(moments.students[visited & (moments.district == code)].sum())
        for code in np.unique(moments.district)
    }
    return {**sizes, ALL: sum(sizes.values())}


def at_risk_by_district(
    changes: RiskChanges, splits: Mapping[Split, tuple[str, ...]], fewest: int, visited: Mapping[str, int] | None = None
) -> dict[Key, Found]:
    """Estimate the at-risk design for each district and for all, for each part of the visited, in two passes.

    `visited` holds all visited students by district code, those included who are in no risk set.
    """
    sums = change_sums(changes, tuple(splits))
    at_risk_of: dict[Key, AtRisk] = {}
    answers: dict[Key, Found] = {}
    sizes: dict[Split, pd.DataFrame] = {}
    terms: dict[Split, pd.DataFrame] = {}
    shares: dict[Split, pd.DataFrame] = {}
    for split, parts in splits.items():
        own = sizes[split] = cohort_sizes(changes, split)
        some, none = _first_pass(strata_of(sums[split]), own, parts, fewest)
        at_risk_of, answers = at_risk_of | some, answers | none
        if some:
            groups, of_key = {_group(key): one for key, one in some.items()}, _by_key(own)
            terms[split] = pd.concat([coefficients(*group) for group in groups.items()], ignore_index=True)
            shares[split] = pd.concat(
                [share_terms(_group(key), one, of_key[key]) for key, one in some.items()], ignore_index=True
            )
    if not at_risk_of:
        return answers
    products, comparison = influence_products(changes, terms, shares, HEADLINE)
    of_key = _by_key(pd.concat(sizes.values(), ignore_index=True))
    squares, others = (_by_group(table, at_risk_of) for table in (products, comparison))
    for key, one in at_risk_of.items():
        met = int(of_key[key]["students"].sum()) if visited is None or key[1] else visited[key[0]]
        effects = at_risk_effects(one, squares[key], others[key], fewest, met)
        answers[key] = enough_students(effects, refusal_words(one.refused))
    return answers


def _first_pass(
    strata: pd.DataFrame, sizes: pd.DataFrame, parts: Sequence[str], fewest: int
) -> tuple[dict[Key, AtRisk], dict[Key, Found]]:
    """Return the estimates by district and part, and apart those refused, with the reason."""
    estimates: dict[Key, AtRisk] = {}
    refusals: dict[Key, Found] = {}
    of_key = _by_key(sizes)
    for part in parts:
        whole = strata[strata["part"] == part]
        months = months_with_enough(whole, fewest)
        own, together = (_by_key(strata_to_show(whole, months, column)) for column in ("own", "together"))
        for code in [*sorted(sizes["district_code"].unique()), ALL]:
            key, shown = (code, part), together if code == ALL else own
            rows = shown.get(key, whole.iloc[:0])
            try:
                estimates[key] = at_risk(rows, of_key.get(key, sizes.iloc[:0]), fewest)
            except BadInput as error:
                all_rows = len(whole) if code == ALL else int((whole["district_code"] == code).sum())
                refusals[key] = Found(None, (str(error) if len(rows) == all_rows else FEW,))
    return estimates, refusals


def _group(key: Key) -> str:
    return "/".join(key)


def _by_group(rows: pd.DataFrame, keys: Iterable[Key]) -> dict[Key, pd.DataFrame]:
    some = dict(iter(rows.groupby("grp")))
    return {key: some.get(_group(key), rows.iloc[:0]) for key in keys}


def _by_key(rows: pd.DataFrame) -> dict[Key, pd.DataFrame]:
    """Return the rows of each district and part, and of each part in all districts."""
    own = {(str(code), str(part)): some for (code, part), some in rows.groupby(["district_code", "part"])}
    return own | {(ALL, str(part)): some for part, some in rows.groupby("part")}


def student_answer(measured: Measured, code: str, district: str, settings: StudentSettings) -> StudentAnswer:
    """Return the answer for one district, or for all (`ALL`)."""
    edition = "SIMULATED" if measured.simulated else measured.period
    where = Context(code, district, "attendance_rate", edition)
    rule = next((rule for rule in measured.rules if rule.district_code == code), None)
    few = rule is not None and 0 < rule.referred < MIN_GROUP
    cells = _of_place(measured.visited.moments, code)
    visited = _designs(measured.visited, code, rule, settings)
    placebo = {} if measured.placebo is None else _designs(measured.placebo, code, rule, settings)
    designs = design_answers(visited, placebo, where, settings.months_after, settings.seed)
    control = control_row(_recommended(measured.control, code, "", rule).effects, where)
    lottery = measured.lottery if code == ALL else None
    rows = estimate_table(designs, visited, control, where, settings.months_after)
    table = measured.checks if code == ALL and visited[RECOMMENDED].effects is not None else None
    if table is not None:
        rows = (*rows, *check_rows(table, rows[0]))
    others, primary = measured.outcomes if table is not None else None, None
    if others is not None:
        primary = primary_answer(others, measured.primary_control, rows[0]) if lottery is None else None
        rows = (*rows, *outcome_estimates(others, rows[0]))
    return StudentAnswer(
        code=code,
        district=district,
        edition=edition,
        rule=None if rule is None or few else as_shown(rule),
        designs=designs,
        control=control,
        pre_trend=pre_trend(visited[RECOMMENDED].effects),
        bounds=headline_bounds(visited[RECOMMENDED].effects) if code == ALL else None,
        rebound=pd.DataFrame() if measured.placebo is None else rebound(_of_place(measured.placebo.moments, code)),
        raw_paths=raw_paths(cells),
        parts=_parts(measured.visited, code, rule, where),
        estimates=_led_by(lottery, primary, rows),
        lottery=lottery,
        checks=table,
        outcomes=others,
        planned=measured.planned,
        primary=primary,
        margin_pp=_margin(measured, lottery is not None, primary is not None),
        plan=measured.plan,
    )


def _margin(measures: Measured, by_lot: bool, primary: bool) -> float | None:
    """Return the plan's margin for what leads, see `planned_margins`; it is of no other outcome than the primary."""
    if measures.margins is None or not (by_lot or primary or measures.planned == ATTENDANCE):
        return None
    return measures.margins[by_lot]


def _led_by(
    lottery: LotteryAnswer | None, primary: PrimaryAnswer | None, rows: tuple[Estimate, ...]
) -> tuple[Estimate, ...]:
    """Return all rows, first those of what leads; beside a draw or another outcome no other row is a main one."""
    if lottery is None and primary is None:
        return rows
    others = [replace(row, role="sensitivity") if row.role == "main" else row for row in rows]
    if lottery is not None:
        return (*lottery.rows, *others)
    assert primary is not None
    lead = (primary.main, *([] if primary.control is None else [primary.control]))
    same = {(row.outcome, row.estimator) for row in lead}
    return (*lead, *(row for row in others if (row.outcome, row.estimator) not in same))


def _designs(side: Side, code: str, rule: ReferralRule | None, settings: StudentSettings) -> dict[DesignName, Found]:
    designs = plain_designs(_of_place(side.moments, code), settings.early)
    designs[RECOMMENDED] = _recommended(side.at_risk, code, "", rule)
    return designs


def _recommended(estimates: dict[Key, Found], code: str, part: str, rule: ReferralRule | None) -> Found:
    """Return the at-risk design, refused where the rule leaves nobody like the visited students unvisited."""
    if rule is not None and not rule.leaves_overlap:
        return Found(
            None,
            (
                f"{NO_OVERLAP}in a month {rule.monthly:.0%} of those who meet the rule are referred, so that students "
                "who are left to compare with are not like those who were visited.",
            ),
        )
    return estimates.get((code, part), Found(None, (NOBODY_FOLLOWED,)))


def _of_place(moments: Moments, code: str) -> Moments:
    return without_small_districts(moments) if code == ALL else moments.where(moments.district == code)


def _parts(side: Side, code: str, rule: ReferralRule | None, where: Context) -> pd.DataFrame:
    whole, nobody = _recommended(side.at_risk, code, "", rule), Found(None, (NOBODY_OF_PART,))
    rows = []
    for split, parts in SPLITS.items():
        # a part has no estimate to look up where nobody is in it
        by_part = {part: _recommended(side.at_risk, code, part, rule) for part in parts}
        by_part = {part: nobody if NOBODY_FOLLOWED in one.refused else one for part, one in by_part.items()}
        for part, one in with_company(by_part, whole).items():
            if one.effects is None:
                told = (*[np.nan] * 4, "", one.refused[0])
            else:
                row = headline_row(one.effects, where)
                told = (row.estimate_pp, row.se_pp, row.ci_low_pp, row.ci_high_pp, row.post, "")
            rows.append((SPLIT_LABELS[split], part, *told))
    return pd.DataFrame(rows, columns=list(PART_COLUMNS))


def with_company(parts: Mapping[str, Found], whole: Found) -> dict[str, Found]:
    """Hide further parts, the smallest first, until the whole less those shown is nobody or may be shown."""
    estimates = {part: one for part, one in parts.items() if one.effects is not None}
    if whole.effects is None:
        return dict.fromkeys(parts, whole)
    every = whole.effects.card.n_treated
    size = {part: one.effects.card.n_treated for part, one in estimates.items() if one.effects is not None}
    while size and 0 < every - sum(size.values()) < MIN_GROUP:
        size.pop(min(size, key=lambda part: size[part]))
    return {part: one if part in size or one.effects is None else Found(None, (FEW,)) for part, one in parts.items()}
