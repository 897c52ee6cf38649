"""From moments to the student track's designs for one district, or for all together, each beside its placebo."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.core.phrases import counted
from leapstudy.did.at_risk import HEADLINE, NO_STRATUM, NOBODY_FOLLOWED
from leapstudy.did.eventstudy import joint_test
from leapstudy.did.staggered.att_gt import AttGt, Choices, Refusal, att_gt, before_after
from leapstudy.did.staggered.effects import NO_MONTH, Card, Context, Effects, before_after_effects, cs_effects
from leapstudy.students.disclosure import MIN_GROUP
from leapstudy.students.moments.record import NEVER, Moments
from leapstudy.study.student_paths import MONTHS_TESTED, headline_row, month_rows, path_frame
from leapstudy.study.student_publish import nearest, without_few, without_residue
from leapstudy.study.student_results import (
    DESIGN_LABELS,
    HEADLINE_ONLY,
    PATH_COLUMNS,
    RECOMMENDED,
    DesignAnswer,
    DesignName,
    PreTrend,
    Reason,
)

FEW = f"Fewer than {MIN_GROUP} visited or comparison students are left."


@dataclass(frozen=True, slots=True)
class Found:
    """What one design found: its effects, or None, and in words what it refused and why."""

    effects: Effects | None
    refused: tuple[str, ...] = ()


def plain_designs(moments: Moments, early: tuple[int, int]) -> dict[DesignName, Found]:
    """Estimate the designs that need no risk sets; what cannot be formed is refused in words.

    Parameters
    ----------
    moments
        Of one district, or of all.
    early
        Months before the visit of the early base window, such as (6, 4).
    """
    last = Choices(base="universal")
    return {
        "before_after": found_by(
            moments, lambda own: before_after(own, last), lambda att: before_after_effects(moments, att, HEADLINE)
        ),
        "never": _callaway(moments, last),
        "not_yet": _callaway(moments, Choices(control="not_yet", base="universal")),
        "early": _callaway(moments, Choices(base="universal", early=early)),
    }


def _callaway(moments: Moments, choices: Choices) -> Found:
    return found_by(moments, lambda own: att_gt(own, choices), lambda att: cs_effects(moments, att, events=HEADLINE))


def found_by(moments: Moments, estimate: Callable[[Moments], AttGt], average: Callable[[AttGt], Effects]) -> Found:
    """Return effects from ATT(g,t), refused where no month after a visit or too few students are left.

    Of all districts together only months are used in which the districts that may not be shown are nobody or a group.
    """
    visited = np.unique(moments.district[moments.cohort < NEVER])
    parts = [estimate(moments.where(moments.district == code)) for code in visited if len(visited) > 1]
    att = without_few(without_residue(estimate(moments), parts))
    try:
        effects = average(att)
    except BadInput as error:
        return Found(None, (*refusal_words(att.refused), str(error)))
    return enough_students(effects, refusal_words(att.refused))


# Points; a smaller standard error is rounding: nothing varies, and nothing can be judged by it.
LEAST_SE = 1e-9

ALIKE = "All students change alike, so that there is no variation to judge an effect by."
NO_OVERLAP = "No overlap: "
_BEGINNINGS: dict[str, Reason] = {
    FEW: "few",
    ALIKE: "alike",
    NOBODY_FOLLOWED: "followed",
    NO_STRATUM: "comparison",
    NO_MONTH: "months",
    NO_OVERLAP: "overlap",
}


def why_none(sentences: Sequence[str]) -> Reason:
    """Return the reason of a missing effect by the first of its sentences that gives one."""
    reasons = (why for words in sentences for start, why in _BEGINNINGS.items() if words.startswith(start))
    return next(reasons, "followed")


def enough_students(effects: Effects, reasons: tuple[str, ...]) -> Found:
    """Refuse effects of a group that is too small to be shown, or whose students all change alike."""
    card = effects.card
    if card.n_treated < MIN_GROUP or 0 < card.n_comparison < MIN_GROUP:
        return Found(None, (FEW, *reasons))
    if not effects.se[-1] > LEAST_SE:
        return Found(None, (ALIKE, *reasons))
    return Found(effects, reasons)


def refusal_words(refusals: Sequence[Refusal]) -> tuple[str, ...]:
    """Return refused cells by reason and number; a share of a month's few students would point to them."""
    return tuple(
        f"{counted(count, 'cell')}: {reason}." for reason, count in Counter(item.reason for item in refusals).items()
    )


def design_answers(
    visited: Mapping[DesignName, Found],
    placebo: Mapping[DesignName, Found],
    where: Context,
    months_after: int,
    seed: int,
) -> tuple[DesignAnswer, ...]:
    """Put each design's answer beside what it finds where nobody was visited.

    Parameters
    ----------
    visited, placebo
        By design; a placebo that is missing could not be formed.
    where
        District, outcome and edition of the rows.
    months_after
        Months since the first visit that are shown.
    seed
        Of the placebo draw and of the simultaneous bands.
    """
    return tuple(
        _design(name, visited[name], placebo.get(name, Found(None)), where, months_after, seed)
        for name in DESIGN_LABELS
        if name in visited
    )


def _design(
    name: DesignName, visited: Found, placebo: Found, where: Context, months_after: int, seed: int
) -> DesignAnswer:
    band_seed = seed if name == RECOMMENDED else None
    effects, empty = visited.effects, pd.DataFrame(columns=list(PATH_COLUMNS), dtype=float)
    return DesignAnswer(
        name=name,
        path=empty if effects is None or name in HEADLINE_ONLY else path_frame(effects, months_after, band_seed),
        placebo_path=empty
        if placebo.effects is None or name in HEADLINE_ONLY
        else path_frame(placebo.effects, months_after, band_seed),
        main=None if effects is None else headline_row(effects, _context(name, where, "main")),
        placebo=None
        if placebo.effects is None
        else headline_row(placebo.effects, _context(name, where, "placebo"), seed),
        overlap=0.0 if effects is None else effects.card.overlap,
        refused=visited.refused,
        card=() if effects is None else _round(effects.card).lines(),
        why_none=why_none(visited.refused) if effects is None else None,
    )


def _round(card: Card) -> Card:
    return replace(card, n_treated=nearest(card.n_treated), n_comparison=nearest(card.n_comparison))


def _context(name: DesignName, where: Context, role: str) -> Context:
    """Return the context of a design's rows; designs beside the recommended one are sensitivity checks."""
    own_role = role if role == "placebo" or name == RECOMMENDED else "sensitivity"
    return replace(where, role=own_role)  # type: ignore[arg-type]


# Estimator of the rows of students who were referred and not met.
CONTROL = "cs_at_risk_not_met"


def control_row(effects: Effects | None, where: Context) -> Estimate | None:
    """Return the recommended design's headline among students who were referred and not met; None where refused."""
    if effects is None:
        return None
    return replace(headline_row(effects, _context(RECOMMENDED, where, "placebo")), estimator=CONTROL)


def estimate_table(
    designs: Sequence[DesignAnswer],
    visited: Mapping[DesignName, Found],
    control: Estimate | None,
    where: Context,
    months_after: int,
) -> tuple[Estimate, ...]:
    """Return the rows of `estimates.csv`: the headline of each design, its placebo, the control, then the months."""
    heads = sorted(
        designs, key=lambda item: item.name != RECOMMENDED
    )  # the recommended one first: pages read the first
    rows = [row for item in heads for row in (item.main, item.placebo) if row is not None]
    rows += [] if control is None else [control]
    for item in heads:
        effects = visited[item.name].effects
        if effects is not None and item.name not in HEADLINE_ONLY:
            rows += month_rows(effects, _context(item.name, where, "main"), months_after)
    return tuple(rows)


def pre_trend(effects: Effects | None) -> PreTrend | None:
    """Return the joint test of the months before the visit; None where there are none to test."""
    if effects is None:
        return None
    # months in which an effect is allowed are not tested; the overall has no key and stays out
    in_test = (effects.key >= -MONTHS_TESTED) & (effects.key < -effects.card.anticipation) & (effects.se > 0)
    months = np.flatnonzero(in_test)
    covariance = effects.covariance[np.ix_(months, months)]
    test = joint_test(effects.estimate[months], covariance, effects.drift[months], effects.df)
    return None if np.isnan(test.p_value) else PreTrend(test.p_value, test.slope, len(months))
