"""The student track's answer where lots were drawn: effect of the offer, of being visited, and what may spoil both.

Offer: intention-to-treat by randomization inference over the draw's own redraws, as precise as the months before allow
(Roth and Sant'Anna 2023). Visited: complier average causal effect with an Anderson-Rubin interval. Then attrition
against the What Works Clearinghouse's boundary, Lee bounds for leavers, and the conditions of ESSA tier 1, one by one.
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.estimate import Estimate
from leapstudy.core.names import ALL_DISTRICTS, WAITING, Role
from leapstudy.core.phrases import number, points, probability
from leapstudy.data.state import load_state
from leapstudy.did.effect import finite
from leapstudy.did.lottery.rollout import Rollout, rollout
from leapstudy.did.lottery.visited import ComplierEffect, complier_effect, lee_bounds
from leapstudy.evidence.standards import Attrition, EssaFacts, EssaGrade, attrition, essa_grade
from leapstudy.evidence.verdict import Verdict, decide, rejects
from leapstudy.students.disclosure import MIN_GROUP
from leapstudy.students.lottery_outcomes import TOP, LotteryOutcomes
from leapstudy.study.student_publish import COUNT_UNIT, nearest
from leapstudy.study.student_results import LotteryAnswer

# Estimators: effect of the offer, the same without adjustment, of being visited, and per visit.
OFFER, MEANS, VISITED, DOSE = "lottery_offer", "lottery_means", "lottery_visited", "lottery_visit"
PER_VISIT = "percentage points per visit, first and further ones alike"
BEYOND = (
    f"The offer moved so few visits that the best estimate lies beyond {TOP:g} points, which no share can change by: "
    "nothing can be said of the effect of a visit."
)
NOBODY = (
    "Nobody who was drawn was visited: the effect of being visited cannot be given, and what is seen of the offer is "
    "of the offer alone, or of visits that the log lacks."
)
ONE_MORE = "What one more visit adds is not claimed: who is visited again was not drawn."
# A difference before the start this improbable says that the list is not what was drawn, or was not followed.
BROKEN = 0.001
# Strata whose shares offered differ by more have no common bounds for leavers.
ALIKE_SHARES = 0.05


def lottery_answer(
    outcomes: LotteryOutcomes, edition: str, outcomes_from: date | None, promised: str, seed: int, *, late: bool = False
) -> LotteryAnswer:
    """Analyze a draw.

    Parameters
    ----------
    outcomes
        From `lottery_outcomes`.
    edition
        SIMULATED, or what the files are called.
    outcomes_from
        Day before which outcomes were not to be looked at.
    promised
        What the plan promised, in the plan's own words; may be empty.
    seed
        Of redraws and bootstrap.
    late
        Whether the draw on record was made after its first start, so that it is no lottery of who started.

    Raises
    ------
    BadInput
        If no stratum can be compared, or either side has fewer than `MIN_GROUP` students.
    """
    complete = usable(outcomes)
    offered = outcomes.start < outcomes.outcome.shape[1]
    sizes = {side: int(outcomes.students[complete & (offered == side)].sum()) for side in (True, False)}
    if not complete.any():
        raise BadInput("No stratum of the draw has two units of each start that are seen in every period.")
    if min(sizes.values()) < MIN_GROUP:
        raise BadInput(f"Fewer than {MIN_GROUP} students are left who were offered visits, or who wait.")
    estimates = _estimates(outcomes, complete, seed)
    lost, lost_words = _attrition(offered, complete)
    verdict = _verdict(estimates.offer, estimates.before, lower_is_better=outcomes.name == "chronic_absence")
    rows = estimates.rows(_blank(outcomes, edition, sizes), seed)
    about = _about if outcomes.level == "student" else "{:,}".format  # of schools and districts no student can be told
    card = (
        ("Units drawn", f"{outcomes.level}s; {about(offered.sum())} offered visits, {about((~offered).sum())} wait"),
        (
            "Used",
            f"{about(complete.sum())} of {about(len(complete))}, seen in each of {outcomes.outcome.shape[1]} periods",
        ),
        *estimates.card(),
        ("Attrition", lost_words),
        ("Leavers", _leavers(outcomes, offered, seed)),
    )
    essa = _essa(outcomes, verdict, lost, sizes, late=late)
    return LotteryAnswer(rows, verdict, card, essa, promised, str(outcomes_from or ""), late=late)


@dataclass(frozen=True, slots=True)
class _Estimates:
    """Effect of the offer, difference before it, effect of being visited, and per visit; whether anybody is visited."""

    offer: Rollout
    before: Rollout
    visited: ComplierEffect
    dose: ComplierEffect
    taken_up: bool

    def rows(self, blank: Estimate, seed: int) -> tuple[Estimate, ...]:
        """Return the rows of `estimates.csv`, without an effect of visits where the offer brought none."""
        visits = ((VISITED, self.visited), (DOSE, self.dose))
        return (
            _row(blank, "main", self.offer, seed),
            _row(blank, "placebo", self.before, seed),
            _means(blank, self.offer),
            *(
                blank.telling(
                    (one.estimate, None, one.low, one.high),
                    estimator=name,
                    role="sensitivity",
                    p_method="Anderson-Rubin",
                )
                for name, one in visits
                if says_something(one)
            ),
        )

    def card(self) -> tuple[tuple[str, str], ...]:
        """Return how they were made and how far they can be trusted, line by line."""
        first_stage, f = 100 * self.visited.visits, self.visited.first_stage_f
        lines = (("Test", _test_words(self.offer)), ("Before the first start", _before_words(self.before)))
        if not self.taken_up:
            return (*lines, ("Being visited", NOBODY))
        return (
            *lines,
            ("Being visited", _effect_words(self.visited, "percentage points")),
            ("Per visit", f"{_effect_words(self.dose, PER_VISIT)} {ONE_MORE}"),
            ("Strength of the offer", f"it moved {first_stage:.0f}% to be visited (first-stage F {f:.0f})"),
        )


def possible(effect: ComplierEffect) -> ComplierEffect:
    """Return an effect with its 95% set cut to what a share can change by, `TOP` points up or down."""
    low, high = effect.low, effect.high
    if effect.shape == "two rays" and (high >= -TOP) != (low <= TOP):
        low, high = (-TOP, high) if high >= -TOP else (low, TOP)
    elif effect.shape != "bounded":
        return effect
    return replace(effect, shape="bounded", low=max(low, -TOP), high=min(high, TOP))


def says_something(effect: ComplierEffect) -> bool:
    """Return whether the offer moved enough visits for a figure with a range to stand on pages."""
    return effect.shape == "bounded" and abs(effect.estimate) <= TOP


def _effect_words(effect: ComplierEffect, unit: str) -> str:
    return BEYOND if abs(effect.estimate) > TOP else effect.sentence(unit)


def _estimates(outcomes: LotteryOutcomes, complete: np.ndarray, seed: int) -> _Estimates:
    y, start, strata = outcomes.outcome[complete], outcomes.start[complete], outcomes.strata[complete]
    offer = rollout(y, start, strata, seed=seed)
    reach = (offer.estimate - offer.redraw_low) / offer.se, (offer.redraw_high - offer.estimate) / offer.se
    visits = (outcomes.visited[complete], outcomes.visits[complete])
    met, dose = (possible(complier_effect(y, one, start, strata, reach=reach)) for one in visits)
    return _Estimates(offer, balance(y, start, strata, seed), met, dose, bool(outcomes.visited[complete].any()))


def usable(outcomes: LotteryOutcomes) -> np.ndarray:
    """Return which units are seen in every period, in strata where each start has at least two of them."""
    complete = np.isfinite(outcomes.outcome).all(axis=1)
    for stratum in np.unique(outcomes.strata):
        own = outcomes.strata == stratum
        starts = np.unique(outcomes.start[own])
        sizes = [int((complete & own & (outcomes.start == start)).sum()) for start in starts]
        if min(sizes) < 2 or len(sizes) < 2:
            complete = complete & ~own
    return complete


def balance(outcome: np.ndarray, start: np.ndarray, strata: np.ndarray, seed: int) -> Rollout:
    """Return the difference before the first start as if it were an effect: zero is expected of a draw."""
    first = outcome[:, [0]]
    again = np.hstack([np.zeros_like(first), np.repeat(first, outcome.shape[1] - 1, axis=1)])
    return rollout(again, start, strata, adjustment="difference", seed=seed)


def _about(count: float) -> str:
    return f"about {nearest(count):,}"


def _blank(outcomes: LotteryOutcomes, edition: str, sizes: dict[bool, int]) -> Estimate:
    return Estimate(
        track="students",
        district_code=ALL_DISTRICTS,
        district="all districts of the draw",
        outcome="attendance_rate" if outcomes.name == "attendance" else outcomes.name,
        comparison=WAITING,
        n_treated=sizes[True],
        n_comparison=sizes[False],
        edition=edition,
        pre=f"months before {outcomes.first}",
        post=f"{outcomes.first} to {outcomes.last}",
        estimator=OFFER,
        role="main",
        estimate_pp=0.0,
    )


def _row(blank: Estimate, role: Role, estimate: Rollout, seed: int) -> Estimate:
    interval = (estimate.estimate, estimate.se, finite(estimate.redraw_low), finite(estimate.redraw_high))
    test = {"p_value": estimate.p_value, "p_floor": estimate.p_floor, "p_method": "redraws of the lottery"}
    return blank.telling(interval, estimator=OFFER, role=role, seed=seed, **test)


def _means(blank: Estimate, estimate: Rollout) -> Estimate:
    reach = estimate.unadjusted_se * (estimate.high - estimate.estimate) / estimate.se
    ends = (estimate.unadjusted - reach, estimate.unadjusted + reach)
    return blank.telling((estimate.unadjusted, estimate.unadjusted_se, *ends), estimator=MEANS, role="sensitivity")


def _verdict(effect: Rollout, before: Rollout, *, lower_is_better: bool) -> Verdict:
    verdict = decide(
        effect.estimate,
        effect.redraw_low,
        effect.redraw_high,
        effect.p_value,
        p_floor=effect.p_floor,
        lower_is_better=lower_is_better,
    )
    if before.p_value <= BROKEN:
        reason = (
            f"Before the first start the sides differ by {points(before.estimate)} points "
            f"({probability(before.p_value)}): the list is not what was drawn, or was not followed."
        )
        return replace(verdict, kind="failed_placebo", before="failed", reasons=(reason,), cautions=())
    cautions = (_before_words(before),) if rejects(before.p_value) else ()
    return replace(verdict, before="passed", cautions=cautions)


def _before_words(before: Rollout) -> str:
    how = "more than most draws would give, and adjusted for" if rejects(before.p_value) else "as chance would have it"
    return f"the sides differ by {points(before.estimate)} points ({probability(before.p_value)}), {how}"


def _test_words(effect: Rollout) -> str:
    redraws = round(1 / effect.p_floor)
    all_of = "all" if effect.exact else "this and"
    number_of = redraws if effect.exact else redraws - 1
    return (
        f"the draw dealt anew within its strata, {all_of} {number_of:,} {'deals' if effect.exact else 'other deals'}; "
        f"{number(effect.beta)} of the difference before the start is taken away"
    )


def _attrition(offered: np.ndarray, complete: np.ndarray) -> tuple[Attrition | None, str]:
    on, off = ((int(side.sum()), int((side & complete).sum())) for side in (offered, ~offered))
    lost, why = attempt(attrition, *on, *off)
    if lost is None:
        return None, why
    verdict = "low" if lost.low else "high: the draw no longer protects against selection"
    return lost, (
        f"overall {lost.overall_pct:.1f}%, differential {lost.differential_pct:.1f} points, at most "
        f"{lost.limit_pct:.1f} by the cautious boundary: {verdict}"
    )


def _leavers(outcomes: LotteryOutcomes, offered: np.ndarray, seed: int) -> str:
    """Bound the change since before the first start for leavers; strata count as one where they offer alike."""
    shares = [offered[outcomes.strata == stratum].mean() for stratum in np.unique(outcomes.strata)]
    if max(shares) - min(shares) > ALIKE_SHARES:
        return "no bounds: the share offered differs between strata"
    change = outcomes.outcome[:, -1] - outcomes.outcome[:, 0]
    if np.isfinite(change).all():
        return "nobody left"
    at_start = np.isfinite(outcomes.outcome[:, 0])
    bounds, why = attempt(lee_bounds, change[at_start], offered[at_start], seed)
    if bounds is None:
        return why
    return (
        f"{number(bounds.lower)} to {number(bounds.upper)} points in the last period for those who stay either way "
        f"(Lee bounds; 95% CI {number(bounds.low)} to {number(bounds.high)})"
    )


def _essa(
    outcomes: LotteryOutcomes, verdict: Verdict, lost: Attrition | None, sizes: dict[bool, int], *, late: bool
) -> EssaGrade:
    low = lost is not None and lost.low and not late
    return essa_grade(
        EssaFacts(
            verdict=verdict,
            baseline=None,
            adjusted=True,
            n_students=COUNT_UNIT * (sum(sizes.values()) // COUNT_UNIT),
            n_groups=outcomes.districts,
            n_treated_sites=outcomes.districts,
            rationale=load_state().program.research,
            randomized=low,
            drawn=not late,
        )
    )
